"""The whole of a simulated Confluence Data Center as one ASGI application."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.confluence.datacenter import (
    contents,
    grants,
    groups,
    items,
    restrictions,
    rooms,
    search,
)
from tests.confluence.datacenter.answers import Refusal, rest_error
from tests.confluence.datacenter.call import Call, received
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.rate import Allowances
from tests.confluence.site import Site

Endpoint = Callable[[Call], Awaitable[Response]]

V1: dict[str, Endpoint] = {
    "/content": contents.contents,
    "/content/scan": contents.scan,
    "/content/search": search.search,
    "/content/{id}": contents.content,
    "/content/{id}/child/attachment": items.attachments,
    "/content/{id}/child/comment": items.comments,
    "/content/{id}/label": contents.labels,
    "/content/{id}/restriction/byOperation/{operation}": restrictions.restriction,
    "/group/{name}/groupmember": groups.groups_within,
    "/group/{name}/member": groups.members,
    "/permissions": grants.permissions,
    "/permissions/anonymous": grants.anonymous_permissions,
    "/permissions/unlicensed": grants.unlicensed_permissions,
    "/server-information": rooms.server_information,
    "/space": rooms.spaces,
    "/space/{key}": rooms.space,
    "/space/{key}/permissions": grants.space_permissions,
    "/space/{key}/permissions/anonymous": grants.anonymous_space_permissions,
    "/user": rooms.user,
    "/user/current": rooms.current_user,
}

WEB: dict[str, Endpoint] = {
    "/download/attachments/{id}/{filename:path}": items.download,
    "/login.action": items.login,
}

REMOTE: dict[str, Endpoint] = {"/rpc/json-rpc/confluenceservice-v2": grants.remote_call}


def datacenter(edition: Edition | None = None) -> Callable[[Site], Starlette]:
    """The personality of an edition: how it answers for the state of a site at that moment."""
    chosen = edition or Edition()
    return lambda site: _app(site, chosen)


def _app(site: Site, edition: Edition) -> Starlette:
    allowances = None if edition.allowance is None else Allowances(edition.allowance)
    routes, web, remote = (
        [
            Route(path, _answering(site, edition, allowances, endpoint), methods=[method])
            for path, endpoint in endpoints.items()
        ]
        for method, endpoints in (("GET", V1), ("GET", WEB), ("POST", REMOTE))
    )
    rest = Mount("/rest/api", routes=routes)
    return Starlette(
        routes=[Mount(edition.context, routes=[rest, *web, *remote])],
        exception_handlers={Refusal: _refused, HTTPException: _unroutable},
    )


def _answering(
    site: Site, edition: Edition, allowances: Allowances | None, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        call = received(site, edition, request)
        if allowances is None:
            return await endpoint(call)
        allowances.take(call.caller.account_id)
        return allowances.tell(call.caller.account_id, await endpoint(call))

    return answer


def _refused(request: Request, refusal: Exception) -> Response:
    del request
    assert isinstance(refusal, Refusal)
    return refusal.response()


def _unroutable(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return JSONResponse(rest_error(error.status_code, error.detail), error.status_code)
