"""The search: a small part of CQL, with times of the server's zone and of whole minutes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import JSONResponse

from tests.confluence.content import Attachment, Comment, Content
from tests.confluence.datacenter.answers import Json, bad_request
from tests.confluence.datacenter.call import Call
from tests.confluence.datacenter.contents import page_payload
from tests.confluence.datacenter.item_payloads import attachment_payload, comment_payload
from tests.confluence.datacenter.listing import listed
from tests.confluence.datacenter.payloads import ZONE

_ORDER = re.compile(r"\s+order\s+by\s+lastmodified\s+(asc|desc)\s*$", re.IGNORECASE)
_CLAUSE = re.compile(
    r"""\s*(?:type\s+in\s*\((?P<types>[\w\s,]+)\)|type\s*=\s*(?P<type>\w+)"""
    r"""|space\s*=\s*"(?P<space>[^"]+)"|lastmodified\s*>=\s*"(?P<since>[^"]+)")\s*""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that the search knows, by what it can be found."""

    kind: str
    content: Content
    modified: datetime
    show: Callable[[Call], Json]


async def search(call: Call) -> JSONResponse:
    """What fits a query, of the current spaces."""
    cql = call.text("cql")
    if not cql:
        raise bad_request("cql is missing")
    order = _ORDER.search(cql)
    tests = [_test(clause) for clause in re.split(r"\sand\s", _ORDER.sub("", cql))]
    found = [one for one in _indexed(call) if all(test(call, one) for test in tests)]
    if order:
        found.sort(key=lambda one: one.modified, reverse=order[1].lower() == "desc")
    return listed(
        call, found, lambda one: one.show(call), is_shown=lambda one: call.sees(one.content)
    )


def _test(clause: str) -> Callable[[Call, Found], bool]:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise bad_request(f"Could not parse cql : {clause}")
    if match["types"] or match["type"]:
        types = {kind.strip() for kind in (match["types"] or match["type"]).split(",")}
        return lambda call, one: one.kind in types
    if match["space"]:
        return lambda call, one: call.site.spaces[one.content.space_id].key == match["space"]
    since = datetime.strptime(match["since"], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    return lambda call, one: one.modified >= since


def _indexed(call: Call) -> list[Found]:
    site = call.site
    hosts = {
        content.id: content
        for content in list(site.contents.values())
        if content.kind in ("page", "blogpost")
        and content.status == "current"
        and site.spaces[content.space_id].status == "current"
    }
    comments = [one for one in list(site.comments.values()) if one.status == "current"]
    attachments = [one for one in list(site.attachments.values()) if one.status == "current"]
    return [
        *(_found_content(one) for one in hosts.values()),
        *(
            _found_comment(one, hosts[one.container_id])
            for one in comments
            if one.container_id in hosts
        ),
        *(
            _found_attachment(one, hosts[one.container_id])
            for one in attachments
            if one.container_id in hosts
        ),
    ]


def _found_content(content: Content) -> Found:
    modified = content.version.created_at
    return Found(content.kind, content, modified, lambda call: page_payload(call, content))


def _found_comment(comment: Comment, content: Content) -> Found:
    modified = comment.version.created_at
    return Found("comment", content, modified, lambda call: comment_payload(call, comment))


def _found_attachment(attachment: Attachment, content: Content) -> Found:
    modified = attachment.created_at
    return Found("attachment", content, modified, lambda call: attachment_payload(call, attachment))
