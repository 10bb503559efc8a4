"""Databases that go away under a server, and come back."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from index.embedded_postgres import SUPERUSER
from tests.conftest import Postgres

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %(name)s"


def end_sessions(postgres: Postgres, name: str) -> None:
    """Ends every session of a database, as a restart of Postgres does."""
    with psycopg.connect(postgres.url("postgres", SUPERUSER), autocommit=True) as connection:
        connection.execute(END_SESSIONS, {"name": name})


@contextmanager
def outage(postgres: Postgres, name: str) -> Generator[None]:
    """A time in which nobody can use a database."""
    postgres.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    end_sessions(postgres, name)
    try:
        yield
    finally:
        postgres.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
