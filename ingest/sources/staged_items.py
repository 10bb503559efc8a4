"""Reads the comments and attachments of exports that have been staged."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from index.records import ChunkKind
from ingest.sources.source import ItemSummary
from ingest.sources.staged import StagedPage, time_from
from ingest.sources.staging_content import MARKER, MEDIA_TYPE, SELECTION, SIZE, STATUS

ATTACHMENT_PREFIX = "att"


@dataclass(frozen=True, slots=True)
class StagedItem:
    """A comment or attachment of a listing that goes on after its `number`."""

    number: int
    space_key: str
    summary: ItemSummary


@dataclass(frozen=True, slots=True)
class StagedComment:
    """A current comment of a page, without its body.

    `marker` is the reference of an inline comment in the body of its page. `parent_id` is None
    where the parent is not in the export.
    """

    comment_id: str
    parent_id: str | None
    version: int
    author: str | None
    created_at: datetime | None
    marker: str | None
    selection: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class StagedFile:
    """Where in an export the newest version of an attachment lies."""

    export: int
    container_id: str
    attachment_id: str
    version: int
    filename: str

    @property
    def member(self) -> str:
        """The path within the export."""
        return f"attachments/{self.container_id}/{self.attachment_id}/{self.version}"


# CROSS JOIN keeps the order of the tables, so that no part of the listing is sorted.
_COMMENT_ITEMS = """
    SELECT comment.rowid, key, comment_id, container_id, comment.version
    FROM comment
    CROSS JOIN content ON content.export = comment.export AND content_id = container_id
    CROSS JOIN space ON space.export = content.export AND space.space_id = content.space_id
    WHERE comment.rowid > :after
    ORDER BY comment.rowid
    LIMIT :limit
"""


def comments_after(database: sqlite3.Connection, after: int, limit: int) -> list[StagedItem]:
    """The next comments of all spaces."""
    rows = database.execute(_COMMENT_ITEMS, {"after": after, "limit": limit})
    return [
        StagedItem(number, space_key, ItemSummary(ChunkKind.COMMENT, item_id, page_id, version))
        for number, space_key, item_id, page_id, version in rows
    ]


_ATTACHMENT_ITEMS = """
    SELECT attachment.rowid, key, attachment_id, container_id, attachment.version, filename,
        coalesce(media_type, (
            SELECT value FROM property
            WHERE property.export = attachment.export AND property.content_id = attachment_id
                AND name = :media_type)),
        coalesce(size, (
            SELECT value FROM property
            WHERE property.export = attachment.export AND property.content_id = attachment_id
                AND name = :size))
    FROM attachment
    CROSS JOIN content ON content.export = attachment.export AND content.content_id = container_id
    CROSS JOIN space ON space.export = content.export AND space.space_id = content.space_id
    WHERE attachment.rowid > :after
    ORDER BY attachment.rowid
    LIMIT :limit
"""


def attachments_after(database: sqlite3.Connection, after: int, limit: int) -> list[StagedItem]:
    """The next attachments of all spaces, without URL."""
    parameters = {"after": after, "limit": limit, "media_type": MEDIA_TYPE, "size": SIZE}
    rows = database.execute(_ATTACHMENT_ITEMS, parameters)
    return [StagedItem(row[0], row[1], _attachment(row[2:])) for row in rows]


def _attachment(row: Sequence[Any]) -> ItemSummary:
    return ItemSummary(
        kind=ChunkKind.ATTACHMENT,
        item_id=ATTACHMENT_PREFIX + row[0],
        page_id=row[1],
        version=row[2],
        filename=row[3],
        media_type=row[4] or "",
        size=int(row[5]) if (row[5] or "").isdecimal() else 0,
    )


_COMMENTS = """
    SELECT comment_id, parent_id, version, author, created_at,
        (SELECT value FROM property
         WHERE property.export = comment.export AND content_id = comment_id AND name = :marker),
        (SELECT value FROM property
         WHERE property.export = comment.export AND content_id = comment_id AND name = :selection),
        (SELECT value FROM property
         WHERE property.export = comment.export AND content_id = comment_id AND name = :status)
    FROM comment
    WHERE export = :export AND container_id = :page_id
"""


def comments(database: sqlite3.Connection, page: StagedPage) -> list[StagedComment]:
    """The comments of a page, oldest first; those of its attachments too."""
    parameters = {
        "export": page.export,
        "page_id": page.page_id,
        "marker": MARKER,
        "selection": SELECTION,
        "status": STATUS,
    }
    rows = database.execute(_COMMENTS, parameters).fetchall()
    known = {row[0] for row in rows}
    found = [
        StagedComment(
            comment_id=row[0],
            parent_id=row[1] if row[1] in known else None,
            version=row[2],
            author=row[3],
            created_at=time_from(row[4]),
            marker=row[5],
            selection=row[6],
            status=row[7],
        )
        for row in rows
    ]
    return sorted(found, key=_age)


def _age(comment: StagedComment) -> tuple[bool, float, int, str]:
    created_at, comment_id = comment.created_at, comment.comment_id
    return (
        created_at is None,
        created_at.timestamp() if created_at else 0.0,
        len(comment_id),
        comment_id,
    )


_FILE = """
    SELECT attachment.export, container_id, attachment_id, attachment.version, filename
    FROM content JOIN attachment ON attachment.export = content.export
    WHERE content_id = :page_id AND container_id = :page_id AND attachment_id = :attachment_id
"""


def attachment_file(database: sqlite3.Connection, item: ItemSummary) -> StagedFile | None:
    """Where the file of an attachment lies, None when its page has no such attachment."""
    attachment_id = item.item_id.removeprefix(ATTACHMENT_PREFIX)
    parameters = {"attachment_id": attachment_id, "page_id": item.page_id}
    row = database.execute(_FILE, parameters).fetchone()
    return None if row is None else StagedFile(*row)
