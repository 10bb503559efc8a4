"""The doctor: what works, what does not, and what to do about it."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from index.access import Askers
from index.access_status import AccessStatus, read_access
from index.database import Database
from index.errors import ConfigurationError, ConfluenceMcpError
from index.replica import ReplicaLag, read_lag
from index.status import Status, read_status
from ingest.settings import IngestSettings, source_from
from server.app import UNKNOWN_USER
from server.auth_settings import Issuer, http_auth
from server.jwks import IssuerUnavailable, SigningKeys
from server.settings import ServerSettings

SHOWN = 10  # names in a line


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: fine, or what is wrong and what to do."""

    about: str
    is_fine: bool
    text: str


async def run_doctor(*, as_json: bool) -> int:
    """Prints what it finds as it goes; 1 when anything is wrong."""
    findings: list[Finding] = []
    async for finding in examine(lambda: datetime.now(UTC)):
        findings.append(finding)
        if not as_json:
            mark = "fine " if finding.is_fine else "WRONG"
            print(f"{mark}  {finding.about}: {finding.text}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return 0 if all(finding.is_fine for finding in findings) else 1


async def examine(now: Callable[[], datetime]) -> AsyncGenerator[Finding]:
    """Looks at settings, database, index, permissions and Confluence, one after the other."""
    try:
        settings, server = IngestSettings.load(), ServerSettings.load()
    except ConfigurationError as error:
        yield Finding("settings", False, str(error))
        return
    async with AsyncExitStack() as stack:
        try:
            database = await stack.enter_async_context(
                Database.open(
                    settings,
                    application_name="confluence-mcp doctor",
                    read_only=True,
                    may_be_pooled=True,
                )
            )
            reader = await stack.enter_async_context(
                Database.open(
                    settings,
                    application_name="confluence-mcp doctor",
                    for_askers=True,
                    may_be_pooled=True,
                )
            )
        except ConfluenceMcpError as error:
            yield Finding("database", False, str(error))
            return
        yield await _role(reader)
        if (replica := server.replica()) is not None:
            yield _replica(await read_lag(database.conninfo, replica), replica.max_lag_s)
        yield _index(await read_status(database), now())
        async with database.pool.connection() as connection:
            oldest = now() - timedelta(hours=server.access_max_age_hours)
            access = await read_access(connection, oldest)
        yield _permissions(access) if settings.confluence_permissions else _no_permissions(server)
        yield await _shown_over_stdio(server, Askers(database))
        yield await _shown_over_http(server, access)
    yield await _confluence(settings)


async def _role(reader: Database) -> Finding:
    async with reader.pool.connection() as connection:
        row = await (await connection.execute("SELECT current_user::text")).fetchone()
    role = row[0] if row else ""
    if role == "confluence_mcp_reader":
        return Finding("database", True, "questions are answered as the role that may only read")
    return Finding(
        "database",
        False,
        f"questions are answered as {role}, which may read more than the asker: have a superuser "
        f'run CREATE ROLE confluence_mcp_reader; GRANT confluence_mcp_reader TO "{role}"; and '
        "ingest once more",
    )


def _replica(lag: ReplicaLag, most_s: float) -> Finding:
    if lag.problem is not None:
        return Finding("replica", False, f"{lag.problem} The primary is asked instead")
    text = f"{lag.bytes:,} bytes behind, about {lag.seconds:,.0f} s"
    if lag.seconds > most_s:
        return Finding("replica", False, f"{text}: the primary is asked instead")
    return Finding("replica", True, text)


def _index(status: Status, now: datetime) -> Finding:
    if status.model is None:
        return Finding("index", False, "it is empty: run `confluence-mcp ingest`")
    pages = sum(space.pages for space in status.spaces)
    text = f"{pages:,} pages in {len(status.spaces)} spaces, embedded by {status.model}"
    if not status.runs or status.runs[0].succeeded is not True:
        return Finding("index", False, f"{text}; the last run failed: see `confluence-mcp status`")
    finished = status.runs[0].finished_at or now
    return Finding("index", True, f"{text}; last run {finished:%Y-%m-%d %H:%M %Z}")


def _no_permissions(server: ServerSettings) -> Finding:
    text = "CONFLUENCE_PERMISSIONS is false: nobody but the crawler is shown what comes in"
    if not (server.confluence_mcp_user or server.auth_issuer or server.auth_api_keys):
        return Finding("permissions", True, text)
    advice = "set it to true and run `confluence-mcp ingest`, or ask nobody who they are"
    return Finding("permissions", False, f"{text}; {advice}")


def _permissions(access: AccessStatus) -> Finding:
    if not access.spaces:
        return Finding("permissions", True, "nothing is indexed yet that they could be of")
    closed = [space.key for space in access.spaces if not space.is_open]
    unknown = sum(space.unknown for space in access.spaces)
    known = (
        f"{len(access.spaces) - len(closed)} of {len(access.spaces)} spaces have known readers; "
        f"{access.accounts} active accounts ({access.accounts_with_email} with e-mail), "
        f"{access.groups} groups"
    )
    troubles = [
        f"shown to nobody but the crawler: {_some(closed)}" if closed else "",
        f"{unknown} pages or folders with unknown restrictions" if unknown else "",
        f"{access.unreadable_groups} groups without members" if access.unreadable_groups else "",
    ]
    if not any(troubles):
        return Finding("permissions", True, known)
    advice = "run `confluence-mcp ingest` and read its warnings"
    return Finding("permissions", False, "; ".join([known, *filter(None, troubles), advice]))


async def _shown_over_stdio(settings: ServerSettings, askers: Askers) -> Finding:
    user = settings.confluence_mcp_user
    if user is None:
        text = "shows all that the crawler may see; CONFLUENCE_MCP_USER limits it to one account"
        return Finding("stdio", True, text)
    if (await askers.named(user, user)).accounts:
        return Finding("stdio", True, "shows what the account of CONFLUENCE_MCP_USER may read")
    return Finding("stdio", False, UNKNOWN_USER)


async def _shown_over_http(settings: ServerSettings, access: AccessStatus) -> Finding:
    try:
        auth = http_auth(settings, "127.0.0.1", 8080)
    except ConfigurationError as error:
        return Finding("http", False, str(error))
    if auth is None:
        text = "listens on loopback only, and shows the same as stdio; AUTH_ISSUER or "
        return Finding("http", True, f"{text}AUTH_API_KEYS tell callers apart")
    needed = f"callers need {auth.needed}"
    trouble = await _trouble(auth.issuer, access) if auth.issuer is not None else None
    return Finding("http", trouble is None, f"{needed}; {trouble}" if trouble else needed)


async def _trouble(issuer: Issuer, access: AccessStatus) -> str | None:
    """Why nobody with a token of the issuer gets far."""
    try:
        async with SigningKeys.open(issuer.url, issuer.jwks_url) as keys:
            await keys.named(None)
    except IssuerUnavailable:
        return "its keys cannot be read, the log says why: check AUTH_ISSUER and AUTH_JWKS_URL"
    if issuer.account_claim == "email" and access.accounts and not access.accounts_with_email:
        return (
            "no account has an e-mail address that the index knows, as Data Center tells none: "
            "list them in CONFLUENCE_DIRECTORY, or set AUTH_ACCOUNT_CLAIM to a claim that has the "
            "user name or account id"
        )
    return None


async def _confluence(settings: IngestSettings) -> Finding:
    if settings.confluence_url is None:
        return Finding("confluence", True, "CONFLUENCE_URL is not set: exports only")
    try:
        async with source_from(settings) as source:
            account_id = await source.identity()
            spaces = await source.spaces()
    except ConfluenceMcpError as error:
        return Finding("confluence", False, str(error))
    text = f"{source.site_url} answers as to account {account_id}, with {len(spaces)} spaces"
    return Finding("confluence", True, text)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
