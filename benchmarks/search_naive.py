"""Our search beside the usual recipe, over the same pages in the same server."""

import asyncio
import time
from collections.abc import Sequence

from psycopg import sql

from benchmarks.asked import ask
from benchmarks.guarded_index import Scene
from benchmarks.naive_recipe import TABLE, nearest
from benchmarks.search_scene import Kept
from benchmarks.search_times import Summary, Times
from index.access import CRAWLER
from index.database import Database
from index.search_statement import search_statement
from tests.index.generated_index import Question

# A page's vector as if its text had been embedded as a whole.
FILL = sql.SQL("""
INSERT INTO recipe
SELECT page_id, title, markdown, avg(embedding::vector)
FROM page JOIN {vectors} USING (page_ref) WHERE state <> 'tombstoned' GROUP BY page_ref
""")


async def measure_naive(
    kept: Kept, reader: Database, scene: Scene, questions: Sequence[Question]
) -> dict[str, Summary]:
    """Both in turn, one question after another; the recipe's table is gone afterwards."""
    naive, ours = Times(), Times()
    statement = search_statement(scene.index.model)
    async with Database.open(kept.settings, application_name="owner", max_connections=1) as owner:
        await _fill(owner, scene)
        conninfo = await owner.conninfo()
        for question in questions:
            vector: list[float] = question.vector.tolist()
            started = time.perf_counter()
            await asyncio.to_thread(nearest, conninfo, vector)
            naive.add((time.perf_counter() - started) * 1000, 0)
            answer = await ask(reader, CRAWLER, statement, question)
            ours.add(answer.ms, answer.cpu_ms)
        async with owner.pool.connection() as connection:
            await connection.execute("DROP TABLE recipe")
    return {"naive recipe": naive.summary(), "beside it": ours.summary()}


async def _fill(owner: Database, scene: Scene) -> None:
    async with owner.pool.connection() as connection:
        await connection.execute("DROP TABLE IF EXISTS recipe")
        await connection.execute(TABLE.encode())
        await connection.execute(FILL.format(vectors=scene.index.model.vectors))
    async with owner.pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("VACUUM (ANALYZE) recipe")
        await connection.set_autocommit(False)
