"""The endpoints of comments and attachments, and of the bytes of files."""

from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.confluence.content import Attachment, AttachmentVersion
from tests.confluence.datacenter.answers import Refusal, bad_request, not_found
from tests.confluence.datacenter.call import Call
from tests.confluence.datacenter.item_payloads import (
    attachment_payload,
    attachments_of,
    comment_payload,
    comments_of,
    location_of,
)
from tests.confluence.datacenter.listing import listed

LOCATIONS = {"footer", "inline", "resolved"}


async def comments(call: Call) -> JSONResponse:
    """The comments of a page: without `depth` no replies, without `location` of every one."""
    locations = set(call.request.query_params.getlist("location"))
    if not locations <= LOCATIONS:
        raise bad_request(f"Invalid location: {locations}")
    is_deep = call.choice("depth", ("", "all"), "") == "all"
    found = [
        comment
        for comment in comments_of(call, call.content())
        if (is_deep or comment.parent_id is None)
        and (not locations or location_of(call, comment) in locations)
    ]
    return listed(call, found, lambda comment: comment_payload(call, comment))


async def attachments(call: Call) -> JSONResponse:
    """The attachments of a page."""
    found = attachments_of(call, call.content())
    return listed(call, found, lambda attachment: attachment_payload(call, attachment))


async def download(call: Call) -> Response:
    """The bytes of a file; who may not have them is led to the login."""
    try:
        found = _attachment(call)
    except Refusal:
        destination = quote(call.request.url.path, safe="")
        return RedirectResponse(f"{call.context}/login.action?os_destination={destination}", 302)
    version = _version(call, found)
    name = f"attachment; filename*=UTF-8''{quote(found.filename)}"
    return Response(version.data, 200, {"Content-Disposition": name}, found.media_type)


async def login(call: Call) -> Response:
    """The page for logging in."""
    del call
    return Response("<html><title>Log In - Confluence</title></html>", 200, media_type="text/html")


def _attachment(call: Call) -> Attachment:
    filename = call.request.path_params["filename"]
    for attachment in attachments_of(call, call.content()):
        if attachment.filename == filename:
            return attachment
    raise not_found(f"attachment {filename}")


def _version(call: Call, attachment: Attachment) -> AttachmentVersion:
    number = call.integer("version", attachment.version)
    if not 1 <= number <= attachment.version:
        raise not_found(f"version {number} of {attachment.filename}")
    return attachment.versions[number - 1]
