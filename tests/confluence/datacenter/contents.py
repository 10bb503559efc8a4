"""The endpoints of pages and blog posts."""

from starlette.responses import JSONResponse

from tests.confluence.content import Content
from tests.confluence.datacenter.answers import Json, not_found
from tests.confluence.datacenter.call import Call
from tests.confluence.datacenter.item_payloads import hanging_payload
from tests.confluence.datacenter.listing import listed, scanned
from tests.confluence.datacenter.payloads import content_payload, label_payload
from tests.confluence.datacenter.restrictions import restrictions_payload

TYPES = ("page", "blogpost")
STATUSES: dict[str, tuple[str, ...]] = {
    "current": ("current",),
    "trashed": ("trashed",),
    "any": ("current", "trashed"),
}


async def contents(call: Call) -> JSONResponse:
    """Pages or blog posts by place; hidden ones take places too."""
    kind = call.choice("type", TYPES, "page")
    return listed(
        call,
        _chosen(call, kind),
        lambda content: page_payload(call, content),
        is_shown=call.sees,
    )


async def scan(call: Call) -> JSONResponse:
    """Pages by cursor, and in newer versions other content too."""
    if not call.edition.has_scan:
        raise not_found("content with id: ContentId{id=scan}")
    kind = "page"
    if call.edition.scans_blogposts:
        kind = call.choice("type", (*TYPES, "comment"), "page")
    return scanned(call, _chosen(call, kind), lambda content: page_payload(call, content))


async def content(call: Call) -> JSONResponse:
    """One page or blog post."""
    return JSONResponse(page_payload(call, call.content()))


async def labels(call: Call) -> JSONResponse:
    """The labels of a page or blog post."""
    prefix = call.text("prefix")
    found = [label for label in call.content().labels if prefix in (None, label.prefix)]
    return listed(call, found, label_payload)


def page_payload(call: Call, content: Content) -> Json:
    """A page or blog post, with what hangs on it where that is asked for."""
    return {
        **content_payload(call, content),
        **hanging_payload(call, content),
        **restrictions_payload(call, content),
    }


def _chosen(call: Call, kind: str) -> list[Content]:
    statuses = STATUSES[call.choice("status", STATUSES, "current")]
    key = call.text("spaceKey")
    space_id = None if key is None else call.space(key).id
    chosen = [
        content
        for content in list(call.site.contents.values())
        if content.kind == kind
        and content.status in statuses
        and space_id in (None, content.space_id)
    ]
    return sorted(chosen, key=_number)


def _number(content: Content) -> int:
    return int(content.id)
