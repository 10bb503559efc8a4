"""What goes wrong while clients ask: each case disturbs for some seconds, until it is over."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from types import MappingProxyType

from benchmarks.load_embeddings import Mood
from benchmarks.load_machines import LoadedIngest, LoadedPostgres, LoadedServer

INGEST_KILL = "ingest-kill"
CROWD, PIPELINED = 40, 25  # clients that behave badly, and calls that each sends at once
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing breaks the connection off


@dataclass(frozen=True, slots=True)
class Machines:
    """All that can be disturbed; `key` is that of clients who behave badly."""

    postgres: LoadedPostgres
    server: LoadedServer
    ingest: LoadedIngest
    mood: "Synchronized[int]"
    key: str


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A case, when it began, and when all was in order again as far as machines go."""

    name: str
    began: float
    over: float
    note: str = ""


async def disturb(name: str, machines: Machines, seconds: float) -> Disturbance:
    """Has one case happen."""
    if name == INGEST_KILL:
        await machines.ingest.at_work()
    began = time.monotonic()
    note = await CASES[name](machines, seconds)
    return Disturbance(name, began, time.monotonic(), note)


async def _restart(machines: Machines, seconds: float) -> str:
    machines.postgres.stop()
    await asyncio.sleep(seconds)
    machines.postgres.start()
    return f"Postgres stopped (fast) for {seconds:.0f} s"


async def _crash(machines: Machines, seconds: float) -> str:
    machines.postgres.stop(at_once=True)
    await asyncio.sleep(seconds)
    machines.postgres.start()
    return f"Postgres stopped (immediate) for {seconds:.0f} s; it replayed its log"


async def _kill_ingest(machines: Machines, seconds: float) -> str:
    hit = machines.ingest.kill()
    before = len(machines.ingest.runs)
    await machines.ingest.whole_after(before)
    return "kill -9 of a run; over with the next that was whole" if hit else "no run to kill"


async def _kill_server(machines: Machines, seconds: float) -> str:
    machines.server.kill()
    await machines.server.start()
    return "kill -9 of the server, started again"


async def _stop_server(machines: Machines, seconds: float) -> str:
    took = await asyncio.to_thread(machines.server.stop)
    await machines.server.start()
    told = "had to be killed" if took is None else f"ended in {took:.1f} s"
    return f"SIGTERM to the server, which {told}; started again"


async def _failing_embeddings(machines: Machines, seconds: float) -> str:
    return await _in_a_mood(machines, Mood.FAILS, seconds)


async def _hanging_embeddings(machines: Machines, seconds: float) -> str:
    return await _in_a_mood(machines, Mood.HANGS, seconds)


async def _in_a_mood(machines: Machines, mood: Mood, seconds: float) -> str:
    machines.mood.value = mood
    await asyncio.sleep(seconds)
    machines.mood.value = Mood.WELL
    return f"the embedding endpoint {mood.name.lower()} for {seconds:.0f} s"


async def _never_reading(machines: Machines, seconds: float) -> str:
    """Many calls on each connection, whose answers nobody takes."""
    connections = [await _connected(machines) for _ in range(CROWD)]
    for connection in connections:
        await _send(connection, _request(machines) * PIPELINED)
    await asyncio.sleep(seconds)
    for connection in connections:
        connection.close()
    return f"{CROWD} clients sent {PIPELINED} calls each and read nothing for {seconds:.0f} s"


async def _vanishing(machines: Machines, seconds: float) -> str:
    """Clients that break off while their call is being served."""
    gone, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        connection = await _connected(machines)
        await _send(connection, _request(machines))
        await asyncio.sleep(0.02)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        connection.close()
        gone += 1
    return f"{gone} clients broke off in the middle of a call within {seconds:.0f} s"


async def _connected(machines: Machines) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port = int(machines.server.options[-1])
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


async def _send(connection: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(connection, data)


def _request(machines: Machines) -> bytes:
    """A search in the older protocol, as it goes over the wire."""
    parameters = {"name": "search_confluence", "arguments": {"query": "the plan", "limit": 25}}
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
    ).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{machines.server.options[-1]}\r\n"
        f"Authorization: Bearer {machines.key}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


CASES: Mapping[str, Callable[[Machines, float], Awaitable[str]]] = MappingProxyType(
    {
        "restart": _restart,
        "immediate": _crash,
        INGEST_KILL: _kill_ingest,
        "server-kill": _kill_server,
        "server-stop": _stop_server,
        "embeddings-fail": _failing_embeddings,
        "embeddings-hang": _hanging_embeddings,
        "never-reading": _never_reading,
        "vanishing": _vanishing,
    }
)
