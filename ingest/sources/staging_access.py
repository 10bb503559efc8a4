"""Stages who may read what by an export: permissions to view, restrictions, and its users."""

import sqlite3
from enum import StrEnum

from index.principals import ANONYMOUS
from ingest.sources.entities import Entity
from ingest.sources.staging_content import add_owned

ACCESS_CLASSES = frozenset(
    {
        "ConfluenceUserImpl",
        "ContentPermission",
        "ContentPermissionSet",
        "InternalUser",
        "SpacePermission",
    }
)
ACCESS_SCHEMA = """
    CREATE TABLE space_permission (
        export INTEGER, permission_id TEXT, space_id TEXT, type TEXT, kind TEXT, name TEXT
    );
    CREATE TABLE permission_set (export INTEGER, set_id TEXT, content_id TEXT, type TEXT);
    CREATE TABLE content_permission (
        export INTEGER, permission_id TEXT, set_id TEXT, type TEXT, kind TEXT, name TEXT
    );
    CREATE TABLE known_user (
        key TEXT, account_id TEXT, name TEXT, lower_name TEXT, email TEXT
    );
    CREATE TABLE inactive_user (name TEXT);
"""


class SubjectKind(StrEnum):
    """What names those to whom something is granted; what is UNREADABLE is granted to nobody."""

    USER_KEY = "key"
    USER_NAME = "username"
    GROUP = "group"
    CLASS = "class"
    UNREADABLE = "unreadable"


# The first that is there counts within one kind of subject: newer exports know the key.
_SUBJECTS = (
    (("userSubject", SubjectKind.USER_KEY), ("userName", SubjectKind.USER_NAME)),
    (("groupName", SubjectKind.GROUP), ("group", SubjectKind.GROUP)),
    (("allUsersSubject", SubjectKind.CLASS),),
)
# What tells nothing of who it is granted to.
_BESIDES = frozenset(
    {
        "creationDate",
        "creator",
        "creatorName",
        "lastModificationDate",
        "lastModifier",
        "lastModifierName",
        "space",
        "type",
    }
)

_ADD_SPACE_PERMISSION = """
    INSERT INTO space_permission VALUES (
        :export, :permission_id, :space_id, :type, :kind, :name
    )
"""


def add_space_permission(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages a permission in a space; one that names nobody at all is for everybody.

    Only when nothing else is in it: what was damaged must not open a space.
    """
    if entity.classes.keys() <= _BESIDES and not entity.collections:
        kind, name = SubjectKind.CLASS, ANONYMOUS.name
    else:
        kind, name = _subject(entity)
    row = {
        "export": export,
        "permission_id": entity.entity_id,
        "space_id": entity.properties.get("space"),
        "type": _type(entity),
        "kind": kind,
        "name": name,
    }
    database.execute(_ADD_SPACE_PERMISSION, row)


_ADD_SET = "INSERT INTO permission_set VALUES (:export, :set_id, :content_id, :type)"


def add_permission_set(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages a restriction of a page or blog post, whose parts are objects of their own."""
    row = {
        "export": export,
        "set_id": entity.entity_id,
        "content_id": entity.properties.get("owningContent"),
        "type": _type(entity),
    }
    database.execute(_ADD_SET, row)
    add_owned(database, export, entity, ("contentPermissions",))


_ADD_CONTENT_PERMISSION = """
    INSERT INTO content_permission VALUES (:export, :permission_id, :set_id, :type, :kind, :name)
"""


def add_content_permission(database: sqlite3.Connection, export: int, entity: Entity) -> None:
    """Stages one user or group that a restriction names."""
    kind, name = _subject(entity)
    row = {
        "export": export,
        "permission_id": entity.entity_id,
        "set_id": entity.properties.get("owningSet"),
        "type": _type(entity),
        "kind": kind,
        "name": name,
    }
    database.execute(_ADD_CONTENT_PERMISSION, row)


_ADD_USER = "INSERT INTO known_user VALUES (:key, :account_id, :name, :lower_name, :email)"


def add_user(database: sqlite3.Connection, entity: Entity) -> None:
    """Stages a user; restrictions name users by key, those of old exports by name."""
    values = {key: value.strip() for key, value in entity.properties.items()}
    if entity.entity_id:
        row = {
            "key": entity.entity_id,
            "account_id": values.get("atlassianAccountId") or None,
            "name": values.get("name") or None,
            "lower_name": values.get("lowerName") or None,
            "email": values.get("email") or None,
        }
        database.execute(_ADD_USER, row)


_ADD_INACTIVE = "INSERT INTO inactive_user VALUES (:name)"


def add_login(database: sqlite3.Connection, entity: Entity) -> None:
    """Stages whose login was deactivated, which only exports of whole sites tell."""
    values = entity.properties
    if values.get("active", "").strip().lower() != "true":
        name = (values.get("lowerName") or values.get("name") or "").strip().lower()
        database.execute(_ADD_INACTIVE, {"name": name})


# A restriction may be told by the page, by itself or by both: whatever either names is restricted.
# `lost_restriction` is what restricts nobody knows what. `edit` and `share` do not limit viewing.
ACCESS_OWNERS = """
    UPDATE space_permission SET space_id = (
        SELECT min(owner_id) FROM owned
        WHERE owned.export = space_permission.export AND collection = 'permissions'
            AND part_id = permission_id
        HAVING count(DISTINCT owner_id) = 1)
    WHERE space_id IS NULL;
    UPDATE content_permission SET set_id = (
        SELECT min(owner_id) FROM owned
        WHERE owned.export = content_permission.export AND collection = 'contentPermissions'
            AND part_id = permission_id
        HAVING count(DISTINCT owner_id) = 1)
    WHERE set_id IS NULL;
    CREATE TABLE restriction AS
        SELECT export, content_id, set_id FROM permission_set WHERE content_id IS NOT NULL
        UNION
        SELECT export, owner_id, part_id FROM owned WHERE collection = 'contentPermissionSets';
    CREATE INDEX restriction_by_content ON restriction (export, content_id);
    CREATE INDEX restriction_by_set ON restriction (export, set_id);
    CREATE INDEX permission_set_by_id ON permission_set (export, set_id);
    CREATE INDEX content_permission_by_set ON content_permission (export, set_id);
    CREATE INDEX space_permission_by_space ON space_permission (export, space_id);
    CREATE INDEX listed_permission ON owned (export, owner_id)
        WHERE collection = 'contentPermissions';
    CREATE TABLE lost_restriction AS
        SELECT export, set_id AS object_id FROM permission_set
        WHERE type NOT IN ('edit', 'share') AND content_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM restriction
            WHERE restriction.export = permission_set.export
                AND restriction.set_id = permission_set.set_id)
        UNION ALL
        SELECT export, permission_id FROM content_permission
        WHERE type NOT IN ('edit', 'share') AND NOT EXISTS (
            SELECT 1 FROM restriction
            WHERE restriction.export = content_permission.export
                AND restriction.set_id = content_permission.set_id);
"""


def _subject(entity: Entity) -> tuple[SubjectKind, str]:
    """What kind of reader is named, and the name; UNREADABLE unless it is just one."""
    found: list[tuple[SubjectKind, str]] = []
    for same in _SUBJECTS:
        told = [(kind, name) for name, kind in same if name in entity.classes]
        found += [(kind, entity.properties.get(name, "").strip()) for kind, name in told[:1]]
    is_clear = len(found) == 1 and bool(found[0][1])
    return found[0] if is_clear else (SubjectKind.UNREADABLE, "")


def _type(entity: Entity) -> str:
    return entity.properties.get("type", "").strip().lower()
