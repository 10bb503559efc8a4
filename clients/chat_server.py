"""The MCP server that the chat asks: a child process over stdio, or a URL over HTTP."""

import asyncio
import logging
import os
import shlex
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import anyio
import httpx
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from chat_connection import DEAD, TIMEOUT, Connection
from chat_errors import NotLetIn, WikiError, root_cause
from chat_settings import ChatSettings
from chat_stderr import StderrTail

GREETING_SECONDS = 30
END_SECONDS = 10
REFUSED = (401, 403)

logger = logging.getLogger(__name__)


class Server(Protocol):
    """A way to reach the tools."""

    def connected(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for one turn; raises WikiError."""
        ...

    async def close(self) -> None:
        """Ends what the server keeps running."""
        ...


def server_from(settings: ChatSettings) -> Server:
    """The server that the settings name."""
    if settings.confluence_mcp_url is None:
        return ChildServer(settings.server_command)
    token = settings.confluence_mcp_token
    return RemoteServer(settings.confluence_mcp_url, token.get_secret_value() if token else None)


class RemoteServer:
    """A running server; every turn has a session of its own."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection]:
        """A session that ends with the turn; raises WikiError."""
        timeout = httpx.Timeout(30, read=TIMEOUT.total_seconds())
        try:
            async with (
                httpx.AsyncClient(headers=self._headers, timeout=timeout) as client,
                streamable_http_client(self._url, http_client=client) as (read, write, _),
                ClientSession(read, write, TIMEOUT) as session,
            ):
                with anyio.fail_after(GREETING_SECONDS):
                    await session.initialize()
                yield await Connection.to(session, self._url)
        except Exception as error:
            # Task groups wrap what happens within them; the first cause is what the reader needs.
            cause = root_cause(error)
            if isinstance(cause, httpx.HTTPStatusError) and cause.response.status_code in REFUSED:
                raise NotLetIn(
                    f"The MCP server at {self._url} wants to know who asks. Set "
                    "CONFLUENCE_MCP_TOKEN to a token that it accepts."
                ) from error
            if isinstance(cause, httpx.HTTPError | McpError | TimeoutError):
                raise WikiError(self._explain(cause)) from error
            raise cause from None

    async def close(self) -> None:
        """Nothing is kept between turns."""

    def _explain(self, cause: Exception) -> str:
        return (
            f"The MCP server at {self._url} cannot be reached ({_brief(cause)}). Start it with "
            "`confluence-mcp serve --transport http`, or correct CONFLUENCE_MCP_URL."
        )


class ChildServer:
    """A server that the chat starts, shared by all chats, and started anew when it died."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._reaching: asyncio.Task[Connection] | None = None
        self._ended = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection]:
        """The shared session, after the server was started if need be; raises WikiError.

        Those who come while it starts share this start, also when it fails.
        """
        if self._reaching is None or self._reaching.done():
            self._reaching = asyncio.create_task(self._reach(), name="mcp-reach")
            self._reaching.add_done_callback(_noticed)
        yield await asyncio.shield(self._reaching)

    async def close(self) -> None:
        """Ends the server and waits until it is gone."""
        if self._reaching is not None:
            self._reaching.cancel()
            await asyncio.wait([self._reaching])
        await self._end()

    async def _reach(self) -> Connection:
        return await self._alive() or await self._started()

    async def _end(self) -> None:
        self._ended.set()
        holder, self._holder, self._session = self._holder, None, None
        if holder is not None and not (await asyncio.wait([holder], timeout=END_SECONDS))[0]:
            holder.cancel()
            await asyncio.wait([holder])

    async def _alive(self) -> Connection | None:
        if self._session is None:
            return None
        try:
            return await Connection.to(self._session, self._named)
        except DEAD:
            logger.warning("server_restart command=%s", self._command[0])
            await self._end()
            return None

    async def _started(self) -> Connection:
        self._ended = asyncio.Event()
        opened: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        # A session must be opened and closed by one task, and outlives the turn that opens it.
        self._holder = asyncio.create_task(self._hold(opened), name="mcp-server")
        try:
            self._session = session = await opened
        except asyncio.CancelledError:
            self._holder.cancel()
            raise
        return await Connection.to(session, self._named)

    async def _hold(self, opened: "asyncio.Future[ClientSession]") -> None:
        parameters = StdioServerParameters(
            command=self._command[0], args=self._command[1:], env=_child_environment()
        )
        with StderrTail() as stderr:
            try:
                async with (
                    stdio_client(parameters, errlog=stderr.file) as (read, write),
                    ClientSession(read, write, TIMEOUT) as session,
                ):
                    await session.initialize()
                    opened.set_result(session)
                    await self._ended.wait()
            except Exception as error:
                cause = root_cause(error)
                if opened.done():
                    logger.warning("server_died cause=%s", _brief(cause))
                else:
                    opened.set_exception(WikiError(self._explain(cause, stderr.lines())))

    @property
    def _named(self) -> str:
        return shlex.join(self._command)

    def _explain(self, cause: BaseException, said: list[str]) -> str:
        if isinstance(cause, FileNotFoundError):
            return (
                f"The MCP server cannot be started: there is no program `{self._command[0]}`. "
                "Install it, or set CONFLUENCE_MCP_COMMAND to a command that serves MCP over stdio."
            )
        last = "\n\nIt said:\n\n```text\n" + "\n".join(said) + "\n```" if said else ""
        return (
            f"The MCP server could not be started with `{self._named}` ({_brief(cause)}). Mend "
            f"what it complains of, or set CONFLUENCE_MCP_COMMAND, and ask again.{last}"
        )


def _noticed(reaching: "asyncio.Task[Connection]") -> None:
    """Whoever waited may be gone; a failure that nobody sees is no error of the chat."""
    if not reaching.cancelled():
        reaching.exception()


def _child_environment() -> dict[str, str]:
    """Ours without the chat's own virtual environment, which is not the server's."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


def _brief(cause: BaseException) -> str:
    words = str(cause) or type(cause).__name__
    return words.splitlines()[0][:200]
