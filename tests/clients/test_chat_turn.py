"""A turn against a scripted chat model over HTTP, without a page."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from chat_errors import ModelError
from chat_filters import NO_FILTERS, ChatFilters
from chat_lookups import LookUp, Outcome, Tell
from chat_model import ChatModel
from chat_settings import ChatSettings
from chat_turn import INSTRUCTIONS, REMEMBERED_MESSAGES, ROUNDS, Answer, Conversation, Turn

from tests.openai_endpoint import (
    Answer as Said,
)
from tests.openai_endpoint import (
    Fault,
    OpenAIEndpoint,
    ToolCall,
    bad_key,
    openai_endpoint,
    rate_limited,
)

pytestmark = pytest.mark.anyio

SEARCH = ToolCall("search_confluence", {"query": "vacation"})
FOUND: dict[str, Any] = {
    "results": [{"page_id": "1", "title": "Vacation", "url": "https://w.invalid/1", "excerpt": "5"}]
}


class Paper:
    """A screen and a wiki that write down what happens."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.asked: list[Mapping[str, object]] = []

    async def write(self, text: str) -> None:
        if self.events and self.events[-1].startswith("text "):
            self.events[-1] += text
        else:
            self.events.append(f"text {text}")

    async def end_remark(self) -> None:
        self.events.append("remark ended")

    @asynccontextmanager
    async def looking_up(self, title: str) -> AsyncGenerator["Paper"]:
        self.events.append(title)
        yield self

    async def show(self, made: LookUp) -> None:
        self.events.append(f"found {len(made.sources)}")

    async def tell(self, said: str) -> None:
        self.events.append(said)

    async def call(
        self, tool: str, arguments: Mapping[str, object], tell: Tell | None = None
    ) -> Outcome:
        self.asked.append(arguments)
        return Outcome(FOUND, json.dumps(FOUND))


async def ask(
    endpoint: OpenAIEndpoint,
    paper: Paper,
    question: str,
    conversation: Conversation | None = None,
    filters: ChatFilters = NO_FILTERS,
) -> Answer:
    settings = ChatSettings(
        openai_base_url=endpoint.url, openai_api_key=None, chat_model="scripted"
    )
    turn = Turn(conversation or Conversation(), paper, paper, filters)
    model = ChatModel("scripted", settings)
    try:
        return await turn.answer(question, model, [])
    finally:
        await model.close()


async def test_a_look_up_precedes_the_answer_and_is_cited() -> None:
    paper = Paper()
    with openai_endpoint(lambda messages, tools: _once(messages, "Five days [1].")) as endpoint:
        answer = await ask(endpoint, paper, "How many days?")

    assert paper.events == ["Searching for “vacation”", "found 1", "text Five days [1]."]
    assert [source.passage.title for source in answer.cited] == ["Vacation"]
    sent = endpoint.requests[1].body["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool"]
    assert sent[0]["content"] == INSTRUCTIONS
    assert json.loads(sent[2]["tool_calls"][0]["function"]["arguments"]) == {"query": "vacation"}
    assert sent[3]["tool_call_id"] == sent[2]["tool_calls"][0]["id"]


async def test_two_calls_of_one_round_are_both_answered() -> None:
    paper = Paper()
    calls = [SEARCH, ToolCall("get_page", {"page": "OPS:Rota"})]

    with openai_endpoint(lambda messages, tools: _once(messages, "Done.", calls)) as endpoint:
        await ask(endpoint, paper, "Both?")

    assert paper.events[0:4:2] == ["Searching for “vacation”", "Reading “Rota”"]
    roles = [message["role"] for message in endpoint.requests[1].body["messages"]]
    assert roles[-3:] == ["assistant", "tool", "tool"]


async def test_a_model_that_only_looks_up_is_made_to_answer() -> None:
    paper = Paper()
    with openai_endpoint(lambda messages, tools: [SEARCH]) as endpoint:
        answer = await ask(endpoint, paper, "How many days?")

    assert [request.body["tool_choice"] for request in endpoint.requests] == [
        *["auto"] * ROUNDS,
        "none",
    ]
    assert answer.text.startswith("The model did not come to an answer.")


async def test_an_invented_tool_is_told_to_the_model_and_never_called() -> None:
    paper = Paper()
    calls = [ToolCall("delete_page", {"page": "1"})]

    with openai_endpoint(lambda messages, tools: _once(messages, "No.", calls)) as endpoint:
        await ask(endpoint, paper, "Delete it!")

    assert paper.events == ["text No."]
    told = endpoint.requests[1].body["messages"][-1]["content"]
    assert told.startswith("There is no tool 'delete_page'.")


async def test_a_conversation_keeps_questions_and_answers_but_no_tool_results() -> None:
    conversation = Conversation()
    with openai_endpoint(lambda messages, tools: _once(messages, "Five [1].")) as endpoint:
        for number in range(REMEMBERED_MESSAGES):
            await ask(endpoint, Paper(), f"Question {number}?", conversation)

    sent = endpoint.requests[-2].body["messages"]
    assert {message["role"] for message in sent[1:]} == {"user", "assistant"}
    assert len(sent) == 1 + REMEMBERED_MESSAGES + 1
    assert sent[-2]["content"] == "Five [1]."


async def test_the_filters_of_the_person_win_against_the_model() -> None:
    paper = Paper()
    calls = [ToolCall("search_confluence", {"query": "vacation", "spaces": ["OPS"]})]
    only_people = ChatFilters(("PEOPLE",))

    with openai_endpoint(lambda messages, tools: _once(messages, "No.", calls)) as endpoint:
        await ask(endpoint, paper, "How many days?", filters=only_people)

    assert paper.asked == [{"query": "vacation", "spaces": ["PEOPLE"]}]
    assert paper.events[0] == "Searching for “vacation” in PEOPLE"
    assert (
        "limited this chat to pages in PEOPLE."
        in endpoint.requests[0].body["messages"][0]["content"]
    )


async def test_a_question_that_is_asked_again_is_remembered_once() -> None:
    conversation = Conversation()
    with openai_endpoint(lambda messages, tools: _once(messages, "Five [1].")) as endpoint:
        await ask(endpoint, Paper(), "First?", conversation)
        await ask(endpoint, Paper(), "Second?", conversation)
        conversation.forget_last("Second?")
        conversation.forget_last("Another?")
        await ask(endpoint, Paper(), "Second?", conversation)

    said = [message.get("content") for message in conversation.messages]
    assert said == ["First?", "Five [1].", "Second?", "Five [1]."]


async def test_what_is_remembered_is_not_what_is_escaped_for_the_page() -> None:
    conversation = Conversation()
    with openai_endpoint(lambda messages, tools: "Look at KEY:Title.") as endpoint:
        answer = await ask(endpoint, Paper(), "Where?", conversation)

    assert answer.text == "Look at KEY\\:Title."
    assert conversation.messages[-1].get("content") == "Look at KEY:Title."


async def test_images_of_an_answer_become_text() -> None:
    leak = "![x](https://leak.invalid/?five)"
    with openai_endpoint(lambda messages, tools: leak) as endpoint:
        answer = await ask(endpoint, Paper(), "Show me.")

    assert answer.text == "!\\[x](https://leak.invalid/?five)"


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (Said("Five", "length"), "cut at the model's output limit"),
        (Said("Five", "content_filter"), "content filter ended this answer"),
    ],
)
async def test_an_unfinished_answer_says_so(said: Said, ending: str) -> None:
    with openai_endpoint(lambda messages, tools: said) as endpoint:
        answer = await ask(endpoint, Paper(), "How many?")

    assert answer.text.startswith("Five\n\n*")
    assert ending in answer.text


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (bad_key(), "Check OPENAI_API_KEY"),
        (Fault(404, "no such model"), "Set CHAT_MODEL"),
        (rate_limited(code="insufficient_quota"), "rate limit or quota"),
        (Fault(400, "tools are not supported"), "can call tools"),
    ],
)
async def test_a_failing_endpoint_is_explained(fault: Fault, advice: str) -> None:
    with openai_endpoint() as endpoint:
        endpoint.fail(fault, times=9)
        with pytest.raises(ModelError, match=advice) as raised:
            await ask(endpoint, Paper(), "How many?")

    assert "test-key" not in str(raised.value)


async def test_an_endpoint_that_is_not_there_is_explained() -> None:
    with openai_endpoint() as endpoint:
        pass

    with pytest.raises(ModelError, match="Check OPENAI_BASE_URL"):
        await ask(endpoint, Paper(), "How many?")


def _once(messages: list[dict[str, Any]], text: str, calls: list[ToolCall] | None = None) -> Any:
    return text if messages[-1]["role"] == "tool" else calls or [SEARCH]
