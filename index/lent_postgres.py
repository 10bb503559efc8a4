"""The embedded Postgres for another program, for as long as that holds on to it."""

import asyncio
import sys

from index.embedded_postgres import EmbeddedPostgres
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
    async with EmbeddedPostgres.open(settings.confluence_mcp_home) as postgres:
        print(await postgres.conninfo(), flush=True)
        await _end_of_input()


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()
