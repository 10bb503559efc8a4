"""A simulated Confluence over a real loopback port, or in process."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from email.utils import formatdate

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.confluence.cloud.app import cloud_app
from tests.confluence.faults import RESET, Faults
from tests.confluence.request_log import recorded
from tests.confluence.site import Site

Personality = Callable[[Site], ASGIApp]
Connections = dict[tuple[str, int], asyncio.Transport]

# Closing with this option drops what is unsent and tells the other side that it was cut off.
LINGER_NOT = struct.pack("ii", 1, 0)


@contextmanager
def serve(
    site: Site, faults: Faults | None = None, *, personality: Personality = cloud_app
) -> Generator[str]:
    """Serve a site on 127.0.0.1; gives the base URL, such as http://127.0.0.1:40123/wiki."""
    connections: Connections = {}
    app = _dated(_assembled(site, faults, personality, connections))
    server = LoopbackServer(app, connections)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/wiki"
        finally:
            server.stop()
            thread.join()


class LoopbackServer(uvicorn.Server):
    """A server in a thread that stops at once, whatever is still being answered."""

    def __init__(self, app: ASGIApp, connections: Connections) -> None:
        super().__init__(_configuration(app, connections))
        self._connections = connections
        self._stopping = asyncio.Event()
        self._running = threading.Event()

    async def main_loop(self) -> None:
        """Run until told to stop, without looking at the clock in between."""
        await self.on_tick(0)
        self._loop = asyncio.get_running_loop()
        self._running.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port and break every connection."""
        for server in self.servers:
            server.close()
        for transport in self._connections.values():
            transport.abort()
        await asyncio.sleep(0)

    def stop(self) -> None:
        """End the main loop, from another thread."""
        if not self._running.wait(timeout=10):
            raise RuntimeError("the simulated site did not start")
        self._loop.call_soon_threadsafe(self._stopping.set)


class InProcess(httpx.AsyncBaseTransport):
    """An httpx transport that hands requests straight to a simulated site."""

    def __init__(
        self, site: Site, faults: Faults | None = None, *, personality: Personality = cloud_app
    ) -> None:
        self._transport = httpx.ASGITransport(_assembled(site, faults, personality, {}))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; a broken connection raises what it raises over a socket."""
        try:
            return await self._transport.handle_async_request(request)
        except ConnectionResetError as error:
            raise httpx.ReadError(str(error), request=request) from error


def _assembled(
    site: Site, faults: Faults | None, personality: Personality, connections: Connections
) -> ASGIApp:
    behind_faults = (faults or Faults()).around(personality(site))
    return _resettable(recorded(behind_faults, site.request_log), connections)


def _dated(app: ASGIApp) -> ASGIApp:
    """With the time of each answer: uvicorn's own would be that of its last tick, the start."""

    async def with_date(scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                now = (b"date", formatdate(usegmt=True).encode())
                message = {**message, "headers": [*message.get("headers", ()), now]}
            await send(message)

        await app(scope, receive, dated)

    return with_date


def _resettable(app: ASGIApp, connections: Connections) -> ASGIApp:
    async def with_reset(scope: Scope, receive: Receive, send: Send) -> None:
        def reset() -> None:
            transport = connections.get(tuple(scope["client"]))
            if transport is None:
                raise ConnectionResetError("the simulated site broke the connection")
            peer = transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            transport.abort()

        extensions = {**scope.get("extensions", {}), RESET: reset}
        await app({**scope, "extensions": extensions}, receive, send)

    return with_reset


def _configuration(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    class Known(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            connections[transport.get_extra_info("peername")] = transport

    return uvicorn.Config(
        app,
        http=Known,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
    )
