"""Pages and spaces as resources, which a person attaches to a conversation."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import ResourceSecurity

from index.errors import NotFound
from index.results import StoredPage
from server.calls import Call, one_call
from server.deps import Deps
from server.explaining import explained
from server.icons import PAGE_ICON, SPACE_ICON
from server.listings import space_text
from server.rendering import page_text
from server.resource_links import MARKDOWN, PAGE_URI, SPACE_URI, TITLE_URI
from server.texts import one_line
from server.wire import page_beginning

MOST_TOKENS = 16_000
READ = "resources/read"
# Keys and titles are looked up in the index and open no file.
NO_PATHS = ResourceSecurity(exempt_params={"key", "title"})


def register_resources(mcp: MCPServer[Deps]) -> None:
    """Puts the pages and the spaces on the server."""
    mcp.resource(
        PAGE_URI,
        name="page",
        title="Confluence page",
        description="A page of the wiki as Markdown, by its id; its beginning if it is very long.",
        mime_type=MARKDOWN,
        icons=[PAGE_ICON],
    )(read_page)
    mcp.resource(
        TITLE_URI,
        name="page_by_title",
        title="Confluence page by title",
        description="The same, by the key of its space and its title.",
        mime_type=MARKDOWN,
        icons=[PAGE_ICON],
        security=NO_PATHS,
    )(read_titled_page)
    mcp.resource(
        SPACE_URI,
        name="space",
        title="Confluence space",
        description="The pages of a space as a tree with their ids, by the key of the space.",
        mime_type=MARKDOWN,
        icons=[SPACE_ICON],
        security=NO_PATHS,
    )(read_space)


async def read_page(page_id: str, ctx: Context[Deps]) -> str:
    """The text of get_page for the largest part."""
    deps = ctx.request_context.lifespan_context
    async with _reading(deps, page_id) as call:
        return _text(call, await deps.pages.page(call.asker, page_id))


async def read_titled_page(key: str, title: str, ctx: Context[Deps]) -> str:
    """The same for the newest page of that title in a space."""
    deps = ctx.request_context.lifespan_context
    async with _reading(deps, f"{key}:{title}") as call:
        found = await deps.pages.pages_of_title(call.asker, title, key)
        if not found:
            raise NotFound(f"No page {title[:200]!r} in space {key[:200]!r} of the index.")
        return _text(call, await deps.pages.page(call.asker, found[0].page_id))


async def read_space(key: str, ctx: Context[Deps]) -> str:
    """A space as the list of its pages."""
    deps = ctx.request_context.lifespan_context
    async with _reading(deps, key) as call:
        contents = await deps.catalogue.contents(call.asker, key)
        call.gives(leaf.page.page_id for leaf in contents.leaves)
        return "\n\n".join([space_text(contents), *call.notes])


def _text(call: Call, page: StoredPage) -> str:
    content = page_beginning(page, MOST_TOKENS)
    content.notes.extend(call.notes)
    call.gives([page.info.page_id])
    return page_text(content)


@asynccontextmanager
async def _reading(deps: Deps, name: str) -> AsyncGenerator[Call]:
    """A call whose failure becomes the error that clients of resources know."""
    try:
        async with one_call(deps, READ, name) as call:
            yield call
    except NotFound as error:
        raise ResourceNotFoundError(one_line(str(error))) from error
    except Exception as error:
        raise ResourceError(one_line(explained(error))) from error
