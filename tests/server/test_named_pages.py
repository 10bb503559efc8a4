"""A title that several pages have: who can ask its person asks, everybody else is told."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
)

from server.app import create_server, open_deps
from server.settings import ServerSettings
from tests.server.askers import BOB, GUS, served
from tests.server.asking import Variables, text_of
from tests.server.processes import SERVE, environment, http_server

pytestmark = pytest.mark.anyio

BOTH = "Several pages are called 'Deploy': "
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


class Person:
    """Somebody at a client who is asked, and answers always the same."""

    def __init__(self, answer: ElicitResult) -> None:
        self.asked: list[ElicitRequestFormParams] = []
        self._answer = answer

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        """Gives the answer."""
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params)
        return self._answer


def choosing(page_id: object) -> Person:
    """Somebody who chooses that page."""
    content: dict[str, str | int | float | bool | list[str] | None] = {"page_id": f"{page_id}"}
    return Person(ElicitResult(action="accept", content=content))


def client_of(variables: Variables, person: Person | None, mode: str) -> Client:
    """A client, to be entered, of a server in memory."""
    settings = ServerSettings.model_validate(variables.as_fields())
    server = create_server(lambda: open_deps(settings))
    return Client(server, mode=mode, elicitation_callback=person)


async def read(client: Client, page: str, **more: object) -> CallToolResult:
    """Reads a page."""
    return await client.call_tool("get_page", {"page": page, **more})


@MODES
async def test_the_person_says_which_page_is_meant(variables: Variables, mode: str) -> None:
    person = choosing(202)

    async with client_of(variables, person, mode) as client:
        result = await read(client, "Deploy", max_tokens=500)

    assert "How we deploy people to projects." in text_of(result)
    (asked,) = person.asked
    assert asked.message == "Several pages are called “Deploy”. Which one?"
    assert asked.requested_schema["required"] == ["page_id"]
    assert choices(asked) == {
        "101": "ENG: Deploy (page_id 101, page, updated 2026-03-01)",
        "202": "PEOPLE: Deploy (page_id 202, page, updated 2026-03-01)",
    }


def choices(asked: ElicitRequestFormParams) -> Mapping[str, str]:
    """What a person can choose from."""
    offered = asked.requested_schema["properties"]["page_id"]["oneOf"]
    return {one["const"]: one["title"] for one in offered}


@MODES
@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="decline"),
        ElicitResult(action="cancel"),
        ElicitResult(action="accept", content={}),
        ElicitResult(action="accept", content={"page_id": True}),
    ],
    ids=["declined", "cancelled", "empty", "wrong"],
)
async def test_without_a_choice_the_pages_are_named(
    variables: Variables, mode: str, answer: ElicitResult
) -> None:
    person = Person(answer)

    async with client_of(variables, person, mode) as client:
        result = await read(client, "Deploy")

    assert result.is_error
    assert BOTH in text_of(result)
    assert len(person.asked) == 1


@MODES
async def test_who_cannot_ask_is_told_the_pages(variables: Variables, mode: str) -> None:
    async with client_of(variables, None, mode) as client:
        result = await read(client, "deploy")

    assert result.is_error
    assert "PEOPLE:Deploy (page_id 202" in text_of(result)


@MODES
async def test_nobody_is_asked_where_one_page_is_meant(variables: Variables, mode: str) -> None:
    person = choosing(202)

    async with client_of(variables, person, mode) as client:
        named = await read(client, "ENG:Deploy")
        unknown = await read(client, "No such page")

    assert "Deployments run every Tuesday." in text_of(named)
    assert "No page 'No such page'" in text_of(unknown)
    assert person.asked == []


@MODES
async def test_a_choice_shows_nothing_that_its_reader_may_not_see(
    variables: Variables, tmp_path: Path, mode: str
) -> None:
    person = choosing(103)

    async with (
        served(variables, tmp_path) as here,
        Client(here.server, mode=mode, elicitation_callback=person) as client,
    ):
        here.who.account = BOB
        hidden = await read(client, "Deploy")
        here.who.account = GUS
        only = await read(client, "Deploy")

    assert hidden.is_error
    assert "No page 103 in the index" in text_of(hidden)
    assert "How we deploy people" in text_of(only)
    assert len(person.asked) == 1


@MODES
async def test_a_person_is_asked_over_standard_input(
    variables: Variables, tmp_path: Path, mode: str
) -> None:
    parameters = StdioServerParameters(
        command=SERVE[0],
        args=SERVE[1:],
        env=environment(variables.as_environment()),
        cwd=tmp_path,
    )
    with (tmp_path / "stderr.log").open("w") as errors:
        async with Client(
            stdio_client(parameters, errlog=errors), mode=mode, elicitation_callback=choosing(101)
        ) as client:
            result = await read(client, "Deploy")

    assert "Deployments run every Tuesday." in text_of(result)
    assert "Traceback" not in (tmp_path / "stderr.log").read_text()


async def test_over_http_the_newer_protocol_asks_and_the_older_one_names_the_pages(
    variables: Variables, tmp_path: Path
) -> None:
    person = choosing(101)

    with http_server(variables.as_environment(), tmp_path) as (_, url):
        async with Client(f"{url}/mcp", elicitation_callback=person) as client:
            newer = await read(client, "Deploy")
        async with Client(f"{url}/mcp", mode="legacy", elicitation_callback=person) as client:
            older = await read(client, "Deploy")

    assert "Deployments run every Tuesday." in text_of(newer)
    assert older.is_error
    assert BOTH in text_of(older)
    assert len(person.asked) == 1
