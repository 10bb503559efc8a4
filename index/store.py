"""Writing to the index: sites, spaces, pages with their chunks, words and vectors."""

from collections.abc import Collection, Mapping, Set
from dataclasses import asdict
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.database import Database
from index.embeddings import Vector
from index.models import IS_ACTIVE, SHARE_MODEL, EmbeddingModel
from index.nodes import Node, correct, stamp_comments
from index.page_write import PageUpdate, PageWrite
from index.records import Space
from index.upkeep_graph import HNSW_FROM, build_graph

Connection = AsyncConnection[TupleRow]

PURGED_AT_ONCE = 200  # pages


OPEN_SITE = """
INSERT INTO site (url) VALUES (%(url)s)
ON CONFLICT (url) DO UPDATE SET url = excluded.url RETURNING id
"""
OTHER_SITES = """
SELECT url FROM site WHERE url <> %(url)s AND EXISTS (SELECT FROM page WHERE site_id = site.id)
"""


async def other_sites(database: Database, site_url: str) -> list[str]:
    """Base URLs of other sites that have pages in the index."""
    async with database.pool.connection() as connection:
        rows = await connection.execute(OTHER_SITES, {"url": site_url})
        return [row[0] async for row in rows]


FORGET_TERMS_OF_SITE = """
INSERT INTO term_change (term_ids, delta)
SELECT 0 || term_ids, -1 FROM chunk_term JOIN page USING (page_ref) JOIN site ON site.id = site_id
WHERE %(url)s::text IS NULL OR site.url = %(url)s
"""
FORGET_SITE = "DELETE FROM site WHERE %(url)s::text IS NULL OR url = %(url)s"


async def forget_site(database: Database, site_url: str | None) -> None:
    """Takes one site, or with None every site, out of the index, in one transaction."""
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute(SHARE_MODEL)
        await connection.execute(FORGET_TERMS_OF_SITE, {"url": site_url})
        await connection.execute(FORGET_SITE, {"url": site_url})
        await fold_term_changes(connection)


FOLD_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('confluence-mcp terms', 0))"
FOLD = """
WITH change AS (DELETE FROM term_change RETURNING term_ids, delta)
INSERT INTO term (term_id, chunk_count)
SELECT term_id, sum(delta) FROM change, unnest(term_ids) AS term_id
GROUP BY term_id HAVING sum(delta) <> 0
ON CONFLICT (term_id) DO UPDATE SET chunk_count = term.chunk_count + excluded.chunk_count
"""


async def fold_term_changes(connection: Connection) -> None:
    """Adds up the waiting changes of document frequencies."""
    async with connection.transaction():
        await connection.execute(FOLD_LOCK)
        await connection.execute(FOLD)


OPEN_SPACE = """
INSERT INTO space (site_id, key, name, url) VALUES (%(site_id)s, %(key)s, %(name)s, %(url)s)
ON CONFLICT (site_id, key) DO UPDATE SET name = excluded.name, url = excluded.url
RETURNING id
"""
STORED_HASHES = """
SELECT page_id, text_hash FROM chunk JOIN page USING (page_ref)
WHERE site_id = %(site_id)s AND page_id = ANY(%(page_ids)s::text[])
"""
# Servers listen, to tell the clients that watch a page.
TOMBSTONE = """
WITH forgotten AS (
    DELETE FROM node WHERE site_id = %(site_id)s AND node_id = ANY(%(page_ids)s::text[])
),
hidden AS (
    UPDATE page SET state = 'tombstoned', hidden_at = now()
    WHERE site_id = %(site_id)s AND page_id = ANY(%(page_ids)s::text[]) AND state <> 'tombstoned'
    RETURNING page_id
)
SELECT pg_notify('confluence_mcp_page', page_id) FROM hidden
"""
# A page that was seen in one of the given spaces is on its way there.
TOMBSTONE_SPACES = """
WITH other AS (
    UPDATE space SET swept_at = NULL
    WHERE site_id = %(site_id)s AND key <> ALL(%(keys)s::text[]) RETURNING id
),
forgotten AS (
    DELETE FROM node USING other WHERE node.space_id = other.id
),
hidden AS (
    UPDATE page SET state = 'tombstoned', hidden_at = now() FROM other
    WHERE other.id = space_id AND state <> 'tombstoned' AND NOT EXISTS (
        SELECT FROM node JOIN space AS home ON home.id = node.space_id
        WHERE node.site_id = page.site_id AND node.node_id = page.page_id
          AND home.key = ANY(%(keys)s::text[]))
    RETURNING page_id
)
SELECT pg_notify('confluence_mcp_page', page_id) FROM hidden
"""
HIDDEN_BEFORE = """
SELECT page_ref FROM page
WHERE site_id = %(site_id)s AND state = 'tombstoned' AND hidden_at < %(before)s
LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
FORGET_TERMS_OF_PAGES = """
INSERT INTO term_change (term_ids, delta)
SELECT 0 || term_ids, -1 FROM chunk_term WHERE page_ref = ANY(%(page_refs)s::bigint[])
"""
FORGET_PAGES = "DELETE FROM page WHERE page_ref = ANY(%(page_refs)s::bigint[])"
SWEPT = "UPDATE space SET swept_at = now() WHERE id = %(space_id)s"
EMBEDDED = """
UPDATE space SET embedded_tokens = embedded_tokens + %(tokens)s WHERE id = %(space_id)s
"""
# 5 minutes, twice as long after each further failure, a day at most.
RECORD_FAILURE = """
INSERT INTO page_failure (site_id, page_id, space_id, title, error, version, retry_at)
VALUES (%(site_id)s, %(page_id)s, %(space_id)s, %(title)s, %(error)s, %(version)s,
        now() + interval '5 minutes')
ON CONFLICT (site_id, page_id) DO UPDATE
SET error = excluded.error, title = excluded.title, space_id = excluded.space_id,
    version = excluded.version, attempts = page_failure.attempts + 1, failed_at = now(),
    retry_at = now() + least(
        interval '1 day', interval '5 minutes' * 2 ^ least(page_failure.attempts, 9))
"""
CHUNK_TOTAL = "SELECT coalesce(sum(chunk_count), 0)::bigint FROM page"


class Store:
    """Writes pages of one site. One transaction a page: readers never see half of one."""

    def __init__(self, database: Database, site_id: int, model: EmbeddingModel) -> None:
        self.site_id = site_id
        self._database = database
        self._model = model

    @classmethod
    async def open(cls, database: Database, site_url: str, model: EmbeddingModel) -> "Store":
        """A store for the site, which is recorded when it is new."""
        async with database.pool.connection() as connection:
            row = await (await connection.execute(OPEN_SITE, {"url": site_url})).fetchone()
        assert row is not None
        return cls(database, row[0], model)

    async def open_space(self, space: Space) -> int:
        """The index's own number of a space, which is recorded when it is new."""
        values = asdict(space) | {"site_id": self.site_id}
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(OPEN_SPACE, values)).fetchone()
        assert row is not None
        return row[0]

    async def stored_hashes(self, page_ids: Collection[str]) -> Mapping[str, Set[bytes]]:
        """The hashes of the texts of pages that have vectors already, by page id."""
        stored: dict[str, set[bytes]] = {page_id: set() for page_id in page_ids}
        values = {"site_id": self.site_id, "page_ids": list(page_ids)}
        async with self._database.pool.connection() as connection:
            async for page_id, text_hash in await connection.execute(STORED_HASHES, values):
                stored[page_id].add(text_hash)
        return stored

    async def write(
        self,
        space_id: int,
        update: PageUpdate,
        vectors: Mapping[bytes, Vector],
        *,
        recipe: int,
        is_whole: bool = True,
        seen: Node | None = None,
        was_under: str | None = None,
        comment_stamp: str | None = None,
    ) -> None:
        """Brings a page up to date. Chunks whose text is stored already keep words and vectors.

        `vectors` are by text hash and must hold every text that `stored_hashes` did not name;
        PageChangedMeanwhile when they no longer do, ModelSwitched when the index has another model
        by now. Without a page the update goes to the space where the page is; NotFound when it is
        in none. A recorded failure of the page is forgotten, unless the update is not `is_whole`
        because a part of it failed again. With it goes on record how the page was `seen` when it
        was fetched (it `was_under` that parent when it was listed), and which comments were taken
        in.
        """
        async with (
            self._database.pool.connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            write = PageWrite(connection, self._model, self.site_id, space_id)
            if seen is not None:
                await correct(connection, self.site_id, seen, was_under)
            await write.write(update, vectors, recipe, is_whole=is_whole)
            if comment_stamp is not None:
                await stamp_comments(connection, self.site_id, update.page_id, comment_stamp)

    async def tombstone(self, page_ids: Collection[str]) -> int:
        """Hides pages that a complete sweep no longer saw, and forgets that they were seen.

        Returns how many were not yet hidden.
        """
        values = {"site_id": self.site_id, "page_ids": list(page_ids)}
        async with self._database.pool.connection() as connection:
            return (await connection.execute(TOMBSTONE, values)).rowcount

    async def tombstone_other_spaces(self, keys: Collection[str]) -> int:
        """Hides the pages of all spaces of the site but the given, and forgets what was seen there.

        Returns how many.
        """
        values = {"site_id": self.site_id, "keys": list(keys)}
        async with self._database.pool.connection() as connection:
            return (await connection.execute(TOMBSTONE_SPACES, values)).rowcount

    async def purge(self, before: datetime, *, at_once: int = PURGED_AT_ONCE) -> int:
        """Deletes the pages that have been hidden since before a time; returns how many."""
        purged = 0
        while batch := await self._purge_some(before, at_once):
            purged += batch
        return purged

    async def _purge_some(self, before: datetime, limit: int) -> int:
        values = {"site_id": self.site_id, "before": before, "limit": limit}
        async with self._database.pool.connection() as connection:
            await connection.execute(SHARE_MODEL)
            rows = await (await connection.execute(HIDDEN_BEFORE, values)).fetchall()
            # Once their rows are locked, no writer changes their chunks.
            page_refs = {"page_refs": [page_ref for (page_ref,) in rows]}
            await connection.execute(FORGET_TERMS_OF_PAGES, page_refs)
            await connection.execute(FORGET_PAGES, page_refs)
        return len(rows)

    async def mark_swept(self, space_id: int) -> None:
        """Records that a sweep of the space came to its end, and counts its words."""
        async with self._database.pool.connection() as connection:
            await connection.execute(SWEPT, {"space_id": space_id})
            await fold_term_changes(connection)

    async def add_embedded_tokens(self, space_id: int, tokens: int) -> None:
        """Counts what was sent to the embedding model for a space."""
        async with self._database.pool.connection() as connection:
            await connection.execute(EMBEDDED, {"space_id": space_id, "tokens": tokens})

    async def record_failure(
        self, space_id: int, page_id: str, title: str, error: str, version: int
    ) -> None:
        """Remembers that a version of a page could not be taken in, and when to try again.

        A write of the whole page forgets it.
        """
        values = {"space_id": space_id, "title": title, "error": error, "version": version}
        async with self._database.pool.connection() as connection:
            await connection.execute(RECORD_FAILURE, values | self._of(page_id))

    async def settle(self) -> None:
        """Folds in what writers left for later: document frequencies, a graph index when due."""
        async with self._database.pool.connection() as connection:
            await fold_term_changes(connection)
            row = await (await connection.execute(CHUNK_TOTAL)).fetchone()
            values = {"model": self._model.id}
            is_active = await (await connection.execute(IS_ACTIVE, values)).fetchone()
        if row and row[0] >= HNSW_FROM and is_active == (True,):
            await build_graph(self._database, self._model)

    def _of(self, page_id: str) -> dict[str, object]:
        return {"site_id": self.site_id, "page_id": page_id}
