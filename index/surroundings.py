"""What stands around chunks on their page, and which words of a question tell anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.language import configuration_of, likely_languages, searchable

REACH = 2  # chunks before and after

# Neighbours are of the same body, thread or file. OFFSET 0 keeps it chunk by chunk.
AROUND = """
SELECT hit.chunk_id AS hit_id, near.chunk_id, near.position - hit.position AS distance,
       near.heading_path, near.body
FROM (SELECT * FROM shown_chunk WHERE chunk_id = ANY(%(chunk_ids)s::bigint[]) OFFSET 0) AS hit,
     LATERAL (
         SELECT chunk_id, position, heading_path, body FROM shown_chunk
         WHERE page_ref = hit.page_ref AND kind = hit.kind AND item_id = hit.item_id
           AND position BETWEEN hit.position - %(reach)s AND hit.position + %(reach)s
         OFFSET 0) AS near
ORDER BY hit_id, near.position
"""
# Stop words of any language that the question may be in tell nothing.
TELLING_WORDS = """
SELECT lexeme FROM unnest(to_tsvector('simple', %(query)s)) AS token
WHERE NOT EXISTS (
    SELECT FROM unnest(%(configurations)s::text[]) AS name
    WHERE to_tsvector(name::regconfig, token.lexeme) = ''::tsvector)
ORDER BY positions[1]
"""


@dataclass(frozen=True, slots=True)
class Near:
    """A chunk near a hit: `distance` is 0 for the hit itself, -1 for the chunk before it."""

    chunk_id: int
    distance: int
    heading_path: tuple[str, ...]
    body: str


@dataclass(frozen=True, slots=True)
class _Row:
    hit_id: int
    chunk_id: int
    distance: int
    heading_path: list[str]
    body: str


async def around(
    connection: AsyncConnection[TupleRow], chunk_ids: Sequence[int]
) -> Mapping[int, Sequence[Near]]:
    """For each chunk that may be shown, itself and its neighbours in the order of the page."""
    values = {"chunk_ids": list(chunk_ids), "reach": REACH}
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(AROUND, values)
        rows = await cursor.fetchall()
    return {
        hit_id: [Near(r.chunk_id, r.distance, tuple(r.heading_path), r.body) for r in of_hit]
        for hit_id, of_hit in groupby(rows, key=lambda row: row.hit_id)
    }


async def telling_words(connection: AsyncConnection[TupleRow], text: str) -> tuple[str, ...]:
    """The words of a question, prepared by `searchable`, that are no stop words, in order."""
    configurations = {configuration_of(language) for language in likely_languages(text)}
    values = {"query": searchable(text), "configurations": sorted(configurations)}
    rows = await connection.execute(TELLING_WORDS, values)
    return tuple([row[0] async for row in rows])
