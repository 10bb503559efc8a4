"""The doctor on Postgres: version, extensions, role and rights, migrations, sizes, pooler."""

import sys
import time
from dataclasses import dataclass

from psycopg.rows import class_row

from confluence_mcp.doctor_finding import Finding, ahead
from index.database import Database
from index.replica import ReplicaLag
from index.settings import IndexSettings
from index.upkeep_sizes import read_sizes, shown_bytes

FACTS = """
SELECT current_setting('server_version') AS server,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'fuzzystrmatch') AS forgives_typing_errors,
       current_user::text AS user_name,
       coalesce(has_table_privilege(to_regclass('page'), 'INSERT'), false) AS may_write,
       (SELECT count(*) FROM schema_migration) AS migrations,
       (SELECT max(name) FROM schema_migration) AS newest_migration,
       pg_backend_pid() AS backend_pid
"""
CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float"
ROLE = "SELECT current_user::text"
READER = "confluence_mcp_reader"


@dataclass(frozen=True, slots=True)
class Facts:
    """What Postgres tells of itself and of whoever asks."""

    server: str
    pgvector: str
    forgives_typing_errors: bool
    user_name: str
    may_write: bool
    migrations: int
    newest_migration: str
    backend_pid: int


def never_made(settings: IndexSettings) -> Finding | None:
    """That there is no embedded Postgres yet, which looking at it would make."""
    if settings.postgres_url is not None or sys.platform == "win32":
        return None
    from index.postgres_files import Layout

    home = settings.confluence_mcp_home
    if Layout(home.expanduser().resolve()).data.is_dir():
        return None
    text = (
        f"there is no index in {home} yet: run `confluence-mcp setup`, or `confluence-mcp ingest`"
    )
    return Finding("database", False, text)


async def examine_database(database: Database, settings: IndexSettings) -> list[Finding]:
    """Version, extensions, rights, migrations and sizes; and a pooler that nobody told of."""
    async with database.pool.connection() as connection:
        async with connection.cursor(row_factory=class_row(Facts)) as cursor:
            facts = (await (await cursor.execute(FACTS)).fetchall())[0]
        is_direct = connection.info.backend_pid == facts.backend_pid
        parts = (await read_sizes(connection)).by_purpose()
    total = sum(part.table_bytes + part.index_bytes for part in parts.values())
    rights = "may write" if facts.may_write else "may only read"
    findings = [
        Finding(
            "database",
            True,
            f"PostgreSQL {facts.server} with pgvector {facts.pgvector}; {facts.user_name} "
            f"{rights}; {facts.migrations} migrations, the newest {facts.newest_migration}; "
            f"{shown_bytes(total)}",
        )
    ]
    if not facts.forgives_typing_errors:
        findings.append(_no_fuzzystrmatch())
    findings += _pooler(is_direct=is_direct, is_told=settings.postgres_pooler is not None)
    return findings


def _no_fuzzystrmatch() -> Finding:
    return Finding(
        "extensions",
        True,
        "fuzzystrmatch is missing: one typing error in a word is forgiven, two are not (package "
        "postgresql-contrib, before the first ingest)",
    )


def _pooler(*, is_direct: bool, is_told: bool) -> list[Finding]:
    if is_told:
        text = "POSTGRES_POOLER is set: only `serve` works through it, and hears no changes"
        return [Finding("pooler", True, text)]
    if is_direct:
        return []
    text = (
        "something pools connections between here and Postgres: where that is for a transaction "
        "at a time, set POSTGRES_POOLER=transaction for `serve`, and let all else pass it by"
    )
    return [Finding("pooler", False, text)]


async def examine_role(reader: Database) -> list[Finding]:
    """As whom questions are answered."""
    async with reader.pool.connection() as connection:
        row = await (await connection.execute(ROLE)).fetchone()
    role = row[0] if row else ""
    if role == READER:
        text = "questions are answered as the role that may only read"
        return [Finding("database", True, text)]
    text = (
        f"questions are answered as {role}, which may read more than the asker: have a superuser "
        f'run CREATE ROLE {READER}; GRANT {READER} TO "{role}"; and ingest once more'
    )
    return [Finding("database", False, text)]


async def skew_of(database: Database) -> float:
    """By how many seconds this clock is ahead of that of the database."""
    async with database.pool.connection() as connection:
        before = time.time()
        row = await (await connection.execute(CLOCK)).fetchone()
        return ahead(row[0] if row else before, before, time.time())


def replica_finding(lag: ReplicaLag, most_s: float) -> Finding:
    """How far the standby is behind."""
    if lag.problem is not None:
        return Finding("replica", False, f"{lag.problem} The primary is asked instead")
    text = f"{lag.bytes:,} bytes behind, about {lag.seconds:,.0f} s"
    if lag.seconds > most_s:
        return Finding("replica", False, f"{text}: the primary is asked instead")
    return Finding("replica", True, text)
