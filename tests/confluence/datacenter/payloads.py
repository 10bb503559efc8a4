"""How spaces, content, labels and people look in the JSON of REST v1."""

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote_plus

from tests.confluence.content import Content, Label, Space, User
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.call import ANONYMOUS, Call

ZONE = timezone(timedelta(hours=10))
LABELS_INCLUDED = 200
EXPANDABLE = ("ancestors", "body", "history", "metadata", "space", "version")

_PLAIN_TITLE = re.compile(r"[\w .,()!'-]+", re.ASCII)


def timestamp(moment: datetime) -> str:
    """The time of the server's zone, such as 2022-04-27T07:15:13.012+10:00."""
    return moment.astimezone(ZONE).isoformat(timespec="milliseconds")


def person_payload(call: Call, user: User) -> Json:
    """A person, or the anonymous visitor."""
    picture = {"path": f"{call.context}/images/icons/profilepics/default.svg", "isDefault": True}
    shown: Json = {"profilePicture": {**picture, "width": 48, "height": 48}}
    if user is ANONYMOUS:
        return {"type": "anonymous", **shown, "displayName": user.name}
    if "status" in call.expanded:
        shown["status"] = "current" if user.status == "active" else "deactivated"
    return {
        "type": "known",
        "username": user.username,
        "userKey": user.user_key,
        **shown,
        "displayName": user.name,
        "_links": {"self": f"{call.base}/rest/api/user?key={user.user_key}"},
        "_expandable": {} if "status" in call.expanded else {"status": ""},
    }


def space_payload(call: Call, space: Space) -> Json:
    """A space."""
    webui = f"/spaces/{space.key}/overview"
    if not call.edition.has_long_addresses:
        webui = f"/display/{space.key}"
    return {
        "id": int(space.id),
        "key": space.key,
        "name": space.name,
        "status": space.status,
        "type": "personal" if space.kind == "personal" else "global",
        "_links": {"webui": webui, "self": f"{call.base}/rest/api/space/{space.key}"},
        "_expandable": {"metadata": "", "icon": "", "description": "", "homepage": ""},
    }


def content_payload(call: Call, content: Content) -> Json:
    """A page or blog post with the properties that are to be expanded, at the top or in others."""
    shown: Json = {
        "id": content.id,
        "type": content.kind,
        "status": content.status,
        "title": content.title,
        **_position(call, content),
        "_links": {
            "webui": webui(call, content),
            "self": f"{call.base}/rest/api/content/{content.id}",
        },
        "_expandable": {name: "" for name in EXPANDABLE if name not in call.expanded},
    }
    if "space" in call.expanded:
        shown["space"] = space_payload(call, call.site.spaces[content.space_id])
    if "version" in call.expanded:
        version = content.version
        shown["version"] = {
            **version_payload(version.number, version.created_at),
            "by": author_payload(call, version.author_id),
            "message": version.message,
            "minorEdit": version.minor_edit,
        }
    if "history" in call.expanded:
        shown["history"] = history_payload(call, content.author_id, content.created_at)
    if "ancestors" in call.expanded:
        shown["ancestors"] = _ancestors(call, content)
    if "body.storage" in call.expanded:
        shown["body"] = {"storage": {"value": content.body, "representation": "storage"}}
    if "metadata.labels" in call.expanded:
        shown["metadata"] = {"labels": _labels(call, content)}
    return shown


def label_payload(label: Label) -> Json:
    """A label."""
    return {"prefix": label.prefix, "name": label.name, "id": label.id, "label": label.name}


def _position(call: Call, content: Content) -> Json:
    if call.edition.has_long_addresses:
        return {"position": -1 if content.position is None else content.position}
    return {"extensions": {"position": "none" if content.position is None else content.position}}


def webui(call: Call, content: Content) -> str:
    """The web address of a page or blog post, below the wiki."""
    key, title = call.site.spaces[content.space_id].key, quote_plus(content.title)
    day = f"{content.created_at.astimezone(ZONE):%Y/%m/%d}"
    is_blogpost = content.kind == "blogpost"
    if call.edition.has_long_addresses:
        place = f"blog/{day}" if is_blogpost else "pages"
        return f"/spaces/{key}/{place}/{content.id}/{title}"
    if not _PLAIN_TITLE.fullmatch(content.title):
        return f"/pages/viewpage.action?pageId={content.id}"
    return f"/display/{key}/{f'{day}/' if is_blogpost else ''}{title}"


def version_payload(number: int, when: datetime) -> Json:
    """A version of anything."""
    return {"number": number, "when": timestamp(when), "minorEdit": False, "hidden": False}


def history_payload(call: Call, author_id: str, when: datetime) -> Json:
    """How anything began."""
    author = author_payload(call, author_id)
    return {"latest": True, "createdBy": author, "createdDate": timestamp(when)}


def author_payload(call: Call, account_id: str) -> Json:
    """The person behind an account, known or not."""
    return person_payload(call, call.site.users.get(account_id, ANONYMOUS))


def _ancestors(call: Call, content: Content) -> list[Json]:
    above = [node for node in call.site.ancestors(content) if node.kind == "page"]
    return [
        {"id": one.id, "type": one.kind, "status": one.status, "title": one.title} for one in above
    ]


def _labels(call: Call, content: Content) -> Json:
    given = content.labels[:LABELS_INCLUDED]
    address = f"/rest/api/content/{content.id}/label"
    links: Json = {"self": f"{call.base}{address}"}
    if len(content.labels) > LABELS_INCLUDED:
        links["next"] = f"{address}?limit={LABELS_INCLUDED}&start={LABELS_INCLUDED}"
    return {
        "results": [label_payload(label) for label in given],
        "start": 0,
        "limit": LABELS_INCLUDED,
        "size": len(given),
        "_links": links,
    }
