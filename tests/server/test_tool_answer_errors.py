"""answer_question with a chat model that fails, over real HTTP: each failure in clear words."""

import json
import threading
from typing import Any

import pytest
from mcp import Client

from index.errors import ChatError
from server.llm import ChatModel
from server.llm_errors import ContextOverflow
from server.model_calls import ModelCalls
from tests.openai_endpoint import (
    Answer,
    Fault,
    OpenAIEndpoint,
    Reply,
    content_filtered,
    rate_limited,
    server_error,
    too_long,
)
from tests.server.asking import Variables, ask, refused, serving
from tests.server.test_tool_answer import asked, passages

pytestmark = pytest.mark.anyio

QUESTION = "How many days of vacation per year?"
FINE = json.dumps(
    {
        "found": True,
        "answer": "30 days [1].",
        "citations": [{"n": 1, "quote": "30 days of vacation per year"}],
    }
)


def in_turn(endpoint: OpenAIEndpoint, *replies: Reply) -> None:
    """Lets the model answer so, one call after the other; the last one for ever."""
    left = list(replies)
    endpoint.reply = lambda messages, tools: left.pop(0) if len(left) > 1 else left[0]


def numbers(endpoint: OpenAIEndpoint) -> list[int]:
    """How many passages each call has."""
    return [body["messages"][-1]["content"].count("<page-text>\n") for body in asked(endpoint)]


@pytest.mark.parametrize(
    "reply",
    [
        content_filtered(),
        Answer("I cannot", "content_filter"),
        Answer("", refusal="I will not help with that."),
        Answer(FINE, refusal="I will not help with that."),
    ],
)
async def test_a_refusal_is_a_result_with_the_nearest_pages(
    client: Client, endpoint: OpenAIEndpoint, reply: Reply
) -> None:
    endpoint.reply = lambda messages, tools: reply

    result = await ask(client, QUESTION)

    assert (result.status, result.answer, result.citations) == ("not_found", "", [])
    assert result.notes == [
        "The chat model refused to answer this question: ask in other words, or read the pages."
    ]
    assert result.nearest[0].title == "Vacation"
    assert len(asked(endpoint)) == 1


@pytest.mark.parametrize("wrong", ["You have 30 days.", '{"answer": 30', Answer("{", "length")])
async def test_a_reply_out_of_form_or_cut_is_asked_for_once_more(
    client: Client, endpoint: OpenAIEndpoint, wrong: Reply
) -> None:
    in_turn(endpoint, wrong, FINE)

    result = await ask(client, QUESTION)

    assert (result.status, result.answer) == ("answered", "30 days [1].")
    first, second = (body["messages"][-1]["content"] for body in asked(endpoint))
    assert second.startswith(first)
    assert "not in the agreed form" in second.removeprefix(first)


async def test_what_two_calls_cost_is_added_up(client: Client, endpoint: OpenAIEndpoint) -> None:
    in_turn(endpoint, FINE)
    once = await ask(client, QUESTION)
    in_turn(endpoint, "You have 30 days.", FINE)

    twice = await ask(client, QUESTION)

    assert twice.tokens_in > 2 * once.tokens_in > 0
    assert twice.tokens_out == once.tokens_out + 4
    assert twice.seconds_searching > 0
    assert twice.seconds_answering > 0


@pytest.mark.parametrize(
    "overflow",
    [
        too_long(),
        Fault(400, "no", "context_length_exceeded"),
        Fault(413, "Payload Too Large"),
        Fault(429, "Request too large for this model", headers={"retry-after-ms": "1"}),
    ],
)
async def test_a_model_that_reads_less_is_sent_half_and_no_earlier_turns(
    client: Client, endpoint: OpenAIEndpoint, overflow: Fault
) -> None:
    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        if "queries" in messages[0]["content"]:
            return '{"queries": ["How many days of vacation per year?"]}'
        return overflow if len(messages) > 2 else FINE

    endpoint.reply = reply
    history = [{"role": "user", "content": "I am new here."}]

    result = await ask(client, QUESTION, history=history)

    assert result.status == "answered"
    assert numbers(endpoint)[-1] < numbers(endpoint)[-2] <= 2 * numbers(endpoint)[-1]


async def test_a_model_that_reads_nearly_nothing_is_an_error(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    endpoint.reply = lambda messages, tools: too_long(100)

    said = await refused(client, "answer_question", question=QUESTION)

    assert numbers(endpoint)[-1] == 1
    assert "reads less than this question takes" in said
    assert "set CHAT_MODEL to a model with a longer context" in said


async def test_a_reply_that_breaks_off_is_asked_for_once_more(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    in_turn(endpoint, Answer(FINE[:40], breaks_off=True), FINE)

    assert (await ask(client, QUESTION)).answer == "30 days [1]."

    in_turn(endpoint, Answer(FINE[:40], breaks_off=True))

    said = await refused(client, "answer_question", question=QUESTION)
    assert "broke off while it answered: try again" in said


async def test_an_endpoint_that_does_not_stream_is_asked_without(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    message = {"role": "assistant", "content": FINE}
    completion = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    endpoint.reply = lambda messages, tools: Fault(200, body=json.dumps(completion))

    async with serving(variables) as client:
        first = await ask(client, QUESTION)
        second = await ask(client, QUESTION)

    assert first.answer == second.answer == "30 days [1]."
    assert first.tokens_in == 0
    assert ["stream" in body for body in asked(endpoint)] == [True, False, False]


@pytest.mark.parametrize("option", ["stream_options", "response_format"])
async def test_an_endpoint_that_knows_fewer_options_is_asked_without_them(
    variables: Variables, endpoint: OpenAIEndpoint, option: str
) -> None:
    endpoint.reply = lambda messages, tools: (
        Fault(422, f"extra field not permitted: {option}")
        if option in asked(endpoint)[-1]
        else FINE
    )

    async with serving(variables) as client:
        results = [await ask(client, QUESTION) for _ in range(2)]

    assert [result.answer for result in results] == ["30 days [1]."] * 2
    assert [option in body for body in asked(endpoint)] == [True, False, False]


async def test_an_error_in_the_middle_of_a_stream_is_told(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    event = 'data: {"error": {"message": "worker died, key test-key", "code": "x"}}\n\n'
    endpoint.reply = lambda messages, tools: Fault(
        200, body=event, headers={"content-type": "text/event-stream"}
    )

    said = await refused(client, "answer_question", question=QUESTION)

    assert "The chat endpoint failed (worker died, key ***): try again later" in said


async def test_searches_are_planned_by_words_where_the_model_plans_nothing(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        return server_error(400) if "queries" in messages[0]["content"] else FINE

    endpoint.reply = reply
    history = [{"role": "user", "content": "How many days of vacation per year do I have?"}]

    result = await ask(client, "And part-timers?", history=history)

    assert result.status == "answered"
    assert "Vacation (space PEOPLE)" in passages(endpoint).partition("\n[3]")[0]


async def test_a_planned_search_finds_what_the_question_does_not_name(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    plan = {"queries": ["TB-4031 certificate expired", "vacation days per year"]}

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        return json.dumps(plan) if "queries" in messages[0]["content"] else '{"found": false}'

    endpoint.reply = reply
    history = [{"role": "user", "content": "Tell me of that error."}]

    result = await ask(client, "What of it, and the other thing?", history=history)

    text = passages(endpoint)
    assert text.index("TB-4031") < text.index("[2]")
    assert text.index("30 days of vacation") < text.index("[3]")
    assert result.tokens_in > 0


async def test_a_question_on_nothing_of_the_wiki_costs_no_call(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    endpoint.reply = lambda messages, tools: FINE

    result = await ask(client, "Which symphonies did the composer Beethoven dedicate to Napoleon?")

    assert asked(endpoint) == []
    assert (result.status, result.tokens_in) == ("not_found", 0)
    assert len(result.nearest) == 5
    assert "no model was asked" in result.notes[0]


async def test_pages_that_contradict_each_other_reach_the_model_with_their_dates(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        heads = {
            title: (n, day)
            for n, day, title in _heads(messages[-1]["content"])
            if title in ("Vacation", "We moved")
        }
        (days, newer), (moved, older) = heads["Vacation"], heads["We moved"]
        answer = (
            f"The pages differ: since {newer} it is 30 days [{days}], while on {older} the "
            f"calendar moved [{moved}]. On 1999-01-01 it was 28 days [{days}]."
        )
        citations = [
            {"n": days, "quote": "30 days of vacation per year"},
            {"n": moved, "quote": "We moved the vacation calendar"},
        ]
        return json.dumps({"found": True, "answer": answer, "citations": citations})

    endpoint.reply = reply

    result = await ask(client, "vacation days and vacation calendar")

    assert result.answer == (
        "The pages differ: since 2026-02-01 it is 30 days [1], while on 2025-11-20 the calendar "
        "moved [2]."
    )
    assert {c.updated_at.date().isoformat() for c in result.citations} == {
        "2026-02-01",
        "2025-11-20",
    }
    system = asked(endpoint)[-1]["messages"][0]["content"]
    assert "name the date of each" in system


def _heads(text: str) -> list[tuple[int, str, str]]:
    """Number, date and title of each passage."""
    found: list[tuple[int, str, str]] = []
    for part in text.split("\n\n["):
        head, _, rest = part.partition("\n<page-text>\n")
        number, _, facts = head.rpartition("[")[2].partition("] updated ")
        if number.isdecimal():
            found.append((int(number), facts[:10], rest.split(" (space")[0].split(" > ")[0]))
    return found


async def test_all_calls_for_a_question_have_one_time(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    endpoint.reply = lambda messages, tools: FINE
    now = 0.0
    model = ChatModel("slow", api_key="k", base_url=variables.openai_base_url, timeout=60)
    calls = ModelCalls(model, clock=lambda: now)

    try:
        assert await calls.reply([]) == FINE
        now = 61.0
        with pytest.raises(ChatError, match="The chat model slow did not answer within 60 s"):
            await calls.reply([])
    finally:
        await model.close()

    assert len(asked(endpoint)) == 1


async def test_a_stream_that_stands_still_is_given_up(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    enough = threading.Event()

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        enough.wait(20)
        return FINE

    endpoint.reply = reply
    model = ChatModel("slow", api_key="k", base_url=variables.openai_base_url, timeout=0.2)

    try:
        with pytest.raises(ChatError, match=r"model slow did not answer within 0\.2 s: try again"):
            await model.reply_json([])
    finally:
        enough.set()
        await model.close()


async def test_an_overflow_is_told_from_other_wrong_requests(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    model = ChatModel("x", api_key="k", base_url=variables.openai_base_url)

    try:
        endpoint.reply = lambda messages, tools: too_long()
        with pytest.raises(ContextOverflow):
            await model.reply_json([])
        endpoint.reply = lambda messages, tools: Fault(400, "temperature too high")
        with pytest.raises(ChatError) as caught:
            await model.reply_json([])
        assert not isinstance(caught.value, ContextOverflow)
        endpoint.reply = lambda messages, tools: rate_limited()
        with pytest.raises(ChatError, match="too busy, after every retry"):
            await model.reply_json([])
    finally:
        await model.close()
