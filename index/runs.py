"""Runs of the ingest: never two at once, each one on record."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from psycopg.types.json import Jsonb

from index.database import Database
from index.errors import DatabaseError

LOCK = "SELECT pg_try_advisory_lock(hashtextextended('confluence-mcp ingest', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('confluence-mcp ingest', 0))"


class RunInProgress(DatabaseError):
    """Another ingest fills this index now: wait for it, or look at `confluence-mcp status`."""


@asynccontextmanager
async def only_run(database: Database) -> AsyncGenerator[None]:
    """Holds the index for one ingest; raises RunInProgress when another one has it."""
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        row = await (await connection.execute(LOCK)).fetchone()
        try:
            if not (row and row[0]):
                raise RunInProgress(RunInProgress.__doc__)
            try:
                yield
            finally:
                # A connection that broke meanwhile has given the lock back by itself.
                with contextlib.suppress(psycopg.OperationalError):
                    await connection.execute(UNLOCK)
        finally:
            if not connection.closed:
                await connection.set_autocommit(False)


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
