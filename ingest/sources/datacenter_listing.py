"""Listings of Confluence Server and Data Center, part after part.

Links to the next part are only looked at: they name the host that the site believes itself to be,
and count from a wrong start where pages are hidden or parts are smaller than asked for.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx

from ingest.sources.datacenter_json import ContentJson, ItemJson, ScanJson
from ingest.sources.http import Item, Listing, SiteClient, UnexpectedAnswer

logger = logging.getLogger(__name__)

PAGE_SIZE = 200
CHANGES_SIZE = 50
# Parts overlap by so many items: what is deleted meanwhile moves no other item out of sight.
OVERLAP = 10
# Hidden items count as places but are not given, so that a part can come more than once.
REPEATS = 100
EMPTY_PARTS = 20
# The search sorts by a time of its own, so that one old item is no sign that all others are older.
OLD_IN_A_ROW = 10


Changed = TypeVar("Changed", ContentJson, ItemJson)


async def by_start(
    site: SiteClient,
    path: str,
    model: type[Listing[Item]],
    parameters: Mapping[str, str],
    size: int = PAGE_SIZE,
) -> AsyncGenerator[Item]:
    """All items of a listing that counts places, some of them twice."""
    start = repeats = 0
    before: list[Item] = []
    while True:
        asked = httpx.QueryParams(parameters).merge({"limit": size, "start": start})
        part = await site.listing_part(path, model, asked)
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
    site: SiteClient,
    path: str,
    model: type[ScanJson[Item]],
    parameters: Mapping[str, str],
    size: int = PAGE_SIZE,
) -> AsyncGenerator[Item]:
    """All items of a listing with cursors."""
    asked = {**parameters, "limit": str(size)}
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


async def changed_since(
    site: SiteClient,
    model: type[Listing[Changed]],
    parameters: Mapping[str, str],
    since: datetime,
) -> AsyncIterator[Changed]:
    """What a search for `cql` finds that was changed since then, newest first, once.

    Times in a query are those of the server's zone, which nobody tells, and of whole minutes. So
    the query has none and the answers are read until they are too old. The site refuses some
    parts of a search now and then: such a search is repeated once from its beginning.
    """
    seen: set[tuple[str, int]] = set()
    for is_last in (False, True):
        try:
            async with aclosing(_newest(site, model, parameters, since)) as found:
                async for item in found:
                    key = (item.id, item.version.number)
                    if key not in seen:
                        seen.add(key)
                        yield item
            return
        except UnexpectedAnswer as error:
            if is_last:
                raise
            logger.info("the search is repeated: problem=%r", str(error))


async def _newest(
    site: SiteClient, model: type[Listing[Changed]], parameters: Mapping[str, str], since: datetime
) -> AsyncGenerator[Changed]:
    asked = {**parameters, "cql": f"{parameters['cql']} order by lastmodified desc"}
    old = 0
    search = by_start(site, "/rest/api/content/search", model, asked, CHANGES_SIZE)
    async with aclosing(search) as found:
        async for item in found:
            when = item.version.when
            old = old + 1 if when is not None and when < since else 0
            if old == OLD_IN_A_ROW:
                return
            if not old:
                yield item


def _cursor_in(link: str) -> str | None:
    return next(iter(parse_qs(urlsplit(link).query).get("cursor", [])), None)


def _circle(path: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"GET {path} goes round in circles. Run again later.")
