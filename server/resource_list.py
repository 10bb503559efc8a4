"""What a client shows to a person who picks something to attach: spaces, and the newest pages."""

from collections.abc import Awaitable, Callable, Sequence

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Annotations,
    ListResourcesResult,
    PaginatedRequestParams,
    Resource,
)

from index.catalogue import Change
from index.errors import BadRequest
from index.records import Space
from server.calls import one_call
from server.deps import Deps
from server.explaining import explained
from server.paging import cursor_at, offset_of
from server.resource_links import MARKDOWN, page_uri, space_uri
from server.texts import one_line

LIST = "resources/list"
AT_ONCE = 100
NEWEST = 100  # pages; clients read the list to its end and show all of it

Fixed = Callable[[], Awaitable[Sequence[Resource]]]


class ResourceList:
    """Spaces by name, then pages as they changed, in parts; `fixed` resources come first."""

    def __init__(self, fixed: Fixed) -> None:
        self._fixed = fixed

    async def list(
        self, ctx: ServerRequestContext[Deps], params: PaginatedRequestParams
    ) -> ListResourcesResult:
        """One part of the list, as whoever asks may see it."""
        deps = ctx.lifespan_context
        try:
            async with one_call(deps, LIST, "") as call:
                start = offset_of(params.cursor, LIST)
                spaces = await deps.catalogue.spaces(call.asker)
                changes = await deps.catalogue.changed(
                    call.asker, space_key=None, since=None, limit=NEWEST
                )
                call.gives(change.page.page_id for change in changes)
        except BadRequest as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        except Exception as error:
            raise MCPError(INTERNAL_ERROR, one_line(explained(error))) from error
        listed = [*await self._fixed(), *map(_space, spaces), *map(_page, changes)]
        end = start + AT_ONCE
        following = cursor_at(end, LIST) if end < len(listed) else None
        return ListResourcesResult(resources=listed[start:end], next_cursor=following)


def _space(space: Space) -> Resource:
    return Resource(
        uri=space_uri(space.key),
        name=one_line(space.key),
        title=one_line(space.name),
        description="The pages of this space, as a tree.",
        mime_type=MARKDOWN,
        annotations=Annotations(priority=0.7),
    )


def _page(change: Change) -> Resource:
    page = change.page
    author = f" by {one_line(page.author)}" if page.author else ""
    return Resource(
        uri=page_uri(page.page_id),
        name=one_line(f"{page.space_key}:{page.title}"),
        title=one_line(page.title),
        description=f"{one_line(page.space_key)}, changed {page.updated_at.date()}{author}",
        mime_type=MARKDOWN,
        annotations=Annotations(priority=0.5, last_modified=page.updated_at.isoformat()),
    )
