"""Jobs of workers when workers die, the database is away, or pages change under their hands."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from procrastinate.jobs import Job
from pydantic import SecretStr

from index.database import Database
from index.errors import (
    AuthenticationError,
    EmbeddingError,
    ModelMismatchError,
    SourceUnavailable,
)
from index.queue import TAKE_IN, Batch
from index.settings import IndexSettings
from ingest.jobs import Jobs, TryLater
from ingest.jobs_orphans import take_over
from ingest.jobs_schedule import EveryTicks
from ingest.jobs_shared import Shared
from ingest.schedule import Every
from ingest.settings import IngestSettings
from ingest.worker import open_shared, work
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import slow
from tests.confluence.samples import filled_site
from tests.ingest.wiki import FAILURES, Wiki, wiki_of
from tests.ingest.worker_hosts import held, is_idle, rows, until

pytestmark = pytest.mark.anyio

JOBS = """
SELECT task_name, status::text, attempts, jsonb_array_length(args->'page_ids')
FROM procrastinate_jobs ORDER BY id
"""
DEAD_WORKER = """
INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '31 seconds')
RETURNING id
"""
IN_DEAD_HANDS = """
UPDATE procrastinate_jobs SET status = 'doing', worker_id = %(id)s, attempts = %(attempts)s
"""
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'confluence-mcp worker'
"""
PAGES = "SELECT count(*) FROM page"
COMMENTS = "SELECT page_id FROM comment JOIN page USING (page_ref)"
TITLE = "SELECT title FROM page WHERE page_id = %(id)s"
WORDS = "SELECT chunk_id, term_ids FROM chunk_term ORDER BY chunk_id"
AN_OLDER_LEXICON = """
WITH old AS (UPDATE lexicon SET version = 0)
UPDATE chunk_term SET term_ids = ARRAY[5, 7], weights = '{5:1,7:1}/1000000000' RETURNING 1
"""
STATES = "SELECT state FROM page WHERE page_id = %(id)s"
# Runs, and the seconds from the first to the last.
TICKS = """
SELECT count(*), extract(epoch FROM max(started_at) - min(started_at))::float8 FROM sync_run
"""


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    """A space of 30 pages, whose changes from now on bear this hour."""
    site = filled_site({"ENG": 30})
    site.clock.now = datetime.now(UTC)
    async with wiki_of(site, index_settings, database) as wiki:
        yield wiki


def settings_of(wiki: Wiki, *, comments: bool = True) -> IngestSettings:
    """What a worker is set to."""
    own = {
        "confluence_url": wiki.scene.base_url,
        "confluence_username": EMAIL,
        "confluence_api_token": SecretStr(TOKEN),
        "confluence_comments": comments,
    }
    return IngestSettings.model_validate(wiki.settings.model_dump() | own)


@asynccontextmanager
async def working(
    wiki: Wiki, every: str = "1h", *, comments: bool = True
) -> AsyncGenerator[asyncio.Task[None]]:
    """A worker of this process, stopped at the end."""

    async def run() -> None:
        settings = settings_of(wiki, comments=comments)
        await work(settings, EveryTicks(Every(every)), concurrency=2)

    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def shared(wiki: Wiki) -> AsyncGenerator[Shared]:
    """What jobs work with, where no worker does any."""
    async with open_shared(settings_of(wiki), 1) as shared:
        yield shared


async def orphaned(shared: Shared, attempts: int) -> None:
    """Lets all jobs be in the hands of a worker that died."""
    ((number,),) = await rows(shared.database, DEAD_WORKER)
    await rows(shared.database, IN_DEAD_HANDS, id=number, attempts=attempts)


async def test_one_schedule_holds_however_many_workers_follow_it(
    wiki: Wiki, database: Database
) -> None:
    async def are_four() -> bool:
        return (await rows(database, TICKS))[0][0] >= 4

    async with working(wiki, "2s"), working(wiki, "2s"), working(wiki, "2s"):
        await until(are_four)
        ((runs, seconds),) = await rows(database, TICKS)

    # A look may begin late, and the next one in time.
    assert runs <= seconds / 2 + 2


async def test_a_database_that_breaks_all_connections_costs_nothing_but_time(
    wiki: Wiki, database: Database
) -> None:
    wiki.faults.add(slow(0.02), times=None)

    async def has_begun() -> bool:
        return (await rows(database, PAGES))[0][0] > 0

    async with working(wiki) as worker:
        await until(has_begun)
        await rows(database, CUT)
        await until(lambda: is_idle(database))
        is_alive = not worker.done()
    left = await held(database)
    report = await wiki.run()

    assert is_alive
    assert report.stored == 0
    assert await held(database) == left
    assert await rows(database, PAGES) == [(30,)]


async def test_a_worker_without_comments_takes_none_in(wiki: Wiki, database: Database) -> None:
    page_id = next(iter(wiki.site.contents))
    wiki.site.comment(page_id, "<p>Why so early?</p>")
    await wiki.run()
    wiki.site.rename(page_id, "Renamed")
    before = await rows(database, COMMENTS)

    async def is_renamed() -> bool:
        return (await rows(database, TITLE, id=page_id))[0][0] == "Renamed"

    async with working(wiki, comments=False):
        await until(is_renamed)

    assert before == [(page_id,)]
    assert await rows(database, COMMENTS) == []


async def test_jobs_of_a_dead_worker_go_to_others(shared: Shared) -> None:
    queue, jobs = shared.queue, Jobs(shared)
    await queue.defer_batches([Batch(1, ["1", "2"])])
    await queue.defer_look()
    await queue.defer_settle(0)
    await orphaned(shared, attempts=0)

    await asyncio.gather(take_over(queue, jobs), take_over(queue, jobs))

    assert sorted(await rows(shared.database, JOBS), key=str) == [
        ("look", "todo", 0, None),
        ("settle", "todo", 0, None),
        ("take_in", "todo", 1, 2),
    ]


async def test_jobs_of_a_living_worker_are_its_own(shared: Shared) -> None:
    await shared.queue.defer_batches([Batch(1, ["1"])])
    manager = shared.queue.app.job_manager
    await manager.fetch_job(queues=None, worker_id=await manager.register_worker())

    await take_over(shared.queue, Jobs(shared))

    assert await rows(shared.database, JOBS) == [("take_in", "doing", 0, 1)]


async def test_a_look_reads_the_words_anew_that_an_older_version_has_read(
    wiki: Wiki, shared: Shared
) -> None:
    await wiki.run()
    words = await rows(shared.database, WORDS)
    await rows(shared.database, AN_OLDER_LEXICON)

    await Jobs(shared).look()

    assert await rows(shared.database, WORDS) == words


async def test_a_batch_that_kills_its_workers_is_taken_apart_to_the_page(
    wiki: Wiki, shared: Shared
) -> None:
    await wiki.run()
    page_id = next(iter(wiki.site.contents))
    wiki.site.edit(page_id, "<p>Deadly.</p>")
    jobs = Jobs(shared)
    await shared.queue.defer_batches([Batch(1, [page_id, "2"], again=True)])

    await orphaned(shared, attempts=2)
    await take_over(shared.queue, jobs)
    apart = await rows(shared.database, JOBS)
    await orphaned(shared, attempts=2)
    await take_over(shared.queue, jobs)

    assert apart == [("take_in", "todo", 0, 1), ("take_in", "todo", 0, 1)]
    assert await rows(shared.database, JOBS) == []
    ((failed, _, error, _),) = await rows(shared.database, FAILURES)
    assert failed == page_id
    assert "Each worker" in error


async def test_a_page_that_is_written_after_a_sweep_found_it_gone_is_hidden(
    wiki: Wiki, shared: Shared
) -> None:
    await wiki.run()
    page_id = next(iter(wiki.site.contents))
    await rows(shared.database, "DELETE FROM node WHERE node_id = %(id)s", id=page_id)

    await Jobs(shared).settle()

    assert await rows(shared.database, STATES, id=page_id) == [("tombstoned",)]


async def test_a_look_defers_no_page_twice(wiki: Wiki, shared: Shared) -> None:
    jobs = Jobs(shared)

    await jobs.look()
    once = await rows(shared.database, JOBS)
    await jobs.look()

    assert once == [
        ("take_in", "todo", 0, 25),
        ("take_in", "todo", 0, 5),
        ("settle", "todo", 0, None),
    ]
    assert await rows(shared.database, JOBS) == once


async def test_a_worker_whose_model_is_not_that_of_the_index_any_more_ends(
    wiki: Wiki, database: Database
) -> None:
    await wiki.run()
    async with working(wiki) as worker:
        await until(lambda: is_idle(database))
        await rows(database, "UPDATE embedding_model SET name = 'another'")
        await rows(database, "INSERT INTO page_hint VALUES ('1')")
        await rows(database, "SELECT pg_notify('confluence_mcp_hint', '')")
        with pytest.raises(ModelMismatchError, match="filled by the embedding model another"):
            await worker


@pytest.mark.parametrize(
    ("error", "attempts", "seconds"),
    [
        (SourceUnavailable("away"), 0, 5),
        (SourceUnavailable("away"), 3, 40),
        (EmbeddingError("away"), 9, 300),
        (asyncio.CancelledError(), 50, 0),
        (SourceUnavailable("away"), 10, None),
        (AuthenticationError("refused"), 0, None),
        (ValueError("a bug"), 0, None),
    ],
)
async def test_jobs_are_tried_again_later_and_later(
    error: BaseException, attempts: int, seconds: int | None
) -> None:
    job = Job(
        id=1,
        lock=None,
        queueing_lock=None,
        task_name=TAKE_IN,
        queue="q",
        attempts=attempts,
    )
    before = datetime.now(UTC)

    decision = TryLater().get_retry_decision(exception=error, job=job)

    assert (decision is None) == (seconds is None)
    if decision and decision.retry_at and seconds is not None:
        assert 0 <= (decision.retry_at - before).total_seconds() - seconds < 5
