"""The endpoints of groups: who and which groups are in them."""

from starlette.responses import JSONResponse

from tests.confluence.datacenter.answers import Json, Refusal, not_found
from tests.confluence.datacenter.call import ANONYMOUS, Call
from tests.confluence.datacenter.listing import listed
from tests.confluence.datacenter.payloads import person_payload
from tests.confluence.permissions import Group


async def members(call: Call) -> JSONResponse:
    """The people in a group, deactivated ones too."""
    group, permissions = _group(call), call.site.permissions
    people = [
        person
        for person in list(call.site.users.values())
        if person.account_id in group.members
        or (call.edition.flattens_groups and permissions.is_member(person.account_id, group.id))
    ]
    return listed(call, people, lambda person: person_payload(call, person))


async def groups_within(call: Call) -> JSONResponse:
    """The groups that are directly in a group."""
    if not call.edition.tells_groups_within:
        raise not_found("such resource")
    known = call.site.permissions.groups
    within = [known[group_id] for group_id in sorted(_group(call).groups) if group_id in known]
    return listed(call, within, lambda group: group_payload(call, group))


def group_payload(call: Call, group: Group) -> Json:
    """A group; it has no other id than its name."""
    address = f"{call.base}/rest/api/group/{group.name}"
    return {"type": "group", "name": group.name, "_links": {"self": address}}


def _group(call: Call) -> Group:
    name = call.request.path_params["name"]
    if call.caller is ANONYMOUS or not call.edition.is_administrator:
        raise Refusal(403, "Not permitted to view groups")
    for group in list(call.site.permissions.groups.values()):
        if group.name.lower() == name.lower():
            if group.id in call.site.permissions.untold:
                raise Refusal(403, f"Not permitted to view the group {name}")
            return group
    raise not_found(f"group with name {name}")
