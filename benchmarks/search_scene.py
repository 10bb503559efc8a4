"""The index that search is measured on: made once for a size, and kept where one is to be."""

import pickle
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.guarded_index import Scene, guard, layout_of
from benchmarks.topical_vectors import Meaning
from index.database import Database
from index.settings import IndexSettings
from tests.index.generated_index import generate_index

AGE_S = 10 * 365 * 86_400  # for which permissions are believed: kept indexes are not read anew
BYTES_OF_GRAPH = 1_700  # of memory that making it takes for a chunk, and a number of two bytes each


@dataclass(frozen=True, slots=True)
class Kept:
    """An index in a folder of its own."""

    folder: Path

    @property
    def home(self) -> Path:
        """Of the embedded Postgres."""
        return self.folder / "home"

    @property
    def settings(self) -> IndexSettings:
        """To open it."""
        return IndexSettings.model_validate(
            {"postgres_url": None, "confluence_mcp_home": self.home}
        )

    async def scene(self, chunks: int, dimension: int) -> Scene:
        """What it holds; it is made when there is nothing yet."""
        described = self.folder / "scene.pickle"
        if described.exists():
            with described.open("rb") as file:
                return pickle.load(file)
        started = time.perf_counter()
        async with Database.open(
            self.settings, application_name="owner", max_connections=1
        ) as owner:
            scene = await _make(owner, chunks, dimension)
        with described.open("wb") as file:
            pickle.dump(scene, file, pickle.HIGHEST_PROTOCOL)
        print(f"{chunks:,} chunks made in {time.perf_counter() - started:.0f} s", flush=True)
        return scene

    @asynccontextmanager
    async def readers(self, connections: int = 8) -> AsyncGenerator[Database]:
        """As the server opens it, with as many connections at most."""
        async with Database.open(
            self.settings,
            application_name="reader",
            for_askers=True,
            access_max_age_s=AGE_S,
            max_connections=connections,
        ) as reader:
            yield reader


@contextmanager
def kept(folder: Path | None, chunks: int, dimension: int) -> Generator[Kept]:
    """A place in a folder, or one that is gone afterwards."""
    if folder is None:
        with tempfile.TemporaryDirectory() as made:
            yield _at(Path(made))
    else:
        yield _at(folder / f"{chunks}x{dimension}")


def _at(folder: Path) -> Kept:
    """Where root runs this, the user that runs Postgres passes through the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    return Kept(folder.resolve())


async def _make(owner: Database, chunks: int, dimension: int) -> Scene:
    meaning = Meaning.draw(np.random.default_rng(4), dimension)
    megabytes = max(256, chunks * (BYTES_OF_GRAPH + 2 * dimension) // 1_000_000)
    index = await generate_index(
        owner,
        chunks=chunks,
        dimension=dimension,
        shape=meaning.of_chunks,
        memory=f"{megabytes}MB",
    )
    layout = layout_of(index, index.topics)
    return Scene(index, meaning, layout, await guard(owner, index, layout))
