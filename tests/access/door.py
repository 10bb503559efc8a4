"""The server of `serve --transport http` over the index of a test, for callers with tokens."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.types import ASGIApp

from index.settings import IndexSettings
from server.app import create_server, http_app, open_deps
from server.auth import Callers
from server.auth_settings import http_auth
from server.settings import ServerSettings
from tests.server.signing import AUDIENCE, Issuer

HOST = "127.0.0.1"
DAY = 86_400  # seconds
ACCOUNT = "confluence_account"  # the claim that has an account id


class Door:
    """The address of a server, who signs the tokens that it takes, and clients that have one."""

    def __init__(self, url: str, issuer: Issuer, stack: AsyncExitStack) -> None:
        self.url = url
        self._issuer = issuer
        self._stack = stack
        self._clients: dict[str, Client] = {}

    async def client(self, **claims: str | bool) -> Client:
        """A client whose token claims so, the same one each time; it closes with the door."""
        name = json.dumps(claims, sort_keys=True)
        if name not in self._clients:
            token = self._issuer.token(claims, exp=int(time.time()) + DAY)
            self._clients[name] = await self._stack.enter_async_context(self._opened(token))
        return self._clients[name]

    @asynccontextmanager
    async def _opened(self, token: str) -> AsyncGenerator[Client]:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport) as client:
                yield client


@asynccontextmanager
async def door(
    settings: IndexSettings, issuer: Issuer, claim: str, clients: AsyncExitStack
) -> AsyncGenerator[Door]:
    """A server that takes a claim of the issuer's tokens for an account: `email` or another.

    `clients` is to be closed before it, and last in first out: clients of several doors share it.
    """
    served = ServerSettings.model_validate(
        settings.model_dump()
        | {
            "auth_issuer": issuer.url,
            "auth_audience": AUDIENCE,
            "auth_account_claim": claim,
            "audit_log": "off",
            "rate_limit": 0,
        }
    )
    auth = http_auth(served, HOST, 0)
    assert auth is not None
    async with (
        Callers.open(served, auth) as callers,
        open_deps(served, who=callers.asker) as deps,
    ):
        server = create_server(
            lambda: nullcontext(deps), has_connections=False, shows_everything=False
        )
        async with listening(http_app(server, callers, HOST)) as url:
            yield Door(url, issuer, clients)


@asynccontextmanager
async def open_app(settings: IndexSettings) -> AsyncGenerator[Client]:
    """A client of a server that asks nobody who they are."""
    served = ServerSettings.model_validate(settings.model_dump())
    async with open_deps(served) as deps:
        server = create_server(lambda: nullcontext(deps), has_connections=False)
        async with (
            listening(http_app(server, None, HOST)) as url,
            Client(streamable_http_client(f"{url}/mcp")) as client,
        ):
            yield client


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncGenerator[str]:
    """The address of an application on a free loopback port."""
    with socket.create_server((HOST, 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await running
