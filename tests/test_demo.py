"""The demo as a person runs it: one command, a home of its own, and what it prints."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from confluence_mcp.demo import QUESTIONS
from index.postgres_files import Layout, is_locked
from ingest.settings import SAMPLE_SITE
from tests.command import Command
from tests.ingest import exports
from tests.openai_endpoint import openai_endpoint

pytestmark = pytest.mark.anyio

REAL_SITE = "https://wiki.example.com"
# What the best passage says to each question.
FACTS = ("Take the laptop off the network", "berth is taken", "30 working days")


@dataclass(frozen=True, slots=True)
class Demo:
    """A home in which the demo has run once, and what it printed."""

    home: Path
    folder: Path
    first: subprocess.CompletedProcess[str]

    def command(self, home: Path | None = None, **variables: str) -> Command:
        """The command line over this home or another one."""
        return Command(self.folder, {"CONFLUENCE_MCP_HOME": str(home or self.home), **variables})


@pytest.fixture(scope="module")
def make_home() -> Generator[Callable[[], Path]]:
    """Makes homes, which go once their Postgres has stopped."""
    homes: list[Path] = []

    def make() -> Path:
        home = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
        # Where root runs the tests, the user that runs Postgres passes through this folder.
        home.chmod(0o711)
        homes.append(home)
        return home

    yield make
    deadline = time.monotonic() + 30
    for home in homes:
        lock = Layout(home.resolve()).keeper_lock
        while lock.exists() and is_locked(lock) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def demo(make_home: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The first run, which embeds the whole sample with the bundled model."""
    home, folder = make_home(), tmp_path_factory.mktemp("demo")
    # Neither another database nor another model can lead the demo astray.
    (folder / ".env").write_text("POSTGRES_URL=postgresql://nobody@127.0.0.1:1/none\n")
    command = Command(folder, {"CONFLUENCE_MCP_HOME": str(home), "EMBEDDING_MODEL": "words"})
    return Demo(home, folder, command.run("demo", timeout=600))


def answers(output: str) -> list[str]:
    """What was printed below each question."""
    parts = re.split(r"^\? (.*)$", output, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == QUESTIONS
    return parts[2::2]


def entries(output: str) -> list[dict[str, Any]]:
    """The JSON that is to be put into the files of clients."""
    return [json.loads(text) for text in re.findall(r"^\{$.*?^\}$", output, re.M | re.S)]


def test_the_demo_answers_three_questions_with_sources(demo: Demo) -> None:
    assert demo.first.returncode == 0, demo.first.stderr
    assert demo.first.stderr == ""
    for answer, fact in zip(answers(demo.first.stdout), FACTS, strict=True):
        best = answer.partition("[2]")[0]
        assert fact in best
        assert re.search(r"^  \[1\] \S.* \((ENG|OPS|PEOPLE), \d{4}-\d\d-\d\d\)$", best, re.M)
        assert f"      {SAMPLE_SITE}/spaces/" in best
        assert re.search(r"^      \| \S", best, re.M)


def test_the_questions_show_headings_and_every_space(demo: Demo) -> None:
    best = [answer.partition("[2]")[0] for answer in answers(demo.first.stdout)]

    assert {match[1] for text in best if (match := re.search(r"\((\w+), \d{4}", text))} == {
        "ENG",
        "OPS",
        "PEOPLE",
    }
    assert any(" > " in text for text in best)


def test_the_output_fits_a_person(demo: Demo) -> None:
    lines = demo.first.stdout.splitlines()

    assert len(lines) < 120
    assert any(re.fullmatch(r" +\d+ of 77 pages, +\d+ passages embedded, +\d+ s", x) for x in lines)
    assert any(line.startswith("All of it took") for line in lines)
    quotes = [line for line in lines if line.startswith("      | ")]
    assert all(len(line) <= 92 for line in quotes)
    assert not [line for line in quotes if "](" in line or "**" in line or "| ---" in line]


async def test_the_printed_entry_starts_a_server_that_knows_the_sample(
    demo: Demo, tmp_path: Path
) -> None:
    claude_desktop, vscode = entries(demo.first.stdout)
    entry = claude_desktop["mcpServers"]["confluence"]
    # The environment of the tests is used as it is, and needs no network.
    environment = {**entry["env"], "UV_NO_SYNC": "1", "UV_OFFLINE": "1"}
    server = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=environment, cwd=tmp_path
    )

    async with Client(server) as client:
        tools = await client.list_tools()
        found = await client.call_tool("search_confluence", {"query": "error TB-4031"})

    assert {tool.name for tool in tools.tools} == {
        "search_confluence",
        "get_page",
        "answer_question",
    }
    assert not found.is_error
    assert found.structured_content is not None
    assert found.structured_content["results"][0]["space_key"] == "ENG"
    assert vscode["servers"]["confluence"] == {"type": "stdio", **entry}


def test_a_second_run_embeds_nothing(demo: Demo) -> None:
    again = demo.command().run("demo")

    assert again.returncode == 0
    assert "77 pages in 3 spaces are there already: nothing to embed" in again.stdout
    without_times = [
        [re.sub(r"[\d.]+ s", "", line) for line in answers(output)[0].splitlines()]
        for output in (demo.first.stdout, again.stdout)
    ]
    assert without_times[0] == without_times[1]


def test_a_chat_model_makes_answers_of_the_passages(demo: Demo) -> None:
    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        asked = str(messages[-1]["content"])
        fact = next(
            fact for question, fact in zip(QUESTIONS, FACTS, strict=True) if question in asked
        )
        # Only the citation of the passage that says so is kept.
        citations = [{"n": n, "quote": fact} for n in range(1, 9)]
        markers = "".join(f"[{n}]" for n in range(1, 9))
        return json.dumps({"found": True, "answer": f"In short {markers}.", "citations": citations})

    with openai_endpoint(reply=reply) as endpoint:
        command = demo.command(OPENAI_BASE_URL=endpoint.url, CHAT_MODEL="scripted")
        done = command.run("demo")

    assert done.returncode == 0, done.stderr
    for answer, fact in zip(answers(done.stdout), FACTS, strict=True):
        assert "  In short [1]" in answer
        assert fact in answer


def test_an_index_of_a_real_site_is_left_alone(
    demo: Demo, make_home: Callable[[], Path], tmp_path: Path
) -> None:
    home = make_home()
    # Where the demo goes instead: here it finds its index filled already.
    (home / "demo").symlink_to(demo.home)
    export = exports.write_folder(
        tmp_path / "export", exports.space("7", "REAL", "Real"), exports.page("11", "Rota")
    )
    real = Command(tmp_path, {"CONFLUENCE_MCP_HOME": str(home), "CONFLUENCE_URL": REAL_SITE})
    taken_in = real.run("ingest", "--export", str(export))

    done = demo.command(home).run("demo")

    status = json.loads(real.run("status", "--json").stdout)
    assert taken_in.returncode == done.returncode == 0
    assert "are there already" in done.stdout
    assert entries(done.stdout)[0]["mcpServers"]["confluence"]["env"] == {
        "CONFLUENCE_MCP_HOME": str(home / "demo")
    }
    assert [(space["site_url"], space["pages"]) for space in status["spaces"]] == [(REAL_SITE, 1)]
