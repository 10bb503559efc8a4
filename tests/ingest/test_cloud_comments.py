"""Confluence Cloud as a source: whole comments of a page, and the bytes of attachments."""

import io
from collections.abc import Iterator

import pytest

from index.errors import SourceError, SourceUnavailable
from ingest.sources.cloud import CloudSource
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import ItemSummary, SourceComment
from tests.confluence.content import Attachment, Content
from tests.confluence.faults import (
    Json,
    clamped,
    endless,
    failing,
    rate_limited,
    rewritten,
    truncated,
)
from tests.confluence.samples import site_with_space
from tests.ingest.cloud_sites import Scene, scene, swept_page

pytestmark = pytest.mark.anyio

FOOTER = "*/pages/*/footer-comments"
INLINE = "*/pages/*/inline-comments"
CHILDREN = "*/children"
DOWNLOAD = "*/child/attachment/*/download"
MEDIA = "/media/*"


@pytest.fixture
def served() -> Iterator[Scene]:
    """A space with one page."""
    with scene(site_with_space()) as one:
        one.site.add_page("ENG", "Page")
        yield one


def only_page(served: Scene) -> Content:
    """The page."""
    return next(iter(served.site.contents.values()))


async def comments(served: Scene, content: Content | None = None) -> list[SourceComment]:
    """All comments of a page, by default of the only one."""
    page = content or only_page(served)
    async with served.source() as source:
        return list(await source.comments(await swept_page(source, page.id)))


async def downloaded(source: CloudSource, attachment: Attachment, limit: int = 1000) -> bytes:
    """The bytes of an attachment, found in the listing."""
    listed = [item async for item in source.items([])]
    item = next(item for item in listed if item.item_id == attachment.id)
    return await saved(source, item, limit)


async def saved(source: CloudSource, item: ItemSummary, limit: int = 1000) -> bytes:
    """The bytes of an item."""
    file = io.BytesIO()
    await source.download(item, file, limit)
    return file.getvalue()


async def test_comments_come_with_author_time_version_address_and_body(served: Scene) -> None:
    ada = served.site.add_user("Ada")
    first = served.site.comment(only_page(served).id, "<p>One</p>", author=ada)
    served.site.edit_comment(first.id, "<p>One &amp; a half</p>")

    (comment,) = await comments(served)

    page_url = f"{served.base_url}/spaces/ENG/pages/{only_page(served).id}/Page"
    assert comment == SourceComment(
        comment_id=first.id,
        parent_id=None,
        selection=None,
        resolution=None,
        author=ada.account_id,
        created_at=served.site.comments[first.id].version.created_at,
        version=2,
        url=f"{page_url}?focusedCommentId={first.id}",
        storage="<p>One &amp; a half</p>",
    )


async def test_an_inline_comment_says_what_it_points_at_and_whether_it_is_resolved(
    served: Scene,
) -> None:
    site, page = served.site, only_page(served)
    wanted = {
        site.comment(page.id, "<p>a</p>", selection="alpha").id: ("alpha", "open"),
        site.resolve_comment(site.comment(page.id, "<p>b</p>", selection="beta").id).id: (
            "beta",
            "resolved",
        ),
        site.reopen_comment(site.comment(page.id, "<p>c</p>", selection="gamma").id).id: (
            "gamma",
            "reopened",
        ),
        site.dangle_comment(site.comment(page.id, "<p>d</p>", selection="").id).id: (
            "",
            "dangling",
        ),
    }

    found = await comments(served)

    assert {one.comment_id: (one.selection, one.resolution) for one in found} == wanted


async def test_threads_come_with_all_replies_oldest_first(served: Scene) -> None:
    site, page = served.site, only_page(served)
    inline = site.comment(page.id, "<p>1</p>", selection="text")
    footer = site.comment(page.id, "<p>2</p>")
    reply = site.comment(page.id, "<p>3</p>", parent=inline.id)
    nested = site.comment(page.id, "<p>4</p>", parent=reply.id)
    later = site.comment(page.id, "<p>5</p>")
    answer = site.comment(page.id, "<p>6</p>", parent=footer.id)

    found = await comments(served)

    assert [(one.comment_id, one.parent_id) for one in found] == [
        (inline.id, None),
        (footer.id, None),
        (reply.id, inline.id),
        (nested.id, reply.id),
        (later.id, None),
        (answer.id, footer.id),
    ]
    assert [one.storage for one in found] == [f"<p>{number}</p>" for number in range(1, 7)]
    assert found[2].selection is None


async def test_comments_of_a_blog_post_are_read(served: Scene) -> None:
    post = served.site.add_blogpost("ENG", "News")
    comment = served.site.comment(post.id, "<p>Nice</p>")
    served.site.comment(only_page(served).id, "<p>Elsewhere</p>")

    found = await comments(served, post)

    assert [one.comment_id for one in found] == [comment.id]


async def test_comments_of_an_archived_page_are_read(served: Scene) -> None:
    comment = served.site.comment(only_page(served).id, "<p>Old</p>")
    served.site.archive(only_page(served).id)

    assert [one.comment_id for one in await comments(served)] == [comment.id]


async def test_deleted_threads_are_gone(served: Scene) -> None:
    kept = served.site.comment(only_page(served).id, "<p>Kept</p>")
    gone = served.site.comment(only_page(served).id, "<p>Gone</p>")
    served.site.comment(only_page(served).id, "<p>Gone too</p>", parent=gone.id)
    served.site.delete_comment(gone.id)

    assert [one.comment_id for one in await comments(served)] == [kept.id]


async def test_long_threads_are_read_page_after_page(served: Scene) -> None:
    root = served.site.comment(only_page(served).id, "<p>Root</p>")
    for number in range(20):
        served.site.comment(only_page(served).id, f"<p>{number}</p>", parent=root.id)
    served.faults.add(clamped(7), CHILDREN, times=None)

    assert len(await comments(served)) == 21


async def test_a_comment_without_a_link_opens_at_its_page(served: Scene) -> None:
    comment = served.site.comment(only_page(served).id, "<p>Hello</p>")

    def unlinked(answer: Json) -> Json:
        results = answer["results"]
        assert isinstance(results, list)
        return {**answer, "results": [{**results[0], "_links": {}}]}

    served.faults.add(rewritten(unlinked), FOOTER)

    (found,) = await comments(served)

    page_url = f"{served.base_url}/spaces/ENG/pages/{only_page(served).id}/Page"
    assert found.url == f"{page_url}?focusedCommentId={comment.id}"


@pytest.mark.parametrize("path", [FOOTER, INLINE, CHILDREN])
async def test_comments_that_cannot_all_be_read_are_an_error(served: Scene, path: str) -> None:
    root = served.site.comment(only_page(served).id, "<p>Root</p>")
    served.site.comment(only_page(served).id, "<p>Inline</p>", selection="text")
    served.site.comment(only_page(served).id, "<p>Reply</p>", parent=root.id)
    rule = served.faults.add(truncated(), path, times=None)

    with pytest.raises(UnexpectedAnswer, match="cannot be read"):
        await comments(served)
    rule.fault = endless()
    with pytest.raises(SourceError, match="circles"):
        await comments(served)
    rule.fault = failing(500)
    with pytest.raises(SourceUnavailable, match="500"):
        await comments(served)


async def test_comments_are_tried_again_when_the_site_is_busy(served: Scene) -> None:
    root = served.site.comment(only_page(served).id, "<p>Root</p>")
    served.faults.add(rate_limited(retry_after=4), FOOTER)
    served.faults.add(failing(404), CHILDREN, times=2)

    assert [one.comment_id for one in await comments(served)] == [root.id]


async def test_comments_of_a_page_that_is_gone_are_not_visible(served: Scene) -> None:
    async with served.source() as source:
        summary = await swept_page(source, only_page(served).id)
        served.site.purge(summary.page_id)

        with pytest.raises(NotVisible, match="404"):
            await source.comments(summary)


async def test_the_bytes_of_an_attachment_are_written(served: Scene) -> None:
    data = bytes(range(256)) * 3
    plan = served.site.attach(only_page(served).id, "plan.html", media_type="text/html", data=data)

    async with served.source() as source:
        assert await downloaded(source, plan) == data


async def test_an_attachment_is_read_through_the_gateway(served: Scene) -> None:
    scopes = {
        f"read:{name}:confluence" for name in ("space", "page", "user", "comment", "attachment")
    }
    token = served.site.issue_token(served.site.crawler, scopes=scopes)
    plan = served.site.attach(only_page(served).id, "plan.txt", data=b"plan")

    async with served.source(token) as source:
        await source.spaces()
        assert await downloaded(source, plan) == b"plan"


@pytest.mark.parametrize("limit", [0, 9])
async def test_an_attachment_that_is_too_large_is_not_read(served: Scene, limit: int) -> None:
    plan = served.site.attach(only_page(served).id, "plan.txt", data=bytes(10))

    async with served.source() as source:
        assert len(await downloaded(source, plan, limit=10)) == 10
        with pytest.raises(UnexpectedAnswer, match=f"more than {limit} bytes"):
            await downloaded(source, plan, limit=limit)


async def test_an_attachment_that_vanished_since_the_listing_is_not_visible(served: Scene) -> None:
    plan = served.site.attach(only_page(served).id, "plan.txt", data=b"plan")

    async with served.source() as source:
        (item,) = [item async for item in source.items([])]
        served.site.delete_attachment(plan.id)

        with pytest.raises(NotVisible):
            await saved(source, item)


@pytest.mark.parametrize("path", [DOWNLOAD, MEDIA])
async def test_a_download_is_tried_again_when_it_fails(served: Scene, path: str) -> None:
    plan = served.site.attach(only_page(served).id, "plan.txt", data=b"plan")
    served.faults.add(failing(502), path)
    served.faults.add(rate_limited(retry_after=2), path)

    async with served.source() as source:
        assert await downloaded(source, plan) == b"plan"


async def test_a_download_that_leads_to_another_machine_by_plain_http_is_refused(
    served: Scene,
) -> None:
    plan = served.site.attach(only_page(served).id, "plan.txt", data=b"plan")
    elsewhere = {"Location": "http://media.example.com/plan.txt"}
    served.faults.add(failing(302, headers=elsewhere), DOWNLOAD, times=None)

    async with served.source() as source:
        with pytest.raises(UnexpectedAnswer, match=r"media\.example\.com"):
            await downloaded(source, plan)
