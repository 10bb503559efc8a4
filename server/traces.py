"""The trace that a caller over HTTP is in (W3C traceparent), taken up by what the call does."""

from opentelemetry import context
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from index.traces import TRACE_CONTEXT


class Traced:
    """An application whose spans join the traces of those who call it.

    The MCP library opens a span for each message, by itself, and prefers what the message says of
    its trace (`_meta`) to this.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "traceparent" not in headers:
            await self._app(scope, receive, send)
            return
        token = context.attach(TRACE_CONTEXT.extract(headers))
        try:
            await self._app(scope, receive, send)
        finally:
            context.detach(token)
