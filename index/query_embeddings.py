"""Questions that were embedded lately, so that the same ones cost the model nothing again."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.embeddings import Embedder, Vector
from index.metrics import QUESTION_VECTORS

MOST = 2_000  # questions; with 1,536 numbers each they take 12 MB


@dataclass(slots=True)
class _UnderWay:
    """A question that the model is asked now, and how many callers wait for it."""

    task: asyncio.Task[Vector]
    callers: int = 0


class RememberingEmbedder:
    """Another embedder, with the vectors of the last questions kept in memory and nowhere else.

    Callers who ask the same at the same time share one request, which is given up with the last of
    them. What failed is asked anew. The vectors cannot be written to.
    """

    def __init__(self, embedder: Embedder, *, most: int = MOST) -> None:
        self._embedder = embedder
        self._most = most
        self._kept: OrderedDict[str, Vector] = OrderedDict()
        self._under_way: dict[str, _UnderWay] = {}

    @property
    def model(self) -> str:
        """That of the other."""
        return self._embedder.model

    @property
    def passage_tokens(self) -> int:
        """Those of the other."""
        return self._embedder.passage_tokens

    @property
    def languages(self) -> frozenset[str] | None:
        """Those of the other."""
        return self._embedder.languages

    async def dimension(self) -> int:
        """That of the other."""
        return await self._embedder.dimension()

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors that are not kept."""
        return await self._embedder.embed_passages(texts)

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question, which may be one that others have had too."""
        if (vector := self._kept.get(text)) is not None:
            self._kept.move_to_end(text)
            QUESTION_VECTORS.labels("hit").inc()
            return vector
        shared = self._under_way.get(text)
        QUESTION_VECTORS.labels("miss" if shared is None else "shared").inc()
        if shared is None:
            shared = _UnderWay(asyncio.create_task(self._asked(text)))
            self._under_way[text] = shared
        shared.callers += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.callers -= 1
            if not shared.callers:
                self._forget(text, shared)

    def count_tokens(self, text: str) -> int:
        """Those of the other."""
        return self._embedder.count_tokens(text)

    async def close(self) -> None:
        """Forgets all questions, and closes the other."""
        for shared in self._under_way.values():
            shared.task.cancel()
        self._kept.clear()
        await self._embedder.close()

    async def _asked(self, text: str) -> Vector:
        vector = np.array(await self._embedder.embed_query(text), dtype=np.float32)
        vector.flags.writeable = False
        self._kept[text] = vector
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return vector

    def _forget(self, text: str, shared: _UnderWay) -> None:
        """Whoever asks now begins anew, also while the last request is being given up."""
        if self._under_way.get(text) is shared:
            del self._under_way[text]
        shared.task.cancel()
