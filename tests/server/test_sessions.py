"""Sessions over HTTP: what clients of the older protocol get by them, and what bounds them."""

import gc
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest
from anyio import to_thread
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.connection import Connection

from index.api_keys import ApiKeys
from index.database import Database
from index.metrics import REGISTRY
from index.settings import IndexSettings
from server.app import create_server, http_app, open_deps
from server.auth import Callers
from server.auth_settings import http_auth
from server.http_sessions import SessionBounds
from server.settings import ServerSettings
from tests.access.door import HOST, listening
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, search, text_of, titles, variables_for
from tests.server.processes import ended, http_server
from tests.server.test_client_log import Lines, set_level
from tests.server.test_http import ACCEPT, INITIALIZE
from tests.server.test_http_askers import edit
from tests.server.test_named_pages import choosing, read
from tests.server.test_resources import Told, subscribe

pytestmark = pytest.mark.anyio

KEYS = {"ada": "acc-ada", "gus": "gus@example.com"}
PAGES = ["confluence://page/100", "confluence://page/200"]
SESSION = "mcp-session-id"
MCP = "/mcp"
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@pytest.fixture(scope="module")
def own(
    postgres: Postgres, wiki_template: str, shared_endpoint: OpenAIEndpoint
) -> Generator[Variables]:
    """The environment of servers over a wiki that may change."""
    with postgres.copy_of(wiki_template) as name:
        yield variables_for(postgres.url(name), shared_endpoint)


@pytest.fixture(scope="module")
async def keys(own: Variables) -> dict[str, str]:
    """A key for each of the callers."""
    settings = IndexSettings.model_validate(own.as_fields())
    async with Database.open(settings, application_name="tests") as database:
        made = ApiKeys(database)
        return {name: await made.create(name, account) for name, account in KEYS.items()}


@asynccontextmanager
async def serving_sessions(own: Variables, bounds: SessionBounds) -> AsyncGenerator[str]:
    """The address of a server in this process that asks for keys and has sessions."""
    more = {"auth_api_keys": True, "audit_log": "off"}
    settings = ServerSettings.model_validate(own.as_fields() | more)
    auth = http_auth(settings, HOST, 0)
    assert auth is not None
    async with (
        Callers.open(settings, auth) as callers,
        open_deps(settings, who=callers.asker) as deps,
    ):
        server = create_server(lambda: nullcontext(deps), shows_everything=False)
        async with listening(http_app(server, callers, HOST, sessions=bounds)) as url:
            yield f"{url}/mcp"


@asynccontextmanager
async def client_of(
    url: str, key: str, mode: str = "legacy", *, says_goodbye: bool = True, **options: object
) -> AsyncGenerator[Client]:
    """A client that shows a key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(url, http_client=http, terminate_on_close=says_goodbye)
        async with Client(transport, mode=mode, **options) as client:  # pyright: ignore[reportArgumentType]  # options of Client
            yield client


@asynccontextmanager
async def raw(url: str, key: str) -> AsyncGenerator[httpx.AsyncClient]:
    """What sends single requests with a key."""
    headers = ACCEPT | {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=url.removesuffix(MCP), headers=headers, timeout=60
    ) as http:
        yield http


async def opened(http: httpx.AsyncClient) -> httpx.Response:
    """The answer to a request for a session."""
    return await http.post(MCP, json=INITIALIZE)


async def test_a_client_of_the_older_protocol_is_served_like_one_of_the_newer(
    own: Variables, keys: dict[str, str], tmp_path: Path
) -> None:
    person, lines, told = choosing(202), Lines(), {"ada": Told(), "gus": Told()}
    variables = own.as_environment() | {"AUTH_API_KEYS": "true", "HTTP_SESSIONS": "true"}

    with http_server(variables, tmp_path) as (process, address):
        url = f"{address}/mcp"
        async with (
            client_of(
                url,
                keys["ada"],
                elicitation_callback=person,
                logging_callback=lines,
                message_handler=told["ada"].hear,
            ) as ada,
            client_of(url, keys["gus"], message_handler=told["gus"].hear) as gus,
        ):
            for uri in PAGES:
                await subscribe(ada, uri)
                await subscribe(gus, uri)
            chosen = await read(ada, "Deploy", max_tokens=500)
            await set_level(ada, "info")
            seen = [await titles(one, "VPN TB-4031", limit=25) for one in (ada, gus)]
            await edit(own, "100")
            first = await told["ada"].next()
            await edit(own, "100", "200")
            others = [await told["ada"].next(), await told["gus"].next()]
            process.send_signal(signal.SIGTERM)
            code, _, errors = await to_thread.run_sync(ended, process)
    for one in told.values():
        one.close()

    assert "How we deploy people to projects." in text_of(chosen)
    assert len(person.asked) == 1
    assert "VPN" in seen[0]
    assert "VPN" not in seen[1]
    assert len(lines.of("info")) == 2
    assert [first, *others] == [PAGES[0], PAGES[1], PAGES[1]]
    assert code in (0, -signal.SIGTERM)
    assert "Traceback" not in errors
    assert "ERROR" not in errors


async def test_a_session_is_unknown_to_everybody_but_who_opened_it(
    own: Variables, keys: dict[str, str]
) -> None:
    async with (
        serving_sessions(own, SessionBounds()) as url,
        raw(url, keys["ada"]) as ada,
        raw(url, keys["gus"]) as gus,
    ):
        session_id = (await opened(ada)).headers[SESSION]
        theirs, unknown = {SESSION: session_id}, {SESSION: "0" * 32}
        refused = [
            [
                await gus.post(MCP, json=LIST, headers=session),
                await gus.get(MCP, headers=session),
                await gus.delete(MCP, headers=session),
            ]
            for session in (theirs, unknown)
        ]
        still = await ada.post(MCP, json=LIST, headers=theirs)
        ending = await ada.delete(MCP, headers=theirs)
        over = await ada.post(MCP, json=LIST, headers=theirs)

    said = [[(one.status_code, one.text) for one in answers] for answers in refused]
    assert said[0] == said[1]
    assert {code for code, _ in said[0]} == {404}
    assert [one.status_code for one in (still, ending, over)] == [200, 200, 404]


async def test_a_level_is_that_of_one_session(own: Variables, keys: dict[str, str]) -> None:
    loud, quiet = Lines(), Lines()

    async with (
        serving_sessions(own, SessionBounds()) as url,
        client_of(url, keys["ada"], logging_callback=loud) as one,
        client_of(url, keys["ada"], logging_callback=quiet) as other,
    ):
        await set_level(one, "info")
        await set_level(other, "error")
        await search(one, "TB-4031")
        await search(other, "TB-4031")

    assert len(loud.all) == 2
    assert quiet.all == []


async def test_sessions_are_bounded_for_all_and_for_each_caller(
    own: Variables, keys: dict[str, str]
) -> None:
    async with (
        serving_sessions(own, SessionBounds(most=3, most_of_one=2)) as url,
        raw(url, keys["ada"]) as ada,
        raw(url, keys["gus"]) as gus,
    ):
        answers = [await opened(one) for one in (ada, ada, ada, gus, gus)]
        await ada.delete(MCP, headers={SESSION: answers[0].headers[SESSION]})
        answers += [await opened(gus), await opened(ada)]
        async with client_of(url, keys["ada"], "auto") as newer:
            found = await search(newer, "TB-4031")

    assert [one.status_code for one in answers] == [200, 200, 503, 200, 503, 200, 503]
    assert answers[2].json()["error"]["message"] == "Too many open sessions"
    assert found.results


async def test_what_opens_no_session_holds_none(own: Variables, keys: dict[str, str]) -> None:
    async with (
        serving_sessions(own, SessionBounds(most=1)) as url,
        raw(url, keys["ada"]) as ada,
    ):
        answers = [
            await ada.get(MCP),
            await ada.post(MCP, json=LIST),
            await ada.post(MCP, json=[]),
            await ada.post(MCP, json=INITIALIZE, headers={"Host": "evil.example"}),
            await ada.post(MCP, json=INITIALIZE, headers={"Origin": "https://evil.example"}),
        ]
        after = await opened(ada)

    assert [one.status_code for one in answers] == [400, 400, 400, 421, 403]
    assert after.status_code == 200


async def test_nothing_is_kept_of_clients_that_vanish(own: Variables, keys: dict[str, str]) -> None:
    before = connections()

    async with serving_sessions(own, SessionBounds(idle_s=3)) as url:
        async with AsyncExitStack() as clients:
            for _ in range(5):
                client = await clients.enter_async_context(
                    client_of(url, keys["ada"], says_goodbye=False)
                )
                await subscribe(client, PAGES[0])
                await set_level(client, "debug")
            during = connections()
            late = await clients.enter_async_context(raw(url, keys["ada"]))
            session_id = (await opened(late)).headers[SESSION]
        with anyio.fail_after(60):
            while sessions():  # noqa: ASYNC110  # they end by themselves, and nobody says so
                await anyio.sleep(0.1)
        async with raw(url, keys["ada"]) as ada:
            gone = await ada.post(MCP, json=LIST, headers={SESSION: session_id})

        after = connections()

    assert (during, after) == (before + 5, before)
    assert gone.status_code == 404


def sessions() -> float | None:
    """How many sessions the server has, as its metrics tell."""
    return REGISTRY.get_sample_value("confluence_mcp_http_sessions")


def connections() -> int:
    """How many connections of clients this process keeps something of."""
    gc.collect()
    return sum(type(one) is Connection for one in gc.get_objects())
