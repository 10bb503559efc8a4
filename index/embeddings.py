"""Text to vectors: one protocol, an OpenAI-compatible endpoint and two bundled models."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


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
