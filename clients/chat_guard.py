"""Keeps other web sites out of the chat, and the page from loading anything of theirs."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# The page is built from text that others wrote. Whatever gets past the Markdown renderer, the
# browser itself then loads no image, script or frame from elsewhere.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: ws://{host} wss://{host}",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class SameSiteOnly:
    """Answers only pages of its own address.

    A socket is not bound by the same-origin rule, so without this any web site that somebody
    opens could ask the wiki through his chat. With `loopback_only`, a foreign name that was made
    to point at this machine is refused as well.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or passes on and adds the headers that bind the browser."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_welcome(host, headers.get("origin")):
            await _refuse(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added["Content-Security-Policy"] = CONTENT_POLICY.format(host=host)
                added["Referrer-Policy"] = "no-referrer"
                added["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _is_welcome(self, host: str, origin: str | None) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
            asking = urlsplit(origin).netloc if origin is not None else host
        except ValueError:
            return False
        if self._loopback_only and name not in LOOPBACK:
            return False
        return asking == host


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    text = "This chat answers only its own page. Open it at the address that it was started with."
    await PlainTextResponse(text, 403)(scope, receive, send)
