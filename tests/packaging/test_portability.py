"""What runs on Linux, macOS and Windows, as far as one machine can tell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.command import ROOT, Command
from tests.packaging.installed import home

pytestmark = pytest.mark.anyio

# Only the embedded Postgres stands on locks and sockets that Windows lacks.
EMBEDDED = {f"index.{name}" for name in ("embedded_postgres", "postgres_cluster")} | {
    f"index.{name}" for name in ("postgres_files", "postgres_keeper")
}
LIKE_WINDOWS = ("-m", "tests.packaging.like_windows")


def like_windows(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line where there are none of the modules that Windows lacks."""
    return subprocess.run(
        [sys.executable, *LIKE_WINDOWS, *words],
        cwd=folder,
        env=Command(folder, {"CONFLUENCE_MCP_HOME": str(folder)}).environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_all_modules_but_those_of_the_embedded_postgres_can_be_imported(tmp_path: Path) -> None:
    done = like_windows(tmp_path, "import")

    assert set(done.stdout.split()) == EMBEDDED, done.stderr


@pytest.mark.parametrize("command", ["status", "database"])
def test_without_the_embedded_postgres_a_person_is_told_what_to_set(
    tmp_path: Path, command: str
) -> None:
    done = like_windows(tmp_path, command)

    assert done.returncode == 2
    assert done.stderr == (
        "The embedded Postgres runs on Linux and macOS only.\n"
        "Set POSTGRES_URL to a Postgres 15 or newer with pgvector 0.8 or newer.\n"
    )


async def test_with_a_postgres_of_ones_own_the_server_serves(
    tmp_path: Path, database_url: str
) -> None:
    command = Command(tmp_path, {"POSTGRES_URL": database_url, "EMBEDDING_MODEL": "local"})
    server = StdioServerParameters(
        command=sys.executable, args=[*LIKE_WINDOWS, "serve"], env=command.environment, cwd=tmp_path
    )

    async with Client(server) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("search_confluence", {"query": "anything"})

    assert "search_confluence" in tools
    assert not found.is_error


def test_the_postgres_is_lent_until_input_ends_whatever_it_comes_from(tmp_path: Path) -> None:
    with home() as index:
        done = Command(tmp_path, {"CONFLUENCE_MCP_HOME": str(index)}).run("database", timeout=100)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dbname=")


def test_every_command_runs_in_the_loop_that_psycopg_takes_on_windows() -> None:
    modules = [
        path
        for package in ("confluence_mcp", "index", "ingest", "server")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]

    own_loops = [
        path.name
        for path in modules
        if re.search(r"\basyncio\.(run|Runner|new_event_loop)\(", path.read_text(encoding="utf-8"))
    ]

    assert own_loops == ["event_loop.py"]


def test_files_are_read_and_written_in_utf_8_whatever_the_system_prefers() -> None:
    modules = [
        path
        for package in ("confluence_mcp", "evals", "index", "ingest", "server")
        for path in sorted((ROOT / package).rglob("*.py"))
        if f"index.{path.stem}" not in EMBEDDED
    ]

    unclear = [
        f"{path.name}: {call}"
        for path in modules
        for call in re.findall(
            r"\.(?:read|write)_text\((?:(?!encoding)[^()]|\([^()]*\))*\)",
            path.read_text(encoding="utf-8"),
        )
    ]

    assert unclear == []
