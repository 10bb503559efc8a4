"""What the sweeps have seen of a site: its tree, and what hangs on it, without any text.

A sweep writes as it goes, so that however large a site is, its listing does not wait in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row
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
                  position, labels, first_run, seen_run)
SELECT %(site_id)s, node_id, %(space_id)s, content_type, parent_id, title, url, version, state,
       position, labels, %(run_id)s, %(run_id)s
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
                  media_type, size, first_run, seen_run)
SELECT page.site_id, seen.node_id, page.space_id, seen.content_type, seen.parent_id, seen.title,
       seen.url, seen.version, 'live', seen.media_type, seen.size, %(run_id)s, %(run_id)s
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
# What a page says of itself when it is fetched is newer than what a listing said, but where it says
# nothing else than the listing after which it was fetched, a later one may know more. Text that is
# newer than what is known of its restrictions closes the page.
CORRECT = """
UPDATE node SET title = %(title)s, url = %(url)s, version = %(version)s,
    parent_id = CASE WHEN %(parent_id)s::text IS DISTINCT FROM %(was_under)s::text
                THEN %(parent_id)s ELSE parent_id END,
    state = %(state)s, position = coalesce(%(position)s, position),
    labels = coalesce(%(labels)s, labels),
    restricted = CASE WHEN version >= %(version)s THEN restricted END,
    restrictions_run = CASE WHEN version >= %(version)s THEN restrictions_run ELSE 0 END
WHERE site_id = %(site_id)s AND node_id = %(node_id)s AND content_type = %(content_type)s
"""
# Pages below what is nowhere in the tree are closed to everybody.
DISPLACE = """
UPDATE node SET parent_id = '' WHERE site_id = %(site_id)s AND node_id = ANY(%(node_ids)s::text[])
"""
SET_LABELS = """
UPDATE node SET labels = seen.labels
FROM jsonb_to_recordset(%(labels)s) AS seen (node_id text, labels text[])
WHERE site_id = %(site_id)s AND node.node_id = seen.node_id
  AND node.labels IS DISTINCT FROM seen.labels
"""
UNSEEN = """
SELECT node_id FROM node
WHERE space_id = %(space_id)s AND seen_run < %(run_id)s
  AND content_type <> ALL(%(item_kinds)s::text[])
ORDER BY node_id
"""
COUNT = """
SELECT count(*) FROM node
WHERE space_id = %(space_id)s AND content_type <> ALL(%(item_kinds)s::text[])
"""
UNSEEN_ITEMS = """
SELECT count(*) FILTER (WHERE item.seen_run < %(run_id)s), count(*)
FROM node AS item
JOIN node AS page ON page.site_id = item.site_id AND page.node_id = item.parent_id
WHERE item.site_id = %(site_id)s AND item.space_id = ANY(%(space_ids)s::int[])
  AND item.content_type = ANY(%(item_kinds)s::text[]) AND page.seen_run >= %(run_id)s
"""
# What hangs on a hidden page is listed nowhere, and is there again when the page is.
FORGET_UNSEEN_ITEMS = """
DELETE FROM node AS item
WHERE site_id = %(site_id)s AND space_id = ANY(%(space_ids)s::int[]) AND seen_run < %(run_id)s
  AND content_type = ANY(%(item_kinds)s::text[])
  AND (EXISTS (
           SELECT FROM node AS page
           WHERE page.site_id = item.site_id AND page.node_id = item.parent_id
             AND page.seen_run >= %(run_id)s)
       OR NOT EXISTS (
           SELECT FROM page
           WHERE page.site_id = item.site_id AND page.page_id = item.parent_id))
"""
FORGET_COMMENTS = """
DELETE FROM node
WHERE site_id = %(site_id)s AND space_id = ANY(%(space_ids)s::int[]) AND content_type = 'comment'
"""
FORGET_FAILURES = """
DELETE FROM page_failure WHERE site_id = %(site_id)s AND NOT EXISTS (
    SELECT FROM node
    WHERE node.site_id = page_failure.site_id AND node.node_id = page_failure.page_id)
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
# Without what it knows of the tables, Postgres compares every page with every node.
ANALYZE = "ANALYZE node, page, attachment"
STAMP = """
UPDATE page SET comment_stamp = %(stamp)s
WHERE site_id = %(site_id)s AND page_id = %(page_id)s AND comment_stamp <> %(stamp)s
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a site is known: as which account it was last read, and up to when.

    `listed_at` is the start of the last listing of any kind, `swept_at` that of the last sweep over
    all spaces, `swept_items_at` of the last complete one of comments, attachments and labels, by
    the run `items_run`; whether of comments at all says `has_comments`.
    """

    account_id: str | None
    listed_at: datetime | None
    swept_at: datetime | None
    swept_items_at: datetime | None
    items_run: int = 0
    has_comments: bool = True


READING = """
SELECT account_id, listed_at, swept_at, swept_items_at, items_run, has_comments
FROM site WHERE id = %(site_id)s
"""
RECORD_READING = """
UPDATE site SET account_id = %(account_id)s, listed_at = %(listed_at)s,
    swept_at = %(swept_at)s, swept_items_at = %(swept_items_at)s,
    items_run = %(items_run)s, has_comments = %(has_comments)s
WHERE id = %(site_id)s
"""


# What hangs on a page that came from out of sight is no news of any feed.
HAS_NEWCOMERS = """
SELECT EXISTS (
    SELECT FROM node JOIN page ON page.site_id = node.site_id AND page.page_id = node.node_id
    WHERE node.site_id = %(site_id)s AND first_run > %(items_run)s AND created_at < %(before)s)
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
        values = {"nodes": _rows(nodes), "run_id": run_id, "space_id": space_id}
        await self._execute(SAW, **values)

    async def saw_items(self, run_id: int, items: Sequence[ItemNode]) -> None:
        """Records comments and attachments; those of pages that are not known are passed over."""
        await self._execute(SAW_ITEMS, nodes=_rows(items), run_id=run_id)

    async def set_labels(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Records labels by page id."""
        rows = [
            {"node_id": node_id, "labels": [clean(name) for name in names]}
            for node_id, names in labels.items()
        ]
        await self._execute(SET_LABELS, labels=Jsonb(rows))

    async def displace(self, node_ids: Collection[str]) -> None:
        """Records that nodes are not where they were, until they are seen elsewhere."""
        await self._execute(DISPLACE, node_ids=list(node_ids))

    async def analyze(self) -> None:
        """Tells the planner how much there is, which it learns by itself only after a minute."""
        await self._execute(ANALYZE)

    async def unseen(self, run_id: int, space_id: int) -> tuple[list[str], int]:
        """Nodes of a space that a run has not seen, and how many it has in all."""
        values = {"run_id": run_id, "space_id": space_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            node_ids = [row[0] async for row in await connection.execute(UNSEEN, values)]
            row = await (await connection.execute(COUNT, values)).fetchone()
        return node_ids, row[0] if row else 0

    async def unseen_items(self, run_id: int, space_ids: Collection[int]) -> tuple[int, int]:
        """How many comments and attachments of pages that a run saw it did not see; of how many."""
        values = {"site_id": self._site_id, "run_id": run_id, "space_ids": list(space_ids)}
        values |= {"item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(UNSEEN_ITEMS, values)).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    async def forget_comments(self, space_ids: Collection[int]) -> None:
        """Forgets all comments of these spaces."""
        await self._execute(FORGET_COMMENTS, space_ids=list(space_ids))

    async def forget_unseen_items(self, run_id: int, space_ids: Collection[int]) -> None:
        """Forgets the comments and attachments that a complete listing did not show."""
        await self._execute(FORGET_UNSEEN_ITEMS, run_id=run_id, space_ids=list(space_ids))

    async def has_newcomers(self, items_run: int, before: datetime) -> bool:
        """Whether pages were first seen after a run, and are older than that."""
        values = {"site_id": self._site_id, "items_run": items_run, "before": before}
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(HAS_NEWCOMERS, values)).fetchone()
        return row is not None and row[0]

    async def forget_failures(self) -> None:
        """Forgets the failures of pages that are gone."""
        await self._execute(FORGET_FAILURES)

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

    async def _execute(self, query: LiteralString, **values: object) -> None:
        values |= {"site_id": self._site_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            await connection.execute(query, values)


async def correct(
    connection: AsyncConnection[TupleRow], site_id: int, node: Node, was_under: str | None
) -> None:
    """Records how a known node is when it is looked at by itself; the caller commits.

    `was_under` is the parent that it had when it was decided to look.
    """
    labels = None if node.labels is None else [clean(name) for name in node.labels]
    values = _cleaned(asdict(node)) | {"labels": labels, "site_id": site_id}
    values |= {"was_under": was_under}
    await connection.execute(CORRECT, values)


async def stamp_comments(
    connection: AsyncConnection[TupleRow], site_id: int, page_id: str, stamp: str
) -> None:
    """Records which comments of a stored page were taken in; the caller commits."""
    values = {"site_id": site_id, "page_id": page_id, "stamp": stamp}
    await connection.execute(STAMP, values)


def _rows(nodes: Sequence[Node | ItemNode]) -> Jsonb:
    """Each node once: a listing repeats what is pushed across a page break meanwhile."""
    return Jsonb([_cleaned(asdict(node)) for node in {one.node_id: one for one in nodes}.values()])


def _cleaned(row: dict[str, object]) -> dict[str, object]:
    return {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}
