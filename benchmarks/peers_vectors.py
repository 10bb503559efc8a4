"""The bundled embedding model for programs that wait for it, with a memory."""

import asyncio
from collections.abc import Coroutine, Sequence
from threading import Thread
from typing import TypeVar

from index.embedding_local import LocalEmbedder

Result = TypeVar("Result")


class Vectors:
    """Vectors of texts and questions, each worked out once. Safe to ask from any thread."""

    dimension = 384

    def __init__(self) -> None:
        self._embedder = LocalEmbedder()
        self._known: dict[str, list[float]] = {}
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()

    def of_passages(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        vectors = self._waited(self._embedder.embed_passages(new))
        self._known |= {text: one.tolist() for text, one in zip(new, vectors, strict=True)}
        return [self._known[text] for text in texts]

    def of_question(self, text: str) -> list[float]:
        """The model treats questions as it treats passages."""
        return self.of_passages([text])[0]

    def _waited(self, work: Coroutine[object, object, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
