"""Numbered files become a schema, once each, whoever starts first."""

import asyncio

import psycopg
import pytest

from index.errors import DatabaseError
from index.migrate import Migration, migrate, migrations, pending

pytestmark = pytest.mark.anyio

FIRST = Migration("0001_first.sql", "CREATE TABLE first (id int); CREATE TABLE other (id int);")
SECOND = Migration("0002_second.sql", "ALTER TABLE first ADD note text DEFAULT '100%';")


async def connect(url: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


async def test_files_are_applied_in_order_and_once(empty_database_url: str) -> None:
    async with await connect(empty_database_url) as connection:
        applied = await migrate(connection, (FIRST, SECOND))
        again = await migrate(connection, (FIRST, SECOND))

        assert applied == (FIRST, SECOND)
        assert again == ()
        assert await pending(connection, (FIRST, SECOND)) == ()


async def test_only_new_files_are_applied_to_an_older_schema(empty_database_url: str) -> None:
    async with await connect(empty_database_url) as connection:
        await migrate(connection, (FIRST,))

        assert await pending(connection, (FIRST, SECOND)) == (SECOND,)
        assert await migrate(connection, (FIRST, SECOND)) == (SECOND,)


async def test_a_failing_file_leaves_nothing_of_itself(empty_database_url: str) -> None:
    broken = Migration("0002_broken.sql", "CREATE TABLE half (id int); SELECT 1 / 0;")
    async with await connect(empty_database_url) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await migrate(connection, (FIRST, broken))

        found = await connection.execute("SELECT to_regclass('first'), to_regclass('half')")
        assert await found.fetchone() == ("first", None)
        assert await pending(connection, (FIRST, broken)) == (broken,)


async def test_runners_that_start_at_once_apply_each_file_once(empty_database_url: str) -> None:
    async def run() -> tuple[Migration, ...]:
        async with await connect(empty_database_url) as connection:
            return await migrate(connection, (FIRST, SECOND))

    applied = await asyncio.gather(*(run() for _ in range(5)))

    assert sorted(each.name for runner in applied for each in runner) == [FIRST.name, SECOND.name]


async def test_a_changed_file_is_refused(empty_database_url: str) -> None:
    edited = Migration(FIRST.name, FIRST.sql + " -- edited")
    async with await connect(empty_database_url) as connection:
        await migrate(connection, (FIRST,))

        with pytest.raises(DatabaseError, match=r"0001_first\.sql is not the one") as refused:
            await migrate(connection, (edited,))

    assert len(str(refused.value).splitlines()) == 2


async def test_a_schema_of_a_newer_program_is_refused(empty_database_url: str) -> None:
    async with await connect(empty_database_url) as connection:
        await migrate(connection, (FIRST, SECOND))

        with pytest.raises(DatabaseError, match=r"newer confluence-mcp.*\nUpgrade confluence-mcp"):
            await pending(connection, (FIRST,))


def test_the_program_brings_numbered_files_in_order() -> None:
    names = [migration.name for migration in migrations()]

    assert [name[:5] for name in names] == [f"{n:04}_" for n in range(1, len(names) + 1)]
