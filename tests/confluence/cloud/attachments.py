"""The endpoints of attachments: listings, and the way to their bytes."""

import hashlib
from urllib.parse import quote, quote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.confluence.cloud.answers import Json, not_found
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, listed
from tests.confluence.cloud.payloads import timestamp
from tests.confluence.content import Attachment, AttachmentVersion
from tests.confluence.site import Site

ORDER: Order[Attachment] = Order(
    {
        "created-date": lambda attachment: attachment.versions[0].created_at.isoformat(),
        "modified-date": lambda attachment: attachment.created_at.isoformat(),
    },
    number=lambda attachment: int(attachment.id.removeprefix("att")),
    default="created-date",
)


async def attachments(call: Call) -> JSONResponse:
    """Attachments of the whole site."""
    return _listed(call, None)


async def page_attachments(call: Call) -> JSONResponse:
    """The attachments of a page."""
    return _listed(call, call.content("page").id)


async def blogpost_attachments(call: Call) -> JSONResponse:
    """The attachments of a blog post."""
    return _listed(call, call.content("blogpost").id)


async def download(call: Call) -> Response:
    """Where the bytes of an attachment are, on another host."""
    attachment = call.site.attachments.get(call.request.path_params["attachment"])
    if (
        attachment is None
        or attachment.container_id != call.path_id
        or attachment.status != "current"
        or not call.sees_items_of(attachment.container_id)
    ):
        raise not_found()
    version = _version(attachment, call.integer("version") or attachment.version)
    token = _token(call.site, attachment, version)
    place = f"media/{attachment.id}/{version.number}?token={token}"
    return RedirectResponse(f"{_media_host(call.request)}/{place}", 302)


def media(site: Site, request: Request) -> Response:
    """The bytes of an attachment for who was sent here; no other credentials are taken."""
    if "authorization" in request.headers:
        return Response("Only one auth mechanism allowed", 400)
    attachment = site.attachments.get(request.path_params["attachment"])
    if attachment is None:
        return Response("Gone", 404)
    version = _version(attachment, request.path_params["version"])
    if request.query_params.get("token") != _token(site, attachment, version):
        return Response("Forbidden", 403)
    name = quote(attachment.filename, safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(version.data, headers=headers, media_type=attachment.media_type)


def _listed(call: Call, container_id: str | None) -> JSONResponse:
    statuses = call.choices("status", ("current", "archived", "trashed")) or ["current", "archived"]
    media_type, filename = call.text("mediaType"), call.text("filename")
    chosen = [
        attachment
        for attachment in list(call.site.attachments.values())
        if container_id in (None, attachment.container_id)
        and attachment.status in statuses
        and media_type in (None, attachment.media_type)
        and filename in (None, attachment.filename)
        and call.sees_items_of(attachment.container_id)
    ]
    return listed(call, chosen, ORDER, lambda found: _payload(call.site, found), default_limit=50)


def _payload(site: Site, attachment: Attachment) -> Json:
    container = site.contents[attachment.container_id]
    name = quote_plus(attachment.filename)
    webui = f"/pages/viewpageattachments.action?pageId={container.id}&preview={name}"
    download = f"/download/attachments/{container.id}/{name}?version={attachment.version}&api=v2"
    return {
        "id": attachment.id,
        "status": attachment.status,
        "title": attachment.filename,
        "createdAt": timestamp(attachment.created_at),
        "pageId" if container.kind == "page" else "blogPostId": container.id,
        "mediaType": attachment.media_type,
        "mediaTypeDescription": attachment.media_type,
        "comment": attachment.comment,
        "fileId": f"file-{attachment.id}",
        "fileSize": attachment.size,
        "webuiLink": webui,
        "downloadLink": download,
        "version": {
            "number": attachment.version,
            "createdAt": timestamp(attachment.created_at),
            "message": attachment.comment,
            "minorEdit": False,
            "authorId": attachment.author_id,
        },
        "_links": {"webui": webui, "download": download},
    }


def _version(attachment: Attachment, number: int) -> AttachmentVersion:
    for version in attachment.versions:
        if version.number == number:
            return version
    raise not_found()


def _token(site: Site, attachment: Attachment, version: AttachmentVersion) -> str:
    secret = f"{site.cloud_id} {attachment.id} {version.number} {version.created_at}"
    return hashlib.sha256(secret.encode()).hexdigest()


def _media_host(request: Request) -> str:
    """Another host than the site: the same port by another name, or one that only seems to be."""
    base = request.base_url
    if base.hostname != "127.0.0.1":
        return f"https://media.{base.hostname}"
    return f"http://localhost:{base.port}"
