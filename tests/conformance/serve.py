"""The server as `confluence-mcp serve` makes it, with what the suite calls as well, over HTTP.

`python -m tests.conformance.serve [sessions]` says where it serves; the index is that of the
environment. Every call comes alone, unless clients of the older protocol are to have sessions.
"""

import asyncio
import socket
import sys
from contextlib import nullcontext

import uvicorn

from server.app import create_server, http_app, open_deps
from server.http_sessions import SessionBounds
from server.settings import ServerSettings
from server.streams import EndingStreams, Server
from tests.conformance.contents import register_contents
from tests.conformance.older_questions import register_older_questions
from tests.conformance.questions import register_questions

HOST = "127.0.0.1"


async def serve(sessions: SessionBounds | None) -> None:
    """Serves until it is told to stop; whoever comes before it is ready waits."""
    async with open_deps(ServerSettings.load()) as deps:
        server = create_server(lambda: nullcontext(deps), has_connections=sessions is not None)
        register_contents(server)
        register_questions(server)
        register_older_questions(server)
        streams = EndingStreams(http_app(server, None, HOST, sessions=sessions))
        with socket.create_server((HOST, 0)) as listener:
            print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)
            config = uvicorn.Config(streams, log_level="warning")
            await Server(config, streams).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(serve(SessionBounds() if "sessions" in sys.argv else None))
