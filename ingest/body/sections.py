"""The sections of a page: what stands below each heading, with neighbours of a few words joined."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.body.blocks import Block


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under one heading path.

    `heading` is the first heading of the section, None before the first of the page. Where the
    section is several joined, their heading lines are among the blocks. `before` holds headings
    without text of their own that stand between the section before and this one; this section's
    path names them.
    """

    path: tuple[str, ...]
    heading: Block | None
    blocks: tuple[Block, ...] = ()
    before: tuple[Block, ...] = ()
    is_joined: bool = False

    @property
    def anchor(self) -> str:
        """The fragment that opens the section."""
        return self.heading.anchor if self.heading else ""


def sections_of(blocks: Sequence[Block]) -> list[Section]:
    """Each heading with the blocks before the next one; rules across the page are left out."""
    return list(_with_text(_by_heading(blocks)))


def joined(sections: Sequence[Section], tokens: Sequence[int], tiny: int) -> Iterator[Section]:
    """The sections, with runs of neighbours of at most `tiny` tokens made one, up to thrice that.

    Only sections that have a true path in common are joined: a section with those below it, or
    sections of the same parent.
    """
    current: Section | None = None
    used = 0
    for section, size in zip(sections, tokens, strict=True):
        fits = current is not None and size <= tiny and used <= 2 * tiny
        together = _together(current, section) if current and fits else None
        if current and together is None:
            yield current
        current, used = together or section, used + size if together else size
    if current:
        yield current


def _by_heading(blocks: Sequence[Block]) -> Iterator[Section]:
    path: list[Block] = []
    heading: Block | None = None
    content: list[Block] = []
    for block in blocks:
        if block.kind == "heading":
            yield Section(_titles(path), heading, tuple(content))
            content.clear()
            while path and path[-1].level >= block.level:
                path.pop()
            path.append(block)
            heading = block
        elif block.markdown != "---":
            content.append(block)
    yield Section(_titles(path), heading, tuple(content))


def _titles(path: Sequence[Block]) -> tuple[str, ...]:
    return tuple(heading.title for heading in path)


def _with_text(sections: Iterator[Section]) -> Iterator[Section]:
    """Leaves out what has neither text nor headings of its own, if the next section names it."""
    before: tuple[Block, ...] = ()
    previous: Section | None = None
    for section in sections:
        if previous and (previous.blocks or previous.heading):
            is_below = len(section.path) > len(previous.path)
            if previous.blocks or not is_below or previous.heading is None:
                yield replace(previous, before=before)
                before = ()
            else:
                before = (*before, previous.heading)
        previous = section
    if previous and (previous.blocks or previous.heading):
        yield replace(previous, before=before)


def _together(first: Section, second: Section) -> Section | None:
    """Two neighbours as one section, if one path is true for both."""
    if second.heading is None:
        return None
    blocks = (*second.before, second.heading, *second.blocks)
    is_below = len(second.path) > len(first.path) and second.path[: len(first.path)] == first.path
    if is_below:
        return replace(first, blocks=(*first.blocks, *blocks))
    if first.is_joined or first.heading is None or second.path[:-1] != first.path[:-1]:
        return None
    own = (first.heading, *first.blocks)
    return replace(first, path=first.path[:-1], blocks=(*own, *blocks), is_joined=True)
