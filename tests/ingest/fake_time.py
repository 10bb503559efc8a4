"""A clock for clients that only runs when they wait."""

import asyncio
from dataclasses import dataclass, field

from ingest.sources.pace import Timing


@dataclass(slots=True)
class FakeTime:
    """Time that passes by sleeping only; `slept` has every wait."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list[float])

    async def sleep(self, seconds: float) -> None:
        """Moves on at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def timing(self, dice: float = 0.0) -> Timing:
        """For a client: the same dice each time."""
        return Timing(now=lambda: self.now, sleep=self.sleep, dice=lambda: dice)
