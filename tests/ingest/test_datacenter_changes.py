"""What a Data Center tells between sweeps: changes, labels, and which pages are still there."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from index.records import ChunkKind
from ingest.sources.datacenter import DataCenterSource, PersonalToken
from ingest.sources.pace import Pace
from ingest.sources.source import Deployment, ItemSummary, PageSummary
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import before, failing, rewritten, slow
from tests.confluence.samples import filled_site
from tests.ingest.datacenter_sites import Scene, first_space, scene, swept
from tests.ingest.fake_time import FakeTime

pytestmark = pytest.mark.anyio

SEARCH = "*/rest/api/content/search"
ONE_PAGE = "*/rest/api/content/[0-9]*"


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of thirty pages and two blog posts that visitors may read, in parts of five."""
    edition = Edition(most=5, open_spaces=frozenset({"ENG"}))
    with scene(filled_site({"ENG": 30}, blogposts=2), edition) as served:
        yield served


async def changed(source: DataCenterSource, since: datetime) -> list[PageSummary]:
    """All that is told of changed pages."""
    return [summary async for summary in source.changed_pages(since)]


async def changed_items(source: DataCenterSource, since: datetime) -> list[ItemSummary]:
    """All that is told of changed comments and attachments."""
    return [item async for item in source.changed_items(since)]


@pytest.mark.parametrize("version", ["7.19.16", "8.5.4", "9.2.1"])
async def test_changed_pages_come_newest_first_and_as_a_sweep_would_show_them(
    version: str,
) -> None:
    site = filled_site({"ENG": 30, "HR": 3}, blogposts=1)
    old = site.clock.now
    site.clock.advance(timedelta(seconds=1))
    page, post = list(site.contents)[7], list(site.contents)[30]
    site.edit(post, "<p>1</p>")
    since = site.clock.now
    site.edit(page, "<p>2</p>", title="Renamed")
    site.label(page, "howto")
    new = site.add_page("HR", "New", parent=site.space("HR").homepage_id)

    with scene(site, Edition(version)) as served:
        async with served.source() as source:
            found = await changed(source, since)
            more = await changed(source, old + timedelta(milliseconds=1))
            swept_before = {summary.page_id: summary for summary in await swept(source)}

    assert [summary.page_id for summary in found] == [new.id, page, post]
    assert found == more
    assert found[1:] == [swept_before[page], swept_before[post]]
    assert [summary.space_key for summary in found] == ["HR", "ENG", "ENG"]
    assert (found[1].title, found[1].labels) == ("Renamed", ("howto",))


async def test_few_requests_find_few_changes_of_many_pages() -> None:
    site = filled_site({"ENG": 600})
    since = site.clock.now
    site.edit(list(site.contents)[3], "<p>1</p>")

    with scene(site) as served:
        async with served.source() as source:
            found = await changed(source, since)
            requests = source.requests

    assert [summary.page_id for summary in found] == [list(site.contents)[3]]
    assert site.request_log.count(SEARCH) == 1
    assert requests == site.request_log.count() == 3


async def test_the_query_has_no_time_that_a_zone_could_turn_wrong(small: Scene) -> None:
    async with small.source() as source:
        await changed(source, small.site.clock.now)
        await changed_items(source, small.site.clock.now)

    queries = [entry.query for entry in small.site.request_log.matching(SEARCH)]
    assert queries
    assert not any(sign in query for query in queries for sign in (">", "%3E", "%22"))


async def test_more_changes_than_one_part_holds_come_each_once() -> None:
    site = filled_site({"ENG": 400})
    since = site.clock.now
    pages = list(site.contents)[:230]
    for page_id in pages:
        site.edit(page_id, "<p>1</p>")

    with scene(site, Edition(most=20)) as served:
        async with served.source() as source:
            found = await changed(source, since + timedelta(seconds=1))

    assert [summary.page_id for summary in found] == pages[::-1]


async def test_changes_in_the_meantime_put_no_other_out_of_sight(small: Scene) -> None:
    since = small.site.clock.now + timedelta(seconds=1)
    pages = list(small.site.contents)
    for page_id in pages[:20]:
        small.site.edit(page_id, "<p>1</p>")
    again = before(lambda: small.site.edit(pages[0], "<p>2</p>"))
    gone = before(lambda: small.site.trash(pages[17], children="orphan"))
    small.faults.add(again, SEARCH, after=1)
    small.faults.add(gone, SEARCH, after=2)

    async with small.source() as source:
        found = {summary.page_id for summary in await changed(source, since)}

    # What was changed after the search began is told by the next one.
    assert found >= set(pages[:20]) - {pages[0], pages[17]}


async def test_one_old_date_is_no_sign_that_all_others_are_older(small: Scene) -> None:
    since = small.site.clock.now + timedelta(seconds=1)
    pages = list(small.site.contents)[:8]
    for page_id in pages:
        small.site.edit(page_id, "<p>1</p>")

    def age(answer: Json) -> Json:
        copy = json.loads(json.dumps(answer))
        for result in copy["results"][1:3]:
            result["version"]["when"] = "2011-01-01T00:00:00.000+10:00"
        return copy

    small.faults.add(rewritten(age), SEARCH)
    async with small.source() as source:
        found = {summary.page_id for summary in await changed(source, since)}

    assert found >= {*pages[:5], pages[7]}


async def test_hidden_trashed_and_archived_things_are_not_told() -> None:
    site = filled_site({"ENG": 12, "OLD": 3})
    since = site.clock.now + timedelta(seconds=1)
    pages = list(site.contents)
    for page_id in pages:
        site.edit(page_id, "<p>1</p>")
        site.comment(page_id, "<p>1</p>")
    site.hide(pages[11])
    site.trash(pages[10])
    site.archive_space("OLD")

    with scene(site) as served:
        async with served.source() as source:
            found = {summary.page_id for summary in await changed(source, since)}
            items = {item.page_id for item in await changed_items(source, since)}

    assert found == items == set(pages[:10])


async def test_a_search_that_is_refused_once_is_repeated_from_its_beginning(small: Scene) -> None:
    since = small.site.clock.now + timedelta(seconds=1)
    pages = list(small.site.contents)[:12]
    for page_id in pages:
        small.site.edit(page_id, "<p>1</p>")
        small.site.attach(page_id, "plan.pdf")
    small.faults.add(failing(400), SEARCH, after=1)

    async with small.source() as source:
        found = [summary.page_id for summary in await changed(source, since)]
        small.faults.add(failing(400), SEARCH, after=2)
        items = [item.page_id for item in await changed_items(source, since)]

    assert found == items == pages[::-1]


@pytest.mark.parametrize(("status", "times"), [(400, 2), (403, None), (404, None), (500, None)])
async def test_a_search_that_breaks_off_never_ends_normally(
    small: Scene, status: int, times: int | None
) -> None:
    since = small.site.clock.now + timedelta(seconds=1)
    for page_id in list(small.site.contents)[:12]:
        small.site.edit(page_id, "<p>1</p>")
        small.site.comment(page_id, "<p>1</p>")

    async with small.source() as source:
        for listing in (changed, changed_items):
            small.faults.rules.clear()
            query = "*start=[1-9]*"
            small.faults.add(failing(status), SEARCH, query=query, times=times)
            with pytest.raises(SourceError, match=str(status)):
                await listing(source, since)


async def test_a_token_that_expires_during_the_search_is_noticed(small: Scene) -> None:
    async with small.source() as source:
        small.faults.add(before(lambda: small.site.revoke_token(TOKEN)), SEARCH)
        for listing in (changed, changed_items):
            with pytest.raises(AuthenticationError, match="expired"):
                await listing(source, small.site.clock.now)

    assert not any("comment" in entry.query for entry in small.site.request_log.matching(SEARCH))


async def test_changed_comments_and_attachments_name_their_page(small: Scene) -> None:
    site, (page, other, post) = small.site, (list(small.site.contents)[i] for i in (7, 8, 30))
    comments = [site.comment(page, f"<p>{number}</p>") for number in range(20)]
    plan = site.attach(page, "plan.pdf", media_type="application/pdf", data=b"%PDF")
    site.clock.advance(timedelta(days=3))
    since = site.clock.now
    site.edit_comment(comments[3].id, "<p>edited</p>")
    site.replace_attachment(plan.id, b"%PDF-1.7")
    reply = site.comment(other, "<p>1</p>", parent=site.comment(other, "<p>0</p>").id)
    image = site.attach(post, "news.png", media_type="image/png", data=b"PNG")
    site.edit(page, "<p>no item</p>")

    async with small.source() as source:
        found = await changed_items(source, since)

    assert [(item.item_id, item.page_id) for item in found] == [
        (image.id, post),
        (reply.id, other),
        (reply.parent_id, other),
        (plan.id, page),
        (comments[3].id, page),
    ]
    assert [item.version for item in found if item.kind is ChunkKind.ATTACHMENT] == [1, 2]
    assert [item.kind for item in found][:2] == [ChunkKind.ATTACHMENT, ChunkKind.COMMENT]
    assert (found[3].filename, found[3].media_type, found[3].size) == (
        "plan.pdf",
        "application/pdf",
        8,
    )


@pytest.mark.parametrize(
    "container",
    [
        {"id": "att77", "type": "attachment"},
        {"id": 98305, "key": "ENG", "name": "Engineering", "type": "global"},
        {},
        None,
    ],
)
async def test_what_hangs_on_something_else_than_a_page_is_skipped(
    small: Scene, container: Json | None
) -> None:
    page_id = list(small.site.contents)[7]
    small.site.attach(page_id, "logo.png")
    comment = small.site.comment(page_id, "<p>1</p>")

    def elsewhere(answer: Json) -> Json:
        copy = json.loads(json.dumps(answer))
        copy["results"][1]["container"] = container
        return copy

    small.faults.add(rewritten(elsewhere), SEARCH)
    async with small.source() as source:
        found = await changed_items(source, small.site.clock.now - timedelta(days=1))

    assert [item.item_id for item in found] == [comment.id]


async def test_a_sweep_tells_the_labels_and_nothing_else_does(small: Scene) -> None:
    page_id = list(small.site.contents)[7]
    small.site.label(page_id, "on-call", "howto")
    small.site.label(page_id, "mine", prefix="my")

    async with small.source() as source:
        summaries = {summary.page_id: summary for summary in await swept(source)}
        others = [entry async for entry in source.labels(await first_space(source))]

    assert summaries.pop(page_id).labels == ("howto", "on-call")
    assert {summary.labels for summary in summaries.values()} == {()}
    assert others == []


@pytest.mark.parametrize(("count", "is_known"), [(199, True), (200, False), (201, False)])
async def test_labels_that_are_cut_off_are_unknown_to_a_sweep(count: int, is_known: bool) -> None:
    site = filled_site({"ENG": 1})
    names = sorted(f"label-{number}" for number in range(count))
    site.label(site.space("ENG").homepage_id or "", *names)

    with scene(site) as served:
        async with served.source() as source:
            (summary,) = await swept(source)
            page = await source.page(summary)

    assert summary.labels == (tuple(names) if is_known else None)
    assert page.labels == tuple(names)


async def test_pages_that_are_still_shown_are_told_with_their_space(small: Scene) -> None:
    small.site.add_space("HR")
    page, moved, hidden, trashed, purged, post = (
        list(small.site.contents)[number] for number in (20, 21, 22, 23, 24, 30)
    )
    small.site.move(moved, space_key="HR")
    small.site.hide(hidden)
    small.site.trash(trashed)
    small.site.purge(purged)
    asked = [page, moved, hidden, trashed, purged, post, "../space", "1", page]

    async with small.source() as source:
        shown = await source.still_shown(asked)
        none = await source.still_shown([])

    assert shown == {page: "ENG", moved: "HR", post: "ENG"}
    assert none == {}


@pytest.mark.parametrize(("status", "times"), [(404, 2), (403, 3), (500, 4)])
async def test_refusals_that_pass_do_not_take_a_page_away(
    small: Scene, status: int, times: int
) -> None:
    page_id = list(small.site.contents)[7]
    small.faults.add(failing(status), ONE_PAGE, times=times)

    async with small.source() as source:
        assert await source.still_shown([page_id]) == {page_id: "ENG"}


async def test_no_answer_is_no_sign_that_a_page_is_gone(small: Scene) -> None:
    pages = list(small.site.contents)
    small.faults.add(failing(503), f"*/{pages[7]}", times=None)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match="503"):
            await source.still_shown(pages)


async def test_a_token_that_expired_takes_no_page_away() -> None:
    with scene(filled_site({"ENG": 3}), Edition()) as served:
        async with served.source() as source:
            served.site.revoke_token(TOKEN)
            with pytest.raises(AuthenticationError, match="expired"):
                await source.still_shown(list(served.site.contents))


async def test_eight_pages_at_most_are_asked_for_at_once(small: Scene) -> None:
    pages = list(small.site.contents)
    small.faults.add(slow(0.02), ONE_PAGE, times=None)

    async with small.source() as source:
        assert len(await source.still_shown(pages)) == 32

    assert 1 < small.site.request_log.most_in_flight <= 8


async def test_a_client_that_is_given_is_used_and_closed(small: Scene) -> None:
    client = httpx.AsyncClient(headers={"X-Proxy-Key": "secret"})
    pace = Pace(timing=FakeTime().timing())

    async with DataCenterSource(
        small.base_url, PersonalToken(TOKEN), http=client, pace=pace
    ) as source:
        await source.spaces()
        is_closed_early = client.is_closed

    assert source.deployment is Deployment.DATACENTER
    assert source.requests == small.site.request_log.count() > 3
    assert (is_closed_early, client.is_closed) == (False, True)
