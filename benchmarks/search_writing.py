"""Speed of writing pages to the index, and of doing nothing to them.

uv run --group dev python -m benchmarks.search_writing
"""

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from index.database import Database
from index.records import Chunk, Space
from index.settings import IndexSettings
from index.store import forget_site
from tests.index.small_wiki import SITE, GivenVectors, SmallWiki, page, with_body

DIMENSION = 384
PAGES, CHUNKS_OF_PAGE = 200, 5


async def _main() -> None:
    """In an embedded Postgres in a temporary home."""
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings.model_validate(
            {"postgres_url": None, "confluence_mcp_home": Path(home)}
        )
        async with Database.open(settings, application_name="benchmark") as database:
            await _writing(database)


async def _writing(database: Database) -> None:
    """Pages a second through `Store`."""
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
    asyncio.run(_main())
