"""Speed of the search statement and of writing pages, on generated indexes.

    uv run python -m benchmarks.search [10000 100000]

The machine's own speed is taken out by ratios: each figure stands beside what a bare statement
takes in the same run. Times are of the client, over a Unix socket, one question after another.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from index.access import CRAWLER, read_as
from index.database import Database
from index.records import Chunk, Space
from index.search_statement import LEG, search_statement
from index.settings import IndexSettings
from index.store import forget_site
from tests.index.generated_index import Connection, GeneratedIndex, Question, generate_index
from tests.index.small_wiki import SITE, GivenVectors, SmallWiki, page, with_body

DIMENSION = 384
QUESTIONS = 60
PAGES, CHUNKS_OF_PAGE = 200, 5
NOTHING: Mapping[str, object] = dict.fromkeys(
    ["spaces", "labels", "content_types", "kinds", "author", "ancestor", "updated_after"]
)
CASES: Mapping[str, Mapping[str, object]] = {
    "whole index": {},
    "half of it (label)": {"labels": ["half"]},
    "5 % (space)": {"spaces": ["s39"]},
    "2 % (author)": {"author": "author 7"},
    "100 pages (ancestor)": {"ancestor": "5"},
}

BARE_VECTORS = sql.SQL(
    "SELECT chunk_id FROM {vectors} ORDER BY embedding <#> %(vector)s::halfvec({dimension})"
    " LIMIT {leg}"
)
BARE_WORDS = sql.SQL(
    "SELECT chunk_id FROM chunk_term WHERE term_ids && ARRAY(SELECT term_id FROM term JOIN"
    " unnest(to_tsvector('simple', %(query)s)) AS word ON term_id = term_id('simple', lexeme)"
    " WHERE chunk_count <= 10000)"
    " ORDER BY weights <#> (SELECT weights FROM chunk_term LIMIT 1) LIMIT {leg}"
)


async def _main(sizes: Sequence[int]) -> None:
    for chunks in sizes:
        async with _database() as database:
            started = time.perf_counter()
            index = await generate_index(database, chunks=chunks, dimension=DIMENSION)
            print(f"\n{chunks:,} chunks of {DIMENSION} numbers ", end="")
            print(f"(made in {time.perf_counter() - started:.0f} s)")
            await _measure(database, index)
    async with _database() as database:
        await _writing(database)


@asynccontextmanager
async def _database() -> AsyncGenerator[Database]:
    """An embedded Postgres in a temporary home."""
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings.model_validate(
            {"postgres_url": None, "confluence_mcp_home": Path(home)}
        )
        async with Database.open(settings, application_name="benchmark") as database:
            yield database


async def _measure(database: Database, index: GeneratedIndex) -> None:
    model = index.model
    names = {
        "vectors": model.vectors,
        "dimension": sql.Literal(model.dimension),
        "leg": sql.Literal(LEG),
    }
    questions = [index.question(seed) for seed in range(QUESTIONS)]
    statement = search_statement(model)
    async with read_as(database, CRAWLER) as connection:
        vectors = await _times(connection, BARE_VECTORS.format(**names), questions)
        words = await _times(connection, BARE_WORDS.format(**names), questions)
        bare = np.median(vectors) + np.median(words)
        _print("bare walk through the graph", vectors, bare)
        _print("bare look-up of words", words, bare)
        for name, filters in CASES.items():
            _print(name, await _times(connection, statement, questions, filters), bare)
        for name, leg in _one_sided(questions).items():
            _print(name, await _times(connection, statement, leg), bare)


def _one_sided(questions: Sequence[Question]) -> dict[str, list[Question]]:
    """Questions that leave one leg idle, or give it as much to do as questions can."""
    return {
        "whole index, no words": [Question("?", one.vector) for one in questions],
        "whole index, common words": [Question("qbb qbc qbd", one.vector) for one in questions],
    }


async def _times(
    connection: Connection,
    statement: sql.Composed,
    questions: Sequence[Question],
    filters: Mapping[str, object] = NOTHING,
) -> list[float]:
    """Milliseconds for each question, after a few to warm up."""
    times: list[float] = []
    for question in [*questions[:5], *questions]:
        values = {
            **{"query": question.words, "vector": HalfVector(question.vector)},
            **{"configurations": ["simple"], "dense_share": 0.5},
            **{"limit": 8, "offset": 0, "passages": 1},
            **NOTHING,
            **filters,
        }
        started = time.perf_counter()
        await (await connection.execute(statement, values)).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    return times[5:]


def _print(name: str, times: Sequence[float], bare: float) -> None:
    p50, p95 = np.percentile(times, [50, 95])
    print(f"{name:30} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms  {p50 / bare:6.2f} of both bare legs")


async def _writing(database: Database) -> None:
    """Pages a second through `Store`, against rows that are copied with nothing else done."""
    random = np.random.default_rng(1)
    embedder = GivenVectors(lambda _: random.standard_normal(DIMENSION).tolist())
    wiki = await SmallWiki.open(database, embedder)
    space_id = await wiki.store.open_space(Space("ENG", "ENG", SITE))
    bodies = [" ".join(f"word{number}" for number in random.integers(9_999, size=120))] * 2
    print(f"\n{PAGES} pages of {CHUNKS_OF_PAGE} chunks")
    for name, first in (("new", "one"), ("one chunk changed", "two"), ("unchanged", "two")):
        works = [
            [
                Chunk(at, (), "", f"{bodies[0]} {number} {at or first}")
                for at in range(CHUNKS_OF_PAGE)
            ]
            for number in range(PAGES)
        ]
        vectors = [await wiki.vectors("Page", chunks) for chunks in works]
        started = time.perf_counter()
        for number, chunks in enumerate(works):
            update = with_body(page(str(number)), *chunks)
            await wiki.store.write(space_id, update, vectors[number], recipe=1)
        seconds = time.perf_counter() - started
        print(f"{name:30} {PAGES / seconds:7.0f} pages/s  {seconds / PAGES * 1000:7.1f} ms a page")
    started = time.perf_counter()
    await wiki.store.settle()
    print(f"{'settle':30} {(time.perf_counter() - started) * 1000:7.1f} ms")
    await forget_site(database, None)


if __name__ == "__main__":
    asyncio.run(_main([int(size) for size in sys.argv[1:]] or [10_000, 100_000]))
