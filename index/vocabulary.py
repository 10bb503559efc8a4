"""Brings the words of an index that an older version made up to date, without reading the wiki."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.chunk_write import ADD_WORDS, Item, configurations_of
from index.database import Database
from index.records import Chunk, ChunkKind, passage_text
from index.store import FOLD_LOCK, fold_term_changes
from index.terms import bm25_weights, term_counts, vocabulary_of

logger = logging.getLogger(__name__)

# Of how words are read, in Python and in SQL: to be raised with any change that gives the words of
# a text other numbers.
LEXICON = 1

Connection = AsyncConnection[TupleRow]
Progress = Callable[[int, int], None]

VERSION = "SELECT version FROM lexicon"
# One that was begun for another version begins anew.
BEGIN = """
UPDATE lexicon SET rebuilding = %(version)s,
    rebuilt_to = CASE WHEN rebuilding = %(version)s THEN rebuilt_to ELSE 0 END
WHERE version < %(version)s RETURNING rebuilt_to
"""
PAGES = "SELECT count(*) FROM page WHERE page_ref > %(after)s"
NEXT_PAGES = """
SELECT page_ref FROM page WHERE page_ref > %(after)s ORDER BY page_ref LIMIT %(batch)s
"""
REACHED = """
UPDATE lexicon SET rebuilt_to = %(page_ref)s WHERE rebuilding = %(version)s
"""
FREE_PAGES = """
SELECT page_ref FROM page WHERE page_ref = ANY(%(page_refs)s::bigint[]) ORDER BY page_ref
FOR NO KEY UPDATE SKIP LOCKED
"""
HOLD_PAGE = "SELECT page_ref FROM page WHERE page_ref = %(page_ref)s FOR NO KEY UPDATE"
CHUNKS = """
SELECT chunk_id, page_ref, title, language, kind, item_id, chunk.position, heading_path, body
FROM chunk JOIN page USING (page_ref) WHERE page_ref = ANY(%(page_refs)s::bigint[])
ORDER BY page_ref, kind, item_id, chunk.position
"""
SET_TERMS = """
WITH given AS MATERIALIZED (
    SELECT given.chunk_id, given.term_ids::int[], given.weights, chunk_term.term_ids AS old_ids
    FROM unnest(%(chunk_ids)s::bigint[], %(term_ids)s::text[], %(weights)b::sparsevec[])
         AS given (chunk_id, term_ids, weights)
    JOIN chunk_term USING (chunk_id)
    WHERE chunk_term.weights <> given.weights OR chunk_term.term_ids <> given.term_ids::int[]
),
read_by AS (
    INSERT INTO search_configuration (name)
    SELECT DISTINCT name FROM unnest(%(configurations)s::text[]) AS name ORDER BY name
    ON CONFLICT DO NOTHING
),
changed AS (
    INSERT INTO term_change (term_ids, delta)
    SELECT old_ids, -1 FROM given UNION ALL SELECT term_ids, 1 FROM given
)
UPDATE chunk_term SET term_ids = given.term_ids, weights = given.weights
FROM given WHERE chunk_term.chunk_id = given.chunk_id
"""
# One statement sees chunks and waiting changes of one moment: what it does not see waits on.
RECOUNT = """
WITH folded AS (DELETE FROM term_change),
counted AS MATERIALIZED (
    SELECT term_id, count(*) AS chunk_count FROM chunk_term, unnest(term_ids) AS term_id
    GROUP BY term_id
    UNION ALL SELECT 0, count(*) FROM chunk_term
),
gone AS (
    DELETE FROM term WHERE NOT EXISTS (
        SELECT FROM counted WHERE counted.term_id = term.term_id)
)
INSERT INTO term (term_id, chunk_count) SELECT term_id, chunk_count FROM counted
ON CONFLICT (term_id) DO UPDATE SET chunk_count = excluded.chunk_count
WHERE term.chunk_count <> excluded.chunk_count
"""
# A word that a page written at this moment has alone may go too: the next page brings it back.
FORGET_WORDS = """
DELETE FROM vocabulary WHERE term_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM term WHERE term.term_id = vocabulary.term_id AND chunk_count > 0)
"""
FINISH = """
UPDATE lexicon SET version = %(version)s, rebuilding = NULL, rebuilt_to = 0
WHERE rebuilding = %(version)s
"""


@dataclass(frozen=True, slots=True)
class _Row:
    chunk_id: int
    page_ref: int
    title: str
    language: str
    kind: str
    item_id: str
    position: int
    heading_path: list[str]
    body: str


async def needs_rebuild(connection: Connection) -> bool:
    """Whether chunks are there whose words an older version has read."""
    row = await (await connection.execute(VERSION)).fetchone()
    return row is not None and row[0] < LEXICON


async def rebuild_words(
    database: Database, *, batch: int = 20, progress: Progress | None = None
) -> None:
    """Reads the words of all chunks anew where needed, `batch` pages in a transaction.

    Searches and writes go on meanwhile; a run that was stopped is taken up where it was.
    `progress` is told how many pages are done, of how many that were left.
    """
    async with database.pool.connection() as connection:
        row = await (await connection.execute(BEGIN, {"version": LEXICON})).fetchone()
        if row is None:
            return
        after, done = row[0], 0
        counted = await (await connection.execute(PAGES, {"after": after})).fetchone()
    total = counted[0] if counted else 0
    while page_refs := await _next_pages(database, after, batch):
        await _rebuild(database, page_refs)
        after, done = page_refs[-1], done + len(page_refs)
        if progress is not None:
            progress(done, max(total, done))
    async with database.pool.connection() as connection:
        await recount(connection)
        await connection.execute(FINISH, {"version": LEXICON})
    logger.info("words read anew pages=%d lexicon=%d", done, LEXICON)


async def recount(connection: Connection) -> None:
    """Counts exactly in how many chunks each term stands, and forgets the words of none.

    Writers and readers go on meanwhile.
    """
    async with connection.transaction():
        await connection.execute(FOLD_LOCK)
        await connection.execute(RECOUNT)
        await connection.execute(FORGET_WORDS)


async def _next_pages(database: Database, after: int, batch: int) -> list[int]:
    async with database.pool.connection() as connection:
        await connection.execute(REACHED, {"page_ref": after, "version": LEXICON})
        rows = await connection.execute(NEXT_PAGES, {"after": after, "batch": batch})
        return [page_ref async for (page_ref,) in rows]


async def _rebuild(database: Database, page_refs: Sequence[int]) -> None:
    """Writers hold the row of one page: those that are held are waited for one by one."""
    async with database.pool.connection() as connection:
        rows = await connection.execute(FREE_PAGES, {"page_refs": list(page_refs)})
        free = [page_ref async for (page_ref,) in rows]
        await _read_anew(connection, free)
        await fold_term_changes(connection)
    for page_ref in sorted(set(page_refs) - set(free)):
        async with database.pool.connection() as connection:
            await connection.execute(HOLD_PAGE, {"page_ref": page_ref})
            await _read_anew(connection, [page_ref])


async def _read_anew(connection: Connection, page_refs: Sequence[int]) -> None:
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(CHUNKS, {"page_refs": list(page_refs)})
        rows = await cursor.fetchall()
    if not rows:
        return
    names = [name for page in _by_page(rows) for name in _configurations(page)]
    texts = [passage_text(row.title, row.heading_path, row.body) for row in rows]
    counts = await term_counts(connection, names, texts)
    values = {
        "chunk_ids": [row.chunk_id for row in rows],
        "term_ids": ["{" + ",".join(map(str, sorted(terms))) + "}" for terms in counts],
        "weights": [bm25_weights(terms) for terms in counts],
        "configurations": names,
    }
    await connection.execute(SET_TERMS, values)
    await connection.execute(ADD_WORDS, vocabulary_of(names, texts))


def _by_page(rows: Sequence[_Row]) -> list[list[_Row]]:
    pages: dict[int, list[_Row]] = {}
    for row in rows:
        pages.setdefault(row.page_ref, []).append(row)
    return list(pages.values())


def _configurations(rows: Sequence[_Row]) -> list[str]:
    chunks = [
        Chunk(
            row.position,
            tuple(row.heading_path),
            "",
            row.body,
            ChunkKind(row.kind),
            row.item_id,
        )
        for row in rows
    ]
    of_items: dict[Item, str] = configurations_of(chunks, rows[0].language)
    return [of_items[chunk.kind, chunk.item_id] for chunk in chunks]
