"""What all tests share: one real Postgres per session, and a migrated database per test."""

import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from xdist.remote import Producer  # pyright: ignore[reportMissingTypeStubs]
from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

from index.database import Database
from index.database_checks import prepare
from index.database_connection import connect
from index.embedded_postgres import DATABASE, SUPERUSER, EmbeddedPostgres
from index.postgres_files import Layout, is_locked, server_pid
from index.settings import IndexSettings
from index.store import forget_site

# Browsers beside each other run late: these files go to one worker, one after the other.
IN_A_BROWSER = (
    "tests/clients/test_chat_page.py",
    "tests/clients/test_chat_store_page.py",
    "tests/clients/test_whole_product.py",
)


class OneBrowser(LoadFileScheduling):
    """One file at a time for each worker: the files share servers within, not between them."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return IN_A_BROWSER[0] if file in IN_A_BROWSER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: tests that start programs wait for them most of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneBrowser:
    """How tests are given to workers."""
    return OneBrowser(config, log)


@dataclass(frozen=True, slots=True)
class Postgres:
    """The server of this test session, as its superuser sees it."""

    socket: str

    def url(self, database: str, user: str = DATABASE) -> str:
        """How to connect to one of its databases."""
        return f"postgresql://{user}@/{quote(database)}?host={quote(self.socket, safe='')}"

    def run(self, statement: LiteralString, *names: str, database: str = "postgres") -> None:
        """Runs a statement as the superuser; `{}` stands for each of the names."""
        with psycopg.connect(self.url(database, SUPERUSER), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def make_database(self, name: str, template: str) -> None:
        """A copy of a database to which nobody is connected; `confluence_mcp` is the empty one."""
        self.run(
            "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY WAL_LOG", name, template, DATABASE
        )

    @contextmanager
    def copy_of(self, template: str) -> Generator[str]:
        """The name of a copy that lives as long as the `with`."""
        name = f"test_{uuid.uuid4().hex}"
        self.make_database(name, template)
        try:
            yield name
        finally:
            self.run("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which psycopg and the MCP library stand on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_authorities(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Believes nobody: HTTP clients read all certificates, and tests call this machine only."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_FILE", raising=False)
        environment.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """The embedded Postgres in a home of its own, stopped when the session ends."""
    home = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
    # Where root runs the tests, the user that runs Postgres passes through this folder.
    home.chmod(0o711)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(EmbeddedPostgres.open(home)) as embedded,
    ):
        conninfo = conninfo_to_dict(portal.call(embedded.conninfo))
        server = Postgres(str(conninfo["host"]))
        # Tests may lose their data with the machine; they need not wait for the disk.
        server.run("ALTER SYSTEM SET fsync = off")
        server.run("SELECT pg_reload_conf()")
        yield server
    _stop(Layout(home.resolve()))
    shutil.rmtree(home)


def _stop(layout: Layout) -> None:
    """Ends the server without the keeper's grace for a next user."""
    if pid := server_pid(layout):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 30
    while is_locked(layout.keeper_lock) and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres) -> str:
    """The name of a database with the current schema and nothing in it; copy it, don't fill it."""
    postgres.make_database("migrated", DATABASE)

    async def migrate() -> None:
        async with await connect(postgres.url("migrated")) as connection:
            await prepare(connection, migrate=True, read_only=False)

    with start_blocking_portal() as portal:
        portal.call(migrate)
    return "migrated"


@pytest.fixture
def database_url(postgres: Postgres, migrated_template: str) -> Generator[str]:
    """The URL of a database of this test's own, with the current schema and nothing in it."""
    with postgres.copy_of(migrated_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def shared_database_url(postgres: Postgres, migrated_template: str) -> Generator[str]:
    """The URL of one database for all tests of a file; `database` finds it empty all the same.

    A file whose tests need no more than that gives it as its `database_url`: a copy costs more than
    most tests.
    """
    with postgres.copy_of(migrated_template) as name:
        yield postgres.url(name)


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Generator[str]:
    """The URL of a database of this test's own, with the extension vector but no schema."""
    with postgres.copy_of(DATABASE) as name:
        yield postgres.url(name)


@pytest.fixture
def index_settings(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> IndexSettings:
    """Settings for this test's own database, untouched by the environment of the machine."""
    for name in IndexSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTGRES_URL", database_url)
    monkeypatch.setenv("CONFLUENCE_MCP_HOME", str(tmp_path))
    return IndexSettings.load()


@pytest.fixture
async def database(index_settings: IndexSettings) -> AsyncGenerator[Database]:
    """An open database without any site."""
    async with Database.open(index_settings, application_name="tests") as database:
        await empty(database)
        yield database


async def empty(database: Database) -> None:
    """Takes all sites out of the index, and the languages of their pages."""
    await forget_site(database, None)
    async with database.pool.connection() as connection:
        await connection.execute("DELETE FROM search_configuration")
