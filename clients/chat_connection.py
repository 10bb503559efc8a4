"""An open session with the MCP server: its tools, what it lists, and its tasks."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
from mcp import ClientSession, McpError
from mcp.shared.session import ProgressFnT
from mcp.types import METHOD_NOT_FOUND, CallToolResult, Prompt, TextContent, Tool
from openai.types.chat import ChatCompletionToolUnionParam

from chat_errors import WikiError
from chat_lookups import Outcome, Tell
from chat_overview import Listed, Overview, overview_of
from chat_results import TOOLS
from chat_tasks import Needed, Question, Task

# Also for the first start of our own server, which may install packages and create a database.
TIMEOUT = timedelta(seconds=180)
REQUEST_TIMEOUT = 408
STOPPED = "The MCP server stopped. Ask again: it is started anew."
DEAD = (anyio.ClosedResourceError, anyio.BrokenResourceError, McpError)


class Connection:
    """An open session with a server that has our tools."""

    def __init__(self, session: ClientSession, tools: list[Tool]) -> None:
        self._session = session
        self.tools = [_as_function(tool) for tool in tools if tool.name in TOOLS]

    @classmethod
    async def to(cls, session: ClientSession, where: str) -> "Connection":
        """Asks for the tools, which also proves that the server is alive."""
        connection = cls(session, (await session.list_tools()).tools)
        if not connection.tools:
            raise WikiError(
                f"The server {where} has none of the tools {', '.join(TOOLS)}. It is no "
                "confluence-mcp; check CONFLUENCE_MCP_URL or CONFLUENCE_MCP_COMMAND."
            )
        return connection

    async def overview(self) -> Overview:
        """The spaces and pages that the server lists, if it lists any; raises WikiError."""
        try:
            resources = await self._session.list_resources()
            templates = await self._session.list_resource_templates()
        except McpError as error:
            if error.error.code == METHOD_NOT_FOUND:
                return Overview()
            raise WikiError(f"The MCP server cannot say what there is: {error}.") from error
        except DEAD as error:
            raise WikiError(STOPPED) from error
        overview = overview_of(
            [Listed(str(one.uri), one.title or one.name) for one in resources.resources],
            [template.uriTemplate for template in templates.resourceTemplates],
        )
        return replace(overview, tasks=await self._tasks())

    async def _tasks(self) -> tuple[Task, ...]:
        try:
            prompts = (await self._session.list_prompts()).prompts
        except DEAD:
            # The chat does well without them.
            return ()
        return tuple(map(_task, prompts))

    async def told(self, question: Question) -> str:
        """What the server has a model do for a task; raises WikiError."""
        try:
            prompt = await self._session.get_prompt(question.task, dict(question.given))
        except McpError as error:
            raise WikiError(str(error)) from error
        except DEAD as error:
            raise WikiError(STOPPED) from error
        said = [one.content.text for one in prompt.messages if isinstance(one.content, TextContent)]
        return "\n\n".join(said)

    async def call(
        self, tool: str, arguments: Mapping[str, object], tell: Tell | None = None
    ) -> Outcome:
        """Calls a tool; a tool that fails is an outcome too. Raises WikiError.

        `tell` is given the words of the progress that the server reports, if it reports any.
        """
        try:
            async with _telling(tell) as hear:
                return _outcome(await self._session.call_tool(tool, dict(arguments), None, hear))
        except McpError as error:
            if error.error.code == REQUEST_TIMEOUT:
                raise WikiError(
                    f"The MCP server did not answer {tool} in {TIMEOUT.seconds} seconds. "
                    "Ask again; if this goes on, run `confluence-mcp doctor`."
                ) from error
            raise WikiError(f"The MCP server failed at {tool}: {error}. Ask again.") from error
        except DEAD as error:
            raise WikiError(STOPPED) from error


@asynccontextmanager
async def _telling(tell: Tell | None) -> AsyncGenerator[ProgressFnT | None]:
    """What a session calls with progress; it is told here, where it is known who asks.

    The session of a shared server calls on behalf of whoever opened it, and hears no answer while
    it calls.
    """
    if tell is None:
        yield None
        return
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        if message:
            heard.put_nowait(message)

    telling = asyncio.create_task(_tell_each(heard, tell), name="mcp-progress")
    try:
        yield hear
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def _tell_each(heard: asyncio.Queue[str], tell: Tell) -> None:
    while True:
        said = await heard.get()
        while not heard.empty():
            said = heard.get_nowait()
        await tell(said)


def _as_function(tool: Tool) -> ChatCompletionToolUnionParam:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description or "",
            "parameters": tool.inputSchema,
        },
    }


def _task(prompt: Prompt) -> Task:
    arguments = prompt.arguments or []
    needs = [one for one in arguments if one.required] or arguments[:1]
    return Task(
        prompt.name,
        prompt.title or prompt.name,
        prompt.description or "",
        tuple(Needed(one.name, one.description or one.name) for one in needs),
    )


def _outcome(result: CallToolResult) -> Outcome:
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    return Outcome(result.structuredContent, text, result.isError)
