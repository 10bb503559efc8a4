"""Listings: by place with `start`, and by cursor.

Hidden items take places in a listing all the same. A part is filled up from behind them, but its
link to the next part counts what was given, and so begins too early.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from tests.confluence.content import Content
from tests.confluence.datacenter.answers import Json, bad_request
from tests.confluence.datacenter.call import Call

T = TypeVar("T")

_CURSOR = re.compile(r"content:false:(\d+)")


def listed(
    call: Call,
    items: Sequence[T],
    show: Callable[[T], Json],
    *,
    is_shown: Callable[[T], bool] = lambda item: True,
) -> JSONResponse:
    """One part of a listing that counts places."""
    start, limit = call.integer("start", 0), call.limit
    visible = [item for item in items[start:] if is_shown(item)]
    given = visible[:limit]
    place: Json = {"start": start, "limit": limit, "size": len(given)}
    following = None
    if len(visible) > limit:
        following = _link(call, {"limit": str(limit), "start": str(start + len(given))})
    return _answer(call, [show(item) for item in given], place, following)


def scanned(
    call: Call, contents: Sequence[Content], show: Callable[[Content], Json]
) -> JSONResponse:
    """One part of a listing in the order of ids that goes on after the id in its cursor."""
    cursor = call.text("cursor")
    after = 0 if cursor is None else _position(cursor)
    limit = call.limit
    visible = [one for one in contents if int(one.id) > after and call.sees(one)]
    given = visible[:limit]
    place: Json = {"cursor": cursor or "content:false:null", "limit": limit, "size": len(given)}
    following = None
    if len(visible) > limit:
        next_cursor = f"content:false:{given[-1].id}"
        place["nextCursor"] = next_cursor
        following = _link(call, {"cursor": next_cursor, "limit": str(limit)})
    return _answer(call, [show(one) for one in given], place, following)


def _position(cursor: str) -> int:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise bad_request(f"Invalid cursor: {cursor}")
    return int(match[1])


def _link(call: Call, place: dict[str, str]) -> str:
    """Relative to the wiki: without its context path."""
    asked = call.request.query_params.multi_items()
    kept = [(name, value) for name, value in asked if name not in {"cursor", "limit", "start"}]
    return f"{call.path}?{urlencode([*kept, *place.items()])}"


def _answer(
    call: Call, results: Sequence[Json], place: Json, following: str | None
) -> JSONResponse:
    links: Json = {"self": f"{call.base}{call.path}", "base": call.base, "context": call.context}
    if following is not None:
        links["next"] = following
    return JSONResponse({"results": results, **place, "_links": links})
