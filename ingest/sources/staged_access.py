"""Reads who may read what from exports that have been staged, as these name people."""

import sqlite3
from dataclasses import dataclass

from ingest.sources.refusals import NotVisible, UnexpectedAnswer
from ingest.sources.staging_access import SubjectKind

VIEW_SPACE = "viewspace"
VIEW = "view"
# Who may edit, and to whom a draft is shown.
OTHER_TYPES = frozenset({"edit", "share"})
# Whom a restriction can name; a space may also be open to a class of people.
USERS_AND_GROUPS = frozenset({SubjectKind.USER_KEY, SubjectKind.USER_NAME, SubjectKind.GROUP})


@dataclass(frozen=True, slots=True)
class Subject:
    """To whom something is granted."""

    kind: SubjectKind
    name: str


@dataclass(frozen=True, slots=True)
class StagedUser:
    """A user as one export tells of it; all but the key may be missing."""

    key: str
    account_id: str | None
    name: str | None
    lower_name: str | None
    email: str | None


_SPACE_PERMISSIONS = """
    SELECT space_permission.type, kind, space_permission.name
    FROM space JOIN space_permission USING (export, space_id)
    WHERE key = :space_key
"""


def space_subjects(database: sqlite3.Connection, space_key: str) -> list[Subject]:
    """Who may view a space; NotVisible when the export tells of no permissions there at all."""
    rows = database.execute(_SPACE_PERMISSIONS, {"space_key": space_key}).fetchall()
    if not rows:
        raise NotVisible(
            f"The export tells of no permission in the space {space_key}. Export it again as "
            "somebody who administers the space, or state with --public that all may read it."
        )
    return [Subject(SubjectKind(kind), name) for type_, kind, name in rows if type_ == VIEW_SPACE]


_CONTENTS = """
    SELECT export, content_id FROM content
    WHERE (export, space_id) = (SELECT export, space_id FROM space WHERE key = :space_key)
        AND content_id > :after
    ORDER BY content_id
    LIMIT :limit
"""


def restrictions_after(
    database: sqlite3.Connection, space_key: str, after: str, limit: int
) -> list[tuple[str, list[Subject] | None]]:
    """Who alone may view the next pages of a space, by id; None where that cannot be read."""
    parameters = {"space_key": space_key, "after": after, "limit": limit}
    found: list[tuple[str, list[Subject] | None]] = []
    for export, content_id in database.execute(_CONTENTS, parameters).fetchall():
        try:
            found.append((content_id, _restriction(database, export, content_id)))
        except UnexpectedAnswer:
            found.append((content_id, None))
    return found


_EXPORT = "SELECT export FROM content WHERE content_id = :content_id"


def restriction(database: sqlite3.Connection, content_id: str) -> list[Subject]:
    """Who alone may view a page by its own restriction, none if there is no such.

    UnexpectedAnswer when not all of it can be read; NotVisible when there is no such page.
    """
    row = database.execute(_EXPORT, {"content_id": content_id}).fetchone()
    if row is None:
        raise NotVisible(f"Page {content_id} is not in the export.")
    return _restriction(database, row[0], content_id)


_LOST = "SELECT object_id FROM lost_restriction WHERE export = :export LIMIT 1"
_SETS = """
    SELECT restriction.set_id, permission_set.type
    FROM restriction LEFT JOIN permission_set USING (export, set_id)
    WHERE restriction.export = :export AND restriction.content_id = :content_id
"""


def _restriction(database: sqlite3.Connection, export: int, content_id: str) -> list[Subject]:
    lost = database.execute(_LOST, {"export": export}).fetchone()
    if lost is not None:
        raise UnexpectedAnswer(
            f"The restriction {lost[0]} in the export does not tell its page, which may be any. "
            "Make a new export."
        )
    sets = database.execute(_SETS, {"export": export, "content_id": content_id}).fetchall()
    limits = [
        limit
        for set_id, type_ in sets
        if type_ is not None and (limit := _limit(database, export, set_id, type_)) is not None
    ]
    # A page has one restriction of each type, so that beside one to view another is not to view.
    is_one_missing = any(type_ is None for _, type_ in sets)
    if len(limits) > 1 or (is_one_missing and not limits):
        raise UnexpectedAnswer(
            f"The restrictions of page {content_id} are not whole in the export. Make a new export."
        )
    return limits[0] if limits else []


_ENTRIES = """
    SELECT permission_id, type, kind, name FROM content_permission
    WHERE export = :export AND set_id = :set_id
"""
_LISTED = """
    SELECT part_id FROM owned
    WHERE export = :export AND collection = 'contentPermissions' AND owner_id = :set_id
"""


def _limit(
    database: sqlite3.Connection, export: int, set_id: str, type_: str
) -> list[Subject] | None:
    """Whom a restriction names; None when it is not about viewing."""
    parameters = {"export": export, "set_id": set_id}
    entries = database.execute(_ENTRIES, parameters).fetchall()
    if type_ in OTHER_TYPES and all(entry[1] != VIEW for entry in entries):
        return None
    listed = {part_id for (part_id,) in database.execute(_LISTED, parameters)}
    is_whole = listed <= {entry[0] for entry in entries} and all(
        entry[1] == VIEW and entry[2] in USERS_AND_GROUPS for entry in entries
    )
    if not (set_id and type_ == VIEW and entries and is_whole):
        raise UnexpectedAnswer(
            f"The restriction {set_id} cannot be read from the export. Make a new export."
        )
    return [Subject(SubjectKind(kind), name) for _, _, kind, name in entries]


_USERS = "SELECT key, account_id, name, lower_name, email FROM known_user ORDER BY rowid"


def users(database: sqlite3.Connection) -> list[StagedUser]:
    """The users of all exports; one of several exports more than once."""
    return [StagedUser(*row) for row in database.execute(_USERS)]


_INACTIVE = "SELECT name FROM inactive_user"


def inactive_names(database: sqlite3.Connection) -> frozenset[str]:
    """Names, in lower case, of those who may not log in any more."""
    return frozenset(name for (name,) in database.execute(_INACTIVE))
