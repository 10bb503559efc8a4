"""Reading whole pages: by id, by title, with their place in the tree."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString, TypedDict

import psycopg
import psycopg_pool
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.access import Asker, read_as
from index.database import Database
from index.errors import NotFound
from index.language import clean
from index.page_rows import PageRow, rows_of
from index.records import Attachment, Comment, ContentType, Heading, Unreadable
from index.results import PageInfo, PageLink, StoredPage
from index.surroundings import Near, around, telling_words

PAGE = """
SELECT page_ref, page.site_id, page_id, title, page.url, space.key AS space_key, content_type,
       version, state, author, updated_at, labels, created_at, markdown, outline, unreadable,
       ancestors
FROM shown_page AS page JOIN open_space AS space USING (space_id)
WHERE page_id = %(page_id)s
ORDER BY updated_at DESC LIMIT 1
"""
ANCESTORS = """
SELECT a.page_id, title, url, content_type
FROM unnest(%(ancestors)s::text[]) WITH ORDINALITY AS a (page_id, depth)
JOIN shown_page AS page ON page.site_id = %(site_id)s AND page.page_id = a.page_id
ORDER BY depth
"""
CHILDREN = """
SELECT page_id, title, url, content_type FROM shown_page
WHERE site_id = %(site_id)s AND ancestors @> ARRAY[%(page_id)s]
  AND ancestors[cardinality(ancestors)] = %(page_id)s
ORDER BY position NULLS LAST, lower(title), page_id LIMIT 200
"""
# Ids are numbers: the shorter one is the older one.
COMMENTS = """
SELECT comment_id, parent_id, selection, resolution, author, created_at, version, url, markdown
FROM shown_comment WHERE page_ref = %(page_ref)s
ORDER BY created_at NULLS LAST, length(comment_id), comment_id
"""
ATTACHMENTS = """
SELECT attachment_id, filename, media_type, size, version, url, '' AS markdown, unreadable, recipe
FROM shown_attachment WHERE page_ref = %(page_ref)s ORDER BY lower(filename), attachment_id
"""
ATTACHMENT = """
SELECT attachment_id, filename, media_type, size, attachment.version, attachment.url,
       attachment.markdown, attachment.unreadable, attachment.recipe
FROM shown_page AS page JOIN shown_attachment AS attachment USING (page_ref)
WHERE page_id = %(page_id)s AND lower(filename) = lower(%(filename)s)
ORDER BY updated_at DESC, filename = %(filename)s DESC, attachment.version DESC LIMIT 1
"""
BY_TITLE = """
SELECT page_id, title, page.url, space.key AS space_key, content_type, version, state, author,
       updated_at
FROM shown_page AS page JOIN open_space AS space USING (space_id)
WHERE lower(title) = lower(%(title)s)
  AND (%(space_key)s::text IS NULL OR lower(space.key) = lower(%(space_key)s::text))
ORDER BY updated_at DESC LIMIT 20
"""
SHOWN = "SELECT page_id FROM shown_page WHERE page_id = ANY(%(page_ids)s::text[])"


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
class _Link:
    page_id: str
    title: str
    url: str
    content_type: str


@dataclass(frozen=True, slots=True)
class _Page(PageRow):
    page_ref: int
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

    async def page(self, asker: Asker, page_id: str) -> StoredPage:
        """A page by its Confluence id; raises NotFound, also where the asker may not read it."""
        async with read_as(self._database, asker) as connection:
            found = await rows_of(connection, _Page, PAGE, {"page_id": clean(page_id)})
            if not found:
                raise NotFound(f"No page {page_id} in the index.")
            row = found[0]
            site = {"site_id": row.site_id}
            page = {"page_ref": row.page_ref}
            return replace(
                _stored_page(row),
                ancestors=await _links(connection, ANCESTORS, site | {"ancestors": row.ancestors}),
                children=await _links(connection, CHILDREN, site | {"page_id": row.page_id}),
                comments=in_threads(await rows_of(connection, Comment, COMMENTS, page)),
                attachments=tuple(await rows_of(connection, Attachment, ATTACHMENTS, page)),
            )

    async def attachment(self, asker: Asker, page_id: str, filename: str) -> Attachment:
        """An attachment of a page with its text, upper and lower case alike; raises NotFound."""
        values = {"page_id": clean(page_id), "filename": clean(filename)}
        async with read_as(self._database, asker) as connection:
            found = await rows_of(connection, Attachment, ATTACHMENT, values)
        if not found:
            raise NotFound(f"No attachment {filename} on page {page_id} in the index.")
        return found[0]

    async def pages_of_title(
        self, asker: Asker, title: str, space_key: str | None
    ) -> Sequence[PageInfo]:
        """Pages of that title, upper and lower case alike, newest first."""
        values = {"title": clean(title), "space_key": clean(space_key) if space_key else None}
        async with read_as(self._database, asker) as connection:
            return [row.info for row in await rows_of(connection, PageRow, BY_TITLE, values)]

    async def shown(self, asker: Asker, page_ids: Collection[str]) -> frozenset[str]:
        """Those of the pages that the asker may read now."""
        values = {"page_ids": [clean(page_id) for page_id in page_ids]}
        async with read_as(self._database, asker) as connection:
            return frozenset([row[0] async for row in await connection.execute(SHOWN, values)])

    async def around(
        self, asker: Asker, chunk_ids: Sequence[int], text: str
    ) -> tuple[Mapping[int, Sequence[Near]], tuple[str, ...]]:
        """What stands around chunks that the asker may read, and the telling words of a text."""
        async with read_as(self._database, asker) as connection:
            return await around(connection, chunk_ids), await telling_words(connection, text)


def in_threads(comments: Sequence[Comment]) -> tuple[Comment, ...]:
    """The comments with all replies below what they answer, else in their order."""
    known = {comment.comment_id for comment in comments}
    replies: defaultdict[str | None, list[Comment]] = defaultdict(list)
    for comment in comments:
        replies[comment.parent_id if comment.parent_id in known else None].append(comment)
    ordered: dict[str, Comment] = {}
    waiting = replies[None][::-1]
    while waiting:
        comment = waiting.pop()
        ordered[comment.comment_id] = comment
        waiting += replies[comment.comment_id][::-1]
    # Comments that answer each other in a circle hang on none that was asked.
    return (*ordered.values(), *(one for one in comments if one.comment_id not in ordered))


async def _links(
    connection: AsyncConnection[TupleRow],
    query: LiteralString,
    values: Mapping[str, object],
) -> tuple[PageLink, ...]:
    return tuple(
        PageLink(row.page_id, row.title, row.url, ContentType(row.content_type))
        for row in await rows_of(connection, _Link, query, values)
    )


def _stored_page(row: _Page) -> StoredPage:
    return StoredPage(
        info=row.info,
        labels=tuple(row.labels),
        created_at=row.created_at,
        markdown=row.markdown,
        outline=tuple(Heading(**heading) for heading in row.outline),
        unreadable=tuple(Unreadable(**item) for item in row.unreadable),
        ancestors=(),
        children=(),
    )
