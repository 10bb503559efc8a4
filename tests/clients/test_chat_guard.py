"""Who may ask the chat."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from chat_guard import SameSiteOnly
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("hello")(scope, receive, send)


async def first_answer(
    kind: str, headers: dict[str, str], *, loopback_only: bool = True
) -> MutableMapping[str, Any]:
    sent: list[MutableMapping[str, Any]] = []
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": kind, "method": "GET", "path": "/", "headers": raw}
    await SameSiteOnly(hello, loopback_only=loopback_only)(scope, receive, send)
    return sent[0]


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_its_own_page_is_served_and_bound_to_itself(host: str) -> None:
    answer = await first_answer("http", {"host": host, "origin": f"http://{host}"})

    headers = dict(answer["headers"])
    assert answer["status"] == 200
    assert b"img-src 'self' data: blob:" in headers[b"content-security-policy"]
    assert f"ws://{host}".encode() in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8000", "origin": "https://evil.invalid"},
        {"host": "localhost:8000", "origin": "null"},
        {"host": "localhost:8000", "origin": "http://localhost:9000"},
        {"host": "evil.invalid:8000"},
        {"host": "[broken"},
        {},
    ],
)
async def test_everyone_else_is_refused(headers: dict[str, str]) -> None:
    page = await first_answer("http", headers)
    socket = await first_answer("websocket", headers)

    assert page["status"] == 403
    assert socket == {"type": "websocket.close", "code": 1008}


async def test_beyond_loopback_any_name_serves_but_only_its_own_page() -> None:
    own = {"host": "chat.example.org", "origin": "https://chat.example.org"}
    foreign = {"host": "chat.example.org", "origin": "https://evil.invalid"}

    accepted = await first_answer("websocket", own, loopback_only=False)
    refused = await first_answer("websocket", foreign, loopback_only=False)

    assert accepted["type"] == "websocket.accept"
    assert refused["type"] == "websocket.close"
