"""Two servers of one index behind real proxies: each is restarted, and no call fails."""

import json
import signal
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from index.api_keys import ApiKeys
from index.database import Database
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.deploy.proxies import Proxy, free_port, haproxy, nginx, program, running
from tests.deploy.servers import RunningServer, until
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint
from tests.server.asking import ask, get_page, titles, variables_for
from tests.server.processes import PATIENCE
from tests.server.wiki import ARTICLES, Wiki, take_in

CALLERS = 2  # of each proxy, one in each protocol
MORE = 1  # calls of each caller before and after whatever happens
KINDS = (nginx, haproxy)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not all(program(kind.__name__) for kind in KINDS),
        reason="nginx and haproxy are not both installed",
    ),
]


@dataclass(frozen=True, slots=True)
class Stack:
    """Two servers behind both proxies."""

    servers: Sequence[RunningServer]
    proxies: Sequence[Proxy]
    endpoint: OpenAIEndpoint
    key: str
    audit: Path

    def addresses(self) -> list[str]:
        """From where calls came, the last one last."""
        return [json.loads(line)["address"] for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="module")
def database_url(postgres: Postgres, migrated_template: str) -> Generator[str]:
    """The URL of an index of this file's own."""
    with postgres.copy_of(migrated_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def stack(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """Two running servers of the small wiki behind both proxies, and a key for a service."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as opened:
        endpoint = opened.enter_context(openai_endpoint())
        portal = opened.enter_context(start_blocking_portal())
        variables = variables_for(database_url, endpoint)
        settings = IndexSettings.model_validate(variables.as_fields())
        portal.call(take_in, settings, Wiki(ARTICLES))
        key = portal.call(_key, settings)
        told = variables.as_environment() | {
            "AUTH_API_KEYS": "true",
            "CONFLUENCE_MCP_PUBLIC_URL": "https://localhost/mcp",
            "CONFLUENCE_MCP_HOSTS": "confluence-mcp.tools",
            "TRUSTED_PROXIES": "127.0.0.0/8",
            "RATE_LIMIT": "0",
            "AUDIT_LOG": str(folder / "audit.log"),
        }
        servers = [RunningServer(free_port(), told, folder) for _ in range(2)]
        for server in servers:
            opened.callback(server.kill)
            server.begin()
        for server in servers:
            until(server.is_ready)
        ports = [server.port for server in servers]
        proxies = [
            opened.enter_context(running(kind, ports, tmp_path_factory.mktemp(kind.__name__)))
            for kind in KINDS
        ]
        yield Stack(servers, proxies, endpoint, key, folder / "audit.log")


async def _key(settings: IndexSettings) -> str:
    async with Database.open(settings, application_name="tests") as database:
        return await ApiKeys(database).create("load", None)


@asynccontextmanager
async def client(proxy: Proxy, key: str, mode: str) -> AsyncGenerator[Client]:
    """A client that comes through the proxy."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, verify=proxy.tls, timeout=60) as http:
        transport = streamable_http_client(proxy.url, http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


class Load:
    """Callers of both protocols who search and read without a pause; a failed call ends a test."""

    def __init__(self, stack: Stack) -> None:
        self._key = stack.key
        self._proxies = [proxy for proxy in stack.proxies for _ in range(CALLERS)]
        self._calls = [0] * len(self._proxies)
        self._news = anyio.Condition()
        self.is_enough = False

    def begin(self, callers: TaskGroup) -> None:
        """All of them start to call."""
        for number in range(len(self._proxies)):
            callers.start_soon(self._call, number)

    async def _call(self, number: int) -> None:
        while not self.is_enough:
            mode = ("auto", "legacy")[number % 2]
            async with client(self._proxies[number], self._key, mode) as caller:
                for _ in range(MORE):
                    assert (await titles(caller, "TB-4031"))[0] == "VPN"
                    assert (await get_page(caller, "ENG:VPN")).page_id == "100"
                    await self._note(number)

    async def _note(self, number: int) -> None:
        async with self._news:
            self._calls[number] += 1
            self._news.notify_all()

    async def goes_on(self) -> None:
        """Returns when each caller has been answered some more."""
        wanted = [calls + MORE for calls in self._calls]
        async with self._news:
            while any(calls < least for calls, least in zip(self._calls, wanted, strict=True)):
                await self._news.wait()


class Held:
    """A chat model that takes its time until it is let go."""

    def __init__(self) -> None:
        self.is_asked, self.may_go = threading.Event(), threading.Event()

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        """What the model says in the end."""
        self.is_asked.set()
        self.may_go.wait(PATIENCE)
        return '{"found": false}'


async def test_each_is_restarted_and_no_call_fails(stack: Stack) -> None:
    load = Load(stack)

    async with anyio.create_task_group() as callers:
        load.begin(callers)
        for server in stack.servers:
            await load.goes_on()
            await _stop(server, stack)
            await load.goes_on()
            await to_thread.run_sync(server.start)
        await load.goes_on()
        load.is_enough = True

    for server in stack.servers:
        assert server.codes in ([0], [-signal.SIGTERM])
        assert "Traceback" not in server.said
        assert "ERROR" not in server.said


async def _stop(server: RunningServer, stack: Stack) -> None:
    """Stops it while questions wait for their answers, which they get."""
    held = Held()
    stack.endpoint.reply = held.reply
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(client(proxy, stack.key, "auto"))
            for proxy in stack.proxies
        ]
        async with anyio.create_task_group() as questions:
            for one in clients:
                questions.start_soon(_is_answered, one)
            await to_thread.run_sync(held.is_asked.wait, PATIENCE)
            server.tell_to_stop()
            await to_thread.run_sync(until, server.takes_nobody)
            held.may_go.set()
    await to_thread.run_sync(server.wait)


async def _is_answered(client: Client) -> None:
    assert (await ask(client, "Vacation?")).status == "not_found"


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
async def test_only_what_is_public_passes(stack: Stack, number: int) -> None:
    proxy = stack.proxies[number]
    base = f"https://localhost:{proxy.port}"

    async with httpx.AsyncClient(verify=proxy.tls, timeout=30) as http:
        hidden = [await http.get(base + path) for path in ("/readyz", "/healthz", "/metrics")]
        metadata = await http.get(f"{base}/.well-known/oauth-protected-resource/mcp")
        nobody = await http.post(f"{base}/mcp", json={})

    assert [answer.status_code for answer in hidden] == [404] * 3
    assert metadata.json()["resource"] == "https://localhost/mcp"
    assert nobody.status_code == 401


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
async def test_what_callers_say_of_themselves_goes_no_further(stack: Stack, number: int) -> None:
    proxy = stack.proxies[number]
    headers = {"Authorization": f"Bearer {stack.key}", "X-Forwarded-For": "203.0.113.9"}

    async with (
        httpx2.AsyncClient(headers=headers, verify=proxy.tls, timeout=60) as http,
        Client(streamable_http_client(proxy.url, http_client=http)) as client,
    ):
        await titles(client, "TB-4031")

    assert stack.addresses()[-1] == "127.0.0.1"


async def test_a_trusted_proxy_tells_who_calls(stack: Stack) -> None:
    url = f"http://127.0.0.1:{stack.servers[0].port}/mcp"
    headers = {
        "Authorization": f"Bearer {stack.key}",
        "Host": "confluence-mcp.tools:8080",
        "X-Forwarded-For": "198.51.100.1, 203.0.113.9, 127.0.0.2",
    }

    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        await titles(client, "TB-4031")

    assert stack.addresses()[-1] == "203.0.113.9"
