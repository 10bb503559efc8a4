"""The endpoints of comments: first comments of a page, replies, and all of the site."""

from starlette.responses import JSONResponse

from tests.confluence.cloud.answers import Json, not_found
from tests.confluence.cloud.call import Call
from tests.confluence.cloud.listing import Order, listed
from tests.confluence.cloud.payloads import body, links, version_payload
from tests.confluence.content import Comment, ContentKind
from tests.confluence.site import Site

STATUSES = ("current", "archived", "trashed", "deleted", "historical", "draft")
RESOLUTIONS = ("open", "reopened", "resolved", "dangling")
FORMATS = ("storage", "atlas_doc_format")
ORDER: Order[Comment] = Order(
    {
        "created-date": lambda comment: comment.created_at.isoformat(),
        "modified-date": lambda comment: comment.version.created_at.isoformat(),
    },
    number=lambda comment: int(comment.id),
    default="created-date",
)


async def footer_comments(call: Call) -> JSONResponse:
    """Footer comments of the whole site, replies too."""
    return _of_site(call, is_inline=False)


async def inline_comments(call: Call) -> JSONResponse:
    """Inline comments of the whole site, replies too."""
    return _of_site(call, is_inline=True)


async def footer_children(call: Call) -> JSONResponse:
    """The direct replies to a footer comment."""
    return _replies(call, is_inline=False)


async def inline_children(call: Call) -> JSONResponse:
    """The direct replies to an inline comment."""
    return _replies(call, is_inline=True)


async def page_footer_comments(call: Call) -> JSONResponse:
    """The first footer comments of a page."""
    return _roots(call, "page", is_inline=False)


async def page_inline_comments(call: Call) -> JSONResponse:
    """The first inline comments of a page."""
    return _roots(call, "page", is_inline=True)


async def blogpost_footer_comments(call: Call) -> JSONResponse:
    """The first footer comments of a blog post."""
    return _roots(call, "blogpost", is_inline=False)


async def blogpost_inline_comments(call: Call) -> JSONResponse:
    """The first inline comments of a blog post."""
    return _roots(call, "blogpost", is_inline=True)


def _of_site(call: Call, *, is_inline: bool) -> JSONResponse:
    chosen = [
        comment
        for comment in list(call.site.comments.values())
        if comment.status == "current"
        and call.site.is_inline(comment) == is_inline
        and call.sees_items_of(comment.container_id)
    ]
    return _listed(call, chosen, has_page=True, has_parent=True)


def _roots(call: Call, kind: ContentKind, *, is_inline: bool) -> JSONResponse:
    content = call.content(kind)
    statuses = call.choices("status", STATUSES) or ["current"]
    resolutions = call.choices("resolution-status", RESOLUTIONS) if is_inline else []
    chosen = [
        comment
        for comment in list(call.site.comments.values())
        if comment.container_id == content.id
        and comment.parent_id is None
        and comment.status in statuses
        and call.site.is_inline(comment) == is_inline
        and (not resolutions or comment.resolution in resolutions)
    ]
    return _listed(call, chosen, has_page=True, has_parent=False)


def _replies(call: Call, *, is_inline: bool) -> JSONResponse:
    parent = call.site.comments.get(call.path_id)
    if (
        parent is None
        or parent.status != "current"
        or call.site.is_inline(parent) != is_inline
        or not call.sees_items_of(parent.container_id)
    ):
        raise not_found()
    chosen = [reply for reply in call.site.replies(parent.id) if reply.status == "current"]
    return _listed(call, chosen, has_page=False, has_parent=True)


def _listed(
    call: Call, comments: list[Comment], *, has_page: bool, has_parent: bool
) -> JSONResponse:
    body_format = call.choice("body-format", FORMATS)

    def show(comment: Comment) -> Json:
        shown = _payload(call.site, comment, body_format)
        if has_page:
            kind = call.site.content(comment.container_id).kind
            shown["pageId" if kind == "page" else "blogPostId"] = comment.container_id
        if has_parent and comment.parent_id is not None:
            shown["parentCommentId"] = comment.parent_id
        return shown

    return listed(call, comments, ORDER, show)


def _payload(site: Site, comment: Comment, body_format: str | None) -> Json:
    content = site.content(comment.container_id)
    shown: Json = {
        "id": comment.id,
        "status": comment.status,
        "title": f"Re: {content.title}",
        "version": version_payload(comment.version),
        "body": body(comment.body, body_format),
        "_links": {"webui": f"{links(site, content)['webui']}?focusedCommentId={comment.id}"},
    }
    if comment.selection is not None:
        marker = f"marker-{comment.id}"
        shown["properties"] = {
            "inlineMarkerRef": marker,
            "inlineOriginalSelection": comment.selection,
        }
    if comment.resolution is not None:
        shown["resolutionStatus"] = comment.resolution
    return shown
