"""Things that go wrong between a client and Confluence, scripted per path and count.

A fault stands in front of a personality and knows nothing of the site: it delays, replaces,
rewrites or breaks an answer. Rules apply in the order in which they were added, the first one
outermost.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, object]

RESET = "confluence.reset"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way; `app` is what would answer it."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def go_on(self) -> None:
        """Let the request be answered as if nothing was wrong."""
        await self.app(self.scope, self.receive, self.send)

    async def reply(self, response: Response) -> None:
        """Answer in place of the application."""
        await response(self.scope, self.receive, self.send)


Fault = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True)
class Rule:
    """When a fault strikes: `hits` counts how often it did."""

    fault: Fault
    path: str
    method: str | None
    query: str
    times: int | None
    after: int
    hits: int = field(default=0, init=False)

    def strikes(self, scope: Scope) -> bool:
        """Whether this request is one of those that go wrong."""
        fits = (
            fnmatchcase(scope["path"], self.path)
            and self.method in (None, scope["method"])
            and fnmatchcase(scope["query_string"].decode(), self.query)
        )
        if fits and self.after > 0:
            self.after -= 1
            return False
        if not fits or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class Faults:
    """The script of what goes wrong; empty at first, changed at any time."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(
        self,
        fault: Fault,
        path: str = "*",
        *,
        method: str | None = None,
        query: str = "*",
        times: int | None = 1,
        after: int = 0,
    ) -> Rule:
        """Let a fault strike requests whose path and query fit shell patterns.

        The first `after` fitting requests are spared, then `times` of them are struck (None: all).
        """
        rule = Rule(fault, path, method, query, times, after)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Let everything work again."""
        self.rules.clear()

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application behind these faults."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            rules = list(self.rules) if scope["type"] == "http" else []
            await _behind(rules, app)(scope, receive, send)

        return faulty


def _behind(rules: list[Rule], app: ASGIApp) -> ASGIApp:
    async def struck(scope: Scope, receive: Receive, send: Send) -> None:
        for place, rule in enumerate(rules, start=1):
            if rule.strikes(scope):
                await rule.fault(Exchange(_behind(rules[place:], app), scope, receive, send))
                return
        await app(scope, receive, send)

    return struck


def failing(
    status: int, *, body: Json | str | None = None, headers: dict[str, str] | None = None
) -> Fault:
    """An error in place of the answer, such as a transient 404; a text body is sent as HTML."""

    async def fault(exchange: Exchange) -> None:
        if isinstance(body, str):
            await exchange.reply(Response(body, status, headers, "text/html"))
        else:
            plain: Json = {"code": status, "message": HTTPStatus(status).phrase}
            await exchange.reply(JSONResponse(plain if body is None else body, status, headers))

    return fault


def rate_limited(
    retry_after: int | None = 1,
    *,
    reason: str = "confluence-quota-tenant-based",
    reset: str = "2026-03-02T10:00:00Z",
) -> Fault:
    """429, with the seconds to wait unless `retry_after` is None, and when the quota is new."""
    headers = {
        "X-RateLimit-Limit": "65000",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset,
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": reason,
    }
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return failing(429, body={"code": 429, "message": "Rate limit exceeded"}, headers=headers)


def expired_cursor() -> Fault:
    """400, as for a cursor that is too old; add it with `query="*cursor=*"`."""
    error = {
        "status": 400,
        "code": "INVALID_REQUEST_PARAMETER",
        "title": "Invalid cursor: it has expired",
        "detail": None,
    }
    return failing(400, body={"errors": [error]})


def slow(seconds: float) -> Fault:
    """The right answer, late."""

    async def fault(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await exchange.go_on()

    return fault


def before(action: Callable[[], object]) -> Fault:
    """The right answer, after something happened: how to change a site in the midst of a sweep."""

    async def fault(exchange: Exchange) -> None:
        action()
        await exchange.go_on()

    return fault


def connection_reset(*, after: int = 20) -> Fault:
    """The connection breaks after so many bytes of the body; with 0, before the answer begins."""

    async def fault(exchange: Exchange) -> None:
        start, body = await _answer_of(exchange)
        if after > 0:
            await exchange.send(start)
            part = {"type": "http.response.body", "body": body[:after], "more_body": True}
            await exchange.send(part)
        exchange.scope["extensions"][RESET]()

    return fault


def truncated() -> Fault:
    """A complete answer whose JSON ends half way."""

    async def fault(exchange: Exchange) -> None:
        start, body = await _answer_of(exchange)
        await _send(exchange, start, body[: len(body) // 2])

    return fault


def clamped(limit: int) -> Fault:
    """Listings give fewer results per page than asked for; add it with `times=None`."""

    async def fault(exchange: Exchange) -> None:
        asked = parse_qsl(exchange.scope["query_string"].decode())
        wanted = [int(value) for name, value in asked if name == "limit"]
        given = [(name, value) for name, value in asked if name != "limit"]
        query = urlencode([*given, ("limit", min(limit, *wanted, 250))])
        scope = {**exchange.scope, "query_string": query.encode()}
        await exchange.app(scope, exchange.receive, exchange.send)

    return fault


def rewritten(change: Callable[[Json], Json]) -> Fault:
    """The right answer, with its JSON changed; errors stay as they are."""

    async def fault(exchange: Exchange) -> None:
        await _rewrite(exchange, change)

    return fault


def repeated_results() -> Fault:
    """Each page of a listing begins with the last result of the page before; use `times=None`."""
    last: dict[str, list[object]] = {}

    async def fault(exchange: Exchange) -> None:
        path = exchange.scope["path"]
        before = last.get(path, []) if b"cursor=" in exchange.scope["query_string"] else []

        def change(answer: Json) -> Json:
            results = answer["results"]
            assert isinstance(results, list)
            last[path] = results[-1:]
            return {**answer, "results": before + results}

        await _rewrite(exchange, change)

    return fault


def endless() -> Fault:
    """A listing whose next link leads to the same page again; add it with `times=None`."""

    async def fault(exchange: Exchange) -> None:
        path, query = exchange.scope["path"], exchange.scope["query_string"].decode()

        def change(answer: Json) -> Json:
            links = answer["_links"]
            assert isinstance(links, dict)
            return {**answer, "_links": {**links, "next": f"{path}?{query}"}}

        await _rewrite(exchange, change)

    return fault


async def _answer_of(exchange: Exchange) -> tuple[Message, bytes]:
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await exchange.app(exchange.scope, exchange.receive, keep)
    return sent[0], b"".join(message.get("body", b"") for message in sent[1:])


async def _send(exchange: Exchange, start: Message, body: bytes) -> None:
    length = str(len(body)).encode()
    headers = [(k, length if k == b"content-length" else v) for k, v in start["headers"]]
    await exchange.send({**start, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": body})


async def _rewrite(exchange: Exchange, change: Callable[[Json], Json]) -> None:
    start, body = await _answer_of(exchange)
    if start["status"] == HTTPStatus.OK:
        body = json.dumps(change(json.loads(body))).encode()
    await _send(exchange, start, body)
