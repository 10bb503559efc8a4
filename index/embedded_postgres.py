"""The embedded Postgres: one server per home, shared by every process of the machine."""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from index.errors import DatabaseError
from index.postgres_files import (
    PORT,
    Layout,
    installation,
    is_locked,
    is_root,
    make_folders,
    open_file,
    open_path,
    server_account,
    server_socket,
    try_lock,
)
from index.postgres_keeper import READY

logger = logging.getLogger(__name__)

DATABASE = "confluence_mcp"
SUPERUSER = "postgres"
READER = "confluence_mcp_reader"  # what the migrations call it

_START_S = 60
_POLL_S = 0.02
_RETRY_S = 0.2
_LOG_BYTES = 10_000_000
_ONE_AT_A_TIME = "SELECT pg_advisory_lock(7_265_308_114_002)"
_FIND_DATABASE = "SELECT FROM pg_database WHERE datname = %(name)s"
_FIND_ROLE = "SELECT FROM pg_roles WHERE rolname = %(name)s"
_MAKE_EXTENSION = "CREATE EXTENSION IF NOT EXISTS vector"
_UPDATE_EXTENSION = "ALTER EXTENSION vector UPDATE"


class EmbeddedPostgres:
    """A share in the server of one home, which runs until the last share is given back.

    A share is a lock that the kernel drops with its process. Raises ConfigurationError or
    DatabaseError, whose texts say what to do.
    """

    def __init__(self, home: Path) -> None:
        self._layout = Layout(home.expanduser().resolve())

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path) -> AsyncGenerator[Self]:
        """A share for the length of a `with`; the server runs and has its database."""
        postgres = cls(home)
        with _explained(postgres._layout):
            make_folders(postgres._layout)
            share = open_file(postgres._layout.users_lock)
        try:
            async with _started(postgres._layout):
                await _lock(share, shared=True)
                await postgres._make_database()
            yield postgres
        finally:
            os.close(share)

    async def conninfo(self) -> str:
        """How to connect. Starts the server again when it is gone: ask for every connection."""
        async with _started(self._layout):
            return _conninfo(await self._socket_folder(), DATABASE, DATABASE)

    async def _socket_folder(self) -> Path:
        """Where a server takes connections; it is started when there is none."""
        # A server that lost its keeper would stay behind its last user, so it is replaced.
        has_keeper = is_locked(self._layout.keeper_lock)
        folder = _answering_socket(self._layout) if has_keeper else None
        return folder or await self._start()

    async def _start(self) -> Path:
        async with _locked(self._layout.start_lock):
            while True:
                if not is_locked(self._layout.keeper_lock):
                    await _start_keeper(self._layout)
                elif folder := _answering_socket(self._layout):
                    return folder
                else:
                    await asyncio.sleep(_POLL_S)

    async def _make_database(self) -> None:
        async with await self._connect("postgres") as connection:
            await connection.execute(_ONE_AT_A_TIME)
            await _make_owned_database(connection)
        async with await self._connect(DATABASE) as connection:
            await connection.execute(_ONE_AT_A_TIME)
            await connection.execute(_MAKE_EXTENSION)
            await connection.execute(_UPDATE_EXTENSION)

    async def _connect(self, database: str) -> psycopg.AsyncConnection:
        """A superuser's connection; a server that is just going away is waited for."""
        while True:
            conninfo = _conninfo(await self._socket_folder(), database, SUPERUSER)
            try:
                return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            except psycopg.OperationalError as error:
                logger.info("embedded Postgres does not let in reason=%s", str(error).strip())
                await asyncio.sleep(_RETRY_S)


def _conninfo(folder: Path, database: str, user: str) -> str:
    return make_conninfo(dbname=database, user=user, host=str(folder), port=PORT)


async def _make_owned_database(connection: psycopg.AsyncConnection) -> None:
    parameters, name = {"name": DATABASE}, sql.Identifier(DATABASE)
    if not (await connection.execute(_FIND_ROLE, parameters)).rowcount:
        await connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    reader = sql.Identifier(READER)
    if not (await connection.execute(_FIND_ROLE, {"name": READER})).rowcount:
        await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(reader))
        await connection.execute(sql.SQL("GRANT {} TO {}").format(reader, name))
    if not (await connection.execute(_FIND_DATABASE, parameters)).rowcount:
        await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


async def _lock(descriptor: int, *, shared: bool = False) -> None:
    # Asked again and again, since a wait inside the kernel could not be cancelled.
    while True:
        if try_lock(descriptor, shared=shared):
            return
        await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _locked(path: Path) -> AsyncGenerator[None]:
    descriptor = open_file(path)
    try:
        await _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _answering_socket(layout: Layout) -> Path | None:
    """The folder of the socket, if a server listens there: a killed one leaves its files."""
    folder = server_socket(layout)
    if folder is None:
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(folder / f".s.PGSQL.{PORT}"))
        except OSError:
            return None
    return folder


async def _start_keeper(layout: Layout) -> None:
    """Starts a keeper and waits for its word; a keeper that dies silently is started again."""
    with _spawn_keeper(layout) as words:
        said = None
        while said is None:
            await asyncio.sleep(_POLL_S)
            said = _read(words)
    if said and said != READY:
        raise DatabaseError(said)


@contextmanager
def _spawn_keeper(layout: Layout) -> Generator[int]:
    """A pipe on which a new keeper says READY or why it cannot start."""
    account = server_account(layout)
    if account:
        open_path(layout.root, account)
    programs = installation(layout, account)
    words, pipe = os.pipe()
    os.set_blocking(words, False)
    try:
        try:
            arguments = [str(layout.home), str(programs), account.pw_name if account else ""]
            _run_keeper(layout, arguments, pipe)
        finally:
            os.close(pipe)
        yield words
    finally:
        os.close(words)


def _run_keeper(layout: Layout, arguments: list[str], pipe: int) -> None:
    log = _open_log(layout)
    try:
        # Returns at once: the keeper goes on in the background, without our files and secrets.
        subprocess.run(
            [sys.executable, "-P", "-m", "index.postgres_keeper", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=log,
            cwd="/",
            env=_keeper_environment(),
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(log)


def _keeper_environment() -> dict[str, str]:
    kept = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def _open_log(layout: Layout) -> int:
    with contextlib.suppress(FileNotFoundError):
        if layout.log.stat().st_size > _LOG_BYTES:
            layout.log.replace(layout.log.with_suffix(".log.1"))
    return open_file(layout.log, os.O_WRONLY | os.O_APPEND)


def _read(pipe: int) -> str | None:
    try:
        return os.read(pipe, 4096).decode()
    except BlockingIOError:
        return None


@asynccontextmanager
async def _started(layout: Layout) -> AsyncGenerator[None]:
    """Bounds the wait for a server."""
    with _explained(layout):
        try:
            async with asyncio.timeout(_START_S):
                yield
        except TimeoutError as error:
            raise DatabaseError(
                f"The embedded Postgres in {layout.home} is not ready after {_START_S} s; it may "
                "be repairing its data after a crash.\n"
                f"Try again in a minute. Its log is {layout.log}."
            ) from error


@contextmanager
def _explained(layout: Layout) -> Generator[None]:
    """Turns what the system says into what a person can do about it."""
    try:
        yield
    except PermissionError as error:
        who = "root" if is_root() else "you"
        raise DatabaseError(
            f"The embedded Postgres in {layout.home} is closed to {who}: {error}\n"
            "Run as its owner, choose another CONFLUENCE_MCP_HOME, or set POSTGRES_URL."
        ) from error
    except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
        raise DatabaseError(
            f"The embedded Postgres in {layout.home} does not start: {error}\n"
            f"Mend that (see {layout.log}), or set POSTGRES_URL to a Postgres of your own."
        ) from error
