"""What every call leaves behind, and how many of them a caller may make."""

import logging
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from mcp import Client, MCPError
from mcp.types import EmptyResult, SubscribeRequest, SubscribeRequestParams

from index.access import Asker
from server.app import create_server, open_deps
from server.settings import ServerSettings
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.askers import BOB, GUS, NOBODY, called
from tests.server.asking import Variables, answered, ask, get_page, refused, search
from tests.server.test_tool_answer import says

pytestmark = pytest.mark.anyio

SECRET = "salary of Grace"
FACTS = {"time", "asker", "call", "page_ids", "outcome", "duration_ms"}


async def test_each_call_of_a_tool_leaves_a_line(
    variables: Variables, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    endpoint.reply = says("30 days [1].")

    async with called(variables, tmp_path) as (client, served):
        found = await search(client, "TB-4031", limit=3)
        await get_page(client, "ENG:VPN")
        await ask(client, "How many days of vacation per year?")
        served.who.account = BOB
        await refused(client, "get_page", page="103")
        await refused(client, "get_page", page="105", attachment="plan.pdf")
        await refused(client, "get_page", page="Deploy")
        await refused(client, "search_confluence", query="")
        lines = served.lines()

    shown = [hit.page_id for hit in found.results]
    assert [(line["asker"], line["call"], line["page_ids"], line["outcome"]) for line in lines] == [
        ("sub:acc-ada", "search_confluence", shown, "ok"),
        ("sub:acc-ada", "get_page", ["100"], "ok"),
        ("sub:acc-ada", "answer_question", ["200"], "ok"),
        ("sub:acc-bob", "get_page", [], "not_found"),
        ("sub:acc-bob", "get_page", ["105"], "refused"),
        ("sub:acc-bob", "get_page", lines[5]["page_ids"], "not_found"),
        ("sub:acc-bob", "search_confluence", [], "refused"),
    ]
    assert sorted(lines[5]["page_ids"]) == ["101", "202"]
    assert all(line.keys() == FACTS for line in lines)
    assert all(line["duration_ms"] >= 0 for line in lines)


async def test_questions_are_in_the_trail_only_where_that_is_set(
    variables: Variables, tmp_path: Path
) -> None:
    async with called(variables, tmp_path, audit_questions=True) as (client, served):
        await search(client, "certificate expired")
        await refused(client, "get_page", page="103 of them")
        lines = served.lines()

    assert [line["question"] for line in lines] == ["certificate expired", "103 of them"]


async def test_resources_and_subscriptions_leave_lines(
    variables: Variables, tmp_path: Path
) -> None:
    async with called(variables, tmp_path) as (client, served):
        served.who.account = GUS
        await client.read_resource("confluence://page/200")
        with pytest.raises(MCPError):
            await client.read_resource("confluence://page/100")
        uris = ["confluence://page/100", "confluence://page/999", "confluence://other/7"]
        async with client.listen(resource_subscriptions=uris):
            lines = served.lines()

    assert [(line["call"], line["page_ids"], line["outcome"]) for line in lines] == [
        ("resources/read", ["200"], "ok"),
        ("resources/read", [], "not_found"),
        ("subscriptions/listen", ["100", "999"], "ok"),
    ]


async def test_a_failing_call_leaves_a_line_too(
    variables: Variables, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    endpoint.embed = lambda texts: [[1.0, 2.0] for _ in texts]

    async with called(variables, tmp_path) as (client, at):
        await refused(client, "search_confluence", query="vpn")
        lines = at.lines()

    assert [(line["outcome"], line["page_ids"]) for line in lines] == [("failed", [])]


async def test_a_cancelled_call_leaves_a_line_too(
    variables: Variables, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    is_asked, enough = threading.Event(), threading.Event()

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        is_asked.set()
        enough.wait(20)
        return "{}"

    endpoint.reply = reply
    async with called(variables, tmp_path) as (client, served):
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.call_tool, "answer_question", {"question": "Vacation?"})
            await to_thread.run_sync(is_asked.wait)
            calls.cancel_scope.cancel()
        enough.set()
    lines = served.lines()

    assert [(line["call"], line["outcome"]) for line in lines] == [("answer_question", "cancelled")]


async def subscribe(client: Client, uri: str) -> None:
    """Subscribes a client of the older protocol."""
    request = SubscribeRequest(params=SubscribeRequestParams(uri=uri))
    await client.session.send_request(request, EmptyResult)


async def test_a_caller_who_asks_too_often_is_told_to_wait(
    variables: Variables, tmp_path: Path
) -> None:
    async with called(variables, tmp_path, "legacy", rate_limit=2) as (client, served):
        for _ in range(2):
            await get_page(client, "100")
        tool = await refused(client, "get_page", page="100")
        with pytest.raises(MCPError) as resource:
            await client.read_resource("confluence://page/100")
        with pytest.raises(MCPError) as subscription:
            await subscribe(client, "confluence://page/100")
        served.who.account = BOB
        await get_page(client, "100")
        lines = served.lines()

    said = [tool, resource.value.error.message, subscription.value.error.message]
    assert all(text.startswith("Too many calls: at most 2 a minute. Wait ") for text in said)
    assert [line["outcome"] for line in lines] == [
        "ok",
        "ok",
        "limited",
        "limited",
        "limited",
        "ok",
    ]


async def test_answers_have_a_limit_of_their_own(
    variables: Variables, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    endpoint.reply = says("30 days [1].")

    async with called(variables, tmp_path, answer_rate_limit=1) as (client, _):
        await ask(client, "How many days of vacation per year?")
        said = await refused(client, "answer_question", question="How many days of vacation?")
        found = await search(client, "vacation")

    assert said.startswith("Too many questions: answer_question takes at most 1 a minute. Wait ")
    assert found.results


async def test_limits_are_for_callers_who_are_told_apart(variables: Variables) -> None:
    settings = ServerSettings.model_validate(variables.as_fields() | {"rate_limit": 1})

    async with Client(create_server(lambda: open_deps(settings))) as client:
        for _ in range(5):
            await get_page(client, "100")


@pytest.fixture
async def broken(variables: Variables) -> AsyncGenerator[Client]:
    """A client of a server that fails, with what it was asked in the texts of the errors."""
    settings = ServerSettings.model_validate(variables.as_fields())

    async def who() -> Asker:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(SECRET) from error

    async with Client(create_server(lambda: open_deps(settings, who=who))) as client:
        yield client


async def test_a_crash_is_logged_with_its_way_but_without_its_text(
    broken: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        said = await refused(broken, "search_confluence", query=SECRET)
        with pytest.raises(MCPError) as resource:
            await broken.read_resource("confluence://page/100")

    assert said.startswith("The server failed at this call")
    assert resource.value.error.message.startswith("The server failed at this call")
    assert "builtins.KeyError" in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "raise KeyError" in caplog.text
    assert "Grace" not in "".join(record.getMessage() for record in caplog.records)


async def test_no_log_has_questions_or_hidden_titles(
    variables: Variables,
    endpoint: OpenAIEndpoint,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint.reply = says("30 days [1].")

    with caplog.at_level(logging.INFO, "server"), caplog.at_level(logging.INFO, "index"):
        async with called(variables, tmp_path) as (client, served):
            served.who.account = BOB
            await search(client, "guild quokka")
            await ask(client, "How many quokka days per year?")
            await refused(client, "get_page", page="Guild handbook")
            await answered(client, "get_page", page="101")
            served.who.account = NOBODY
            await search(client, "quokka")

    ours = [one.getMessage() for one in caplog.records if one.name.startswith(("server", "index"))]
    assert ours
    assert not [text for text in ours if "quokka" in text or "uild" in text or "Rollback" in text]
