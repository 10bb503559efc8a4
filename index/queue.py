"""The queue of jobs in Postgres through which any number of workers share one ingest."""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.types import JSONDict

from index.database import Database
from index.queue_schema import make_queue

QUEUE = "confluence-mcp"
# Names of jobs, which are the same for whoever defers and whoever works.
LOOK, TAKE_IN, SETTLE = "look", "take_in", "settle"
# Higher goes first. What a server was told of has to be found within seconds.
OF_LOOK, OF_HINTED, OF_BATCH, OF_SETTLE = 20, 10, 0, -10
# The queue's own connections: a busy index must not keep a worker from showing that it lives.
CONNECTIONS = 3
DEAD_AFTER = 30.0  # seconds without a sign of life
FORGET_AFTER = 7 * 24  # hours that failed jobs are shown

QueueError = ConnectorException


@dataclass(frozen=True, slots=True)
class Batch:
    """Pages of one run to take in; `again`: even if they look unchanged."""

    run_id: int
    page_ids: Sequence[str]
    again: bool = False

    @classmethod
    def of(cls, job: Job) -> Self:
        """What a job is to take in."""
        run_id, page_ids = job.task_kwargs["run_id"], job.task_kwargs["page_ids"]
        assert isinstance(run_id, int) and isinstance(page_ids, list)
        return cls(run_id, [str(page_id) for page_id in page_ids], bool(job.task_kwargs["again"]))


NEWEST_TICK = """
SELECT extract(epoch FROM clock_timestamp())::float8, (
    SELECT max(defer_timestamp) FROM procrastinate_periodic_defers WHERE task_name = %(task)s)
"""
WAITING_BATCHES = """
SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FROM procrastinate_jobs
WHERE task_name = %(task)s AND status IN ('todo', 'doing')
"""
WAITING_PAGES = """
SELECT jsonb_array_elements_text(args->'page_ids') FROM procrastinate_jobs
WHERE task_name = %(task)s AND status IN ('todo', 'doing')
"""


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs to be done by any worker.

    While the database is away, calls raise QueueError or psycopg.OperationalError.
    """

    app: App
    database: Database

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncGenerator[Self]:
        """The queue of an index, made when it is missing; raises DatabaseError as `make_queue`."""
        await make_queue(database)
        connector = PsycopgConnector(
            conninfo=database.conninfo, min_size=1, max_size=CONNECTIONS, name="queue"
        )
        app = App(connector=connector)
        async with app.open_async():
            yield cls(app, database)

    async def defer_look(self, *, for_hints: bool = False) -> bool:
        """Has the site looked at; False when a look waits already.

        One that is `for_hints` has nothing to do if another look has taken them up meanwhile.
        """
        return await self._defer_one(LOOK, OF_LOOK, for_hints=for_hints)

    async def defer_settle(self, seconds: int) -> bool:
        """Has the index tidied up after so many seconds; False when that waits already."""
        return await self._defer_one(SETTLE, OF_SETTLE, seconds)

    async def _defer_one(
        self, name: str, priority: int, seconds: int = 0, **arguments: bool
    ) -> bool:
        job = self.app.configure_task(
            name,
            queue=QUEUE,
            lock=name,
            queueing_lock=name,
            priority=priority,
            schedule_in={"seconds": seconds} if seconds else None,
        )
        try:
            await job.defer_async(**arguments)
        except AlreadyEnqueued:
            return False
        return True

    async def defer_batches(self, batches: Iterable[Batch], *, hinted: bool = False) -> None:
        """Has pages taken in; `hinted` ones go before others."""
        arguments: list[JSONDict] = [
            {"run_id": one.run_id, "page_ids": list(one.page_ids), "again": one.again}
            for one in batches
        ]
        priority = OF_HINTED if hinted else OF_BATCH
        job = self.app.configure_task(TAKE_IN, queue=QUEUE, priority=priority)
        if arguments:
            await job.batch_defer_async(*arguments)

    async def newest_tick(self) -> tuple[datetime, datetime | None]:
        """The time by the clock that all workers share, and the last tick that was deferred."""
        async with self.database.pool.connection() as connection:
            row = await (await connection.execute(NEWEST_TICK, {"task": LOOK})).fetchone()
        assert row is not None
        newest = None if row[1] is None else datetime.fromtimestamp(row[1], UTC)
        return datetime.fromtimestamp(row[0], UTC), newest

    async def defer_tick(self, tick: datetime) -> bool:
        """Has the site looked at for a tick of the schedule: once, however many defer it.

        False when a look waits already, which may be one for hints only.
        """
        timestamp = int(tick.timestamp())
        job = self.app.configure_task(
            LOOK,
            queue=QUEUE,
            lock=LOOK,
            queueing_lock=LOOK,
            priority=OF_LOOK,
            task_kwargs={"timestamp": timestamp},
        ).job
        try:
            await self.app.job_manager.defer_periodic_job(
                job=job, periodic_id="", defer_timestamp=timestamp
            )
        except AlreadyEnqueued:
            return False
        return True

    async def waiting_batches(self) -> tuple[int, int]:
        """How many batches wait, and how many wait or are being taken in."""
        async with self.database.pool.connection() as connection:
            row = await (await connection.execute(WAITING_BATCHES, {"task": TAKE_IN})).fetchone()
        assert row is not None
        return row[0], row[1]

    async def waiting_pages(self) -> set[str]:
        """The pages of batches that wait or are being taken in."""
        async with self.database.pool.connection() as connection:
            rows = await connection.execute(WAITING_PAGES, {"task": TAKE_IN})
            return {page_id async for (page_id,) in rows}

    async def orphans(self) -> list[Job]:
        """Jobs whose worker is dead."""
        manager = self.app.job_manager
        return list(await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=DEAD_AFTER))

    async def give_back(self, job: Job) -> None:
        """Lets another worker take a job that somebody has in hand."""
        await self.app.job_manager.retry_job(job)

    async def drop(self, job: Job) -> None:
        """Ends a job that somebody has in hand."""
        await self.app.job_manager.finish_job(job, Status.FAILED, delete_job=True)

    async def forget_the_dead(self) -> None:
        """Forgets workers that gave no sign of life for long; one that lives registers anew."""
        await self.app.job_manager.prune_stalled_workers(2 * DEAD_AFTER)

    async def forget_the_failed(self) -> None:
        """Forgets old jobs that did not succeed; others go at once."""
        await self.app.job_manager.delete_old_jobs(
            FORGET_AFTER,
            queue=QUEUE,
            include_failed=True,
            include_cancelled=True,
            include_aborted=True,
        )


def in_batches(page_ids: Collection[str], run_id: int, size: int, *, again: bool) -> list[Batch]:
    """The pages in batches of at most so many."""
    ordered = list(page_ids)
    return [Batch(run_id, ordered[at : at + size], again) for at in range(0, len(ordered), size)]
