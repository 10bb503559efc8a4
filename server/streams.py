"""Streams on which a client only listens end when the server stops; calls in flight go on."""

import asyncio
import socket

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class EndingStreams:
    """An application whose listening streams end once `stopping` is set."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request; a listener then sees its client go and what it has sent completed."""
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


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then lets calls in flight end."""

    def __init__(self, config: uvicorn.Config, streams: EndingStreams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what only listens, and waits for the rest."""
        self._streams.stopping.set()
        await super().shutdown(sockets)
