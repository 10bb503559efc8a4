"""The endpoints that tell who may do what in a space: permissions, and roles where there are some.

Besides the right to view, which the site knows of, they tell of rights that matter to nobody here.
"""

import hashlib
from collections.abc import Iterator

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, not_found
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, listed
from tests.confluence.content import Space
from tests.confluence.permissions import Grant, Role

VIEW = "read/space"
CATALOGUE = ("administer/space", "create/comment", "create/page", "export_content/space", VIEW)
ACCESS_TYPES = {"user": "USER", "group": "GROUP", "class": "ACCESS_CLASS"}

Row = tuple[str, str, str]  # the type and the id of a principal, and an operation such as VIEW
Assignment = tuple[Grant, str]


def _number(*parts: str) -> int:
    return int(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12], 16)


PERMISSION_ORDER: Order[Row] = Order(
    {"id": lambda row: _number(*row)}, number=lambda row: _number(*row)
)
ASSIGNMENT_ORDER: Order[Assignment] = Order(
    {"id": lambda given: _number(*given[0], given[1])},
    number=lambda given: _number(*given[0], given[1]),
)
ROLE_ORDER: Order[Role] = Order(
    {"id": lambda role: _number(role.id)}, number=lambda role: _number(role.id)
)
CATALOGUE_ORDER: Order[str] = Order({"id": CATALOGUE.index}, number=CATALOGUE.index)


async def role_mode(call: Call) -> JSONResponse:
    """How far the site has come from permissions to roles."""
    if not call.site.permissions.tells_role_mode:
        raise not_found()
    return JSONResponse({"mode": call.site.permissions.role_mode})


async def space_permissions(call: Call) -> JSONResponse:
    """Who has which permission in a space; what was granted before there were roles stays."""
    space = _told(call)
    return listed(call, set(_rows(call, space)), PERMISSION_ORDER, _permission)


async def role_assignments(call: Call) -> JSONResponse:
    """Who has which role in a space."""
    _refuse_without_roles(call)
    given = call.site.permissions.spaces[_told(call).id].roles
    return listed(call, given, ASSIGNMENT_ORDER, _assignment)


async def roles(call: Call) -> JSONResponse:
    """The roles that people may have in spaces."""
    _refuse_without_roles(call)
    permissions = call.site.permissions
    told = [role for role in permissions.roles.values() if role.id not in permissions.untold]
    return listed(call, told, ROLE_ORDER, _role)


async def role(call: Call) -> JSONResponse:
    """One role."""
    _refuse_without_roles(call)
    found = call.site.permissions.roles.get(call.request.path_params["id"])
    if found is None or found.id in call.site.permissions.untold:
        raise not_found()
    return JSONResponse(_role(found) | {"_links": {"base": call.base}})


async def known_permissions(call: Call) -> JSONResponse:
    """The permissions that a role may be made of."""
    _refuse_without_roles(call)
    return listed(call, CATALOGUE, CATALOGUE_ORDER, _known)


def _told(call: Call) -> Space:
    space = call.space(call.path_id)
    if space.id in call.site.permissions.untold:
        raise not_found()
    return space


def _refuse_without_roles(call: Call) -> None:
    if call.site.permissions.role_mode == "PRE_ROLES":
        raise not_found()


def _rows(call: Call, space: Space) -> Iterator[Row]:
    permissions = call.site.permissions
    granted = permissions.spaces[space.id]
    for kind, name in granted.permissions:
        who = "role" if kind == "class" else kind
        yield from ((who, name, operation) for operation in (VIEW, "create/comment"))
    for group_id in permissions.groups:
        yield from (("group", group_id, other) for other in ("export/space", "read/page"))
    if permissions.role_mode != "PRE_ROLES":
        for _, role_id in granted.roles:
            yield "role", role_id, "create/page"
            if permissions.roles[role_id].can_view:
                yield "role", role_id, VIEW


def _permission(row: Row) -> Json:
    kind, name, operation = row
    key, target = operation.split("/")
    return {
        "id": str(_number(*row)),
        "principal": {"type": kind, "id": name},
        "operation": {"key": key, "targetType": target},
    }


def _assignment(given: Assignment) -> Json:
    (kind, name), role_id = given
    return {
        "principal": {"principalType": ACCESS_TYPES[kind], "principalId": name},
        "roleId": role_id,
    }


def _role(role: Role) -> Json:
    return {
        "id": role.id,
        "type": role.kind,
        "name": role.name,
        "description": "",
        "spacePermissions": ["create/comment", *([VIEW] if role.can_view else [])],
    }


def _known(permission: str) -> Json:
    return {
        "id": permission,
        "displayName": permission.replace("/", " ").capitalize(),
        "description": "",
        "requiredPermissionIds": [] if permission == VIEW else [VIEW],
    }
