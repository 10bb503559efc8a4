"""The endpoints of permissions, of the whole site and of spaces: by REST, and by JSON-RPC before.

What is granted is told among other operations of the same and of other people.
"""

from collections.abc import Iterable

from starlette.responses import HTMLResponse, JSONResponse, Response

from tests.confluence.content import Space
from tests.confluence.datacenter.answers import Json, Refusal, not_found
from tests.confluence.datacenter.call import ANONYMOUS, Call
from tests.confluence.permissions import ANONYMOUS as ANYBODY
from tests.confluence.permissions import Grant

ADMINISTRATORS: Json = {"type": "group", "name": "confluence-administrators"}
NOBODY: Json = {"type": "anonymous", "displayName": "Anonymous"}


async def permissions(call: Call) -> JSONResponse:
    """Whom the site lets do what as a whole."""
    _refuse_strangers(call)
    known = call.site.permissions
    users: list[Grant] = [("user", account_id) for account_id in known.guests]
    groups: list[Grant] = [("group", group_id) for group_id in known.site_groups]
    told = [_permission("administer", "application", ADMINISTRATORS)]
    for subject in _subjects(call, [*users, *groups]):
        told.append(_permission("use", "application", subject))
        told.append(_permission("create", "personal_space", subject))
    return JSONResponse(told)


async def anonymous_permissions(call: Call) -> JSONResponse:
    """What visitors without login may do."""
    _refuse_strangers(call)
    is_open = call.site.permissions.is_site_open
    return JSONResponse([_permission("use", "application", NOBODY)] if is_open else [])


async def unlicensed_permissions(call: Call) -> JSONResponse:
    """What people without a licence may do: nothing."""
    _refuse_strangers(call)
    return JSONResponse([])


async def space_permissions(call: Call) -> JSONResponse:
    """Whom a space lets do what; a failure for those who may not know."""
    space = _space(call)
    told = [_permission("administer", "space", ADMINISTRATORS, space)]
    for subject in _subjects(call, call.site.permissions.spaces[space.id].permissions):
        told.append(_permission("create", "page", subject, space))
        told.append(_permission("read", "space", subject, space))
    return JSONResponse(told)


async def anonymous_space_permissions(call: Call) -> JSONResponse:
    """What visitors without login may do in a space; some versions tell it more briefly."""
    space = _space(call)
    told: list[Json] = []
    if ("class", ANYBODY) in call.site.permissions.spaces[space.id].permissions:
        told = [
            _permission(operation, target, NOBODY, space)
            for operation, target in (("create", "comment"), ("read", "space"))
        ]
    if call.edition.tells_anonymous_briefly:
        return JSONResponse({"operations": [one["operation"] for one in told]})
    return JSONResponse(told)


async def remote_call(call: Call) -> Response:
    """A call of the Remote API, which knows permissions of spaces by names of users."""
    if not call.edition.has_remote_api:
        raise Refusal(403, "The Remote API is not enabled on this server")
    if call.edition.wants_password_again:
        return HTMLResponse("<html><title>Administrator Access - Confluence</title></html>")
    asked = await call.request.json()
    answer: Json = {"jsonrpc": "2.0", "id": asked["id"]}
    try:
        assert asked["method"] == "getSpacePermissionSets"
        space = call.space(asked["params"][0])
        if call.caller is ANONYMOUS or space.id in call.site.permissions.untold:
            raise not_found(f"space with key {space.key}")
    except Refusal as refusal:
        return JSONResponse({**answer, "error": {"code": 500, "message": refusal.message}})
    return JSONResponse({**answer, "result": _permission_sets(call, space)})


def _permission_sets(call: Call, space: Space) -> list[Json]:
    granted = call.site.permissions.spaces[space.id].permissions
    names = [_names(call, grant) for grant in sorted(granted)]
    administrators: Json = {"userName": None, "groupName": ADMINISTRATORS["name"]}
    sets = {
        "SETSPACEPERMISSIONS": [administrators],
        "EDITSPACE": [*names, administrators],
        "VIEWSPACE": names,
    }
    return [
        {"type": kind, "spacePermissions": [{"type": kind, **named} for named in found if named]}
        for kind, found in sets.items()
    ]


def _names(call: Call, grant: Grant) -> Json:
    kind, name = grant
    if kind == "class":
        return {"userName": None, "groupName": None} if name == ANYBODY else {}
    if kind == "group":
        group = call.site.permissions.groups.get(name)
        return {"userName": None, "groupName": group.name} if group else {}
    user = call.site.users.get(name)
    return {"userName": user.username if user else "deleted.person", "groupName": None}


def _subjects(call: Call, granted: Iterable[Grant]) -> list[Json]:
    known, users = call.site.permissions.groups, call.site.users
    subjects: list[Json] = []
    for kind, name in sorted(granted):
        if kind == "user" and name in users:
            person = users[name]
            subjects.append(
                {"type": "user", "userKey": person.user_key, "displayName": person.user_key}
            )
        if kind == "group" and name in known:
            subjects.append({"type": "group", "name": known[name].name})
    return subjects


def _permission(operation: str, target: str, subject: Json, space: Space | None = None) -> Json:
    place: Json = {"spaceKey": space.key, "spaceId": int(space.id)} if space else {}
    described = {"targetType": target, "operationKey": operation}
    return {"operation": described, "subject": subject, **place}


def _refuse_strangers(call: Call) -> None:
    if not call.edition.tells_permissions:
        raise not_found("such resource")
    if call.caller is ANONYMOUS or not call.edition.is_administrator:
        raise Refusal(403, "Not permitted to view global permissions")


def _space(call: Call) -> Space:
    """The space in the path; of others its permissions cannot be told, which ends in a failure."""
    if not call.edition.tells_space_permissions:
        raise not_found("such resource")
    space = call.space(call.request.path_params["key"])
    if call.caller is ANONYMOUS or space.id in call.site.permissions.untold:
        raise Refusal(500, "Internal Server Error")
    return space
