"""The endpoints of folders, whiteboards, databases and embeds, and the one that tells kinds."""

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, bad_request
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.payloads import node_payload
from tests.confluence.content import ContentKind


class Ids(BaseModel):
    """The body of convert-ids-to-types."""

    content_ids: list[str | int] = Field(alias="contentIds", min_length=1, max_length=100)


async def folder(call: Call) -> JSONResponse:
    """One folder."""
    return _single(call, "folder")


async def whiteboard(call: Call) -> JSONResponse:
    """One whiteboard."""
    return _single(call, "whiteboard")


async def database(call: Call) -> JSONResponse:
    """One database."""
    return _single(call, "database")


async def embed(call: Call) -> JSONResponse:
    """One embed."""
    return _single(call, "embed")


async def convert_ids_to_types(call: Call) -> JSONResponse:
    """Kinds by id, null for what is gone or hidden; the trash is not looked at."""
    try:
        ids = Ids.model_validate_json(await call.request.body()).content_ids
    except ValidationError:
        raise bad_request("'contentIds' must hold between 1 and 100 ids") from None
    types: Json = {str(content_id): _kind(call, str(content_id)) for content_id in ids}
    return JSONResponse({"results": types})


def _single(call: Call, kind: ContentKind) -> JSONResponse:
    shown = node_payload(call.site, call.content(kind))
    links = shown["_links"]
    assert isinstance(links, dict)
    links["base"] = call.base
    return JSONResponse(shown)


def _kind(call: Call, content_id: str) -> str | None:
    content = call.site.contents.get(content_id)
    if content is not None and call.sees(content):
        return content.kind
    attachment = call.site.attachments.get(content_id)
    if attachment is not None and call.sees_items_of(attachment.container_id):
        return "attachment"
    comment = call.site.comments.get(content_id)
    if comment is None or not call.sees_items_of(comment.container_id):
        return None
    return "inline-comment" if call.site.is_inline(comment) else "footer-comment"
