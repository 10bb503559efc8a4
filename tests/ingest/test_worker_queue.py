"""The tables of the queue: who makes them, and what is said when nobody can."""

import asyncio

import pytest
from pydantic import SecretStr

from index.database import Database
from index.errors import DatabaseError
from index.queue import Queue
from index.queue_schema import known_steps, make_queue
from index.queue_status import QueueStatus, read_queue
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.ingest.worker_hosts import rows

pytestmark = pytest.mark.anyio

HAS_JOBS = "SELECT to_regclass('procrastinate_jobs') IS NOT NULL"
VERSION = "SELECT version FROM queue_schema"
NAME = "SELECT current_database()"


async def test_workers_that_begin_at_once_make_one_queue(database: Database) -> None:
    before = await rows(database, HAS_JOBS)

    await asyncio.gather(*(make_queue(database) for _ in range(4)))
    await make_queue(database)

    assert before == [(False,)]
    assert await rows(database, HAS_JOBS) == [(True,)]
    assert await rows(database, VERSION) == [(max(known_steps()),)]


async def test_an_older_queue_is_brought_up_to_date(database: Database) -> None:
    await make_queue(database)
    # What the last step makes, so that it can be made again.
    last = sorted(known_steps())[-2]
    await rows(database, "DROP FUNCTION procrastinate_retry_job_v1")
    await rows(database, "UPDATE queue_schema SET version = %(version)s", version=last)

    await make_queue(database)

    assert await rows(database, VERSION) == [(max(known_steps()),)]


async def test_a_newer_queue_is_left_alone(database: Database) -> None:
    await make_queue(database)
    await rows(database, "UPDATE queue_schema SET version = '99.00.00_01_x.sql'")

    with pytest.raises(DatabaseError, match=r"newer version.\nUpdate confluence-mcp"):
        await make_queue(database)


async def test_a_queue_of_another_program_is_left_alone(database: Database) -> None:
    await make_queue(database)
    await rows(database, "DROP TABLE queue_schema")

    with pytest.raises(DatabaseError, match=r"another program made.\nSet POSTGRES_URL"):
        await make_queue(database)


async def test_a_role_that_may_not_make_the_queue_is_told_who_may(
    postgres: Postgres, database: Database, index_settings: IndexSettings
) -> None:
    ((name,),) = await rows(database, NAME)
    postgres.run("DROP ROLE IF EXISTS guest")
    postgres.run("CREATE ROLE guest LOGIN")
    postgres.run(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest",
        database=name,
    )
    settings = index_settings.model_copy(
        update={"postgres_url": SecretStr(postgres.url(name, "guest"))}
    )
    async with Database.open(settings, application_name="tests") as guest:
        with pytest.raises(DatabaseError, match="may not make the job queue") as refused:
            await make_queue(guest)
        await make_queue(database)
        with pytest.raises(DatabaseError, match="may not use the job queue") as unusable:
            await make_queue(guest)
    postgres.run("DROP OWNED BY guest", database=name)
    postgres.run("DROP ROLE guest")

    assert 'GRANT CREATE ON SCHEMA "public" TO "guest";' in str(refused.value)
    assert "GRANT USAGE ON ALL SEQUENCES" in str(unusable.value)


async def test_the_status_counts_workers_and_jobs(database: Database) -> None:
    async with database.pool.connection() as connection:
        before = await read_queue(connection)
    async with Queue.open(database) as queue:
        await queue.app.job_manager.register_worker()
        await queue.defer_look()
        await queue.defer_settle(1)
        async with database.pool.connection() as connection:
            after = await read_queue(connection)

    assert before is None
    assert after is not None
    assert after == QueueStatus(workers=1, waiting=1, running=0, failed=0)
    assert after.summary() == "Workers: 1 alive; jobs: 1 waiting, 0 running, 0 failed"
