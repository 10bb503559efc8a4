"""Stages pages, comments and attachments of an export, their bodies and their properties."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, tzinfo

from index.errors import SourceError
from ingest.sources.entities import Entity

MEDIA_TYPE = "MEDIA_TYPE"
SIZE = "FILESIZE"
MARKER = "inline-marker-ref"
SELECTION = "inline-original-selection"
STATUS = "status"

_PROPERTIES = frozenset({MEDIA_TYPE, SIZE, MARKER, SELECTION, STATUS})
_COLLECTIONS = ("bodyContents", "contentProperties", "comments", "attachments")
# Confluence 8 calls what a body belongs to a ContentEntityObject, whether page or comment.
_WITHOUT_STAGED_BODY = frozenset({"CustomContentEntityObject", "PageTemplate", "SpaceDescription"})

_ADD_PAGE = """
    INSERT OR REPLACE INTO content VALUES (
        :export, :content_id, :space_id, :class_name, :title, :parent_id, :position, :version,
        :is_archived, :author, :created_at, :updated_at
    )
"""


def add_page(database: sqlite3.Connection, export: int, entity: Entity, zone: tzinfo) -> None:
    """Stages a page or blog post, unless it is a draft, deleted or an old version."""
    values = entity.properties
    status = _status(entity)
    if _is_old_version(entity) or status not in {"current", "archived"}:
        return
    if not entity.entity_id:
        raise SourceError(f"The export has a {entity.class_name} without id. Make a new export.")
    row = {
        "export": export,
        "content_id": entity.entity_id,
        "space_id": values.get("space"),
        "class_name": entity.class_name,
        "title": _line(values.get("title", "")) or "Untitled",
        "parent_id": values.get("parent"),
        "position": _number(values.get("position")),
        "version": _number(values.get("version")) or 1,
        "is_archived": status == "archived",
        "author": _author(entity),
        "created_at": _time(values.get("creationDate"), zone),
        "updated_at": _time(values.get("lastModificationDate"), zone),
    }
    database.execute(_ADD_PAGE, row)
    add_owned(database, export, entity)


_ADD_COMMENT = """
    INSERT OR REPLACE INTO comment VALUES (
        :export, :comment_id, :container_id, :parent_id, :version, :author, :created_at
    )
"""


def add_comment(database: sqlite3.Connection, export: int, entity: Entity, zone: tzinfo) -> None:
    """Stages a comment, unless it is a draft, deleted or an old version."""
    values = entity.properties
    if _is_old_version(entity) or _status(entity) != "current":
        return
    row = {
        "export": export,
        "comment_id": entity.entity_id,
        "container_id": values.get("containerContent") or values.get("owner"),
        "parent_id": values.get("parent"),
        "version": _number(values.get("version")) or 1,
        "author": _author(entity),
        "created_at": _time(values.get("creationDate"), zone),
    }
    database.execute(_ADD_COMMENT, row)
    add_owned(database, export, entity)


_ADD_ATTACHMENT = """
    INSERT OR REPLACE INTO attachment VALUES (
        :export, :attachment_id, :container_id, :filename, :media_type, :size, :version
    )
"""


def add_attachment(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages the newest version of an attachment, unless it is deleted."""
    values = entity.properties
    version = _number(values.get("version") or values.get("attachmentVersion"))
    # What has no version is the remainder of a failed upload.
    if _is_old_version(entity) or _status(entity) != "current" or version is None:
        return
    row = {
        "export": export,
        "attachment_id": entity.entity_id,
        "container_id": values.get("containerContent") or values.get("content"),
        "filename": _line(values.get("title") or values.get("fileName") or "") or "Untitled",
        "media_type": values.get("contentType"),
        "size": values.get("fileSize"),
        "version": version,
    }
    database.execute(_ADD_ATTACHMENT, row)
    add_owned(database, export, entity)


_ADD_BODY = "INSERT INTO body VALUES (:export, :body_id, :content_id, :body_type, :storage)"


def add_body(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages a body of a page or comment."""
    values = entity.properties
    if entity.classes.get("content") not in _WITHOUT_STAGED_BODY:
        row = {
            "export": export,
            "body_id": entity.entity_id,
            "content_id": values.get("content"),
            "body_type": values.get("bodyType", "").strip(),
            "storage": values.get("body", ""),
        }
        database.execute(_ADD_BODY, row)


_ADD_PROPERTY = "INSERT INTO property VALUES (:export, :property_id, :content_id, :name, :value)"


def add_property(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages what is said of an attachment or an inline comment besides its own fields."""
    values = entity.properties
    name = values.get("name", "").strip()
    value = values.get("stringValue", "").strip() or values.get("longValue", "").strip()
    if name in _PROPERTIES and value:
        row = {
            "export": export,
            "property_id": entity.entity_id,
            "content_id": values.get("content"),
            "name": name,
            "value": value,
        }
        database.execute(_ADD_PROPERTY, row)


_ADD_OWNED = "INSERT INTO owned VALUES (:export, :collection, :part_id, :owner_id)"


def add_owned(
    database: sqlite3.Connection,
    export: int,
    entity: Entity,
    collections: Iterable[str] = _COLLECTIONS,
) -> None:
    """Stages which objects one says are its own."""
    for collection in collections:
        rows = [
            {
                "export": export,
                "collection": collection,
                "part_id": part_id,
                "owner_id": entity.entity_id,
            }
            for part_id in entity.collections.get(collection, ())
        ]
        database.executemany(_ADD_OWNED, rows)


def _is_old_version(entity: Entity) -> bool:
    references = ("originalVersion", "originalVersionId")
    return any(entity.properties.get(name, "").strip() for name in references)


def _status(entity: Entity) -> str:
    return entity.properties.get("contentStatus", "current").strip().lower()


def _author(entity: Entity) -> str | None:
    return entity.properties.get("creator") or entity.properties.get("creatorName")


def _line(text: str) -> str:
    return " ".join(text.splitlines()).strip()


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
