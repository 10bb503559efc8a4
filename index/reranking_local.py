"""Re-ranking by a cross-encoder in a folder, on onnxruntime: no network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from index.embeddings import embeddable
from index.errors import ConfigurationError, RerankingError
from index.minilm import Session, open_session, open_tokenizer
from index.model_threads import ModelThreads

NETWORK, TOKENIZER = "model.onnx", "tokenizer.json"
MAX_TOKENS = 512  # of question and passage together
BATCH = 8


class _Cutting(Protocol):
    """What is used of a tokenizer that its own types leave open."""

    def enable_truncation(self, max_length: int, *, strategy: str) -> None:
        """Cuts pairs from now on."""
        ...


class LocalReranker:
    """A network that gives each pair of texts one number, or two for wrong and right.

    Work runs on one thread of its own, a batch at a time, so that what nobody waits for any more
    ends soon.
    """

    def __init__(self, name: str, tokenizer: Tokenizer, network: Session) -> None:
        self.name = name
        self._tokenizer = tokenizer
        self._network = network
        self._inputs = {one.name for one in network.get_inputs()}
        self._threads = ModelThreads("reranker", 1)

    @classmethod
    def open(cls, folder: Path) -> "LocalReranker":
        """Loads the model, which blocks; raises ConfigurationError when it cannot be."""
        for name in (NETWORK, TOKENIZER):
            if not (folder / name).is_file():
                raise ConfigurationError(
                    f"RERANKER={folder} has no {name}: give the address of a /rerank endpoint, or "
                    f"a folder with a cross-encoder as {NETWORK} and {TOKENIZER}."
                )
        try:
            return cls(folder.name, _tokenizer(folder), open_session(folder / NETWORK))
        except Exception as error:  # both libraries raise classes without a common base
            raise ConfigurationError(
                f"The cross-encoder in RERANKER={folder} cannot be loaded: {error}. Export it to "
                "ONNX once more, with the tokenizer.json of the same model."
            ) from error

    async def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """The network's numbers; long texts are cut at 512 tokens."""
        pairs = [(embeddable(query), embeddable(passage)) for passage in passages]
        # Texts of one length stand together, for each is filled up to the longest of its batch.
        order = sorted(range(len(pairs)), key=lambda index: len(pairs[index][1]))
        found: dict[int, float] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            chosen = [pairs[index] for index in batch]
            scores = await self._threads.run(lambda chosen=chosen: self._batch(chosen))
            found.update(zip(batch, scores, strict=True))
        return [found[index] for index in range(len(pairs))]

    async def close(self) -> None:
        """Ends the thread once the batch under way is done."""
        await self._threads.close()

    def _batch(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        try:
            encoded = self._tokenizer.encode_batch(pairs)
            [logits, *_] = self._network.run([], self._fed(encoded))
        except Exception as error:  # both libraries raise classes without a common base
            raise RerankingError(f"the network failed: {type(error).__name__}") from error
        return _scores(logits, len(pairs))

    def _fed(self, encoded: Sequence[Encoding]) -> dict[str, NDArray[np.int64]]:
        """What the network takes of the pairs, filled up to the longest with what is masked."""
        inputs = {
            "input_ids": [one.ids for one in encoded],
            "attention_mask": [one.attention_mask for one in encoded],
            "token_type_ids": [one.type_ids for one in encoded],
        }
        return {name: _filled(rows) for name, rows in inputs.items() if name in self._inputs}


def _filled(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    filled = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for row, numbers in zip(filled, rows, strict=True):
        row[: len(numbers)] = numbers
    return filled


def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = open_tokenizer(folder / TOKENIZER)
    _cut(tokenizer)
    return tokenizer


def _cut(tokenizer: _Cutting) -> None:
    tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")


def _scores(logits: NDArray[np.float32], expected: int) -> list[float]:
    if logits.shape in ((expected,), (expected, 1)):
        return [float(score) for score in logits.reshape(expected)]
    if logits.shape == (expected, 2):
        return [float(right - wrong) for wrong, right in logits]
    raise RerankingError(
        f"the network gives an output of shape {logits.shape} for {expected} pairs: it is no "
        "cross-encoder with one score for each"
    )
