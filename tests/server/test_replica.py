"""A server that reads from a streaming standby: while that keeps up, and when it does not."""

from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client

from index.access import Askers
from index.database import Database
from index.pages import Pages
from index.replica import Replica, read_lag
from index.settings import IndexSettings
from server.app import create_server, open_deps
from server.settings import ServerSettings
from server.steady import asked_twice
from tests.command import Command
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.askers import BOB, CLOSE
from tests.server.asking import Variables, titles, variables_for
from tests.server.held_tables import until
from tests.server.standby import Cluster, primary_server, standby_of
from tests.server.wiki import ARTICLES, Wiki, take_in

pytestmark = pytest.mark.anyio

WHERE = "SELECT pg_is_in_recovery()"
SLOW_ON_A_STANDBY = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_sleep(60)::text ELSE 'primary' END
FROM (SELECT count(*) FROM shown_page) AS of_pages
"""
IS_ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@pytest.fixture(scope="module")
def primary(postgres: Postgres, shared_endpoint: OpenAIEndpoint) -> Generator[Cluster]:
    """A Postgres of its own with the small wiki in it."""
    with primary_server(postgres) as primary:
        variables = variables_for(primary.url(), shared_endpoint)
        settings = IndexSettings.model_validate(variables.as_fields())
        with start_blocking_portal() as portal:
            portal.call(take_in, settings, Wiki(ARTICLES))
        yield primary


@pytest.fixture(scope="module")
def both(postgres: Postgres, primary: Cluster) -> Generator[tuple[Cluster, ExitStack]]:
    """Its standby, and what ends it early."""
    with standby_of(postgres, primary) as both:
        yield both


@pytest.fixture(scope="module")
def standby(both: tuple[Cluster, ExitStack]) -> Cluster:
    """Its standby."""
    return both[0]


@pytest.fixture(scope="module")
def own(primary: Cluster, shared_endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a program that knows the primary alone."""
    return variables_for(primary.url(), shared_endpoint)


@asynccontextmanager
async def reading(
    own: Variables, standby: Cluster, *, max_lag_s: float = 60
) -> AsyncGenerator[tuple[Database, Replica]]:
    """The database as a server reads it, once the standby is asked."""
    settings = ServerSettings.model_validate(
        own.as_fields()
        | {"postgres_replica_url": standby.url(), "postgres_replica_max_lag": max_lag_s}
    )
    replica = settings.replica()
    assert replica is not None
    async with Database.open(
        settings, application_name="tests", for_askers=True, replica=replica
    ) as database:
        await until(lambda: replica.is_current)
        yield database, replica


async def is_on_standby(database: Database) -> bool:
    """Which of the two is asked."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(WHERE)).fetchone()
    return row == (True,)


async def test_searches_go_to_the_standby_and_only_what_listens_to_the_primary(
    own: Variables, standby: Cluster
) -> None:
    async with reading(own, standby) as (database, _):
        askers = await is_on_standby(database)
        async with await database.connect() as connection:
            await connection.execute("LISTEN confluence_mcp_page")
            listening = await (await connection.execute(WHERE)).fetchone()

    assert askers
    assert listening == (False,)


async def test_a_server_searches_the_standby(own: Variables, standby: Cluster) -> None:
    settings = own.as_fields() | {"postgres_replica_url": standby.url()}
    server = create_server(lambda: open_deps(ServerSettings.model_validate(settings)))
    async with Client(server) as client:
        found = await titles(client, "TB-4031")

    assert found[0] == "VPN"


def test_status_and_doctor_tell_how_the_standby_is(
    own: Variables, standby: Cluster, tmp_path: Path
) -> None:
    variables = own.as_environment() | {"POSTGRES_REPLICA_URL": standby.url()}
    command = Command(tmp_path, variables)

    status = command.run("status")
    doctor = command.run("doctor")

    assert "\n\nReplica: " in status.stdout, status.stderr
    assert "fine   replica: " in doctor.stdout, doctor.stderr


async def test_a_standby_that_lags_is_not_asked_so_that_what_was_closed_is_hidden(
    own: Variables, primary: Cluster, standby: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with reading(own, standby, max_lag_s=1) as (database, replica):
        bob = await Askers(database).by_account_id(BOB, "bob")
        before = await Pages(database).shown(bob, ["100", "200"])
        standby.run("SELECT pg_wal_replay_pause()")
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            connection.execute(CLOSE, {"key": "PEOPLE"})
            connection.execute(CLOSE, {"key": "ENG"})
        await until(lambda: not replica.is_current)
        lagging = await is_on_standby(database)
        after = await Pages(database).shown(bob, ["100", "200"])
        behind = await read_lag(database.conninfo, replica)
        standby.run("SELECT pg_wal_replay_resume()")
        await until(lambda: replica.is_current)
        again = await is_on_standby(database)

    assert before
    assert not lagging
    assert after == frozenset()
    assert behind.problem is None and behind.bytes > 0
    assert again
    assert "the replica is not asked, but the primary" in caplog.text


async def test_what_the_primary_breaks_off_on_the_standby_is_asked_once_more(
    own: Variables, primary: Cluster, standby: Cluster
) -> None:
    async with reading(own, standby) as (database, _):
        answers: list[object] = []

        @asked_twice
        async def ask() -> None:
            async with database.pool.connection() as connection:
                row = await (await connection.execute(SLOW_ON_A_STANDBY)).fetchone()
            answers.append(row)

        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            await until(lambda: bool(standby.run(IS_ASLEEP)))
            primary.run("DO $$ BEGIN LOCK TABLE page IN ACCESS EXCLUSIVE MODE; END $$")

    assert answers == [("primary",)]


async def test_a_standby_of_another_postgres_is_never_asked(
    own: Variables, postgres: Postgres, wiki_template: str
) -> None:
    with postgres.copy_of(wiki_template) as name:
        replica = Replica(postgres.url(name), 60)
        settings = IndexSettings.model_validate(own.as_fields())
        async with Database.open(
            settings, application_name="tests", for_askers=True, replica=replica
        ) as database:
            lag = await read_lag(database.conninfo, replica)
            on_standby = await is_on_standby(database)

    assert lag.problem is not None and lag.problem.startswith("POSTGRES_REPLICA_URL leads to")
    assert not on_standby


async def test_a_standby_that_goes_away_costs_no_error(
    own: Variables, both: tuple[Cluster, ExitStack]
) -> None:
    standby, end = both

    async with reading(own, standby) as (database, replica):
        before = await is_on_standby(database)
        end.close()
        after = [await is_on_standby(database) for _ in range(3)]
        lag = await read_lag(database.conninfo, replica)

    assert before
    assert after == [False] * 3
    assert lag.problem is not None and "listens" in lag.problem
