"""What changing the embedding model costs, and what questions feel of it; and bloat after churn.

    uv run --group dev python -m benchmarks.model_switch [5000] [--churn 20000] [--rate 500]

The first part changes the model of an index of so many chunks by way of an endpoint that takes as
long as a hosted one near by, while questions come one after another. The second part changes 1 % of
the pages ten times, and then mends what that did.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from benchmarks.embedding_service import EmbeddingService
from benchmarks.loopback import SPAWN, served
from index.access import CRAWLER
from index.database import Database
from index.embedder_choice import embedder_of
from index.embeddings import Embedder, Vector
from index.models import active_model
from index.reindex import Way, switch_model
from index.search import Searcher
from index.settings import IndexSettings
from index.upkeep import mend
from index.upkeep_findings import Wish
from index.upkeep_sizes import read_sizes, shown_bytes
from tests.index.generated_index import CHUNKS_OF_PAGE, GeneratedIndex, generate_index
from tests.index.small_wiki import GivenVectors

DIMENSION = 384
MODEL = "text-embedding-3-small"
PHASES = ("before", "during", "after")
QUESTIONS, CHURNS, SHARE = 200, 10, 0.01
NEAREST = sql.SQL("SELECT chunk_id FROM {} ORDER BY embedding <#> %(vector)s::halfvec LIMIT 10")
TOUCH = sql.SQL("""
UPDATE {} SET embedding = new.embedding
FROM unnest(%(chunk_ids)s::bigint[], %(embeddings)b::halfvec[]) AS new (chunk_id, embedding)
WHERE new.chunk_id = {}.chunk_id
""")


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description="The cost of a change of the embedding model.")
    parser.add_argument("chunks", type=int, nargs="?", default=5_000)
    parser.add_argument("--churn", type=int, default=20_000, help="chunks of the second part")
    parser.add_argument("--rate", type=float, help="texts a second")
    arguments = parser.parse_args()
    asyncio.run(_switch(arguments.chunks, arguments.rate))
    if arguments.churn:
        asyncio.run(_churn(arguments.churn))


@asynccontextmanager
async def _database(url: str = "") -> AsyncGenerator[tuple[IndexSettings, Database]]:
    """An embedded Postgres in a temporary home."""
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings.model_validate(
            {
                "postgres_url": None,
                "confluence_mcp_home": Path(home),
                "openai_api_key": "unused",
                "openai_base_url": url or None,
            }
        )
        async with Database.open(settings, application_name="benchmark") as database:
            yield settings, database


async def _switch(chunks: int, rate: float | None) -> None:
    requests, texts = SPAWN.Value("q", 0), SPAWN.Value("q", 0)
    with served(partial(EmbeddingService, requests, texts)) as url:
        async with _database(f"{url}/v1") as (settings, database):
            index = await generate_index(database, chunks=chunks, dimension=DIMENSION)
            times: dict[str, list[float]] = {phase: [] for phase in PHASES}
            phase = [PHASES[0]]
            asking = asyncio.create_task(_ask(database, index, times, phase))
            await _enough(times[PHASES[0]])
            phase[0] = PHASES[1]
            embedder = await embedder_of(settings, MODEL)
            switched = await switch_model(database, embedder, Way(rate))
            phase[0] = PHASES[2]
            await _enough(times[PHASES[2]])
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await embedder.close()
    assert switched is not None
    print(f"\n{chunks:,} chunks, rate {rate or 'unlimited'}: {switched.seconds:.1f} s, ", end="")
    print(f"{requests.value} requests, {texts.value:,} texts, {switched.built.tokens:,} tokens; ")
    print(f"graph and vacuum {switched.graph:.1f} s, writers waited {switched.held * 1000:.0f} ms")
    print("| questions | answered | p50 ms | p95 ms | longest ms |\n|---|---|---|---|---|")
    for name, taken in times.items():
        p50, p95, longest = np.percentile(np.array(taken) * 1000, [50, 95, 100])
        print(f"| {name} | {len(taken):,} | {p50:.0f} | {p95:.0f} | {longest:.0f} |")


async def _enough(times: Sequence[float]) -> None:
    while len(times) < QUESTIONS:  # noqa: ASYNC110 - a benchmark, which another task feeds
        await asyncio.sleep(0.05)


async def _ask(
    database: Database, index: GeneratedIndex, times: dict[str, list[float]], phase: Sequence[str]
) -> None:
    """One question after another, each of which must be answered."""
    near = {}

    async def choose(model: str) -> Embedder:
        return GivenVectors(lambda text: near[text].tolist(), model=model)

    searcher = Searcher(database, choose)
    for seed in range(10**9):
        question = index.question(seed)
        near = {question.words: question.vector, "any": question.vector}
        started, of_phase = time.perf_counter(), phase[0]
        found = await searcher.search(CRAWLER, question.words)
        times[of_phase].append(time.perf_counter() - started)
        assert found.hits


async def _churn(chunks: int) -> None:
    async with _database() as (_, database):
        index = await generate_index(database, chunks=chunks, dimension=DIMENSION)
        vectors = index.vectors.copy()
        print(f"\n{chunks:,} chunks, {CHURNS} times {SHARE:.0%} of the pages changed")
        print("| | graph | words | dead vectors | recall@10 | p50 ms |\n|---|---|---|---|---|---|")
        await _print_state("fresh", database, index, vectors)
        dice = np.random.default_rng(7)
        for _ in range(CHURNS):
            await _change_pages(database, index, vectors, dice)
        await _print_state("changed", database, index, vectors)
        started = time.perf_counter()
        mended = await mend(database, Wish(least_waste=0))
        await _print_state("mended", database, index, vectors)
        print(f"mended in {time.perf_counter() - started:.0f} s:")
        for one in mended:
            print(f"- {one.summary()}")


async def _change_pages(
    database: Database, index: GeneratedIndex, vectors: np.ndarray, dice: np.random.Generator
) -> None:
    pages = len(vectors) // CHUNKS_OF_PAGE
    chosen = dice.choice(pages, max(1, int(pages * SHARE)), replace=False)
    chunks = (chosen[:, None] * CHUNKS_OF_PAGE + np.arange(CHUNKS_OF_PAGE)).ravel()
    moved = vectors[chunks] + 0.3 * dice.standard_normal((len(chunks), DIMENSION)) / DIMENSION**0.5
    vectors[chunks] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    values = {
        "chunk_ids": (chunks + 1).tolist(),
        "embeddings": [HalfVector(vector) for vector in vectors[chunks]],
    }
    async with database.pool.connection() as connection:
        await connection.execute(TOUCH.format(index.model.vectors, index.model.vectors), values)


async def _print_state(
    name: str, database: Database, index: GeneratedIndex, vectors: np.ndarray
) -> None:
    async with database.pool.connection() as connection:
        await connection.execute(sql.SQL("ANALYZE {}").format(index.model.vectors))
    recall, p50 = await _recall(database, vectors)
    async with database.pool.connection() as connection:
        sizes = await read_sizes(connection)
    by_name = {one.name: one.bytes for one in sizes.indexes}
    dead = next(one for one in sizes.tables if one.name == f"chunk_vector_{index.model.id}")
    print(
        f"| {name} | {shown_bytes(by_name[index.model.graph])} "
        f"| {shown_bytes(by_name['chunk_term_ids'])} | {dead.dead_rows:,} | {recall:.3f} "
        f"| {p50:.1f} |",
        flush=True,
    )


async def _recall(database: Database, vectors: np.ndarray) -> tuple[float, float]:
    dice = np.random.default_rng(3)
    found, times = 0, []
    for _ in range(QUESTIONS):
        asked: Vector = vectors[dice.integers(len(vectors))] + 0.05 * dice.standard_normal(
            DIMENSION
        ).astype(np.float32)
        exact = set(np.argsort(-(vectors @ asked))[:10] + 1)
        started = time.perf_counter()
        async with database.pool.connection() as connection:
            model = await active_model(connection)
            assert model is not None
            rows = await connection.execute(
                NEAREST.format(model.vectors), {"vector": HalfVector(asked)}
            )
            ids = {row[0] async for row in rows}
        times.append(time.perf_counter() - started)
        found += len(ids & exact)
    return found / (10 * QUESTIONS), float(np.median(times)) * 1000


if __name__ == "__main__":
    main()
