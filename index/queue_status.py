"""How the shared ingest goes: workers that live, and jobs that wait, run or failed."""

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

HAS_QUEUE = """
SELECT coalesce(has_table_privilege(to_regclass('procrastinate_jobs'), 'SELECT')
                AND has_table_privilege(to_regclass('procrastinate_workers'), 'SELECT'), false)
"""
READ = """
SELECT (SELECT count(*) FROM procrastinate_workers
        WHERE last_heartbeat > now() - interval '30 seconds') AS workers,
       count(*) FILTER (WHERE status = 'todo' AND task_name <> 'settle') AS waiting,
       count(*) FILTER (WHERE status = 'doing') AS running,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM procrastinate_jobs WHERE queue_name = 'confluence-mcp'
"""
OLDEST = """
SELECT coalesce(extract(epoch FROM now() - greatest(scheduled_at, (
    SELECT min(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'deferred')
)), 0)::float8
FROM procrastinate_jobs AS job
WHERE status = 'todo' AND queue_name = 'confluence-mcp'
  AND (scheduled_at IS NULL OR scheduled_at <= now())
ORDER BY id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Workers that gave a sign of life within 30 seconds, and their jobs.

    `failed` are those of the last 7 days that ended without success; their pages are due again.
    """

    workers: int
    waiting: int
    running: int
    failed: int

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"Workers: {self.workers} alive; jobs: {self.waiting} waiting, "
            f"{self.running} running, {self.failed} failed"
        )


async def read_queue(connection: AsyncConnection[TupleRow]) -> QueueStatus | None:
    """The queue as it is; None where no worker ever ran, or where it may not be read."""
    row = await (await connection.execute(HAS_QUEUE)).fetchone()
    if row != (True,):
        return None
    async with connection.cursor(row_factory=class_row(QueueStatus)) as cursor:
        return await (await cursor.execute(READ)).fetchone()


async def oldest_job_s(connection: AsyncConnection[TupleRow]) -> float:
    """For how many seconds the first of the jobs that are due has waited; 0 when none is."""
    row = await (await connection.execute(OLDEST)).fetchone()
    return row[0] if row else 0.0
