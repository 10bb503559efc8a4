"""Listings of Confluence Server and Data Center, part after part.

Links to the next part are only looked at: they name the host that the site believes itself to be,
and count from a wrong start where pages are hidden or parts are smaller than asked for.
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

from ingest.sources.datacenter_json import ScanJson
from ingest.sources.http import Item, Listing, SiteClient, UnexpectedAnswer

PAGE_SIZE = "200"
# Parts overlap by so many items: what is deleted meanwhile moves no other item out of sight.
OVERLAP = 10
# Hidden items count as places but are not given, so that a part can come more than once.
REPEATS = 100
EMPTY_PARTS = 20


async def by_start(
    site: SiteClient, path: str, model: type[Listing[Item]], parameters: Mapping[str, str]
) -> AsyncIterator[Item]:
    """All items of a listing that counts places, some of them twice."""
    start = repeats = 0
    before: list[Item] = []
    while True:
        place = {"limit": PAGE_SIZE, "start": str(start)}
        part = await site.listing_part(path, model, {**parameters, **place})
        for item in part.results:
            yield item
        arrived = len(part.results)
        if not arrived or not part.links.next:
            return
        repeats = repeats + 1 if part.results == before else 0
        if repeats == REPEATS:
            raise _circle(path)
        before = part.results
        start += arrived - min(OVERLAP, arrived // 2)


async def by_cursor(
    site: SiteClient, path: str, model: type[ScanJson[Item]], parameters: Mapping[str, str]
) -> AsyncIterator[Item]:
    """All items of a listing with cursors."""
    asked = {**parameters, "limit": PAGE_SIZE}
    visited: set[str] = set()
    empty = 0
    while True:
        part = await site.listing_part(path, model, asked)
        for item in part.results:
            yield item
        cursor = part.next_cursor or _cursor_in(part.links.next or "")
        if not cursor or (cursor in visited and not part.results):
            return
        empty = 0 if part.results else empty + 1
        if cursor in visited or empty == EMPTY_PARTS:
            raise _circle(path)
        visited.add(cursor)
        asked["cursor"] = cursor


def _cursor_in(link: str) -> str | None:
    return next(iter(parse_qs(urlsplit(link).query).get("cursor", [])), None)


def _circle(path: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"GET {path} goes round in circles. Run again later.")
