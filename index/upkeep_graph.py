"""The graph index over the vectors of a model: built beside those who read and write."""

import asyncio
import logging
from functools import partial
from typing import LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from index.database import Database
from index.models import EmbeddingModel
from index.upkeep_memory import build_in_room, graph_memory

logger = logging.getLogger(__name__)

# Chunks from which it is worth its upkeep: fewer are read faster one by one.
HNSW_FROM = 10_000
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


async def memory_for_graph(connection: AsyncConnection[TupleRow], model: EmbeddingModel) -> int:
    """Bytes in which the graph of the vectors is built, as many as Postgres counted last."""
    name = model.vectors.as_string()
    row = await (await connection.execute(VECTORS, {"name": name})).fetchone()
    return graph_memory(max(row[0], 0) if row else 0, model.dimension)


async def _build(
    connection: AsyncConnection[TupleRow], model: EmbeddingModel, most_memory: int | None
) -> None:
    await connection.execute(ANALYSE.format(model.vectors))
    logger.info("graph index of model=%s", model.name)
    needed = await memory_for_graph(connection, model)
    await build_in_room(connection, needed, most_memory, partial(_create, connection, model))


async def _create(connection: AsyncConnection[TupleRow], model: EmbeddingModel) -> None:
    graph = sql.Identifier(model.graph)
    await connection.execute(DROP.format(graph))
    await connection.execute(CREATE.format(graph, model.vectors))


async def _is_yes(
    connection: AsyncConnection[TupleRow], query: LiteralString, **values: str
) -> bool:
    row = await (await connection.execute(query, values)).fetchone()
    return row is not None and row[0] is True
