"""When the next run is due, and running until told to stop."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from cronsim import CronSim, CronSimError

from index.errors import ConfigurationError, ConfluenceMcpError

logger = logging.getLogger(__name__)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Schedule(Protocol):
    """Tells when runs are due; moments are timezone-aware."""

    def first(self, moment: datetime) -> datetime:
        """When the first run is due after a start at `moment`."""
        ...

    def after(self, moment: datetime) -> datetime:
        """When the run after one that began at `moment` is due."""
        ...


class Every:
    """Runs at a fixed distance from the start of the last run: `30s`, `15m`, `2h`, `1d`."""

    def __init__(self, text: str) -> None:
        match = re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", text)
        if match is None or int(match[1]) == 0:
            raise ConfigurationError(
                f"Cannot read --every {text!r}: give a number and a unit, such as 15m, 2h or 1d."
            )
        self._distance = timedelta(**{_UNITS[match[2]]: int(match[1])})

    def first(self, moment: datetime) -> datetime:
        """At once."""
        return moment

    def after(self, moment: datetime) -> datetime:
        """A fixed time later."""
        return moment + self._distance


class Cron:
    """Runs at the times of a cron expression, in local time."""

    def __init__(self, expression: str) -> None:
        try:
            CronSim(expression, datetime.now().astimezone())
        except CronSimError as error:
            raise ConfigurationError(
                f"Cannot read --cron {expression!r}: {error}. "
                f'Give five fields, such as "0 2 * * *" for every night at two.'
            ) from error
        self._expression = expression

    def first(self, moment: datetime) -> datetime:
        """The next matching minute."""
        return self.after(moment)

    def after(self, moment: datetime) -> datetime:
        """The next matching minute."""
        return next(CronSim(self._expression, moment))


async def keep_running(
    run: Callable[[], Awaitable[object]],
    schedule: Schedule,
    *,
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Runs when due until cancelled; a failed run is logged and does not end the schedule.

    Runs never overlap: one that outlasts its distance is followed at once by the next, and missed
    times are not made up for.
    """
    due = schedule.first(now())
    while True:
        await sleep(max(0.0, (due - now()).total_seconds()))
        started = now()
        try:
            await run()
        except ConfluenceMcpError as error:
            logger.error("This run failed; the next one is tried in time. %s", error)
        due = max(schedule.after(started), now())
        logger.info("next_run=%s", due.isoformat(timespec="seconds"))
