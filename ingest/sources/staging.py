"""Brings an export's objects into a temporary database, so that no body waits in memory."""

import logging
import sqlite3
from collections.abc import Iterable
from datetime import tzinfo

from index.errors import SourceError
from ingest.sources.entities import Entity
from ingest.sources.staging_access import (
    ACCESS_CLASSES,
    ACCESS_OWNERS,
    ACCESS_SCHEMA,
    add_content_permission,
    add_login,
    add_permission_set,
    add_space_permission,
    add_user,
)
from ingest.sources.staging_content import (
    add_attachment,
    add_body,
    add_comment,
    add_owned,
    add_page,
    add_property,
)

logger = logging.getLogger(__name__)

STAGED_CLASSES = ACCESS_CLASSES | {
    "Attachment",
    "BlogPost",
    "BodyContent",
    "Comment",
    "ContentProperty",
    "Label",
    "Labelling",
    "Page",
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
    CREATE TABLE comment (
        export INTEGER, comment_id TEXT, container_id TEXT, parent_id TEXT, version INTEGER,
        author TEXT, created_at TEXT,
        PRIMARY KEY (export, comment_id)
    );
    CREATE TABLE attachment (
        export INTEGER, attachment_id TEXT, container_id TEXT, filename TEXT, media_type TEXT,
        size TEXT, version INTEGER,
        PRIMARY KEY (export, attachment_id)
    );
    CREATE TABLE body (
        export INTEGER, body_id TEXT, content_id TEXT, body_type TEXT, storage TEXT
    );
    CREATE TABLE property (
        export INTEGER, property_id TEXT, content_id TEXT, name TEXT, value TEXT
    );
    CREATE TABLE owned (export INTEGER, collection TEXT, part_id TEXT, owner_id TEXT);
    CREATE TABLE label (export INTEGER, label_id TEXT, name TEXT, PRIMARY KEY (export, label_id));
    CREATE TABLE labelling (export INTEGER, content_id TEXT, label_id TEXT);
    CREATE TABLE person (identifier TEXT PRIMARY KEY, name TEXT);
    CREATE VIEW page AS
        SELECT content.export AS export, content_id AS page_id, key AS space_key, class_name,
            title, parent_id, position, version, is_archived, author, created_at, updated_at, (
                SELECT group_concat(name, char(10)) FROM (
                    SELECT DISTINCT name FROM labelling JOIN label USING (export, label_id)
                    WHERE labelling.export = content.export
                        AND labelling.content_id = content.content_id
                    ORDER BY name)) AS labels,
            content.space_id AS space_id
        FROM space JOIN content USING (export, space_id);
"""


def open_staging() -> sqlite3.Connection:
    """An empty staging database on disk; closing it deletes it."""
    # The empty name: a file that is gone with the process, even when that is killed.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(_SCHEMA)
    database.executescript(ACCESS_SCHEMA)
    return database


def load(
    database: sqlite3.Connection, export: int, objects: Iterable[Entity], zone: tzinfo
) -> None:
    """Stages the objects of one export; times that name no zone are in `zone`."""
    database.execute("BEGIN")
    for entity in objects:
        match entity.class_name:
            case "Page" | "BlogPost":
                add_page(database, export, entity, zone)
                # Of drafts too, so that what restricts these is not taken for lost.
                add_owned(database, export, entity, ("contentPermissionSets",))
            case "Comment":
                add_comment(database, export, entity, zone)
            case "Attachment":
                add_attachment(database, export, entity)
            case "BodyContent":
                add_body(database, export, entity)
            case "ContentProperty":
                add_property(database, export, entity)
            case "Space":
                _add_space(database, export, entity)
                add_owned(database, export, entity, ("permissions",))
            case "Label":
                _add_label(database, export, entity)
            case "Labelling":
                _add_labelling(database, export, entity)
            case "SpacePermission":
                add_space_permission(database, export, entity)
            case "ContentPermissionSet":
                add_permission_set(database, export, entity)
            case "ContentPermission":
                add_content_permission(database, export, entity)
            case "InternalUser":
                add_login(database, entity)
            case _:
                _add_person(database, entity)
                add_user(database, entity)
    database.execute("COMMIT")


# An object refers to what it belongs to, or that one lists it, or both: versions differ.
_OWNERS = """
    CREATE INDEX owned_by_part ON owned (export, collection, part_id);
    UPDATE body SET content_id = (
        SELECT owner_id FROM owned
        WHERE owned.export = body.export AND collection = 'bodyContents' AND part_id = body_id)
    WHERE content_id IS NULL;
    UPDATE property SET content_id = (
        SELECT owner_id FROM owned
        WHERE owned.export = property.export AND collection = 'contentProperties'
            AND part_id = property_id)
    WHERE content_id IS NULL;
    UPDATE comment SET container_id = (
        SELECT owner_id FROM owned
        WHERE owned.export = comment.export AND collection = 'comments' AND part_id = comment_id)
    WHERE container_id IS NULL;
    UPDATE attachment SET container_id = (
        SELECT owner_id FROM owned
        WHERE owned.export = attachment.export AND collection = 'attachments'
            AND part_id = attachment_id)
    WHERE container_id IS NULL;
    UPDATE comment SET container_id = (
        SELECT attachment.container_id FROM attachment
        WHERE attachment.export = comment.export AND attachment_id = comment.container_id)
    WHERE EXISTS (
        SELECT 1 FROM attachment
        WHERE attachment.export = comment.export AND attachment_id = comment.container_id);
"""
_INDEXES = """
    CREATE INDEX content_by_space ON content (export, space_id, content_id);
    CREATE INDEX content_by_id ON content (content_id);
    CREATE INDEX comment_by_container ON comment (export, container_id);
    CREATE INDEX body_by_content ON body (export, content_id);
    CREATE INDEX property_by_content ON property (export, content_id, name);
    CREATE INDEX labelling_by_content ON labelling (export, content_id);
"""
_SPACE_TWICE = "SELECT key FROM space GROUP BY key HAVING COUNT(*) > 1"
_CONTENT_TWICE = "SELECT content_id FROM content GROUP BY content_id HAVING COUNT(*) > 1"
_LOST = """
    SELECT COUNT(*) FROM content LEFT JOIN space USING (export, space_id) WHERE space.key IS NULL
"""


def finish(database: sqlite3.Connection) -> None:
    """Makes all readable, or raises SourceError when exports contradict each other."""
    database.executescript(_OWNERS)
    database.executescript(ACCESS_OWNERS)
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
