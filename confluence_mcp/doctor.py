"""The doctor: what works, what does not, and what to do about it."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from confluence_mcp.doctor_access import (
    no_permissions,
    permissions,
    shown_over_http,
    shown_over_stdio,
)
from confluence_mcp.doctor_confluence import examine_sight, examine_way
from confluence_mcp.doctor_database import (
    examine_database,
    examine_role,
    never_made,
    replica_finding,
    skew_of,
)
from confluence_mcp.doctor_finding import Finding, bounded
from confluence_mcp.doctor_index import examine_index
from confluence_mcp.doctor_mcp import examine_mcp
from confluence_mcp.doctor_models import examine_chat, examine_embeddings, examine_reranker
from index.access import Askers
from index.access_status import read_access
from index.database import Database
from index.errors import ConfigurationError, ConfluenceMcpError
from index.replica import read_lag
from index.settings import IndexSettings
from index.status import Status, read_status
from ingest.settings import IngestSettings
from server.settings import ServerSettings

# Seconds; the sum bounds the whole.
DATABASE, ACCESS, WAY, CONFLUENCE, MODEL, MCP = 30, 30, 30, 60, 30, 60
MOST_SKEW = 30  # seconds, which tokens of identity providers still bear
NAME = "confluence-mcp doctor"


@dataclass(frozen=True, slots=True)
class Opened:
    """The index: as its owner sees it, and as those who ask see it."""

    database: Database
    reader: Database


@dataclass(slots=True)
class Seen:
    """What one look leaves to the next: the index, and how far this clock is ahead of others.

    `has_site` once the site has answered.
    """

    status: Status | None = None
    skews: dict[str, float] = field(default_factory=dict[str, float])
    has_site: bool = False


Look = tuple[str, int, Callable[[], Awaitable[list[Finding]]]]


async def run_doctor(*, as_json: bool) -> int:
    """Prints what it finds as it goes; 1 when anything is wrong."""
    findings: list[Finding] = []
    async for finding in examine(lambda: datetime.now(UTC)):
        findings.append(finding)
        if not as_json:
            mark = "fine " if finding.is_fine else "WRONG"
            text = finding.text.replace("\n", "\n       ")
            print(f"{mark}  {finding.about}: {text}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return 0 if all(finding.is_fine for finding in findings) else 1


async def examine(now: Callable[[], datetime]) -> AsyncGenerator[Finding]:
    """Looks at settings, index, permissions, Confluence, models, MCP and clock; writes nothing."""
    try:
        settings, server = IngestSettings.load(), ServerSettings.load()
    except ConfigurationError as error:
        yield Finding("settings", False, str(error))
        return
    seen = Seen()
    async with AsyncExitStack() as stack:
        opened = await _opened(settings, stack)
        looks: list[Look] = []
        if isinstance(opened, Finding):
            yield opened
        else:
            looks += [
                ("database", DATABASE, lambda: _of_database(opened, server)),
                ("index", DATABASE, lambda: _of_index(opened, settings, now, seen)),
                ("permissions", ACCESS, lambda: _of_access(opened, settings, server, now)),
            ]
        looks += [
            ("confluence", WAY, lambda: _of_way(settings, seen)),
            ("confluence", CONFLUENCE, lambda: _of_sight(settings, seen)),
            ("embeddings", MODEL, lambda: examine_embeddings(server, seen.status)),
            ("chat model", MODEL, lambda: examine_chat(server)),
            ("reranker", MODEL, lambda: examine_reranker(server)),
        ]
        if not isinstance(opened, Finding):
            looks.append(("mcp", MCP, lambda: examine_mcp(server)))
        for about, seconds, look in looks:
            for finding in await bounded(about, seconds, look()):
                yield finding
    yield _clock(seen.skews)


async def _opened(settings: IndexSettings, stack: AsyncExitStack) -> Opened | Finding:
    if (finding := never_made(settings)) is not None:
        return finding
    try:
        database = await stack.enter_async_context(
            Database.open(
                settings,
                application_name=NAME,
                migrate=False,
                read_only=True,
                may_be_pooled=True,
            )
        )
        reader = await stack.enter_async_context(
            Database.open(
                settings,
                application_name=NAME,
                migrate=False,
                for_askers=True,
                may_be_pooled=True,
            )
        )
    except ConfluenceMcpError as error:
        return Finding("database", False, str(error))
    return Opened(database, reader)


async def _of_database(opened: Opened, server: ServerSettings) -> list[Finding]:
    findings = await examine_database(opened.database, server)
    findings += await examine_role(opened.reader)
    if (replica := server.replica()) is not None:
        lag = await read_lag(opened.database.conninfo, replica)
        findings.append(replica_finding(lag, replica.max_lag_s))
    return findings


async def _of_index(
    opened: Opened, settings: IngestSettings, now: Callable[[], datetime], seen: Seen
) -> list[Finding]:
    seen.status = status = await read_status(opened.database)
    seen.skews["the database"] = await skew_of(opened.database)
    return examine_index(status, settings, now())


async def _of_access(
    opened: Opened, settings: IngestSettings, server: ServerSettings, now: Callable[[], datetime]
) -> list[Finding]:
    async with opened.database.pool.connection() as connection:
        oldest = now() - timedelta(hours=server.access_max_age_hours)
        access = await read_access(connection, oldest)
    read = settings.confluence_permissions
    return [
        permissions(access) if read else no_permissions(server),
        await shown_over_stdio(server, Askers(opened.database)),
        await shown_over_http(server, access),
    ]


async def _of_way(settings: IngestSettings, seen: Seen) -> list[Finding]:
    findings, skew = await examine_way(settings)
    if skew is not None:
        seen.skews["Confluence"] = skew
    seen.has_site = settings.confluence_url is not None
    return findings


async def _of_sight(settings: IngestSettings, seen: Seen) -> list[Finding]:
    if not seen.has_site:
        return []
    return await examine_sight(settings, seen.status.spaces if seen.status else [])


def _clock(skews: Mapping[str, float]) -> Finding:
    wrong = {name: skew for name, skew in skews.items() if abs(skew) > MOST_SKEW}
    if wrong:
        told = ", ".join(
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {name}"
            for name, skew in wrong.items()
        )
        text = f"this machine's is {told}: let NTP set it, or tokens are refused and ages are wrong"
        return Finding("clock", False, text)
    if not skews:
        return Finding("clock", True, "nothing answered that it could be compared with")
    return Finding("clock", True, f"agrees with {' and '.join(skews)}")
