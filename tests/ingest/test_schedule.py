"""When runs are due, on clocks that change, and what a failed run does to the next ones."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from index.errors import ConfigurationError, SourceUnavailable
from index.runs import RunInProgress
from ingest.schedule import Cron, Every, Schedule, keep_running, local_zone

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Stop(BaseException):
    """Ends a schedule that would run for ever."""


class Clock:
    """A time that passes by sleeping and by running only."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start
        self.started: list[datetime] = []

    def now(self) -> datetime:
        return self.time

    async def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)
        return False

    async def starts(
        self,
        schedule: Schedule,
        count: int,
        *,
        lasting: timedelta = timedelta(),
        failing_with: Exception | None = None,
    ) -> list[datetime]:
        """When the first `count` runs begin."""

        async def run() -> None:
            if len(self.started) == count:
                raise Stop
            self.started.append(self.time)
            self.time += lasting
            if failing_with is not None:
                raise failing_with

        with pytest.raises(Stop):
            await keep_running(run, schedule, now=self.now, wait=self.wait)
        return self.started


class FastClock(Clock):
    """Sleeps a little less than told."""

    async def wait(self, seconds: float) -> bool:
        return await super().wait(max(seconds - 0.3, 0.1))


class SleepyClock(Clock):
    """The lid is closed for an hour during the first sleep."""

    async def wait(self, seconds: float) -> bool:
        is_first = self.time == START
        return await super().wait(seconds + (3600 if is_first else 0))


def minutes(*numbers: float) -> list[datetime]:
    """So many minutes after the start."""
    return [START + timedelta(minutes=number) for number in numbers]


def at(text: str) -> datetime:
    """A moment, from its ISO 8601 form."""
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        (" 2 h ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
async def test_runs_come_at_once_and_then_at_a_fixed_distance(
    text: str, distance: timedelta
) -> None:
    starts = await Clock().starts(Every(text), 3)

    assert starts == [START, START + distance, START + 2 * distance]


async def test_the_distance_is_counted_from_start_to_start() -> None:
    starts = await Clock().starts(Every("15m"), 3, lasting=timedelta(minutes=5))

    assert starts == minutes(0, 15, 30)


async def test_a_run_that_outlasts_the_distance_is_followed_at_once_by_one_run() -> None:
    starts = await Clock().starts(Every("15m"), 3, lasting=timedelta(minutes=40))

    assert starts == minutes(0, 40, 80)


async def test_the_distance_does_not_change_with_the_clocks() -> None:
    clock = Clock(datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN))

    starts = await clock.starts(Every("1h"), 3)

    utc = [start.astimezone(UTC) for start in starts]
    assert utc[2] - utc[1] == utc[1] - utc[0] == timedelta(hours=1)


async def test_a_cron_expression_is_on_local_time() -> None:
    starts = await Clock().starts(Cron("0 2 * * *", BERLIN), 2)

    assert starts == [at("2026-03-03T02:00+01:00"), at("2026-03-04T02:00+01:00")]


async def test_a_night_keeps_its_hour_when_clocks_change() -> None:
    spring = await Clock(at("2026-03-28T12:00Z")).starts(Cron("0 4 * * *", BERLIN), 2)
    autumn = await Clock(at("2026-10-24T00:00Z")).starts(Cron("0 4 * * *", BERLIN), 3)

    assert spring == [at("2026-03-29T04:00+02:00"), at("2026-03-30T04:00+02:00")]
    assert autumn == [
        at("2026-10-24T04:00+02:00"),
        at("2026-10-25T04:00+01:00"),
        at("2026-10-26T04:00+01:00"),
    ]


async def test_a_skipped_time_is_due_when_clocks_have_skipped_it() -> None:
    starts = await Clock(at("2026-03-28T12:00Z")).starts(Cron("30 2 * * *", BERLIN), 2)

    assert starts == [at("2026-03-29T03:00+02:00"), at("2026-03-30T02:30+02:00")]


async def test_a_time_that_comes_twice_is_due_once() -> None:
    starts = await Clock(at("2026-10-24T12:00Z")).starts(Cron("30 2 * * *", BERLIN), 2)

    assert starts == [at("2026-10-25T02:30+02:00"), at("2026-10-26T02:30+01:00")]


async def test_frequent_runs_go_on_through_the_hour_that_comes_twice() -> None:
    starts = await Clock(at("2026-10-25T00:10Z")).starts(Cron("*/30 * * * *", BERLIN), 4)

    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(minutes=30)}


async def test_a_sleep_that_ends_early_does_not_bring_a_run_twice() -> None:
    starts = await FastClock(at("2026-03-02T01:00+01:00")).starts(Cron("0 2 * * *", BERLIN), 2)

    assert [start.astimezone(BERLIN).day for start in starts] == [2, 3]


async def test_a_machine_that_was_asleep_makes_up_for_one_run_only() -> None:
    starts = await SleepyClock().starts(Every("15m"), 3)

    assert starts == minutes(0, 61, 76)


@pytest.mark.parametrize(
    "error", [SourceUnavailable("Confluence is down."), RuntimeError("a mistake of ours")]
)
async def test_a_failed_run_does_not_end_the_schedule(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    starts = await Clock().starts(Every("15m"), 3, failing_with=error)

    assert starts == minutes(0, 15, 30)
    failures = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(failures) == 3
    assert str(error) in caplog.text
    # A traceback is for mistakes of ours only.
    assert [bool(record.exc_info) for record in failures] == [isinstance(error, RuntimeError)] * 3


async def test_another_run_in_progress_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    starts = await Clock().starts(Every("15m"), 2, failing_with=RunInProgress("another ingest"))

    assert starts == minutes(0, 15)
    assert "another ingest" in caplog.text
    assert not [record for record in caplog.records if record.levelno > 20]


async def test_a_stop_ends_the_schedule_and_the_run() -> None:
    running = asyncio.Event()
    tidied: list[bool] = []

    async def run() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append(True)

    schedule = asyncio.ensure_future(keep_running(run, Every("1d")))
    await running.wait()
    schedule.cancel()

    with pytest.raises(asyncio.CancelledError):
        await schedule
    assert tidied == [True]


@pytest.mark.parametrize(
    "text", ["", "m", "15", "0m", "-5m", "1.5h", "15 minutes", "1w", "9999999d"]
)
def test_a_distance_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Every(text)

    assert repr(text) in str(caught.value)
    assert "15m" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "fields"),
        ("0 2 * *", "fields"),
        ("nightly", "fields"),
        ("61 * * * *", "minute"),
        ("0 25 * * *", "hour"),
        ("0 2 * * FUN", "day-of-week"),
        ("0 0 31 2 *", "day-of-month"),
    ],
)
def test_a_cron_expression_that_cannot_be_read_is_named_with_its_fault(
    expression: str, reason: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Cron(expression)

    assert repr(expression) in str(caught.value)
    assert reason in str(caught.value)


def test_the_time_zone_is_the_one_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    berlin = local_zone()
    monkeypatch.setenv("TZ", "no such zone")
    unknown = local_zone()

    assert berlin == BERLIN
    assert unknown is None
