"""Upkeep of the index: what is missing is built and what is bloated rebuilt, beside its users."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from index.database import Database
from index.models import active_model
from index.reindex import ReindexInProgress, explained
from index.reindex_tables import drop_retired
from index.runs import REINDEX, alone
from index.upkeep_findings import Finding, Kind, Wish, bloat, missing
from index.upkeep_graph import build_graph, memory_for_graph
from index.upkeep_memory import build_in_room
from index.upkeep_sizes import read_sizes, shown_bytes
from index.vocabulary import rebuild_words

logger = logging.getLogger(__name__)

Connection = AsyncConnection[TupleRow]

REINDEX_INDEX = sql.SQL("REINDEX INDEX CONCURRENTLY {}")
DROP_INDEX = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}")
VACUUM = sql.SQL("VACUUM (ANALYZE) {}")
ANALYSE = sql.SQL("ANALYZE {}")
BYTES = "SELECT pg_relation_size(to_regclass(quote_ident(%(name)s)))"
# Nothing is to be known of those that are gone.
RECORD = """
WITH gone AS (DELETE FROM fresh_index WHERE to_regclass(quote_ident(name)) IS NULL)
INSERT INTO fresh_index (name, bytes, row_count) VALUES (
    %(name)s, pg_relation_size(to_regclass(quote_ident(%(name)s))), %(row_count)s)
ON CONFLICT (name) DO UPDATE
SET bytes = excluded.bytes, row_count = excluded.row_count, built_at = now()
"""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done: how large it is now in bytes, None for what is gone, in how many seconds."""

    finding: Finding
    bytes: int | None
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON."""
        return {**self.finding.to_json(), "bytes_now": self.bytes, "seconds": self.seconds}

    def summary(self) -> str:
        """For a person."""
        now = "" if self.bytes is None else f", {shown_bytes(self.bytes)} now"
        return f"{self.finding.summary()} - done in {self.seconds:.0f} s{now}"


async def find(database: Database, wish: Wish) -> list[Finding]:
    """What is worth doing, in its order; nothing is changed."""
    async with database.pool.connection() as connection:
        return await missing(connection) + await bloat(connection, wish)


async def mend(
    database: Database, wish: Wish, *, done: Callable[[Mended], None] = lambda mended: None
) -> list[Mended]:
    """Does what is worth doing, and says so of each when it is `done`.

    Readers and writers go on meanwhile; whatever ends it between two is taken up by the next one.
    Raises ReindexInProgress or DatabaseError.
    """
    async with (
        alone(database, REINDEX, ReindexInProgress),
        explained(None),
        await database.connect() as connection,
    ):
        upkeep = _Upkeep(database, connection, wish, done)
        await upkeep.do(await missing(connection))
        await upkeep.look_closely()
        await upkeep.do(await bloat(connection, wish))
        return upkeep.mended


class _Upkeep:
    def __init__(
        self,
        database: Database,
        connection: Connection,
        wish: Wish,
        done: Callable[[Mended], None],
    ) -> None:
        self.mended: list[Mended] = []
        self._database = database
        self._connection = connection
        self._wish = wish
        self._done = done

    async def do(self, findings: list[Finding]) -> None:
        """One after the other."""
        for finding in findings:
            logger.info("%s", finding.summary())
            started = time.monotonic()
            await self._do(finding)
            seconds = time.monotonic() - started
            self.mended.append(Mended(finding, await self._size(finding), seconds))
            self._done(self.mended[-1])

    async def look_closely(self) -> None:
        """Has Postgres count what it only estimates."""
        for table in (await read_sizes(self._connection)).tables:
            await self._connection.execute(ANALYSE.format(sql.Identifier(table.name)))

    async def _size(self, finding: Finding) -> int | None:
        if finding.kind not in (Kind.GRAPH, Kind.INDEX):
            return None
        rows = await self._connection.execute(BYTES, {"name": finding.name})
        row = await rows.fetchone()
        return row[0] if row else None

    async def _do(self, finding: Finding) -> None:
        name = sql.Identifier(finding.name)
        match finding.kind:
            case Kind.WORDS:
                await rebuild_words(self._database)
            case Kind.LEFTOVER:
                await self._connection.execute(DROP_INDEX.format(name))
            case Kind.RETIRED:
                await drop_retired(self._database)
            case Kind.GRAPH:
                await self._build_graph()
            case Kind.INDEX:
                await self._rebuild(finding)
            case Kind.VACUUM:
                await self._connection.execute(VACUUM.format(name))

    async def _build_graph(self) -> None:
        model = await active_model(self._connection)
        if model is not None:
            await build_graph(self._database, model, self._wish.most_memory)

    async def _rebuild(self, finding: Finding) -> None:
        model = await active_model(self._connection)
        needed = 2 * (finding.fresh_bytes or finding.bytes or 0)
        if model is not None and finding.name == model.graph:
            needed = await memory_for_graph(self._connection, model)
        build = partial(self._reindex, finding.name)
        await build_in_room(self._connection, needed, self._wish.most_memory, build)

    async def _reindex(self, name: str) -> None:
        await self._connection.execute(DROP_INDEX.format(sql.Identifier(f"{name}_ccnew")))
        await self._connection.execute(REINDEX_INDEX.format(sql.Identifier(name)))
        indexes = (await read_sizes(self._connection)).indexes
        row_count = next(index.row_count for index in indexes if index.name == name)
        await self._connection.execute(RECORD, {"name": name, "row_count": row_count})
