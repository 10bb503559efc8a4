"""Confluence Server and Data Center as a source, over REST v1."""

import logging
import re
from collections.abc import AsyncIterator, Collection, Generator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import httpx

from index.errors import AuthenticationError, ConfigurationError, SourceError
from index.records import ContentType, Space, State
from ingest.sources.address import checked_url
from ingest.sources.datacenter_json import (
    ContentJson,
    LabelJson,
    LabelsJson,
    PersonJson,
    ScanJson,
    ServerJson,
    SingleContentJson,
    SpaceJson,
    SpaceKeyJson,
)
from ingest.sources.datacenter_listing import by_cursor, by_start
from ingest.sources.datacenter_people import People
from ingest.sources.fetching import fetched
from ingest.sources.http import (
    TIMEOUT,
    Listing,
    NotVisible,
    Refusals,
    SiteClient,
    UnexpectedAnswer,
)
from ingest.sources.pace import Pace
from ingest.sources.source import FetchFailure, PageSummary, SourcePage

logger = logging.getLogger(__name__)

EXAMPLE_URL = "https://wiki.example.com/confluence"
FORBIDDEN_TRIES = 4

_LISTED = {"status": "current", "expand": "version,ancestors"}
_FETCHED = {"expand": "body.storage,version,space,metadata.labels,history,ancestors"}
_BELOW_BASE = re.compile(r"/(?:(?:display|pages|plugins|rest|spaces|x)/.+|[\w-]+\.action)$")
_TOKEN = re.compile(r"[!-~]+")


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


class PersonalToken(httpx.Auth):
    """Signs requests with a personal access token; ConfigurationError when it cannot be one."""

    def __init__(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise ConfigurationError(
                "CONFLUENCE_PERSONAL_TOKEN has a character that no token has. Copy it again, "
                "without quotes or spaces."
            )
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """The request with the token in its header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class DataCenterSource:
    """One Confluence Server or Data Center, as an account sees it. Use it with `async with`.

    Confluence takes a wrong or expired token for an anonymous visitor and answers as to one, so
    the account is looked at before and after every listing. Archived pages are no part of REST
    v1 and left out.
    """

    def __init__(self, site_url: str, auth: httpx.Auth, *, pace: Pace | None = None) -> None:
        self._site_url = site_url
        self._auth = auth
        self._pace = pace or Pace()
        # Private certificate authorities are usual here, and known to the operating system only.
        certificates = httpx.create_ssl_context()
        certificates.load_default_certs()
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            verify=certificates,
            headers={"Accept": "application/json", "User-Agent": "confluence-mcp"},
        )
        refusals = Refusals(EXAMPLE_URL, self._why_unauthorized, FORBIDDEN_TRIES)
        self._site = SiteClient(self._http, site_url, auth=auth, pace=self._pace, refusals=refusals)
        self._people = People(self._site, self._pace.concurrency)
        self._has_scan = True
        self._has_asked_version = False

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
    def is_whole_site(self) -> bool:
        """A space that is not listed is gone, or gone from the account's sight."""
        return True

    async def identity(self) -> str:
        """The user key behind the credentials; raises AuthenticationError when there is none."""
        try:
            user = await self._site.get("/rest/api/user/current", PersonJson)
        except NotVisible as error:
            raise AuthenticationError(
                "Confluence does not say who the credentials belong to. Check that CONFLUENCE_URL "
                "is the site's base URL and that the account may use Confluence."
            ) from error
        if user.type != "known" or not user.user_id:
            raise AuthenticationError(
                "Confluence answers as to an anonymous visitor, which is how it takes a token that "
                f"is wrong, expired or revoked. {self._advice}"
            )
        return user.user_id

    async def spaces(self) -> Sequence[Space]:
        """All current spaces, personal ones too, that the account may see."""
        await self.identity()
        await self._tell_version()
        parameters = {"status": "current"}
        found: dict[str, Space] = {}
        async for space in by_start(self._site, "/rest/api/space", Listing[SpaceJson], parameters):
            url = self._web_url(space.links.webui, f"/display/{_quoted(space.key)}")
            found[space.key] = Space(space.key, space.name or space.key, url)
        await self.identity()
        return list(found.values())

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current page and blog post of a space, once, without bodies."""
        await self.identity()
        seen: set[str] = set()
        try:
            for content_type in ContentType:
                async for content in self._contents(space, content_type):
                    is_wanted = content.type == content_type and content.status == "current"
                    if is_wanted and content.id not in seen:
                        seen.add(content.id)
                        yield self._summary(content, content_type)
            if not seen:
                await self._site.get(f"/rest/api/space/{_quoted(space.key)}", SpaceKeyJson)
        except NotVisible as error:
            raise NotVisible(
                f"The space {space.key} is gone, or the account may not see it. {error}"
            ) from error
        await self.identity()

    def _contents(self, space: Space, content_type: ContentType) -> AsyncIterator[ContentJson]:
        parameters = {**_LISTED, "spaceKey": space.key, "type": content_type.value}
        # Before 8.3 the scan takes no type and gives pages only.
        if content_type is ContentType.PAGE and self._has_scan:
            return self._scanned(parameters)
        return self._listed(parameters)

    async def _scanned(self, parameters: Mapping[str, str]) -> AsyncIterator[ContentJson]:
        has_begun = False
        try:
            path, model = "/rest/api/content/scan", ScanJson[ContentJson]
            async for content in by_cursor(self._site, path, model, parameters):
                has_begun = True
                yield content
            return
        except (NotVisible, UnexpectedAnswer) as error:
            if has_begun:
                raise
            logger.info("pages cannot be scanned and are listed: problem=%r", str(error))
        async for content in self._listed(parameters):
            yield content
        self._has_scan = False

    def _listed(self, parameters: Mapping[str, str]) -> AsyncIterator[ContentJson]:
        return by_start(self._site, "/rest/api/content", Listing[ContentJson], parameters)

    async def fetch(
        self, space: Space, pages: Sequence[PageSummary]
    ) -> AsyncIterator[SourcePage | FetchFailure]:
        """The given pages with bodies, in the order of their answers.

        A page that cannot be read is a FetchFailure; several in a row without any answer from
        Confluence raise SourceUnavailable.
        """
        is_any_hidden = False
        fetch_one = partial(self._fetch, space)
        async with aclosing(fetched(pages, fetch_one, self._pace.concurrency)) as answers:
            async for answer in answers:
                is_failure = isinstance(answer, FetchFailure)
                is_any_hidden |= is_failure and isinstance(answer.error, NotVisible)
                yield answer
        if is_any_hidden:
            await self.identity()

    async def _fetch(self, space: Space, summary: PageSummary) -> SourcePage:
        path = f"/rest/api/content/{summary.page_id}"
        content = await self._site.get(path, SingleContentJson, _FETCHED)
        if content.status != "current" or content.space.key.lower() != space.key.lower():
            raise NotVisible(
                f"Page {summary.page_id} has left the space {space.key} since it was listed. The "
                "next run settles it."
            )
        history = content.history
        updated_at = content.version.when or history.created_date
        if updated_at is None:
            raise UnexpectedAnswer(f"Page {summary.page_id} came without a date.")
        return SourcePage(
            summary=self._summary(content, summary.content_type),
            storage=content.body.storage.value,
            labels=await self._labels(path, content.metadata.labels),
            author=history.created_by.user_id if history.created_by else None,
            created_at=history.created_date,
            updated_at=updated_at,
        )

    async def _labels(self, path: str, included: LabelsJson | None) -> tuple[str, ...]:
        if included is not None and included.is_whole:
            labels = included.results
        else:
            listing = by_start(self._site, f"{path}/label", Listing[LabelJson], {})
            labels = [label async for label in listing]
        return tuple(dict.fromkeys(label.name for label in labels if label.prefix == "global"))

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by user key or user name; empty where the account may not see people."""
        return await self._people.names(user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return f"{self._site_url}/download/attachments/{page_id}/{quote(filename, safe='')}"

    def _summary(self, content: ContentJson, content_type: ContentType) -> PageSummary:
        fallback = f"/pages/viewpage.action?pageId={content.id}"
        return PageSummary(
            page_id=content.id,
            content_type=content_type,
            title=content.title,
            url=self._web_url(content.links.webui, fallback),
            version=content.version.number,
            state=State.LIVE,
            parent_id=content.ancestors[-1].id if content.ancestors else None,
            position=content.place,
        )

    def _web_url(self, path: str, fallback: str) -> str:
        return self._site_url + (path if path.startswith("/") else fallback)

    async def _tell_version(self) -> None:
        if self._has_asked_version:
            return
        self._has_asked_version = True
        try:
            server = await self._site.get("/rest/api/server-information", ServerJson)
        except SourceError:  # not in every version
            return
        logger.info("site=%s version=%s", self._site_url, server.version)

    def _why_unauthorized(self, request_name: str, response: httpx.Response) -> str:
        if "AUTHENTICATION_DENIED" in response.headers.get("x-seraph-loginreason", ""):
            return (
                "Confluence refuses every login of this account until a person has answered a "
                "CAPTCHA. Log in to Confluence in a browser as the account, then run again."
            )
        return f"Confluence refused the credentials ({request_name}). {self._advice}"

    @property
    def _advice(self) -> str:
        if isinstance(self._auth, PersonalToken):
            return (
                "Check that CONFLUENCE_PERSONAL_TOKEN is complete; if it is, create a new token "
                "in the account's settings, because it has expired or was revoked."
            )
        return (
            "Check CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN (the password). The administrators "
            "may have disabled passwords (Basic authentication) for REST: then create a personal "
            "access token in the account's settings and set CONFLUENCE_PERSONAL_TOKEN instead."
        )


def _quoted(space_key: str) -> str:
    return quote(space_key, safe="~")
