"""One page into the index, inside the caller's transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from index.chunk_write import STORED_CHUNKS, ChunkWrite, StoredChunk, compare, configurations_of
from index.embeddings import Vector
from index.errors import NotFound
from index.language import clean
from index.models import IS_ACTIVE, SHARE_MODEL, EmbeddingModel, ModelSwitched
from index.records import Attachment, Chunk, ChunkKind, Comment, Heading, Page, Unreadable

# Places of pages and who may read them are brought in line all at once: what is written meanwhile
# waits, and then follows what is known by then. What has left its space meanwhile is closed.
LOCK_PLACES = "SELECT pg_advisory_xact_lock_shared(hashtextextended('confluence-mcp places', 0))"
# Its lock on the row makes a second writer of the same page wait, and then see what was written.
UPSERT_PAGE = """
INSERT INTO page (
    site_id, space_id, page_id, content_type, state, title, url, version, ancestors, position,
    labels, author, created_at, updated_at, language, markdown, outline, unreadable, recipe,
    chunk_count, comment_chunks, attachment_chunks, hidden_at, audience_id
) VALUES (
    %(site_id)s, %(space_id)s, %(page_id)s, %(content_type)s, %(state)s, %(title)s, %(url)s,
    %(version)s, %(ancestors)s, %(position)s, %(labels)s, %(author)s, %(created_at)s,
    %(updated_at)s, %(language)s, %(markdown)s, %(outline)s, %(unreadable)s, %(recipe)s,
    %(chunk_count)s, %(comment_chunks)s, %(attachment_chunks)s,
    CASE WHEN %(state)s = 'tombstoned' THEN now() END,
    CASE WHEN EXISTS (
        SELECT FROM node
        WHERE site_id = %(site_id)s AND node_id = %(page_id)s AND space_id = %(space_id)s
    ) THEN node_audience(%(site_id)s, %(page_id)s) ELSE intern_audience(ARRAY[0]) END
)
ON CONFLICT (site_id, page_id) DO UPDATE SET
    space_id = excluded.space_id, content_type = excluded.content_type, state = excluded.state,
    title = excluded.title, url = excluded.url, version = excluded.version,
    ancestors = excluded.ancestors, position = excluded.position, labels = excluded.labels,
    author = excluded.author, created_at = excluded.created_at, updated_at = excluded.updated_at,
    language = excluded.language, markdown = excluded.markdown, outline = excluded.outline,
    unreadable = excluded.unreadable, recipe = excluded.recipe, stored_at = now(),
    audience_id = excluded.audience_id,
    hidden_at = CASE WHEN excluded.state = 'tombstoned'
                THEN coalesce(page.hidden_at, excluded.hidden_at) END
RETURNING page_ref, language, chunk_count, comment_chunks, attachment_chunks
"""
LOCK_PAGE = """
SELECT page_ref, language, chunk_count, comment_chunks, attachment_chunks FROM page
WHERE site_id = %(site_id)s AND page_id = %(page_id)s FOR NO KEY UPDATE
"""
COUNT_CHUNKS = """
UPDATE page
SET chunk_count = %(chunk_count)s, comment_chunks = %(comment_chunks)s,
    attachment_chunks = %(attachment_chunks)s
WHERE page_ref = %(page_ref)s
"""
FORGET_COMMENTS = """
DELETE FROM comment WHERE page_ref = %(page_ref)s AND comment_id <> ALL(%(ids)s::text[])
"""
ADD_COMMENTS = """
INSERT INTO comment (
    page_ref, comment_id, parent_id, selection, resolution, author, created_at, version, url,
    markdown)
SELECT %(page_ref)s, comment_id, parent_id, selection, resolution, author, created_at, version, url,
       markdown
FROM jsonb_to_recordset(%(comments)s) AS given (
    comment_id text, parent_id text, selection text, resolution text, author text,
    created_at timestamptz, version int, url text, markdown text)
ON CONFLICT (page_ref, comment_id) DO UPDATE SET
    parent_id = excluded.parent_id, selection = excluded.selection,
    resolution = excluded.resolution, author = excluded.author, created_at = excluded.created_at,
    version = excluded.version, url = excluded.url, markdown = excluded.markdown
WHERE comment IS DISTINCT FROM excluded
"""
FORGET_ATTACHMENTS = """
DELETE FROM attachment WHERE page_ref = %(page_ref)s AND attachment_id <> ALL(%(ids)s::text[])
"""
ADD_ATTACHMENTS = """
INSERT INTO attachment (
    page_ref, attachment_id, filename, media_type, size, version, url, markdown, unreadable, recipe)
SELECT %(page_ref)s, attachment_id, filename, media_type, size, version, url, markdown, unreadable,
       recipe
FROM jsonb_to_recordset(%(attachments)s) AS given (
    attachment_id text, filename text, media_type text, size bigint, version int, url text,
    markdown text, unreadable text, recipe int)
ON CONFLICT (page_ref, attachment_id) DO UPDATE SET
    filename = excluded.filename, media_type = excluded.media_type, size = excluded.size,
    version = excluded.version, url = excluded.url, markdown = excluded.markdown,
    unreadable = excluded.unreadable, recipe = excluded.recipe
WHERE attachment IS DISTINCT FROM excluded
"""
# A crash of the database server may take the pages of the last moment, whole and in their order,
# and the next sweep sees that they lack. Whoever listens tells the clients that watch the page.
FINISH = """
WITH forgotten AS (
    DELETE FROM page_failure
    WHERE site_id = %(site_id)s AND page_id = %(page_id)s AND %(is_whole)s
)
SELECT set_config('synchronous_commit', 'off', true),
       pg_notify('confluence_mcp_page', %(page_id)s::text)
"""


@dataclass(frozen=True, slots=True)
class PageUpdate:
    """What is new about one page; parts that are None or empty stay as they are stored.

    `title` is the page's, which is part of the text of all its chunks: after a new title every
    part must be given. `page` is facts and body, `comments` are all that the page has now,
    `attachments` those that were read anew. `kept_attachments` are ids of those that stay besides,
    others go; None when none goes. `chunks` are of the parts given.
    """

    page_id: str
    title: str
    page: Page | None
    comments: Sequence[Comment] | None
    attachments: Sequence[Attachment]
    kept_attachments: frozenset[str] | None
    chunks: Sequence[Chunk]

    def __post_init__(self) -> None:
        for chunk in self.chunks:
            is_read = chunk.kind is not ChunkKind.ATTACHMENT or chunk.item_id in self._read_anew
            if not (is_read and self.replaces(chunk.kind, chunk.item_id)):
                raise ValueError(
                    f"page_id={self.page_id}: a chunk of {chunk.kind} {chunk.item_id}, not given"
                )

    def replaces(self, kind: str, item_id: str) -> bool:
        """Whether stored chunks of this part or item give way to those of the update."""
        if kind == ChunkKind.BODY:
            return self.page is not None
        if kind == ChunkKind.COMMENT:
            return self.comments is not None
        return item_id in self._read_anew or not self._stays(item_id)

    @property
    def _read_anew(self) -> set[str]:
        return {attachment.attachment_id for attachment in self.attachments}

    def _stays(self, attachment_id: str) -> bool:
        return self.kept_attachments is None or attachment_id in self.kept_attachments


@dataclass(frozen=True, slots=True)
class _Row:
    page_ref: int
    language: str
    chunk_count: int
    comment_chunks: int
    attachment_chunks: int


class PageWrite:
    """Brings one page up to date; the caller commits. Made for a connection in pipeline mode."""

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

    async def write(
        self,
        update: PageUpdate,
        vectors: Mapping[bytes, Vector],
        recipe: int,
        *,
        is_whole: bool = True,
    ) -> None:
        """Stores the parts given, and of their chunks only those whose text is new.

        Raises ModelSwitched when the model is not that of the index any more.
        """
        key = {"site_id": self._site_id, "page_id": update.page_id}
        # Before any row is locked: whoever changes the model waits for it, then locks chunks.
        await self._connection.execute(SHARE_MODEL)
        is_active = await self._connection.execute(IS_ACTIVE, {"model": self._model.id})
        asked = await self._take(update, recipe)
        all_chunks = self._connection.cursor(row_factory=class_row(StoredChunk))
        await all_chunks.execute(STORED_CHUNKS, key)
        if await is_active.fetchone() != (True,):
            raise ModelSwitched(ModelSwitched.__doc__)
        row = await asked.fetchone()
        if row is None:
            raise NotFound(f"No page {update.page_id} in the index: write it with its body first.")
        stored = await all_chunks.fetchall()
        await self._write_chunks(row, stored, update, vectors)
        await self._write_comments(row.page_ref, update)
        await self._write_attachments(row.page_ref, update)
        await self._connection.execute(FINISH, key | {"is_whole": is_whole})

    async def _take(self, update: PageUpdate, recipe: int) -> AsyncCursor[_Row]:
        """Writes the row of the page where it is given, and holds it."""
        cursor = self._connection.cursor(row_factory=class_row(_Row))
        key = {"site_id": self._site_id, "page_id": update.page_id}
        if update.page is None:
            return await cursor.execute(LOCK_PAGE, key)
        facts = _page_row(update.page) | _counts(update.chunks)
        facts |= {"space_id": self._space_id, "recipe": recipe}
        await self._connection.execute(LOCK_PLACES)
        return await cursor.execute(UPSERT_PAGE, facts | key)

    async def _write_chunks(
        self,
        row: _Row,
        stored: Sequence[StoredChunk],
        update: PageUpdate,
        vectors: Mapping[bytes, Vector],
    ) -> None:
        old = [chunk for chunk in stored if update.replaces(chunk.kind, chunk.item_id)]
        changes = compare(old, update.title, update.chunks)
        write = ChunkWrite(self._connection, self._model, row.page_ref)
        await write.forget(changes.gone)
        await write.place(changes.placed)
        if changes.new:
            configurations = configurations_of(update.chunks, row.language)
            await write.add(update.title, changes.new, vectors, configurations)
        rest = [chunk for chunk in stored if not update.replaces(chunk.kind, chunk.item_id)]
        counted = asdict(row) | _counts([*rest, *update.chunks])
        if counted != asdict(row):
            await self._connection.execute(COUNT_CHUNKS, counted)

    async def _write_comments(self, page_ref: int, update: PageUpdate) -> None:
        if update.comments is None:
            return
        comments = {comment.comment_id: comment for comment in update.comments}
        values = {"page_ref": page_ref, "ids": [clean(comment_id) for comment_id in comments]}
        await self._connection.execute(FORGET_COMMENTS, values)
        if comments:
            values = {"page_ref": page_ref, "comments": _json(list(comments.values()))}
            await self._connection.execute(ADD_COMMENTS, values)

    async def _write_attachments(self, page_ref: int, update: PageUpdate) -> None:
        attachments = {attachment.attachment_id: attachment for attachment in update.attachments}
        if update.kept_attachments is not None:
            ids = sorted(update.kept_attachments.union(attachments))
            values = {"page_ref": page_ref, "ids": ids}
            await self._connection.execute(FORGET_ATTACHMENTS, values)
        if attachments:
            values = {"page_ref": page_ref, "attachments": _json(list(attachments.values()))}
            await self._connection.execute(ADD_ATTACHMENTS, values)


def _page_row(page: Page) -> dict[str, object]:
    return {
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
    }


def _counts(chunks: Sequence[Chunk | StoredChunk]) -> dict[str, int]:
    kinds = Counter(str(chunk.kind) for chunk in chunks)
    return {
        "chunk_count": kinds.total(),
        "comment_chunks": kinds[ChunkKind.COMMENT],
        "attachment_chunks": kinds[ChunkKind.ATTACHMENT],
    }


def _json(items: Sequence[Heading | Unreadable | Comment | Attachment]) -> Jsonb:
    """The items as JSON that Postgres can store: it takes no NUL and no half a surrogate pair."""
    return Jsonb(
        [{name: _storable(value) for name, value in asdict(item).items()} for item in items]
    )


def _storable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return clean(value) if isinstance(value, str) else value
