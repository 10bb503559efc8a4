"""Pages that something outside says have changed: noted by a server, looked at by an ingest."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import psycopg
import psycopg_pool
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from index.database import Database

logger = logging.getLogger(__name__)

CHANNEL = "confluence_mcp_hint"

NOTE = """
INSERT INTO page_hint (page_id) SELECT DISTINCT unnest(%(page_ids)s::text[])
ON CONFLICT (page_id) DO UPDATE SET noted_at = now()
"""
NOTIFY = "SELECT pg_notify(%(channel)s, '')"


async def note(database: Database, page_ids: Collection[str]) -> None:
    """Notes pages, and wakes the ingests that wait for hints; with none they read the feeds."""
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute(NOTE, {"page_ids": list(page_ids)})
        await connection.execute(NOTIFY, {"channel": CHANNEL})


NOTED = "SELECT page_id FROM page_hint WHERE noted_at <= %(until)s"
CLOCK = "SELECT now()"


async def noted(database: Database) -> tuple[frozenset[str], datetime]:
    """The noted pages, and the moment up to which they were noted."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(CLOCK)).fetchone()
        assert row is not None
        rows = await connection.execute(NOTED, {"until": row[0]})
        return frozenset([page_id async for (page_id,) in rows]), row[0]


FORGET = "DELETE FROM page_hint WHERE noted_at <= %(until)s"


async def forget(database: Database, until: datetime) -> None:
    """Forgets what was noted up to a moment, once it has been looked at."""
    async with database.pool.connection() as connection:
        await connection.execute(FORGET, {"until": until})


RECONNECT = 10.0  # seconds


@asynccontextmanager
async def waiting(database: Database) -> AsyncGenerator[Callable[[float], Awaitable[bool]]]:
    """A function that waits at most so many seconds, and gives True as soon as a page is noted.

    Pages that were noted before count. While the database is away it only waits.
    """
    async with AsyncExitStack() as stack:
        connection: AsyncConnection[TupleRow] | None = None

        async def wait(seconds: float) -> bool:
            nonlocal connection
            try:
                if connection is None or connection.closed:
                    connection = await stack.enter_async_context(_listening(database))
                if (await noted(database))[0]:
                    return True
                async for _ in connection.notifies(timeout=seconds, stop_after=1):
                    return True
            except (psycopg.OperationalError, psycopg_pool.PoolTimeout) as error:
                logger.warning("hints cannot be waited for: problem=%r", str(error))
                await asyncio.sleep(min(seconds, RECONNECT))
            return False

        yield wait


@asynccontextmanager
async def _listening(database: Database) -> AsyncGenerator[AsyncConnection[TupleRow]]:
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        try:
            yield connection
        finally:
            # A connection that goes back into the pool must not listen on.
            if not connection.closed:
                await connection.execute("UNLISTEN *")
                await connection.set_autocommit(False)
