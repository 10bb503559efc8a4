"""Words of chunks as BM25 weights: the writing half of the lexical leg."""

from collections.abc import Sequence

from pgvector import SparseVector
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.language import searchable, written_words

TERM_SPACE = 1_000_000_000
# BM25 with the usual constants; the mean length is a constant too, so that no weight ever changes
# because of another page. Robertson & Zaragoza, The Probabilistic Relevance Framework (2009), 3.4.
K1, B, MEAN_LENGTH = 1.2, 0.75, 120.0

TERM_COUNTS = """
SELECT array_agg(term_id(configuration, lexeme)) FILTER (WHERE lexeme IS NOT NULL),
       array_agg(cardinality(positions)) FILTER (WHERE lexeme IS NOT NULL)
FROM unnest(%(configurations)s::text[], %(texts)s::text[])
     WITH ORDINALITY AS text (configuration, body, place)
     LEFT JOIN LATERAL unnest(to_tsvector(configuration::regconfig, body)) AS word ON true
GROUP BY place ORDER BY place
"""


async def term_counts(
    connection: AsyncConnection[TupleRow], configurations: Sequence[str], texts: Sequence[str]
) -> list[dict[int, int]]:
    """How often each term stands in each text, as the text's search configuration reads it."""
    parameters = {
        "configurations": list(configurations),
        "texts": [searchable(text) for text in texts],
    }
    rows = await (await connection.execute(TERM_COUNTS, parameters)).fetchall()
    return [_added_up(term_ids or (), numbers or ()) for term_ids, numbers in rows]


def vocabulary_of(configurations: Sequence[str], texts: Sequence[str]) -> dict[str, list[str]]:
    """The different words of texts beside the text search configuration that reads each."""
    written = {
        (word, configuration)
        for configuration, text in zip(configurations, texts, strict=True)
        for word in written_words(searchable(text))
    }
    words, names = zip(*sorted(written), strict=True) if written else ((), ())
    return {"words": list(words), "configurations": list(names)}


def _added_up(term_ids: Sequence[int], numbers: Sequence[int]) -> dict[int, int]:
    """Words may share a number."""
    counts: dict[int, int] = {}
    for term_id, number in zip(term_ids, numbers, strict=True):
        counts[term_id] = counts.get(term_id, 0) + number
    return counts


def bm25_weights(counts: dict[int, int]) -> SparseVector:
    """The term frequency part of BM25 for each term of one text."""
    length = sum(counts.values())
    norm = K1 * (1 - B + B * length / MEAN_LENGTH)
    weights = {term_id - 1: tf * (K1 + 1) / (tf + norm) for term_id, tf in counts.items()}
    return SparseVector(weights, TERM_SPACE)
