"""A PgBouncer that lends one connection for a transaction at a time, where one is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from index.embedded_postgres import DATABASE, SUPERUSER
from tests.conftest import Postgres

PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")

SETTINGS = """
[databases]
* = host={postgres}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 1
logfile = {folder}/log
"""


@contextmanager
def pgbouncer(postgres: Postgres) -> Generator[int]:
    """The port of a running one, which has one connection to each database."""
    assert PROGRAM is not None
    # Nobody else reaches the socket of the embedded Postgres; root would be refused.
    account = Path(postgres.socket).stat() if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        port = _free_port()
        users = "".join(f'"{user}" ""\n' for user in (DATABASE, SUPERUSER))
        (folder / "users").write_text(users)
        settings = SETTINGS.format(postgres=postgres.socket, port=port, folder=folder)
        (folder / "pgbouncer.ini").write_text(settings)
        if account is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, account.st_uid, account.st_gid)
        with subprocess.Popen(
            [PROGRAM, "--quiet", str(folder / "pgbouncer.ini")],
            user=account and account.st_uid,
            group=account and account.st_gid,
            extra_groups=[] if account else None,
        ) as process:
            try:
                _wait_for(port)
                yield port
            finally:
                process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "pgbouncer does not listen"
            time.sleep(0.02)
        else:
            return
