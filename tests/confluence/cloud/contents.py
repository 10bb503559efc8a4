"""The endpoints of pages and blog posts, their labels and versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, not_found
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, SortValue, answer, included, listed
from tests.confluence.cloud.payloads import (
    blogpost_payload,
    child_payload,
    label_payload,
    page_payload,
    version_payload,
)
from tests.confluence.content import Content, ContentKind, Label, Version
from tests.confluence.site import Site

LIST_FORMATS = ("storage", "atlas_doc_format")
SINGLE_FORMATS = (
    *LIST_FORMATS,
    "view",
    "export_view",
    "anonymous_export_view",
    "styled_view",
    "editor",
)


@dataclass(frozen=True, slots=True)
class Listable:
    """How one kind of content is listed."""

    kind: ContentKind
    statuses: tuple[str, ...]
    default_statuses: tuple[str, ...]
    order: Order[Content]
    show: Callable[[Site, Content, str | None], Json]


def _number(content: Content) -> int:
    return int(content.id)


def _title(content: Content) -> str:
    return content.title.casefold()


def _position(content: Content) -> int:
    return content.position or 0


BY_DATE: dict[str, Callable[[Content], SortValue]] = {
    "id": _number,
    "created-date": lambda content: content.created_at.isoformat(),
    "modified-date": lambda content: content.version.created_at.isoformat(),
}
BLOGPOST_ORDER = Order(BY_DATE, _number)
PAGE_ORDER = Order({**BY_DATE, "title": _title}, _number)
CHILD_ORDER = Order(
    {**BY_DATE, "title": _title, "child-position": _position}, _number, "child-position"
)
LABEL_ORDER: Order[Label] = Order(
    {
        "id": lambda label: int(label.id),
        "created-date": lambda label: int(label.id),
        "name": lambda label: label.name,
    },
    number=lambda label: int(label.id),
)
VERSION_ORDER: Order[Version] = Order(
    {"modified-date": lambda version: version.created_at.isoformat()},
    number=lambda version: version.number,
    default="-modified-date",
)
PAGES = Listable(
    "page",
    ("current", "archived", "deleted", "trashed"),
    ("current", "archived"),
    PAGE_ORDER,
    page_payload,
)
BLOGPOSTS = Listable(
    "blogpost", ("current", "deleted", "trashed"), ("current",), BLOGPOST_ORDER, blogpost_payload
)


async def pages(call: Call) -> JSONResponse:
    """Pages of the whole site."""
    return _of_site(call, PAGES)


async def blogposts(call: Call) -> JSONResponse:
    """Blog posts of the whole site."""
    return _of_site(call, BLOGPOSTS)


async def pages_of_space(call: Call) -> JSONResponse:
    """Pages of a space."""
    space_id = call.space(call.path_id).id
    roots_only = call.choice("depth", ("all", "root")) == "root"
    inside = [
        content
        for content in list(call.site.contents.values())
        if content.space_id == space_id and not (roots_only and content.parent_id)
    ]
    return _listed(call, PAGES, inside)


async def blogposts_of_space(call: Call) -> JSONResponse:
    """Blog posts of a space."""
    space_id = call.space(call.path_id).id
    inside = [c for c in list(call.site.contents.values()) if c.space_id == space_id]
    return _listed(call, BLOGPOSTS, inside)


async def page(call: Call) -> JSONResponse:
    """One page."""
    return _single(call, PAGES)


async def blogpost(call: Call) -> JSONResponse:
    """One blog post."""
    return _single(call, BLOGPOSTS)


async def page_labels(call: Call) -> JSONResponse:
    """The labels of a page."""
    return _labels(call, call.content("page"))


async def blogpost_labels(call: Call) -> JSONResponse:
    """The labels of a blog post."""
    return _labels(call, call.content("blogpost"))


async def page_ancestors(call: Call) -> JSONResponse:
    """The nearest ancestors of a page, the highest first; there is no cursor.

    Where there are more than the limit, the rest is asked for with the id of the first one.
    """
    chain = call.site.ancestors(call.content("page"))[-call.limit() :]
    return answer(call, [{"id": node.id, "type": node.kind} for node in chain])


async def page_children(call: Call) -> JSONResponse:
    """The direct children of a page: of any kind, and drafts too."""
    parent = call.content("page")
    shown = ("current", "archived", "draft")
    children = [c for c in call.site.children(parent.id) if c.status in shown and call.sees(c)]
    return listed(call, children, CHILD_ORDER, child_payload)


async def page_versions(call: Call) -> JSONResponse:
    """The versions of a page, the newest first."""
    content = call.content("page")
    body_format = call.choice("body-format", LIST_FORMATS)

    def show(version: Version) -> Json:
        then = replace(content, versions=content.versions[: version.number])
        body = page_payload(call.site, then, body_format)["body"]
        entity = {"id": content.id, "title": version.title, "body": body}
        return version_payload(version) | {"page": entity}

    return listed(call, content.versions, VERSION_ORDER, show)


def _of_site(call: Call, of: Listable) -> JSONResponse:
    ids, spaces = call.ids("id"), call.ids("space-id", most=100)
    call.choice("subtype", ("live", "page"))
    chosen = [
        content
        for content in list(call.site.contents.values())
        if (not ids or content.id in ids) and (not spaces or content.space_id in spaces)
    ]
    return _listed(call, of, chosen)


def _listed(call: Call, of: Listable, contents: Sequence[Content]) -> JSONResponse:
    statuses = call.choices("status", of.statuses) or of.default_statuses
    title = call.text("title")
    body_format = call.choice("body-format", LIST_FORMATS)
    chosen = [
        content
        for content in contents
        if content.kind == of.kind
        and content.status in statuses
        and title in (None, content.title)
        and call.sees(content)
    ]
    return listed(call, chosen, of.order, lambda found: of.show(call.site, found, body_format))


def _single(call: Call, of: Listable) -> JSONResponse:
    content = _asked_for(call, call.content(of.kind), of)
    shown = of.show(call.site, content, call.choice("body-format", SINGLE_FORMATS))
    shown.pop("subtype", None)
    if call.flag("include-labels"):
        shown["labels"] = included(
            call, f"{call.path}/labels", content.labels, LABEL_ORDER, label_payload
        )
    if call.choice("include-version", ("true", "false")) == "false":
        del shown["version"]
    links = shown["_links"]
    assert isinstance(links, dict)
    links["base"] = call.base
    return JSONResponse(shown)


def _asked_for(call: Call, content: Content, of: Listable) -> Content:
    """The state that was asked for: by default the published one, even from the trash."""
    statuses = call.choices("status", (*of.statuses, "historical", "draft"))
    allowed = statuses or ["current", "archived", "trashed"]
    if call.flag("get-draft"):
        allowed = [*allowed, "draft"]
    number = call.integer("version")
    if number is not None and number != content.version.number:
        then = content.at_version(number)
        if then is None:
            raise not_found()
        return replace(then, status="historical")
    if content.status not in allowed:
        raise not_found()
    return content


def _labels(call: Call, content: Content) -> JSONResponse:
    prefix = call.choice("prefix", ("my", "team", "global", "system"))
    labels = [label for label in content.labels if prefix in (None, label.prefix)]
    return listed(call, labels, LABEL_ORDER, label_payload)
