"""The doctor on MCP: a session of the server with itself, in which each tool is called."""

import time
from contextlib import nullcontext

from mcp import Client
from mcp.types import TextContent

from confluence_mcp.doctor_finding import Finding
from server.app import create_server, open_deps
from server.settings import ServerSettings

PAGE = "confluence://page/"
TOOLS = ("search_confluence", "get_page", "answer_question")


async def examine_mcp(settings: ServerSettings) -> list[Finding]:
    """What each tool makes of a page that this server shows; raises ConfluenceMcpError."""
    async with open_deps(settings) as deps:
        # No page is watched, so no connection is needed to hear of changes.
        server = create_server(lambda: nullcontext(deps), hears_changes=False)
        async with Client(server) as client:
            return await _examined(client)


async def _examined(client: Client) -> list[Finding]:
    names = {tool.name for tool in (await client.list_tools()).tools}
    if missing := [name for name in TOOLS if name not in names]:
        return [Finding("mcp", False, f"the server has no {', '.join(missing)}: install it anew")]
    listed = (await client.list_resources()).resources
    pages = [one for one in listed if str(one.uri).startswith(PAGE)]
    if not pages:
        return [Finding("mcp", True, "answers, and has no page to show to whoever asks over stdio")]
    title, page_id = pages[0].title or "", str(pages[0].uri).removeprefix(PAGE)
    calls: tuple[tuple[str, dict[str, object]], ...] = (
        ("search_confluence", {"query": title, "limit": 3}),
        ("get_page", {"page": page_id, "max_tokens": 500}),
        ("answer_question", {"question": f"What does the page {title} say?"}),
    )
    findings = [await _called(client, name, arguments) for name, arguments in calls]
    wrong = [finding for finding in findings if not finding.is_fine]
    text = "; ".join(finding.text for finding in findings)
    return wrong or [Finding("mcp", True, f"a session with itself: {text}")]


async def _called(client: Client, name: str, arguments: dict[str, object]) -> Finding:
    started = time.monotonic()
    result = await client.call_tool(name, arguments)
    took = f"{(time.monotonic() - started) * 1000:.0f} ms"
    if not result.is_error:
        return Finding("mcp", True, f"{name} {took}")
    told = " ".join(item.text for item in result.content if isinstance(item, TextContent))
    return Finding("mcp", False, f"{name} fails: {told}")
