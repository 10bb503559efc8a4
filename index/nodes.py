"""What the sweeps have seen of a site: its tree, and what hangs on it, without any text.

A sweep writes as it goes, so that however large a site is, its listing does not wait in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from index.database import Database
from index.language import clean
from index.records import ChunkKind, ContentType, State

# Kinds that hang on a page, and so are no part of the tree.
ITEM_KINDS = [ChunkKind.COMMENT.value, ChunkKind.ATTACHMENT.value]


@dataclass(frozen=True, slots=True)
class Node:
    """A page, folder, whiteboard, database or embed as a listing shows it."""

    node_id: str
    content_type: ContentType
    parent_id: str | None
    title: str
    url: str
    version: int
    state: State
    position: int | None
    labels: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ItemNode:
    """A comment or attachment as a listing shows it; `title` is an attachment's file name."""

    node_id: str
    content_type: ChunkKind
    parent_id: str
    title: str
    url: str
    version: int
    media_type: str
    size: int


SAW = """
INSERT INTO node (site_id, node_id, space_id, content_type, parent_id, title, url, version, state,
                  position, labels, seen_run)
SELECT %(site_id)s, node_id, %(space_id)s, content_type, parent_id, title, url, version, state,
       position, labels, %(run_id)s
FROM jsonb_to_recordset(%(nodes)s) AS seen (
    node_id text, content_type text, parent_id text, title text, url text, version int, state text,
    position int, labels text[])
ON CONFLICT (site_id, node_id) DO UPDATE SET
    space_id = excluded.space_id, content_type = excluded.content_type,
    parent_id = excluded.parent_id, title = excluded.title, url = excluded.url,
    version = excluded.version, state = excluded.state, position = excluded.position,
    labels = coalesce(excluded.labels, node.labels), seen_run = excluded.seen_run
"""
SAW_ITEMS = """
INSERT INTO node (site_id, node_id, space_id, content_type, parent_id, title, url, version, state,
                  media_type, size, seen_run)
SELECT page.site_id, seen.node_id, page.space_id, seen.content_type, seen.parent_id, seen.title,
       seen.url, seen.version, 'live', seen.media_type, seen.size, %(run_id)s
FROM jsonb_to_recordset(%(nodes)s) AS seen (
    node_id text, content_type text, parent_id text, title text, url text, version int,
    media_type text, size bigint)
JOIN node AS page ON page.site_id = %(site_id)s AND page.node_id = seen.parent_id
WHERE page.content_type IN ('page', 'blogpost')
ON CONFLICT (site_id, node_id) DO UPDATE SET
    space_id = excluded.space_id, parent_id = excluded.parent_id, title = excluded.title,
    url = excluded.url, version = excluded.version, media_type = excluded.media_type,
    size = excluded.size, seen_run = excluded.seen_run
"""
SET_LABELS = """
UPDATE node SET labels = seen.labels
FROM jsonb_to_recordset(%(labels)s) AS seen (node_id text, labels text[])
WHERE site_id = %(site_id)s AND node.node_id = seen.node_id
  AND node.labels IS DISTINCT FROM seen.labels
"""
UNSEEN = """
SELECT node_id FROM node
WHERE space_id = %(space_id)s AND seen_run <> %(run_id)s
  AND content_type <> ALL(%(item_kinds)s::text[])
ORDER BY node_id
"""
COUNT = """
SELECT count(*) FROM node
WHERE space_id = %(space_id)s AND content_type <> ALL(%(item_kinds)s::text[])
"""
FORGET_UNSEEN_ITEMS = """
DELETE FROM node
WHERE site_id = %(site_id)s AND space_id = ANY(%(space_ids)s::int[]) AND seen_run <> %(run_id)s
  AND content_type = ANY(%(item_kinds)s::text[])
"""
FORGET = """
DELETE FROM node WHERE site_id = %(site_id)s AND node_id = ANY(%(node_ids)s::text[])
"""
FORGET_FAILURES = """
DELETE FROM page_failure WHERE site_id = %(site_id)s AND NOT EXISTS (
    SELECT FROM node
    WHERE node.site_id = page_failure.site_id AND node.node_id = page_failure.page_id)
"""
FORGET_OTHER_SPACES = """
WITH other AS (
    UPDATE space SET swept_at = NULL
    WHERE site_id = %(site_id)s AND key <> ALL(%(keys)s::text[]) RETURNING id
)
DELETE FROM node WHERE space_id IN (SELECT id FROM other)
"""
SPACE_SIZES = """
SELECT space.key, count(*) FROM node JOIN space ON space.id = space_id
WHERE node.site_id = %(site_id)s AND content_type <> ALL(%(item_kinds)s::text[])
GROUP BY space.key
"""
SOME_OF = """
SELECT node_id FROM node JOIN space ON space.id = space_id
WHERE node.site_id = %(site_id)s AND space.key = %(key)s AND content_type IN ('page', 'blogpost')
LIMIT %(limit)s
"""
IS_NEW = "SELECT swept_at IS NULL FROM space WHERE id = %(space_id)s"
KNOWN = """
SELECT node_id, space_id FROM node
WHERE site_id = %(site_id)s AND node_id = ANY(%(node_ids)s::text[])
"""
STAMP = """
UPDATE page SET comment_stamp = %(stamp)s
WHERE site_id = %(site_id)s AND page_id = %(page_id)s AND comment_stamp <> %(stamp)s
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a site is known: as which account it was last read, and up to when.

    `listed_at` is the start of the last listing of any kind, `swept_at` that of the last sweep over
    all spaces, `swept_items_at` of the last complete one of comments, attachments and labels.
    """

    account_id: str | None
    listed_at: datetime | None
    swept_at: datetime | None
    swept_items_at: datetime | None


READING = """
SELECT account_id, listed_at, swept_at, swept_items_at FROM site WHERE id = %(site_id)s
"""
RECORD_READING = """
UPDATE site SET account_id = %(account_id)s, listed_at = %(listed_at)s,
    swept_at = %(swept_at)s, swept_items_at = %(swept_items_at)s
WHERE id = %(site_id)s
"""


class Nodes:
    """The tree of one site as the sweeps have seen it."""

    def __init__(self, database: Database, site_id: int) -> None:
        self._database = database
        self._site_id = site_id

    async def reading(self) -> Reading:
        """How far the site is known."""
        async with (
            self._database.pool.connection() as connection,
            connection.cursor(row_factory=class_row(Reading)) as cursor,
        ):
            await cursor.execute(READING, {"site_id": self._site_id})
            found = await cursor.fetchone()
        return found or Reading(None, None, None, None)

    async def record_reading(self, reading: Reading) -> None:
        """Records how far the site is known now."""
        await self._execute(RECORD_READING, **asdict(reading))

    async def saw(self, run_id: int, space_id: int, nodes: Sequence[Node]) -> None:
        """Records nodes of a space, new or known, as a run has seen them."""
        rows = [_cleaned(asdict(node)) for node in nodes]
        await self._execute(SAW, nodes=Jsonb(rows), run_id=run_id, space_id=space_id)

    async def saw_items(self, run_id: int, items: Sequence[ItemNode]) -> None:
        """Records comments and attachments; those of pages that are not known are passed over."""
        rows = [_cleaned(asdict(item)) for item in items]
        await self._execute(SAW_ITEMS, nodes=Jsonb(rows), run_id=run_id)

    async def set_labels(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Records labels by page id."""
        rows = [
            {"node_id": node_id, "labels": [clean(name) for name in names]}
            for node_id, names in labels.items()
        ]
        await self._execute(SET_LABELS, labels=Jsonb(rows))

    async def unseen(self, run_id: int, space_id: int) -> tuple[list[str], int]:
        """Nodes of a space that a run has not seen, and how many it has in all."""
        values = {"run_id": run_id, "space_id": space_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            node_ids = [row[0] async for row in await connection.execute(UNSEEN, values)]
            row = await (await connection.execute(COUNT, values)).fetchone()
        return node_ids, row[0] if row else 0

    async def forget_unseen_items(self, run_id: int, space_ids: Collection[int]) -> None:
        """Forgets the comments and attachments that a complete listing did not show."""
        await self._execute(FORGET_UNSEEN_ITEMS, run_id=run_id, space_ids=list(space_ids))

    async def forget(self, node_ids: Collection[str]) -> None:
        """Forgets nodes that are gone."""
        await self._execute(FORGET, node_ids=list(node_ids))

    async def forget_failures(self) -> None:
        """Forgets the failures of pages that are gone."""
        await self._execute(FORGET_FAILURES)

    async def forget_other_spaces(self, keys: Collection[str]) -> None:
        """Forgets what was seen of all spaces of the site but the given."""
        await self._execute(FORGET_OTHER_SPACES, keys=list(keys))

    async def space_sizes(self) -> dict[str, int]:
        """How many nodes each space has, by key."""
        values = {"site_id": self._site_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            return {row[0]: row[1] async for row in await connection.execute(SPACE_SIZES, values)}

    async def some_of(self, space_key: str, limit: int) -> list[str]:
        """A few pages of a space."""
        values = {"site_id": self._site_id, "key": space_key, "limit": limit}
        async with self._database.pool.connection() as connection:
            return [row[0] async for row in await connection.execute(SOME_OF, values)]

    async def is_new(self, space_id: int) -> bool:
        """Whether no sweep of a space came to its end yet."""
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(IS_NEW, {"space_id": space_id})).fetchone()
        return row is not None and row[0]

    async def known(self, node_ids: Collection[str]) -> dict[str, int]:
        """The space numbers of those of the nodes that are known."""
        values = {"site_id": self._site_id, "node_ids": list(node_ids)}
        async with self._database.pool.connection() as connection:
            return {row[0]: row[1] async for row in await connection.execute(KNOWN, values)}

    async def stamp_comments(self, page_id: str, stamp: str) -> None:
        """Records which comments of a page were taken in."""
        await self._execute(STAMP, page_id=page_id, stamp=stamp)

    async def _execute(self, query: LiteralString, **values: object) -> None:
        values |= {"site_id": self._site_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            await connection.execute(query, values)


def _cleaned(row: dict[str, object]) -> dict[str, object]:
    return {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}
