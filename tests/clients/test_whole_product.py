"""From an export to an answer in the browser: ingest, index, server and chat as they are used."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
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
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, openai_endpoint

SPACE = PROJECT / "ingest" / "sample_space" / "PEOPLE"
PROGRAM = [sys.executable, "-m", "confluence_mcp"]
QUOTE = "we let you carry at most 10 into the next one"
QUESTION = "How many unused leave days may I carry over in the Netherlands?"
OPENED = "[...CSS.highlights.get('quoted')].map(String)"
FOCUSED = "document.activeElement.id || document.activeElement.getAttribute('aria-label')"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[OpenAIEndpoint]:
    with openai_endpoint() as endpoint:
        yield endpoint


@dataclass(slots=True)
class Served:
    """The real server over HTTP, which can be killed."""

    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, whether it runs or not."""
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> None:
        """Returns when it answers."""
        command = [*PROGRAM, "serve", "--transport", "http", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment, cwd=PROJECT)
        wait_until_up(self.url, self.process)

    def kill(self) -> None:
        """Ends it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)

    @contextmanager
    def away(self) -> Generator[None]:
        """It is gone within the `with`, and back after it."""
        self.kill()
        try:
            yield
        finally:
            self.start()


@pytest.fixture(scope="module")
def server(
    postgres: Postgres, migrated_template: str, endpoint: OpenAIEndpoint
) -> Iterator[Served]:
    """A server whose index holds one space of the sample wiki."""
    with postgres.copy_of(migrated_template) as name:
        index = environment(postgres.url(name))
        subprocess.run(
            [*PROGRAM, "ingest", "--export", str(SPACE)],
            env=index, cwd=PROJECT, check=True, capture_output=True,
        )  # fmt: skip
        served = Served(index | model(endpoint))
        served.start()
        yield served
        served.kill()


@pytest.fixture(scope="module")
def chat(chats: Chats, endpoint: OpenAIEndpoint, server: Served) -> Iterator[RunningChat]:
    """A chat with a model, beside a server that runs already."""
    with chats({"CONFLUENCE_MCP_URL": server.url} | model(endpoint)) as chat:
        yield chat


def model(endpoint: OpenAIEndpoint) -> dict[str, str]:
    """Variables of the chat model."""
    return {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "k", "CHAT_MODEL": "scripted"}


def environment(postgres_url: str) -> dict[str, str]:
    """Variables of the index alone."""
    return {
        "PATH": os.environ["PATH"],
        "POSTGRES_URL": postgres_url,
        "CONFLUENCE_URL": "https://harbourlight.example/wiki",
        "EMBEDDING_MODEL": "local",
        "PYTHONPATH": str(PROJECT),
    }


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


def test_what_the_server_does_is_told_while_it_works(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    may_answer = Event()

    def waits(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        assert tools or may_answer.wait(60)
        return asks_the_wiki(messages, tools)

    endpoint.reply = waits
    tab.open(chat)
    try:
        tab.send(QUESTION)
        running = tab.page.locator("[data-step-type=tool] .loading-shimmer", has_text="Reading")
        told = running.inner_text()
    finally:
        may_answer.set()
    tab.page.locator("a.element-link").first.wait_for()

    assert re.fullmatch(r"Reading \d+ passages of \d+ pages: .*Holidays and leave.*", told)
    assert tab.steps() == [f"Looking for the answer to “{QUESTION}”: 1 quote"]


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
    endpoint.reply = searches("Ten **KEY:Title** days, `a\\:b` [1].")
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open(chat)
    tab.ask(QUESTION)

    tab.page.get_by_role("button", name="Copy the answer").click()
    tab.page.locator("svg.lucide-check").wait_for()

    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        r"Ten \*\*KEY:Title\*\* days, `a\\:b` \[1\]\.\n\nSources:\n"
        r"\[1\] [^\\\[\]]+ <https://harbourlight\.example/wiki/spaces/PEOPLE/pages/[^>\s]+>",
        copied,
    )


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


def test_a_task_of_the_server_asks_for_what_it_needs_and_is_asked_again_as_it_was(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = searches("They agree [1].")
    tab.open(chat)
    tab.page.locator("#chat-input").press_sequentially("/comp")
    tab.page.get_by_text("Tells where two Confluence pages agree").wait_for()
    tab.keep_picture("tasks")
    tab.page.keyboard.press("Enter")

    tab.send("PEOPLE:Holidays and leave")
    needed = tab.answer(before=0)
    answer = tab.ask("PEOPLE:Working from abroad")
    again = tab.ask_again()

    assert needed.startswith("KEY:Title (ENG:VPN), page id or address.")
    assert answer.startswith("They agree")
    assert again.startswith("They agree")
    assert tab.source("[1]").is_visible()
    first, second = [request.body["messages"] for request in endpoint.requests[-4::2]]
    assert first == second
    assert [message["role"] for message in first] == ["system", "user"]
    assert first[1]["content"].startswith("Compare these two Confluence pages for me.")
    assert "Holidays and leave" in first[1]["content"]
    assert first[1]["content"].endswith("look up what you use of it.")
    _choose(tab, "People (PEOPLE)", None)
    assert tab.ask_again().startswith("Tasks look at the whole wiki")


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


def test_a_server_that_goes_away_is_explained_until_it_is_back(
    chat: RunningChat, endpoint: OpenAIEndpoint, server: Served, tab: ChatTab
) -> None:
    endpoint.reply = searches("Ten days [1].")
    tab.open(chat)
    before = tab.ask(QUESTION)
    with server.away():
        after = tab.ask("And now?")
        tab.page.goto(chat.url)
        first = tab.page.locator("[data-step-type=assistant_message]").inner_text()
        tab.keep_picture("server-missing")

    again = tab.ask(QUESTION)

    assert before.startswith("Ten days")
    assert "cannot be reached" in after
    assert first.startswith("The wiki cannot be reached")
    assert "confluence-mcp serve --transport http" in after
    assert "confluence-mcp serve --transport http" in first
    assert "Traceback" not in after + first
    assert again.startswith("Ten days")


def test_an_empty_index_is_explained_before_anything_is_asked(
    chats: Chats, postgres: Postgres, migrated_template: str, tab: ChatTab
) -> None:
    with postgres.copy_of(migrated_template) as name:
        # The chat starts the server here.
        command = {"CONFLUENCE_MCP_COMMAND": shlex.join([*PROGRAM, "serve"])}
        with chats(environment(postgres.url(name)) | command) as chat:
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
