"""A worker: one of any number of processes, on any number of hosts, that share one ingest."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NoReturn

import psycopg
from procrastinate.worker import Worker

from index.background import ended
from index.database import Database
from index.embeddings import Embedder
from index.errors import ConfluenceMcpError, DatabaseError, ModelMismatchError
from index.hints import waiting
from index.metrics_listener import metrics_listener
from index.models import active_model, require_model
from index.queue import QUEUE, Queue, QueueError
from index.status import is_empty
from ingest.attachments.reading import AttachmentReader
from ingest.jobs import Jobs
from ingest.jobs_orphans import take_over
from ingest.jobs_schedule import Ticks
from ingest.jobs_shared import Shared, Sources
from ingest.run import choose_embedder
from ingest.settings import IngestSettings, source_from
from ingest.shared_pace import SharedPace
from ingest.sources.live import account_from
from ingest.sources.source import Source

logger = logging.getLogger(__name__)

GRACE = 20.0  # seconds that jobs in hand get to end, before they are given back
LOOK_FOR_ORPHANS = 5.0
AFTER_HINT = 2.0  # a look takes as long to begin
LONGEST_WAIT = 60.0
RECONNECT = 5.0
# Requests under way of a killed worker hold back the others so long.
LEASE_S = 15.0


async def work(settings: IngestSettings, ticks: Ticks, *, concurrency: int) -> NoReturn:
    """Does jobs until cancelled, `concurrency` at a time; those in hand end or are given back.

    When the index gets another model, it goes on with that one. Raises ConfigurationError,
    DatabaseError or ModelMismatchError when it cannot.
    """
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("procrastinate.worker").addFilter(_is_news)
    while True:
        async with (
            open_shared(settings, concurrency) as shared,
            metrics_listener(settings, shared.database),
        ):
            try:
                await _work(shared, ticks, concurrency)
            except ModelMismatchError as error:
                if not await shared.is_overtaken():
                    raise
                logger.warning("begins anew: %s", error)


async def _work(shared: Shared, ticks: Ticks, concurrency: int) -> NoReturn:
    jobs = Jobs(shared)
    jobs.register(shared.queue.app)
    side = [
        asyncio.create_task(_again_and_again(one))
        for one in (
            lambda: _tick(shared.queue, ticks),
            lambda: _take_hints(shared),
            lambda: _look_for_orphans(shared.queue, jobs),
        )
    ]
    try:
        await _do_jobs(shared, concurrency)
    finally:
        await ended(*side)


@asynccontextmanager
async def open_shared(settings: IngestSettings, concurrency: int) -> AsyncGenerator[Shared]:
    """What jobs work with; raises ConfigurationError, DatabaseError or ModelMismatchError."""
    site_url = account_from(settings.credentials).site_url
    async with (
        Database.open(
            settings,
            application_name="confluence-mcp worker",
            max_connections=4 + 4 * concurrency,
        ) as database,
        Queue.open(database) as queue,
        AttachmentReader() as reader,
    ):

        def open_source() -> AbstractAsyncContextManager[Source]:
            return source_from(
                settings, make_pace=lambda url: SharedPace(database, url, lease_s=LEASE_S)
            )

        async with open_source():
            pass  # wrong settings are told now
        async with _embedder(settings, database) as embedder, Sources(open_source) as sources:
            yield Shared(
                settings, site_url, database, queue, embedder, reader, open_source, sources
            )


@asynccontextmanager
async def _embedder(settings: IngestSettings, database: Database) -> AsyncGenerator[Embedder]:
    """The model, opened once; ModelMismatchError when the index was filled by another one."""
    embedder = await choose_embedder(database, settings)
    try:
        async with database.pool.connection() as connection:
            recorded = await active_model(connection)
        if recorded and not await is_empty(database):
            require_model(recorded, embedder)
        yield embedder
    finally:
        await embedder.close()


async def _do_jobs(shared: Shared, concurrency: int) -> NoReturn:
    """Does jobs; begins anew when the database was away, raises what ends the worker."""
    this = asyncio.current_task()
    while shared.error is None:
        worker = _worker(shared.queue, concurrency)
        shared.stop = worker.stop
        try:
            await worker.run()
        except (QueueError, psycopg.Error) as error:
            if this and this.cancelling():
                raise asyncio.CancelledError from error
            logger.warning("The queue cannot be reached: %s", error.__cause__ or error)
        if shared.error is None:
            await asyncio.sleep(RECONNECT)
    raise shared.error


def _worker(queue: Queue, concurrency: int) -> Worker:
    return Worker(
        queue.app,
        queues=[QUEUE],
        concurrency=concurrency,
        shutdown_graceful_timeout=GRACE,
        delete_jobs="successful",
        install_signal_handlers=False,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Whether the library says what the jobs do not say themselves."""
    return not str(getattr(record, "action", "")).startswith("job_")


async def _again_and_again(one: Callable[[], Awaitable[float]]) -> None:
    """Does a thing for ever, whatever happens, with as many seconds between as it says."""
    while True:
        try:
            seconds = await one()
        except (psycopg.Error, QueueError, DatabaseError) as error:
            logger.info("the database is away: %s", error.__cause__ or error)
            seconds = RECONNECT
        except ConfluenceMcpError as error:
            logger.warning("%s", error)
            seconds = LONGEST_WAIT
        except Exception:  # a worker that does jobs is worth more than one that ends
            logger.exception("a duty of this worker failed")
            seconds = LONGEST_WAIT
        await asyncio.sleep(seconds)


async def _tick(queue: Queue, ticks: Ticks) -> float:
    now, newest = await queue.newest_tick()
    due = ticks.last(now)
    is_due = due is not None and (newest is None or newest < due)
    if due is not None and is_due and not await queue.defer_tick(due):
        return AFTER_HINT
    return min((ticks.next(now) - now).total_seconds(), LONGEST_WAIT)


async def _take_hints(shared: Shared) -> float:
    async with waiting(shared.database) as wait:
        while not await wait(LONGEST_WAIT):
            pass
    await shared.queue.defer_look(for_hints=True)
    return AFTER_HINT


async def _look_for_orphans(queue: Queue, jobs: Jobs) -> float:
    await take_over(queue, jobs)
    return LOOK_FOR_ORPHANS
