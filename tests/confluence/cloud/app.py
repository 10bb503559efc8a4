"""The whole of a simulated Confluence Cloud site as one ASGI application."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from tests.confluence.cloud import (
    attachments,
    comments,
    contents,
    groups,
    nodes,
    people,
    restrictions,
    roles,
    search,
    spaces,
)
from tests.confluence.cloud.answers import Refusal, gone, v2_error
from tests.confluence.cloud.call import Call, authenticated
from tests.confluence.site import Site

Endpoint = Callable[[Call], Awaitable[Response]]

READ_SPACE = "read:space:confluence"
READ_PAGE = "read:page:confluence"
READ_USER = "read:user:confluence"
READ_ATTACHMENT = "read:attachment:confluence"
READ_COMMENT = "read:comment:confluence"
READ_METADATA = "read:content.metadata:confluence"
READ_PERMISSION = "read:space.permission:confluence"
READ_GROUP = "read:group:confluence"
SEARCH = "search:confluence"

V2: dict[str, tuple[Endpoint, str]] = {
    "/spaces": (spaces.spaces, READ_SPACE),
    "/spaces/{id}": (spaces.space, READ_SPACE),
    "/spaces/{id}/permissions": (roles.space_permissions, READ_SPACE),
    "/spaces/{id}/role-assignments": (roles.role_assignments, READ_PERMISSION),
    "/space-permissions": (roles.known_permissions, READ_PERMISSION),
    "/space-role-mode": (roles.role_mode, "read:configuration:confluence"),
    "/space-roles": (roles.roles, READ_PERMISSION),
    "/space-roles/{id}": (roles.role, READ_PERMISSION),
    "/spaces/{id}/pages": (contents.pages_of_space, READ_PAGE),
    "/spaces/{id}/blogposts": (contents.blogposts_of_space, READ_PAGE),
    "/pages": (contents.pages, READ_PAGE),
    "/pages/{id}": (contents.page, READ_PAGE),
    "/pages/{id}/labels": (contents.page_labels, READ_PAGE),
    "/pages/{id}/ancestors": (contents.page_ancestors, READ_METADATA),
    "/pages/{id}/attachments": (attachments.page_attachments, READ_ATTACHMENT),
    "/pages/{id}/versions": (contents.page_versions, READ_PAGE),
    "/pages/{id}/direct-children": (
        contents.page_children,
        "read:hierarchical-content:confluence",
    ),
    "/blogposts": (contents.blogposts, READ_PAGE),
    "/blogposts/{id}": (contents.blogpost, READ_PAGE),
    "/blogposts/{id}/labels": (contents.blogpost_labels, READ_PAGE),
    "/blogposts/{id}/attachments": (attachments.blogpost_attachments, READ_ATTACHMENT),
    "/pages/{id}/footer-comments": (comments.page_footer_comments, READ_COMMENT),
    "/pages/{id}/inline-comments": (comments.page_inline_comments, READ_COMMENT),
    "/blogposts/{id}/footer-comments": (comments.blogpost_footer_comments, READ_COMMENT),
    "/blogposts/{id}/inline-comments": (comments.blogpost_inline_comments, READ_COMMENT),
    "/footer-comments": (comments.footer_comments, READ_COMMENT),
    "/footer-comments/{id}/children": (comments.footer_children, READ_COMMENT),
    "/inline-comments": (comments.inline_comments, READ_COMMENT),
    "/inline-comments/{id}/children": (comments.inline_children, READ_COMMENT),
    "/attachments": (attachments.attachments, READ_ATTACHMENT),
    "/folders/{id}": (nodes.folder, "read:folder:confluence"),
    "/whiteboards/{id}": (nodes.whiteboard, "read:whiteboard:confluence"),
    "/databases/{id}": (nodes.database, "read:database:confluence"),
    "/embeds/{id}": (nodes.embed, "read:embed:confluence"),
}
RESTRICTION = "/content/{id}/restriction/byOperation/{operation}"
MEMBERS = "/group/{id}/membersByGroupId"
DOWNLOAD = "/content/{id}/child/attachment/{attachment}/download"
GONE = (
    "/content",
    "/content/{id:int}",
    "/content/{id:int}/child",
    "/content/{id:int}/child/{type}",
    "/content/{id:int}/history",
    "/content/{id:int}/label",
    "/content/{id:int}/property",
    "/content/{id:int}/version",
    "/space",
    "/space/{rest:path}",
)


def cloud_app(site: Site) -> Starlette:
    """Answers as Confluence Cloud does, for the state that a site has at that moment.

    The wiki is at `/wiki`, as on a site, and at `/ex/confluence/{cloudId}/wiki`, as on the gateway.
    """
    wiki = [
        Mount("/api/v2", routes=[*_v2_routes(site)]),
        Mount("/rest/api", routes=[*_v1_routes(site)]),
    ]

    async def tenant_info(request: Request) -> Response:
        return people.tenant_info(site, request)

    async def media(request: Request) -> Response:
        return attachments.media(site, request)

    return Starlette(
        routes=[
            Route("/_edge/tenant_info", tenant_info),
            Route("/media/{attachment}/{version:int}", media),
            Mount("/wiki", routes=wiki),
            Mount("/ex/confluence/{cloud_id}/wiki", routes=wiki),
        ],
        exception_handlers={Refusal: _refused, HTTPException: _unroutable},
    )


def _v2_routes(site: Site) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        _route(site, path, endpoint, scope) for path, (endpoint, scope) in V2.items()
    ]
    kinds, path = nodes.convert_ids_to_types, "/content/convert-ids-to-types"
    return [
        *routes,
        _route(site, "/users-bulk", people.users_bulk, READ_USER, method="POST"),
        _route(site, path, kinds, READ_METADATA, method="POST"),
    ]


def _v1_routes(site: Site) -> list[BaseRoute]:
    async def removed(call: Call) -> Response:
        raise gone()

    return [
        _route(site, "/user/current", people.current_user, READ_USER),
        _route(site, "/content/search", search.content_search, SEARCH),
        _route(site, RESTRICTION, restrictions.restriction, "read:content-details:confluence"),
        _route(site, "/group", groups.groups, READ_GROUP),
        _route(site, MEMBERS, groups.members, READ_GROUP),
        _route(site, DOWNLOAD, attachments.download, READ_ATTACHMENT),
        *(_route(site, path, removed, READ_PAGE) for path in GONE),
    ]


def _route(
    site: Site, path: str, endpoint: Endpoint, scope: str, *, method: str = "GET"
) -> BaseRoute:
    async def answer(request: Request) -> Response:
        return await endpoint(authenticated(site, request, scope))

    return Route(path, answer, methods=[method])


def _refused(request: Request, refusal: Exception) -> Response:
    del request
    assert isinstance(refusal, Refusal)
    return refusal.response()


def _unroutable(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return JSONResponse(v2_error(error.status_code), error.status_code)
