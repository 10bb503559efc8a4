"""Small HTTP servers on the loopback, each in a process of its own, that answer with a delay.

They cost little of the processor, so that what is measured is the client.
"""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import parse_qsl, urlsplit

SPAWN = get_context("spawn")

_END_OF_HEAD = b"\r\n\r\n"
_HEAD = "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its path with its parameters, and the body of a POST."""

    path: str
    parameters: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, as JSON, so many seconds after the request came."""

    json: object
    seconds: float
    status: int = 200


Handler = Callable[[Asked], Answer]


@contextmanager
def served(make_handler: Callable[[], Handler]) -> Generator[str]:
    """Answers as the handler does, which is made in the new process; gives http://host:port."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(make_handler, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(make_handler: Callable[[], Handler], ready: Connection) -> None:
    asyncio.run(_serve_for_ever(make_handler(), ready))


async def _serve_for_ever(handler: Handler, ready: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(handler), "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Client(asyncio.Protocol):
    """One connection, whose client waits for each answer before it asks again."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_END_OF_HEAD)
        if found and len(body) >= _content_length(head):
            self._received = b""
            answer = self._handler(_asked(head, body))
            loop = asyncio.get_running_loop()
            loop.call_later(answer.seconds, self._send, _written(answer))

    def _send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _asked(head: bytes, body: bytes) -> Asked:
    target = head.split(b" ", 2)[1].decode()
    parts = urlsplit(target)
    return Asked(parts.path, dict(parse_qsl(parts.query)), body)


def _written(answer: Answer) -> bytes:
    body = answer.json if isinstance(answer.json, bytes) else json.dumps(answer.json).encode()
    return _HEAD.format(status=answer.status, length=len(body)).encode() + body
