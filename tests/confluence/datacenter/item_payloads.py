"""How comments and attachments look in the JSON of REST v1, by themselves and within pages."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from tests.confluence.content import Attachment, Comment, Content
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.call import Call
from tests.confluence.datacenter.payloads import history_payload, version_payload, webui

T = TypeVar("T")

ITEMS_INCLUDED = 25


def attachments_of(call: Call, content: Content) -> list[Attachment]:
    """The current attachments of a page or blog post."""
    return [
        attachment
        for attachment in list(call.site.attachments.values())
        if attachment.container_id == content.id and attachment.status == "current"
    ]


def comments_of(call: Call, content: Content) -> list[Comment]:
    """The current comments of a page or blog post, replies too."""
    return [
        comment
        for comment in list(call.site.comments.values())
        if comment.container_id == content.id and comment.status == "current"
    ]


def hanging_payload(call: Call, content: Content) -> Json:
    """The first attachments and comments of a page as properties of the page."""
    shown: Json = {}
    if "children.attachment" in call.expanded:
        found = attachments_of(call, content)
        parts = _included(call, found, attachment_payload, "children.attachment.")
        shown["children"] = {"attachment": parts}
    if "descendants.comment" in call.expanded:
        comments = comments_of(call, content)
        parts = _included(call, comments, comment_payload, "descendants.comment.")
        shown["descendants"] = {"comment": parts}
    return shown


def comment_payload(call: Call, comment: Comment, within: str = "") -> Json:
    """A comment; properties of comments `within` something are asked for by longer names."""
    container = call.site.content(comment.container_id)
    address = webui(call, container)
    mark = "&" if "?" in address else "?"
    shown: Json = {
        "id": comment.id,
        "type": "comment",
        "status": "current",
        "title": f"Re: {container.title}",
        "extensions": _extensions(call, comment, within),
        "_links": {"webui": f"{address}{mark}focusedCommentId={comment.id}#comment-{comment.id}"},
    }
    if f"{within}version" in call.expanded:
        shown["version"] = version_payload(comment.version.number, comment.version.created_at)
    if f"{within}container" in call.expanded:
        shown["container"] = _container(container)
    if f"{within}history" in call.expanded:
        shown["history"] = history_payload(call, comment.author_id, comment.created_at)
    if f"{within}ancestors" in call.expanded:
        shown["ancestors"] = _answered(call, comment)
    if f"{within}body.storage" in call.expanded:
        shown["body"] = {"storage": {"value": comment.body, "representation": "storage"}}
    return shown


def attachment_payload(call: Call, attachment: Attachment, within: str = "") -> Json:
    """An attachment; properties of those `within` something are asked for by longer names."""
    page_id, name = attachment.container_id, quote(attachment.filename, safe="")
    preview = f"/pages/viewpage.action?pageId={page_id}&preview=/{page_id}/{attachment.id}/{name}"
    download = f"/download/attachments/{page_id}/{name}?version={attachment.version}&api=v2"
    shown: Json = {
        "id": attachment.id,
        "type": "attachment",
        "status": "current",
        "title": attachment.filename,
        "metadata": {"mediaType": attachment.media_type},
        "extensions": {"mediaType": attachment.media_type, "fileSize": attachment.size},
        "_links": {"webui": preview, "download": download},
    }
    if f"{within}version" in call.expanded:
        shown["version"] = version_payload(attachment.version, attachment.created_at)
    if f"{within}container" in call.expanded:
        shown["container"] = _container(call.site.content(page_id))
    return shown


def location_of(call: Call, comment: Comment) -> str:
    """Where the thread of a comment is."""
    first = comment
    while first.parent_id is not None:
        first = call.site.comments[first.parent_id]
    if first.selection is None:
        return "footer"
    return "resolved" if first.resolution == "resolved" else "inline"


def _included(
    call: Call, found: list[T], show: Callable[[Call, T, str], Json], within: str
) -> Json:
    given = [show(call, one, within) for one in found[:ITEMS_INCLUDED]]
    links: Json = {"self": call.base}
    if len(found) > ITEMS_INCLUDED:
        links["next"] = f"/rest/api/content/x/child?limit={ITEMS_INCLUDED}&start={ITEMS_INCLUDED}"
    place: Json = {"start": 0, "limit": ITEMS_INCLUDED, "size": len(given)}
    return {"results": given, **place, "_links": links}


def _extensions(call: Call, comment: Comment, within: str) -> Json:
    shown: Json = {"location": location_of(call, comment)}
    if f"{within}extensions.inlineProperties" in call.expanded and comment.selection is not None:
        shown["inlineProperties"] = {
            "originalSelection": comment.selection,
            "markerRef": f"marker-{comment.id}",
        }
    if f"{within}extensions.resolution" in call.expanded:
        shown["resolution"] = {"status": comment.resolution} if comment.resolution else {}
    return shown


def _container(container: Content) -> Json:
    return {
        "id": container.id,
        "type": container.kind,
        "status": container.status,
        "title": container.title,
    }


def _answered(call: Call, comment: Comment) -> list[Json]:
    chain: list[Json] = []
    while comment.parent_id is not None:
        comment = call.site.comments[comment.parent_id]
        chain.insert(0, {"id": comment.id, "type": "comment", "status": comment.status})
    return chain
