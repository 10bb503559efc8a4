"""How fast a site is asked: so many requests at once, and pauses that hold for all of them."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")

FIRST_CONCURRENCY = 4
MOST_CONCURRENCY = 8
ANSWERS_TO_GROW = 20
PAUSE_JITTER = 0.3
LONGEST_JITTER = 30.0
FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock, sleep and dice (0 up to 1) of a client, so that tests need not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    dice: Callable[[], float] = random.random

    def jittered(self, seconds: float) -> float:
        """A wait that is never shorter, so that what waited together does not start together."""
        return seconds + min(PAUSE_JITTER * seconds, LONGEST_JITTER) * self.dice()

    def delay(self, attempt: int) -> float:
        """Seconds before the next try: doubling from 1 to 30, more or less by 30 percent."""
        seconds = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt)
        return seconds * (0.7 + 0.6 * self.dice())


class Pace:
    """Shared by all requests of this process to one site, which tell it how they were answered.

    Begins with 4 requests at once, grows to `concurrency` while answers come, and halves down to 1.
    """

    def __init__(self, concurrency: int = MOST_CONCURRENCY, timing: Timing | None = None) -> None:
        self.concurrency = concurrency
        self.timing = timing or Timing()
        self._allowed = min(FIRST_CONCURRENCY, concurrency)
        self._answers = 0
        self._running = 0
        self._freed = asyncio.Event()
        self._open_at = float("-inf")
        self._slowed_at = float("-inf")

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[float]:
        """Waits until a request may be sent; gives the time at which it is."""
        while (left := self._open_at - self.timing.now()) > 0 or self._running >= self._allowed:
            if left > 0:
                await self.timing.sleep(self.timing.jittered(left))
            else:
                self._freed.clear()
                await self._freed.wait()
        self._running += 1
        try:
            yield self.timing.now()
        finally:
            self._running -= 1
            self._freed.set()

    def pause(self, seconds: float) -> None:
        """Lets no request start for so long; never ends a longer pause early."""
        self._open_at = max(self._open_at, self.timing.now() + seconds)

    def slow_down(self, sent_at: float) -> None:
        """Halves how many run at once, one time for all requests sent before the last halving."""
        if sent_at > self._slowed_at:
            self._slowed_at = self.timing.now()
            self._allowed = max(1, self._allowed // 2)
            self._answers = 0

    def speed_up(self) -> None:
        """After an answer: every twentieth lets one request more run at once."""
        self._answers += 1
        if self._answers >= ANSWERS_TO_GROW and self._allowed < self.concurrency:
            self._allowed += 1
            self._answers = 0
            self._freed.set()

    def delay(self, attempt: int) -> float:
        """Seconds before the next try of a request."""
        return self.timing.delay(attempt)

    async def sleep(self, seconds: float) -> None:
        """Waits without holding back any other request."""
        await self.timing.sleep(seconds)


async def in_parallel(
    jobs: Iterable[Callable[[], Awaitable[Answer]]], most: int
) -> AsyncGenerator[Answer]:
    """Answers as they come, `most` jobs at a time; the first error ends all."""
    waiting = iter(jobs)
    tasks: set[asyncio.Future[Answer]] = set()
    try:
        while True:
            while len(tasks) < most and (job := next(waiting, None)) is not None:
                tasks.add(asyncio.ensure_future(job()))
            if not tasks:
                return
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
                tasks.remove(task)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
