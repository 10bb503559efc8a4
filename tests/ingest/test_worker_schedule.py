"""When the site is due to be looked at, for workers that know of each other only by the queue."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from procrastinate.jobs import Job

from index.database import Database
from index.queue import Queue
from ingest.jobs_schedule import CronTicks, EveryTicks
from ingest.schedule import Cron, Every
from tests.ingest.worker_hosts import rows

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LOOKS = "SELECT args->'timestamp' FROM procrastinate_jobs WHERE task_name = 'look'"


def at(text: str) -> datetime:
    """A time of that day."""
    return datetime.fromisoformat(f"2026-03-02T{text}+00:00")


async def taken(queue: Queue) -> Job:
    """The job that a worker would do next, in hand."""
    manager = queue.app.job_manager
    job = await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("every", "now", "last", "following"),
    [
        ("5m", "12:03:20", "12:00", "12:05"),
        ("5m", "12:05", "12:05", "12:10"),
        ("7m", "12:00", "11:55", "12:02"),
        ("1d", "12:00", "00:00", None),
    ],
)
def test_ticks_are_at_the_same_times_wherever_a_worker_begins(
    every: str, now: str, last: str, following: str | None
) -> None:
    ticks = EveryTicks(Every(every))

    assert ticks.last(at(now)) == at(last)
    assert following is None or ticks.next(at(now)) == at(following)


def test_cron_ticks_are_on_the_clocks_of_the_zone_and_due_for_ten_minutes() -> None:
    ticks = CronTicks(Cron("30 12 * * *", BERLIN))

    assert ticks.last(at("11:29")) is None
    assert ticks.last(at("11:30")) == at("11:30")
    assert ticks.last(at("11:39")) == at("11:30")
    assert ticks.last(at("11:41")) is None
    assert ticks.next(at("11:29")) == at("11:30")


@pytest.mark.anyio
async def test_a_tick_is_deferred_once_however_many_workers_defer_it(database: Database) -> None:
    async with Queue.open(database) as first, Queue.open(database) as second:
        assert await first.defer_tick(NOON)
        assert await second.defer_tick(NOON)
        looks = await rows(database, LOOKS)
        await first.drop(await taken(first))
        assert await second.defer_tick(NOON)
        _, newest = await second.newest_tick()

    assert looks == [(int(NOON.timestamp()),)]
    assert newest == NOON
    assert await rows(database, LOOKS) == []


@pytest.mark.anyio
async def test_a_tick_that_meets_a_look_for_hints_is_tried_again(database: Database) -> None:
    async with Queue.open(database) as queue:
        await queue.defer_look(for_hints=True)
        met = await queue.defer_tick(NOON)
        await queue.drop(await taken(queue))
        again = await queue.defer_tick(NOON)

    assert (met, again) == (False, True)
    assert await rows(database, LOOKS) == [(int(NOON.timestamp()),)]
