"""Sections of a page by their headings. Pure."""

from index.errors import BadRequest
from index.records import Heading
from index.results import StoredPage

SHOWN = 40  # headings that an error names


def section_bounds(page: StoredPage, section: str | None) -> tuple[int, int]:
    """Where the section under a heading begins and ends in the Markdown; the whole page for None.

    A section ends at the next heading of its own level or a higher one. Raises BadRequest, naming
    the headings there are.
    """
    if section is None:
        return 0, len(page.markdown)
    at = _find(page.outline, section)
    if at is None:
        titles = "; ".join(heading.title for heading in page.outline[:SHOWN]) or "none"
        raise BadRequest(f"No heading {section!r} on {page.info.title!r}. Headings: {titles}.")
    heading = page.outline[at]
    following = page.outline[at + 1 :]
    ends = (other.offset for other in following if other.level <= heading.level)
    return heading.offset, next(ends, len(page.markdown))


def _find(outline: tuple[Heading, ...], section: str) -> int | None:
    wanted = section.rsplit(" > ", 1)[-1].strip().lstrip("#").strip().casefold()
    names = [(heading.title.strip().casefold(), heading.anchor.casefold()) for heading in outline]
    exact = (at for at, name in enumerate(names) if wanted in name)
    partial = (at for at, name in enumerate(names) if wanted and wanted in name[0])
    return next(exact, next(partial, None))
