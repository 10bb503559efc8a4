"""Blocks of a page to chunks along headings. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from index.records import Chunk, passage_text
from ingest.body.blocks import Block
from ingest.body.pieces import Counter, pieces_of

# The share of the limit that a body may always use, however long its title and headings are.
_LEAST_SHARE = 8
# Neighbours below this share of the limit are too small to be found alone.
_TINY_SHARE = 8


@dataclass(slots=True)
class _Section:
    """A heading's own text: the blocks before the next heading of any level."""

    path: tuple[str, ...]
    heading: Block | None
    blocks: list[Block] = field(default_factory=list[Block])
    tokens: int = 0
    has_children: bool = False
    is_group: bool = False

    @property
    def anchor(self) -> str:
        return self.heading.anchor if self.heading else ""


def split(
    title: str,
    blocks: Sequence[Block],
    *,
    limit: int,
    count_tokens: Callable[[str], int],
) -> tuple[Chunk, ...]:
    """Chunks of at most `limit` tokens, title and heading path included.

    A heading starts a chunk and stands in its heading path, not in its body. Neighbouring
    sections of a few words each share a chunk under the path that they have in common, and then
    keep their heading lines in the body. Code is cut between lines, a table between rows (its
    header repeated), a list between items, text between sentences. A page without text gives
    one chunk with an empty body, so that its title can be found.

    A title and headings that leave less than an eighth of the limit are not counted in full: the
    body may then use that eighth.
    """
    counter = Counter(count_tokens)
    sections = [section for section in _sections(blocks) if not _is_void(section)]
    for section in sections:
        section.tokens = sum(counter.of(block.markdown) for block in section.blocks)
    chunks: list[Chunk] = []
    for section in _joined(sections, limit // _TINY_SHARE, counter):
        for body in _bodies(title, section, limit, counter):
            chunks.append(Chunk(len(chunks), section.path, section.anchor, body))
    return tuple(chunks) or (Chunk(0, (), "", ""),)


def _sections(blocks: Sequence[Block]) -> list[_Section]:
    sections = [_Section((), None)]
    open_headings: list[Block] = []
    for block in blocks:
        if block.kind != "heading":
            sections[-1].blocks.append(block)
            continue
        while open_headings and open_headings[-1].level >= block.level:
            open_headings.pop()
        sections[-1].has_children = (
            bool(open_headings) and open_headings[-1] is sections[-1].heading
        )
        open_headings.append(block)
        sections.append(_Section(tuple(heading.title for heading in open_headings), block))
    return sections


def _is_void(section: _Section) -> bool:
    """Whether a section says nothing that the chunks below it do not say."""
    section.blocks = [block for block in section.blocks if block.markdown != "---"]
    return not section.blocks and (section.heading is None or section.has_children)


def _joined(sections: Sequence[_Section], tiny: int, counter: Counter) -> Iterator[_Section]:
    """The sections, with runs of tiny neighbours made one."""
    current: _Section | None = None
    for section in sections:
        if current is None:
            current = section
            continue
        together = _together(current, section) if _fit(current, section, tiny) else None
        if together is None:
            yield current
            current = section
        else:
            current = together
    if current is not None:
        yield current


def _fit(first: _Section, second: _Section, tiny: int) -> bool:
    return second.tokens <= tiny and first.tokens <= 2 * tiny


def _together(first: _Section, second: _Section) -> _Section | None:
    """Two neighbours as one section, if one path is true for both."""
    if second.heading is None:
        return None
    path, blocks = first.path, first.blocks
    if second.path[: len(path)] != path:
        if first.is_group or first.heading is None or second.path[:-1] != path[:-1]:
            return None
        path, blocks = path[:-1], [first.heading, *blocks]
    elif len(second.path) == len(path):
        if first.is_group or first.heading is None:
            return None
        path, blocks = path[:-1], [first.heading, *blocks]
    is_group = first.is_group or len(path) < len(first.path)
    blocks = [*blocks, second.heading, *second.blocks]
    return _Section(path, first.heading, blocks, first.tokens + second.tokens, is_group=is_group)


def _bodies(title: str, section: _Section, limit: int, counter: Counter) -> list[str]:
    room = limit - counter.count(passage_text(title, section.path, ""))
    least = max(1, limit // _LEAST_SHARE)
    if room < least:
        return pieces_of(section.blocks, least, counter) or [""]
    while True:
        bodies = pieces_of(section.blocks, room, counter)
        longest = max(
            (counter.count(passage_text(title, section.path, body)) for body in bodies), default=0
        )
        # A tokenizer may count the whole higher than the sum of its parts.
        if longest <= limit or room == 1:
            return bodies or [""]
        room = max(1, min(room - 1, room - 2 * (longest - limit)))
