"""What the database tells about the index, in few numbers: how fresh, how large, what waits."""

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.queue_status import QueueStatus, oldest_job_s, read_queue

LIMITS = """
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', %(timeout)s, true)
"""
# Times are seconds since 1970. A run over some spaces alone counts as a run of its site.
SITES = """
WITH of_page AS (
    SELECT site_id,
           count(*) FILTER (WHERE content_type IN ('page', 'blogpost')) AS pages,
           sum(chunk_count) AS chunks,
           sum(jsonb_array_length(unreadable)) AS unreadable
    FROM page WHERE state <> 'tombstoned' GROUP BY site_id
),
of_failure AS (SELECT site_id, count(*) AS failures FROM page_failure GROUP BY site_id),
of_space AS (SELECT site_id, sum(embedded_tokens) AS tokens FROM space GROUP BY site_id)
SELECT site.url,
       coalesce(pages, 0)::float8 AS pages,
       coalesce(chunks, 0)::float8 AS chunks,
       coalesce(unreadable, 0)::float8 AS unreadable,
       coalesce(failures, 0)::float8 AS failed_pages,
       coalesce(tokens, 0)::float8 AS embedded_tokens,
       extract(epoch FROM last_run.finished_at)::float8 AS run_at,
       last_run.succeeded AS has_succeeded,
       extract(epoch FROM last_good.finished_at)::float8 AS good_run_at
FROM site
LEFT JOIN of_page ON of_page.site_id = site.id
LEFT JOIN of_failure ON of_failure.site_id = site.id
LEFT JOIN of_space ON of_space.site_id = site.id
LEFT JOIN LATERAL (
    SELECT finished_at, succeeded FROM sync_run
    WHERE sync_run.site_id = site.id AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1
) AS last_run ON true
LEFT JOIN LATERAL (
    SELECT finished_at FROM sync_run
    WHERE sync_run.site_id = site.id AND succeeded ORDER BY id DESC LIMIT 1
) AS last_good ON true
ORDER BY site.id LIMIT 50
"""
SIZE = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """One site: times are None where there was no such run yet."""

    url: str
    pages: float
    chunks: float
    unreadable: float
    failed_pages: float
    embedded_tokens: float
    run_at: float | None
    has_succeeded: bool | None
    good_run_at: float | None


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """All of it; `queue` is None where no worker ever ran."""

    sites: list[SiteFacts]
    size_bytes: int
    queue: QueueStatus | None
    oldest_job_s: float


async def read_facts(connection: AsyncConnection[TupleRow], timeout_s: float) -> IndexFacts:
    """Reads them in one transaction that can change nothing."""
    async with connection.transaction():
        await connection.execute(LIMITS, {"timeout": f"{round(timeout_s * 1000)}ms"})
        async with connection.cursor(row_factory=class_row(SiteFacts)) as cursor:
            sites = await (await cursor.execute(SITES)).fetchall()
        size = await (await connection.execute(SIZE)).fetchone()
        queue = await read_queue(connection)
        oldest = await oldest_job_s(connection) if queue else 0.0
    return IndexFacts(sites, size[0] if size else 0, queue, oldest)
