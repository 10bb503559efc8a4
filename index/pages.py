"""Reading whole pages: by id, by title, with their place in the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, TypedDict

import psycopg
import psycopg_pool
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.database import Database
from index.errors import NotFound
from index.language import clean
from index.records import ContentType, Heading, State, Unreadable
from index.results import PageInfo, PageLink, StoredPage

PAGE = """
SELECT page.site_id, page_id, title, page.url, space.key AS space_key, content_type, version, state,
       author, updated_at, labels, created_at, markdown, outline, unreadable, ancestors
FROM page JOIN space ON space.id = space_id
WHERE state <> 'tombstoned' AND page_id = %(page_id)s
ORDER BY updated_at DESC LIMIT 1
"""
ANCESTORS = """
SELECT page_id, title, url FROM unnest(%(ancestors)s::text[]) WITH ORDINALITY AS a (page_id, depth)
JOIN page USING (page_id) WHERE site_id = %(site_id)s AND state <> 'tombstoned' ORDER BY depth
"""
CHILDREN = """
SELECT page_id, title, url FROM page
WHERE site_id = %(site_id)s AND state <> 'tombstoned' AND ancestors @> ARRAY[%(page_id)s]
  AND ancestors[cardinality(ancestors)] = %(page_id)s
ORDER BY position NULLS LAST, lower(title) LIMIT 200
"""
BY_TITLE = """
SELECT page_id, title, page.url, space.key AS space_key, content_type, version, state, author,
       updated_at
FROM page JOIN space ON space.id = space_id
WHERE state <> 'tombstoned' AND lower(title) = lower(%(title)s)
  AND (%(space_key)s::text IS NULL OR lower(space.key) = lower(%(space_key)s::text))
ORDER BY updated_at DESC LIMIT 20
"""


class _Heading(TypedDict):
    level: int
    title: str
    anchor: str
    offset: int


class _Unreadable(TypedDict):
    kind: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Info:
    page_id: str
    title: str
    url: str
    space_key: str
    content_type: str
    version: int
    state: str
    author: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class _Page(_Info):
    site_id: int
    labels: list[str]
    created_at: datetime | None
    markdown: str
    outline: list[_Heading]
    unreadable: list[_Unreadable]
    ancestors: list[str]


class Pages:
    """Whole pages as the index has them. Safe to share between concurrent requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answers(self) -> bool:
        """Whether the database can be asked now."""
        try:
            async with self._database.pool.connection(timeout=2) as connection:
                await connection.execute("SELECT 1")
        except (psycopg.Error, psycopg_pool.PoolTimeout):
            return False
        return True

    async def page(self, page_id: str) -> StoredPage:
        """A page by its Confluence id; raises NotFound."""
        async with self._database.pool.connection() as connection:
            async with connection.cursor(row_factory=class_row(_Page)) as cursor:
                await cursor.execute(PAGE, {"page_id": clean(page_id)})
                row = await cursor.fetchone()
            if row is None:
                raise NotFound(f"No page {page_id} in the index.")
            site = {"site_id": row.site_id}
            ancestors = await _links(connection, ANCESTORS, site | {"ancestors": row.ancestors})
            children = await _links(connection, CHILDREN, site | {"page_id": row.page_id})
        return _stored_page(row, ancestors, children)

    async def pages_of_title(self, title: str, space_key: str | None) -> Sequence[PageInfo]:
        """Pages of that title, upper and lower case alike, newest first."""
        values = {"title": clean(title), "space_key": clean(space_key) if space_key else None}
        async with (
            self._database.pool.connection() as connection,
            connection.cursor(row_factory=class_row(_Info)) as cursor,
        ):
            await cursor.execute(BY_TITLE, values)
            return [_info(row) async for row in cursor]


async def _links(
    connection: AsyncConnection[TupleRow],
    query: LiteralString,
    values: Mapping[str, object],
) -> tuple[PageLink, ...]:
    async with connection.cursor(row_factory=class_row(PageLink)) as cursor:
        await cursor.execute(query, values)
        return tuple(await cursor.fetchall())


def _info(row: _Info) -> PageInfo:
    return PageInfo(
        page_id=row.page_id,
        title=row.title,
        url=row.url,
        space_key=row.space_key,
        content_type=ContentType(row.content_type),
        version=row.version,
        state=State(row.state),
        author=row.author,
        updated_at=row.updated_at,
    )


def _stored_page(
    row: _Page, ancestors: tuple[PageLink, ...], children: tuple[PageLink, ...]
) -> StoredPage:
    return StoredPage(
        info=_info(row),
        labels=tuple(row.labels),
        created_at=row.created_at,
        markdown=row.markdown,
        outline=tuple(Heading(**heading) for heading in row.outline),
        unreadable=tuple(Unreadable(**item) for item in row.unreadable),
        ancestors=ancestors,
        children=children,
    )
