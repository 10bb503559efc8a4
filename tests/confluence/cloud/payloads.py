"""How spaces, content, labels and people look in the JSON of REST v2."""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote_plus

from tests.confluence.cloud.answers import Json
from tests.confluence.content import Content, Label, Space, User, Version
from tests.confluence.permissions import Group
from tests.confluence.site import Site


def timestamp(moment: datetime) -> str:
    """UTC with milliseconds, such as 2026-03-02T09:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def space_payload(space: Space, *, alias: bool = True) -> Json:
    """A space, in a list (with its alias) or by itself."""
    shown: Json = {
        "id": space.id,
        "key": space.key,
        "name": space.name,
        "type": space.kind,
        "status": space.status,
        "authorId": space.author_id,
        "spaceOwnerId": space.author_id,
        "createdAt": timestamp(space.created_at),
        "homepageId": space.homepage_id,
        "description": None,
        "icon": None,
        "_links": {"webui": f"/spaces/{space.key}"},
    }
    return shown | ({"currentActiveAlias": space.key} if alias else {})


def page_payload(site: Site, page: Content, body_format: str | None) -> Json:
    """A page."""
    parent = site.contents.get(page.parent_id or "")
    return _common(site, page, body_format) | {
        "parentId": page.parent_id,
        "parentType": parent.kind if parent else None,
        "position": page.position,
        "ownerId": page.author_id,
        "lastOwnerId": None,
        "subtype": "page",
    }


def blogpost_payload(site: Site, post: Content, body_format: str | None) -> Json:
    """A blog post."""
    return _common(site, post, body_format)


def node_payload(site: Site, node: Content) -> Json:
    """A folder, whiteboard, database or embed."""
    shown = page_payload(site, node, None) | {"type": node.kind}
    for name in ("body", "lastOwnerId", "subtype"):
        del shown[name]
    return shown


def child_payload(child: Content) -> Json:
    """A direct child, whatever its kind."""
    return {
        "id": child.id,
        "status": child.status,
        "title": child.title,
        "type": child.kind,
        "spaceId": child.space_id,
        "childPosition": child.position,
    }


def version_payload(version: Version) -> Json:
    """A version as part of its content."""
    return {
        "number": version.number,
        "createdAt": timestamp(version.created_at),
        "message": version.message,
        "minorEdit": version.minor_edit,
        "authorId": version.author_id,
    }


def label_payload(label: Label) -> Json:
    """A label."""
    return {"id": label.id, "name": label.name, "prefix": label.prefix}


def user_payload(site: Site, user: User) -> Json:
    """An account, as users-bulk gives it."""
    name = "Former user" if user.status == "closed" else user.name
    return {
        "accountId": user.account_id,
        "email": user.email,
        "displayName": name,
        "publicName": name,
        "accountType": user.account_type,
        "accountStatus": user.status,
        "isExternalCollaborator": user.account_id in site.permissions.guests,
        "timeZone": "Etc/UTC",
        "personalSpaceId": None,
        "profilePicture": {"path": "/wiki/aa-avatar/default", "isDefault": True},
    }


def current_user_payload(user: User, base: str) -> Json:
    """The caller, as v1 gives it."""
    return {
        "type": "known",
        "accountId": user.account_id,
        "accountType": user.account_type,
        "email": user.email,
        "publicName": user.name,
        "displayName": user.name,
        "timeZone": "Etc/UTC",
        "isExternalCollaborator": False,
        "isGuest": False,
        "_expandable": {"operations": "", "personalSpace": ""},
        "_links": {
            "self": f"{base}/rest/api/user?accountId={user.account_id}",
            "base": base,
            "context": "/wiki",
        },
    }


def person_payload(site: Site, account_id: str) -> Json | None:
    """Somebody in a list of v1: a private e-mail is null, and so is a person that is no more."""
    user = site.users.get(account_id)
    if user is None:
        return None
    is_guest = account_id in site.permissions.guests
    return {
        "type": "known",
        "accountId": account_id,
        "accountType": user.account_type if user.account_type in ("atlassian", "app") else "",
        "email": user.email or None,
        "publicName": user.name,
        "displayName": user.name,
        "timeZone": None,
        "isExternalCollaborator": is_guest,
        "isGuest": is_guest,
        "_expandable": {"operations": "", "personalSpace": ""},
        "_links": {},
    }


def group_payload(group: Group) -> Json:
    """A group of people."""
    return {
        "type": "group",
        "name": group.name,
        "id": group.id,
        "usageType": "USERBASE_GROUP",
        "managedBy": "ADMINS",
        "_links": {},
    }


def tiny_path(content_id: str) -> str:
    """The short link of a page: its id, little-endian, in base64 without padding."""
    number = int(content_id)
    raw = number.to_bytes(4 if number < 1 << 32 else 8, "little")
    code = base64.b64encode(raw).decode().rstrip("=").rstrip("A")
    return "/x/" + code.replace("/", "-").replace("+", "_")


def links(site: Site, content: Content) -> Json:
    """Where a person opens a content, relative to the wiki."""
    key = site.spaces[content.space_id].key
    title = quote_plus(content.title)
    webui = f"/spaces/{key}/pages/{content.id}/{title}"
    if content.kind == "blogpost":
        webui = f"/spaces/{key}/blog/{content.created_at:%Y/%m/%d}/{content.id}/{title}"
    elif content.kind != "page":
        webui = f"/spaces/{key}/{content.kind}/{content.id}"
    return {
        "webui": webui,
        "editui": f"/pages/resumedraft.action?draftId={content.id}",
        "tinyui": tiny_path(content.id),
    }


def _common(site: Site, content: Content, body_format: str | None) -> Json:
    return {
        "id": content.id,
        "status": content.status,
        "title": content.title,
        "spaceId": content.space_id,
        "authorId": content.author_id,
        "createdAt": timestamp(content.created_at),
        "version": version_payload(content.version),
        "body": _body(content, body_format),
        "_links": links(site, content),
    }


def _body(content: Content, body_format: str | None) -> Json:
    return body(content.body, body_format)


def body(storage: str, body_format: str | None) -> Json:
    """A body in the format that was asked for, or none."""
    if body_format is None:
        return {}
    value = storage
    if body_format == "atlas_doc_format":
        value = json.dumps({"type": "doc", "version": 1, "content": []})
    return {body_format: {"representation": body_format, "value": value}}
