"""Confluence Cloud as a source, over its REST API v2 and what is left of v1."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote, urlsplit

import httpx

from index.errors import ConfigurationError
from index.records import ChunkKind, Space
from ingest.sources.access import AccessSource
from ingest.sources.address import checked_url
from ingest.sources.cloud_access import CloudAccess
from ingest.sources.cloud_comments import CommentsOfPage
from ingest.sources.cloud_items import CloudItems
from ingest.sources.cloud_pages import COLLECTIONS, CloudPages
from ingest.sources.cloud_people import CloudPeople
from ingest.sources.cloud_scope_probe import Scope, Verdict, asked_scopes
from ingest.sources.cloud_site import GATEWAY, CloudSite
from ingest.sources.cloud_spaces import CloudSpaces
from ingest.sources.cloud_tree import nodes_still_shown
from ingest.sources.http import TIMEOUT
from ingest.sources.pace import Pace
from ingest.sources.source import (
    ITEM_KINDS,
    Deployment,
    ItemSummary,
    PageSummary,
    SourceComment,
    SourcePage,
)


def cloud_site_url(url: str) -> str:
    """The base URL of a Cloud site, ending in /wiki; ConfigurationError when it cannot be one."""
    base = checked_url("CONFLUENCE_URL", url)
    parts = urlsplit(base)
    if parts.hostname == urlsplit(GATEWAY).hostname:
        raise ConfigurationError(
            "CONFLUENCE_URL is the API gateway. Give the site's own address, such as "
            "https://example.atlassian.net/wiki; the gateway is found from it."
        )
    if parts.path and not f"{parts.path}/".startswith("/wiki/"):
        raise ConfigurationError(
            f"CONFLUENCE_URL has the path {parts.path}. Give the address of the wiki, such as "
            "https://example.atlassian.net/wiki."
        )
    return f"{parts.scheme}://{parts.netloc}/wiki"


class CloudSource:
    """One Confluence Cloud site, as an account sees it. Use it with `async with`.

    API tokens with scopes work at the API gateway only; it is used when the site itself refuses
    the credentials. A scope that lacks for comments, attachments, folders, permissions or the
    search raises NotVisible there, and AuthenticationError where nothing could be read without it.
    `http` is closed with the source.
    """

    def __init__(
        self,
        site_url: str,
        auth: httpx.Auth,
        *,
        http: httpx.AsyncClient | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._http = http or httpx.AsyncClient(
            timeout=TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": "confluence-mcp"},
        )
        self._site = CloudSite(site_url, auth, self._http, pace or Pace())
        self._spaces = CloudSpaces(self._site)
        self._pages = CloudPages(self._site, self._spaces)
        self._items = CloudItems(self._site)
        self._people = CloudPeople(self._site)
        self._access = CloudAccess(self._site, self._spaces)

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
        """Base URL of the site, such as https://example.atlassian.net/wiki."""
        return self._site.url

    @property
    def deployment(self) -> Deployment:
        """Cloud."""
        return Deployment.CLOUD

    @property
    def is_whole_site(self) -> bool:
        """A space that is not listed is gone, or gone from the account's sight."""
        return True

    @property
    def requests(self) -> int:
        """Requests sent to the site so far."""
        return self._site.requests

    @property
    def access(self) -> AccessSource:
        """Who may read what."""
        return self._access

    async def identity(self) -> str:
        """The account id behind the credentials; raises AuthenticationError when there is none."""
        return await self._site.identity()

    async def scopes(self) -> Mapping[Scope, Verdict]:
        """What the token and its account may read, asked for each scope."""
        await self._site.identity()
        return await asked_scopes(self._site)

    async def spaces(self) -> Sequence[Space]:
        """All current spaces of every type that the account may see, after a look at who it is."""
        return await self._spaces.listed()

    def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current and archived page and blog post of a space, once, without bodies.

        Then the folders, whiteboards, databases and embeds that a search finds or pages lie below.
        """
        return self._pages.sweep(space)

    def changed_pages(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Pages and blog posts of any current space with a version since then, newest first."""
        return self._pages.changed(since)

    def items(
        self, spaces: Sequence[Space], kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Every comment and attachment of the whole site, once.

        The version of a comment changes with its resolution too, and is for comparing only.
        """
        del spaces
        return self._items.every(kinds)

    def changed_items(
        self, since: datetime, kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Comments and attachments of the whole site with a version since then."""
        return self._items.changed(since, kinds)

    def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """Labels by page id, sorted; pages that the search does not give keep theirs."""
        return self._pages.labels(space)

    async def still_shown(self, page_ids: Collection[str]) -> Mapping[str, str]:
        """Space keys by id of the pages, folders and their like that the site still shows.

        In current spaces only, as those that `spaces` gives.
        """
        # One id that is no number would make the site refuse all that are asked for with it.
        asked = frozenset(id for id in page_ids if id.isascii() and id.isdecimal())
        shown = await self._pages.still_shown(asked)
        shown |= await nodes_still_shown(self._site, asked - shown.keys())
        keys = await self._spaces.keys_of(frozenset(shown.values()))
        return {page_id: keys[space_id] for page_id, space_id in shown.items() if space_id in keys}

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body."""
        return await self._pages.page(summary)

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """All comments of a page, replies and resolved ones too, oldest first."""
        path = f"/api/v2/{COLLECTIONS[summary.content_type]}/{summary.page_id}"
        return await CommentsOfPage(self._site, summary, path).read()

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """Writes an attachment's bytes; UnexpectedAnswer when they are more than `limit`."""
        path = f"/rest/api/content/{item.page_id}/child/attachment/{item.item_id}/download"
        await self._site.client.download(path, file, limit)

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by account id; empty where the token may not read users."""
        return await self._people.names(user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return f"{self._site.url}/download/attachments/{page_id}/{quote(filename, safe='')}"
