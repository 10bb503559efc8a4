"""What a Postgres must offer before the index is read or written, and how to mend what it lacks."""

from dataclasses import dataclass

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from index.errors import DatabaseError
from index.migrate import migrate, migrations, pending

_OLDEST_SERVER = 150_000
_OLDEST_PGVECTOR = (0, 8, 0)
_CONNECT_S = 10

_MAKE_EXTENSION = "CREATE EXTENSION IF NOT EXISTS vector"
_ABOUT = """
SELECT current_setting('server_version_num')::int AS server,
       current_setting('server_version') AS server_name,
       current_user::text AS user_name,
       current_database()::text AS database,
       current_schema()::text AS schema,
       pg_is_in_recovery() AS is_replica,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
       to_regtype('vector') IS NOT NULL AS sees_pgvector
"""
_GRANTS = """
SELECT coalesce(bool_and(has_table_privilege(oid, 'SELECT')), true) AS may_read,
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
    may_write: bool
    is_read_only: bool


async def connect(conninfo: str) -> psycopg.AsyncConnection:
    """A connection in autocommit mode; raises DatabaseError that says why there is none."""
    target = _target(conninfo)
    try:
        return await psycopg.AsyncConnection.connect(with_defaults(conninfo), autocommit=True)
    except psycopg.OperationalError as error:
        raise _unreachable(error, target) from error


def with_defaults(conninfo: str) -> str:
    """The same in UTF-8, and with a limit on the wait for a connection unless it sets one."""
    defaults = {"client_encoding": "UTF8"}
    if "connect_timeout" not in conninfo_to_dict(conninfo):
        defaults["connect_timeout"] = str(_CONNECT_S)
    return make_conninfo(conninfo, **defaults)


async def prepare(connection: psycopg.AsyncConnection, *, migrate: bool, read_only: bool) -> None:
    """Makes sure that the index can be read, and written unless `read_only`.

    With `migrate` the extension and the schema are made or brought up to date where needed.
    Raises DatabaseError with what is missing and the command that mends it.
    """
    try:
        _check_encoding(connection.info)
        about = await _about(connection)
        _check_server(about, read_only=read_only)
        if about.pgvector is None:
            await _make_extension(connection, about, may_make=migrate)
            about = await _about(connection)
        _check_pgvector(about)
        await _check_schema(connection, about, may_migrate=migrate)
        await _check_grants(connection, about, read_only=read_only)
    except psycopg.Error as error:
        raise _problem(
            f"Postgres failed while the index was opened: {_first_line(error)}.",
            "Mend that on the server, or set POSTGRES_URL to another database.",
        ) from error


async def _about(connection: psycopg.AsyncConnection) -> _About:
    async with connection.cursor(row_factory=class_row(_About)) as cursor:
        return (await (await cursor.execute(_ABOUT)).fetchall())[0]


def _check_encoding(info: psycopg.ConnectionInfo) -> None:
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = sql.Identifier(info.dbname).as_string()
        raise _problem(
            f"The database {info.dbname} has the encoding {encoding}, which cannot hold all text.",
            f"Run CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0; (or another name), "
            "and correct POSTGRES_URL.",
        )


def _check_server(about: _About, *, read_only: bool) -> None:
    if about.server < _OLDEST_SERVER:
        raise _problem(
            f"The database {about.database} runs on PostgreSQL {about.server_name}.",
            "Set POSTGRES_URL to PostgreSQL 15 or newer.",
        )
    if about.is_replica and not read_only:
        raise _problem(
            f"The database {about.database} is a read replica, which cannot be written.",
            "Set POSTGRES_URL to its primary.",
        )


async def _make_extension(
    connection: psycopg.AsyncConnection, about: _About, *, may_make: bool
) -> None:
    if about.available is None:
        raise _problem(
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
        except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as error:
            reason = _first_line(error)
        else:
            return
    raise _problem(
        f"The extension vector is missing in the database {about.database}: {reason}.",
        "Have a superuser run in that database: CREATE EXTENSION vector;",
    )


def _check_pgvector(about: _About) -> None:
    if not about.sees_pgvector:
        raise _problem(
            f"The user {about.user_name} does not see the extension vector, which is in a schema "
            "that it does not search or use.",
            "Have a superuser run in that database: ALTER EXTENSION vector SET SCHEMA public;",
        )
    if _version(about.pgvector) < _OLDEST_PGVECTOR:
        is_at_hand = _version(about.available) >= _OLDEST_PGVECTOR
        first = "" if is_at_hand else "Install pgvector 0.8 or newer on the server, then: "
        raise _problem(
            f"The database {about.database} has pgvector {about.pgvector}, older than 0.8.0.",
            f"{first}Have a superuser run in that database: ALTER EXTENSION vector UPDATE;",
        )


async def _check_schema(
    connection: psycopg.AsyncConnection, about: _About, *, may_migrate: bool
) -> None:
    known = migrations()
    try:
        missing = await pending(connection, known)
    except errors.InsufficientPrivilege as error:
        raise _unreadable(about) from error
    if not missing:
        return
    reason = "it may not be changed from here"
    if about.is_replica:
        reason = "it is a read replica"
    elif may_migrate:
        try:
            await migrate(connection, known)
        except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as error:
            reason = _first_line(error)
        else:
            return
    raise _problem(
        f"The index in the database {about.database} is not up to date ({missing[0].name}) "
        f"as seen by {about.user_name}: {reason}.",
        "Run `confluence-mcp ingest` once with the user that owns the database"
        f" (or, for a reader of an index that exists: {_read_grants(about)})",
    )


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
        raise _problem(
            f"Sessions of the user {about.user_name} cannot write: "
            "default_transaction_read_only is on.",
            f"Run: ALTER ROLE {about.user} SET default_transaction_read_only = off;",
        )
    if not grants.may_write:
        raise _problem(
            f"The user {about.user_name} may read the index in the database {about.database}, "
            "but not write it.",
            "Use the user that owns its tables, or have that one run: GRANT SELECT, INSERT, "
            f"UPDATE, DELETE ON {about.tables} TO {about.user};",
        )


def _unreadable(about: _About) -> DatabaseError:
    return _problem(
        f"The user {about.user_name} may not read the index in the database {about.database}.",
        f"Have its owner run: {_read_grants(about)}",
    )


def _read_grants(about: _About) -> str:
    return (
        f"GRANT USAGE ON SCHEMA {about.quoted_schema} TO {about.user}; "
        f"GRANT SELECT ON {about.tables} TO {about.user}; ALTER DEFAULT PRIVILEGES IN SCHEMA "
        f"{about.quoted_schema} GRANT SELECT ON TABLES TO {about.user};"
    )


def _target(conninfo: str) -> dict[str, str]:
    """The words that name the database in an error: never the password, nor parts of it."""
    invalid = _problem(
        "POSTGRES_URL is not a valid connection URL.",
        "Write postgresql://user:password@host:5432/database, with @ : / % in the password "
        "percent-encoded.",
    )
    try:
        words = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    except psycopg.ProgrammingError:
        # Its text may quote the password, so that not even the cause is kept.
        raise invalid from None
    # What an unescaped password leaves behind: parts of it in the host or the port.
    if "@" in words.get("host", "") or not _is_port(words.get("port", "5432")):
        raise invalid
    return words


def _is_port(text: str) -> bool:
    return all(port.isdecimal() and int(port) < 65_536 for port in text.split(","))


def _unreachable(error: psycopg.OperationalError, target: dict[str, str]) -> DatabaseError:
    said = _first_line(error)
    host, port = target.get("host", "localhost"), target.get("port", "5432")
    where = f"{host}:{port}"
    user, database = target.get("user", "(none given)"), target.get("dbname", "(none given)")
    if "resolve host" in said or "translate host name" in said:
        return _problem(f"There is no host {host}.", "Correct the host in POSTGRES_URL.")
    if "refused" in said or "No such file" in said:
        return _problem(f"No Postgres listens at {where}.", "Start it, or correct POSTGRES_URL.")
    if isinstance(error, errors.ConnectionTimeout):
        return _problem(
            f"Postgres at {where} does not answer.",
            "Check the network and firewalls, or correct POSTGRES_URL.",
        )
    if "password" in said or f'role "{user}" does not exist' in said:
        return _problem(
            f"Postgres at {where} does not let in the user {user}: wrong user or password.",
            "Correct them in POSTGRES_URL (@ : / % in a password are percent-encoded).",
        )
    if f'database "{database}" does not exist' in said:
        return _problem(
            f"Postgres at {where} has no database {database}.",
            f"Run there: CREATE DATABASE {sql.Identifier(database).as_string()}; "
            "or correct POSTGRES_URL.",
        )
    return _problem(
        f"Postgres at {where} cannot be used: {said}.", "Mend that, or correct POSTGRES_URL."
    )


def _problem(what: str, remedy: str) -> DatabaseError:
    return DatabaseError(f"{what}\n{remedy}")


def _first_line(error: psycopg.Error) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].rpartition("FATAL:  ")[2].rstrip(".")


def _version(text: str | None) -> tuple[int, ...]:
    parts = (part for part in (text or "").split(".") if part.isdecimal())
    return tuple(map(int, parts))
