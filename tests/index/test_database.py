"""The door to any Postgres: what it offers, and what it says when it cannot open."""

import socket
import subprocess
import sys
import uuid
from collections.abc import Generator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from pydantic import SecretStr

from index.database import Database
from index.embedded_postgres import DATABASE, SUPERUSER
from index.errors import DatabaseError
from index.settings import IndexSettings
from tests.conftest import Postgres

pytestmark = pytest.mark.anyio

PASSWORD = "p@ss:wörd"
SESSION = {
    "application_name": "tests",
    "hnsw.ef_search": "1000",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": "0",
    "work_mem": "65536",
}


@pytest.fixture
def role(postgres: Postgres) -> Generator[str]:
    """A user without any rights; ask for it before the database in which it gets some."""
    name = f"reader_{uuid.uuid4().hex}"
    postgres.run("CREATE ROLE {} LOGIN", name)
    yield name
    postgres.run("DROP ROLE {}", name)


@pytest.fixture
def bare_database(postgres: Postgres) -> Generator[str]:
    """The name of a database without the extension vector."""
    with postgres.copy_of("template1") as name:
        yield name


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def locked_role(postgres: Postgres, role: str) -> str:
    """A user who must give the password PASSWORD."""
    postgres.run(f"ALTER ROLE {{}} PASSWORD '{PASSWORD}'", role)
    with psycopg.connect(postgres.url("postgres", SUPERUSER)) as connection:
        row = connection.execute("SHOW hba_file").fetchone()
    assert row
    rules = Path(str(row[0]))
    rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
    postgres.run("SELECT pg_reload_conf()")
    return role


def name_of(url: str) -> str:
    return url.rpartition("?")[0].rpartition("/")[2]


async def refusal(
    settings: IndexSettings, url: str, *, migrate: bool = True, read_only: bool = False
) -> list[str]:
    """The lines of the error with which a database is refused."""
    settings = settings.model_copy(update={"postgres_url": SecretStr(url)})
    with pytest.raises(DatabaseError) as refused:
        async with Database.open(
            settings, application_name="tests", migrate=migrate, read_only=read_only
        ):
            pass
    return str(refused.value).splitlines()


async def opens(
    settings: IndexSettings, url: str, *, migrate: bool = True, read_only: bool = False
) -> bool:
    settings = settings.model_copy(update={"postgres_url": SecretStr(url)})
    async with (
        Database.open(
            settings, application_name="tests", migrate=migrate, read_only=read_only
        ) as database,
        database.pool.connection() as connection,
    ):
        row = await (await connection.execute("SELECT count(*) FROM page")).fetchone()
    return row == (0,)


async def test_sessions_are_set_up_for_filtered_vector_search(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("SELECT '[1]'::vector <-> '[2]'")
        found = await connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%(names)s)",
            {"names": list(SESSION)},
        )
        settings = dict(await found.fetchall())

    assert settings == SESSION


async def test_vectors_travel_both_ways(database: Database) -> None:
    vector = np.array([0.5, -1.0, 2.0], dtype=np.float32)

    async with database.pool.connection() as connection:
        found = await connection.execute(
            "SELECT %(vector)s::vector, %(half)s::halfvec",
            {"vector": vector, "half": HalfVector([1.0, 2.0])},
        )
        row = await found.fetchone()

    assert row
    assert np.array_equal(row[0].to_numpy(), vector)
    assert row[1] == HalfVector([1.0, 2.0])


async def test_a_reader_is_held_to_reading_and_to_its_time(index_settings: IndexSettings) -> None:
    async with Database.open(
        index_settings, application_name="tests", read_only=True, statement_timeout_s=0.05
    ) as database:
        async with database.pool.connection() as connection:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await connection.execute("CREATE TABLE note (id int)")
        async with database.pool.connection() as connection:
            with pytest.raises(psycopg.errors.QueryCanceled):
                await connection.execute("SELECT pg_sleep(60)")


async def test_connections_that_broke_are_replaced_unnoticed(
    database: Database, postgres: Postgres, index_settings: IndexSettings
) -> None:
    async with database.pool.connection() as connection:
        before = connection.info.backend_pid
    postgres.run(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE application_name = 'tests'"
    )

    async with database.pool.connection() as connection:
        after = connection.info.backend_pid

    assert after != before


async def test_the_schema_is_made_by_whoever_opens_it_first(
    index_settings: IndexSettings, empty_database_url: str
) -> None:
    assert await opens(index_settings, empty_database_url, read_only=True)


async def test_the_extension_is_made_by_a_superuser(
    index_settings: IndexSettings, postgres: Postgres, bare_database: str
) -> None:
    assert await opens(index_settings, postgres.url(bare_database, SUPERUSER))


async def test_a_schema_out_of_date_is_left_alone_on_demand(
    index_settings: IndexSettings, empty_database_url: str
) -> None:
    what, remedy = await refusal(index_settings, empty_database_url, migrate=False)

    assert what.endswith(" lacks 0001_initial.sql: it may not be changed from here.")
    assert remedy == "Run `confluence-mcp ingest` once as the user that owns the database."


async def test_a_closed_port_is_named(index_settings: IndexSettings, closed_port: int) -> None:
    lines = await refusal(index_settings, f"postgresql://me:secret@127.0.0.1:{closed_port}/wiki")

    assert lines == [
        f"No Postgres listens at 127.0.0.1:{closed_port}.",
        "Start it, or correct POSTGRES_URL.",
    ]


async def test_an_unknown_host_is_named(index_settings: IndexSettings) -> None:
    lines = await refusal(index_settings, "postgresql://me:secret@db.invalid/wiki")

    assert lines == [
        "The host name db.invalid cannot be resolved.",
        "Check the network, or correct the host in POSTGRES_URL.",
    ]


async def test_an_unknown_database_is_named(
    index_settings: IndexSettings, postgres: Postgres
) -> None:
    what, remedy = await refusal(index_settings, postgres.url("No such"))

    assert what.endswith(" has no database No such.")
    assert remedy == 'Run there: CREATE DATABASE "No such"; or correct POSTGRES_URL.'


async def test_an_unknown_user_is_named(index_settings: IndexSettings, postgres: Postgres) -> None:
    what, _ = await refusal(index_settings, postgres.url(DATABASE, "nobody_here"))

    assert what.endswith("does not let in the user nobody_here: wrong user or password.")


@pytest.mark.parametrize("password", [None, "s3cret"])
async def test_a_wrong_password_is_told_and_not_shown(
    index_settings: IndexSettings, postgres: Postgres, locked_role: str, password: str | None
) -> None:
    user = f"{locked_role}:{password}" if password else locked_role

    what, remedy = await refusal(index_settings, postgres.url(DATABASE, user))

    assert what.endswith(f"does not let in the user {locked_role}: wrong user or password.")
    assert "s3cret" not in what + remedy


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "mysql://me:s3cret@host/wiki",
        "postgresql://me:s3cret@more@host/wiki",
        "postgresql://me:s3cret/more@host/wiki",
        "postgresql://me:s3cret%zz@host/wiki",
        "postgresql://me:x@host:s3cret/wiki",
    ],
)
async def test_an_unreadable_url_is_not_repeated(index_settings: IndexSettings, url: str) -> None:
    what, remedy = await refusal(index_settings, url)

    assert what == "POSTGRES_URL is not a valid connection URL."
    assert remedy.startswith("Write postgresql://user:password@host:5432/database")


async def test_a_missing_extension_names_the_command(
    index_settings: IndexSettings, postgres: Postgres, bare_database: str
) -> None:
    what, remedy = await refusal(index_settings, postgres.url(bare_database))

    assert what.startswith(f"The extension vector is missing in the database {bare_database}: ")
    assert remedy == "Have a superuser run in that database: CREATE EXTENSION vector;"


async def test_an_encoding_that_cannot_hold_all_text_is_refused(
    index_settings: IndexSettings, postgres: Postgres
) -> None:
    name = f"test_{uuid.uuid4().hex}"
    postgres.run(
        "CREATE DATABASE {} ENCODING 'SQL_ASCII' TEMPLATE template0 "
        "LOCALE_PROVIDER libc LOCALE 'C'",
        name,
    )

    what, remedy = await refusal(index_settings, postgres.url(name))
    postgres.run("DROP DATABASE {}", name)

    assert what == f"The database {name} has the encoding SQL_ASCII, which cannot hold all text."
    assert f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0;" in remedy


async def test_an_old_pgvector_names_the_command(
    index_settings: IndexSettings, postgres: Postgres, database_url: str
) -> None:
    name = name_of(database_url)
    postgres.run("UPDATE pg_extension SET extversion = '0.7.4'", database=name)

    lines = await refusal(index_settings, database_url)

    assert lines == [
        f"The database {name} has pgvector 0.7.4, older than 0.8.0.",
        "Have a superuser run in that database: ALTER EXTENSION vector UPDATE;",
    ]


async def test_an_extension_out_of_sight_names_the_command(
    index_settings: IndexSettings, postgres: Postgres, empty_database_url: str
) -> None:
    name = name_of(empty_database_url)
    postgres.run("CREATE SCHEMA hidden", database=name)
    postgres.run("ALTER EXTENSION vector SET SCHEMA hidden", database=name)

    what, remedy = await refusal(index_settings, empty_database_url)

    assert "does not see the extension vector" in what
    assert remedy.endswith("ALTER EXTENSION vector SET SCHEMA public;")


async def test_a_reader_needs_no_right_to_write(
    role: str, index_settings: IndexSettings, postgres: Postgres
) -> None:
    assert index_settings.postgres_url
    name = name_of(index_settings.postgres_url.get_secret_value())
    postgres.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role, database=name)

    assert await opens(index_settings, postgres.url(name, role), read_only=True)


async def test_a_writer_without_rights_is_told_which(
    role: str, index_settings: IndexSettings, postgres: Postgres
) -> None:
    assert index_settings.postgres_url
    name = name_of(index_settings.postgres_url.get_secret_value())
    postgres.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role, database=name)

    what, remedy = await refusal(index_settings, postgres.url(name, role))

    assert what == f"The user {role} may read the index in the database {name}, but not write it."
    assert remedy.endswith(
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "public" TO "{role}";'
    )


async def test_a_reader_without_rights_is_told_which(
    role: str, index_settings: IndexSettings, postgres: Postgres
) -> None:
    assert index_settings.postgres_url
    name = name_of(index_settings.postgres_url.get_secret_value())

    what, remedy = await refusal(index_settings, postgres.url(name, role), read_only=True)
    for statement in remedy.removeprefix("Have its owner run: ").rstrip(";").split(";"):
        with psycopg.connect(postgres.url(name)) as connection:
            connection.execute(statement.encode())

    assert what == f"The user {role} may not read the index in the database {name}."
    assert await opens(index_settings, postgres.url(name, role), read_only=True)


async def test_a_reader_of_an_empty_database_is_told_who_makes_the_index(
    role: str, index_settings: IndexSettings, postgres: Postgres, empty_database_url: str
) -> None:
    url = postgres.url(name_of(empty_database_url), role)

    what, remedy = await refusal(index_settings, url, read_only=True)

    assert what.endswith(" lacks 0001_initial.sql: permission denied for schema public.")
    assert remedy.startswith("Run `confluence-mcp ingest` once as the user that owns")
    assert f'GRANT USAGE ON SCHEMA "public" TO "{role}";' in remedy


async def test_a_writer_whose_sessions_are_read_only_is_told_how_to_open_them(
    role: str, index_settings: IndexSettings, postgres: Postgres
) -> None:
    assert index_settings.postgres_url
    name = name_of(index_settings.postgres_url.get_secret_value())
    postgres.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role, database=name)
    postgres.run("ALTER ROLE {} SET default_transaction_read_only = on", role)

    _, remedy = await refusal(index_settings, postgres.url(name, role))

    assert remedy == f'Run: ALTER ROLE "{role}" SET default_transaction_read_only = off;'


def test_a_system_without_file_locks_is_sent_to_a_postgres_of_its_own(tmp_path: Path) -> None:
    program = """
import asyncio, sys
sys.modules["fcntl"] = None
from index.database import Database
from index.errors import ConfigurationError
from index.settings import IndexSettings

async def main():
    try:
        async with Database.open(IndexSettings(), application_name="tests"):
            pass
    except ConfigurationError as error:
        print(error)

asyncio.run(main())
"""

    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={}, capture_output=True, text=True
    )

    assert run.stdout == (
        "The embedded Postgres runs on Linux and macOS only.\n"
        "Set POSTGRES_URL to a Postgres 15 or newer with pgvector 0.8 or newer.\n"
    )
