"""When the next run is due, and running until told to stop."""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from index.errors import ConfigurationError, ConfluenceMcpError
from index.runs import RunInProgress

logger = logging.getLogger(__name__)

# A longer sleep would not notice that the clock was set or that the machine was asleep.
LONGEST_SLEEP = 60.0

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LOCAL_TIME = Path("/etc/localtime")


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
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*([smhd])\s*", text)
        if match is None or int(match[1]) == 0:
            raise ConfigurationError(
                f"Cannot read --every {text!r}: give a number and a unit, such as 15m, 2h or 1d."
            )
        self.distance = timedelta(**{_UNITS[match[2]]: int(match[1])})

    def first(self, moment: datetime) -> datetime:
        """At once."""
        return moment

    def after(self, moment: datetime) -> datetime:
        """A fixed time later."""
        return moment.astimezone(UTC) + self.distance


class Cron:
    """Runs at the times of a cron expression, on the clocks of a time zone.

    A time that clocks skip in spring is due when they have skipped it; one that they show twice
    in autumn is due once, unless the expression has a run every hour anyway.
    """

    def __init__(self, expression: str, zone: tzinfo | None = None) -> None:
        self._expression = expression
        self._zone = zone or local_zone()
        try:
            self.after(datetime.now(UTC))
        except CronSimError as error:
            raise ConfigurationError(
                f"Cannot read --cron {expression!r}: {error}. "
                f'Give five fields, such as "0 2 * * *" for every night at two.'
            ) from error

    def first(self, moment: datetime) -> datetime:
        """The next matching minute."""
        return self.after(moment)

    def after(self, moment: datetime) -> datetime:
        """The next matching minute."""
        due = next(CronSim(self._expression, moment.astimezone(self._zone)), None)
        if due is None:
            raise CronSimError("no such day")
        return due.astimezone(UTC)


def local_zone() -> tzinfo | None:
    """The machine's time zone with its clock changes; None when only its offset is known."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with _LOCAL_TIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return None


def utc_now() -> datetime:
    """This moment; in UTC, since differences of local times ignore clock changes."""
    return datetime.now(UTC)


async def no_hints(seconds: float) -> bool:
    """Waits; nothing ever hints at a change."""
    await asyncio.sleep(seconds)
    return False


async def keep_running(
    run: Callable[[], Awaitable[object]],
    schedule: Schedule,
    *,
    run_hinted: Callable[[], Awaitable[object]] | None = None,
    wait: Callable[[float], Awaitable[bool]] = no_hints,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Runs when due until cancelled; a failed run is logged and does not end the schedule.

    Runs never overlap: one that outlasts its distance is followed at once by the next, and missed
    times are not made up for. `wait` waits at most so many seconds, and gives True as soon as
    something hints at a change: then `run_hinted` looks at it, and the schedule goes on as it was.
    """
    due = schedule.first(now())
    while True:
        # A clock may still be short of the due time after the wait, and the run come twice.
        while (left := (due - now()).total_seconds()) > 0:
            if await wait(min(left, LONGEST_SLEEP)) and run_hinted is not None:
                await _run_logged(run_hinted)
        started = now()
        await _run_logged(run)
        due = max(schedule.after(started), now())
        logger.info("next_run=%s", due.astimezone().isoformat(timespec="seconds"))


async def _run_logged(run: Callable[[], Awaitable[object]]) -> None:
    try:
        await run()
    except RunInProgress as busy:
        logger.info("This run is left out. %s", busy)
    except ConfluenceMcpError as error:
        logger.error("This run failed; the next one is tried in time. %s", error)
    except Exception:  # unattended: whatever it was, the next run may succeed
        logger.exception("This run failed; the next one is tried in time.")
