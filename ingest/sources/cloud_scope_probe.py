"""What the token of a Cloud account may do, told by one small request for each scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from index.errors import AuthenticationError
from ingest.sources.cloud_json import ContentJson
from ingest.sources.cloud_scopes import MissingScope
from ingest.sources.cloud_site import CloudSite
from ingest.sources.http import Forbidden, Listing, NotVisible, UnexpectedAnswer, WireModel
from ingest.sources.pace import in_parallel

_SOME_ID = "1"  # of nothing: whoever has the scope is told that there is no such thing


class Verdict(StrEnum):
    """How a site answers to what needs a scope."""

    GIVEN = "given"
    LACKING = "lacking"  # the token has other scopes only
    REFUSED = "refused"  # the token has it, or needs none, but the account may not


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope, where it is asked for, and what is not read without it."""

    name: str
    path: str
    gives: str
    parameters: Mapping[str, str] | None = field(default=None, hash=False)
    posted: Mapping[str, list[str]] | None = field(default=None, hash=False)


_ONE = {"limit": "1"}
SCOPES = (
    Scope("read:space:confluence", "/api/v2/spaces", "anything", _ONE),
    Scope("read:page:confluence", "/api/v2/pages", "pages and blog posts", _ONE),
    Scope("read:user:confluence", "/rest/api/user/current", "who reads, and names of authors"),
    Scope("read:comment:confluence", "/api/v2/footer-comments", "comments", _ONE),
    Scope("read:attachment:confluence", "/api/v2/attachments", "attachments", _ONE),
    Scope(
        "read:content.metadata:confluence",
        "/api/v2/content/convert-ids-to-types",
        "where pages below folders belong",
        posted={"contentIds": [_SOME_ID]},
    ),
    Scope("read:folder:confluence", f"/api/v2/folders/{_SOME_ID}", "folders"),
    Scope("read:whiteboard:confluence", f"/api/v2/whiteboards/{_SOME_ID}", "whiteboards"),
    Scope("read:database:confluence", f"/api/v2/databases/{_SOME_ID}", "databases"),
    Scope("read:embed:confluence", f"/api/v2/embeds/{_SOME_ID}", "embeds"),
    Scope(
        "read:space.permission:confluence",
        "/api/v2/space-permissions",
        "who may read a space by its role",
        _ONE,
    ),
    Scope(
        "read:configuration:confluence",
        "/api/v2/space-role-mode",
        "whether roles or permissions count",
    ),
    Scope(
        "read:content-details:confluence",
        "/rest/api/content/{page}/restriction/byOperation/read",
        "restrictions of pages",
    ),
    Scope("read:group:confluence", "/rest/api/group", "members of groups", _ONE),
    Scope(
        "search:confluence",
        "/rest/api/content/search",
        "labels, folders and restrictions at once",
        {"cql": "type=page", "limit": "1"},
    ),
)


class _Anything(WireModel):
    """An answer that is not looked at."""


async def asked_scopes(site: CloudSite) -> dict[Scope, Verdict]:
    """How the site answers for each scope; AuthenticationError for credentials that are none."""
    page_id = await _some_page(site)
    jobs = [partial(_asked, site, scope, page_id) for scope in SCOPES]
    answers = {scope: verdict async for scope, verdict in in_parallel(jobs, site.pace.concurrency)}
    return {scope: answers[scope] for scope in SCOPES}


async def _some_page(site: CloudSite) -> str:
    try:
        part = await site.client.get("/api/v2/pages", Listing[ContentJson], _ONE)
    except (AuthenticationError, NotVisible, UnexpectedAnswer):
        return _SOME_ID
    return part.results[0].id if part.results else _SOME_ID


async def _asked(site: CloudSite, scope: Scope, page_id: str) -> tuple[Scope, Verdict]:
    path = scope.path.format(page=page_id)
    try:
        if scope.posted is not None:
            await site.client.post(path, _Anything, scope.posted)
        else:
            await site.client.get(path, _Anything, scope.parameters)
    except MissingScope:
        return scope, Verdict.LACKING
    except Forbidden:
        return scope, Verdict.REFUSED
    except AuthenticationError as error:
        if "lacks a scope" not in str(error):
            raise
        return scope, Verdict.LACKING
    except (NotVisible, UnexpectedAnswer):
        return scope, Verdict.GIVEN
    return scope, Verdict.GIVEN
