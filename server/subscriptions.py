"""Clients that want to know when a page changes, of the older and the newer protocol."""

import asyncio
import contextvars
import logging
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import psycopg
from mcp import MCPError
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from index.background import beside
from server.calls import one_call
from server.connections import connection_of
from server.deps import Deps
from server.explaining import explained
from server.page_feed import Connect, PageFeed

logger = logging.getLogger(__name__)

URI = "confluence://page/"
_PAGE = re.compile(r"confluence://page/([0-9]{1,19})")
MOST, MOST_PAGES = 1_024, 1_000  # streams at once, and pages of one client
TOO_MANY_PAGES = f"Subscribe to {MOST_PAGES:,} pages at most."


@dataclass(frozen=True, slots=True, eq=False)
class _Subscriber:
    """Somebody to be told of pages; `context` is that of the call, in which its token is known."""

    page_ids: frozenset[str]
    deps: Deps
    context: contextvars.Context
    tell: Callable[[str], Awaitable[None]]

    async def may_see(self, page_id: str) -> bool:
        """Whether whoever subscribed may read the page now."""
        return await asyncio.create_task(_may_see(self.deps, page_id), context=self.context)


class _Older:
    """A client of the older protocol: what it subscribed to, and what it is still to be told.

    It is told in its own time: one that reads slowly keeps nobody else waiting.
    """

    def __init__(self, connection: Connection) -> None:
        self.subscribers: dict[str, _Subscriber] = {}
        self._connection = connection
        self._untold: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None

    async def tell(self, uri: str) -> None:
        """Says soon that a page changed; once, however often it does until then."""
        self._untold[uri] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        while self._untold:
            uri = next(iter(self._untold))
            del self._untold[uri]
            await self._connection.send_resource_updated(uri)

    def end(self) -> None:
        """Says no more."""
        if self._telling is not None:
            self._telling.cancel()


class Subscriptions:
    """Who is told of which pages.

    Every id is taken alike, of a page or not; of a change only those are told who may read the
    page at that time.
    """

    def __init__(self) -> None:
        self._subscribers: defaultdict[str, list[_Subscriber]] = defaultdict(list)
        self._streams = 0
        self._older: dict[Connection, _Older] = {}
        self._feed = PageFeed(self._tell)

    @asynccontextmanager
    async def open(self, connect: Connect) -> AsyncGenerator[None]:
        """Hears of changes for the length of a `with`; `connect` leads to the index."""
        async with beside(self._feed.run(connect)):
            yield

    async def listen(
        self, ctx: ServerRequestContext[Deps], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serves the stream of a client of the newer protocol, until it goes."""
        page_ids = _page_ids(params.notifications.resource_subscriptions or ())
        deps = ctx.lifespan_context
        await _count(deps, "subscriptions/listen", page_ids)
        bus = InMemorySubscriptionBus()

        async def tell(uri: str) -> None:
            await bus.publish(ResourceUpdated(uri))

        with self._one_stream(_Subscriber(page_ids, deps, contextvars.copy_context(), tell)):
            await self._feed.ready()
            return await ListenHandler(bus)(ctx, params)

    async def subscribe(
        self, ctx: ServerRequestContext[Deps], params: SubscribeRequestParams
    ) -> EmptyResult:
        """Adds a page for a client of the older protocol, while its connection lasts."""
        page_ids = _page_ids([params.uri])
        deps = ctx.lifespan_context
        await _count(deps, "resources/subscribe", page_ids)
        older = self._older_at(connection_of(ctx.session))
        self._leave(older, params.uri)
        if len(older.subscribers) >= MOST_PAGES:
            raise MCPError(INVALID_PARAMS, TOO_MANY_PAGES)
        if page_ids:
            subscriber = _Subscriber(page_ids, deps, contextvars.copy_context(), older.tell)
            older.subscribers[params.uri] = subscriber
            self._add(subscriber)
            await self._feed.ready()
        return EmptyResult()

    async def unsubscribe(
        self, ctx: ServerRequestContext[Deps], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        """Takes a page away from that client."""
        if (older := self._older.get(connection_of(ctx.session))) is not None:
            self._leave(older, params.uri)
        return EmptyResult()

    def _older_at(self, connection: Connection) -> _Older:
        if (older := self._older.get(connection)) is None:
            older = self._older[connection] = _Older(connection)
            connection.exit_stack.callback(self._end, connection)
        return older

    def _end(self, connection: Connection) -> None:
        older = self._older.pop(connection)
        older.end()
        for subscriber in older.subscribers.values():
            self._remove(subscriber)

    def _leave(self, older: _Older, uri: str) -> None:
        if (subscriber := older.subscribers.pop(uri, None)) is not None:
            self._remove(subscriber)

    @contextmanager
    def _one_stream(self, subscriber: _Subscriber) -> Generator[None]:
        if self._streams >= MOST:
            raise MCPError(INTERNAL_ERROR, "Too many clients listen already: try again later.")
        self._streams += 1
        self._add(subscriber)
        try:
            yield
        finally:
            self._remove(subscriber)
            self._streams -= 1

    def _add(self, subscriber: _Subscriber) -> None:
        for page_id in subscriber.page_ids:
            self._subscribers[page_id].append(subscriber)
        self._feed.want(subscriber.page_ids)

    def _remove(self, subscriber: _Subscriber) -> None:
        for page_id in subscriber.page_ids:
            self._subscribers[page_id].remove(subscriber)
            if not self._subscribers[page_id]:
                del self._subscribers[page_id]
        self._feed.release(subscriber.page_ids)

    async def _tell(self, page_id: str) -> None:
        for subscriber in tuple(self._subscribers.get(page_id, ())):
            if await subscriber.may_see(page_id):
                await subscriber.tell(URI + page_id)


async def _may_see(deps: Deps, page_id: str) -> bool:
    try:
        asker = await deps.asker()
        return not asker.is_limited or page_id in await deps.pages.shown(asker, [page_id])
    except psycopg.Error:  # the feed begins anew, and tells of what was missed
        raise
    except Exception:
        logger.exception("a subscriber is not told of a page: who asks is not known")
        return False


async def _count(deps: Deps, kind: str, page_ids: frozenset[str]) -> None:
    """Counts a subscription as a call; raises MCPError."""
    if len(page_ids) > MOST_PAGES:
        raise MCPError(INVALID_PARAMS, TOO_MANY_PAGES)
    try:
        async with one_call(deps, kind, " ".join(sorted(page_ids))) as call:
            call.gives(sorted(page_ids))
    except Exception as error:
        raise MCPError(INTERNAL_ERROR, explained(error)) from error


def _page_ids(uris: Iterable[str]) -> frozenset[str]:
    return frozenset(match[1] for uri in uris if (match := _PAGE.fullmatch(uri)))
