"""Reads the spaces, pages and people of exports that have been staged."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STORAGE_FORMAT = "2"


@dataclass(frozen=True, slots=True)
class StagedPage:
    """A current or archived page or blog post, without its body."""

    export: int
    page_id: str
    space_key: str
    class_name: str
    title: str
    parent_id: str | None
    position: int | None
    version: int
    is_archived: bool
    author: str | None
    created_at: datetime | None
    updated_at: datetime | None
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StagedBody:
    """A body as the export has it; `body_type` is Confluence's number of its format."""

    body_type: str
    storage: str

    @property
    def is_storage(self) -> bool:
        """Whether it can be read as storage format; of empty bodies some exports tell no type."""
        return self.body_type == STORAGE_FORMAT or not (self.body_type or self.storage.strip())


_SPACES = "SELECT key, name FROM space ORDER BY key"


def spaces(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Keys and names of all spaces."""
    return database.execute(_SPACES).fetchall()


_PAGES = """
    SELECT * FROM page
    WHERE (export, space_id) = (SELECT export, space_id FROM space WHERE key = :space_key)
        AND page_id > :after
    ORDER BY page_id
    LIMIT :limit
"""


def pages_after(
    database: sqlite3.Connection, space_key: str, after: str, limit: int
) -> list[StagedPage]:
    """The next pages of a space whose ids, compared as text, follow `after`."""
    parameters = {"space_key": space_key, "after": after, "limit": limit}
    return [_page(row) for row in database.execute(_PAGES, parameters)]


_PAGE = "SELECT * FROM page WHERE page_id = :page_id"


def page(database: sqlite3.Connection, page_id: str) -> StagedPage | None:
    """One page."""
    row = database.execute(_PAGE, {"page_id": page_id}).fetchone()
    return None if row is None else _page(row)


_SPACE_KEY = "SELECT space_key FROM page WHERE page_id = :page_id"


def shown(database: sqlite3.Connection, page_ids: Collection[str]) -> dict[str, str]:
    """Space keys by id of those pages that are in the exports."""
    keys: dict[str, str] = {}
    for page_id in page_ids:
        row = database.execute(_SPACE_KEY, {"page_id": page_id}).fetchone()
        if row is not None:
            keys[page_id] = row[0]
    return keys


def _page(row: Sequence[Any]) -> StagedPage:
    return StagedPage(
        export=row[0],
        page_id=row[1],
        space_key=row[2],
        class_name=row[3],
        title=row[4],
        parent_id=row[5],
        position=row[6],
        version=row[7],
        is_archived=bool(row[8]),
        author=row[9],
        created_at=time_from(row[10]),
        updated_at=time_from(row[11]),
        labels=tuple(filter(None, (row[12] or "").split("\n"))),
    )


def time_from(text: str | None) -> datetime | None:
    """A time as it is staged."""
    return None if text is None else datetime.fromisoformat(text)


_BODY = """
    SELECT body_type, storage FROM body
    WHERE export = :export AND content_id = :content_id
    ORDER BY body_type = :wanted DESC
    LIMIT 1
"""


def body(database: sqlite3.Connection, export: int, content_id: str) -> StagedBody | None:
    """The body of a page or comment; the one in storage format where the export has several."""
    parameters = {"export": export, "content_id": content_id, "wanted": STORAGE_FORMAT}
    row = database.execute(_BODY, parameters).fetchone()
    return None if row is None else StagedBody(*row)


_PERSON = "SELECT name FROM person WHERE identifier = :identifier"


def user_names(database: sqlite3.Connection, user_ids: Collection[str]) -> dict[str, str]:
    """Display names by account id, key or user name; unknown ones are left out."""
    names: dict[str, str] = {}
    for user_id in user_ids:
        row = database.execute(_PERSON, {"identifier": user_id}).fetchone()
        if row is not None:
            names[user_id] = row[0]
    return names
