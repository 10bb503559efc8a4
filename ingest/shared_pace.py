"""One pace for all processes that read a site, kept in Postgres."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg

from index.background import beside
from index.database import Database
from index.request_slots import Outcome, Slot, add_budget, give_back, renew_slot, take_slot
from ingest.sources.pace import (
    ANSWERS_TO_GROW,
    FIRST_CONCURRENCY,
    MOST_CONCURRENCY,
    Pace,
    Timing,
)

logger = logging.getLogger(__name__)

LEASE_S = 60.0
POLL_S = 0.05


class SharedPace(Pace):
    """The pace of all processes together: requests at once, halving, and pauses.

    A request has a slot under a lease, which ends by itself when its process is killed. What an
    answer tells holds for all as soon as its turn is over. Raises psycopg.OperationalError when
    there is no database to ask.
    """

    def __init__(
        self,
        database: Database,
        site_url: str,
        concurrency: int = MOST_CONCURRENCY,
        timing: Timing | None = None,
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        super().__init__(concurrency, timing)
        self._database = database
        self._site_url = site_url
        self._lease_s = lease_s
        self._outcome = Outcome()
        self._is_next = asyncio.Lock()
        self._is_telling = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[float]:
        """Waits until a request may be sent; gives the database's time at which it is."""
        holder = uuid4()
        # One asks for all that wait here, so that waiting costs the same however many do.
        async with self._is_next:
            sent_at = await self._taken(holder)
        try:
            async with beside(self._renew(holder)):
                yield sent_at
        finally:
            await self._give_back(holder)

    def pause(self, seconds: float) -> None:
        """Lets no request start for so long; never ends a longer pause early."""
        self._outcome = self._outcome.merged(Outcome(pause=seconds))

    def slow_down(self, sent_at: float) -> None:
        """Halves how many run at once, one time for all requests sent before the last halving."""
        self._outcome = self._outcome.merged(Outcome(refused_at=sent_at))

    def speed_up(self) -> None:
        """After an answer: every twentieth lets one request more run at once."""
        self._outcome = self._outcome.merged(Outcome(answers=1))

    async def _taken(self, holder: UUID) -> float:
        while True:
            self._freed.clear()
            slot = await self._asked(holder)
            if slot is None:
                first = min(FIRST_CONCURRENCY, self.concurrency)
                await add_budget(self._database, self._site_url, first=first)
            elif slot.sent_at is not None:
                return slot.sent_at
            elif slot.pause > 0:
                await self.timing.sleep(self.timing.jittered(slot.pause))
            else:
                await self._until_freed()

    async def _asked(self, holder: UUID) -> Slot | None:
        try:
            return await take_slot(
                self._database,
                self._site_url,
                holder,
                most=self.concurrency,
                lease_s=self._lease_s,
            )
        except asyncio.CancelledError:
            # The database may have given it already.
            await self._give_back(holder)
            raise

    async def _until_freed(self) -> None:
        """Until a request of this process has ended, or one of another may have."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S * (1 + self.timing.dice())):
                await self._freed.wait()

    async def _renew(self, holder: UUID) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await renew_slot(self._database, holder, lease_s=self._lease_s)
            except psycopg.Error as error:
                logger.warning("lease of a request not renewed: problem=%s", type(error).__name__)

    async def _give_back(self, holder: UUID) -> None:
        # One after the other: when a slot is free, all that was told before has been told to all.
        async with self._is_telling:
            outcome, self._outcome = self._outcome, Outcome()
            try:
                await give_back(
                    self._database,
                    self._site_url,
                    holder,
                    outcome,
                    most=self.concurrency,
                    answers_to_grow=ANSWERS_TO_GROW,
                )
            except psycopg.Error as error:
                self._outcome = outcome.merged(self._outcome)
                logger.warning("slot of a request not given back: problem=%s", type(error).__name__)
        self._freed.set()
