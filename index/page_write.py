"""One page into the index, inside the caller's transaction."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from pgvector import HalfVector
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from index.embeddings import Vector
from index.language import clean, configuration_of
from index.models import EmbeddingModel
from index.records import Chunk, Heading, Page, Unreadable, chunk_hash, passage_text
from index.terms import bm25_weights, term_counts

# Its lock on the row makes a second writer of the same page wait, and then see what was written.
UPSERT_PAGE = """
INSERT INTO page (
    site_id, space_id, page_id, content_type, state, title, url, version, ancestors, position,
    labels, author, created_at, updated_at, language, markdown, outline, unreadable, chunk_count,
    recipe
) VALUES (
    %(site_id)s, %(space_id)s, %(page_id)s, %(content_type)s, %(state)s, %(title)s, %(url)s,
    %(version)s, %(ancestors)s, %(position)s, %(labels)s, %(author)s, %(created_at)s,
    %(updated_at)s, %(language)s, %(markdown)s, %(outline)s, %(unreadable)s, %(chunk_count)s,
    %(recipe)s
)
ON CONFLICT (site_id, page_id) DO UPDATE SET
    space_id = excluded.space_id, content_type = excluded.content_type, state = excluded.state,
    title = excluded.title, url = excluded.url, version = excluded.version,
    ancestors = excluded.ancestors, position = excluded.position, labels = excluded.labels,
    author = excluded.author, created_at = excluded.created_at, updated_at = excluded.updated_at,
    language = excluded.language, markdown = excluded.markdown, outline = excluded.outline,
    unreadable = excluded.unreadable, chunk_count = excluded.chunk_count,
    recipe = excluded.recipe, stored_at = now()
RETURNING page_ref
"""
STORED_CHUNKS = """
SELECT chunk_id, text_hash FROM chunk WHERE page_ref = %(page_ref)s AND kind = 'body'
ORDER BY position
"""
FORGET_TERMS = """
INSERT INTO term_change (term_ids, delta)
SELECT 0 || term_ids, -1 FROM chunk_term WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])
"""
FORGET_CHUNKS = "DELETE FROM chunk WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])"
PLACE_CHUNKS = """
UPDATE chunk SET position = kept.position, anchor = kept.anchor
FROM jsonb_to_recordset(%(chunks)s) AS kept (chunk_id bigint, position int, anchor text)
WHERE chunk.chunk_id = kept.chunk_id
"""
ADD_CHUNKS = """
INSERT INTO chunk (page_ref, position, heading_path, anchor, body, text_hash)
SELECT %(page_ref)s, position, heading_path, anchor, body, decode(text_hash, 'hex')
FROM jsonb_to_recordset(%(chunks)s)
     AS new (position int, heading_path text[], anchor text, body text, text_hash text)
RETURNING chunk_id, position
"""
COPY_TERMS = """
COPY chunk_term (chunk_id, page_ref, space_id, term_ids, weights) FROM STDIN (FORMAT BINARY)
"""
ADD_TERM_CHANGES = """
INSERT INTO term_change (term_ids, delta)
SELECT 0 || term_ids, 1 FROM chunk_term WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])
"""
ADD_CONFIGURATION = """
INSERT INTO search_configuration (name) VALUES (%(configuration)s) ON CONFLICT DO NOTHING
"""
MOVE_TERMS = """
UPDATE chunk_term SET space_id = %(space_id)s
WHERE page_ref = %(page_ref)s AND space_id <> %(space_id)s
"""
FORGET_FAILURE = "DELETE FROM page_failure WHERE site_id = %(site_id)s AND page_id = %(page_id)s"
COPY_VECTORS = sql.SQL("COPY {} (chunk_id, page_ref, embedding) FROM STDIN (FORMAT BINARY)")
ADD_BITS = sql.SQL("""
INSERT INTO {bits} (chunk_id, page_ref, space_id, bits)
SELECT chunk_id, page_ref, space_id, binary_quantize(embedding)::bit({dimension})
FROM {vectors} JOIN page USING (page_ref) WHERE chunk_id = ANY(%(chunk_ids)s::bigint[])
""")
MOVE_BITS = sql.SQL("""
UPDATE {} SET space_id = %(space_id)s WHERE page_ref = %(page_ref)s AND space_id <> %(space_id)s
""")


@dataclass(frozen=True, slots=True)
class _Stored:
    chunk_id: int
    text_hash: bytes


class PageWrite:
    """Replaces one page; the caller commits."""

    def __init__(
        self,
        connection: AsyncConnection[TupleRow],
        model: EmbeddingModel,
        site_id: int,
        space_id: int,
    ) -> None:
        self._connection = connection
        self._model = model
        self._site_id = site_id
        self._space_id = space_id

    async def replace(
        self, page: Page, chunks: Sequence[Chunk], vectors: Mapping[bytes, Vector], recipe: int
    ) -> None:
        """Stores the page row, then only those chunks whose text is new to the page."""
        page_ref = await self._upsert(page, len(chunks), recipe)
        kept, new, gone = _compare(await self._stored(page_ref), page.title, chunks)
        await self._forget(gone)
        await self._place(kept)
        added = await self._add_chunks(page_ref, page.title, new)
        await self._add_terms(page_ref, page, added)
        await self._add_vectors(page_ref, page.title, added, vectors)
        await self._move(page_ref)
        key = {"site_id": self._site_id, "page_id": page.page_id}
        await self._connection.execute(FORGET_FAILURE, key)

    async def _upsert(self, page: Page, chunk_count: int, recipe: int) -> int:
        values = {
            "site_id": self._site_id,
            "space_id": self._space_id,
            "page_id": page.page_id,
            "content_type": page.content_type,
            "state": page.state,
            "title": clean(page.title),
            "url": clean(page.url),
            "version": page.version,
            "ancestors": list(page.ancestors),
            "position": page.position,
            "labels": [clean(label) for label in page.labels],
            "author": clean(page.author) if page.author else None,
            "created_at": page.created_at,
            "updated_at": page.updated_at,
            "language": page.language,
            "markdown": clean(page.markdown),
            "outline": _json(page.outline),
            "unreadable": _json(page.unreadable),
            "chunk_count": chunk_count,
            "recipe": recipe,
        }
        row = await (await self._connection.execute(UPSERT_PAGE, values)).fetchone()
        assert row is not None
        return row[0]

    async def _stored(self, page_ref: int) -> list[_Stored]:
        async with self._connection.cursor(row_factory=class_row(_Stored)) as cursor:
            await cursor.execute(STORED_CHUNKS, {"page_ref": page_ref})
            return await cursor.fetchall()

    async def _forget(self, gone: Collection[int]) -> None:
        if gone:
            await self._connection.execute(FORGET_TERMS, {"chunk_ids": list(gone)})
            await self._connection.execute(FORGET_CHUNKS, {"chunk_ids": list(gone)})

    async def _place(self, kept: Mapping[int, Chunk]) -> None:
        places = [
            {"chunk_id": chunk_id, "position": chunk.position, "anchor": clean(chunk.anchor)}
            for chunk_id, chunk in kept.items()
        ]
        await self._connection.execute(PLACE_CHUNKS, {"chunks": Jsonb(places)})

    async def _add_chunks(
        self, page_ref: int, title: str, new: Sequence[Chunk]
    ) -> dict[int, Chunk]:
        rows = [
            {
                "position": chunk.position,
                "heading_path": [clean(heading) for heading in chunk.heading_path],
                "anchor": clean(chunk.anchor),
                "body": clean(chunk.body),
                "text_hash": chunk_hash(title, chunk).hex(),
            }
            for chunk in new
        ]
        values = {"page_ref": page_ref, "chunks": Jsonb(rows)}
        by_position = {chunk.position: chunk for chunk in new}
        result = await self._connection.execute(ADD_CHUNKS, values)
        return {chunk_id: by_position[position] async for chunk_id, position in result}

    async def _add_terms(self, page_ref: int, page: Page, added: Mapping[int, Chunk]) -> None:
        configuration = configuration_of(page.language)
        texts = [
            passage_text(page.title, chunk.heading_path, chunk.body) for chunk in added.values()
        ]
        counts = await term_counts(self._connection, configuration, texts)
        async with self._connection.cursor() as cursor, cursor.copy(COPY_TERMS) as copy:
            copy.set_types(["int8", "int8", "int4", "int4[]", "sparsevec"])
            for chunk_id, terms in zip(added, counts, strict=True):
                row = (chunk_id, page_ref, self._space_id, sorted(terms), bm25_weights(terms))
                await copy.write_row(row)
        await self._connection.execute(ADD_TERM_CHANGES, {"chunk_ids": list(added)})
        await self._connection.execute(ADD_CONFIGURATION, {"configuration": configuration})

    async def _add_vectors(
        self,
        page_ref: int,
        title: str,
        added: Mapping[int, Chunk],
        vectors: Mapping[bytes, Vector],
    ) -> None:
        model = self._model
        copy_vectors = COPY_VECTORS.format(model.vectors)
        async with self._connection.cursor() as cursor, cursor.copy(copy_vectors) as copy:
            copy.set_types(["int8", "int8", "halfvec"])
            for chunk_id, chunk in added.items():
                vector = HalfVector(vectors[chunk_hash(title, chunk)])
                await copy.write_row((chunk_id, page_ref, vector))
        add_bits = ADD_BITS.format(
            bits=model.bits, vectors=model.vectors, dimension=sql.Literal(model.dimension)
        )
        await self._connection.execute(add_bits, {"chunk_ids": list(added)})

    async def _move(self, page_ref: int) -> None:
        """Follows a page into another space."""
        values = {"page_ref": page_ref, "space_id": self._space_id}
        await self._connection.execute(MOVE_TERMS, values)
        await self._connection.execute(MOVE_BITS.format(self._model.bits), values)


def _json(items: Sequence[Heading] | Sequence[Unreadable]) -> Jsonb:
    """The items as JSON that Postgres can store: it takes no NUL and no half a surrogate pair."""
    return Jsonb(
        [
            {name: clean(value) if isinstance(value, str) else value for name, value in fields}
            for fields in (asdict(item).items() for item in items)
        ]
    )


def _compare(
    stored: Sequence[_Stored], title: str, chunks: Sequence[Chunk]
) -> tuple[dict[int, Chunk], list[Chunk], list[int]]:
    """Which stored chunks stay (by id), which chunks are new, which stored ones go."""
    free: defaultdict[bytes, list[int]] = defaultdict(list)
    for row in stored:
        free[bytes(row.text_hash)].append(row.chunk_id)
    kept: dict[int, Chunk] = {}
    new: list[Chunk] = []
    for chunk in chunks:
        same = free[chunk_hash(title, chunk)]
        if same:
            kept[same.pop(0)] = chunk
        else:
            new.append(chunk)
    return kept, new, [chunk_id for rest in free.values() for chunk_id in rest]
