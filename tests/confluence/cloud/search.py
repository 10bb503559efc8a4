"""The endpoint that finds content with CQL: the part of the language that is asked for here.

It answers in the shapes of REST v1 and knows only what its index has.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, Refusal, v1_error
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, part
from tests.confluence.cloud.payloads import links, timestamp
from tests.confluence.cloud.restrictions import restrictions_found
from tests.confluence.content import Comment, Content, Space, Version

KINDS = ("page", "blogpost", "folder", "whiteboard", "database", "embed", "comment")
MOST_EXPANDED = 200
MOST_LABELS = 200

Found = Content | Comment

_CLAUSE = re.compile(
    r'space *= *"(?P<space>[^"]*)"|type *= *(?P<type>\w+)|type +in *\((?P<types>[\w, ]+)\)'
)
_ORDER: Order[Found] = Order({"id": lambda found: int(found.id)}, lambda found: int(found.id))


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; None stands for any."""

    space_key: str | None
    kinds: Collection[str]
    statuses: Collection[str]


async def content_search(call: Call) -> JSONResponse:
    """Content that fits a query, with what is to be expanded of it."""
    query = _query(call)
    expanded = set(call.several("expand"))
    limit = min(call.integer("limit") or 25, MOST_EXPANDED if expanded else 1000)
    page, cursor = part(call, _matching(call, query), _ORDER, limit)
    own: Json = {"base": call.base, "context": "/wiki", "self": f"{call.base}/rest/api/search"}
    if cursor is not None:
        asked = [(k, v) for k, v in call.request.query_params.multi_items() if k != "cursor"]
        # Relative to the wiki, unlike the links of REST v2.
        own["next"] = f"/rest/api/content/search?{urlencode([*asked, ('cursor', cursor)])}"
    results = [_payload(call, found, expanded) for found in page]
    return JSONResponse(
        {"results": results, "start": 0, "limit": limit, "size": len(results), "_links": own}
    )


def _query(call: Call) -> Query:
    context = json.loads(call.text("cqlcontext") or "{}")
    space_key, kinds = None, KINDS
    for clause in re.split(r"\s+and\s+", (call.text("cql") or "").strip()):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise _bad_query(clause)
        if match["space"] is not None:
            space_key = match["space"]
        else:
            kinds = tuple(kind.strip() for kind in (match["types"] or match["type"]).split(","))
    if not set(kinds) <= set(KINDS):
        raise _bad_query(", ".join(kinds))
    return Query(space_key, kinds, context.get("contentStatuses", ("current",)))


def _bad_query(clause: str) -> Refusal:
    message = f"com.atlassian.confluence.api.service.exceptions: Could not parse cql : {clause}"
    return Refusal(400, v1_error(400, message))


def _matching(call: Call, query: Query) -> Iterator[Found]:
    site = call.site
    everything = [*list(site.contents.values()), *list(site.comments.values())]
    for found in everything:
        container = site.contents.get(
            found.container_id if isinstance(found, Comment) else found.id
        )
        if (
            container is not None
            and found.id not in site.unindexed
            and (found.kind if isinstance(found, Content) else "comment") in query.kinds
            and query.space_key in (None, site.spaces[container.space_id].key)
            and found.status in query.statuses
            and container.status in query.statuses
            and call.sees(container)
        ):
            yield found


def _payload(call: Call, found: Found, expanded: Collection[str]) -> Json:
    site = call.site
    is_comment = isinstance(found, Comment)
    content = site.content(found.container_id) if is_comment else found
    space = site.spaces[content.space_id]
    shown: Json = {
        "id": found.id,
        "type": "comment" if is_comment else content.kind,
        "status": found.status,
        "title": f"Re: {content.title}" if is_comment else content.title,
        "macroRenderedOutput": {},
        "extensions": {"position": "none" if content.position is None else content.position},
        "_expandable": {},
        "_links": {
            "self": f"{call.base}/rest/api/content/{found.id}",
            "webui": links(site, content)["webui"],
        },
    }
    every: Json = {
        "space": _space(space),
        "version": _version(found.version),
        "ancestors": [_relative(node) for node in site.ancestors(content) if call.sees(node)],
        "container": _relative(content) if is_comment else _space(space),
    }
    shown |= {name: value for name, value in every.items() if name in expanded}
    if "metadata.labels" in expanded and not is_comment:
        shown["metadata"] = {"labels": _labels(content), "_expandable": {}}
    if not is_comment:
        shown |= restrictions_found(call, content, expanded)
    return shown


def _space(space: Space) -> Json:
    return {
        "id": int(space.id),
        "key": space.key,
        "name": space.name,
        "type": space.kind,
        "status": space.status,
        "_expandable": {},
        "_links": {},
    }


def _version(version: Version) -> Json:
    return {"number": version.number, "when": timestamp(version.created_at), "minorEdit": False}


def _relative(content: Content) -> Json:
    return {"id": content.id, "type": content.kind, "status": content.status, "_links": {}}


def _labels(content: Content) -> Json:
    results = [
        {"prefix": label.prefix, "name": label.name, "id": label.id, "label": label.name}
        for label in content.labels[:MOST_LABELS]
    ]
    return {"results": results, "start": 0, "limit": MOST_LABELS, "size": len(results)}
