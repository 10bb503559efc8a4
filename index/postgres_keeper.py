"""The keeper of the embedded Postgres: starts it, and stops it once its last user is gone.

A process of its own, so that the server outlives whoever needed it first. Every user holds a
shared lock, which the kernel drops when the user ends, however it ends.
"""

import contextlib
import functools
import logging
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from index.errors import DatabaseError
from index.postgres_cluster import Cluster, Process
from index.postgres_files import Layout, open_file, server_pid, try_lock, unlock

logger = logging.getLogger(__name__)

READY = "ready"
GRACE_S = 2.0

_POLL_S = 0.5
_FORMER_SERVER_S = 50.0


class Keeper:
    """Keeps one server from start to stop, and holds the keeper's lock meanwhile."""

    def __init__(self, layout: Layout, programs: Path, account: pwd.struct_passwd | None) -> None:
        self._layout = layout
        self._lock = open_file(layout.keeper_lock)
        self._users_lock = open_file(layout.users_lock)
        self._server_lock = open_file(layout.server_lock)
        self._cluster = Cluster(layout, programs, account, self._server_lock)
        self._signals = _Signals()

    def start(self) -> Process | None:
        """The server, ready for connections; None when another keeper is at work."""
        if not _wait_for(functools.partial(try_lock, self._lock), 1.0):
            return None
        self._end_former_server()
        return self._cluster.start()

    def watch(self, server: Process) -> None:
        """Returns when the server has ended, by itself or because nobody uses it any more."""
        idle_since: float | None = None
        while server.poll() is None and not self._signals.stop_asked and self._has_home():
            if not try_lock(self._users_lock):
                idle_since = None
            elif idle_since is not None and time.monotonic() - idle_since >= GRACE_S:
                # Kept while stopping: newcomers wait for it and never meet a dying server.
                break
            else:
                unlock(self._users_lock)
                idle_since = time.monotonic() if idle_since is None else idle_since
            self._signals.wait(_POLL_S)
        self._cluster.stop(server)
        # Given back first: whoever gets the users' lock next must find no keeper.
        os.close(self._lock)
        logger.info("server ended status=%s", server.returncode)

    def _has_home(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(self._layout.keeper_lock.stat(), os.fstat(self._lock))
        return False

    def _end_former_server(self) -> None:
        """Stops a server that lost its keeper, or clears away what a dead one left."""
        pid = server_pid(self._layout)
        is_server = pid is not None and f"postgres -D {self._layout.data}" in _command_of(pid)
        if pid is not None and is_server:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

        def has_ended() -> bool:
            is_gone = pid is None or not is_server or not _command_of(pid)
            return try_lock(self._server_lock) and is_gone

        if not _wait_for(has_ended, _FORMER_SERVER_S):
            raise DatabaseError(
                f"An earlier Postgres of {self._layout.home} does not end (process {pid}).\n"
                "Stop that process, then try again."
            )
        # Its number may belong to a stranger by now, for which Postgres would refuse to start.
        (self._layout.data / "postmaster.pid").unlink(missing_ok=True)


class _Signals:
    """Wakes the keeper when its server ends or when it is told to stop."""

    def __init__(self) -> None:
        self.stop_asked = False
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._wake)
        signal.signal(signal.SIGTERM, self._ask_stop)

    def _wake(self, *_: object) -> None:
        """Nothing more: the signal is noticed by the byte that it puts into the pipe."""

    def _ask_stop(self, *_: object) -> None:
        self.stop_asked = True

    def wait(self, seconds: float) -> None:
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 1024)


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _command_of(pid: int) -> str:
    """The command line of a process, empty when it has ended."""
    if sys.platform == "linux":
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listed = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return listed.stdout


def _detach() -> None:
    """Goes on as a child of nobody, so that no user of the server has to reap its keeper."""
    if os.fork():
        os._exit(0)
    os.umask(0o077)


def _report(text: str) -> None:
    """Tells the process that waits for this keeper, and closes its pipe."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, text.encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def main(home: str, programs: str, account: str) -> None:
    """Runs as `python -m index.postgres_keeper HOME PROGRAMS ACCOUNT`; reports on stdout."""
    _detach()
    logging.basicConfig(format="%(asctime)s [%(process)d] %(message)s", level=logging.INFO)
    began = time.monotonic()
    try:
        user = pwd.getpwnam(account) if account else None
        keeper = Keeper(Layout(Path(home)), Path(programs), user)
        server = keeper.start()
    except (DatabaseError, OSError, subprocess.SubprocessError) as error:
        logger.exception("server not started")
        _report(str(error))
        sys.exit(1)
    if server:
        logger.info("server started pid=%s seconds=%.2f", server.pid, time.monotonic() - began)
        _report(READY)
        keeper.watch(server)


if __name__ == "__main__":
    main(*sys.argv[1:])
