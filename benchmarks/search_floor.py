"""The floor: what the database needs for the bare look-ups of a search, and nothing else."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pgvector import HalfVector, SparseVector
from psycopg import sql

from benchmarks.asked import ask, cpu_ms
from benchmarks.guarded_index import Scene, kind_of
from benchmarks.search_times import Summary, Times
from index.access import CRAWLER
from index.database import Database
from index.search_statement import LEG, search_statement
from index.terms import TERM_SPACE
from tests.index.generated_index import Question, term_id

REACH = 10_000  # chunks whose words are looked up: those of the rarest words that have no more

COUNTS = "SELECT term_id, chunk_count FROM term"
VECTORS = sql.SQL(
    "SELECT chunk_id FROM {vectors} ORDER BY embedding <#> %(vector)s::halfvec({dimension})"
    " LIMIT {leg}"
)
WORDS = sql.SQL(
    "SELECT chunk_id FROM chunk_term WHERE term_ids && %(rare)s::int[]"
    " ORDER BY weights <#> %(weights)s::sparsevec LIMIT {leg}"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """Both bare statements, with the words of questions weighed beforehand."""

    vectors: sql.Composed
    words: sql.Composed
    counts: Mapping[int, int]

    async def ask(self, database: Database, question: Question) -> tuple[float, float]:
        """One after the other on a connection of the pool; milliseconds, and of them of a core."""
        words = self._weighed(question.words)
        started = time.perf_counter()
        async with database.pool.connection() as connection:
            before = cpu_ms(connection)
            vector = {"vector": HalfVector(question.vector)}
            await (await connection.execute(self.vectors, vector)).fetchall()
            await (await connection.execute(self.words, words)).fetchall()
            used = cpu_ms(connection) - before
        return (time.perf_counter() - started) * 1000, used

    def _weighed(self, text: str) -> dict[str, object]:
        """Nothing is looked up where even the rarest word is common."""
        total = self.counts[0]
        found = {term: self.counts.get(term, 0) for term in map(_term, text.split())}
        ranked = sorted(found, key=lambda term: found[term])
        reach = np.cumsum([found[term] for term in ranked])
        rare = [term for term, sum_ in zip(ranked, reach, strict=True) if sum_ <= REACH]
        idf = {
            term - 1: float(np.log1p((total - n + 0.5) / (n + 0.5))) for term, n in found.items()
        }
        return {"rare": rare, "weights": SparseVector(idf, TERM_SPACE)}


async def floor_of(database: Database, scene: Scene) -> Floor:
    """The floor of an index."""
    model = scene.index.model
    leg = sql.Literal(LEG)
    vectors = VECTORS.format(vectors=model.vectors, dimension=sql.Literal(model.dimension), leg=leg)
    async with database.pool.connection() as connection:
        counts = {row[0]: row[1] async for row in await connection.execute(COUNTS)}
    return Floor(vectors, WORDS.format(leg=leg), counts)


async def measure_kinds(
    database: Database, scene: Scene, floor: Floor, questions: Sequence[Question]
) -> dict[str, Summary]:
    """The floor and the search statement in turn, apart for each kind of question.

    Each is asked half of the questions, whose numbers are those of `Scene.question`: the second to
    ask one would find in memory what the first fetched.
    """
    statement = search_statement(scene.index.model)
    times: dict[str, Times] = {}
    half = len(questions) // 2
    for number, (question, other) in enumerate(
        zip(questions[:half], questions[half:], strict=True)
    ):
        kind = kind_of(number)
        bare = times.setdefault(f"floor, {kind}", Times())
        whole = times.setdefault(f"statement, {kind}", Times())
        bare.add(*await floor.ask(database, question))
        answer = await ask(database, CRAWLER, statement, other)
        whole.add(answer.ms, answer.cpu_ms)
    return {name: of_kind.summary() for name, of_kind in times.items()}


def _term(word: str) -> int:
    return term_id("simple", word)
