"""The embedded Postgres for another program, for as long as that holds on to it."""

import asyncio
import contextlib
import os
import threading

from index.database import embedded_postgres
from index.errors import ConfigurationError
from index.settings import IndexSettings


async def lend() -> None:
    """Prints how to connect, and keeps the server running until standard input ends.

    Raises ConfigurationError where the index is in a Postgres of one's own.
    """
    settings = IndexSettings.load()
    if settings.postgres_url is not None:
        raise ConfigurationError(
            "The index is where POSTGRES_URL says, which every program can be given as it is.\n"
            "Unset POSTGRES_URL to use the embedded Postgres."
        )
    async with embedded_postgres(settings.confluence_mcp_home) as postgres:
        print(await postgres.conninfo(), flush=True)
        await _end_of_input()


async def _end_of_input() -> None:
    """Waits in a thread, since a loop can wait for pipes alone, and not on every system."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait() -> None:
        while os.read(0, 1024):
            pass
        with contextlib.suppress(RuntimeError):  # told to stop in the meantime
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()
