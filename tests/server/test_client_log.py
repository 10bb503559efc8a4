"""The log of a client that asked for one: how its calls go, from the level on that it named."""

import pytest
from mcp import Client, MCPError
from mcp.types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotificationParams,
    SetLevelRequest,
    SetLevelRequestParams,
)

from server.app import create_server, open_deps
from server.settings import ServerSettings
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, answered, ask, refused, search

pytestmark = pytest.mark.anyio


class Lines:
    """What a client was told, line by line: level and text."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    async def __call__(self, params: LoggingMessageNotificationParams) -> None:
        """Takes a line."""
        assert params.logger == "confluence-mcp"
        self.all.append((params.level, str(params.data)))

    def of(self, level: str) -> list[str]:
        """The texts of one level."""
        return [text for one, text in self.all if one == level]


async def set_level(client: Client, level: str) -> None:
    """Asks for a log as clients of the older protocol do."""
    request = SetLevelRequest(params=SetLevelRequestParams.model_construct(level=level))
    await client.session.send_request(request, EmptyResult)


def logged(
    variables: Variables, lines: Lines, level: LoggingLevel | None, *, alone: bool = False
) -> Client:
    """A client of the newer protocol that asks for a log with each call."""
    settings = ServerSettings.model_validate(variables.as_fields())
    server = create_server(lambda: open_deps(settings), has_connections=not alone)
    return Client(server, logging_callback=lines, log_level=level)


def older(variables: Variables, lines: Lines, *, alone: bool = False) -> Client:
    """A client of the older protocol."""
    settings = ServerSettings.model_validate(variables.as_fields())
    server = create_server(lambda: open_deps(settings), has_connections=not alone)
    return Client(server, mode="legacy", logging_callback=lines)


async def test_a_search_tells_what_it_gave_and_why_it_gave_nothing(variables: Variables) -> None:
    lines = Lines()

    async with older(variables, lines) as client:
        await set_level(client, "info")
        await search(client, "TB-4031")
        nothing = await search(client, "TB-4031", spaces=["NOPE"])
        said = await refused(client, "get_page", page="999")

    assert lines.of("info")[0].startswith("search_confluence took 0.")
    assert " pages that may fit" in lines.of("info")[1]
    assert lines.of("notice") == nothing.notes
    assert lines.of("warning") == [f"get_page failed: {said}"]


async def test_an_answer_tells_its_steps_and_what_it_cost(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    lines = Lines()

    async with logged(variables, lines, "debug") as client:
        answer = await ask(client, "What does TB-4031 mean?")

    assert lines.of("debug")[0] == "Searching the wiki: What does TB-4031 mean?"
    assert lines.of("debug")[-1] == "Checking the quotes"
    assert lines.of("info")[-1].startswith(f"{answer.status}, {len(answer.citations)} citations, ")


async def test_nothing_is_told_to_whoever_did_not_ask(variables: Variables) -> None:
    lines = Lines()

    async with older(variables, lines) as client:
        await search(client, "TB-4031", spaces=["NOPE"])
    async with logged(variables, lines, None) as client:
        await search(client, "TB-4031", spaces=["NOPE"])

    assert lines.all == []


async def test_lines_below_the_level_are_left_out(variables: Variables) -> None:
    lines = Lines()

    async with older(variables, lines) as client:
        await set_level(client, "debug")
        await set_level(client, "warning")
        await search(client, "TB-4031", spaces=["NOPE"])
        await refused(client, "get_page", page="999")
        with pytest.raises(MCPError) as caught:
            await set_level(client, "loud")
        await answered(client, "get_page", page="100")

    assert [level for level, _ in lines.all] == ["warning"]
    assert caught.value.error.code == INVALID_PARAMS


async def test_where_every_call_comes_alone_only_the_newer_protocol_has_a_log(
    variables: Variables,
) -> None:
    lines = Lines()

    async with older(variables, lines, alone=True) as client:
        before = client.server_capabilities
        with pytest.raises(MCPError) as caught:
            await set_level(client, "info")
    async with logged(variables, lines, "info", alone=True) as client:
        now = client.server_capabilities
        instructions = client.instructions
        await search(client, "TB-4031")

    assert before.logging is None
    assert caught.value.error.code == METHOD_NOT_FOUND
    assert now.logging is not None
    assert now.tools and now.prompts and now.resources and now.completions and instructions
    assert len(lines.of("info")) == 2
