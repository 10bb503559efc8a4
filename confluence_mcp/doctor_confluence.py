"""The doctor on Confluence: the way there, who reads, what the token may, what is not seen."""

import ssl
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from confluence_mcp.doctor_finding import Finding, ahead, some
from confluence_mcp.setup_site import Sight, look_around, unreachable
from index.status import SpaceStatus
from ingest.settings import IngestSettings
from ingest.sources.cloud_scope_probe import Verdict
from ingest.sources.live import account_from

SOON = 14 * 86_400  # seconds before a certificate ends
TIMEOUT = httpx.Timeout(10)


@dataclass(frozen=True, slots=True)
class Way:
    """How the site answers anybody: when its certificate ends, and how its clock goes.

    `ends_at` is in seconds since 1970, None without TLS; `skew` is how far this clock is ahead of
    that of its Date header, None without one.
    """

    skew: float | None
    ends_at: float | None
    tls: str


async def examine_way(settings: IngestSettings) -> tuple[list[Finding], float | None]:
    """Its certificate, and by how many seconds this clock is ahead; SourceError without answer."""
    if settings.confluence_url is None:
        text = "CONFLUENCE_URL is not set: exports only"
        return [Finding("confluence", True, text)], None
    way = await _looked_at(settings, _site_url(settings))
    return [_tls(way)] if way.tls else [], way.skew


async def examine_sight(settings: IngestSettings, indexed: Sequence[SpaceStatus]) -> list[Finding]:
    """Who reads, which scopes are there, and which spaces are not seen; raises SourceError."""
    site_url = _site_url(settings)
    sight = await look_around(settings)
    text = f"{site_url} answers as to account {sight.account_id}, with {len(sight.spaces)} spaces"
    keys = [space.key for space in indexed if space.pages and space.site_url == site_url]
    unseen = _unseen(settings, sight, keys)
    return [Finding("confluence", True, text), *_scopes(sight), *unseen]


def _site_url(settings: IngestSettings) -> str:
    """Raises ConfigurationError that names what is missing or contradictory."""
    return account_from(settings.credentials).site_url


async def _looked_at(settings: IngestSettings, site_url: str) -> Way:
    async with settings.connection.client(site_url) as http:
        before = time.time()
        try:
            async with http.stream("GET", site_url, timeout=TIMEOUT) as answer:
                return _way(answer, before)
        except httpx.RequestError as error:
            raise unreachable(site_url, error) from error


def _way(answer: httpx.Response, before: float) -> Way:
    after = time.time()
    stream = answer.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    is_secure = isinstance(tls, ssl.SSLObject | ssl.SSLSocket)
    certificate = tls.getpeercert() if is_secure else None
    ends = certificate.get("notAfter") if certificate else None
    told = _seconds(answer.headers.get("date", ""))
    return Way(
        skew=None if told is None else ahead(told, before, after),
        ends_at=ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None,
        tls=(tls.version() or "") if is_secure else "",
    )


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _tls(way: Way) -> Finding:
    if way.ends_at is None:
        return Finding("tls", True, way.tls)
    ends = time.strftime("%Y-%m-%d", time.gmtime(way.ends_at))
    if way.ends_at - time.time() < SOON:
        text = f"{way.tls}; the certificate of the site ends on {ends}: tell who runs it"
        return Finding("tls", False, text)
    return Finding("tls", True, f"{way.tls}, certificate until {ends}")


def _scopes(sight: Sight) -> list[Finding]:
    if not sight.scopes:
        return []
    findings = [
        Finding(
            "scopes",
            False,
            f"the token lacks {scope.name}, so that there is no {scope.gives}: make a token that "
            "has it, or a classic one",
        )
        if verdict is Verdict.LACKING
        else Finding(
            "scopes",
            False,
            f"Confluence refuses the account what {scope.name} is for ({scope.gives}): let an "
            "administrator give it the right",
        )
        for scope, verdict in sight.scopes.items()
        if verdict is not Verdict.GIVEN
    ]
    given = [scope.name for scope, verdict in sight.scopes.items() if verdict is Verdict.GIVEN]
    return [Finding("scopes", True, f"there are {', '.join(given)}"), *findings]


def _unseen(settings: IngestSettings, sight: Sight, indexed: Collection[str]) -> list[Finding]:
    """Spaces that are set or indexed, and that the account does not see."""
    seen = {space.key.lower() for space in sight.spaces}
    missing = sorted(settings.space_filter.included - seen)
    gone = sorted(key for key in indexed if key.lower() not in seen)
    findings: list[Finding] = []
    if missing:
        text = f"CONFLUENCE_SPACES names {some(missing)}, which the account does not see: let it "
        findings.append(Finding("spaces", False, f"{text}read them, or take them out"))
    if gone:
        text = f"the index has {some(gone)}, which the account does not see any more: the next "
        findings.append(Finding("spaces", False, f"{text}ingest hides them; check its rights"))
    return findings
