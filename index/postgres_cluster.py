"""The embedded Postgres itself: makes its cluster, starts its server and stops it."""

import contextlib
import ctypes
import hashlib
import locale
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from index.errors import DatabaseError
from index.postgres_files import PORT, Layout, open_file, server_pid, server_socket

logger = logging.getLogger(__name__)

Process = subprocess.Popen[bytes]

_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
_PR_SET_PDEATHSIG = 1
_STOPPING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_MEGABYTE = 1_000_000


class Cluster:
    """The data of one home and the programs that serve it.

    Every process of Postgres inherits `server_lock`, a locked descriptor: while one of them
    lives, the lock is held.
    """

    def __init__(
        self, layout: Layout, programs: Path, account: pwd.struct_passwd | None, server_lock: int
    ) -> None:
        self._layout = layout
        self._programs = programs
        self._account = account
        self._server_lock = server_lock
        self._log = open_file(layout.log, os.O_WRONLY | os.O_APPEND)

    def start(self) -> Process:
        """The server, ready for connections; the cluster is made when there is none."""
        if not self._layout.data.exists():
            self._make()
        self._check_version()
        self._take_over()
        server = self._launch()
        while server_pid(self._layout) != server.pid or server_socket(self._layout) is None:
            if server.poll() is not None:
                raise DatabaseError(
                    f"Postgres did not start in {self._layout.root}: {self._complaint()}\n"
                    f"See {self._layout.log}, or set POSTGRES_URL to a Postgres of your own."
                )
            time.sleep(0.01)
        return server

    def stop(self, server: Process) -> None:
        """Ends the server: politely, then at once, then by force."""
        for number, seconds in _STOPPING:
            if server.poll() is None:
                server.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(seconds)
        with contextlib.suppress(OSError):
            self._socket_folder().rmdir()

    def _make(self) -> None:
        # Renamed when complete, so that an interrupted attempt leaves no half of a cluster.
        staging = self._layout.root / "data.new"
        shutil.rmtree(staging, ignore_errors=True)
        self._make_private(staging)
        options = ["-D", str(staging), *_initdb_options()]
        if self._spawn("initdb", options, signal.SIGKILL).wait() != 0:
            shutil.rmtree(staging, ignore_errors=True)
            raise DatabaseError(
                f"Postgres could not make a database in {self._layout.root}: {self._complaint()}\n"
                f"See {self._layout.log}, or set POSTGRES_URL to a Postgres of your own."
            )
        staging.rename(self._layout.data)

    def _check_version(self) -> None:
        made_by = (self._layout.data / "PG_VERSION").read_text().strip()
        told = subprocess.run(
            [self._programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        brought = told.stdout.split()[-1].partition(".")[0]
        if made_by != brought:
            raise DatabaseError(
                f"The database in {self._layout.root} was made by PostgreSQL {made_by}; "
                f"this program brings {brought}.\n"
                "Move that folder away and run `confluence-mcp ingest` again, or set POSTGRES_URL."
            )

    def _take_over(self) -> None:
        """Gives the data to the account, whose number differs between container images."""
        account, data = self._account, self._layout.data
        if account is None or data.stat().st_uid == account.pw_uid:
            return
        # The top comes last: while it is not owned, the rest may not be either.
        for folder, _, names in os.walk(data, topdown=False):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def _launch(self) -> Process:
        folder = self._socket_folder()
        self._make_private(folder)
        # A dead server's files stop a new one while their process number exists, be it a zombie's.
        for leftover in folder.glob(f".s.PGSQL.{PORT}*"):
            leftover.unlink()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{folder}"',
            "port": str(PORT),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return self._spawn("postgres", ["-D", str(self._layout.data), *options], signal.SIGINT)

    def _socket_folder(self) -> Path:
        folder = self._layout.root / "socket"
        if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > _SOCKET_PATH_BYTES:
            name = hashlib.sha256(os.fsencode(self._layout.home)).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()) / f"confluence-mcp-{name}"
        return folder

    def _make_private(self, folder: Path) -> None:
        """A folder for the user who runs Postgres alone; root passes anyway."""
        owner = self._account.pw_uid if self._account else os.geteuid()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != owner or status.st_mode & 0o077:
            raise DatabaseError(
                f"The folder {folder} belongs to another user or is open to others.\n"
                "Remove it, then try again."
            )

    def _spawn(self, program: str, options: Sequence[str], death_signal: signal.Signals) -> Process:
        account = self._account
        return subprocess.Popen(
            [str(self._programs / program), *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(self._server_lock,),
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            start_new_session=True,
            preexec_fn=_die_with_parent(death_signal),
        )

    def _complaint(self) -> str:
        lines = self._layout.log.read_text(errors="replace").splitlines()[-50:]
        complaints = [line for line in lines if "FATAL:" in line or "error:" in line]
        return complaints[-1].partition(": ")[2].strip() if complaints else "it gave no reason"


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Has the kernel signal a child whose parent dies; runs in the child, after setuid."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


def _initdb_options() -> list[str]:
    # Letters are told apart by LC_CTYPE in text search; under plain C, dashes are letters too.
    settings = {
        "fsync": "on",
        "synchronous_commit": "on",
        "shared_buffers": f"{_shared_megabytes()}MB",
        "max_connections": "50",
        "max_wal_size": "512MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "jit": "off",
        # Statements carry page text, which does not belong in a log.
        "log_min_error_statement": "panic",
        "log_line_prefix": "%m [%p] ",
    }
    return [
        *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--locale=C", f"--lc-ctype={_utf8_ctype()}", "--text-search-config=simple"),
        *(f"--set={name}={value}" for name, value in settings.items()),
    ]


def _shared_megabytes() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MEGABYTE
    return max(32, min(1_024, memory // 16))


def _utf8_ctype() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    for name in ("C.UTF-8", "en_US.UTF-8"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            locale.setlocale(locale.LC_CTYPE, before)
            return name
    return "C"
