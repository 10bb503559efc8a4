"""Ordering the first hits of a search by a model that reads question and passage together."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from index.errors import RerankingError
from index.records import passage_text
from index.results import Hit

logger = logging.getLogger(__name__)

FIRST = 30  # hits that are read; those behind keep their order
TIMEOUT = 5.0  # seconds
PAUSE = 30.0  # seconds in which a reranker that failed is not asked again
REMEMBERED = 200  # answers kept, so that the next part of a result has the order of the first

NOT_RERANKED = "The re-ranking model gave no answer: the order is that of the search itself."


class Reranker(Protocol):
    """A model that tells how well passages answer a question."""

    @property
    def name(self) -> str:
        """What a log calls it."""
        ...

    async def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """A number for each passage, in order, higher for better; raises RerankingError."""
        ...

    async def close(self) -> None:
        """Releases connections and threads."""
        ...


@dataclass(frozen=True, slots=True)
class Reordered:
    """Hits in their new order; `notes` tell the reader when it is the old one."""

    hits: list[Hit]
    notes: tuple[str, ...] = ()


class Reranking:
    """Orders hits by a reranker, or leaves them as they are when it fails or takes too long."""

    def __init__(
        self, reranker: Reranker, *, timeout: float = TIMEOUT, pause: float = PAUSE
    ) -> None:
        self._reranker = reranker
        self._timeout = timeout
        self._pause = pause
        self._paused_until = -math.inf
        self._known: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()

    async def reordered(self, query: str, hits: Sequence[Hit]) -> Reordered:
        """The first hits by what the model says of their best passages, then the others.

        Scores stay where they were, so that they still fall from hit to hit.
        """
        first, others = hits[:FIRST], hits[FIRST:]
        if len(first) < 2:
            return Reordered(list(hits))
        scores = await self.scores(query, [_text(hit) for hit in first])
        if scores is None:
            return Reordered(list(hits), (NOT_RERANKED,))
        # Sorting is stable: what the model finds equal keeps the order of the search.
        order = sorted(range(len(first)), key=lambda index: scores[index], reverse=True)
        ranked = [replace(first[n], score=hit.score) for n, hit in zip(order, first, strict=True)]
        return Reordered([*ranked, *others])

    async def scores(self, query: str, passages: Sequence[str]) -> list[float] | None:
        """The model's scores; None when it fails, takes too long, or did so a moment ago."""
        asked = (query, *passages)
        if (known := self._known.get(asked)) is not None:
            self._known.move_to_end(asked)
            return known
        if time.monotonic() < self._paused_until:
            return None
        try:
            scores = await self._timed(query, passages)
        except RerankingError as error:
            self._paused_until = time.monotonic() + self._pause
            logger.warning(
                "not re-ranked, nor for %g s: reranker=%s error=%s",
                self._pause,
                self._reranker.name,
                error,
            )
            return None
        self._known[asked] = scores
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return scores

    async def _timed(self, query: str, passages: Sequence[str]) -> list[float]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                scores = await self._reranker.scores(query, passages)
        except TimeoutError as error:
            raise RerankingError(f"no answer within {self._timeout:g} s") from error
        if len(scores) != len(passages) or not all(map(math.isfinite, scores)):
            raise RerankingError(
                f"{len(scores)} scores for {len(passages)} passages, or some that are no numbers"
            )
        milliseconds = (time.perf_counter() - started) * 1000
        logger.debug("re-ranked passages=%d milliseconds=%.1f", len(passages), milliseconds)
        return scores


def _text(hit: Hit) -> str:
    """The best passage as it is embedded: with title and headings."""
    passage = hit.passages[0]
    return passage_text(hit.page.title, passage.heading_path, passage.body)
