"""Pages as resources, which a person attaches to a conversation and a client keeps current."""

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from index.errors import NotFound
from server.calls import one_call
from server.deps import Deps
from server.explaining import explained
from server.rendering import page_text
from server.texts import one_line
from server.wire import page_content

MOST_TOKENS = 16_000


def register_resources(mcp: MCPServer[Deps]) -> None:
    """Puts the pages on the server."""
    mcp.resource(
        "confluence://page/{page_id}",
        name="page",
        title="Confluence page",
        description="A page of the wiki as Markdown, by its id; its beginning if it is very long.",
        mime_type="text/markdown",
    )(read_page)


async def read_page(page_id: str, ctx: Context[Deps]) -> str:
    """The text of get_page for the largest part."""
    deps = ctx.request_context.lifespan_context
    try:
        async with one_call(deps, "resources/read", page_id) as call:
            page = await deps.pages.page(call.asker, page_id)
            content = page_content(page, (0, len(page.markdown)), 0, MOST_TOKENS)
            content.notes.extend(call.notes)
            call.gives([page.info.page_id])
        return page_text(content)
    except NotFound as error:
        raise ResourceNotFoundError(one_line(str(error))) from error
    except Exception as error:
        raise ResourceError(one_line(explained(error))) from error
