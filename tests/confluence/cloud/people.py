"""The endpoints of accounts, and the one that names the site."""

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.confluence.cloud.answers import bad_request
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import answer
from tests.confluence.cloud.payloads import current_user_payload, user_payload
from tests.confluence.site import Site


class BulkUsers(BaseModel):
    """The body of users-bulk."""

    account_ids: list[str] = Field(alias="accountIds", min_length=1, max_length=250)


async def users_bulk(call: Call) -> JSONResponse:
    """The accounts with the ids in the body; unknown ones are left out."""
    ids = _account_ids(await call.request.body())
    known = [call.site.users[id] for id in dict.fromkeys(ids) if id in call.site.users]
    return answer(call, [user_payload(call.site, user) for user in known])


async def current_user(call: Call) -> JSONResponse:
    """Who the caller is."""
    return JSONResponse(current_user_payload(call.caller, call.base))


def tenant_info(site: Site, request: Request) -> Response:
    """The cloud id of the site; nobody needs to sign in for it."""
    del request
    return JSONResponse({"cloudId": site.cloud_id})


def _account_ids(body: bytes) -> list[str]:
    try:
        return BulkUsers.model_validate_json(body).account_ids
    except ValidationError:
        raise bad_request("'accountIds' must hold between 1 and 250 account ids") from None
