"""Questions that are embedded once for all who ask the same."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from index.embeddings import Vector
from index.errors import EmbeddingError
from index.query_embeddings import RememberingEmbedder

pytestmark = pytest.mark.anyio


class Model:
    """A model that answers when it is let to, and keeps what it was asked."""

    model = "model"
    passage_tokens = 8
    languages: frozenset[str] | None = None

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []
        self.fails = False
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def dimension(self) -> int:
        """Two."""
        return 2

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Nothing."""
        return []

    async def embed_query(self, text: str) -> Vector:
        """A vector of double precision that is the model's own."""
        self.asked.append(text)
        self.is_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up.append(text)
            raise
        if self.fails:
            raise EmbeddingError("no")
        return np.array([float(len(text)), 1.0], dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        """One."""
        return 1

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def model() -> Model:
    return Model()


async def test_the_last_questions_are_kept_and_no_more(model: Model) -> None:
    embedder = RememberingEmbedder(model, most=2)
    model.may_answer.set()

    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        await embedder.embed_query(text)
    vector = await embedder.embed_query("bb")

    assert model.asked == ["a", "bb", "ccc", "bb"]
    assert vector.dtype == np.float32
    assert vector.tolist() == [2.0, 1.0]
    assert not vector.flags.writeable


async def test_the_same_question_at_the_same_time_is_asked_once(model: Model) -> None:
    embedder = RememberingEmbedder(model)

    callers = [asyncio.create_task(embedder.embed_query("vpn")) for _ in range(5)]
    other = asyncio.create_task(embedder.embed_query("dns"))
    await asyncio.sleep(0)
    callers[0].cancel()
    model.may_answer.set()
    results = await asyncio.gather(*callers, other, return_exceptions=True)

    assert sorted(model.asked) == ["dns", "vpn"]
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, np.ndarray) for result in results[1:])


async def test_a_question_that_nobody_waits_for_is_given_up(model: Model) -> None:
    embedder = RememberingEmbedder(model)

    callers = [asyncio.create_task(embedder.embed_query("vpn")) for _ in range(2)]
    await model.is_asked.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    model.may_answer.set()
    vector = await embedder.embed_query("vpn")

    assert model.given_up == ["vpn"]
    assert model.asked == ["vpn", "vpn"]
    assert vector.tolist() == [3.0, 1.0]


async def test_what_failed_is_asked_anew(model: Model) -> None:
    embedder = RememberingEmbedder(model)
    model.may_answer.set()
    model.fails = True

    failures = await asyncio.gather(
        *(embedder.embed_query("vpn") for _ in range(3)), return_exceptions=True
    )
    model.fails = False
    vector = await embedder.embed_query("vpn")

    assert [type(failure) for failure in failures] == [EmbeddingError] * 3
    assert model.asked == ["vpn", "vpn"]
    assert vector.tolist() == [3.0, 1.0]
