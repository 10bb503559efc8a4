"""The Postgres in which the chat keeps conversations: its schema, its pool, and what is too old."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from chat_errors import ChatFailure

FOLDER = Path(__file__).resolve().parent
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 15
CONNECTIONS = 4
BETWEEN_CLEANINGS = 3_600.0  # seconds
# Whoever is gone for so long is not signed in any more, so that nothing of theirs is still open.
LONGEST_SIGN_IN = 30  # days

# Two chats that start at once wait for each other; the number only has to be nobody else's.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7_265_308_114_019)"
FIND_SCHEMA = "SELECT to_regnamespace('chat') IS NOT NULL, to_regclass('chat.version') IS NOT NULL"
MAKE_SCHEMA = "CREATE SCHEMA chat"
FIND_VERSION = "SELECT max(version) FROM chat.version"
NOTE_VERSION = "INSERT INTO chat.version (version) VALUES (%(version)s)"
FORGET_THREADS = (
    "DELETE FROM chat.thread WHERE updated_at < now() - make_interval(days => %(days)s)"
)
FORGET_PEOPLE = """
    DELETE FROM chat.person
    WHERE seen_at < now() - make_interval(days => greatest(%(days)s, %(longest)s))
        AND NOT EXISTS (SELECT FROM chat.thread WHERE thread.person_id = person.person_id)
"""

logger = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[DictRow]


class StoreError(ChatFailure):
    """The database of the conversations cannot be used."""


def prepare(url: str) -> None:
    """Makes the schema `chat`, or brings it up to date; raises StoreError."""
    try:
        with psycopg.connect(
            url, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as connection:
            connection.execute(ONE_AT_A_TIME)
            _migrate(connection)
    except psycopg.Error as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(
            f"The database of CHAT_DATABASE_URL cannot be used: {reason}\n"
            "Correct the address, let its user create the schema `chat`, or unset it: then "
            "conversations are not kept."
        ) from error


def _migrate(connection: psycopg.Connection) -> None:
    has_schema, has_version = connection.execute(FIND_SCHEMA).fetchone() or (False, False)
    if not has_schema:
        connection.execute(MAKE_SCHEMA)
    done = _version(connection) if has_version else 0
    files = {_number(file): file for file in FOLDER.glob("chat_store_*.sql")}
    if done > max(files):
        raise StoreError(
            "The conversations were kept by a newer chat than this one. Update this chat, or give "
            "it another CHAT_DATABASE_URL."
        )
    for number in sorted(files):
        if number > done:
            connection.execute(files[number].read_bytes())
            connection.execute(NOTE_VERSION, {"version": number})


def _version(connection: psycopg.Connection) -> int:
    row = connection.execute(FIND_VERSION).fetchone()
    return row[0] or 0 if row is not None else 0


def _number(file: Path) -> int:
    return int(re.sub(r"\D", "", file.stem))


class ChatDatabase:
    """Connections to the prepared database, opened when they are first needed."""

    def __init__(
        self, url: str, keep_days: int | None = None, *, wait_seconds: float = CONNECT_SECONDS
    ) -> None:
        self._url = url
        self._wait_seconds = wait_seconds
        self._keep_days = keep_days
        self._opening = asyncio.Lock()
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._cleaning: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A connection whose work is kept as a whole; raises StoreError."""
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                pool = await self._opened()
                async with pool.connection() as connection:
                    yield connection
        except (psycopg.Error, PoolTimeout, PoolClosed, TimeoutError) as error:
            # Its text may repeat what was to be kept.
            state = getattr(error, "sqlstate", None)
            logger.warning("store_failed kind=%s sqlstate=%s", type(error).__name__, state)
            raise StoreError("The database of the conversations does not answer.") from None

    async def forget_old(self) -> None:
        """Deletes conversations that nobody went on with for as long as they are kept."""
        days = {"days": self._keep_days, "longest": LONGEST_SIGN_IN}
        async with self.transaction() as connection:
            gone = await connection.execute(FORGET_THREADS, days)
            await connection.execute(FORGET_PEOPLE, days)
        logger.info("store_cleaned threads=%d", gone.rowcount)

    async def close(self) -> None:
        """Ends the connections."""
        # Told again and again: `asyncio.wait_for` of Python 3.11, with which the pool waits, loses
        # a cancellation that comes as its own wait ends.
        while self._cleaning is not None and not self._cleaning.done():
            self._cleaning.cancel()
            await asyncio.wait([self._cleaning], timeout=1)
        if self._pool is not None:
            await self._pool.close()

    async def _opened(self) -> AsyncConnectionPool[Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = _pool(self._url, self._wait_seconds)
                await self._pool.open()
                if self._keep_days is not None:
                    self._cleaning = asyncio.create_task(self._keep_clean(), name="chat-store")
            return self._pool

    async def _keep_clean(self) -> None:
        while True:
            with contextlib.suppress(StoreError):
                await self.forget_old()
            await asyncio.sleep(BETWEEN_CLEANINGS)


def _pool(url: str, wait_seconds: float) -> AsyncConnectionPool[Connection]:
    return AsyncConnectionPool(
        url,
        connection_class=psycopg.AsyncConnection[DictRow],
        # A pooler that lends a connection for one transaction forgets prepared statements.
        kwargs={"row_factory": dict_row, "prepare_threshold": None},
        min_size=1,
        max_size=CONNECTIONS,
        timeout=wait_seconds,
        open=False,
        name="chat-store",
    )
