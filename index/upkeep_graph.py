"""The graph index over the vectors of a model: built beside those who read and write."""

import asyncio
import logging
from typing import LiteralString

from psycopg import AsyncConnection, sql
from psycopg.errors import DiskFull, OutOfMemory
from psycopg.rows import TupleRow

from index.database import Database
from index.models import EmbeddingModel
from index.upkeep_memory import Room, graph_memory, take_room, use_room

logger = logging.getLogger(__name__)

# Chunks from which it is worth its upkeep: fewer are read faster one by one.
HNSW_FROM = 50_000
LOOK_AGAIN = 1.0  # seconds

TAKE_TURN = "SELECT pg_try_advisory_lock(hashtextextended('confluence-mcp graph', 0))"
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(name)s)"
VECTORS = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%(name)s)"
ANALYSE = sql.SQL("ANALYZE {}")
CREATE = sql.SQL("""
CREATE INDEX CONCURRENTLY {} ON {} USING hnsw (embedding halfvec_ip_ops)
WITH (m = 16, ef_construction = 64)
""")
DROP = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}")
RECORD = "UPDATE embedding_model SET has_hnsw = true WHERE id = %(model)s AND NOT has_hnsw"


async def build_graph(
    database: Database, model: EmbeddingModel, most_memory: int | None = None
) -> bool:
    """Builds the graph index where it is missing or was left half built; whether it did.

    Pages can be written and read meanwhile. Another process that builds it already is waited for.
    `most_memory` is in bytes.
    """
    async with await database.connect() as connection:
        await _take_turn(connection)
        is_built = await is_graph_valid(connection, model)
        if not is_built:
            await _build(connection, model, most_memory)
        await connection.execute(RECORD, {"model": model.id})
        return not is_built


async def is_graph_valid(connection: AsyncConnection[TupleRow], model: EmbeddingModel) -> bool:
    """Whether the graph index is there and was built to its end."""
    return await _is_yes(connection, IS_VALID, name=model.graph)


async def _take_turn(connection: AsyncConnection[TupleRow]) -> None:
    while True:
        # Not by waiting for the lock: who builds waits in turn for statements that go on.
        if await _is_yes(connection, TAKE_TURN):
            return
        await asyncio.sleep(LOOK_AGAIN)


async def _build(
    connection: AsyncConnection[TupleRow], model: EmbeddingModel, most_memory: int | None
) -> None:
    await connection.execute(ANALYSE.format(model.vectors))
    name = model.vectors.as_string()
    row = await (await connection.execute(VECTORS, {"name": name})).fetchone()
    row_count = max(row[0], 0) if row else 0
    needed = graph_memory(row_count, model.dimension)
    given = await take_room(connection, needed, most_memory)
    logger.info(
        "graph index of model=%s rows=%d: memory=%d MB needed=%d MB workers=%d",
        *(model.name, row_count, given.memory >> 20, needed >> 20, given.workers),
    )
    try:
        await _create(connection, model)
    except (DiskFull, OutOfMemory) as error:
        if not given.workers:
            raise
        # Where workers meet, in shared memory, there is too little of it.
        logger.info("graph index: alone, since workers find no room: problem=%r", str(error))
        await use_room(connection, Room(given.memory, 0))
        await _create(connection, model)


async def _create(connection: AsyncConnection[TupleRow], model: EmbeddingModel) -> None:
    graph = sql.Identifier(model.graph)
    await connection.execute(DROP.format(graph))
    await connection.execute(CREATE.format(graph, model.vectors))


async def _is_yes(
    connection: AsyncConnection[TupleRow], query: LiteralString, **values: str
) -> bool:
    row = await (await connection.execute(query, values)).fetchone()
    return row is not None and row[0] is True
