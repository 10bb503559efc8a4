"""Scopes of an API token without which Confluence Cloud's pages can be read all the same."""

import httpx

from ingest.sources.http import Forbidden
from ingest.sources.refusals import CLOUD_REFUSALS, Refusals

_NEEDED = frozenset({"spaces", "pages", "blogposts", "current"})
_DISPENSABLE = frozenset(
    {
        "footer-comments",
        "inline-comments",
        "attachments",
        "attachment",
        "folders",
        "whiteboards",
        "databases",
        "embeds",
        "search",
        "convert-ids-to-types",
        "users-bulk",
        "permissions",
        "role-assignments",
        "space-roles",
        "space-permissions",
        "space-role-mode",
        "byOperation",
        "group",
        "membersByGroupId",
    }
)


class MissingScope(Forbidden):
    """The API token lacks a scope, but not one that reading pages takes."""


def _why_unauthorized(request_name: str, response: httpx.Response) -> str:
    text = CLOUD_REFUSALS.why_unauthorized(request_name, response)
    parts = reversed(request_name.split("/"))
    part = next((part for part in parts if part in _NEEDED | _DISPENSABLE), "")
    if "scope" in response.text and part in _DISPENSABLE:
        raise MissingScope(text)
    return text


REFUSALS = Refusals(CLOUD_REFUSALS.example_url, _why_unauthorized)
