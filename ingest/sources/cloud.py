"""Confluence Cloud as a source, over its REST API v2."""

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import httpx

from index.errors import AuthenticationError, ConfigurationError, SourceError
from index.records import ContentType, Space, State
from ingest.sources.address import checked_url, is_loopback
from ingest.sources.cloud_json import (
    ContentJson,
    CurrentUserJson,
    LabelJson,
    SingleContentJson,
    SpaceJson,
    TenantJson,
    UsersJson,
)
from ingest.sources.fetching import fetched
from ingest.sources.http import TIMEOUT, Listing, NotVisible, SiteClient, UnexpectedAnswer
from ingest.sources.pace import Pace
from ingest.sources.source import FetchFailure, PageSummary, SourcePage

logger = logging.getLogger(__name__)

GATEWAY = "https://api.atlassian.com"
PAGE_SIZE = "250"
USERS_PER_REQUEST = 250

_COLLECTIONS = {ContentType.PAGE: "pages", ContentType.BLOGPOST: "blogposts"}
_SWEPT_STATUSES = {ContentType.PAGE: "current,archived", ContentType.BLOGPOST: "current"}
_STATES = {"current": State.LIVE, "archived": State.ARCHIVED}


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
    the credentials.
    """

    def __init__(
        self,
        site_url: str,
        username: str,
        api_token: str,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._site_url = site_url
        self._auth = httpx.BasicAuth(username, api_token)
        self._pace = pace or Pace()
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": "confluence-mcp"},
        )
        self._site = self._client(site_url, self._auth)
        self._space_ids: dict[str, str] = {}
        self._user_names: dict[str, str | None] = {}
        self._has_warned_of_users = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    def _client(self, base_url: str, auth: httpx.Auth | None) -> SiteClient:
        return SiteClient(self._http, base_url, auth=auth, pace=self._pace)

    @property
    def site_url(self) -> str:
        """Base URL of the site, such as https://example.atlassian.net/wiki."""
        return self._site_url

    @property
    def is_whole_site(self) -> bool:
        """A space that is not listed is gone, or gone from the account's sight."""
        return True

    async def identity(self) -> str:
        """The account id behind the credentials; raises AuthenticationError when there is none."""
        try:
            return await _account_id(self._site)
        except AuthenticationError as error:
            gateway = await self._gateway_client()
            if gateway is None:
                raise
            try:
                account_id = await _account_id(gateway)
            except AuthenticationError as gateway_error:
                raise gateway_error from error
        logger.info("the API gateway takes the credentials: site=%s", self._site_url)
        self._site = gateway
        return account_id

    async def _gateway_client(self) -> SiteClient | None:
        origin = self._site_url.removesuffix("/wiki")
        try:
            tenant = await self._client(origin, None).get("/_edge/tenant_info", TenantJson)
        except SourceError:
            return None
        # A site on this machine is a simulation or a tunnel, which brings its own gateway.
        gateway = origin if is_loopback(urlsplit(origin).hostname or "") else GATEWAY
        return self._client(f"{gateway}/ex/confluence/{tenant.cloud_id}/wiki", self._auth)

    async def spaces(self) -> Sequence[Space]:
        """All current spaces of every type that the account may see, after a look at who it is."""
        await self.identity()
        found: dict[str, Space] = {}
        async for space in self._site.listing(
            "/api/v2/spaces", Listing[SpaceJson], {"status": "current", "limit": PAGE_SIZE}
        ):
            self._space_ids[space.key] = space.id
            url = self._web_url(space.links.webui, f"/spaces/{quote(space.key)}")
            found[space.key] = Space(space.key, space.name or space.key, url)
        return list(found.values())

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current and archived page and blog post of a space, once, without bodies."""
        space_id = await self._space_id(space)
        seen: set[str] = set()
        for content_type, collection in _COLLECTIONS.items():
            async for content in self._site.listing(
                f"/api/v2/spaces/{space_id}/{collection}",
                Listing[ContentJson],
                # By id, so that an edit in the meantime moves nothing across a page break.
                {"status": _SWEPT_STATUSES[content_type], "sort": "id", "limit": PAGE_SIZE},
            ):
                if content.status in _STATES and content.id not in seen:
                    seen.add(content.id)
                    yield self._summary(content, content_type, space)

    async def fetch(
        self, space: Space, pages: Sequence[PageSummary]
    ) -> AsyncIterator[SourcePage | FetchFailure]:
        """The given pages with bodies, in the order of their answers.

        A page that cannot be read is a FetchFailure; several in a row without any answer from
        Confluence raise SourceUnavailable.
        """
        fetch_one = partial(self._fetch, space, await self._space_id(space))
        async with aclosing(fetched(pages, fetch_one, self._pace.concurrency)) as answers:
            async for answer in answers:
                yield answer

    async def _fetch(self, space: Space, space_id: str, summary: PageSummary) -> SourcePage:
        path = f"/api/v2/{_COLLECTIONS[summary.content_type]}/{summary.page_id}"
        parameters = {"body-format": "storage", "include-labels": "true"}
        content = await self._site.get(path, SingleContentJson, parameters)
        if content.status not in _STATES or content.space_id not in {None, space_id}:
            raise NotVisible(
                f"Page {summary.page_id} has left the space {space.key} since it was listed "
                f"(it is {content.status}). The next run settles it."
            )
        fresh = self._summary(content, summary.content_type, space)
        updated_at = (content.version and content.version.created_at) or content.created_at
        if updated_at is None:
            raise UnexpectedAnswer(f"Page {summary.page_id} came without a date.")
        return SourcePage(
            summary=fresh,
            storage=content.body.storage.value,
            labels=await self._labels(path, content),
            author=content.author_id,
            created_at=content.created_at,
            updated_at=updated_at,
        )

    async def _labels(self, path: str, content: SingleContentJson) -> tuple[str, ...]:
        labels = content.labels.results if content.labels else []
        if content.labels is None or content.labels.meta.has_more:
            listing = self._site.listing(f"{path}/labels", Listing[LabelJson], {"limit": PAGE_SIZE})
            labels = [label async for label in listing]
        return tuple(dict.fromkeys(label.name for label in labels if label.prefix == "global"))

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by account id; empty where the token may not read users."""
        unknown = [user_id for user_id in user_ids if user_id not in self._user_names]
        for start in range(0, len(unknown), USERS_PER_REQUEST):
            if not await self._learn_names(unknown[start : start + USERS_PER_REQUEST]):
                break
        names = {user_id: self._user_names.get(user_id) for user_id in user_ids}
        return {user_id: name for user_id, name in names.items() if name}

    async def _learn_names(self, user_ids: list[str]) -> bool:
        try:
            answer = await self._site.post(
                "/api/v2/users-bulk", UsersJson, {"accountIds": user_ids}
            )
        except SourceError as error:
            if not self._has_warned_of_users:
                logger.warning("names of users stay unknown: problem=%r", str(error))
            self._has_warned_of_users = True
            return False
        self._user_names |= dict.fromkeys(user_ids)
        self._user_names |= {
            user.account_id: user.display_name or user.public_name for user in answer.results
        }
        return True

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return f"{self._site_url}/download/attachments/{page_id}/{quote(filename, safe='')}"

    async def _space_id(self, space: Space) -> str:
        if space.key not in self._space_ids:
            await self.spaces()
        if space.key not in self._space_ids:
            raise NotVisible(f"The space {space.key} is gone, or the account may not see it.")
        return self._space_ids[space.key]

    def _summary(
        self, content: ContentJson, content_type: ContentType, space: Space
    ) -> PageSummary:
        if content.version is None:
            raise UnexpectedAnswer(f"Page {content.id} came without a version.")
        fallback = f"/spaces/{quote(space.key)}/pages/{content.id}"
        return PageSummary(
            page_id=content.id,
            content_type=content_type,
            title=content.title,
            url=self._web_url(content.links.webui, fallback),
            version=content.version.number,
            state=_STATES[content.status],
            parent_id=content.parent_id,
            position=content.position,
        )

    def _web_url(self, path: str, fallback: str) -> str:
        return self._site_url + (path if path.startswith("/") else fallback)


async def _account_id(site: SiteClient) -> str:
    try:
        user = await site.get("/rest/api/user/current", CurrentUserJson)
    except NotVisible as error:
        raise AuthenticationError(
            "Confluence does not say who the credentials belong to. Check that CONFLUENCE_URL is "
            "the site's own address and that the account may use Confluence."
        ) from error
    if user.type == "anonymous" or not user.account_id:
        raise AuthenticationError(
            "Confluence takes the credentials for nobody's and answers as to an anonymous visitor. "
            "Check CONFLUENCE_USERNAME (the e-mail) and CONFLUENCE_API_TOKEN."
        )
    return user.account_id
