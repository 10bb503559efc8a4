"""Confluence Cloud as a source: comments and attachments as listings show them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter

from index.errors import SourceError, SourceUnavailable
from index.records import ChunkKind
from ingest.sources.cloud import CloudSource
from ingest.sources.http import NotVisible
from ingest.sources.source import ItemSummary
from tests.confluence.content import Content
from tests.confluence.faults import (
    Json,
    clamped,
    connection_reset,
    endless,
    expired_cursor,
    failing,
    rate_limited,
    repeated_results,
    rewritten,
)
from tests.confluence.samples import site_with_space
from tests.ingest.cloud_sites import Scene, scene

pytestmark = pytest.mark.anyio

FOOTER = "*/api/v2/footer-comments"
INLINE = "*/api/v2/inline-comments"
ATTACHMENTS = "*/api/v2/attachments"
SEARCH = "*/rest/api/content/search"
READ_PAGES = ("read:space", "read:page", "read:user")


@pytest.fixture
def served() -> Iterator[Scene]:
    """A space with one page."""
    with scene(site_with_space()) as one:
        one.site.add_page("ENG", "Page")
        yield one


def only_page(served: Scene) -> Content:
    """The page."""
    return next(iter(served.site.contents.values()))


async def items(source: CloudSource) -> dict[str, ItemSummary]:
    """All items by id; each is given once."""
    found = [item async for item in source.items(await source.spaces())]
    by_id = {item.item_id: item for item in found}
    assert len(by_id) == len(found)
    return by_id


async def changed(source: CloudSource, since: datetime) -> set[str]:
    """The ids of changed items."""
    return {item.item_id async for item in source.changed_items(since)}


def results(answer: Json) -> list[Json]:
    """The results of a listing."""
    return TypeAdapter(list[Json]).validate_python(answer["results"])


def without_replies(answer: Json) -> Json:
    """A listing of comments as if it did not give replies."""
    return {**answer, "results": [one for one in results(answer) if "parentCommentId" not in one]}


async def test_comments_replies_and_attachments_of_pages_and_posts_are_listed(
    served: Scene,
) -> None:
    site, page = served.site, only_page(served)
    post = site.add_blogpost("ENG", "News")
    footer = site.comment(page.id, "<p>One</p>")
    inline = site.comment(post.id, "<p>Two</p>", selection="text")
    reply = site.comment(page.id, "<p>Three</p>", parent=footer.id)
    nested = site.comment(post.id, "<p>Four</p>", parent=inline.id)
    plan = site.attach(page.id, "a plan.pdf", media_type="application/pdf", data=b"1234")

    async with served.source() as source:
        found = await items(source)

    assert {item_id: item.page_id for item_id, item in found.items()} == {
        footer.id: page.id,
        inline.id: post.id,
        reply.id: page.id,
        nested.id: post.id,
        plan.id: page.id,
    }
    assert found[nested.id].kind is ChunkKind.COMMENT
    assert found[plan.id] == ItemSummary(
        kind=ChunkKind.ATTACHMENT,
        item_id=plan.id,
        page_id=page.id,
        version=1,
        filename="a plan.pdf",
        media_type="application/pdf",
        size=4,
        url=f"{served.base_url}/pages/viewpageattachments.action"
        f"?pageId={page.id}&preview=a+plan.pdf",
    )
    assert served.site.request_log.count(SEARCH) == 0


async def test_every_change_of_a_comment_changes_its_version(served: Scene) -> None:
    comment = served.site.comment(only_page(served).id, "<p>One</p>", selection="text")
    changes = [
        lambda: served.site.edit_comment(comment.id, "<p>Two</p>"),
        lambda: served.site.resolve_comment(comment.id),
        lambda: served.site.reopen_comment(comment.id),
        lambda: served.site.dangle_comment(comment.id),
    ]
    versions: list[int] = []

    async with served.source() as source:
        versions.append((await items(source))[comment.id].version)
        for change in changes:
            change()
            versions.append((await items(source))[comment.id].version)
        again = (await items(source))[comment.id].version

    assert len(set(versions)) == 5
    assert again == versions[-1]


async def test_a_file_that_is_replaced_has_another_version_and_size(served: Scene) -> None:
    plan = served.site.attach(only_page(served).id, "plan.txt", data=b"1")
    served.site.replace_attachment(plan.id, b"12345")

    async with served.source() as source:
        found = (await items(source))[plan.id]

    assert (found.version, found.size) == (2, 5)


async def test_what_is_deleted_hidden_or_on_a_trashed_page_is_not_listed(served: Scene) -> None:
    site, page = served.site, only_page(served)
    trashed, hidden = site.add_page("ENG", "Trashed"), site.add_page("ENG", "Hidden")
    for content in (trashed, hidden):
        site.comment(content.id, "<p>Hello</p>")
        site.attach(content.id, "plan.txt")
    root = site.comment(page.id, "<p>Hello</p>")
    site.comment(page.id, "<p>Hello</p>", parent=root.id)
    plan = site.attach(page.id, "plan.txt")
    site.trash(trashed.id)
    site.hide(hidden.id)
    site.delete_comment(root.id)
    site.delete_attachment(plan.id)

    async with served.source() as source:
        assert await items(source) == {}


async def test_comments_on_other_things_than_pages_are_skipped(served: Scene) -> None:
    comment = served.site.comment(only_page(served).id, "<p>Hello</p>")

    def on_an_attachment(answer: Json) -> Json:
        first = results(answer)[0]
        stray = {name: value for name, value in first.items() if name != "pageId"}
        return {**answer, "results": [{**stray, "id": "7", "attachmentId": "att9"}, first]}

    served.faults.add(rewritten(on_an_attachment), FOOTER)

    async with served.source() as source:
        assert list(await items(source)) == [comment.id]


async def test_hundreds_of_items_take_a_request_per_250(served: Scene) -> None:
    site, page = served.site, only_page(served)
    root = site.comment(page.id, "<p>Root</p>")
    for number in range(500):
        site.comment(page.id, f"<p>{number}</p>", parent=root.id)
        site.attach(page.id, f"{number}.txt")

    async with served.source() as source:
        found = await items(source)

    assert len(found) == 1001
    assert site.request_log.count(FOOTER) == 3
    assert site.request_log.count(INLINE) == 1
    assert site.request_log.count(ATTACHMENTS) == 2
    assert not any("body-format" in entry.query for entry in site.request_log.entries)


async def test_an_item_that_is_listed_twice_is_given_once(served: Scene) -> None:
    for number in range(6):
        served.site.comment(only_page(served).id, f"<p>{number}</p>")
        served.site.attach(only_page(served).id, f"{number}.txt")
    served.faults.add(clamped(2), times=None)
    for path in (FOOTER, ATTACHMENTS):
        served.faults.add(repeated_results(), path, times=None)

    async with served.source() as source:
        assert len(await items(source)) == 12


async def test_replies_that_no_listing_gives_are_searched_for(served: Scene) -> None:
    site, page = served.site, only_page(served)
    root = site.comment(page.id, "<p>Root</p>")
    inline = site.comment(page.id, "<p>Inline</p>", selection="text")
    replies = [site.comment(page.id, "<p>Reply</p>", parent=one.id) for one in (root, inline)]
    served.faults.add(rewritten(without_replies), FOOTER, times=None)
    served.faults.add(rewritten(without_replies), INLINE, times=None)

    async with served.source() as source:
        found = await items(source)

    assert {reply.id: found[reply.id].page_id for reply in replies} == dict.fromkeys(
        (reply.id for reply in replies), page.id
    )
    assert len(found) == 4


@pytest.mark.parametrize("status", [400, 403, 410])
async def test_without_a_search_the_listings_are_enough(served: Scene, status: int) -> None:
    comment = served.site.comment(only_page(served).id, "<p>Root</p>")
    served.faults.add(failing(status), SEARCH, times=None)

    async with served.source() as source:
        assert list(await items(source)) == [comment.id]


async def test_new_edited_and_replaced_items_are_told_as_changed(served: Scene) -> None:
    site, page = served.site, only_page(served)
    old, edited = site.comment(page.id, "<p>Old</p>"), site.comment(page.id, "<p>Edited</p>")
    inline = site.comment(page.id, "<p>Inline</p>", selection="text")
    kept, replaced = site.attach(page.id, "kept.txt"), site.attach(page.id, "replaced.txt")
    since = site.clock.advance(timedelta(hours=1))
    site.edit_comment(edited.id, "<p>New</p>")
    reply = site.comment(page.id, "<p>Reply</p>", parent=inline.id)
    site.replace_attachment(replaced.id, b"new")

    async with served.source() as source:
        found = await changed(source, since)

    assert found == {edited.id, reply.id, replaced.id}
    assert not {old.id, kept.id} & found


async def test_the_same_change_has_the_same_version_in_both_listings(served: Scene) -> None:
    site, page = served.site, only_page(served)
    comment = site.comment(page.id, "<p>One</p>", selection="text")
    site.resolve_comment(comment.id)
    long_ago = site.clock.now - timedelta(days=1)

    async with served.source() as source:
        every = await items(source)
        some = {item.item_id: item async for item in source.changed_items(long_ago)}

    assert some == every


async def test_an_unchanged_site_costs_one_request_for_each_feed(served: Scene) -> None:
    site, page = served.site, only_page(served)
    for number in range(300):
        site.attach(page.id, f"{number}.txt")
    since = site.clock.advance(timedelta(hours=1))

    async with served.source() as source:
        assert await changed(source, since) == set()

    assert site.request_log.count(ATTACHMENTS) == 1
    assert len(site.request_log.entries) == 3


@pytest.mark.parametrize("path", [FOOTER, ATTACHMENTS])
async def test_a_listing_that_is_cut_short_never_ends_normally(served: Scene, path: str) -> None:
    for number in range(6):
        served.site.comment(only_page(served).id, f"<p>{number}</p>")
        served.site.attach(only_page(served).id, f"{number}.txt")
    served.faults.add(clamped(2), times=None)
    served.faults.add(expired_cursor(), path, query="*cursor=*", times=None)
    long_ago = served.site.clock.now - timedelta(days=1)

    async with served.source() as source:
        with pytest.raises(SourceError, match="400"):
            await items(source)
        with pytest.raises(SourceError, match="400"):
            await changed(source, long_ago)


async def test_a_listing_that_goes_round_in_circles_is_an_error(served: Scene) -> None:
    served.site.attach(only_page(served).id, "plan.txt")
    served.faults.add(endless(), ATTACHMENTS, times=None)

    async with served.source() as source:
        with pytest.raises(SourceError, match="circles"):
            await items(source)


async def test_listings_are_tried_again_when_the_site_is_busy(served: Scene) -> None:
    comment = served.site.comment(only_page(served).id, "<p>Hello</p>")
    served.faults.add(rate_limited(retry_after=9), FOOTER)
    served.faults.add(failing(502), INLINE, times=3)
    served.faults.add(connection_reset(), ATTACHMENTS)

    async with served.source() as source:
        assert list(await items(source)) == [comment.id]

    assert 9 in served.time.slept


async def test_a_site_that_does_not_answer_ends_the_listing(served: Scene) -> None:
    served.faults.add(failing(500), INLINE, times=None)

    async with served.source() as source:
        with pytest.raises(SourceUnavailable, match="500"):
            await items(source)


@pytest.mark.parametrize(
    ("scope", "missing"), [("attachment", "read:comment"), ("comment", "read:attachment")]
)
async def test_a_missing_scope_is_named_after_all_that_can_be_listed(
    served: Scene, scope: str, missing: str
) -> None:
    site, page = served.site, only_page(served)
    expected = {
        "comment": site.comment(page.id, "<p>Hello</p>").id,
        "attachment": site.attach(page.id, "plan.txt").id,
    }
    scopes = {f"{name}:confluence" for name in (*READ_PAGES, f"read:{scope}")}
    token = site.issue_token(site.crawler, scopes=scopes)
    found: dict[str, ItemSummary] = {}

    async with served.source(token) as source:
        with pytest.raises(NotVisible, match=missing):
            async for item in source.items(await source.spaces()):
                found[item.item_id] = item

    assert list(found) == [expected[scope]]
