"""Clients that want to know when a page changes, of the older and the newer protocol."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.types import (
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from server.page_feed import Connect, PageFeed
from server.tools import Deps

URI = "confluence://page/"


class Subscriptions:
    """Who is told of which pages."""

    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self._streams = ListenHandler(self._bus)
        self._older: dict[str, ServerSession] = {}
        self._feed = PageFeed(self._tell)

    @asynccontextmanager
    async def open(self, connect: Connect) -> AsyncGenerator[None]:
        """Hears of changes for the length of a `with`; `connect` leads to the index."""
        running = asyncio.create_task(self._feed.run(connect))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def listen(
        self, ctx: ServerRequestContext[Deps], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serves the stream of a client of the newer protocol, until it goes."""
        with self._feed.wanting(_page_ids(params.notifications.resource_subscriptions or ())):
            await self._feed.ready()
            return await self._streams(ctx, params)

    async def subscribe(
        self, ctx: ServerRequestContext[Deps], params: SubscribeRequestParams
    ) -> EmptyResult:
        """Adds a page for the client of the older protocol, the only one of its server."""
        if params.uri not in self._older:
            self._feed.want(_page_ids([params.uri]))
        self._older[params.uri] = ctx.session
        await self._feed.ready()
        return EmptyResult()

    async def unsubscribe(
        self, _: ServerRequestContext[Deps], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        """Takes a page away from that client."""
        if self._older.pop(params.uri, None) is not None:
            self._feed.release(_page_ids([params.uri]))
        return EmptyResult()

    async def _tell(self, page_id: str) -> None:
        uri = URI + page_id
        await self._bus.publish(ResourceUpdated(uri))
        if (session := self._older.get(uri)) is not None:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await session.send_resource_updated(uri)


def _page_ids(uris: Iterable[str]) -> list[str]:
    return [uri.removeprefix(URI) for uri in uris if uri.startswith(URI)]
