"""The tables of the job queue: made when they are missing, and brought up to date."""

import logging
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from index.database import Database
from index.database_connection import first_line, problem

logger = logging.getLogger(__name__)

# Any number will do, so long as every version of this program takes the same. It comes before the
# transaction, which sees from its begin only what others have made.
LOCK = "SELECT pg_advisory_lock(7_265_308_114_002)"
ABOUT = """
SELECT current_database() AS database, current_user AS user_name,
       coalesce(current_schema(), 'public') AS schema,
       to_regclass('procrastinate_jobs') IS NOT NULL AS has_jobs,
       to_regclass('queue_schema') IS NOT NULL AS is_ours,
       coalesce(has_table_privilege(to_regclass('procrastinate_jobs'), 'SELECT')
                AND has_table_privilege(to_regclass('procrastinate_jobs'), 'INSERT')
                AND has_table_privilege(to_regclass('procrastinate_jobs'), 'UPDATE')
                AND has_table_privilege(to_regclass('procrastinate_jobs'), 'DELETE')
                AND has_table_privilege(to_regclass('procrastinate_workers'), 'INSERT')
                AND has_table_privilege(to_regclass('queue_schema'), 'SELECT'),
                false) AS may_use
"""
VERSION = "SELECT version FROM queue_schema"
MAKE_VERSION = "CREATE TABLE queue_schema (version text NOT NULL)"
ADD_VERSION = "INSERT INTO queue_schema VALUES (%(version)s)"
SET_VERSION = "UPDATE queue_schema SET version = %(version)s"
NO_RIGHT = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)

Connection = psycopg.AsyncConnection


@dataclass(frozen=True, slots=True)
class _About:
    database: str
    user_name: str
    schema: str
    has_jobs: bool
    is_ours: bool
    may_use: bool


def known_steps() -> dict[str, bytes]:
    """What the installed procrastinate did to its tables, release by release, by file name."""
    folder = files("procrastinate.sql") / "migrations"
    found = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return {file.name: file.read_bytes() for file in sorted(found, key=lambda file: file.name)}


async def make_queue(database: Database) -> None:
    """Makes sure that the queue can be used; when several come at once, one makes it.

    Raises DatabaseError of two lines: what is wrong, and what to do.
    """
    async with await database.connect() as connection:
        try:
            if not await _is_current(connection):
                await connection.execute(LOCK)
                async with connection.transaction():
                    if not await _is_current(connection):
                        await _bring_up_to_date(connection)
        except NO_RIGHT as error:
            about = await _about(connection)
            raise (_no_use(about) if about.is_ours else _no_right(about, error)) from error
        about = await _about(connection)
    if not about.may_use:
        raise _no_use(about)


async def _about(connection: Connection) -> _About:
    async with connection.cursor(row_factory=class_row(_About)) as cursor:
        return (await (await cursor.execute(ABOUT)).fetchall())[0]


async def _is_current(connection: Connection) -> bool:
    return await _recorded(connection, await _about(connection)) == max(known_steps())


async def _recorded(connection: Connection, about: _About) -> str | None:
    if not about.is_ours:
        return None
    row = await (await connection.execute(VERSION)).fetchone()
    return row[0] if row else None


async def _bring_up_to_date(connection: Connection) -> None:
    about, steps = await _about(connection), known_steps()
    recorded = await _recorded(connection, about)
    if recorded is None:
        await _make(connection, about)
    elif recorded > max(steps):
        raise problem(
            f"The job queue in the database {about.database} was made by a newer version.",
            "Update confluence-mcp here to the version of the other workers.",
        )
    for name in steps:
        if recorded is not None and name > recorded:
            await connection.execute(steps[name])
    await connection.execute(SET_VERSION, {"version": max(steps)})
    logger.info("queue_schema=%s", max(steps))


async def _make(connection: Connection, about: _About) -> None:
    if about.has_jobs:
        raise problem(
            f"The database {about.database} has tables of procrastinate that another program made.",
            "Set POSTGRES_URL to a database of this program's own.",
        )
    schema = files("procrastinate.sql") / "schema.sql"
    await connection.execute(schema.read_bytes())
    await connection.execute(MAKE_VERSION)
    await connection.execute(ADD_VERSION, {"version": ""})


def _no_right(about: _About, error: psycopg.Error) -> Exception:
    schema, user = (sql.Identifier(name).as_string() for name in (about.schema, about.user_name))
    return problem(
        f"The user {about.user_name} may not make the job queue in the database "
        f"{about.database}: {first_line(error)}.",
        f"Start one worker as the user that owns the database, or have that one run: "
        f"GRANT CREATE ON SCHEMA {schema} TO {user};",
    )


def _no_use(about: _About) -> Exception:
    schema, user = (sql.Identifier(name).as_string() for name in (about.schema, about.user_name))
    return problem(
        f"The user {about.user_name} may not use the job queue in the database {about.database}.",
        f"Have the owner of its tables run: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
        f"SCHEMA {schema} TO {user}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user};",
    )
