"""Asks the index as the server does: the search statement, as somebody, with the time it took."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pgvector import HalfVector
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import TupleRow

from index.access import Asker, read_as
from index.database import Database
from index.search_statement import SearchStatement
from tests.index.generated_index import Question

NOTHING: Mapping[str, object] = dict.fromkeys(
    [
        *("phrases", "phrase_words", "spaces", "labels", "content_types", "kinds", "author"),
        *("ancestor", "updated_after"),
    ]
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Pages, best first, by their numbers in the generated index, and milliseconds.

    `cpu_ms` is the time that the server's process had a core for itself; 0 where nothing tells.
    """

    pages: list[int]
    ms: float
    cpu_ms: float


async def ask(
    database: Database,
    asker: Asker,
    statement: SearchStatement,
    question: Question,
    **values: object,
) -> Answer:
    """The best pages for a question, with all of the transaction that it takes."""
    parameters = parameters_of(question) | values
    started = time.perf_counter()
    async with read_as(database, asker, planned_once=True) as connection:
        before = cpu_ms(connection)
        cursor = AsyncRawCursor(connection)
        await statement.run(cursor, parameters)
        rows = await cursor.fetchall()
        used = cpu_ms(connection) - before
    return Answer([row[1] - 1 for row in rows], (time.perf_counter() - started) * 1000, used)


def parameters_of(question: Question) -> dict[str, object]:
    """As `Searcher` fills them in for a question without filters."""
    return {
        **{"query": question.words, "vector": HalfVector(question.vector)},
        **{"configurations": ["simple"], "dense_share": 0.5},
        **{"limit": 8, "offset": 0, "passages": 1},
        **NOTHING,
    }


def cpu_ms(connection: AsyncConnection[TupleRow]) -> float:
    """What Linux counts for the server's process, whatever else the machine does; 0 elsewhere."""
    try:
        counted = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text()
    except OSError:
        return 0
    return int(counted.split()[0]) / 1e6
