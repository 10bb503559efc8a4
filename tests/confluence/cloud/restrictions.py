"""The endpoint that tells who alone may view a content, and the same in what a search finds.

Only the own restriction of a content is told, never one that it inherits.
"""

from collections.abc import Collection, Sequence

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, v1_refusal
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.payloads import group_payload, person_payload
from tests.confluence.content import Content

MOST_NAMES = 200
MOST_NAMES_FOUND = 100

_READ = "restrictions.read.restrictions"


async def restriction(call: Call) -> JSONResponse:
    """Whom an operation on a content is restricted to, from an offset on; empty: nobody's."""
    content = call.site.contents.get(call.path_id)
    is_told = content is not None and content.id not in call.site.permissions.untold
    if content is None or not is_told or not call.sees(content):
        raise v1_refusal(404, f"No content found with id : ContentId{{id={call.path_id}}}")
    operation = call.request.path_params["operation"]
    if operation not in ("read", "update"):
        raise v1_refusal(400, f"{operation} is no operation that can be restricted")
    limit = call.integer("limit")
    kept = MOST_NAMES_FOUND if limit is None else min(limit, MOST_NAMES)
    return JSONResponse(_payload(call, content, operation, call.integer("start") or 0, kept))


def restrictions_found(call: Call, content: Content, expanded: Collection[str]) -> Json:
    """What a search tells of restrictions, where all of that was to be expanded."""
    if not {f"{_READ}.user", f"{_READ}.group"} <= set(expanded):
        return {}
    if content.id in call.site.permissions.untold:
        return {"restrictions": {"_expandable": {"read": "", "update": ""}, "_links": {}}}
    read = _payload(call, content, "read", 0, MOST_NAMES_FOUND)
    return {"restrictions": {"read": read, "_expandable": {"update": ""}, "_links": {}}}


def _payload(call: Call, content: Content, operation: str, start: int, limit: int) -> Json:
    site = call.site
    granted = site.permissions.restrictions.get(content.id, frozenset())
    # Editing is restricted to others than viewing, so that nobody takes one for the other.
    if operation == "update":
        granted = frozenset((("user", site.crawler.account_id),))
    assert all(kind != "class" for kind, _ in granted), "Confluence restricts to no classes"
    people = sorted(name for kind, name in granted if kind == "user")
    groups = sorted(name for kind, name in granted if kind == "group")
    users = [person_payload(site, account_id) for account_id in people]
    teams = [group_payload(site.permissions.groups[group_id]) for group_id in groups]
    return {
        "operation": operation,
        "restrictions": {
            "user": _part(users, start, limit),
            "group": _part(teams, start, limit),
            "_expandable": {},
        },
        "_expandable": {"content": f"/rest/api/content/{content.id}"},
        "_links": {
            "self": f"{call.base}/rest/api/content/{content.id}/restriction/byOperation/{operation}"
        },
    }


def _part(names: Sequence[Json | None], start: int, limit: int) -> Json:
    shown = list(names[start : start + limit])
    return {"results": shown, "start": start, "limit": limit, "size": len(shown)}
