"""Jobs of workers that were killed: another one takes them over."""

import logging

from procrastinate.jobs import Job

from index.errors import ConfluenceMcpError
from index.queue import LOOK, SETTLE, Batch, Queue, QueueError
from ingest.jobs import Jobs

logger = logging.getLogger(__name__)

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('confluence-mcp orphans', 0))"
# A batch whose workers die so often is taken apart, and a page alone has failed then.
MOST_DEATHS = 2


class WorkersDied(ConfluenceMcpError):
    """Each worker that took this page in died of it, or was killed just then."""


async def take_over(queue: Queue, jobs: Jobs) -> None:
    """Gives the jobs of dead workers to others; of several workers one does it."""
    async with queue.database.pool.connection() as connection:
        row = await (await connection.execute(TRY_LOCK)).fetchone()
        if row != (True,):
            return
        for job in await queue.orphans():
            logger.warning("job=%d task=%s lost its worker", job.id or 0, job.task_name)
            try:
                await _take_over(queue, jobs, job)
            except QueueError as error:  # its worker lives after all, and has just ended it
                logger.info("job=%d not taken over: %s", job.id or 0, error)
        await queue.forget_the_dead()


async def _take_over(queue: Queue, jobs: Jobs, job: Job) -> None:
    if job.task_name == LOOK:
        await queue.drop(job)
        await queue.defer_look()
    elif job.task_name == SETTLE:
        await queue.drop(job)
        await queue.defer_settle(0)
    elif job.attempts < MOST_DEATHS:
        await queue.give_back(job)
    else:
        await queue.drop(job)
        await jobs.take_apart(Batch.of(job), WorkersDied(WorkersDied.__doc__))
