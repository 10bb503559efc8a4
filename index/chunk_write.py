"""The chunks of one page into the index, with their words and vectors."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pgvector import HalfVector
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from index.embeddings import Vector
from index.errors import DatabaseError
from index.language import clean, configuration_of, language_of, likely_languages
from index.models import EmbeddingModel
from index.records import Chunk, ChunkKind, chunk_hash, passage_text
from index.terms import bm25_weights, term_counts, vocabulary_of

Item = tuple[str, str]  # what a chunk is of: its kind, and the id of the thread or attachment

# Characters: of shorter texts no language is believed but that of their page.
OWN_LANGUAGE_FROM = 25

STORED_CHUNKS = """
SELECT chunk_id, kind, item_id, chunk.position, heading_path, anchor, chunk.url, text_hash
FROM chunk JOIN page USING (page_ref) WHERE site_id = %(site_id)s AND page_id = %(page_id)s
ORDER BY chunk.position
"""
FORGET_CHUNKS = """
WITH forgotten AS (
    INSERT INTO term_change (term_ids, delta)
    SELECT 0 || term_ids, -1 FROM chunk_term WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])
)
DELETE FROM chunk WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])
"""
PLACE_CHUNKS = """
UPDATE chunk
SET position = placed.position, heading_path = placed.heading_path, anchor = placed.anchor,
    url = placed.url, body = placed.body
FROM jsonb_to_recordset(%(chunks)s) AS placed (
    chunk_id bigint, position int, heading_path text[], anchor text, url text, body text)
WHERE chunk.chunk_id = placed.chunk_id
"""
ADD_CHUNKS = sql.SQL("""
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
        jsonb_to_recordset(%(chunks)s) AS (
            kind text, item_id text, position int, heading_path text[], anchor text, url text,
            body text, text_hash text, term_ids int[]),
        unnest(%(weights)b::sparsevec[]),
        unnest(%(embeddings)b::halfvec[])
    ) AS given (kind, item_id, position, heading_path, anchor, url, body, text_hash, term_ids,
                weights, embedding)
),
added AS (
    INSERT INTO chunk (
        page_ref, kind, item_id, position, heading_path, anchor, url, body, text_hash)
    SELECT %(page_ref)s, kind, item_id, position, heading_path, anchor, url, body,
           decode(text_hash, 'hex')
    FROM given RETURNING chunk_id, kind, item_id, position
),
numbered AS MATERIALIZED (
    SELECT chunk_id, kind::"char", term_ids, weights, embedding
    FROM added JOIN given USING (kind, item_id, position)
),
worded AS (
    INSERT INTO chunk_term (chunk_id, page_ref, kind, term_ids, weights)
    SELECT chunk_id, %(page_ref)s, kind, term_ids, weights FROM numbered
),
embedded AS (
    INSERT INTO {vectors} (chunk_id, page_ref, kind, embedding)
    SELECT chunk_id, %(page_ref)s, kind, embedding FROM numbered
),
quantised AS (
    INSERT INTO {bits} (chunk_id, page_ref, kind, bits)
    SELECT chunk_id, %(page_ref)s, kind, binary_quantize(embedding)::bit({dimension})
    FROM numbered
),
read_by AS (
    INSERT INTO search_configuration (name)
    SELECT DISTINCT name FROM unnest(%(configurations)s::text[]) AS name ORDER BY name
    ON CONFLICT DO NOTHING
)
INSERT INTO term_change (term_ids, delta) SELECT 0 || term_ids, 1 FROM numbered
""")


ADD_WORDS = "SELECT add_words(%(words)s::text[], %(configurations)s::text[])"


class PageChangedMeanwhile(DatabaseError):
    """The page was written by someone else since `stored_hashes`: embed and write it again."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is stored, without its text."""

    chunk_id: int
    kind: str
    item_id: str
    position: int
    heading_path: list[str]
    anchor: str
    url: str
    text_hash: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done: stored chunks that stay elsewhere, new ones by hash, those that go."""

    placed: Mapping[int, Chunk]
    new: Sequence[tuple[bytes, Chunk]]
    gone: Collection[int]


def compare(stored: Sequence[StoredChunk], title: str, chunks: Sequence[Chunk]) -> Changes:
    """Chunks of the same item and text are the same chunk."""
    free: defaultdict[tuple[str, str, bytes], list[StoredChunk]] = defaultdict(list)
    for row in stored:
        free[row.kind, row.item_id, row.text_hash].append(row)
    placed: dict[int, Chunk] = {}
    new: list[tuple[bytes, Chunk]] = []
    for chunk in chunks:
        text_hash = chunk_hash(title, chunk)
        if same := free[chunk.kind, chunk.item_id, text_hash]:
            row = same.pop(0)
            if not _stands_as(row, chunk):
                placed[row.chunk_id] = chunk
        else:
            new.append((text_hash, chunk))
    return Changes(placed, new, [row.chunk_id for rest in free.values() for row in rest])


def _stands_as(row: StoredChunk, chunk: Chunk) -> bool:
    """Headings count too: the same text may be cut into headings and body in two ways."""
    return (row.position, row.anchor, row.url, row.heading_path) == (
        chunk.position,
        clean(chunk.anchor),
        clean(chunk.url),
        [clean(heading) for heading in chunk.heading_path],
    )


class ChunkWrite:
    """Changes the chunks of one page, whose row the caller's transaction has locked."""

    def __init__(
        self,
        connection: AsyncConnection[TupleRow],
        model: EmbeddingModel,
        page_ref: int,
    ) -> None:
        self._connection = connection
        self._model = model
        self._page_ref = page_ref

    async def forget(self, chunk_ids: Collection[int]) -> None:
        """Takes chunks out."""
        if chunk_ids:
            await self._connection.execute(FORGET_CHUNKS, {"chunk_ids": list(chunk_ids)})

    async def place(self, placed: Mapping[int, Chunk]) -> None:
        """Records where chunks of known text stand now."""
        rows = [_row(chunk) | {"chunk_id": chunk_id} for chunk_id, chunk in placed.items()]
        if rows:
            await self._connection.execute(PLACE_CHUNKS, {"chunks": Jsonb(rows)})

    async def add(
        self,
        title: str,
        new: Sequence[tuple[bytes, Chunk]],
        vectors: Mapping[bytes, Vector],
        configurations: Mapping[Item, str],
    ) -> None:
        """Adds chunks by the hash of their text, each read as text search reads its item."""
        if any(text_hash not in vectors for text_hash, _ in new):
            raise PageChangedMeanwhile(PageChangedMeanwhile.__doc__)
        chunks = [chunk for _, chunk in new]
        names = [configurations[chunk.kind, chunk.item_id] for chunk in chunks]
        texts = [passage_text(title, chunk.heading_path, chunk.body) for chunk in chunks]
        counts = await term_counts(self._connection, names, texts)
        rows = [
            _row(chunk) | {"text_hash": text_hash.hex(), "term_ids": sorted(terms)}
            for (text_hash, chunk), terms in zip(new, counts, strict=True)
        ]
        values = {
            "page_ref": self._page_ref,
            "chunks": Jsonb(rows),
            "weights": [bm25_weights(terms) for terms in counts],
            "embeddings": [HalfVector(vectors[text_hash]) for text_hash, _ in new],
            "configurations": names,
        }
        await self._connection.execute(_add_chunks(self._model), values)
        await self._connection.execute(ADD_WORDS, vocabulary_of(names, texts))


@cache
def _add_chunks(model: EmbeddingModel) -> bytes:
    return ADD_CHUNKS.format(
        vectors=model.vectors, bits=model.bits, dimension=sql.Literal(model.dimension)
    ).as_bytes()


def _row(chunk: Chunk) -> dict[str, object]:
    """A chunk as JSON that Postgres can store."""
    return {
        "kind": chunk.kind,
        "item_id": clean(chunk.item_id),
        "position": chunk.position,
        "heading_path": [clean(heading) for heading in chunk.heading_path],
        "anchor": clean(chunk.anchor),
        "url": clean(chunk.url),
        "body": clean(chunk.body),
    }


def configurations_of(chunks: Sequence[Chunk], language: str) -> dict[Item, str]:
    """How text search reads a page in a language: a thread or a file may be in its own one."""
    texts: defaultdict[Item, list[str]] = defaultdict(list)
    for chunk in chunks:
        texts[chunk.kind, chunk.item_id].append(chunk.body)
    return {
        item: configuration_of(
            language if item[0] == ChunkKind.BODY else _own_language("\n".join(bodies), language)
        )
        for item, bodies in texts.items()
    }


def _own_language(text: str, of_page: str) -> str:
    """That of its page, unless the text is long enough to be surely in another one."""
    if len(text) < OWN_LANGUAGE_FROM or of_page in likely_languages(text):
        return of_page
    return language_of(text)
