"""Confluence Cloud as a source: spaces, sweeps, pages and people."""

from collections.abc import Iterator

import httpx
import pytest

from index.errors import SourceError, SourceUnavailable
from index.records import ContentType, State
from ingest.sources.cloud import CloudSource
from ingest.sources.http import NotVisible, UnexpectedAnswer
from tests.confluence.cloud.answers import Json
from tests.confluence.content import Content
from tests.confluence.faults import (
    Fault,
    before,
    clamped,
    endless,
    expired_cursor,
    failing,
    repeated_results,
    rewritten,
    slow,
    truncated,
)
from tests.confluence.samples import filled_site
from tests.confluence.site import Site
from tests.ingest.cloud_sites import Scene, first_space, pages_of, scene, swept, swept_page

pytestmark = pytest.mark.anyio

SWEEP = "*/spaces/*/pages"
ONE_PAGE = "*/api/v2/pages/*"


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and two blog posts."""
    with scene(filled_site({"ENG": 12}, blogposts=2)) as served:
        yield served


def ids(contents: list[Content]) -> set[str]:
    """Their ids."""
    return {content.id for content in contents}


async def test_spaces_of_every_type_are_listed_page_after_page() -> None:
    site = Site()
    kinds = ("global", "personal", "collaboration", "knowledge_base", "of_the_future")
    for number in range(300):
        site.add_space(f"S{number}", f"Space {number}", kind=kinds[number % len(kinds)])
    site.archive_space("S7")

    with scene(site) as served:
        async with served.source() as source:
            spaces = await source.spaces()

    assert len(spaces) == 299
    assert {space.key for space in spaces} == {f"S{n}" for n in range(300)} - {"S7"}
    assert spaces[0].name == "Space 0"
    assert spaces[0].url == f"{served.base_url}/spaces/S0"


async def test_a_sweep_gives_each_page_once_without_bodies() -> None:
    site = filled_site({"ENG": 620, "HR": 3}, blogposts=4)
    eng = site.space("ENG").id
    expected = [c for c in site.contents.values() if c.space_id == eng]

    with scene(site) as served:
        async with served.source() as source:
            summaries = await swept(source)

    assert len(summaries) == 624
    assert {summary.page_id for summary in summaries} == ids(expected)
    assert site.request_log.count(SWEEP) == 3
    assert not any("body-format" in entry.query for entry in site.request_log.entries)


async def test_a_summary_says_where_a_page_is_and_which_version_it_has(small: Scene) -> None:
    home = small.site.space("ENG").homepage_id
    page = small.site.add_page("ENG", "Plans & more", parent=home)
    small.site.edit(page.id, "<p>2</p>")

    async with small.source() as source:
        summaries = {summary.page_id: summary for summary in await swept(source)}

    summary = summaries[page.id]
    assert summary.content_type is ContentType.PAGE
    assert summary.space_key == "ENG"
    assert summary.labels is None
    assert summary.title == "Plans & more"
    assert summary.version == 2
    assert summary.state is State.LIVE
    assert summary.parent_id == home
    assert summary.position == page.position
    assert summary.url == f"{small.base_url}/spaces/ENG/pages/{page.id}/Plans+%26+more"


async def test_archived_pages_are_listed_and_drafts_and_trash_are_not(small: Scene) -> None:
    archived = small.site.add_page("ENG", "Old", status="archived")
    draft = small.site.add_page("ENG", "Idea", status="draft")
    trashed = small.site.add_page("ENG", "Gone")
    small.site.trash(trashed.id)

    async with small.source() as source:
        states = {summary.page_id: summary.state for summary in await swept(source)}

    assert states[archived.id] is State.ARCHIVED
    assert draft.id not in states
    assert trashed.id not in states


async def test_a_draft_that_a_listing_gives_all_the_same_is_ignored(small: Scene) -> None:
    links: Json = {}
    stray: Json = {"id": "99", "status": "draft", "title": "", "_links": links}
    small.faults.add(rewritten(lambda answer: {**answer, "results": [stray]}), SWEEP)

    async with small.source() as source:
        summaries = await swept(source)

    assert [summary.content_type for summary in summaries] == [ContentType.BLOGPOST] * 2


async def test_fewer_results_per_page_than_asked_for_lose_nothing(small: Scene) -> None:
    small.faults.add(clamped(5), times=None)

    async with small.source() as source:
        summaries = await swept(source)

    assert len(summaries) == 14


async def test_a_page_that_is_listed_twice_is_given_once(small: Scene) -> None:
    small.faults.add(clamped(5), times=None)
    small.faults.add(repeated_results(), SWEEP, times=None)

    async with small.source() as source:
        page_ids = [summary.page_id for summary in await swept(source)]

    assert len(page_ids) == len(set(page_ids)) == 14


async def test_the_link_header_is_followed_where_the_body_has_no_link(small: Scene) -> None:
    small.faults.add(clamped(5), times=None)
    small.faults.add(rewritten(lambda answer: {**answer, "_links": {}}), SWEEP, times=None)

    async with small.source() as source:
        summaries = await swept(source)

    assert len(summaries) == 14


async def test_a_next_link_together_with_no_results_ends_a_listing(small: Scene) -> None:
    small.faults.add(clamped(5), times=None)
    small.faults.add(rewritten(lambda answer: {**answer, "results": []}), SWEEP, after=1)

    async with small.source() as source:
        summaries = await swept(source)

    assert sum(summary.content_type is ContentType.PAGE for summary in summaries) == 5


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/wiki/api/v2/spaces/1/pages?cursor=x",
        "//evil.example/wiki/api/v2/pages",
        "/admin/api/v2/pages?cursor=x",
    ],
)
async def test_a_next_link_to_another_place_is_refused(small: Scene, link: str) -> None:
    small.faults.add(rewritten(lambda answer: {**answer, "_links": {"next": link}}), SWEEP)

    async with small.source() as source:
        with pytest.raises(SourceError, match="is not followed there"):
            await swept(source)


async def test_a_listing_that_goes_round_in_circles_is_an_error(small: Scene) -> None:
    small.faults.add(endless(), SWEEP, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="circles"):
            await swept(source)


async def test_a_sweep_that_fails_midway_never_ends_normally(small: Scene) -> None:
    small.faults.add(clamped(5), times=None)
    small.faults.add(expired_cursor(), query="*cursor=*")

    async with small.source() as source:
        with pytest.raises(SourceError, match="400"):
            await swept(source)


async def test_a_listing_in_another_shape_is_an_error(small: Scene) -> None:
    small.faults.add(rewritten(lambda answer: {"size": 0}), SWEEP)

    async with small.source() as source:
        with pytest.raises(SourceError, match="results"):
            await swept(source)


async def test_pages_and_blog_posts_come_with_body_labels_author_and_times(small: Scene) -> None:
    ada = small.site.add_user("Ada")
    page = small.site.add_page("ENG", "Runbook", "<p>Restart.</p>", author=ada)
    post = small.site.add_blogpost("ENG", "News", "<p>We moved.</p>")
    small.site.edit(page.id, "<p>Restart twice.</p>")
    small.site.label(page.id, "on-call", "howto")
    small.site.label(page.id, "mine", prefix="my")
    small.site.label(post.id, "news")

    async with small.source() as source:
        summaries = await swept(source)
        pages = await pages_of(source, summaries)

    assert set(pages) == {summary.page_id for summary in summaries}
    got = pages[page.id]
    assert got.summary in summaries
    assert got.storage == "<p>Restart twice.</p>"
    assert got.labels == ("howto", "on-call")
    assert got.author == ada.account_id
    assert got.created_at == page.created_at
    assert got.updated_at == small.site.content(page.id).version.created_at
    blog = pages[post.id]
    assert blog.summary.content_type is ContentType.BLOGPOST
    assert blog.labels == ("news",)


async def test_labels_beyond_the_first_fifty_are_read_as_well(small: Scene) -> None:
    page = small.site.add_page("ENG", "Everything")
    names = [f"label-{number}" for number in range(320)]
    small.site.label(page.id, *names)

    async with small.source() as source:
        labels = (await source.page(await swept_page(source, page.id))).labels

    assert labels == tuple(sorted(names))


async def test_a_page_that_vanishes_after_the_sweep_is_not_visible(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.site.hide(summaries[11].page_id)

        with pytest.raises(NotVisible, match="404"):
            await source.page(summaries[11])


async def test_a_page_that_left_its_space_since_the_sweep_is_not_visible(small: Scene) -> None:
    small.site.add_space("HR")

    async with small.source() as source:
        summaries = await swept(source)
        small.site.trash(summaries[10].page_id)
        small.site.move(summaries[11].page_id, space_key="HR")

        for summary in summaries[10:12]:
            with pytest.raises(NotVisible, match="has left the space ENG"):
                await source.page(summary)


async def test_an_edit_since_the_sweep_is_told_by_the_version_of_the_page(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.site.edit(summaries[0].page_id, title="Renamed")
        page = await source.page(summaries[0])

    assert page.summary.version == 2
    assert page.summary.title == "Renamed"


@pytest.mark.parametrize(
    "fault", [rewritten(lambda answer: {**answer, "body": {}}), truncated()], ids=["shape", "cut"]
)
async def test_a_page_in_another_shape_cannot_be_read(small: Scene, fault: Fault) -> None:
    small.faults.add(fault, ONE_PAGE, times=None)

    async with small.source() as source:
        summaries = await swept(source)

        with pytest.raises(UnexpectedAnswer, match="cannot be read"):
            await source.page(summaries[0])


async def test_a_page_that_always_breaks_the_server_is_unavailable(small: Scene) -> None:
    async with small.source() as source:
        broken, *others = await swept(source)
        small.faults.add(failing(500), f"*/pages/{broken.page_id}", times=None)

        with pytest.raises(SourceUnavailable, match="500"):
            await source.page(broken)
        assert len(await pages_of(source, others)) == 13


async def test_eight_pages_at_most_are_fetched_at_once() -> None:
    with scene(filled_site({"ENG": 40})) as served:
        served.faults.add(slow(0.02), ONE_PAGE, times=None)

        async with served.source() as source:
            pages = await pages_of(source, await swept(source))

    assert len(pages) == 40
    assert 1 < served.site.request_log.most_in_flight <= 8


async def test_a_change_in_mid_sweep_neither_repeats_nor_skips_what_stays(small: Scene) -> None:
    async with small.source() as source:
        before_change = [summary.page_id for summary in await swept(source)]
        gone, edited = before_change[0], before_change[9]
        small.faults.add(clamped(5), times=None)
        small.faults.add(before(lambda: small.site.trash(gone)), SWEEP, after=1)
        small.faults.add(before(lambda: small.site.edit(edited, "<p>new</p>")), SWEEP, after=1)

        after_change = [summary.page_id for summary in await swept(source)]

    assert sorted(after_change) == sorted(before_change)


async def test_names_are_asked_for_in_batches_and_once(small: Scene) -> None:
    users = [small.site.add_user(f"Person {number}") for number in range(600)]
    account_ids = [user.account_id for user in users]

    async with small.source() as source:
        names = await source.user_names([*account_ids, "unknown"])
        again = await source.user_names([account_ids[0], "unknown"])

    assert len(names) == 600
    assert names[account_ids[7]] == "Person 7"
    assert again == {account_ids[0]: "Person 0"}
    assert small.site.request_log.count("*/users-bulk") == 3


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_names_stay_unknown_where_the_token_may_not_read_them(
    small: Scene, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    small.faults.add(failing(status), "*/users-bulk", times=None)

    async with small.source() as source:
        assert await source.user_names(["1"]) == {}
        assert await source.user_names(["2"]) == {}
        assert len(await swept(source)) == 14

    assert [r.levelname for r in caplog.records if "names of users" in r.message] == ["WARNING"]


async def test_a_space_is_found_without_listing_spaces_first(small: Scene) -> None:
    async with small.source() as source:
        space = await first_space(source)
    async with small.source() as fresh:
        summaries = [summary async for summary in fresh.sweep(space)]

    assert len(summaries) == 14


async def test_a_space_that_is_not_visible_is_an_error(small: Scene) -> None:
    async with small.source() as source:
        space = await first_space(source)
    small.site.delete_space("ENG")

    async with small.source() as fresh:
        with pytest.raises(SourceError, match="ENG is gone"):
            await anext(fresh.sweep(space))


async def test_an_attachment_opens_at_its_page() -> None:
    source = CloudSource("https://example.atlassian.net/wiki", httpx.BasicAuth("a", "b"))

    async with source:
        url = source.attachment_url("11", "a b/ü.pdf")

    assert url == ("https://example.atlassian.net/wiki/download/attachments/11/a%20b%2F%C3%BC.pdf")
