"""Connections of clients: what lasts between the calls that come over one of them."""

from mcp.server.connection import Connection
from mcp.server.session import ServerSession


def connection_of(session: ServerSession) -> Connection:
    """The connection a call came over: its `exit_stack` is unwound when it ends.

    Over standard input there is one, over HTTP one for each session, and without sessions one for
    each call.
    """
    # Its own way there is not open yet: `ServerSession` is made anew for each call.
    return session._connection  # pyright: ignore[reportPrivateUsage]
