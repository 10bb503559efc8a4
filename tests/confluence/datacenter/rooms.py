"""The endpoints of spaces, people and the server itself."""

from starlette.responses import JSONResponse

from tests.confluence.datacenter.answers import Refusal, bad_request, not_found
from tests.confluence.datacenter.call import ANONYMOUS, Call
from tests.confluence.datacenter.listing import listed
from tests.confluence.datacenter.payloads import person_payload, space_payload


async def spaces(call: Call) -> JSONResponse:
    """Spaces that the caller may see; both current and archived ones unless told otherwise."""
    status, key = call.text("status"), call.text("spaceKey")
    spaces = [space for space in list(call.site.spaces.values()) if status in (None, space.status)]
    chosen = [space for space in spaces if key in (None, space.key)]
    return listed(call, chosen, lambda space: space_payload(call, space), is_shown=call.sees)


async def space(call: Call) -> JSONResponse:
    """One space."""
    return JSONResponse(space_payload(call, call.space(call.request.path_params["key"])))


async def current_user(call: Call) -> JSONResponse:
    """Who the caller is; the anonymous visitor where nobody logged in."""
    return JSONResponse(person_payload(call, call.caller))


async def user(call: Call) -> JSONResponse:
    """A person by key or by user name."""
    key, username = call.text("key"), call.text("username")
    if (key is None) == (username is None):
        raise bad_request("Give either key or username")
    if call.caller is ANONYMOUS:
        raise Refusal(403, "Not permitted to view users")
    for person in list(call.site.users.values()):
        if key == person.user_key or username == person.username:
            return JSONResponse(person_payload(call, person))
    raise not_found(f"user with {'key' if key else 'username'}: {key or username}")


async def server_information(call: Call) -> JSONResponse:
    """What runs here."""
    if not call.edition.tells_version:
        raise not_found("such resource")
    version = call.edition.version
    return JSONResponse({"version": version, "buildNumber": 9111, "baseUrl": call.base})
