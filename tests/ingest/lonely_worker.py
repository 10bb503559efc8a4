"""The command line in a network namespace of its own, like a host of its own; started by tests.

`unshare --net python -m tests.ingest.lonely_worker PORT=SOCKET [PORT=SOCKET] -- ARGUMENTS`: what
the program sends to one of these ports of its loopback goes to that socket in the file system,
where `shared_ports` has it go to the same port of the host of the tests.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from confluence_mcp.command_line import main

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def alone() -> list[str]:
    """The words that start a process in a network namespace of its own; none where refused."""
    for words in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                return words
    return []


@asynccontextmanager
async def shared_ports(folder: Path, ports: Sequence[int]) -> AsyncGenerator[list[str]]:
    """Sockets in a folder that lead to ports of this host; gives PORT=SOCKET of each."""
    relays = [Relay(partial(asyncio.open_connection, "127.0.0.1", port)) for port in ports]
    paths = [folder / f"{port}.socket" for port in ports]
    servers = [
        await asyncio.start_unix_server(relay.join, path)
        for relay, path in zip(relays, paths, strict=True)
    ]
    try:
        yield [f"{port}={path}" for port, path in zip(ports, paths, strict=True)]
    finally:
        for server, relay in zip(servers, relays, strict=True):
            server.close()
            await relay.end()


class Relay:
    """Joins each connection that comes to another one that it opens."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._joined: set[asyncio.Task[None]] = set()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copies both ways until both have ended."""
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        writers = [writer]
        try:
            other_reader, other_writer = await self._connect()
            writers.append(other_writer)
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # one side is gone, or the tests are over
        finally:
            for one in writers:
                one.transport.abort()
            self._joined.discard(task)

    async def end(self) -> None:
        """Breaks what is still joined."""
        for task in list(self._joined):
            task.cancel()
        await asyncio.gather(*self._joined, return_exceptions=True)
        await asyncio.sleep(0)  # transports close at the loop's next turn


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def bring_loopback_up() -> None:
    """A new namespace has a loopback interface, but it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


async def _listen(ways: Sequence[str], ready: threading.Event) -> None:
    for way in ways:
        port, path = way.split("=", 1)
        relay = Relay(partial(asyncio.open_unix_connection, path))
        await asyncio.start_server(relay.join, "127.0.0.1", int(port))
    ready.set()
    await asyncio.Event().wait()


if __name__ == "__main__":
    end = sys.argv.index("--")
    bring_loopback_up()
    is_ready = threading.Event()
    listening = threading.Thread(
        target=lambda: asyncio.run(_listen(sys.argv[1:end], is_ready)), daemon=True
    )
    listening.start()
    is_ready.wait()
    sys.exit(main(sys.argv[end + 1 :]))
