"""The endpoints of groups and their members, in the shapes of REST v1."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, v1_refusal
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.payloads import group_payload, person_payload

MOST = 200


async def groups(call: Call) -> JSONResponse:
    """Groups by name: all, or those that let their members use the product."""
    permissions = call.site.permissions
    access = call.choice("accessType", ("user", "admin", "site-admin"))
    chosen = [
        group
        for group in sorted(permissions.groups.values(), key=lambda group: group.name)
        if access is None or (access == "user" and group.id in permissions.site_groups)
    ]
    limit = min(call.integer("limit") or MOST, MOST)
    return _listed(call, [group_payload(group) for group in chosen], limit)


async def members(call: Call) -> JSONResponse:
    """The members of a group, those of groups within it too, deactivated ones among them."""
    permissions = call.site.permissions
    group_id = call.request.path_params["id"]
    if group_id in permissions.untold:
        raise v1_refusal(403, "Not permitted to view the members of this group")
    if group_id not in permissions.groups:
        raise v1_refusal(404, f"No group found with id: {group_id}")
    limit = call.integer("limit")
    if limit is not None and not 1 <= limit <= MOST:
        raise v1_refusal(400, f"limit must be between 1 and {MOST}")
    people = [id for id in sorted(call.site.users) if permissions.is_member(id, group_id)]
    shown = [person for id in people if (person := person_payload(call.site, id))]
    return _listed(call, shown, limit or MOST)


def _listed(call: Call, items: Sequence[Json], limit: int) -> JSONResponse:
    start = call.integer("start") or 0
    shown = items[start : start + limit]
    own: Json = {"base": call.base, "context": "/wiki"}
    if start + limit < len(items):
        asked = [(k, v) for k, v in call.request.query_params.multi_items() if k != "start"]
        path = call.path.removeprefix("/wiki")
        own["next"] = f"{path}?{urlencode([*asked, ('start', start + limit)])}"
    body: Json = {"start": start, "limit": limit, "size": len(shown), "_links": own}
    if call.flag("shouldReturnTotalSize"):
        body["totalSize"] = len(items)
    return JSONResponse({"results": list(shown), **body})
