"""What an index takes on disk, and what the processes that serve it take in memory."""

from pathlib import Path

from index.database import Database

SIZES = """
SELECT relname, pg_table_size(oid) FROM pg_class
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace AND relpersistence = 'p'
  AND pg_table_size(oid) >= 100_000
ORDER BY 2 DESC
"""
SHARED = "SELECT pg_size_bytes(current_setting('shared_buffers'))"
MEGABYTE = 1_000_000


async def disk(database: Database) -> dict[str, int]:
    """Bytes of each table, without its indexes, and of each index; the largest first."""
    async with database.pool.connection() as connection:
        return {row[0]: row[1] async for row in await connection.execute(SIZES)}


async def memory(database: Database, server: int) -> dict[str, float]:
    """Megabytes of the process that serves MCP, of all of Postgres' and of what these share."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(SHARED)).fetchone()
        postmaster = _parent(connection.info.backend_pid)
    assert row is not None
    processes = [postmaster, *(pid for pid in _processes() if _parent(pid) == postmaster)]
    return {
        "shared_buffers": row[0] / MEGABYTE,
        "postgres_processes": len(processes),
        "postgres_mb": sum(_megabytes(pid) for pid in processes),
        "server_mb": _megabytes(server),
    }


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(told.rpartition(")")[2].split()[1])


def _megabytes(pid: int) -> float:
    """Its own and its part of what it shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1_000
