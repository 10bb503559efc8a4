"""Calls that their client gives up: what they began in Postgres ends with them."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, slow
from tests.server.asking import Variables, get_page, variables_for
from tests.server.held_tables import Held, held, pages_held, until
from tests.server.processes import SERVE, environment, http_server
from tests.server.test_http import ACCEPT
from tests.server.test_stdio import call

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database_name(postgres: Postgres, wiki_template: str) -> Generator[str]:
    """The name of a database with the small wiki in it, for this file."""
    with postgres.copy_of(wiki_template) as name:
        yield name


@pytest.fixture(scope="module")
def own(postgres: Postgres, database_name: str, shared_endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a server over it that has one connection."""
    return variables_for(postgres.url(database_name), shared_endpoint)


@pytest.fixture(scope="module")
def url(own: Variables, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The base URL of a server over HTTP."""
    variables = own.as_environment() | {"POSTGRES_POOL": "1"}
    with http_server(variables, tmp_path_factory.mktemp("server")) as (_, url):
        yield url


@asynccontextmanager
async def over_stdio(variables: Variables, folder: Path, mode: str) -> AsyncGenerator[Client]:
    """A client of a server of its own."""
    parameters = StdioServerParameters(
        command=SERVE[0],
        args=SERVE[1:],
        env=environment(variables.as_environment() | {"POSTGRES_POOL": "1"}),
        cwd=folder,
    )
    with (folder / "stderr.log").open("w") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
            yield client


async def give_up_a_call(client: Client, sessions: Held, url: str) -> tuple[set[int], set[int]]:
    """Cancels a reading that waits in Postgres; gives who waited, and who reads afterwards."""
    await get_page(client, "100")
    await until(lambda: len(sessions.idle()) == 1)
    waited = set[int]()
    with pages_held(url):
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.call_tool, "get_page", {"page": "100"})
            await until(lambda: bool(sessions.waiting()))
            waited = sessions.waiting()
            calls.cancel_scope.cancel()
        await until(lambda: not sessions.waiting())
    page = await get_page(client, "100")
    assert page.title == "VPN"
    await until(lambda: len(sessions.idle()) == 1)
    return waited, sessions.idle()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_cancelled_call_over_stdio_ends_its_statement_and_keeps_its_connection(
    postgres: Postgres, database_name: str, own: Variables, tmp_path: Path, mode: str
) -> None:
    sessions = held(postgres, database_name)

    async with over_stdio(own, tmp_path, mode) as client:
        waited, after = await give_up_a_call(client, sessions, own.postgres_url)

    assert waited == after
    assert "Traceback" not in (tmp_path / "stderr.log").read_text()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_cancelled_over_http_ends_its_statement_and_keeps_its_connection(
    postgres: Postgres, database_name: str, own: Variables, url: str, mode: str
) -> None:
    async with Client(f"{url}/mcp", mode=mode) as client:
        waited, after = await give_up_a_call(
            client, held(postgres, database_name), own.postgres_url
        )

    assert waited == after


async def test_a_client_of_the_older_protocol_that_disconnects_ends_its_statement(
    postgres: Postgres, database_name: str, own: Variables, url: str
) -> None:
    sessions = held(postgres, database_name)
    request = call(1, "get_page", page="100")
    waited = set[int]()

    async with httpx.AsyncClient(timeout=60, headers=ACCEPT) as http:

        async def ask() -> str:
            return (await http.post(f"{url}/mcp", json=request)).text

        with pages_held(own.postgres_url):
            async with anyio.create_task_group() as calls:
                calls.start_soon(ask)
                await until(lambda: bool(sessions.waiting()))
                waited = sessions.waiting()
                calls.cancel_scope.cancel()
            await until(lambda: not sessions.waiting())
        text = await ask()
    await until(lambda: bool(sessions.idle()))

    assert "WireGuard" in text
    assert sessions.idle() == waited


async def test_a_question_that_waits_for_its_vector_holds_up_no_other_call(
    own: Variables, endpoint: OpenAIEndpoint, url: str
) -> None:
    endpoint.fail(slow())

    async with (
        Client(f"{url}/mcp") as asking,
        Client(f"{url}/mcp") as reading,
        anyio.create_task_group() as calls,
    ):
        calls.start_soon(asking.call_tool, "search_confluence", {"query": "slow vpn"})
        await until(lambda: bool(endpoint.requests))
        page = await get_page(reading, "100")
        assert page.title == "VPN"
        calls.cancel_scope.cancel()
