"""Conversations in the embedded Postgres, which the command line lends to the chat."""

import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest

from index.postgres_files import Layout, is_locked
from tests.clients.conftest import CLIENTS
from tests.command import Command

PYTHON = CLIENTS / ".venv" / "bin" / "python"
# What the chat does before it serves its page.
STARTS = """
import os, sys
from chat_settings import ChatSettings
from chat_store_commands import make_ready
print(make_ready(ChatSettings(), "127.0.0.1") or os.environ["CHAT_DATABASE_URL"], flush=True)
sys.stdin.read()
"""
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'chat'"
PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def home() -> Generator[Path]:
    """A home without a Postgres, which goes once its Postgres has stopped."""
    home = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
    # Where root runs the tests, the user that runs Postgres passes through this folder.
    home.chmod(0o711)
    yield home
    lock = Layout(home.resolve()).keeper_lock
    _wait_until(lambda: not (lock.exists() and is_locked(lock)))
    shutil.rmtree(home)


@pytest.fixture
def command(home: Path, tmp_path: Path) -> Command:
    return Command(tmp_path, {"CONFLUENCE_MCP_HOME": str(home)})


def test_the_chat_keeps_what_is_said_in_a_database_that_is_lent_while_it_lives(
    command: Command, home: Path
) -> None:
    environment = {
        **command.environment,
        "CHAT_DATABASE_URL": "embedded",
        "CHAT_HOME": str(home),
        "CONFLUENCE_MCP_COMMAND": shlex.join([*command.started, "serve"]),
    }
    with subprocess.Popen(
        [PYTHON, "-W", "ignore", "-c", STARTS], cwd=CLIENTS, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as chat:  # fmt: skip
        assert chat.stdout is not None
        url = chat.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            found = connection.execute(TABLES).fetchone()
        (lender,) = _children(chat.pid)
        chat.send_signal(signal.SIGKILL)
    _wait_until(lambda: not Path(f"/proc/{lender}").exists())

    exported = subprocess.run(
        [PYTHON, "-W", "ignore", CLIENTS / "chat.py", "feedback", "export"],
        cwd=command.folder, env=environment, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert found == (9,)
    assert (exported.returncode, exported.stdout) == (0, "")
    assert exported.stderr.endswith("0 thumbs.\n")


def test_it_is_lent_to_several_until_their_input_ends(command: Command) -> None:
    borrowers = [_borrower(command) for _ in range(2)]
    addresses = [_line(borrower) for borrower in borrowers]
    ended = borrowers[0].communicate(timeout=PATIENCE)

    with psycopg.connect(addresses[1]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    borrowers[1].send_signal(signal.SIGTERM)
    borrowers[1].communicate(timeout=PATIENCE)

    assert addresses[0] == addresses[1]
    assert ended == ("", "")
    assert [borrower.returncode for borrower in borrowers] == [0, 0]


def test_an_index_elsewhere_is_not_lent(command: Command, tmp_path: Path) -> None:
    elsewhere = Command(tmp_path, {**command.variables, "POSTGRES_URL": "postgresql://x@y/z"})

    told = elsewhere.run("database")

    assert (told.returncode, told.stdout) == (2, "")
    assert "Unset POSTGRES_URL to use the embedded Postgres." in told.stderr


def _borrower(command: Command) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command.started, "database"], cwd=command.folder, env=command.environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _line(borrower: subprocess.Popen[str]) -> str:
    assert borrower.stdout is not None
    return borrower.stdout.readline()


def _children(process_id: int) -> list[int]:
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
