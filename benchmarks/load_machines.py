"""What is put under load, each a process: a Postgres that can be stopped, a server, an ingest."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import httpx
import psycopg

from index.embedded_postgres import DATABASE, READER, SUPERUSER
from index.postgres_cluster import Cluster, Process
from index.postgres_files import (
    Layout,
    installation,
    make_folders,
    open_file,
    open_path,
    server_account,
    server_socket,
)
from tests.command import Command
from tests.server.processes import http_options

SERVER = "wiki_server"  # a login that can only read
PATIENCE = 180.0
AT_WORK = 2.5  # seconds after which an ingest has started and is writing
ROLES: tuple[LiteralString, ...] = (
    f"CREATE ROLE {DATABASE} LOGIN",
    f"CREATE ROLE {READER} NOLOGIN",
    f"GRANT {READER} TO {DATABASE}",
    f"CREATE ROLE {SERVER} LOGIN IN ROLE {READER}",
    f"CREATE DATABASE {DATABASE} OWNER {DATABASE}",
)
CONNECTIONS = """
SELECT application_name, count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY application_name
"""


@dataclass(slots=True)
class LoadedPostgres:
    """The Postgres that the product brings, with its settings, in a folder of its own."""

    layout: Layout
    cluster: Cluster
    process: Process

    @classmethod
    @contextmanager
    def running(cls, home: Path) -> Generator["LoadedPostgres"]:
        """Runs for the length of a `with`, with an empty database for the index."""
        layout = Layout(home)
        make_folders(layout)
        account = server_account(layout)
        if account is not None:
            open_path(layout.root, account)
        lock = open_file(layout.server_lock)
        cluster = Cluster(layout, installation(layout, account), account, lock)
        postgres = cls(layout, cluster, cluster.start())
        try:
            for statement in ROLES:
                postgres.run(statement)
            postgres.run("CREATE EXTENSION vector", DATABASE)
            yield postgres
        finally:
            postgres.stop()
            os.close(lock)

    def stop(self, *, at_once: bool = False) -> None:
        """Ends it as `pg_ctl stop` does in mode fast, or immediate."""
        if at_once:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(PATIENCE)
        self.cluster.stop(self.process)

    def start(self) -> None:
        """Starts it again; it takes connections then."""
        self.process = self.cluster.start()

    def url(self, user: str = DATABASE, database: str = DATABASE) -> str:
        """How to connect, also when it is stopped."""
        folder = server_socket(self.layout) or self.layout.root / "socket"
        return f"postgresql://{user}@/{quote(database)}?host={quote(str(folder), safe='')}"

    def run(self, statement: LiteralString, database: str = "postgres") -> None:
        """Runs a statement as the superuser."""
        with psycopg.connect(self.url(SUPERUSER, database), autocommit=True) as connection:
            connection.execute(statement)

    def connections(self) -> Counter[str]:
        """How many there are, by the name of the program; none of a server that is stopped."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.url(SUPERUSER)) as connection:
            return Counter(dict(connection.execute(CONNECTIONS).fetchall()))
        return Counter()


@dataclass(slots=True)
class LoadedServer:
    """`confluence-mcp serve --transport http`, which can be killed and started again."""

    command: Command
    log: Path
    options: tuple[str, ...] = field(default_factory=http_options)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.options[-1]}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Starts it and returns when it is ready."""
        self.process = process = self._begin()
        deadline = time.monotonic() + PATIENCE
        while not await self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server does not start: {self.log.read_text()[-500:]}")
            await asyncio.sleep(0.1)

    def _begin(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self.command.started, "serve", *self.options],
                cwd=self.command.folder,
                env=self.command.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    async def is_ready(self) -> bool:
        """Whether it says so."""
        async with httpx.AsyncClient(timeout=5) as http:
            with suppress(httpx.TransportError):
                return (await http.get(f"{self.url}/readyz")).is_success
        return False

    def kill(self) -> None:
        """Ends it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> float | None:
        """Ends it politely; the seconds that it took, None if it had to be killed."""
        if self.process is None or self.process.poll() is not None:
            return None
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class IngestRun:
    """One run of the ingest: when, how it ended, pages, and what it complained of."""

    began: float
    ended: float
    code: int
    stored: int = 0
    failed: int = 0
    said: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the index then equals the site; pages that failed are tried again later."""
        return self.code == 0 and not self.failed


@dataclass(slots=True)
class LoadedIngest:
    """`confluence-mcp ingest`, whose runs follow one another."""

    command: Command
    runs: list[IngestRun] = field(default_factory=list[IngestRun])
    process: asyncio.subprocess.Process | None = None
    _began: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def once(self) -> IngestRun:
        """One run."""
        began = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            *self.command.started,
            "ingest",
            "--json",
            cwd=self.command.folder,
            env=self.command.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._began.set()
        try:
            output, errors = await self.process.communicate()
        finally:
            code = self.process.returncode
            if code is None:
                self.process.terminate()
            self.process = None
        told = json.loads(output) if output.strip() else {"stored": 0, "failed": 0}
        said = "" if code == 0 else "\n".join(errors.decode().splitlines()[-3:])
        ended = time.monotonic()
        run = IngestRun(began, ended, code or 0, int(told["stored"]), int(told["failed"]), said)
        self.runs.append(run)
        self._ended.set()
        return run

    async def at_work(self) -> None:
        """Returns in the middle of a run."""
        self._began.clear()
        await self._began.wait()
        await asyncio.sleep(AT_WORK)

    async def whole_after(self, number: int) -> None:
        """Returns when a run after so many has ended well."""
        while not any(run.is_whole for run in self.runs[number:]):
            self._ended.clear()
            await self._ended.wait()

    def kill(self) -> bool:
        """Ends a run in its middle without a word; whether there was one."""
        if self.process is None:
            return False
        self.process.kill()
        return True


@asynccontextmanager
async def served(
    postgres: LoadedPostgres, folder: Path, variables: Mapping[str, str]
) -> AsyncGenerator[LoadedServer]:
    """The server for callers with keys, for the length of a `with`."""
    own = {
        "POSTGRES_URL": postgres.url(SERVER),
        "AUTH_API_KEYS": "true",
        "AUDIT_LOG": str(folder / "audit.jsonl"),
    }
    server = LoadedServer(Command(folder, {**variables, **own}), folder / "server.log")
    await server.start()
    try:
        yield server
    finally:
        server.stop()
