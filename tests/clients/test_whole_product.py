"""From an export to an answer in the browser: ingest, index, server and chat as they are used."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import PROJECT, Chats, ChatTab
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, openai_endpoint

SPACE = PROJECT / "ingest" / "sample_space" / "PEOPLE"
PROGRAM = [sys.executable, "-m", "confluence_mcp"]
QUOTE = "we let you carry at most 10 into the next one"
QUESTION = "How many unused leave days may I carry over in the Netherlands?"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose index holds one space of the sample wiki."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [*PROGRAM, "ingest", "--export", str(SPACE)],
            env=environment(Path(folder)), cwd=PROJECT, check=True, capture_output=True,
        )  # fmt: skip
        yield Path(folder)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[OpenAIEndpoint]:
    with openai_endpoint() as endpoint:
        yield endpoint


def environment(home: Path) -> dict[str, str]:
    """Variables of the index alone."""
    return {
        "PATH": os.environ["PATH"],
        "CONFLUENCE_MCP_HOME": str(home),
        "CONFLUENCE_URL": "https://harbourlight.example/wiki",
        "EMBEDDING_MODEL": "local",
        "PYTHONPATH": str(PROJECT),
    }


def variables(home: Path) -> dict[str, str]:
    """Those of a chat that starts the real server."""
    command = shlex.join([*PROGRAM, "serve"])
    return environment(home) | {"CONFLUENCE_MCP_COMMAND": command}


def asks_the_wiki(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """Both chat models: the page's calls the tool, the server's quotes the passage it was given."""
    if tools:
        if messages[-1]["role"] == "tool":
            return "At most ten days [1]."
        return [ToolCall("answer_question", {"question": QUESTION})]
    asked = messages[-1]["content"]
    before = asked[: asked.index("at most 10")]
    number = int(before.rpartition("\n[")[2].partition("]")[0])
    answer = {"answer": f"At most ten days [{number}].", "found": True}
    return json.dumps(answer | {"citations": [{"n": number, "quote": QUOTE}]})


def test_a_question_is_answered_with_a_source_of_the_wiki(
    chats: Chats, endpoint: OpenAIEndpoint, home: Path, tab: ChatTab
) -> None:
    endpoint.reply = asks_the_wiki
    model = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "k", "CHAT_MODEL": "scripted"}
    with chats(variables(home) | model) as chat:
        tab.open(chat)

        answer = tab.ask(QUESTION)

        assert answer.startswith("At most ten days")
        assert tab.steps() == [f"Answering from the wiki: {QUESTION}"]
        source = tab.source("[1]")
        assert QUOTE in source.inner_text()
        link = source.get_by_role("link", name="Open in Confluence").get_attribute("href")
        assert link is not None
        assert link.startswith("https://harbourlight.example/wiki/spaces/PEOPLE/pages/1320004/")
        assert link.endswith("#Carrying-days-over")
        assert tab.left == []


def test_without_a_model_the_passages_are_shown(chats: Chats, home: Path, tab: ChatTab) -> None:
    with chats(variables(home)) as chat:
        tab.open(chat)

        answer = tab.ask("carry unused leave days over")

        assert "Holidays and leave" in answer
        assert "Carrying days over" in answer
