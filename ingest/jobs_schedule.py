"""When the site is due to be looked at: the same moments for all workers, whoever comes first."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from ingest.schedule import Cron, Every

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A tick that came while no worker ran is made up for, if it is not older.
LATEST = timedelta(minutes=10)


class Ticks(Protocol):
    """Moments that follow from the clock alone, so that workers need not agree on them."""

    def last(self, moment: datetime) -> datetime | None:
        """The tick at a moment or before, if it is still due."""
        ...

    def next(self, moment: datetime) -> datetime:
        """The first tick after a moment."""
        ...


class EveryTicks:
    """Ticks at whole multiples of a distance, counted from 1970; the last one is always due."""

    def __init__(self, every: Every) -> None:
        self._distance = every.distance

    def last(self, moment: datetime) -> datetime:
        """The last multiple."""
        return EPOCH + (moment - EPOCH) // self._distance * self._distance

    def next(self, moment: datetime) -> datetime:
        """The next multiple."""
        return self.last(moment) + self._distance


class CronTicks:
    """Ticks of a cron expression; the last one is due for ten minutes."""

    def __init__(self, cron: Cron) -> None:
        self._cron = cron

    def last(self, moment: datetime) -> datetime | None:
        """The last matching minute of the last ten."""
        last = None
        tick = self._cron.after(moment - LATEST)
        while tick <= moment:
            last, tick = tick, self._cron.after(tick)
        return last

    def next(self, moment: datetime) -> datetime:
        """The next matching minute."""
        return self._cron.after(moment)
