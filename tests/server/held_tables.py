"""Statements that wait for a table which the test holds, as Postgres shows them."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from anyio import sleep, to_thread

from index.embedded_postgres import SUPERUSER
from tests.conftest import Postgres

PATIENCE = 30.0  # seconds after which what should happen is taken not to
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'
"""
CONNECTED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'confluence-mcp serve'
  AND state = 'idle'
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A database in which nobody but the test gets at pages."""

    url: str

    def waiting(self) -> set[int]:
        """The sessions that wait for the table."""
        return self._pids(WAITING.encode())

    def idle(self) -> set[int]:
        """The sessions of servers that wait for their next transaction."""
        return self._pids(CONNECTED.encode())

    def _pids(self, query: bytes) -> set[int]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return {int(row[0]) for row in connection.execute(query)}


def held(postgres: Postgres, name: str) -> Held:
    """What a database's superuser sees."""
    return Held(postgres.url(name, SUPERUSER))


@contextmanager
def pages_held(url: str) -> Generator[None]:
    """Lets every reading of pages wait for the end of the `with`."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE page IN ACCESS EXCLUSIVE MODE")
        yield


async def until(is_so: Callable[[], bool]) -> None:
    """Returns when something has become so."""
    deadline = time.monotonic() + PATIENCE
    while not await to_thread.run_sync(is_so):
        assert time.monotonic() < deadline, "it did not happen"
        await sleep(0.02)
