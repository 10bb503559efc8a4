"""Workers as processes of their own over one index, and what that index holds."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

from psycopg.rows import TupleRow

from index.database import Database
from tests.command import Command
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.site import Site
from tests.ingest.lonely_worker import alone, shared_ports

# All that a reader can come to see of a site, and what the next look would compare.
HELD: Sequence[LiteralString] = (
    """
    SELECT page_id, space.key, content_type, state, title, page.url, version, ancestors, position,
           labels, author, page.created_at, updated_at, language, markdown, chunk_count,
           comment_chunks, attachment_chunks, comment_stamp
    FROM page JOIN space ON space.id = space_id ORDER BY page_id
    """,
    """
    SELECT page_id, kind, item_id, chunk.position, text_hash FROM chunk JOIN page USING (page_ref)
    ORDER BY page_id, kind, item_id, chunk.position
    """,
    """
    SELECT page_id, comment_id, comment.version, comment.markdown
    FROM comment JOIN page USING (page_ref) ORDER BY page_id, comment_id
    """,
    """
    SELECT page_id, attachment_id, attachment.version, filename, attachment.markdown,
           attachment.unreadable
    FROM attachment JOIN page USING (page_ref) ORDER BY attachment_id
    """,
    "SELECT term_id, chunk_count FROM term WHERE chunk_count <> 0 ORDER BY term_id",
    "SELECT node_id, content_type, parent_id, title, version FROM node ORDER BY node_id",
)
UNFINISHED = """
SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'look'
"""
WORKERS = "SELECT id FROM procrastinate_workers ORDER BY id"
IN_HAND = """
SELECT jsonb_array_elements_text(args->'page_ids') FROM procrastinate_jobs
WHERE status = 'doing' AND worker_id = %(id)s
"""
LET_TIME_PASS = """
UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds' WHERE id = %(id)s
"""
PATIENCE = 180.0


async def rows(database: Database, query: LiteralString, **values: object) -> list[TupleRow]:
    """What a query gives."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute(query, values)
        return await cursor.fetchall() if cursor.description else []


async def held(database: Database) -> list[list[TupleRow]]:
    """All that an index holds."""
    return [await rows(database, query) for query in HELD]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a thing to become true."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - it is another process that makes it true
            await asyncio.sleep(0.05)


async def is_idle(database: Database) -> bool:
    """Whether the site was looked at, and no job is left to do."""
    if await rows(database, "SELECT to_regclass('procrastinate_jobs')") == [(None,)]:
        return False
    looked = await rows(database, "SELECT 1 FROM sync_run WHERE finished_at IS NOT NULL")
    return bool(looked) and await rows(database, UNFINISHED) == [(0,)]


def with_items(site: Site) -> Site:
    """The site, with comments on every third page and a text file on every tenth."""
    for number, page_id in enumerate(list(site.contents)):
        if number % 3 == 0:
            site.comment(page_id, f"<p>Remark {number} on the matter.</p>")
        if number % 10 == 0:
            data = f"Line {number} of a note that hangs on a page.".encode()
            site.attach(page_id, f"note-{number}.txt", media_type="text/plain", data=data)
    return site


@dataclass(slots=True)
class Host:
    """A worker, its number in the queue, and its process."""

    number: int
    process: Process
    log: Path

    def send(self, signal_number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(signal_number)

    async def stop(self) -> int:
        """Has it end in its own time; gives its exit code."""
        self.send(signal.SIGTERM)
        return await self.process.wait()


@dataclass(slots=True)
class Hosts:
    """Starts workers over one index, each in a network of its own where that is allowed."""

    command: Command
    database: Database
    ways: Sequence[str]
    stack: AsyncExitStack
    started: int = 0

    async def start(self, *arguments: str) -> Host:
        """A worker that has begun to take jobs."""
        before = await self._numbers()
        self.started += 1
        log = self.command.folder / f"worker-{self.started}.log"
        process = await self._process(log, *arguments)
        self.stack.push_async_callback(_kill, process)
        await until(lambda: self._has_begun(process, log, before))
        (number,) = await self._numbers() - before
        return Host(number, process, log)

    async def _process(self, log: Path, *arguments: str) -> Process:
        module = "tests.ingest.lonely_worker" if alone() else "confluence_mcp"
        ways = [*self.ways, "--"] if alone() else []
        with log.open("wb") as file:
            return await asyncio.create_subprocess_exec(
                *alone(),
                sys.executable,
                *("-m", module, *ways, "worker", *arguments),
                cwd=self.command.folder,
                env=self.command.environment,
                stdout=file,
                stderr=file,
            )

    async def _has_begun(self, process: Process, log: Path, before: set[int]) -> bool:
        assert process.returncode is None, f"it ended; {log} says why"
        return bool(await self._numbers() - before)

    async def _numbers(self) -> set[int]:
        if await rows(self.database, "SELECT to_regclass('procrastinate_workers')") == [(None,)]:
            return set()
        return {number for (number,) in await rows(self.database, WORKERS)}


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


@asynccontextmanager
async def hosts_of(
    database: Database, database_url: str, site_url: str, endpoint_url: str, folder: Path
) -> AsyncGenerator[Hosts]:
    """Workers for an index, a site and an endpoint; all are killed at the end."""
    variables = {
        "POSTGRES_URL": database_url,
        "CONFLUENCE_MCP_HOME": str(folder),
        "CONFLUENCE_URL": site_url,
        "CONFLUENCE_USERNAME": EMAIL,
        "CONFLUENCE_API_TOKEN": TOKEN,
        "OPENAI_BASE_URL": endpoint_url,
        "OPENAI_API_KEY": "test-key",
        "EMBEDDING_MODEL": "words",
    }
    ports = [port for url in (site_url, endpoint_url) if (port := urlsplit(url).port)]
    async with shared_ports(folder, ports) as ways, AsyncExitStack() as stack:
        yield Hosts(Command(folder, variables), database, ways, stack)
