"""What there is to read: spaces, their pages, what changed, and pages by a part of their title."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.access import Asker, read_as
from index.database import Database
from index.errors import NotFound
from index.language import clean
from index.page_rows import PageRow, rows_of
from index.records import Space
from index.results import PageInfo

MOST_SPACES = 1_000
MOST_LISTED = 300  # pages of a space
LOOKED_THROUGH = 20_000  # newest pages, for words inside titles
PATIENCE_MS = 2_000  # nobody waits longer for a suggestion

# Personal spaces last: there is one for each employee.
SPACES = """
SELECT key, min(name) AS name, min(url) AS url FROM open_space
GROUP BY key ORDER BY starts_with(key, '~'), lower(min(name)), key LIMIT %(most)s
"""
SPACES_OF_TEXT = """
SELECT key, min(name) AS name, min(url) AS url FROM open_space
WHERE starts_with(lower(key), lower(%(text)s)) OR starts_with(lower(key), '~' || lower(%(text)s))
   OR strpos(' ' || lower(name), ' ' || lower(%(text)s)) > 0
GROUP BY key
ORDER BY NOT bool_or(starts_with(lower(key), lower(%(text)s))), starts_with(key, '~'), key
LIMIT %(most)s
"""
SPACE = """
SELECT key, min(name) AS name, min(url) AS url FROM open_space
WHERE lower(key) = lower(%(key)s) GROUP BY key ORDER BY key = %(key)s DESC LIMIT 1
"""
# From the top of the tree down; blog posts, which are in none, come last.
PAGES_OF_SPACE = """
SELECT page_id, title, page.url, space.key AS space_key, content_type, version, state, author,
       updated_at, ancestors
FROM shown_page AS page JOIN open_space AS space USING (space_id)
WHERE space.key = %(key)s
ORDER BY content_type = 'blogpost', cardinality(ancestors), position NULLS LAST, lower(title),
         page_id
LIMIT %(most)s
"""
SPACE_IDS = "SELECT array_agg(space_id) FROM open_space WHERE key = %(key)s"
SIZE_OF_SPACE = """
SELECT count(*) FROM shown_page AS page JOIN open_space AS space USING (space_id)
WHERE space.key = %(key)s
"""
CHANGED = """
SELECT page_id, title, page.url, space.key AS space_key, content_type, version, state, author,
       updated_at, created_at
FROM shown_page AS page JOIN open_space AS space USING (space_id)
WHERE content_type IN ('page', 'blogpost')
  AND (%(since)s::timestamptz IS NULL OR updated_at >= %(since)s::timestamptz)
  AND (%(key)s::text IS NULL OR space.key = %(key)s::text)
ORDER BY updated_at DESC, page_id DESC LIMIT %(most)s
"""
# An index knows titles by how they begin; for words inside them the newest pages are looked
# through, so that the largest wiki costs no more.
TITLES = """
(SELECT 0 AS place, page_id, title, page.url, space.key AS space_key, content_type, version, state,
        author, updated_at
 FROM shown_page AS page JOIN open_space AS space USING (space_id)
 WHERE lower(title) LIKE %(beginning)s
   AND (%(spaces)s::int[] IS NULL OR space_id = ANY(%(spaces)s::int[]))
 ORDER BY lower(title), updated_at DESC LIMIT %(most)s)
UNION ALL
(SELECT 1, page_id, title, page.url, space.key, content_type, version, state, author, updated_at
 FROM (SELECT * FROM shown_page
       WHERE %(spaces)s::int[] IS NULL OR space_id = ANY(%(spaces)s::int[])
       ORDER BY updated_at DESC LIMIT %(looked_through)s) AS page
 JOIN open_space AS space USING (space_id)
 WHERE lower(title) NOT LIKE %(beginning)s AND lower(title) LIKE ALL (%(anywhere)s::text[])
   AND (SELECT bool_and(strpos(' ' || translate(lower(title), %(marks)s, %(blanks)s), part) > 0)
        FROM unnest(%(parts)s::text[]) AS part)
 ORDER BY updated_at DESC LIMIT %(most)s)
ORDER BY place LIMIT %(most)s
"""
PATIENCE = "SELECT set_config('statement_timeout', %(patience)s, true)"
MARKS = "-_/:.,;()[]{}<>&+|\"'"


@dataclass(frozen=True, slots=True)
class Change:
    """A page that was made or changed; `created_at` tells which, where the wiki keeps it."""

    page: PageInfo
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page of a space, `depth` pages below its top."""

    page: PageInfo
    depth: int


@dataclass(frozen=True, slots=True)
class SpaceContents:
    """A space with the first of its `size` pages, in the order of its tree."""

    space: Space
    leaves: tuple[Leaf, ...]
    size: int


@dataclass(frozen=True, slots=True)
class _Titled(PageRow):
    place: int


@dataclass(frozen=True, slots=True)
class _Changed(PageRow):
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Listed(PageRow):
    ancestors: list[str]


class Catalogue:
    """Lists of what an asker may read. Safe to share between concurrent requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spaces(self, asker: Asker) -> Sequence[Space]:
        """The first spaces by name, personal ones last."""
        async with self._reading(asker) as connection:
            return await rows_of(connection, Space, SPACES, {"most": MOST_SPACES})

    async def spaces_of_text(self, asker: Asker, text: str, limit: int) -> Sequence[Space]:
        """Spaces whose key, or a word of whose name, begins with a text."""
        values = {"text": clean(text).strip(), "most": limit}
        async with self._reading(asker, f"{PATIENCE_MS}ms") as connection:
            return await rows_of(connection, Space, SPACES_OF_TEXT, values)

    async def space(self, asker: Asker, key: str) -> Space:
        """A space by its key, upper and lower case alike; raises NotFound."""
        async with self._reading(asker) as connection:
            return await _space(connection, key)

    async def contents(self, asker: Asker, key: str) -> SpaceContents:
        """A space and its pages; raises NotFound."""
        async with self._reading(asker) as connection:
            space = await _space(connection, key)
            values = {"key": space.key, "most": MOST_LISTED}
            rows = await rows_of(connection, _Listed, PAGES_OF_SPACE, values)
            sizes = await connection.execute(SIZE_OF_SPACE, {"key": space.key})
            (size,) = await sizes.fetchone() or (0,)
        return SpaceContents(space, _in_tree(rows), size)

    async def changed(
        self, asker: Asker, *, space_key: str | None, since: datetime | None, limit: int
    ) -> Sequence[Change]:
        """Pages and blog posts by when they were changed, newest first."""
        values = {"key": space_key, "since": since, "most": limit}
        async with self._reading(asker) as connection:
            rows = await rows_of(connection, _Changed, CHANGED, values)
        return [Change(row.info, row.created_at) for row in rows]

    async def titles(
        self, asker: Asker, text: str, *, space_key: str | None, limit: int
    ) -> Sequence[PageInfo]:
        """Pages whose title begins with a text, then those that have words which begin so.

        Of words, only the newest pages are known. Without a text, these are the newest pages.
        """
        text = clean(text).strip().lower()
        values: dict[str, object] = {
            "beginning": f"{_literally(text)}%" if text else "",
            "anywhere": [f"%{_literally(part.strip())}%" for part in _parts(text)],
            "parts": _parts(text),
            "marks": MARKS,
            "blanks": " " * len(MARKS),
            "looked_through": LOOKED_THROUGH,
            "most": limit,
        }
        async with self._reading(asker, f"{PATIENCE_MS}ms") as connection:
            values["spaces"] = await _space_ids(connection, space_key) if space_key else None
            return [row.info for row in await rows_of(connection, _Titled, TITLES, values)]

    @asynccontextmanager
    async def _reading(
        self, asker: Asker, patience: str = ""
    ) -> AsyncGenerator[AsyncConnection[TupleRow]]:
        async with read_as(self._database, asker) as connection:
            if patience:
                await connection.execute(PATIENCE, {"patience": patience})
            yield connection


async def _space(connection: AsyncConnection[TupleRow], key: str) -> Space:
    found = await rows_of(connection, Space, SPACE, {"key": clean(key).strip()})
    if not found:
        raise NotFound(f"No space {key[:200]!r} in the index.")
    return found[0]


async def _space_ids(connection: AsyncConnection[TupleRow], key: str) -> list[int]:
    """A space's own numbers, of which there is one for each site that has such a space."""
    rows = await connection.execute(SPACE_IDS, {"key": key})
    (ids,) = await rows.fetchone() or (None,)
    return ids or []


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _parts(text: str) -> list[str]:
    """What a title has to hold: each word where one begins, unless its script has no spaces."""
    words = text.translate(str.maketrans(MARKS, " " * len(MARKS))).split()
    return [f" {word}" if word.isascii() else word for word in words] or [""]


def _in_tree(rows: Sequence[_Listed]) -> tuple[Leaf, ...]:
    """Each page right below its parent, as far as that is among them."""
    known = {row.page_id for row in rows}
    below: dict[str | None, list[_Listed]] = {}
    for row in rows:
        parent = row.ancestors[-1] if row.ancestors and row.ancestors[-1] in known else None
        below.setdefault(parent, []).append(row)
    leaves: dict[str, Leaf] = {}
    waiting = [(row, 0) for row in reversed(below.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        leaves[row.page_id] = Leaf(row.info, depth)
        waiting += [(child, depth + 1) for child in reversed(below.get(row.page_id, []))]
    return tuple(leaves.values())
