"""The door for Confluence's webhooks: whoever knows the secret names pages to look at again.

Of what is sent only ids are taken; what became of a page is asked of Confluence itself.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Annotated

import psycopg
import psycopg_pool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from index.errors import BadRequest, ConfluenceMcpError

logger = logging.getLogger(__name__)

PATH = "/webhooks/confluence"
LARGEST = 64 * 1024  # bytes of a body
PATIENCE = 10.0  # seconds for a body to arrive, and for the index to take a note

Note = Callable[[Collection[str]], Awaitable[None]]


class Webhooks:
    """Takes notes of pages from senders that prove to know the secret.

    Confluence Data Center proves it by `X-Hub-Signature`, an HMAC-SHA256 over the body; an
    automation rule of Cloud, which cannot sign, sends the secret as a bearer token.
    """

    def __init__(self, secret: str, note: Note) -> None:
        self._secret = secret.encode()
        self._note = note

    async def receive(self, request: Request) -> Response:
        """Answers 202 when noted, else 400, 401, 408, 413 or 503."""
        if not _PROOFS & set(request.headers):
            return _refusal(401, "Unauthorized.")
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return _refusal(408, "The body did not arrive.")
        if body is None:
            return _refusal(413, f"The body is larger than {LARGEST} bytes.")
        if not self._is_proven(request.headers, body):
            logger.warning("a webhook without the right secret was refused")
            return _refusal(401, "Unauthorized.")
        try:
            page_ids = named_pages(body)
        except BadRequest as error:
            return _refusal(400, str(error))
        return await self._noted(page_ids)

    def _is_proven(self, headers: Headers, body: bytes) -> bool:
        if (signature := headers.get("x-hub-signature")) is not None:
            expected = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            # The algorithm is ours to choose, so a digest without its name is as good.
            return _are_equal(signature.strip().removeprefix("sha256=").lower(), expected.encode())
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _are_equal(token.strip(), self._secret)

    async def _noted(self, page_ids: Collection[str]) -> Response:
        # An event that names no page, such as of a comment, hints at a change all the same.
        try:
            async with asyncio.timeout(PATIENCE):
                await self._note(page_ids)
        except (psycopg.Error, psycopg_pool.PoolTimeout, TimeoutError, ConfluenceMcpError):
            logger.exception("a webhook could not be noted")
            return _refusal(503, "The index cannot be reached right now.", {"Retry-After": "60"})
        logger.info("webhook pages=%d", len(page_ids))
        return JSONResponse({"pages": len(page_ids)}, status_code=202)


_PROOFS = {"x-hub-signature", "authorization"}


def _are_equal(given: str, expected: bytes) -> bool:
    return hmac.compare_digest(given.encode("latin-1", "replace"), expected)


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status_code=status, headers=headers)


async def _body(request: Request) -> bytes | None:
    """The body as it was sent; None as soon as it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            return None
    return bytes(body)


PageId = Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]


class _Wire(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class _Content(_Wire):
    id: PageId


class _Item(_Wire):
    """A comment or an attachment: of it, what it hangs on is of interest."""

    container: _Content | None = None
    page: _Content | None = None


class _Payload(_Wire):
    """What Data Center sends, and what the operator of a Cloud site may write into a rule."""

    event: str | None = None
    test: bool | None = None
    id: PageId | None = None
    page: _Content | None = None
    blog: _Content | None = None
    blogpost: _Content | None = None
    content: _Content | None = None
    attached_to: Annotated[_Content | None, Field(alias="attachedTo")] = None
    comment: _Item | None = None
    attachment: _Item | None = None

    def pages(self) -> Iterator[str]:
        if self.id is not None:
            yield self.id
        items = [item for item in (self.comment, self.attachment) if item is not None]
        contents = [self.page, self.blog, self.blogpost, self.content, self.attached_to]
        for content in [*contents, *(one for item in items for one in (item.container, item.page))]:
            if content is not None:
                yield content.id


def named_pages(body: bytes) -> frozenset[str]:
    """The ids of the pages that a payload is about; raises BadRequest.

    Events of other things, such as of spaces, name none.
    """
    try:
        payload = _Payload.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest('Not a payload such as {"page": {"id": 123}}.') from error
    page_ids = frozenset(payload.pages())
    if not page_ids and payload.event is None and payload.test is None:
        raise BadRequest('The payload names no page: send {"page": {"id": 123}}.')
    return page_ids
