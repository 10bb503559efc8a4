"""The tables of a second embedding model: made, taken into use and dropped between searches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import TupleRow

from index.database import Database
from index.errors import DatabaseError
from index.models import EmbeddingModel, model_being_built

logger = logging.getLogger(__name__)

Connection = AsyncConnection[TupleRow]
Result = TypeVar("Result")

# What makes or drops a table that refers to chunks waits for those who read or write, who then
# wait behind it: so it gives way soon, before Postgres looks for deadlocks, and comes again.
GIVE_WAY = "SELECT set_config('lock_timeout', '200ms', true)"
PAUSES = (0.1, 0.2, 0.5, *[1.0] * 30)  # seconds

ADD = """
WITH added AS (
    INSERT INTO embedding_model (name, dimension, active)
    VALUES (%(name)s, %(dimension)s, false) RETURNING id, dimension
)
SELECT create_vector_tables(id, dimension) FROM added
"""
RETIRED = "SELECT id FROM embedding_model WHERE retired_at IS NOT NULL ORDER BY id"
DROP = """
WITH gone AS (DELETE FROM embedding_model WHERE id = %(model)s AND NOT active RETURNING id)
SELECT drop_vector_tables(id) FROM gone
"""
RETIRE = "UPDATE embedding_model SET active = false, retired_at = now() WHERE active"
ACTIVATE = "UPDATE embedding_model SET active = true WHERE id = %(model)s AND retired_at IS NULL"


class TablesInUse(DatabaseError):
    """Searches or writers held the tables all the time: run the command again when it is calm."""


async def add_model(database: Database, name: str, dimension: int) -> EmbeddingModel:
    """Makes the tables of a model beside those of the active one; raises TablesInUse."""

    async def add(connection: Connection) -> EmbeddingModel:
        await connection.execute(ADD, {"name": name, "dimension": dimension})
        model = await model_being_built(connection)
        assert model is not None
        return model

    return await patiently(database, add)


async def drop_model(database: Database, model_id: int) -> None:
    """Drops the tables of a model that is not active; raises TablesInUse."""

    async def drop(connection: Connection) -> None:
        await connection.execute(DROP, {"model": model_id})

    await patiently(database, drop)


async def drop_retired(database: Database) -> int:
    """Drops what models left that are not in use any more; how many. Raises TablesInUse."""
    async with database.pool.connection() as connection:
        rows = await (await connection.execute(RETIRED)).fetchall()
    for (model_id,) in rows:
        await drop_model(database, model_id)
    return len(rows)


async def activate(connection: Connection, model: EmbeddingModel) -> bool:
    """Puts a model in the place of the active one; False when it is gone. The caller commits."""
    await connection.execute(RETIRE)
    return (await connection.execute(ACTIVATE, {"model": model.id})).rowcount == 1


async def patiently(database: Database, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Does a short transaction that needs tables for itself, between those of others."""
    for pause in PAUSES:
        try:
            async with database.pool.connection() as connection:
                await connection.execute(GIVE_WAY)
                return await work(connection)
        except (LockNotAvailable, DeadlockDetected) as error:
            logger.debug("tables in use, tried again: problem=%r", str(error))
        await asyncio.sleep(pause)
    raise TablesInUse(TablesInUse.__doc__)
