"""Sessions over HTTP: what clients of the older protocol need to subscribe and to be asked.

A session lives in one process and belongs to whoever opened it: to others it is unknown. Several
servers behind a balancer need requests of one `Mcp-Session-Id` to reach the same server.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Route

from server.deps import Deps
from server.metrics import SESSIONS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionBounds:
    """How many sessions there may be, of all callers and of one, and how long they may be idle.

    A session is idle while none of its requests is served; a stream on which its client listens is
    one of them.
    """

    most: int = 1_000
    most_of_one: int = 250
    idle_s: float = 1_800


class HttpSessions(StreamableHTTPSessionManager):
    """The sessions of a server, within bounds; a client of the newer protocol gets none."""

    def __init__(
        self, server: Server[Deps], security: TransportSecuritySettings, bounds: SessionBounds
    ) -> None:
        super().__init__(
            server,
            security_settings=security,
            session_idle_timeout=bounds.idle_s,
            max_sessions=bounds.most,
        )
        self._most_of_one = bounds.most_of_one
        SESSIONS.set_function(lambda: len(self._server_instances))

    def _admit_session(
        self, requestor: AuthorizationContext | None
    ) -> StreamableHTTPServerTransport | None:
        """A new session; None, which its caller is told, where there are too many already."""
        owners = self._session_owners.values()
        if requestor is not None and sum(one == requestor for one in owners) >= self._most_of_one:
            logger.warning("a caller has %d sessions: no more for now", self._most_of_one)
            return None
        return super()._admit_session(requestor)


def app_of(sessions: HttpSessions, routes: Iterable[Route]) -> Starlette:
    """What answers at `/mcp`, and on other routes."""
    mcp = Route("/mcp", endpoint=StreamableHTTPASGIApp(sessions))
    return Starlette(routes=[mcp, *routes], lifespan=lambda _: sessions.run())
