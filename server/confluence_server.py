"""The MCP server as the library has it, with what ours does otherwise."""

from collections.abc import Iterable

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    DiscoverResult,
    GetPromptResult,
    InputRequiredResult,
    ListResourcesResult,
    LoggingCapability,
    PaginatedRequestParams,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    Tool,
    UnsubscribeRequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AnyUrl
from starlette.applications import Starlette

from server.client_log import set_level
from server.completions import complete
from server.deps import Deps
from server.http_sessions import HttpSessions, SessionBounds, app_of
from server.resource_list import ResourceList
from server.schemas import concise, with_short_nulls, without_nulls
from server.steady import cancelled_once
from server.subscriptions import Subscriptions


class ConfluenceServer(MCPServer[Deps]):
    """Lists its tools with short schemas, which models read in every conversation.

    A call that is cancelled has ended whatever it began before it is over.
    """

    def serve_subscriptions(self, subscriptions: Subscriptions, *, has_connections: bool) -> None:
        """Lets clients subscribe; those of the older protocol need a connection that lasts."""
        add = self._lowlevel_server.add_request_handler
        add("subscriptions/listen", SubscriptionsListenRequestParams, subscriptions.listen)
        if has_connections:
            add("resources/subscribe", SubscribeRequestParams, subscriptions.subscribe)
            add("resources/unsubscribe", UnsubscribeRequestParams, subscriptions.unsubscribe)

    def refuse_subscriptions(self) -> None:
        """Says so to clients that want to know of changes, where none are heard of."""
        add = self._lowlevel_server.add_request_handler
        add("subscriptions/listen", SubscriptionsListenRequestParams, _refuse_to_listen)

    def serve_log(self, *, has_connections: bool) -> None:
        """Tells clients how their calls go; those of the older protocol ask for it once."""
        server = self._lowlevel_server

        async def discover(ctx: ServerRequestContext[Deps], _: RequestParams) -> DiscoverResult:
            able = server.get_capabilities(protocol_version=ctx.protocol_version)
            return DiscoverResult(
                supported_versions=list(MODERN_PROTOCOL_VERSIONS),
                capabilities=able.model_copy(update={"logging": LoggingCapability()}),
                instructions=server.instructions,
            )

        if has_connections:
            server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
        else:  # there is nowhere to keep a level, but calls of the newer protocol bring their own
            server.add_request_handler("server/discover", RequestParams, discover)

    def http_app(
        self, security: TransportSecuritySettings, sessions: SessionBounds | None
    ) -> Starlette:
        """What answers over HTTP; with bounds, clients of the older protocol have sessions."""
        if sessions is None:
            return self.streamable_http_app(stateless_http=True, transport_security=security)
        manager = HttpSessions(self._lowlevel_server, security, sessions)
        return app_of(manager, self._custom_starlette_routes)

    def serve_catalogue(self) -> None:
        """Lists what a person may attach, and completes what they type."""
        listing = ResourceList(self.list_resources)

        async def list_some(
            ctx: ServerRequestContext[Deps], params: PaginatedRequestParams
        ) -> ListResourcesResult:
            return await cancelled_once(listing.list(ctx, params))

        async def suggest(
            ctx: ServerRequestContext[Deps], params: CompleteRequestParams
        ) -> CompleteResult:
            return await cancelled_once(complete(ctx, params))

        add = self._lowlevel_server.add_request_handler
        add("resources/list", PaginatedRequestParams, list_some)
        add("completion/complete", CompleteRequestParams, suggest)

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, object],
        context: Context[Deps] | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """What a tool gives."""
        return await cancelled_once(super().call_tool(name, arguments, context))

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Deps] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """What is at an address."""
        return await cancelled_once(super().read_resource(uri, context))

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, object] | None = None,
        context: Context[Deps] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """What a prompt says; raises MCPError that tells which prompts or arguments there are."""
        prompts = {prompt.name: prompt for prompt in await self.list_prompts()}
        if name not in prompts:
            raise MCPError(
                INVALID_PARAMS, f"No prompt {name[:100]!r}: there are {_names(prompts)}."
            )
        needed = [one.name for one in prompts[name].arguments or () if one.required]
        if missing := [one for one in needed if not (arguments or {}).get(one)]:
            raise MCPError(INVALID_PARAMS, f"The prompt {name} needs {_names(missing)}.")
        return await cancelled_once(super().get_prompt(name, arguments, context))

    async def list_tools(self) -> list[Tool]:
        """The tools as clients see them."""
        return [
            tool.model_copy(
                update={
                    "input_schema": without_nulls(concise(tool.input_schema)),
                    "output_schema": with_short_nulls(concise(tool.output_schema)),
                }
            )
            for tool in await super().list_tools()
        ]


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


async def _refuse_to_listen(
    _: ServerRequestContext[Deps], __: SubscriptionsListenRequestParams
) -> SubscriptionsListenResult:
    raise MCPError(INTERNAL_ERROR, "This server does not hear of changes: read pages anew.")
