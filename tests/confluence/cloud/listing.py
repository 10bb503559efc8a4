"""Listings that are read page by page, with cursors bound to what was asked for."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, bad_request
from tests.confluence.cloud.call import Call

T = TypeVar("T")
SortValue = str | int
Position = tuple[SortValue, int]

# What may differ between two requests that share a cursor.
UNBOUND = ("cursor", "limit", "body-format")


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """The sort fields of a listing, each with the value it sorts by, and the tie-breaking id."""

    fields: Mapping[str, Callable[[T], SortValue]]
    number: Callable[[T], int]
    default: str = "id"

    def chosen(self, call: Call) -> tuple[Callable[[T], Position], bool]:
        """The key to sort by and whether it runs backwards."""
        allowed = [f"{sign}{field}" for field in self.fields for sign in ("", "-")]
        sort = call.choice("sort", allowed) or self.default
        value = self.fields[sort.removeprefix("-")]
        return lambda item: (value(item), self.number(item)), sort.startswith("-")


def listed(
    call: Call,
    items: Iterable[T],
    order: Order[T],
    show: Callable[[T], Json],
    *,
    default_limit: int = 25,
) -> JSONResponse:
    """One page of a listing.

    A cursor says after which item to go on, so that changes between two requests neither repeat
    nor skip items that stay where they are.
    """
    page, cursor = part(call, items, order, call.limit(default_limit))
    return answer(call, [show(item) for item in page], cursor)


def part(call: Call, items: Iterable[T], order: Order[T], limit: int) -> tuple[list[T], str | None]:
    """The next items after the cursor of a call, and the cursor for those after them."""
    key, backwards = order.chosen(call)
    left = _after_cursor(call, sorted(items, key=key, reverse=backwards), key, backwards)
    page = left[:limit]
    return page, _cursor(call, call.path, key(page[-1])) if len(left) > limit else None


def answer(call: Call, results: Sequence[Json], cursor: str | None = None) -> JSONResponse:
    """A multi-entity answer: results, links in the body, links in the header."""
    links: Json = {"base": call.base}
    header = f'<{call.base}>; rel="base"'
    if cursor is not None:
        asked = [(k, v) for k, v in call.request.query_params.multi_items() if k != "cursor"]
        following = f"{call.path}?{urlencode([*asked, ('cursor', cursor)])}"
        links["next"] = following
        header = f'<{following}>; rel="next", {header}'
    return JSONResponse({"results": results, "_links": links}, headers={"Link": header})


def included(
    call: Call,
    path: str,
    items: Iterable[T],
    order: Order[T],
    show: Callable[[T], Json],
) -> Json:
    """A list inside a single entity: at most 50, and how to get the rest from its own endpoint."""
    value = order.fields[order.default]

    def key(item: T) -> Position:
        return value(item), order.number(item)

    ordered = sorted(items, key=key)
    meta: Json = {"hasMore": len(ordered) > 50}
    if len(ordered) > 50:
        meta["cursor"] = _sealed(call.site.cursor_epoch, path, "", key(ordered[49]))
    results = [show(item) for item in ordered[:50]]
    return {"results": results, "meta": meta, "_links": {"self": path}}


def _after_cursor(
    call: Call, items: list[T], key: Callable[[T], Position], backwards: bool
) -> list[T]:
    token = call.text("cursor")
    if token is None:
        return items
    last = _opened(call, token)
    if backwards:
        return [item for item in items if key(item) < last]
    return [item for item in items if key(item) > last]


def _cursor(call: Call, path: str, position: Position) -> str:
    return _sealed(call.site.cursor_epoch, path, _filters(call), position)


def _sealed(epoch: int, path: str, filters: str, position: Position) -> str:
    content = json.dumps({"of": _binding(epoch, path, filters), "after": position})
    return base64.b64encode(content.encode()).decode()


def _opened(call: Call, token: str) -> Position:
    try:
        content = json.loads(base64.b64decode(token, validate=True))
        binding, (value, number) = content["of"], content["after"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise bad_request("Invalid cursor") from None
    if binding != _binding(call.site.cursor_epoch, call.path, _filters(call)):
        raise bad_request("Invalid cursor: it belongs to another query or has expired")
    return value, number


def _filters(call: Call) -> str:
    asked = [(k, v) for k, v in call.request.query_params.multi_items() if k not in UNBOUND]
    return urlencode(sorted(asked))


def _binding(epoch: int, path: str, filters: str) -> str:
    return hashlib.sha256(f"{epoch}\n{path}\n{filters}".encode()).hexdigest()[:16]
