"""Writing to the index: sites, spaces, pages with their chunks, words and vectors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.database import Database
from index.embeddings import Vector
from index.models import EmbeddingModel
from index.page_write import PageWrite
from index.records import Chunk, Page, Space

Connection = AsyncConnection[TupleRow]

HNSW_FROM = 50_000


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What the index holds of a page, as far as a sweep needs it to see a change."""

    page_id: str
    version: int
    state: str
    title: str
    url: str
    ancestors: list[str]
    position: int | None
    recipe: int


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
STORED_VERSIONS = """
SELECT page_id, version, state, title, url, ancestors, position, recipe
FROM page WHERE space_id = %(space_id)s
"""
STORED_HASHES = """
SELECT text_hash FROM chunk JOIN page USING (page_ref)
WHERE site_id = %(site_id)s AND page_id = %(page_id)s
"""
PLACE_PAGE = """
UPDATE page SET ancestors = %(ancestors)s, position = %(position)s, url = %(url)s, state = %(state)s
WHERE site_id = %(site_id)s AND page_id = %(page_id)s
"""
TOMBSTONE = """
UPDATE page SET state = 'tombstoned'
WHERE site_id = %(site_id)s AND page_id = ANY(%(page_ids)s::text[]) AND state <> 'tombstoned'
"""
TOMBSTONE_SPACES = """
UPDATE page SET state = 'tombstoned' FROM space
WHERE space.id = space_id AND space.site_id = %(site_id)s AND state <> 'tombstoned'
  AND space.key <> ALL(%(keys)s::text[])
"""
SWEPT = "UPDATE space SET swept_at = now() WHERE id = %(space_id)s"
RECORD_FAILURE = """
INSERT INTO page_failure (site_id, page_id, space_id, title, error)
VALUES (%(site_id)s, %(page_id)s, %(space_id)s, %(title)s, %(error)s)
ON CONFLICT (site_id, page_id) DO UPDATE
SET error = excluded.error, title = excluded.title, space_id = excluded.space_id,
    attempts = page_failure.attempts + 1, failed_at = now()
"""
CHUNK_TOTAL = "SELECT coalesce(sum(chunk_count), 0)::bigint FROM page"
CREATE_HNSW = (
    "SELECT create_hnsw(%(model)s) FROM embedding_model WHERE id = %(model)s AND NOT has_hnsw"
)


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

    async def stored_versions(self, space_id: int) -> dict[str, StoredVersion]:
        """What the index holds of a space, by page id, tombstoned pages included."""
        async with (
            self._database.pool.connection() as connection,
            connection.cursor(row_factory=class_row(StoredVersion)) as cursor,
        ):
            await cursor.execute(STORED_VERSIONS, {"space_id": space_id})
            return {version.page_id: version async for version in cursor}

    async def stored_hashes(self, page_id: str) -> frozenset[bytes]:
        """The hashes of the texts of a page that have vectors already."""
        async with self._database.pool.connection() as connection:
            rows = await connection.execute(STORED_HASHES, self._of(page_id))
            return frozenset([bytes(row[0]) async for row in rows])

    async def replace_page(
        self,
        space_id: int,
        page: Page,
        chunks: Sequence[Chunk],
        vectors: Mapping[bytes, Vector],
        *,
        recipe: int,
    ) -> None:
        """Stores a page. Chunks whose text is stored already keep their words and vectors.

        `vectors` are by text hash and must hold every text that `stored_hashes` did not name.
        """
        async with self._database.pool.connection() as connection, connection.transaction():
            write = PageWrite(connection, self._model, self.site_id, space_id)
            await write.replace(page, chunks, vectors, recipe)

    async def place_page(self, version: StoredVersion) -> None:
        """Records where an otherwise unchanged page stands now, and that it is seen again."""
        values = asdict(version) | self._of(version.page_id)
        async with self._database.pool.connection() as connection:
            await connection.execute(PLACE_PAGE, values)

    async def tombstone(self, page_ids: Collection[str]) -> int:
        """Hides pages that a complete sweep no longer saw; returns how many were not yet hidden."""
        values = {"site_id": self.site_id, "page_ids": list(page_ids)}
        async with self._database.pool.connection() as connection:
            return (await connection.execute(TOMBSTONE, values)).rowcount

    async def tombstone_other_spaces(self, keys: Collection[str]) -> int:
        """Hides the pages of all spaces of the site but the given; returns how many."""
        values = {"site_id": self.site_id, "keys": list(keys)}
        async with self._database.pool.connection() as connection:
            return (await connection.execute(TOMBSTONE_SPACES, values)).rowcount

    async def mark_swept(self, space_id: int) -> None:
        """Records that a sweep of the space came to its end, and counts its words."""
        async with self._database.pool.connection() as connection:
            await connection.execute(SWEPT, {"space_id": space_id})
            await fold_term_changes(connection)

    async def record_failure(self, space_id: int, page_id: str, title: str, error: str) -> None:
        """Remembers a page that could not be taken in, for `status` and the next run."""
        values = self._of(page_id) | {"space_id": space_id, "title": title, "error": error}
        async with self._database.pool.connection() as connection:
            await connection.execute(RECORD_FAILURE, values)

    async def settle(self) -> None:
        """Folds in what writers left for later: document frequencies, a graph index when due."""
        async with self._database.pool.connection() as connection:
            await fold_term_changes(connection)
            row = await (await connection.execute(CHUNK_TOTAL)).fetchone()
            if row and row[0] >= HNSW_FROM:
                await connection.execute(CREATE_HNSW, {"model": self._model.id})

    def _of(self, page_id: str) -> dict[str, object]:
        return {"site_id": self.site_id, "page_id": page_id}
