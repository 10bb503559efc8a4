"""What somebody can make of the database who may only read it, and writes SQL of their own."""

import uuid
from collections.abc import Generator

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Postgres

SPRING = """
CREATE FUNCTION pg_temp.spring() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.api_key (name, key_hash) VALUES ('of a thief', '');
    RETURN 1;
END $$
"""
# In the way of a table stands a view of the reader's own, which runs what the reader wants.
TRAP = "CREATE TEMP VIEW {} AS SELECT pg_temp.spring() AS {}; GRANT SELECT ON {} TO PUBLIC"
TABLES = {
    "space": "id",
    "audience": "id",
    "audience_guard": "guard_id",
    "open_guard": "guard_id",
}
KEYS = "SELECT name FROM api_key"


@pytest.fixture
def reader_url(postgres: Postgres, database_url: str) -> Generator[str]:
    """A login that is a member of the reader's role and nothing else."""
    name = f"reader_{uuid.uuid4().hex}"
    with psycopg.connect(database_url) as connection:
        database = connection.info.dbname
    postgres.run("CREATE ROLE {} LOGIN", name)
    postgres.run("GRANT confluence_mcp_reader TO {}", name)
    try:
        yield postgres.url(database, name)
    finally:
        postgres.run("DROP ROLE {}", name)


@pytest.mark.parametrize("asker", ["everything", "{1}"])
@pytest.mark.parametrize("table", TABLES)
def test_no_view_in_the_way_of_a_table_runs_as_the_owner(
    database_url: str, reader_url: str, table: str, asker: str
) -> None:
    name, column = sql.Identifier(table), sql.Identifier(TABLES[table])
    with psycopg.connect(reader_url, autocommit=True) as connection:
        connection.execute(SPRING)
        connection.execute(sql.SQL(TRAP).format(name, column, name))
        connection.execute(
            "SELECT set_config('confluence_mcp.asker', %(asker)s, false)", {"asker": asker}
        )
        for query in (
            "SELECT open_spaces()",
            "SELECT open_audiences()",
            "SELECT * FROM shown_page",
        ):
            connection.execute(query)

    with psycopg.connect(database_url) as connection:
        assert connection.execute(KEYS).fetchall() == []


def test_the_reader_neither_makes_nor_changes_anything(reader_url: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as connection:
        for statement in (
            "CREATE TABLE public.trap (id int)",
            "UPDATE account SET is_active = true",
            "DELETE FROM api_key",
            "SELECT intern_audience('{1}')",
            "SELECT create_vector_tables(99, 3)",
            "COPY account TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/hostname')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
