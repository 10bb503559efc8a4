"""Confluence Cloud as a source: changed pages, labels, and whether pages are still shown."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from index.records import ContentType
from ingest.sources.cloud import CloudSource
from ingest.sources.source import PageSummary
from tests.confluence.faults import (
    clamped,
    connection_reset,
    endless,
    expired_cursor,
    failing,
    rate_limited,
)
from tests.confluence.samples import filled_site
from tests.ingest.cloud_sites import Scene, first_space, scene

pytestmark = pytest.mark.anyio

PAGES = "*/api/v2/pages"
POSTS = "*/api/v2/blogposts"
SEARCH = "*/rest/api/content/search"
KINDS = "*/content/convert-ids-to-types"


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and two blog posts."""
    with scene(filled_site({"ENG": 12}, blogposts=2)) as served:
        yield served


async def changed(source: CloudSource, since: datetime) -> list[PageSummary]:
    """All pages that the feeds give."""
    await source.spaces()
    return [page async for page in source.changed_pages(since)]


async def labels(source: CloudSource) -> dict[str, tuple[str, ...]]:
    """Labels by page id of the first space."""
    return {page_id: names async for page_id, names in source.labels(await first_space(source))}


async def test_new_and_edited_pages_and_posts_are_told_newest_first(small: Scene) -> None:
    site = small.site
    since = site.clock.advance(timedelta(hours=1))
    page_ids = [content.id for content in site.contents.values() if content.kind == "page"]
    site.edit(page_ids[3], "<p>new</p>")
    post = site.add_blogpost("ENG", "News")
    site.rename(page_ids[7], "Other")
    archived = site.add_page("ENG", "Old", status="archived")

    async with small.source() as source:
        found = await changed(source, since)

    expected = [archived.id, page_ids[7], post.id, page_ids[3]]
    assert [page.page_id for page in found] == expected
    assert found[2].content_type is ContentType.BLOGPOST
    assert found[1].title == "Other"
    assert found[1].version == 2
    assert {page.space_key for page in found} == {"ENG"}


async def test_an_unchanged_site_costs_one_request_for_each_feed() -> None:
    site = filled_site({"ENG": 600}, blogposts=300)
    since = site.clock.advance(timedelta(hours=1))

    with scene(site) as served:
        async with served.source() as source:
            assert await changed(source, since) == []

    assert site.request_log.count(PAGES) == 1
    assert site.request_log.count(POSTS) == 1


async def test_changes_are_read_page_after_page_until_they_are_old(small: Scene) -> None:
    since = small.site.clock.advance(timedelta(hours=1))
    new = [small.site.add_page("ENG", f"New {number}").id for number in range(20)]
    small.faults.add(clamped(5), PAGES, times=None)

    async with small.source() as source:
        found = await changed(source, since)

    assert [page.page_id for page in found] == new[::-1]
    assert small.site.request_log.count(PAGES) == 5


async def test_changes_in_spaces_that_are_not_current_are_passed_over(small: Scene) -> None:
    small.site.add_space("OLD")
    since = small.site.clock.advance(timedelta(hours=1))
    small.site.add_page("OLD", "Elsewhere")
    small.site.archive_space("OLD")

    async with small.source() as source:
        assert await changed(source, since) == []


async def test_drafts_and_trash_are_no_changes(small: Scene) -> None:
    since = small.site.clock.advance(timedelta(hours=1))
    small.site.add_page("ENG", "Draft", status="draft")
    small.site.trash(small.site.add_page("ENG", "Gone").id)

    async with small.source() as source:
        assert await changed(source, since) == []


@pytest.mark.parametrize("path", [PAGES, POSTS])
async def test_a_feed_that_is_cut_short_never_ends_normally(small: Scene, path: str) -> None:
    since = small.site.clock.now - timedelta(days=1)
    small.faults.add(clamped(1), times=None)
    small.faults.add(expired_cursor(), path, query="*cursor=*")

    async with small.source() as source:
        with pytest.raises(SourceError, match="400"):
            await changed(source, since)


async def test_a_feed_that_goes_round_in_circles_is_an_error(small: Scene) -> None:
    small.faults.add(endless(), PAGES, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="circles"):
            await changed(source, small.site.clock.now - timedelta(days=1))


async def test_a_feed_is_tried_again_when_the_site_is_busy(small: Scene) -> None:
    since = small.site.clock.now - timedelta(days=1)
    small.faults.add(rate_limited(retry_after=5), PAGES)
    small.faults.add(failing(503), POSTS, times=4)

    async with small.source() as source:
        assert len(await changed(source, since)) == 14

    assert 5 in small.time.slept


async def test_labels_of_all_pages_and_posts_are_listed(small: Scene) -> None:
    site = small.site
    page, post, archived = (
        site.add_page("ENG", "Runbook"),
        site.add_blogpost("ENG", "News"),
        site.add_page("ENG", "Old", status="archived"),
    )
    site.label(page.id, "on-call", "howto")
    site.label(page.id, "mine", prefix="my")
    site.label(post.id, "news")
    site.label(archived.id, "old")
    site.add_space("HR")
    elsewhere = site.add_page("HR", "Elsewhere")

    async with small.source() as source:
        found = await labels(source)

    assert len(found) == 17
    assert found[page.id] == ("howto", "on-call")
    assert found[post.id] == ("news",)
    assert found[archived.id] == ("old",)
    assert elsewhere.id not in found
    assert sum(names == () for names in found.values()) == 14


async def test_labels_cost_a_request_per_200_pages() -> None:
    with scene(filled_site({"ENG": 450})) as served:
        async with served.source() as source:
            found = await labels(source)

        assert len(found) == 450
        assert served.site.request_log.count(SEARCH) == 3


async def test_a_list_of_labels_that_is_cut_short_is_not_told(small: Scene) -> None:
    page = small.site.add_page("ENG", "Everything")
    small.site.label(page.id, *(f"label-{number}" for number in range(201)))

    async with small.source() as source:
        found = await labels(source)

    assert page.id not in found
    assert len(found) == 14


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_where_the_search_is_refused_no_labels_are_told(
    small: Scene, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    small.faults.add(failing(status), SEARCH, times=None)

    async with small.source() as source:
        assert await labels(source) == {}

    assert "labels are read with their pages only" in caplog.text


async def test_a_listing_of_labels_that_is_cut_short_never_ends_normally() -> None:
    with scene(filled_site({"ENG": 210})) as served:
        served.faults.add(connection_reset(), SEARCH, query="*cursor=*", times=None)

        async with served.source() as source:
            with pytest.raises(SourceUnavailable):
                await labels(source)


async def test_pages_that_are_still_shown_are_told_with_their_space(small: Scene) -> None:
    site = small.site
    page, post, archived, moved, trashed, purged, hidden = (
        site.add_page("ENG", "Page"),
        site.add_blogpost("ENG", "Post"),
        site.add_page("ENG", "Archived", status="archived"),
        *(site.add_page("ENG", title) for title in ("Moved", "Trashed", "Purged", "Hidden")),
    )
    site.add_space("HR")
    site.move(moved.id, space_key="HR")
    site.trash(trashed.id)
    site.purge(purged.id)
    site.hide(hidden.id)
    asked = [one.id for one in (page, post, archived, moved, trashed, purged, hidden)]

    async with small.source() as source:
        shown = await source.still_shown([*asked, "../spaces", "att7", page.id])
        none = await source.still_shown([])

    assert shown == {page.id: "ENG", post.id: "ENG", archived.id: "ENG", moved.id: "HR"}
    assert none == {}


async def test_folders_and_their_like_are_still_shown_until_they_are_in_the_trash(
    small: Scene,
) -> None:
    folder = small.site.add_node("folder", "ENG", "Plans")
    board = small.site.add_node("whiteboard", "ENG", "Ideas")
    trashed = small.site.add_node("database", "ENG", "Old")
    comment = small.site.comment(next(iter(small.site.contents)), "<p>Hello</p>")
    small.site.trash(trashed.id)

    async with small.source() as source:
        shown = await source.still_shown([folder.id, board.id, trashed.id, comment.id])

    assert shown == {folder.id: "ENG", board.id: "ENG"}


async def test_pages_of_a_space_that_is_archived_are_not_shown(small: Scene) -> None:
    small.site.add_space("OLD")
    page = small.site.add_page("OLD", "Page")
    small.site.archive_space("OLD")

    async with small.source() as source:
        assert await source.still_shown([page.id]) == {}


async def test_pages_of_a_space_that_a_listing_forgot_are_shown(small: Scene) -> None:
    page = next(iter(small.site.contents))
    small.faults.add(failing(200, body={"results": [], "_links": {}}), "*/api/v2/spaces")

    async with small.source() as source:
        assert await source.spaces() == []
        assert await source.still_shown([page]) == {page: "ENG"}


async def test_hundreds_of_pages_are_looked_at_in_a_few_requests() -> None:
    with scene(filled_site({"ENG": 600}, blogposts=20)) as served:
        async with served.source() as source:
            shown = await source.still_shown(list(served.site.contents))

        assert len(shown) == 620
        assert served.site.request_log.count(PAGES) == 3
        assert served.site.request_log.count(POSTS) == 1


@pytest.mark.parametrize("path", [PAGES, POSTS, KINDS])
async def test_no_answer_is_no_sign_that_a_page_is_gone(small: Scene, path: str) -> None:
    small.faults.add(failing(503), path, times=None)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match="503"):
            await source.still_shown([*small.site.contents, "1"])


async def test_a_refusal_to_list_pages_is_no_sign_that_they_are_gone(small: Scene) -> None:
    small.faults.add(failing(401), PAGES, times=None)

    async with small.source() as source:
        with pytest.raises(AuthenticationError):
            await source.still_shown(list(small.site.contents))


async def test_where_kinds_are_refused_only_pages_and_posts_are_told(small: Scene) -> None:
    folder = small.site.add_node("folder", "ENG", "Plans")
    small.faults.add(failing(403), KINDS, times=None)

    async with small.source() as source:
        shown = await source.still_shown(list(small.site.contents))

    assert len(shown) == 14
    assert folder.id not in shown
