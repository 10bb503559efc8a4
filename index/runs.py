"""Runs of the ingest: never two at once, each one on record."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from index.database import Database
from index.errors import DatabaseError

# Names of what one process does at a time.
INGEST, REINDEX = "confluence-mcp ingest", "confluence-mcp reindex"
LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%(name)s, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%(name)s, 0))"


class RunInProgress(DatabaseError):
    """Another ingest fills this index now: wait for it, or look at `confluence-mcp status`."""


@asynccontextmanager
async def only_run(database: Database) -> AsyncGenerator[None]:
    """Holds the index for one ingest; raises RunInProgress when another one has it."""
    async with alone(database, INGEST, RunInProgress):
        yield


@asynccontextmanager
async def alone(
    database: Database, name: str, refusal: type[DatabaseError]
) -> AsyncGenerator[None]:
    """Holds what goes by a name for one process; raises `refusal` when another one has it."""
    key = {"name": name}
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        row = await (await connection.execute(LOCK, key)).fetchone()
        try:
            if not (row and row[0]):
                raise refusal(refusal.__doc__)
            try:
                yield
            finally:
                # A connection that broke meanwhile has given the lock back by itself.
                with contextlib.suppress(psycopg.OperationalError):
                    await connection.execute(UNLOCK, key)
        finally:
            if not connection.closed:
                await connection.set_autocommit(False)


# In the two halves in which Postgres shows the key of a lock.
IS_HELD = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint << 32 | objid::bigint
          = hashtextextended(%(name)s, 0)
)
"""


async def is_held(connection: psycopg.AsyncConnection[TupleRow], name: str) -> bool:
    """Whether a process holds what goes by a name now."""
    row = await (await connection.execute(IS_HELD, {"name": name})).fetchone()
    return row == (True,)


START = "INSERT INTO sync_run (site_id) VALUES (%(site_id)s) RETURNING id"
# Whoever holds the lock knows that no other run is alive.
CLOSE_DEAD_RUNS = """
UPDATE sync_run SET finished_at = now(), succeeded = false, report = %(report)s
WHERE finished_at IS NULL
"""


async def start_run(database: Database, site_id: int) -> int:
    """Records the start of a run, and that runs before it which have no end were killed."""
    killed: dict[str, object] = {"error": "killed before the end"}
    async with database.pool.connection() as connection:
        await connection.execute(CLOSE_DEAD_RUNS, {"report": Jsonb(killed)})
        row = await (await connection.execute(START, {"site_id": site_id})).fetchone()
    assert row is not None
    return row[0]


FINISH = """
UPDATE sync_run SET finished_at = now(), succeeded = %(succeeded)s, report = %(report)s
WHERE id = %(id)s
"""


async def finish_run(
    database: Database, run_id: int, *, succeeded: bool, report: dict[str, object]
) -> None:
    """Records how a run ended."""
    values = {"id": run_id, "succeeded": succeeded, "report": Jsonb(report)}
    async with database.pool.connection() as connection:
        await connection.execute(FINISH, values)
