"""The server over streamable HTTP, as a process of its own."""

import signal
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio import to_thread
from mcp import Client
from mcp.types import CallToolResult

from index.settings import is_loopback
from server.app import listener
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, get_page, search, text_of, variables_for
from tests.server.outages import outage
from tests.server.processes import ended, http_options, http_server, serving_process

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def url(variables: Variables, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The base URL of a running server over the small wiki."""
    folder = tmp_path_factory.mktemp("server")
    with http_server(variables.as_environment(), folder) as (_, url):
        yield url


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_clients_of_both_eras_search_and_read(url: str, mode: str) -> None:
    async with Client(f"{url}/mcp", mode=mode) as client:
        listed = (await client.list_tools()).tools
        found = await search(client, "TB-4031")
        page = await get_page(client, "ENG:VPN")

    assert len(listed) == 3
    assert found.results[0].title == "VPN"
    assert page.page_id == "100"


@pytest.mark.anyio
async def test_many_clients_are_served_at_once(url: str) -> None:
    found: list[str] = []

    async def one(query: str) -> None:
        async with Client(f"{url}/mcp") as client:
            found.append((await search(client, query)).results[0].title)

    async with anyio.create_task_group() as clients:
        for _ in range(12):
            clients.start_soon(one, "TB-4031")

    assert found == ["VPN"] * 12


def test_no_session_is_kept(url: str) -> None:
    answer = httpx.post(f"{url}/mcp", json=INITIALIZE, headers=ACCEPT)

    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    ("path", "said"), [("/healthz", {"status": "ok"}), ("/readyz", {"ready": True})]
)
def test_health_and_readiness_are_told(url: str, path: str, said: dict[str, object]) -> None:
    answer = httpx.get(url + path)

    assert (answer.status_code, answer.json()) == (200, said)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example:1"])
def test_a_foreign_host_is_refused(url: str, host: str) -> None:
    answer = httpx.post(f"{url}/mcp", json=INITIALIZE, headers=ACCEPT | {"Host": host})

    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "null"]
)
def test_a_foreign_origin_is_refused(url: str, origin: str) -> None:
    answer = httpx.post(f"{url}/mcp", json=INITIALIZE, headers=ACCEPT | {"Origin": origin})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost:3000"}, {"Host": "localhost"}]
)
def test_programs_of_this_machine_are_served(url: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{url}/mcp", json=INITIALIZE, headers=ACCEPT | headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("10.0.0.1", False),
        ("localhost.example.com", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_is_told_from_open_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_open_address_is_refused(variables: Variables, tmp_path: Path) -> None:
    options = (*http_options(), "--host", "0.0.0.0")

    with serving_process(variables.as_environment(), tmp_path, *options) as process:
        code, output, errors = ended(process)

    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 2
    assert "listens on loopback only, not on 0.0.0.0" in errors
    assert "Use --host 127.0.0.1" in errors


def test_a_port_in_use_is_named(variables: Variables, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ("--transport", "http", "--port", port)
        with serving_process(variables.as_environment(), tmp_path, *options) as process:
            code, _, errors = ended(process)

    assert code == 2
    assert f"Cannot listen on 127.0.0.1 port {port}" in errors
    assert "--port" in errors
    assert "Traceback" not in errors


def test_an_unreachable_database_ends_it_with_a_reason(
    variables: Variables, tmp_path: Path
) -> None:
    unreachable = variables.as_environment() | {"POSTGRES_URL": "postgresql://a@127.0.0.1:1/none"}

    with serving_process(unreachable, tmp_path, *http_options()) as process:
        code, _, errors = ended(process)

    assert code == 1
    assert "No Postgres listens at 127.0.0.1:1." in errors
    assert "Traceback" not in errors


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mode", "sessions"), [("auto", "false"), ("legacy", "false"), ("legacy", "true")]
)
async def test_sigterm_lets_a_call_in_flight_end(
    variables: Variables, endpoint: OpenAIEndpoint, tmp_path: Path, mode: str, sessions: str
) -> None:
    is_asked, enough = threading.Event(), threading.Event()
    results: list[CallToolResult] = []

    def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        is_asked.set()
        enough.wait(30)
        return '{"found": false}'

    endpoint.reply = reply

    async def ask(client: Client) -> None:
        results.append(await client.call_tool("answer_question", {"question": "Vacation?"}))

    settings = variables.as_environment() | {"HTTP_SESSIONS": sessions}
    with http_server(settings, tmp_path) as (process, url):
        async with (
            Client(f"{url}/mcp", mode=mode) as client,
            anyio.create_task_group() as calls,
        ):
            await client.list_tools()  # the client checks results against these
            calls.start_soon(ask, client)
            await to_thread.run_sync(is_asked.wait)
            process.send_signal(signal.SIGTERM)
            await to_thread.run_sync(_until_refused, url)
            enough.set()
        code, _, errors = await to_thread.run_sync(ended, process)

    assert "The wiki does not answer this." in text_of(results[0])
    assert code in (0, -signal.SIGTERM)
    assert "Traceback" not in errors


@pytest.mark.anyio
async def test_clients_that_only_listen_do_not_keep_it(
    variables: Variables, tmp_path: Path
) -> None:
    with http_server(variables.as_environment(), tmp_path) as (process, url):
        async with (
            httpx.AsyncClient(timeout=60) as older,
            older.stream("GET", f"{url}/mcp", headers=ACCEPT) as stream,
            Client(f"{url}/mcp") as newer,
            newer.listen(tools_list_changed=True, resource_subscriptions=["confluence://page/100"]),
        ):
            process.send_signal(signal.SIGTERM)
            code, _, errors = await to_thread.run_sync(ended, process)

    assert stream.status_code == 200
    assert code in (0, -signal.SIGTERM)
    assert "Traceback" not in errors
    assert "ERROR" not in errors


def _until_refused(url: str) -> None:
    """Returns when the server takes no more connections."""
    while True:
        try:
            httpx.get(f"{url}/healthz", timeout=5)
        except httpx.TransportError:
            return


def test_a_database_that_went_away_is_told_by_readiness(
    postgres: Postgres, wiki_template: str, shared_endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    with postgres.copy_of(wiki_template) as name:
        variables = variables_for(postgres.url(name), shared_endpoint).as_environment()
        with http_server(variables, tmp_path) as (_, url):
            before = httpx.get(f"{url}/readyz")
            with outage(postgres, name):
                during = httpx.get(f"{url}/readyz", timeout=30)
                alive = httpx.get(f"{url}/healthz")
            after = httpx.get(f"{url}/readyz", timeout=30)

    codes = [answer.status_code for answer in (before, during, alive, after)]
    assert codes == [200, 503, 200, 200]


def test_no_answer_waits_until_its_first_part_is_acknowledged() -> None:
    with listener("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname()):
            arrived, _ = listening.accept()

        with arrived:
            assert arrived.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
