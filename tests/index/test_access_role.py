"""The role that reads for askers, on servers of all kinds."""

import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import psycopg
import pytest
from pydantic import SecretStr

from index.database import Database
from index.settings import IndexSettings
from tests.conftest import Postgres

pytestmark = pytest.mark.anyio

READER = "confluence_mcp_reader"
WITHOUT_RIGHT = """
SELECT relname FROM pg_class
WHERE relname IN ('shown_page', 'shown_chunk', 'open_space', 'api_key')
  AND NOT has_table_privilege('confluence_mcp_reader', oid, 'SELECT')
"""


@pytest.fixture
def owner(postgres: Postgres) -> Generator[str]:
    """Somebody who may log in and nothing else."""
    name = f"owner_{uuid.uuid4().hex}"
    postgres.run("CREATE ROLE {} LOGIN", name)
    yield name
    postgres.run("DROP OWNED BY {}", name)
    postgres.run("DROP ROLE {}", name)


@pytest.fixture
def owned(postgres: Postgres, owner: str, empty_database_url: str) -> str:
    """A database of theirs without a schema."""
    name = empty_database_url.rpartition("?")[0].rpartition("/")[2]
    postgres.run("ALTER DATABASE {} OWNER TO {}", name, owner)
    return postgres.url(name, owner)


@asynccontextmanager
async def reading(settings: IndexSettings, url: str) -> AsyncGenerator[psycopg.AsyncConnection]:
    """A connection of a server, after an ingest has opened the index."""
    settings = settings.model_copy(update={"postgres_url": SecretStr(url)})
    async with (
        Database.open(settings, application_name="writer"),
        Database.open(settings, application_name="reader", for_askers=True) as reader,
        reader.pool.connection() as connection,
    ):
        yield connection


async def one(connection: psycopg.AsyncConnection, query: bytes) -> object:
    row = await (await connection.execute(query)).fetchone()
    return row and row[0]


async def test_whoever_made_the_role_may_also_take_it(
    index_settings: IndexSettings, postgres: Postgres, owner: str, owned: str
) -> None:
    # Since Postgres 16 this is all that CREATE ROLE gives to somebody who is no superuser.
    postgres.run(
        "GRANT confluence_mcp_reader TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", owner
    )

    async with reading(index_settings, owned) as connection:
        assert await one(connection, b"SELECT current_user::text") == READER
        assert await one(connection, b"SELECT count(*) FROM shown_page") == 0


async def test_an_owner_who_may_not_take_the_role_reads_as_before_and_lets_others_take_it(
    index_settings: IndexSettings, owner: str, owned: str
) -> None:
    async with reading(index_settings, owned) as connection:
        assert await one(connection, b"SELECT current_user::text") == owner
        assert await one(connection, WITHOUT_RIGHT.encode()) is None


async def test_a_schema_of_any_name_will_do(
    index_settings: IndexSettings, postgres: Postgres, owner: str, owned: str
) -> None:
    postgres.run("GRANT confluence_mcp_reader TO {}", owner)
    name = owned.rpartition("?")[0].rpartition("/")[2]
    postgres.run('CREATE SCHEMA "Wiki x" AUTHORIZATION {}', owner, database=name)
    postgres.run('ALTER ROLE {} SET search_path = "Wiki x", public', owner)

    async with reading(index_settings, owned) as connection:
        assert await one(connection, b"SELECT current_user::text") == READER
        assert await one(connection, b"SELECT count(*) FROM shown_page") == 0
