"""The search once more, in plain Python over whole lists: what the statement must agree with."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.embeddings import Vector

Scores = dict[int, float]


@dataclass(frozen=True, slots=True)
class PlainChunk:
    """A chunk with its terms as text search reads them, and its vector."""

    chunk_id: int
    page: str
    terms: Sequence[str]
    vector: Vector


def lexical_leg(chunks: Sequence[PlainChunk], question: Iterable[str]) -> Scores:
    """BM25 of the chunks that have a word of the question."""
    counts = {chunk.chunk_id: Counter(chunk.terms) for chunk in chunks}
    scores: defaultdict[int, float] = defaultdict(float)
    for term in set(question):
        having = [chunk_id for chunk_id, terms in counts.items() if term in terms]
        for chunk_id in having:
            weight = bm25_weight(counts[chunk_id][term], counts[chunk_id].total())
            scores[chunk_id] += idf(len(chunks), len(having)) * weight
    return dict(scores)


def bm25_weight(tf: int, length: int) -> float:
    """BM25 of Robertson and Zaragoza with k1 = 1.2, b = 0.75 and a mean length of 120."""
    return tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / 120))


def idf(chunks: int, having: int) -> float:
    """The weight of a word that stands in `having` of all chunks."""
    return math.log(1 + (chunks - having + 0.5) / (having + 0.5))


def dense_leg(chunks: Sequence[PlainChunk], question: Vector) -> Scores:
    """Cosine of each chunk, of vectors in half precision as the index keeps them."""
    asked = question.astype(np.float16).astype(np.float64)
    return {
        chunk.chunk_id: float(chunk.vector.astype(np.float16).astype(np.float64) @ asked)
        for chunk in chunks
    }


def scaled(dense: Scores, lexical: Scores, dense_share: float) -> tuple[Scores, Scores]:
    """What each leg gives a chunk: its share for its best one, nothing for what it did not find.

    The worst chunk of the vector leg counts as not found.
    """
    top, low = max(dense.values(), default=0.0), min(dense.values(), default=0.0)
    best = max(lexical.values(), default=0.0)
    return (
        {
            chunk_id: dense_share * ((score - low) / (top - low) if top > low else 1.0)
            for chunk_id, score in dense.items()
        },
        {chunk_id: (1 - dense_share) * score / best for chunk_id, score in lexical.items()},
    )


def page_scores(chunks: Sequence[PlainChunk], *legs: Scores) -> dict[str, float]:
    """The sum of what each leg gives the page's best chunk, for pages that either leg has."""
    page_of = {chunk.chunk_id: chunk.page for chunk in chunks}
    fused: defaultdict[str, float] = defaultdict(float)
    for leg in legs:
        best: defaultdict[str, float] = defaultdict(float)
        for chunk_id, score in leg.items():
            best[page_of[chunk_id]] = max(score, best[page_of[chunk_id]])
        for page, score in best.items():
            fused[page] += score
    return dict(fused)


def chunk_scores(*legs: Scores) -> Scores:
    """The sum of what each leg gives, for chunks that either leg has."""
    chunk_ids = {chunk_id for leg in legs for chunk_id in leg}
    return {chunk_id: sum(leg.get(chunk_id, 0.0) for leg in legs) for chunk_id in chunk_ids}
