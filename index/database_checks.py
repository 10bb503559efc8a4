"""What a Postgres must offer before the index is read or written, and how to mend what it lacks."""

import logging
from dataclasses import dataclass

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from index.database_connection import first_line, problem
from index.errors import DatabaseError
from index.migrate import migrate, migrations, pending

logger = logging.getLogger(__name__)

_OLDEST_SERVER = 150_000
_OLDEST_PGVECTOR = (0, 8, 0)
# The last: no schema that may be used at all.
_NO_RIGHT = (
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
    errors.InvalidSchemaName,
)

_POOLER = (
    "a pooler is between here and Postgres. If it lends connections for a transaction at a time, "
    "serve needs POSTGRES_POOLER=transaction, and all that writes a POSTGRES_URL past the pooler"
)
_MAKE_EXTENSION = "CREATE EXTENSION IF NOT EXISTS vector"
_ABOUT = """
SELECT current_setting('server_version_num')::int AS server,
       current_setting('server_version') AS server_name,
       current_user::text AS user_name,
       current_database()::text AS database,
       current_schema()::text AS schema,
       pg_is_in_recovery() AS is_replica,
       pg_backend_pid() AS backend_pid,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
       to_regtype('vector') IS NOT NULL AS sees_pgvector
"""
_GRANT_TO_READER = "SELECT grant_to_reader()"
_GRANTS = """
SELECT coalesce(bool_and(has_table_privilege(oid, 'SELECT')), true) AS may_read,
       coalesce(has_table_privilege(to_regclass('shown_page'), 'SELECT'), false) AS may_show,
       coalesce(bool_and(has_table_privilege(oid, 'INSERT')
                         AND has_table_privilege(oid, 'UPDATE')
                         AND has_table_privilege(oid, 'DELETE')), true) AS may_write,
       current_setting('transaction_read_only')::bool AS is_read_only
  FROM pg_class
 WHERE relnamespace = (SELECT relnamespace FROM pg_class
                        WHERE oid = to_regclass('schema_migration'))
   AND relkind IN ('r', 'p')
"""


@dataclass(frozen=True, slots=True)
class _About:
    server: int
    server_name: str
    user_name: str
    database: str
    schema: str | None
    is_replica: bool
    backend_pid: int
    pgvector: str | None
    available: str | None
    sees_pgvector: bool

    @property
    def user(self) -> str:
        return sql.Identifier(self.user_name).as_string()

    @property
    def quoted_schema(self) -> str:
        return sql.Identifier(self.schema or "public").as_string()

    @property
    def tables(self) -> str:
        return f"ALL TABLES IN SCHEMA {self.quoted_schema}"


@dataclass(frozen=True, slots=True)
class _Grants:
    may_read: bool
    may_show: bool
    may_write: bool
    is_read_only: bool


async def prepare(
    connection: psycopg.AsyncConnection,
    *,
    migrate: bool,
    read_only: bool = False,
    for_askers: bool = False,
    is_pooled: bool = False,
) -> None:
    """Makes sure that the index can be read, and written unless `read_only` or `for_askers`.

    For askers it is enough that the views can be read which show each what is theirs.

    With `migrate` the extension and the schema are made or brought up to date where needed. A
    pooler that is not known of (`is_pooled`) is warned of.
    Raises DatabaseError with what is missing and the command that mends it.
    """
    try:
        _check_encoding(connection.info)
        about = await _about(connection)
        _check_server(about, read_only=read_only or for_askers)
        # A pooler makes up a number of its own for each of its clients.
        if about.backend_pid != connection.info.backend_pid and not is_pooled:
            logger.warning(_POOLER)
        if about.pgvector is None:
            await _make_extension(connection, about, may_make=migrate)
            about = await _about(connection)
        _check_pgvector(about)
        try:
            await _check_schema(connection, about, may_migrate=migrate)
        except errors.InsufficientPrivilege as error:
            refused = _unshown if for_askers else _unreadable
            raise refused(about) from error
        if for_askers:
            await _check_views(connection, about)
            return
        await _check_grants(connection, about, read_only=read_only)
        if not read_only:
            await connection.execute(_GRANT_TO_READER)
    except psycopg.Error as error:
        raise problem(
            f"Postgres failed while the index was opened: {first_line(error)}.",
            "Mend that on the server, or set POSTGRES_URL to another database.",
        ) from error


async def _about(connection: psycopg.AsyncConnection) -> _About:
    async with connection.cursor(row_factory=class_row(_About)) as cursor:
        return (await (await cursor.execute(_ABOUT)).fetchall())[0]


def _check_encoding(info: psycopg.ConnectionInfo) -> None:
    encoding = info.parameter_status("server_encoding")
    if encoding not in ("UTF8", None):
        name = sql.Identifier(info.dbname).as_string()
        raise problem(
            f"The database {info.dbname} has the encoding {encoding}, which cannot hold all text.",
            f"Run CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0; (or another name), "
            "and correct POSTGRES_URL.",
        )


def _check_server(about: _About, *, read_only: bool) -> None:
    if about.server < _OLDEST_SERVER:
        raise problem(
            f"The database {about.database} runs on PostgreSQL {about.server_name}.",
            "Set POSTGRES_URL to PostgreSQL 15 or newer.",
        )
    if about.is_replica and not read_only:
        raise problem(
            f"The database {about.database} is a read replica, which cannot be written.",
            "Set POSTGRES_URL to its primary.",
        )


async def _make_extension(
    connection: psycopg.AsyncConnection, about: _About, *, may_make: bool
) -> None:
    if about.available is None:
        raise problem(
            f"The server of the database {about.database} does not have pgvector.",
            "Install pgvector 0.8 or newer there (package postgresql-NN-pgvector, or the image "
            "pgvector/pgvector).",
        )
    reason = "it may not be changed from here"
    if may_make:
        try:
            await connection.execute(_MAKE_EXTENSION)
        except errors.UniqueViolation:
            return  # Another process made it at the same moment.
        except _NO_RIGHT as error:
            reason = first_line(error)
        else:
            return
    raise problem(
        f"The extension vector is missing in the database {about.database}: {reason}.",
        "Have a superuser run in that database: CREATE EXTENSION vector;",
    )


def _check_pgvector(about: _About) -> None:
    if not about.sees_pgvector:
        raise problem(
            f"The user {about.user_name} does not see the extension vector, which is in a schema "
            "that it does not search or use.",
            "Have a superuser run in that database: ALTER EXTENSION vector SET SCHEMA public;",
        )
    if _version(about.pgvector) < _OLDEST_PGVECTOR:
        is_at_hand = _version(about.available) >= _OLDEST_PGVECTOR
        first = "" if is_at_hand else "Install pgvector 0.8 or newer on the server, then: "
        raise problem(
            f"The database {about.database} has pgvector {about.pgvector}, older than 0.8.0.",
            f"{first}Have a superuser run in that database: ALTER EXTENSION vector UPDATE;",
        )


async def _check_schema(
    connection: psycopg.AsyncConnection, about: _About, *, may_migrate: bool
) -> None:
    known = migrations()
    missing = await pending(connection, known)
    if not missing:
        return
    reason, advice = "it may not be changed from here", "."
    if about.is_replica:
        reason, advice = "it is a read replica", " at its primary."
    elif may_migrate:
        try:
            await migrate(connection, known)
        except _NO_RIGHT as error:
            reason = first_line(error)
            advice = f"; to read an index that exists, its owner runs: {_read_grants(about)}"
        else:
            return
    raise problem(
        f"The index in the database {about.database}, as {about.user_name} sees it, lacks "
        f"{missing[0].name}: {reason}.",
        f"Run `confluence-mcp ingest` once as the user that owns the database{advice}",
    )


async def _check_views(connection: psycopg.AsyncConnection, about: _About) -> None:
    async with connection.cursor(row_factory=class_row(_Grants)) as cursor:
        grants = (await (await cursor.execute(_GRANTS)).fetchall())[0]
    if not grants.may_show:
        raise _unshown(about)


async def _check_grants(
    connection: psycopg.AsyncConnection, about: _About, *, read_only: bool
) -> None:
    async with connection.cursor(row_factory=class_row(_Grants)) as cursor:
        grants = (await (await cursor.execute(_GRANTS)).fetchall())[0]
    if not grants.may_read:
        raise _unreadable(about)
    if read_only:
        return
    if grants.is_read_only:
        raise problem(
            f"Sessions of the user {about.user_name} cannot write: "
            "default_transaction_read_only is on.",
            f"Run: ALTER ROLE {about.user} SET default_transaction_read_only = off;",
        )
    if not grants.may_write:
        raise problem(
            f"The user {about.user_name} may read the index in the database {about.database}, "
            "but not write it.",
            "Use the user that owns its tables, or have that one run: GRANT SELECT, INSERT, "
            f"UPDATE, DELETE ON {about.tables} TO {about.user};",
        )


def _unreadable(about: _About) -> DatabaseError:
    return problem(
        f"The user {about.user_name} may not read the index in the database {about.database}.",
        f"Have its owner run: {_read_grants(about)}",
    )


def _unshown(about: _About) -> DatabaseError:
    """What a login of the server lacks, which needs less than to read all tables."""
    return problem(
        f"The user {about.user_name} may not read the index in the database {about.database} for "
        "those who ask.",
        f"Have a superuser run: GRANT confluence_mcp_reader TO {about.user}; and then run "
        "`confluence-mcp ingest` once as the user that owns the database.",
    )


def _read_grants(about: _About) -> str:
    return (
        f"GRANT USAGE ON SCHEMA {about.quoted_schema} TO {about.user}; "
        f"GRANT SELECT ON {about.tables} TO {about.user}; ALTER DEFAULT PRIVILEGES IN SCHEMA "
        f"{about.quoted_schema} GRANT SELECT ON TABLES TO {about.user};"
    )


def _version(text: str | None) -> tuple[int, ...]:
    parts = (part for part in (text or "").split(".") if part.isdecimal())
    return tuple(map(int, parts))
