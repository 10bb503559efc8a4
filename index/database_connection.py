"""Connecting to any Postgres, and what to do when that fails. Passwords are never repeated."""

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from index.errors import DatabaseError

_CONNECT_S = 10


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


def _target(conninfo: str) -> dict[str, str]:
    """The words that name the database in an error: never the password, nor parts of it."""
    invalid = problem(
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
    said = first_line(error)
    host, port = target.get("host", "localhost"), target.get("port", "5432")
    where = f"{host}:{port}"
    user, database = target.get("user", "(none given)"), target.get("dbname", "(none given)")
    if "resolve host" in said or "translate host name" in said:
        return problem(
            f"The host name {host} cannot be resolved.",
            "Check the network, or correct the host in POSTGRES_URL.",
        )
    if "refused" in said or "No such file" in said:
        return problem(f"No Postgres listens at {where}.", "Start it, or correct POSTGRES_URL.")
    if isinstance(error, errors.ConnectionTimeout):
        return problem(
            f"Postgres at {where} does not answer.",
            "Check the network and firewalls, or correct POSTGRES_URL.",
        )
    if "password" in said or f'role "{user}" does not exist' in said:
        return problem(
            f"Postgres at {where} does not let in the user {user}: wrong user or password.",
            "Correct them in POSTGRES_URL (@ : / % in a password are percent-encoded).",
        )
    if f'database "{database}" does not exist' in said:
        return problem(
            f"Postgres at {where} has no database {database}.",
            f"Run there: CREATE DATABASE {sql.Identifier(database).as_string()}; "
            "or correct POSTGRES_URL.",
        )
    return problem(
        f"Postgres at {where} cannot be used: {said}.", "Mend that, or correct POSTGRES_URL."
    )


def problem(what: str, remedy: str) -> DatabaseError:
    """An error of two lines."""
    return DatabaseError(f"{what}\n{remedy}")


def first_line(error: psycopg.Error) -> str:
    """What Postgres said, without detail and hint."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].rpartition("FATAL:  ")[2].rstrip(".")
