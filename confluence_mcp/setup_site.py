"""The site behind an address, what an account sees there, and how much of it there is to read."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlsplit

import httpx

from confluence_mcp.setup_cost import Survey, passages_of, spread
from index.errors import ConfigurationError, SourceError, SourceUnavailable
from index.records import Space
from ingest.settings import IngestSettings, source_from
from ingest.sources.address import checked_url
from ingest.sources.cloud import CloudSource, cloud_site_url
from ingest.sources.cloud_scope_probe import Scope, Verdict
from ingest.sources.connection import Connection
from ingest.sources.datacenter import datacenter_site_url
from ingest.sources.http import NotVisible
from ingest.sources.outages import no_answer
from ingest.sources.pace import Pace, Timing, in_parallel
from ingest.sources.probe import address_nearby, deployment_at
from ingest.sources.refusals import TRIES, PassingFailure, Request
from ingest.sources.source import Deployment, PageSummary, Source, SourcePage

COUNT_SECONDS = 30.0
SAMPLED = 12  # pages whose bodies are read to judge all of them
LONGEST_PAUSE = 1.0  # seconds between two tries, while somebody waits

Scopes = Mapping[Scope, Verdict]


@dataclass(frozen=True, slots=True)
class Site:
    """A Confluence: which kind, and its base URL."""

    deployment: Deployment
    url: str


@dataclass(frozen=True, slots=True)
class Sight:
    """Who reads, which spaces that account sees, and what its token may; {} where all may."""

    account_id: str
    name: str
    spaces: Sequence[Space]
    scopes: Scopes

    @property
    def lacking(self) -> list[Scope]:
        """Scopes that are not there."""
        return [scope for scope, verdict in self.scopes.items() if verdict is Verdict.LACKING]


def brief_pace(_: str) -> Pace:
    """The pace of one who waits: a failure is told in seconds; pauses asked for are kept."""

    async def pause(seconds: float) -> None:
        await asyncio.sleep(min(seconds, LONGEST_PAUSE))

    return Pace(timing=Timing(sleep=pause))


async def find_site(url: str, connection: Connection, kind: Deployment | None = None) -> Site:
    """Which Confluence is at an address, be it that of a page; ConfigurationError, SourceError.

    Nothing is asked of one whose `kind` is known, unless it is at Atlassian.
    """
    base = checked_url("CONFLUENCE_URL", url)
    is_at_atlassian = (urlsplit(base).hostname or "").endswith(".atlassian.net")
    if kind is not None and not is_at_atlassian:
        is_cloud = kind is Deployment.CLOUD
        return Site(kind, cloud_site_url(base) if is_cloud else datacenter_site_url(base))
    async with connection.client(base) as http:
        try:
            if is_at_atlassian:
                return await _cloud(http, base)
            return await _any(http, base)
        except httpx.RequestError as error:
            raise unreachable(base, error) from error


async def _cloud(http: httpx.AsyncClient, base: str) -> Site:
    site_url = cloud_site_url(base)
    if await deployment_at(http, site_url) is Deployment.CLOUD:
        return Site(Deployment.CLOUD, site_url)
    raise ConfigurationError(
        f"There is no Confluence Cloud at {site_url}. Check the name before .atlassian.net."
    )


async def _any(http: httpx.AsyncClient, base: str) -> Site:
    site_url = datacenter_site_url(base)
    found = await deployment_at(http, site_url)
    if found is Deployment.CLOUD:
        return Site(found, cloud_site_url(base))
    if found is Deployment.DATACENTER:
        return Site(found, site_url)
    if nearby := await address_nearby(http, site_url):
        return Site(Deployment.DATACENTER, nearby)
    raise ConfigurationError(
        f"No Confluence is recognised at {site_url}. Open a page of it in a browser and copy its "
        "address. A single sign-on in front of it has to let REST calls with a token past; where "
        "only others meet it, set CONFLUENCE_DEPLOYMENT to cloud or datacenter."
    )


def unreachable(base: str, error: httpx.RequestError) -> SourceError:
    """Why there is no answer, where it was asked for once."""
    failure = no_answer(Request("GET", base), error)
    told = failure.error if isinstance(failure, PassingFailure) else failure
    if isinstance(told, SourceError) and f"{TRIES} tries" not in str(told):
        return told
    return SourceUnavailable(
        f"Nothing answers at {base} ({type(error).__name__}). Check the address, the network or "
        "VPN, and HTTPS_PROXY."
    )


async def look_around(settings: IngestSettings) -> Sight:
    """What the account of the settings is and sees; raises SourceError."""
    plain = settings.model_copy(update={"confluence_directory": None})
    async with source_from(plain, make_pace=brief_pace) as source:
        account_id = await source.identity()
        scopes: Scopes = await source.scopes() if isinstance(source, CloudSource) else {}
        names = await source.user_names([account_id])
        return Sight(account_id, names.get(account_id, ""), await source.spaces(), scopes)


async def survey(settings: IngestSettings, *, seconds: float = COUNT_SECONDS) -> Survey:
    """Counts the pages of the chosen spaces, for so long at most, and reads some of them."""
    async with source_from(settings, make_pace=brief_pace) as source:
        admits = settings.space_filter.admits
        spaces = [space for space in await source.spaces() if admits(space.key)]
        pages: dict[str, PageSummary] = {}
        is_whole = True
        try:
            async with asyncio.timeout(seconds):
                await _count(source, spaces, pages)
        except TimeoutError:
            is_whole = False
        read = [page for page in await _read(source, spread(list(pages.values()), SAMPLED)) if page]
        passages = [
            text for page in read for text in passages_of(page, source.site_url, source.deployment)
        ]
        return Survey(len(pages), is_whole, len(read), tuple(passages))


async def _count(source: Source, spaces: Sequence[Space], pages: dict[str, PageSummary]) -> None:
    async def count(space: Space) -> None:
        async for summary in source.sweep(space):
            if summary.content_type.has_body:
                pages[summary.page_id] = summary

    async with aclosing(in_parallel((partial(count, space) for space in spaces), 4)) as counted:
        async for _ in counted:
            pass


async def _read(source: Source, summaries: Sequence[PageSummary]) -> list[SourcePage | None]:
    async def read(summary: PageSummary) -> SourcePage | None:
        try:
            return await source.page(summary)
        except NotVisible:
            return None

    async with aclosing(in_parallel((partial(read, one) for one in summaries), 4)) as pages:
        return [page async for page in pages]


def tokens_page(site: Site) -> str:
    """Where a person makes a token."""
    if site.deployment is Deployment.CLOUD:
        return "https://id.atlassian.com/manage-profile/security/api-tokens"
    return f"{site.url}/{quote('plugins/personalaccesstokens/usertokens.action')}"
