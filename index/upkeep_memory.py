"""How much memory and how many workers a server gets to build an index."""

import logging
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.errors import DiskFull, OutOfMemory
from psycopg.rows import TupleRow, class_row

from index.errors import ConfigurationError

logger = logging.getLogger(__name__)

# Bytes that the graph of one vector takes beside its numbers while it is built, with m = 16: by the
# row at which builds ran out of memory, 1,483 to 1,546 in all for 384 numbers and 3,790 for 1,536.
# One tenth is added.
GRAPH_ROW, NUMBER, SPARE = 780, 2, 1.1
LARGEST = 1 << 41  # what maintenance_work_mem can be
MOST_WORKERS = 7
UNITS = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

_SHARED = Path("/dev/shm")
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MEMORY = Path("/proc/meminfo")

SERVER = """
SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS memory,
       current_setting('max_parallel_maintenance_workers')::int AS workers,
       inet_server_addr() IS NULL AS is_here
"""
USE = """
SELECT set_config('maintenance_work_mem', %(memory)s, false),
       set_config('max_parallel_maintenance_workers', %(workers)s, false),
       set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
       set_config('idle_session_timeout', '0', false)
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine can spare: bytes of memory, of those that are shared, and cores."""

    memory: int
    shared_memory: int
    cores: int

    @classmethod
    def this(cls) -> "Machine":
        """Half of the memory that is free, also within the limits of a container.

        None on Windows, where a server keeps to its own settings.
        """
        if sys.platform == "win32":
            return cls(0, 0, os.cpu_count() or 1)
        memory = min(_available(), _container())
        shared = os.statvfs(_SHARED) if _SHARED.exists() else None
        free = shared.f_bavail * shared.f_frsize if shared else memory
        return cls(memory // 2, free, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Server:
    """What a server gives by its settings, in bytes and workers, and whether it runs here."""

    memory: int
    workers: int
    is_here: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What a build gets."""

    memory: int
    workers: int


def graph_memory(row_count: int, dimension: int) -> int:
    """Bytes in which the graph of so many vectors is built without a detour over the disk."""
    return int(row_count * (GRAPH_ROW + NUMBER * dimension) * SPARE)


def room(needed: int, server: Server, machine: Machine, most: int | None = None) -> Room:
    """What a build that needs so many bytes gets: of a server elsewhere, what it gives by itself.

    `most` is what its operator allows. Parallel workers build in shared memory, which containers
    have little of: where it does not fit, one process builds in its own.
    """
    limit = most or (machine.memory if server.is_here else server.memory)
    memory = min(max(server.memory, min(needed, limit)), LARGEST)
    if most is not None:
        memory = min(memory, most)
    if not server.is_here:
        return Room(memory, server.workers)
    fits = memory <= machine.shared_memory
    return Room(memory, min(max(machine.cores - 1, server.workers), MOST_WORKERS) if fits else 0)


async def take_room(
    connection: AsyncConnection[TupleRow], needed: int, most: int | None = None
) -> Room:
    """Has a session build with the memory and the workers that fit."""
    async with connection.cursor(row_factory=class_row(Server)) as cursor:
        (server,) = await (await cursor.execute(SERVER)).fetchall()
    given = room(needed, server, Machine.this(), most)
    await _use_room(connection, given)
    return given


async def build_in_room(
    connection: AsyncConnection[TupleRow],
    needed: int,
    most: int | None,
    build: Callable[[], Awaitable[None]],
) -> None:
    """Builds with the memory and the workers that fit; once more alone where workers do not.

    What the first try left behind is for `build` to remove.
    """
    given = await take_room(connection, needed, most)
    logger.info(
        "builds an index memory=%d MB needed=%d MB workers=%d",
        *(given.memory >> 20, needed >> 20, given.workers),
    )
    try:
        await build()
    except (DiskFull, OutOfMemory) as error:
        if not given.workers:
            raise
        # Where workers meet, in shared memory, there is too little of it.
        logger.info("alone, since workers find no room: problem=%r", str(error))
        await _use_room(connection, Room(given.memory, 0))
        await build()


async def _use_room(connection: AsyncConnection[TupleRow], given: Room) -> None:
    values = {"memory": f"{given.memory // 1024}kB", "workers": str(given.workers)}
    await connection.execute(USE, values)


def bytes_of(text: str) -> int:
    """A size such as 4GB or 512MB in bytes; raises ConfigurationError."""
    number, unit = text.strip()[:-2].strip(), text.strip()[-2:]
    if unit not in UNITS or not number.isdecimal() or not int(number):
        raise ConfigurationError(f"{text!r} is no size: write it as 512MB or 4GB.")
    return int(number) * UNITS[unit]


def _available() -> int:
    if not _MEMORY.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    lines = (line.split() for line in _MEMORY.read_text(encoding="ascii").splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")


def _container() -> int:
    limit = _LIMIT.read_text(encoding="ascii").strip() if _LIMIT.exists() else "max"
    return int(limit) if limit.isdecimal() else LARGEST
