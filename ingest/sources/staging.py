"""Brings an export's objects into a temporary database, so that no body waits in memory."""

import logging
import sqlite3
from collections.abc import Iterable
from datetime import datetime, tzinfo

from index.errors import SourceError
from ingest.sources.entities import Entity

logger = logging.getLogger(__name__)

CONTENT_CLASSES = frozenset({"Page", "BlogPost"})
STAGED_CLASSES = CONTENT_CLASSES | {
    "BodyContent",
    "ConfluenceUserImpl",
    "Label",
    "Labelling",
    "Space",
}

_SCHEMA = """
    PRAGMA cache_size = -8192;
    PRAGMA journal_mode = OFF;
    CREATE TABLE space (
        export INTEGER, space_id TEXT, key TEXT COLLATE NOCASE, name TEXT,
        PRIMARY KEY (export, space_id)
    );
    CREATE TABLE content (
        export INTEGER, content_id TEXT, space_id TEXT, class_name TEXT, title TEXT,
        parent_id TEXT, position INTEGER, version INTEGER, is_archived INTEGER, author TEXT,
        created_at TEXT, updated_at TEXT,
        PRIMARY KEY (export, content_id)
    );
    CREATE TABLE body (export INTEGER, content_id TEXT, body_type TEXT, storage TEXT);
    CREATE TABLE label (export INTEGER, label_id TEXT, name TEXT, PRIMARY KEY (export, label_id));
    CREATE TABLE labelling (export INTEGER, content_id TEXT, label_id TEXT);
    CREATE TABLE person (identifier TEXT PRIMARY KEY, name TEXT);
"""


def open_staging() -> sqlite3.Connection:
    """An empty staging database on disk; closing it deletes it."""
    # The empty name: a file that is gone with the process, even when that is killed.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(_SCHEMA)
    return database


def load(
    database: sqlite3.Connection, export: int, objects: Iterable[Entity], zone: tzinfo
) -> None:
    """Stages the objects of one export; times that name no zone are in `zone`."""
    database.execute("BEGIN")
    for entity in objects:
        match entity.class_name:
            case "Page" | "BlogPost":
                _add_content(database, export, entity, zone)
            case "BodyContent":
                _add_body(database, export, entity)
            case "Space":
                _add_space(database, export, entity)
            case "Label":
                _add_label(database, export, entity)
            case "Labelling":
                _add_labelling(database, export, entity)
            case _:
                _add_person(database, entity)
    database.execute("COMMIT")


_INDEXES = """
    CREATE INDEX content_by_space ON content (export, space_id, content_id);
    CREATE INDEX content_by_id ON content (content_id);
    CREATE INDEX body_by_content ON body (export, content_id);
    CREATE INDEX labelling_by_content ON labelling (export, content_id);
"""
_SPACE_TWICE = "SELECT key FROM space GROUP BY key HAVING COUNT(*) > 1"
_CONTENT_TWICE = "SELECT content_id FROM content GROUP BY content_id HAVING COUNT(*) > 1"
_LOST = """
    SELECT COUNT(*) FROM content LEFT JOIN space USING (export, space_id) WHERE space.key IS NULL
"""


def finish(database: sqlite3.Connection) -> None:
    """Makes all readable, or raises SourceError when exports contradict each other."""
    database.executescript(_INDEXES)
    for what, query in (("space", _SPACE_TWICE), ("page id", _CONTENT_TWICE)):
        twice = database.execute(query).fetchone()
        if twice is not None:
            raise SourceError(
                f"Two exports hold the {what} {twice[0]}. Keep only the newest export of each "
                "space in the folder, and exports of different sites in different folders."
            )
    (lost,) = database.execute(_LOST).fetchone()
    if lost:
        logger.warning("pages that belong to no exported space are passed over: pages=%d", lost)


_ADD_CONTENT = """
    INSERT OR REPLACE INTO content VALUES (
        :export, :content_id, :space_id, :class_name, :title, :parent_id, :position, :version,
        :is_archived, :author, :created_at, :updated_at
    )
"""


def _add_content(database: sqlite3.Connection, export: int, entity: Entity, zone: tzinfo) -> None:
    values = entity.properties
    status = values.get("contentStatus", "current").lower()
    if "originalVersion" in values or status not in {"current", "archived"}:
        return
    if not entity.entity_id:
        raise SourceError(f"The export has a {entity.class_name} without id. Make a new export.")
    row = {
        "export": export,
        "content_id": entity.entity_id,
        "space_id": values.get("space"),
        "class_name": entity.class_name,
        "title": " ".join(values.get("title", "").splitlines()).strip() or "Untitled",
        "parent_id": values.get("parent"),
        "position": _number(values.get("position")),
        "version": _number(values.get("version")) or 1,
        "is_archived": status == "archived",
        "author": values.get("creator") or values.get("creatorName"),
        "created_at": _time(values.get("creationDate"), zone),
        "updated_at": _time(values.get("lastModificationDate"), zone),
    }
    database.execute(_ADD_CONTENT, row)


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _time(text: str | None, zone: tzinfo) -> str | None:
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=zone)).isoformat()


_ADD_BODY = "INSERT INTO body VALUES (:export, :content_id, :body_type, :storage)"


def _add_body(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    values = entity.properties
    if entity.classes.get("content") in CONTENT_CLASSES:
        row = {
            "export": export,
            "content_id": values["content"],
            "body_type": values.get("bodyType", "").strip(),
            "storage": values.get("body", ""),
        }
        database.execute(_ADD_BODY, row)


_ADD_SPACE = "INSERT OR REPLACE INTO space VALUES (:export, :space_id, :key, :name)"


def _add_space(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    key = entity.properties.get("key")
    if key:
        name = entity.properties.get("name", key)
        row = {"export": export, "space_id": entity.entity_id, "key": key, "name": name}
        database.execute(_ADD_SPACE, row)


_ADD_LABEL = "INSERT OR REPLACE INTO label VALUES (:export, :label_id, :name)"


def _add_label(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    name = entity.properties.get("name")
    if name and entity.properties.get("namespace", "global") == "global":
        row = {"export": export, "label_id": entity.entity_id, "name": name}
        database.execute(_ADD_LABEL, row)


_ADD_LABELLING = "INSERT INTO labelling VALUES (:export, :content_id, :label_id)"


def _add_labelling(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    row = {
        "export": export,
        "content_id": entity.properties.get("content"),
        "label_id": entity.properties.get("label"),
    }
    database.execute(_ADD_LABELLING, row)


_ADD_PERSON = "INSERT OR REPLACE INTO person VALUES (:identifier, :name)"


def _add_person(database: sqlite3.Connection, entity: Entity) -> None:
    values = entity.properties
    names = (values.get(key) for key in ("fullName", "displayName", "name", "lowerName"))
    name = next(filter(None, names), None)
    # On Cloud the user name can be the account id once more, which tells nothing.
    if name is None or name == entity.entity_id:
        return
    aliases = (values.get(key) for key in ("name", "lowerName", "atlassianAccountId"))
    for identifier in filter(None, (entity.entity_id, *aliases)):
        database.execute(_ADD_PERSON, {"identifier": identifier, "name": name})
