"""Sections of a page by their headings. Pure."""

from collections.abc import Sequence

from index.errors import BadRequest
from index.records import Heading
from index.results import StoredPage

SHOWN = 40  # headings that an error names
SEPARATOR = " > "


def section_bounds(page: StoredPage, section: str | None) -> tuple[int, int]:
    """Where the section under a heading begins and ends in the Markdown; the whole page for None.

    The heading may be named by its path, `Deploy > Steps`, also below the page's title. A section
    ends at the next heading of its own level or a higher one. Raises BadRequest, naming the
    headings there are.
    """
    if section is None:
        return 0, len(page.markdown)
    below_title = _plain(section).removeprefix(_plain(page.info.title) + SEPARATOR)
    at = _find(page.outline, _plain(section), below_title)
    if at is None:
        titles = "; ".join(heading.title for heading in page.outline[:SHOWN]) or "none"
        more = "; ..." if len(page.outline) > SHOWN else ""
        raise BadRequest(
            f"No heading {section[:200]!r} on {page.info.title!r}. Headings: {titles}{more}."
        )
    heading = page.outline[at]
    following = page.outline[at + 1 :]
    ends = (other.offset for other in following if other.level <= heading.level)
    return heading.offset, next(ends, len(page.markdown))


def heading_paths(outline: Sequence[Heading]) -> list[tuple[str, ...]]:
    """For each heading the titles above it, from the outermost on, and its own."""
    paths: list[tuple[str, ...]] = []
    above: list[Heading] = []
    for heading in outline:
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        paths.append(tuple(one.title for one in above))
    return paths


def _find(outline: Sequence[Heading], wanted: str, below_title: str) -> int | None:
    """The first heading of that path, else of that title or anchor, else with it in its title."""
    if not wanted:
        return None
    paths = [tuple(map(_plain, path)) for path in heading_paths(outline)]
    whole = [SEPARATOR + SEPARATOR.join(path) for path in paths]
    last = wanted.rsplit(SEPARATOR, 1)[-1]
    tests = [
        [text.endswith(SEPARATOR + wanted) for text in whole],
        [text.endswith(SEPARATOR + below_title) for text in whole],
        [last == path[-1] for path in paths],
        [heading.anchor.casefold() == wanted for heading in outline],
        [last in path[-1] for path in paths],
    ]
    return next((at for test in tests for at, holds in enumerate(test) if holds), None)


def _plain(title: str) -> str:
    return " ".join(title.strip().lstrip("#").split()).casefold()
