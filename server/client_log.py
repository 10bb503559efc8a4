"""The log that a client may ask for: how its own calls go, from the level on that it names."""

from collections.abc import Iterable
from typing import get_args

from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.types import (
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from server.connections import connection_of
from server.deps import Deps
from server.texts import one_line

LOGGER = "confluence-mcp"
_LEVEL = "log level"
_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)


async def set_level(ctx: ServerRequestContext[Deps], params: SetLevelRequestParams) -> EmptyResult:
    """Keeps for the connection from which level on its client wants to be told."""
    connection_of(ctx.session).state[_LEVEL] = params.level
    return EmptyResult()


class ClientLog:
    """What the client of one call is told on the stream of its answer; nothing without its asking.

    It is for whoever made the call, and has nothing in it that they may not see.
    """

    def __init__(self, ctx: ServerRequestContext[Deps]) -> None:
        self._session = ctx.session
        self._request_id = ctx.request_id
        self._wanted = _wanted(ctx)

    async def notes(self, notes: Iterable[str]) -> None:
        """What a result says about itself."""
        for note in notes:
            await self.tell("notice", note)

    async def tell(self, level: LoggingLevel, text: str) -> None:
        """Sends a line, if lines of this level are wanted."""
        if level not in self._wanted:
            return
        params = LoggingMessageNotificationParams(level=level, logger=LOGGER, data=one_line(text))
        await self._session.send_notification(
            LoggingMessageNotification(params=params), related_request_id=self._request_id
        )


def _wanted(ctx: ServerRequestContext[Deps]) -> frozenset[LoggingLevel]:
    """In the newer protocol each call names a level, in the older one the client does, once."""
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return allowed_log_levels(ctx.protocol_version, ctx.meta)
    least: LoggingLevel | None = connection_of(ctx.session).state.get(_LEVEL)
    return frozenset() if least is None else frozenset(_LEVELS[_LEVELS.index(least) :])
