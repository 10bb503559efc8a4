"""Indexes of every release, brought up to date: they answer as one that is made anew."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from index.api_keys import ApiKeys
from index.database import Database
from index.database_connection import connect
from index.errors import DatabaseError
from index.migrate import Migration, migrate, migrations, pending
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.held_tables import until
from tests.server.wiki import take_in
from tests.upgrades.make_dump import DUMPS
from tests.upgrades.sample import ADA, ARTICLES, BOB, GUS, KEYS, settings_for, views, wiki

pytestmark = pytest.mark.anyio

RELEASES = sorted(DUMPS.glob("*.sql"))
# What a release may take away, for its changelog says to stop all servers before the upgrade.
TAKEN_AWAY: frozenset[str] = frozenset()
NEXT = Migration("9001_next.sql", "ALTER TABLE page ADD more text; CREATE TABLE more (id int);")
SLOW = Migration("9001_slow.sql", "CREATE TABLE half (id int); SELECT pg_sleep(600);")
SHAPE = """
SELECT format('%s.%s %s', table_name, column_name, udt_name) FROM information_schema.columns
WHERE table_schema = 'public'
UNION
SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""
END_SLOW = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%half%' AND wait_event = 'PgSleep'
"""
EXISTS = "SELECT to_regclass('half') IS NOT NULL"

by_release = pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.stem)


def restore(url: str, release: Path) -> str:
    """Puts the index of a release into an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(release.read_bytes())
    return url


async def shape(url: str) -> set[str]:
    """Columns with their types, and functions with those of their parameters."""
    async with await connect(url) as connection:
        return {row[0] async for row in await connection.execute(SHAPE)}


def test_each_release_has_left_a_dump() -> None:
    names = {file.stem for file in RELEASES}

    assert version("confluence-mcp") in names, "run: python -m tests.upgrades.make_dump"
    assert all(file.stat().st_size < 300_000 for file in RELEASES)


@by_release
async def test_an_index_of_a_release_answers_and_is_filled_on_as_a_new_one(
    release: Path, new_database: Callable[[], str], endpoint: OpenAIEndpoint
) -> None:
    new = settings_for(new_database(), endpoint)
    old = settings_for(restore(new_database(), release), endpoint)
    changed = wiki()
    changed.articles[0] = replace(
        ARTICLES[0], version=2, body="<p>Nowadays TB-4031 means that the quokka sleeps.</p>"
    )

    await take_in(new, wiki())
    async with Database.open(old, application_name="tests") as database:
        keys = await ApiKeys(database).list()
    before = await views(new), await views(old)
    await take_in(new, changed)
    await take_in(old, changed)
    after = await views(new), await views(old)

    assert before[0] == before[1]
    assert after[0] == after[1] != before[0]
    assert {key.name: key.account for key in keys} == KEYS
    salaries = [set(after[1][name].read) & {"101", "102"} for name in (ADA, BOB, GUS)]
    assert salaries == [{"101", "102"}, set(), set()]
    assert set(after[1][GUS].read) == {"200"}
    assert after[1][BOB].found["quokka"][:2] == ["100", "103"]


@by_release
async def test_migrations_take_nothing_away_that_a_running_server_reads(
    release: Path, new_database: Callable[[], str]
) -> None:
    url = restore(new_database(), release)
    before = await shape(url)

    async with await connect(url) as connection:
        await migrate(connection, migrations())

    assert before - await shape(url) <= TAKEN_AWAY


async def test_a_server_goes_on_while_the_next_version_migrates_and_does_not_start_after(
    new_database: Callable[[], str], endpoint: OpenAIEndpoint
) -> None:
    settings = settings_for(restore(new_database(), RELEASES[-1]), endpoint)
    url = settings.postgres_url.get_secret_value() if settings.postgres_url else ""

    async with Database.open(settings, application_name="old", for_askers=True) as running:
        async with await connect(url) as connection:
            await migrate(connection, (*migrations(), NEXT))
        async with running.pool.connection() as connection:
            row = await (await connection.execute("SELECT count(*) FROM shown_page")).fetchone()
    with pytest.raises(DatabaseError) as for_ingest:
        async with Database.open(settings, application_name="old"):
            pass
    with pytest.raises(DatabaseError) as for_server:
        async with Database.open(settings, application_name="old", for_askers=True):
            pass

    assert row is not None
    assert str(for_ingest.value) == str(for_server.value)
    assert str(for_server.value).splitlines() == [
        "The index was made by a newer confluence-mcp: this one does not know 9001_next.sql.",
        "Upgrade confluence-mcp, or set POSTGRES_URL to another database.",
    ]


async def test_a_migration_that_is_cut_off_in_its_middle_leaves_the_old_index(
    new_database: Callable[[], str], endpoint: OpenAIEndpoint
) -> None:
    settings = settings_for(restore(new_database(), RELEASES[-1]), endpoint)
    url = settings.postgres_url.get_secret_value() if settings.postgres_url else ""
    known = migrations()

    with psycopg.connect(url, autocommit=True) as other:
        async with await connect(url) as connection:
            migrating = asyncio.create_task(migrate(connection, (*known, SLOW)))
            await until(lambda: other.execute(END_SLOW).rowcount > 0)
            with pytest.raises(psycopg.OperationalError):
                await migrating
        row = other.execute(EXISTS).fetchone()
    async with await connect(url) as connection:
        still = await pending(connection, (*known, SLOW))

    assert row == (False,)
    assert still == (SLOW,)
    assert set((await views(settings))[ADA].read) == {one.page_id for one in ARTICLES}
