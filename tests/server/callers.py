"""A server that tells callers who they are, behind the gate of the real one, over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from pydantic import BaseModel

from index.database import Database
from server import jwks
from server.app import OPEN_PATHS
from server.auth import Callers
from server.auth_gate import Gate
from server.auth_settings import HttpAuth, Issuer, transport_security
from server.jwks import SigningKeys
from server.tokens import AccessTokens
from tests.server.checking import Clock

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEADERS = {"Accept": "application/json, text/event-stream"}


class Told(BaseModel):
    """Who a caller is; `accounts` is None for everybody's."""

    name: str
    accounts: list[int] | None


@dataclass(frozen=True, slots=True)
class Door:
    """The server as clients reach it."""

    url: str
    clock: Clock

    @asynccontextmanager
    async def client(self, token: str, mode: str = "auto") -> AsyncGenerator[Client]:
        """A client of MCP that brings a token along."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def who(self, token: str) -> Told:
        """Who the server takes somebody for."""
        async with self.client(token) as client:
            return await who(client)

    async def post(self, *headers: tuple[str, str]) -> httpx.Response:
        """The answer to a first request."""
        given = [*HEADERS.items(), *headers]
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.post(f"{self.url}/mcp", json=INITIALIZE, headers=given)

    async def bring(self, token: str) -> httpx.Response:
        """The answer to a first request with a token."""
        return await self.post(("Authorization", f"Bearer {token}"))

    async def get(self, path: str) -> httpx.Response:
        """What is at another address, for somebody without a token."""
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.get(self.url + path)


async def who(client: Client) -> Told:
    """Who the server takes a client for."""
    result = await client.call_tool("who_am_i", {})
    return Told.model_validate(result.structured_content)


@asynccontextmanager
async def door(
    database: Database,
    issuer: Issuer | None,
    *,
    takes_keys: bool = True,
    public_url: str = "https://wiki-search.example.com/mcp",
) -> AsyncGenerator[Door]:
    """A running server that trusts an issuer, or keys."""
    clock = Clock()
    auth = HttpAuth(issuer, takes_keys, public_url)
    async with httpx.AsyncClient(headers=jwks.HEADERS, timeout=jwks.PATIENCE) as http:
        tokens = None
        if issuer is not None:
            keys = SigningKeys(issuer.url, issuer.jwks_url, http, clock=clock)
            tokens = AccessTokens(issuer, keys)
        callers = Callers(auth, database, tokens)
        app = _telling(callers).streamable_http_app(
            stateless_http=True, transport_security=transport_security("127.0.0.1", public_url)
        )
        async with _served(Gate(app, callers, open_paths=OPEN_PATHS)) as url:
            yield Door(url, clock)


def _telling(callers: Callers) -> MCPServer[None]:
    server = MCPServer[None]("who")

    async def who_am_i() -> Told:
        """Tells who calls."""
        asker = await callers.asker()
        return Told(
            name=asker.name, accounts=None if asker.accounts is None else list(asker.accounts)
        )

    server.tool()(who_am_i)
    return server


@asynccontextmanager
async def _served(app: Gate) -> AsyncGenerator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, ws="none", interface="asgi3")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await running
