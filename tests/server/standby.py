"""A primary Postgres and its streaming standby, both real, made for a few tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg

from index.embedded_postgres import DATABASE, READER, SUPERUSER
from index.postgres_files import Layout, installation, server_account
from tests.conftest import Postgres

PATIENCE = 60.0
INITDB = (
    *("--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8", "--locale=C", "--no-sync"),
    *("--set=fsync=off", "--set=wal_level=replica", "--set=max_wal_senders=4", "--set=jit=off"),
    *("--set=max_standby_streaming_delay=0", "--set=listen_addresses=", "--set=hot_standby=on"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One of the two; `folder` has its data and its socket."""

    programs: Path
    folder: Path
    account: pwd.struct_passwd | None

    def url(self, database: str = DATABASE, user: str = DATABASE) -> str:
        """How to connect to one of its databases."""
        return f"postgresql://{user}@/{quote(database)}?host={quote(str(self.folder), safe='')}"

    def run(self, statement: LiteralString, database: str = DATABASE) -> object:
        """The first value of what a statement of the superuser gives."""
        with psycopg.connect(self.url(database, SUPERUSER), autocommit=True) as connection:
            done = connection.execute(statement)
            row = done.fetchone() if done.description else None
        return row and row[0]

    @property
    def is_caught_up(self) -> bool:
        """Whether a standby has replayed what it received."""
        return bool(self.run("SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"))

    def program(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        """One of Postgres' programs, as the user that runs it."""
        account = self.account
        return subprocess.Popen(
            [str(self.programs / name), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
        )

    def done(self, name: str, *options: str) -> None:
        """The same, to its end."""
        assert self.program(name, *options).wait(PATIENCE) == 0, name

    @contextmanager
    def running(self) -> Generator[None]:
        """Its server, which is ready for connections, for the length of a `with`."""
        socket = f"--unix_socket_directories={self.folder}"
        server = self.program("postgres", "-D", str(self.folder / "data"), socket)
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._answers():
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(PATIENCE)

    def _answers(self) -> bool:
        try:
            return self.run("SELECT 1", "postgres") == 1
        except psycopg.OperationalError:
            return False


def _cluster(postgres: Postgres, parent: Path, name: str) -> Cluster:
    with psycopg.connect(postgres.url("postgres", SUPERUSER)) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    layout = Layout(Path(str(row[0])).parents[1])
    account = server_account(layout)
    folder = parent / name
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return Cluster(installation(layout, account), folder, account)


@contextmanager
def primary_server(postgres: Postgres) -> Generator[Cluster]:
    """A Postgres that may have standbys, with an empty database for the index."""
    parent = Path(tempfile.mkdtemp(prefix="standby-"))
    parent.chmod(0o711)
    primary = _cluster(postgres, parent, "a")
    try:
        primary.done("initdb", "-D", str(primary.folder / "data"), *INITDB)
        with primary.running():
            for role in (f"CREATE ROLE {DATABASE} LOGIN", f"CREATE ROLE {READER} NOLOGIN"):
                primary.run(role, "postgres")
            primary.run(f"GRANT {READER} TO {DATABASE}", "postgres")
            primary.run(f"CREATE DATABASE {DATABASE} OWNER {DATABASE}", "postgres")
            primary.run("CREATE EXTENSION vector")
            yield primary
    finally:
        shutil.rmtree(parent)


@contextmanager
def standby_of(postgres: Postgres, primary: Cluster) -> Generator[tuple[Cluster, ExitStack]]:
    """Its standby, and what ends it early."""
    standby = _cluster(postgres, primary.folder.parent, "b")
    data = str(standby.folder / "data")
    standby.done(
        *("pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync"),
        *("-d", primary.url("postgres", SUPERUSER)),
    )
    with ExitStack() as stack:
        stack.enter_context(standby.running())
        yield standby, stack
