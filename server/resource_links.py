"""Addresses of pages and spaces among the resources, and links to them in results. Pure."""

from collections.abc import Iterable
from urllib.parse import quote

from mcp.types import Annotations, ResourceLink

from server.texts import one_line

PAGE_URI = "confluence://page/{page_id}"
SPACE_URI = "confluence://space/{key}"
TITLE_URI = "confluence://space/{key}/{title}"
MARKDOWN = "text/markdown"
MOST = 8  # links of one result
LONGEST = 80  # characters of a name


def page_uri(page_id: str) -> str:
    """Where a page is read."""
    return f"confluence://page/{page_id}"


def space_uri(key: str) -> str:
    """Where a space is read."""
    return f"confluence://space/{quote(key, safe='~')}"


def page_links(pages: Iterable[tuple[str, str]]) -> list[ResourceLink]:
    """Links to the first pages, given by id and title, each once.

    They are for the person at the client, as the text names all of them to the model.
    """
    titles = dict(pages)
    return [
        ResourceLink(
            type="resource_link",
            uri=page_uri(page_id),
            name=one_line(title)[:LONGEST],
            mime_type=MARKDOWN,
            annotations=Annotations(audience=["user"]),
        )
        for page_id, title in list(titles.items())[:MOST]
    ]
