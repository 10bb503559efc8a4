"""Confluence Server and Data Center as a source, over REST v1."""

import logging
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlsplit

import httpx

from index.errors import ConfigurationError, SourceError
from index.records import ChunkKind, Space
from ingest.sources.address import checked_url
from ingest.sources.datacenter_access import DataCenterAccess
from ingest.sources.datacenter_contents import Contents, quoted_key
from ingest.sources.datacenter_directory import Directory
from ingest.sources.datacenter_grants import Grants, PermissionClient
from ingest.sources.datacenter_identity import Identity, advice_for, why_unauthorized
from ingest.sources.datacenter_identity import PersonalToken as PersonalToken
from ingest.sources.datacenter_items import Items
from ingest.sources.datacenter_json import ServerJson, SpaceJson
from ingest.sources.datacenter_listing import by_start
from ingest.sources.datacenter_people import People
from ingest.sources.datacenter_restrictions import Restrictions
from ingest.sources.http import TIMEOUT, Listing, Refusals, SiteClient
from ingest.sources.pace import Pace, in_parallel
from ingest.sources.source import (
    ITEM_KINDS,
    Deployment,
    ItemSummary,
    PageSummary,
    SourceComment,
    SourcePage,
)

logger = logging.getLogger(__name__)

EXAMPLE_URL = "https://wiki.example.com/confluence"
FORBIDDEN_TRIES = 4

_BELOW_BASE = re.compile(r"/(?:(?:display|pages|plugins|rest|spaces|x)/.+|[\w-]+\.action)$")


def datacenter_site_url(url: str) -> str:
    """The base URL, also of a page's address; ConfigurationError when it cannot be one."""
    base = checked_url("CONFLUENCE_URL", url)
    parts = urlsplit(base)
    if (parts.hostname or "").endswith(".atlassian.net"):
        raise ConfigurationError(
            f"CONFLUENCE_URL is the Cloud site {parts.hostname}, which is read with "
            "CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN. Set these and unset "
            "CONFLUENCE_PERSONAL_TOKEN and CONFLUENCE_DEPLOYMENT."
        )
    return f"{parts.scheme}://{parts.netloc}{_BELOW_BASE.sub('', parts.path)}"


class DataCenterSource:
    """One Confluence Server or Data Center, as an account sees it. Use it with `async with`.

    Confluence takes a wrong or expired token for an anonymous visitor and answers as to one, so
    the account is looked at before and after every listing, and after every refusal. Archived
    pages are no part of REST v1 and left out. `http` is closed together with the source.
    """

    def __init__(
        self,
        site_url: str,
        auth: httpx.Auth,
        *,
        http: httpx.AsyncClient | None = None,
        pace: Pace | None = None,
        site_groups: frozenset[str] = frozenset(),
    ) -> None:
        self._site_url = site_url
        self._pace = pace or Pace()
        self._http = http or httpx.AsyncClient(
            timeout=TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": "confluence-mcp"},
        )
        advice = advice_for(auth)
        refusals = Refusals(EXAMPLE_URL, why_unauthorized(advice), FORBIDDEN_TRIES)
        self._site = SiteClient(self._http, site_url, auth=auth, pace=self._pace, refusals=refusals)
        self._identity = Identity(self._site, advice)
        self._people = People(self._site, self._pace.concurrency)
        self._contents = Contents(self._site, site_url)
        self._items = Items(self._site, site_url, self._contents)
        asking = PermissionClient(
            self._http, site_url, auth=auth, pace=self._pace, refusals=refusals
        )
        directory = Directory(self._site, self._pace.concurrency)
        self._access = DataCenterAccess(
            Grants(asking, directory, site_groups),
            Restrictions(self._site, self._contents),
            directory,
            self._identity,
        )
        self._has_asked_version = False
        self._space_keys: frozenset[str] = frozenset()
        self._requests = 0
        hooks = self._http.event_hooks
        self._http.event_hooks = {**hooks, "request": [*hooks["request"], self._count]}

    async def _count(self, request: httpx.Request) -> None:
        del request
        self._requests += 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def site_url(self) -> str:
        """Base URL of the site, such as https://wiki.example.com/confluence."""
        return self._site_url

    @property
    def deployment(self) -> Deployment:
        """Server and Data Center write anchors and addresses in the same way."""
        return Deployment.DATACENTER

    @property
    def is_whole_site(self) -> bool:
        """A space that is not listed is gone, or gone from the account's sight."""
        return True

    @property
    def requests(self) -> int:
        """Requests sent to the site so far."""
        return self._requests

    @property
    def access(self) -> DataCenterAccess:
        """Who may read what."""
        return self._access

    async def identity(self) -> str:
        """The user key behind the credentials; raises AuthenticationError when there is none."""
        return await self._identity.user_key()

    async def spaces(self) -> Sequence[Space]:
        """All current spaces, personal ones too, that the account may see."""
        await self.identity()
        await self._tell_version()
        parameters = {"status": "current"}
        found: dict[str, Space] = {}
        async for space in by_start(self._site, "/rest/api/space", Listing[SpaceJson], parameters):
            webui = space.links.webui
            path = webui if webui.startswith("/") else f"/display/{quoted_key(space.key)}"
            found[space.key] = Space(space.key, space.name or space.key, self._site_url + path)
        await self.identity()
        self._space_keys = frozenset(found)
        return list(found.values())

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current page and blog post of a space, once, without bodies."""
        await self.identity()
        async for summary in self._contents.sweep(space):
            yield summary
        await self.identity()

    async def changed_pages(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Pages and blog posts of any space changed since then, newest first.

        As the site's search knows them, some seconds late; it leaves archived spaces out.
        """
        await self.identity()
        async for summary in self._contents.changed(since):
            yield summary
        await self.identity()

    async def items(
        self, spaces: Sequence[Space], kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Every comment and attachment of these spaces, once.

        The version of a comment changes with its resolution too, and is for comparing only.
        """
        await self.identity()
        for space in spaces:
            async for item in self._items.of_space(space):
                if item.kind in kinds:
                    yield item
        await self.identity()

    async def changed_items(
        self, since: datetime, kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Comments and attachments of any space changed since then, newest first."""
        await self.identity()
        async for item in self._items.changed(since):
            if item.kind in kinds:
                yield item
        await self.identity()

    async def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """Nothing: a sweep tells the labels."""
        del space
        for nothing in ():
            yield nothing

    async def still_shown(self, page_ids: Collection[str]) -> Mapping[str, str]:
        """Space keys by id of those that the site still shows.

        Not of archived spaces, as those are not among `spaces` either.
        """
        asked = frozenset(page_ids)
        jobs = (partial(self._contents.space_key, page_id) for page_id in asked)
        async with aclosing(in_parallel(jobs, self._pace.concurrency)) as answers:
            shown = {page_id: key async for page_id, key in answers if key is not None}
        if len(shown) < len(asked):
            await self.identity()
        archived = {
            key for key in set(shown.values()) - self._space_keys if await self._is_archived(key)
        }
        return {page_id: key for page_id, key in shown.items() if key not in archived}

    async def _is_archived(self, space_key: str) -> bool:
        parameters = {"spaceKey": space_key, "status": "archived"}
        listing = by_start(self._site, "/rest/api/space", Listing[SpaceJson], parameters)
        return space_key in [space.key async for space in listing]

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body."""
        async with self._identity.known_when_refused():
            return await self._contents.page(summary)

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """All comments of a page, replies and resolved ones too, oldest first."""
        async with self._identity.known_when_refused():
            return await self._items.comments(summary)

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """Writes an attachment's bytes; UnexpectedAnswer when they are more than `limit`."""
        async with self._identity.known_when_refused():
            await self._items.download(item, file, limit)

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by user key or user name; empty where the account may not see people."""
        return await self._people.names(user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return self._items.attachment_url(page_id, filename)

    async def _tell_version(self) -> None:
        if self._has_asked_version:
            return
        self._has_asked_version = True
        try:
            server = await self._site.get("/rest/api/server-information", ServerJson)
        except SourceError:  # not in every version
            return
        logger.info("site=%s version=%s", self._site_url, server.version)
