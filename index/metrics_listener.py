"""Where Prometheus comes for the numbers: a listener of its own, on this machine unless asked."""

import asyncio
import hmac
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import uvicorn
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from index.database import Database
from index.errors import ConfigurationError
from index.metrics import REGISTRY
from index.metrics_collector import IndexCollector, collecting
from index.settings import IndexSettings, check_metrics, is_loopback

logger = logging.getLogger(__name__)

PATH = "/metrics"
AT_ONCE = 8  # requests; more are turned away


@asynccontextmanager
async def metrics_listener(
    settings: IndexSettings, database: Database | None
) -> AsyncGenerator[None]:
    """Answers at /metrics for the length of a `with`, where METRICS_PORT is set.

    Raises ConfigurationError for a port that cannot be had, or must not be.
    """
    if settings.metrics_port is None or database is None:
        yield
        return
    check_metrics(settings)
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    collector = IndexCollector(database.conninfo, database.replica)
    with _listening(settings.metrics_host, settings.metrics_port) as listening:
        server = _Server(
            uvicorn.Config(
                _Metrics(collector, token),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                limit_concurrency=AT_ONCE,
                timeout_graceful_shutdown=1,
            )
        )
        async with collecting(collector):
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            logger.info("metrics at port=%d path=%s", listening.getsockname()[1], PATH)
            try:
                yield
            finally:
                server.should_exit = True
                await serving


class _Server(uvicorn.Server):
    """Serves beside something else, to which signals belong."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves them alone."""
        yield


class _Metrics:
    """The application: the numbers for whoever has the token, or is on this machine."""

    def __init__(self, collector: IndexCollector, token: str | None) -> None:
        self._collector = collector
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        response = await self._response(Request(scope))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.url.path != PATH:
            return PlainTextResponse("The numbers are at /metrics.\n", 404)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("", 405, {"Allow": "GET, HEAD"})
        if self._token is None and not is_loopback(_host(request)):
            # Or pages of other sites could read them, whose name was made to point here.
            return PlainTextResponse("This name is not known here.\n", 421)
        if self._token is not None and not _has(request, self._token):
            return PlainTextResponse(
                "A bearer token is needed.\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        await self._collector.refresh()
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _has(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"Cannot listen for Prometheus on {host} port {port}: {error}.\n"
            "Each process needs a METRICS_PORT of its own: the environment wins over .env."
        ) from error
