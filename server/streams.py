"""How a server stops: balancers turn away, streams that only listen end, calls in flight go on."""

import asyncio
import signal
import socket
from contextlib import suppress
from types import FrameType

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READYZ = "/readyz"
# Longer than the minute for which balancers keep idle connections: one that the server closed is
# found out by the next call alone.
KEEP_ALIVE = 75  # seconds


class EndingStreams:
    """An application whose listening streams end once `stopping` is set.

    While it `is_leaving`, it is not ready, and no connection is used again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.is_leaving = False
        self.stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""

        async def last(message: Message) -> None:
            if self.is_leaving and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if self.is_leaving and scope["type"] == "http" and scope["path"] == READYZ:
            await _LEAVING(scope, receive, last)
        else:
            await self._serve(scope, receive, last)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A listener sees its client go at the end, and what it has sent completed."""
        if scope["type"] != "http" or not _only_listens(scope):
            await self._app(scope, receive, send)
            return
        is_open = False

        async def noted(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        await self._app(scope, lambda: self._receive(receive), noted)
        if is_open and self.stopping.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _receive(self, receive: Receive) -> Message:
        message = asyncio.ensure_future(receive())
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((message, stopping), return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            stopping.cancel()


def _only_listens(scope: Scope) -> bool:
    """Whether nothing but notices come on this stream, in the older or the newer protocol."""
    return scope["method"] == "GET" or (
        Headers(scope=scope).get("mcp-method") == "subscriptions/listen"
    )


_LEAVING = JSONResponse({"ready": False, "leaving": True}, status_code=503)


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then lets calls in flight end.

    After SIGTERM it takes calls for `delay_s` more seconds, or until the next signal, while it
    tells balancers that it leaves.
    """

    def __init__(
        self, config: uvicorn.Config, streams: EndingStreams, *, delay_s: float = 0
    ) -> None:
        super().__init__(config)
        self._streams = streams
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._hurry = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notes a signal."""
        if sig != signal.SIGTERM or self._streams.is_leaving:
            self._loop.call_soon_threadsafe(self._hurry.set)
        self._streams.is_leaving = True
        super().handle_exit(sig, frame)

    async def main_loop(self) -> None:
        """Runs until it is time to stop."""
        await super().main_loop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), self._delay_s)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what only listens, and waits for the rest."""
        self._streams.stopping.set()
        await super().shutdown(sockets)
