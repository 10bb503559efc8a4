"""Asks the index the questions of an evaluation, each leg of the search alone and fused."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from evals.questions import Question
from index.access import Asker
from index.database import Database
from index.embeddings import Embedder, Vector
from index.errors import BadRequest
from index.pages import Pages
from index.results import Hit
from index.search import Searcher

DEPTH = 10  # pages that are looked at
PASSAGES = 2  # of each
FUSED, RERANKED = "fused", "reranked"
# The vector leg's share of the score; None leaves it to the search.
LEGS = {"vector": 1.0, "lexical": 0.0, FUSED: None}


async def known_pages(
    database: Database, asker: Asker, questions: Iterable[Question]
) -> frozenset[str]:
    """Those of the answering pages that the index shows to the asker."""
    page_ids = {page_id for question in questions for page_id in question.grades}
    return await Pages(database).shown(asker, page_ids)


def none_known(name: str) -> BadRequest:
    """That there is nothing to ask: no page that answers a question is known."""
    return BadRequest(
        f"None of the pages that answer the questions of {name} is in the index and shown to "
        "who asks: check POSTGRES_URL, and whether the ingest is complete."
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """The first pages found for a question, and how long that took, in seconds.

    `embedding` is the part of `seconds` in which the question became a vector.
    """

    question: Question
    hits: Sequence[Hit]
    seconds: float
    embedding: float


class TimedEmbedder:
    """An embedding model that adds up the seconds it takes for questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.seconds = 0.0
        self.model = embedder.model
        self.languages = embedder.languages

    @property
    def passage_tokens(self) -> int:
        """As the model."""
        return self._embedder.passage_tokens

    async def dimension(self) -> int:
        """As the model."""
        return await self._embedder.dimension()

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """As the model."""
        return await self._embedder.embed_passages(texts)

    async def embed_query(self, text: str) -> Vector:
        """As the model, by the clock."""
        started = time.perf_counter()
        try:
            return await self._embedder.embed_query(text)
        finally:
            self.seconds += time.perf_counter() - started

    def count_tokens(self, text: str) -> int:
        """As the model."""
        return self._embedder.count_tokens(text)

    async def close(self) -> None:
        """Closes the model."""
        await self._embedder.close()


async def ask(
    searcher: Searcher,
    asker: Asker,
    questions: Sequence[Question],
    *,
    leg: str = FUSED,
    embedder: TimedEmbedder | None = None,
) -> list[Answer]:
    """One answer for each question, one after the other; `embedder` is the one that is asked."""
    answers: list[Answer] = []
    # disable=None: no bar where standard error is no terminal.
    for question in tqdm(questions, desc=leg, unit=" questions", disable=None, file=sys.stderr):
        embedded = embedder.seconds if embedder else 0.0
        started = time.perf_counter()
        found = await searcher.search(
            asker, question.text, limit=DEPTH, passages=PASSAGES, dense_share=LEGS.get(leg)
        )
        seconds = time.perf_counter() - started
        embedding = (embedder.seconds if embedder else 0.0) - embedded
        answers.append(Answer(question, found.hits, seconds, embedding))
    return answers
