"""The endpoints of spaces."""

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, listed
from tests.confluence.cloud.payloads import space_payload
from tests.confluence.content import Space

SPACE_TYPES = (
    "global",
    "collaboration",
    "knowledge_base",
    "personal",
    "system",
    "onboarding",
    "xflow_sample_space",
)
SPACE_ORDER: Order[Space] = Order(
    {
        "id": lambda space: int(space.id),
        "key": lambda space: space.key,
        "name": lambda space: space.name.casefold(),
    },
    number=lambda space: int(space.id),
)


async def spaces(call: Call) -> JSONResponse:
    """Spaces that the caller may see; both current and archived ones unless told otherwise."""
    ids, keys = call.ids("ids"), call.several("keys")
    kind, status = call.choice("type", SPACE_TYPES), call.choice("status", ("current", "archived"))
    chosen = [
        space
        for space in list(call.site.spaces.values())
        if (not ids or space.id in ids)
        and (not keys or space.key in keys)
        and kind in (None, space.kind)
        and status in (None, space.status)
        and call.sees(space)
    ]
    return listed(call, chosen, SPACE_ORDER, lambda found: _shown(call, found))


async def space(call: Call) -> JSONResponse:
    """One space."""
    found = call.space(call.path_id)
    shown = space_payload(found, alias=False) | _description(call, found)
    links: Json = {"base": call.base, "webui": f"/spaces/{found.key}"}
    return JSONResponse(shown | {"_links": links})


def _shown(call: Call, found: Space) -> Json:
    return space_payload(found) | _description(call, found)


def _description(call: Call, found: Space) -> Json:
    wanted = call.choice("description-format", ("plain", "view"))
    if wanted is None:
        return {}
    body = {"representation": wanted, "value": found.description}
    return {"description": {wanted: body}}
