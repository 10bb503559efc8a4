"""What it costs that each asker sees only what is theirs: recall, speed, and changes.

    uv run --group dev python -m benchmarks.access [500000]

Everything is measured over connections as the server has them. Times are of the client, over a
Unix socket, one question after another, those of all askers in turn; ratios are of medians.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from benchmarks.access_changes import measure_changes
from benchmarks.access_cost import measure_cost
from benchmarks.access_recall import measure_recall
from benchmarks.guarded_index import Scene, guard, layout_of
from benchmarks.topical_vectors import Meaning
from index.database import Database
from index.settings import IndexSettings
from tests.index.generated_index import generate_index

DIMENSION = 384


async def _main(chunks: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings.model_validate(
            {"postgres_url": None, "confluence_mcp_home": Path(home)}
        )
        async with _both(settings) as (owner, reader):
            started = time.perf_counter()
            scene = await _make(owner, chunks)
            print(f"{chunks:,} chunks, made in {time.perf_counter() - started:.0f} s")
            await measure_recall(reader, scene)
            await measure_cost(owner, reader, scene)
            await measure_changes(owner, reader, scene)


@asynccontextmanager
async def _both(settings: IndexSettings) -> AsyncGenerator[tuple[Database, Database]]:
    """A database for whoever writes, of one connection, and for whoever asks."""
    async with (
        Database.open(settings, application_name="owner", max_connections=1) as owner,
        Database.open(settings, application_name="reader", for_askers=True) as reader,
    ):
        yield owner, reader


async def _make(owner: Database, chunks: int) -> Scene:
    """An index with people."""
    meaning = Meaning.draw(np.random.default_rng(4), DIMENSION)
    index = await generate_index(
        owner, chunks=chunks, dimension=DIMENSION, shape=meaning.of_chunks, memory="2GB"
    )
    layout = layout_of(index, index.topics)
    return Scene(index, meaning, layout, await guard(owner, index, layout))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000))
