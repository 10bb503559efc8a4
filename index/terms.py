"""Words of chunks as BM25 weights: the writing half of the lexical leg."""

from collections.abc import Sequence

from pgvector import SparseVector
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.language import searchable

TERM_SPACE = 1_000_000_000
# BM25 with the usual constants; the mean length is a constant too, so that no weight ever changes
# because of another page. Robertson & Zaragoza, The Probabilistic Relevance Framework (2009), 3.4.
K1, B, MEAN_LENGTH = 1.2, 0.75, 120.0

TERM_COUNTS = """
SELECT text.ordinality - 1, term_id(%(configuration)s::text, word.lexeme),
       cardinality(word.positions)
FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS text (body, ordinality),
     unnest(to_tsvector(%(configuration)s::text::regconfig, text.body)) AS word
"""


async def term_counts(
    connection: AsyncConnection[TupleRow], configuration: str, texts: Sequence[str]
) -> list[dict[int, int]]:
    """How often each term stands in each text, as Postgres' text search reads it."""
    counts: list[dict[int, int]] = [{} for _ in texts]
    readable = [searchable(text) for text in texts]
    parameters = {"configuration": configuration, "texts": readable}
    async for row in await connection.execute(TERM_COUNTS, parameters):
        at: int = row[0]
        term_id: int = row[1]
        counts[at][term_id] = counts[at].get(term_id, 0) + row[2]
    return counts


def bm25_weights(counts: dict[int, int]) -> SparseVector:
    """The term frequency part of BM25 for each term of one text."""
    length = sum(counts.values())
    norm = K1 * (1 - B + B * length / MEAN_LENGTH)
    weights = {term_id - 1: tf * (K1 + 1) / (tf + norm) for term_id, tf in counts.items()}
    return SparseVector(weights, TERM_SPACE)
