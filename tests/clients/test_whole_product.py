"""From an export to an answer in the browser: ingest, index, server and chat as they are used."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import (
    PROJECT,
    Chats,
    ChatTab,
    RunningChat,
    free_port,
    wait_until_up,
)
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, openai_endpoint

SPACE = PROJECT / "ingest" / "sample_space" / "PEOPLE"
PROGRAM = [sys.executable, "-m", "confluence_mcp"]
QUOTE = "we let you carry at most 10 into the next one"
QUESTION = "How many unused leave days may I carry over in the Netherlands?"
OPENED = "[...CSS.highlights.get('quoted')].map(String)"
FOCUSED = "document.activeElement.id || document.activeElement.getAttribute('aria-label')"


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


@pytest.fixture(scope="module")
def chat(chats: Chats, endpoint: OpenAIEndpoint, home: Path) -> Iterator[RunningChat]:
    """A chat with a model, beside a server that runs already."""
    model = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "k", "CHAT_MODEL": "scripted"}
    with serving(home, model) as (url, _), chats({"CONFLUENCE_MCP_URL": url} | model) as chat:
        yield chat


@contextmanager
def serving(
    home: Path, model: dict[str, str] | None = None
) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    """The real server over HTTP: its address, and its process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--transport", "http", "--port", str(port)],
        env=environment(home) | (model or {}),
        cwd=PROJECT,
    )
    try:
        wait_until_up(url, process)
        yield url, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def environment(home: Path) -> dict[str, str]:
    """Variables of the index alone."""
    return {
        "PATH": os.environ["PATH"],
        "CONFLUENCE_MCP_HOME": str(home),
        "CONFLUENCE_URL": "https://harbourlight.example/wiki",
        "EMBEDDING_MODEL": "local",
        "PYTHONPATH": str(PROJECT),
    }


def started_by_the_chat(home: Path) -> dict[str, str]:
    """Variables of a chat that starts the real server."""
    return environment(home) | {"CONFLUENCE_MCP_COMMAND": shlex.join([*PROGRAM, "serve"])}


def asks_the_wiki(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """Both chat models: the page's calls the tool, the server's quotes the passage it was given."""
    if tools:
        if messages[-1]["role"] == "tool":
            return "At most **ten days**, unless your manager agrees to more [1]."
        return [ToolCall("answer_question", {"question": QUESTION})]
    asked = messages[-1]["content"]
    before = asked[: asked.index("at most 10")]
    number = int(before.rpartition("\n[")[2].partition("]")[0])
    answer = {"answer": f"At most ten days [{number}].", "found": True}
    return json.dumps(answer | {"citations": [{"n": number, "quote": QUOTE}]})


def searches(text: str, **arguments: object) -> Any:
    """A model that searches once, and then says this."""

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        if messages[-1]["role"] == "tool":
            return text
        return [ToolCall("search_confluence", {"query": "unused leave", **arguments})]

    return reply


def test_an_answer_is_shown_with_its_quote_in_its_place(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = asks_the_wiki
    tab.open(chat)

    answer = tab.ask(QUESTION)

    assert answer.startswith("At most ten days")
    assert tab.steps() == [f"Looking for the answer to “{QUESTION}”: 1 quote"]
    assert not tab.page.locator("#side-view-content").is_visible()
    source = tab.source("[1]")
    link = source.get_by_role("link", name="Open in Confluence").get_attribute("href")
    assert link is not None
    assert link.startswith("https://harbourlight.example/wiki/spaces/PEOPLE/pages/1320004/")
    assert link.endswith("#Carrying-days-over")
    shown = source.inner_text()
    assert shown.index("Holidays and leave") < shown.index("Space PEOPLE · changed ")
    assert QUOTE in source.locator("blockquote").first.inner_text()
    assert tab.page.evaluate(OPENED) == [QUOTE]
    assert "Where the Netherlands and Portugal differ most." in shown
    assert tab.unnamed() == []
    assert tab.left == []
    tab.keep_picture("answer")


def test_a_follow_up_reaches_the_model_with_what_was_said(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    tab.open(chat)
    endpoint.reply = asks_the_wiki
    tab.ask(QUESTION)
    endpoint.reply = searches("In Portugal until 30 April [1].")

    tab.ask("And in Portugal?")

    said = [message["content"] for message in endpoint.requests[-1].body["messages"]]
    assert said[1] == QUESTION
    assert said[2].startswith("At most **ten days**")
    assert said[3] == "And in Portugal?"


def test_another_answer_takes_the_place_of_the_last_in_memory_and_stays_below_it(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = searches("Ten days [1].")
    tab.open(chat)
    tab.ask(QUESTION)
    endpoint.reply = searches("Ten days, or more if your manager agrees [2].")

    again = tab.ask_again()

    assert again.startswith("Ten days, or more")
    sent = endpoint.requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool"]
    assert tab.page.get_by_role("button", name="Ask again").count() == 1
    assert tab.page.get_by_role("button", name="Copy the answer").count() == 2
    assert tab.page.locator("[data-step-type=user_message]").count() == 1


def test_a_copied_answer_names_its_sources(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = searches("Ten days [1].")
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open(chat)
    tab.ask(QUESTION)

    tab.page.get_by_role("button", name="Copy the answer").click()
    tab.page.locator("svg.lucide-check").wait_for()

    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Ten days [1].\n\nSources: [1] [")
    assert "](<https://harbourlight.example/wiki/spaces/PEOPLE/pages/" in copied


def test_questions_to_begin_with_are_of_this_wiki(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = searches("It says this [1].")
    tab.open(chat)
    offered = tab.page.locator("#starters button").all_inner_texts()

    answer = tab.begin(offered[0])

    assert len(offered) == 4
    assert all(one.startswith("What does “") for one in offered)
    assert answer.startswith("It says this")
    assert endpoint.requests[-1].body["messages"][1]["content"] == offered[0]


def test_filters_win_against_the_model(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = searches("See [1].", spaces=["OPS"])
    tab.open(chat)
    tab.ask("Outside?")
    _choose(tab, "People (PEOPLE)", None)
    tab.ask("Inside?")
    _choose(tab, None, "In the last week")

    tab.ask("Lately?")

    outside, inside, lately = tab.steps()
    assert outside == "Searching for “unused leave”: nothing found"
    assert inside.startswith("Searching for “unused leave” in PEOPLE: ")
    assert inside.endswith(" passages")
    assert lately.startswith("Searching for “unused leave” in PEOPLE, changed since ")
    assert lately.endswith(": nothing found")


def test_a_small_screen_shows_the_source_on_a_sheet_of_its_own(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = asks_the_wiki
    tab.narrow_to(390)
    tab.open(chat)
    assert not tab.is_wider_than_the_screen()

    tab.ask(QUESTION)
    assert not tab.is_wider_than_the_screen()
    tab.source("[1]")

    sheet = tab.page.get_by_role("dialog").bounding_box()
    assert sheet is not None
    assert (sheet["width"], sheet["height"]) == (390, 844)
    assert tab.page.evaluate(OPENED) == [QUOTE]
    assert tab.unnamed() == []
    tab.keep_picture("narrow")
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("dialog").wait_for(state="detached")
    assert tab.page.evaluate(FOCUSED) == "Source 1"


def test_the_keyboard_alone_is_enough(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = asks_the_wiki
    tab.page.emulate_media(reduced_motion="reduce")
    tab.open(chat)
    keyboard = tab.page.keyboard

    tab.page.locator("#chat-input:focus").wait_for()
    keyboard.type(QUESTION)
    keyboard.press("Enter")
    tab.page.locator("a.element-link").first.wait_for()
    tab.page.locator("#chat-submit").wait_for()
    for _ in range(12):
        keyboard.press("Shift+Tab")
        if tab.page.evaluate(FOCUSED) == "Source 1":
            break
    assert tab.page.evaluate(FOCUSED) == "Source 1"
    keyboard.press("Space")
    tab.page.locator("#side-view-content:focus").wait_for()
    assert tab.unnamed() == []
    keyboard.press("Escape")
    tab.page.locator("#side-view-content").wait_for(state="detached")

    assert tab.page.evaluate(FOCUSED) == "Source 1"
    assert "At most ten days" in tab.page.get_by_role("status").first.inner_text()


def test_the_dark_page_shows_the_same(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = asks_the_wiki
    tab.page.add_init_script("localStorage.setItem('vite-ui-theme', 'dark')")
    tab.open(chat)

    tab.ask(QUESTION)

    assert QUOTE in tab.source("[1]").inner_text()
    tab.page.locator("html.dark").wait_for()
    tab.keep_picture("dark")


def test_without_a_model_the_passages_are_shown(chats: Chats, home: Path, tab: ChatTab) -> None:
    with chats(started_by_the_chat(home)) as chat:
        tab.open(chat)
        welcome = tab.page.locator("#welcome-screen").inner_text()

        answer = tab.ask("carry unused leave days over")

        assert "No chat model is set" in welcome
        assert "OPENAI_API_KEY" in welcome
        assert "Holidays and leave" in answer
        assert "Carrying days over" in answer


def test_a_server_that_goes_away_is_explained_with_the_command_that_mends_it(
    chats: Chats, home: Path, tab: ChatTab
) -> None:
    with serving(home) as (url, server), chats({"CONFLUENCE_MCP_URL": url}) as chat:
        tab.open(chat)
        before = tab.ask("carry unused leave days over")
        server.kill()
        server.wait(timeout=30)

        after = tab.ask("And now?")
        tab.page.goto(chat.url)
        first = tab.page.locator("[data-step-type=assistant_message]").inner_text()

        assert "Holidays and leave" in before
        assert "cannot be reached" in after
        assert first.startswith("The wiki cannot be reached")
        assert "confluence-mcp serve --transport http" in after
        assert "confluence-mcp serve --transport http" in first
        assert "Traceback" not in after + first
        tab.keep_picture("server-missing")


def test_an_empty_index_is_explained_before_anything_is_asked(chats: Chats, tab: ChatTab) -> None:
    # Not in the folder of pytest, which the account that runs Postgres cannot enter.
    with tempfile.TemporaryDirectory() as home, chats(started_by_the_chat(Path(home))) as chat:
        tab.open(chat)

        first = tab.page.locator("[data-step-type=assistant_message]").inner_text()

        assert first.startswith("There is nothing to read yet")
        assert "confluence-mcp ingest" in first
        tab.keep_picture("index-missing")


def _choose(tab: ChatTab, space: str | None, period: str | None) -> None:
    page = tab.page
    page.get_by_role("button", name="Filters").click()
    if space is not None:
        page.get_by_role("combobox", name="Spaces").click()
        page.get_by_role("option", name=space).click()
        page.keyboard.press("Tab")
    if period is not None:
        page.locator("#period").click()
        page.get_by_role("option", name=period).click()
    page.locator("#confirm").click()
    page.get_by_text("This chat now looks only at pages").last.wait_for()
