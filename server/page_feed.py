"""Pages as they change in the index, told while somebody wants to know."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator
from contextlib import contextmanager

import psycopg

from index.errors import ConfluenceMcpError

logger = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[psycopg.AsyncConnection]]

# The index notifies of the id of each page, in the transaction that changes it.
LISTEN = "LISTEN confluence_mcp_page"
STILL_THERE = "SELECT 1"
CHECK = 60.0  # seconds of silence after which the connection is tried
SOONEST, SLOWEST = 0.5, 30.0  # seconds until it is made again
PATIENCE = 5.0  # seconds that a new subscriber waits for it


class PageFeed:
    """A connection that listens while pages are wanted, and made again when it broke.

    What changed while there was none cannot be known: then all wanted pages are told.
    """

    def __init__(self, tell: Callable[[str], Awaitable[None]]) -> None:
        self._tell = tell
        self._wanted = Counter[str]()
        self._is_wanted = asyncio.Event()
        self._is_listening = asyncio.Event()
        self._has_missed = False

    @contextmanager
    def wanting(self, page_ids: Collection[str]) -> Generator[None]:
        """Has changes of these pages told for the length of a `with`."""
        self.want(page_ids)
        try:
            yield
        finally:
            self.release(page_ids)

    def want(self, page_ids: Collection[str]) -> None:
        """Has changes of these pages told."""
        self._wanted.update(page_ids)
        if self._wanted:
            self._is_wanted.set()

    def release(self, page_ids: Collection[str]) -> None:
        """Takes back what was wanted once."""
        self._wanted.subtract(page_ids)
        self._wanted = +self._wanted
        if not self._wanted:
            self._is_wanted.clear()

    async def ready(self) -> None:
        """Returns when the next change will be told, or after a while without the index."""
        if not self._is_wanted.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._is_listening.wait()
        except TimeoutError:
            self._has_missed = True

    async def run(self, connect: Connect) -> None:
        """Listens whenever pages are wanted, until it is cancelled."""
        pause = SOONEST
        while True:
            await self._is_wanted.wait()
            try:
                async with await connect() as connection:
                    await connection.execute(LISTEN)
                    pause = SOONEST
                    await self._listen(connection)
            except (psycopg.Error, ConfluenceMcpError) as error:
                self._has_missed = True
                logger.warning("page changes are not heard, next try in %.1f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, SLOWEST)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        self._is_listening.set()
        try:
            if self._has_missed:
                self._has_missed = False
                await self._tell_of(list(self._wanted))
            while self._wanted:
                async for notice in connection.notifies(timeout=CHECK):
                    await self._tell_of([notice.payload])
                await connection.execute(STILL_THERE)
        finally:
            self._is_listening.clear()

    async def _tell_of(self, page_ids: Collection[str]) -> None:
        for page_id in page_ids:
            if page_id in self._wanted:
                await self._tell(page_id)
