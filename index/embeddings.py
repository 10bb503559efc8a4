"""Text to vectors: the protocol of embedding models and what all of them have in common."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.errors import EmbeddingError

Vector = NDArray[np.float32]
Item = TypeVar("Item")

# NUL ends a text early in native code; half a surrogate pair cannot be written as UTF-8.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


class Embedder(Protocol):
    """An embedding model. Vectors are float32 of `dimension` numbers with Euclidean length 1.

    Queries and passages may need different prefixes, so each has its own method. Both raise
    EmbeddingError when the model or its endpoint fails for good.
    """

    @property
    def model(self) -> str:
        """The name recorded in the index; two models that differ must differ here."""
        ...

    @property
    def passage_tokens(self) -> int:
        """The most tokens of a passage that the model reads; the rest would be cut off."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of the languages it understands; None when it is multilingual."""
        ...

    async def dimension(self) -> int:
        """How many numbers a vector has (an endpoint is asked once)."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, in order."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special ones included; never less than the model counts."""
        ...

    async def close(self) -> None:
        """Releases connections and threads."""
        ...


def embeddable(text: str) -> str:
    """The text as every model takes it: writable as UTF-8, and never blank."""
    text = _UNWRITABLE.sub(" ", text)
    return text if text.strip() else "(empty)"


def unit_vectors(rows: NDArray[np.float32] | NDArray[np.float64], model: str) -> list[Vector]:
    """The rows of a matrix at length 1; raises EmbeddingError where one has no direction."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise EmbeddingError(
            f"The embedding model {model} gave a vector that is zero or not finite. "
            "Run the command again; if it happens again, choose another EMBEDDING_MODEL."
        )
    return list((rows / lengths).astype(np.float32, copy=False))


async def in_parallel(
    work: Callable[[Item], Awaitable[None]], items: Iterable[Item], *, workers: int
) -> None:
    """Works through the items, `workers` at a time; the first error ends all and is raised."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(take())
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
