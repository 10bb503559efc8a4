"""Who alone may view a page or blog post: of each within listings, and of one by itself."""

from collections.abc import Sequence

from starlette.responses import JSONResponse

from tests.confluence.content import Content, User
from tests.confluence.datacenter.answers import Json, bad_request, not_found
from tests.confluence.datacenter.call import Call
from tests.confluence.datacenter.groups import group_payload
from tests.confluence.datacenter.payloads import person_payload

SUBJECTS_INCLUDED = 200

_WITHIN = "restrictions.read.restrictions."
_ALONE = "restrictions."


async def restriction(call: Call) -> JSONResponse:
    """The restriction of one operation on a page or blog post, without those that it inherits."""
    operation = call.request.path_params["operation"]
    if operation not in ("read", "update"):
        raise bad_request(f"Unknown operation: {operation}")
    content = call.content()
    if content.id in call.site.permissions.untold:
        raise not_found(f"restriction of {content.id}")
    asked = call.expanded if call.text("expand") else {f"{_ALONE}user", f"{_ALONE}group"}
    start, limit = call.integer("start", 0), min(call.integer("limit", 100), call.edition.most)
    wanted = [kind for kind in ("user", "group") if f"{_ALONE}{kind}" in asked]
    subjects = {kind: _part(_subjects(call, content, kind), start, limit) for kind in wanted}
    if operation == "update":
        subjects = {kind: _part([], start, limit) for kind in wanted}
    return JSONResponse(_operation(call, content, operation, subjects))


def restrictions_payload(call: Call, content: Content) -> Json:
    """The restriction to view as a property of a page, as far as that is asked for."""
    wanted = [kind for kind in ("user", "group") if f"{_WITHIN}{kind}" in call.expanded]
    if not wanted or content.id in call.site.permissions.untold:
        return {}
    subjects = {
        kind: _part(_subjects(call, content, kind), 0, SUBJECTS_INCLUDED) for kind in wanted
    }
    return {"restrictions": {"read": _operation(call, content, "read", subjects)}}


def _operation(call: Call, content: Content, operation: str, subjects: dict[str, Json]) -> Json:
    address = f"/rest/api/content/{content.id}"
    return {
        "operation": operation,
        "restrictions": subjects,
        "_links": {"self": f"{call.base}{address}/restriction/byOperation/{operation}"},
        "_expandable": {"content": address},
    }


def _subjects(call: Call, content: Content, kind: str) -> list[Json]:
    granted = call.site.permissions.restrictions.get(content.id, frozenset())
    names = sorted(name for allowed, name in granted if allowed == kind)
    if kind == "user":
        return [_person(call, name) for name in names]
    known = call.site.permissions.groups
    return [group_payload(call, known[name]) for name in names if name in known]


def _person(call: Call, account_id: str) -> Json:
    person = call.site.users.get(account_id)
    if person is None:
        key = User(account_id, "", "").user_key
        return {"type": "unknown", "userKey": key, "displayName": "Unknown User"}
    return person_payload(call, person)


def _part(subjects: Sequence[Json], start: int, limit: int) -> Json:
    given = subjects[start : start + limit]
    return {"results": given, "start": start, "limit": limit, "size": len(given)}
