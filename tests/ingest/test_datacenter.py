"""Confluence Data Center as a source: its spaces and what they hold."""

from collections.abc import Iterator

import pytest

from index.errors import SourceError
from index.records import ContentType, State
from ingest.sources.datacenter import DataCenterSource, PersonalToken
from ingest.sources.source import SourcePage
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import before, failing, rewritten
from tests.confluence.samples import filled_site
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import Scene, fetched, first_space, scene, swept

pytestmark = pytest.mark.anyio

SCAN = "*/rest/api/content/scan"
LISTING = "*/rest/api/content"

WITHOUT_SCAN = Edition("7.17.5", most=50)
VERSIONS = ["7.17.5", "7.19.16", "8.5.4", "9.2.1"]


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and two blog posts, in parts of five."""
    with scene(filled_site({"ENG": 12}, blogposts=2), Edition(most=5)) as served:
        yield served


async def test_spaces_of_every_type_are_listed_part_after_part() -> None:
    site = Site()
    for number in range(330):
        kind = "personal" if number % 3 == 0 else "global"
        site.add_space(f"S{number}", f"Space {number}", kind=kind)
    site.archive_space("S7")
    for key in ("S0", "S60", "S61", "S299"):
        site.hide(site.space(key).id)

    with scene(site) as served:
        async with served.source() as source:
            spaces = await source.spaces()

    hidden = {"S0", "S7", "S60", "S61", "S299"}
    assert {space.key for space in spaces} == {f"S{n}" for n in range(330)} - hidden
    assert len(spaces) == 325
    assert spaces[0].name == "Space 1"
    assert spaces[0].url == f"{served.base_url}/spaces/S1/overview"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_sweep_gives_each_page_once_in_every_version(version: str) -> None:
    site = filled_site({"ENG": 620, "HR": 3}, blogposts=130)
    eng = site.space("ENG").id
    expected = {c.id for c in site.contents.values() if c.space_id == eng}

    with scene(site, Edition(version)) as served:
        async with served.source() as source:
            summaries = await swept(source)

    assert len(summaries) == 750
    assert {summary.page_id for summary in summaries} == expected
    assert sum(s.content_type is ContentType.BLOGPOST for s in summaries) == 130
    assert not any("body" in entry.query for entry in site.request_log.entries)


async def test_pages_are_scanned_where_that_is_possible() -> None:
    site = filled_site({"ENG": 620})

    with scene(site) as served:
        async with served.source() as source:
            await swept(source)

    assert site.request_log.count(SCAN, status=200) == 7
    assert not any("type=page" in entry.query for entry in site.request_log.matching(LISTING))


async def test_a_site_without_scan_is_asked_for_it_in_one_space_only() -> None:
    site = filled_site({"ENG": 60, "HR": 60, "OPS": 60})

    with scene(site, WITHOUT_SCAN) as served:
        async with served.source() as source:
            for space in await source.spaces():
                assert len([page async for page in source.sweep(space)]) == 60

    assert site.request_log.count(SCAN) == 3
    assert all("spaceKey=ENG" in entry.query for entry in site.request_log.matching(SCAN))


@pytest.mark.parametrize("version", VERSIONS)
async def test_hidden_pages_put_no_other_page_out_of_sight(version: str) -> None:
    site = filled_site({"ENG": 120})
    pages = [content.id for content in site.contents.values()]
    leaves = pages[60:]
    hidden = {*leaves[3:40], leaves[-1], leaves[-2]}
    for page_id in hidden:
        site.hide(page_id)

    with scene(site, Edition(version, most=7)) as served:
        async with served.source() as source:
            found = [summary.page_id for summary in await swept(source)]

    assert set(found) == set(pages) - hidden
    assert len(found) == len(set(found))


@pytest.mark.parametrize("edition", [Edition(most=20), Edition("7.17.5", most=20)])
async def test_pages_deleted_in_mid_sweep_put_no_other_page_out_of_sight(edition: Edition) -> None:
    site = filled_site({"ENG": 100})
    gone = [content.id for content in site.contents.values()][90:99]
    first = [content.id for content in site.contents.values()][1:10]
    path = SCAN if edition.has_scan else LISTING

    def delete() -> None:
        for page_id in (*first, *gone):
            site.trash(page_id, children="orphan")

    with scene(site, edition) as served:
        served.faults.add(before(delete), path, query="*type=page*", after=2)
        async with served.source() as source:
            found = {summary.page_id for summary in await swept(source)}

    assert found >= site.contents.keys() - {*first, *gone}


@pytest.mark.parametrize("version", ["7.19.16", "9.2.1"])
async def test_a_summary_says_where_a_page_is_and_which_version_it_has(version: str) -> None:
    site = filled_site({"ENG": 12})
    home = site.space("ENG").homepage_id
    assert home is not None
    above = site.add_page("ENG", "Above", parent=home)
    site.add_page("ENG", "Brother", parent=above.id)
    page = site.add_page("ENG", "Plans & more", parent=above.id)
    site.edit(page.id, "<p>2</p>")

    with scene(site, Edition(version)) as served:
        async with served.source() as source:
            summaries = {summary.page_id: summary for summary in await swept(source)}

    address = f"/spaces/ENG/pages/{page.id}/Plans+%26+more"
    if version == "7.19.16":
        address = f"/pages/viewpage.action?pageId={page.id}"
    summary = summaries[page.id]
    assert summary.content_type is ContentType.PAGE
    assert summary.space_key == "ENG"
    assert summary.title == "Plans & more"
    assert summary.version == 2
    assert summary.state is State.LIVE
    assert summary.parent_id == above.id
    assert summary.position == 1
    assert summary.url == served.base_url + address
    assert summaries[home].parent_id is None


@pytest.mark.parametrize("version", ["7.19.16", "9.2.1"])
async def test_blog_posts_have_no_place_among_others(version: str) -> None:
    with scene(filled_site({"ENG": 1}, blogposts=1), Edition(version)) as served:
        async with served.source() as source:
            post = next(s for s in await swept(source) if s.content_type is ContentType.BLOGPOST)

    assert post.position is None
    assert post.parent_id is None


async def test_an_address_is_made_up_where_none_is_given(small: Scene) -> None:
    one: Json = {"id": "99", "key": "ENG", "type": "page", "status": "current", "title": ""}
    version: Json = {"number": 1}
    results: list[Json] = [{**one, "version": version}]
    bare: Json = {"results": results}
    small.faults.add(failing(200, body=bare), "*/space", times=None)
    small.faults.add(failing(200, body=bare), "*/content*", times=None)

    async with small.source() as source:
        space, page = await first_space(source), (await swept(source))[0]

    assert space.url == f"{small.base_url}/display/ENG"
    assert page.url == f"{small.base_url}/pages/viewpage.action?pageId=99"


async def test_drafts_and_trash_are_not_listed(small: Scene) -> None:
    draft = small.site.add_page("ENG", "Idea", status="draft")
    trashed = small.site.add_page("ENG", "Gone")
    small.site.trash(trashed.id)

    async with small.source() as source:
        found = {summary.page_id for summary in await swept(source)}

    assert len(found) == 14
    assert not {draft.id, trashed.id} & found


@pytest.mark.parametrize("host", ["https://evil.example", "//evil.example", ""])
@pytest.mark.parametrize("edition", [Edition(most=5), Edition("7.17.5", most=5)])
async def test_links_are_never_followed_to_where_they_lead(edition: Edition, host: str) -> None:
    site = filled_site({"ENG": 12})
    links: Json = {"next": f"{host}/admin?start=1"}
    elsewhere = rewritten(lambda answer: {**answer, "_links": links})

    with scene(site, edition) as served:
        served.faults.add(elsewhere, "*/content*", query="*type=page*", times=2)
        async with served.source() as source:
            assert len(await swept(source)) == 12

    assert site.request_log.count("*admin*") == 0


async def test_the_cursor_in_a_link_is_used_where_there_is_no_other(small: Scene) -> None:
    small.faults.add(rewritten(lambda answer: {**answer, "nextCursor": None}), SCAN, times=None)

    async with small.source() as source:
        assert len(await swept(source)) == 14


async def test_a_next_link_together_with_no_results_ends_a_listing() -> None:
    with scene(filled_site({"ENG": 12}), Edition("7.17.5", most=5)) as served:
        nothing = rewritten(lambda answer: {**answer, "results": []})
        served.faults.add(nothing, LISTING, query="*type=page*", after=1)
        async with served.source() as source:
            assert len(await swept(source)) == 5


async def test_an_empty_part_of_a_scan_is_not_its_end_while_cursors_go_on(small: Scene) -> None:
    small.faults.add(rewritten(lambda answer: {**answer, "results": []}), SCAN, after=1)

    async with small.source() as source:
        found = await swept(source)

    assert sum(summary.content_type is ContentType.PAGE for summary in found) == 7


async def test_a_cursor_that_leads_nowhere_new_ends_a_scan(small: Scene) -> None:
    results: list[Json] = []
    nowhere: Json = {"results": results, "nextCursor": "content:false:1"}
    small.faults.add(rewritten(lambda answer: answer | nowhere), SCAN, after=1, times=None)

    async with small.source() as source:
        found = await swept(source)

    assert sum(summary.content_type is ContentType.PAGE for summary in found) == 5


async def test_a_scan_that_goes_round_in_circles_is_an_error(small: Scene) -> None:
    again = rewritten(lambda answer: {**answer, "nextCursor": "content:false:1"})
    small.faults.add(again, SCAN, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="circles"):
            await swept(source)


async def test_a_listing_that_never_ends_is_an_error() -> None:
    with scene(filled_site({"ENG": 12}), Edition("7.17.5", most=5)) as served:
        first: list[Json] = []

        def repeat(answer: Json) -> Json:
            first.append(answer)
            return first[0]

        served.faults.add(rewritten(repeat), LISTING, query="*type=page*", times=None)
        async with served.source() as source:
            with pytest.raises(SourceError, match="circles"):
                await swept(source)


async def test_a_scan_that_fails_midway_never_ends_normally(small: Scene) -> None:
    small.faults.add(failing(400), SCAN, query="*cursor=*", times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="400"):
            await swept(source)


async def test_a_space_that_is_not_visible_is_an_error(small: Scene) -> None:
    async with small.source() as source:
        space = await first_space(source)
        small.site.hide(small.site.space("ENG").id)
        with pytest.raises(SourceError, match="ENG is gone"):
            await anext(source.sweep(space))


async def test_an_empty_listing_of_a_space_that_is_gone_is_no_empty_space(small: Scene) -> None:
    async with small.source() as source:
        space = await first_space(source)
        small.site.hide(small.site.space("ENG").id)
        results: list[Json] = []
        nothing: Json = {"results": results}
        small.faults.add(failing(200, body=nothing), "*/content*", times=None)
        with pytest.raises(SourceError, match="ENG is gone"):
            await anext(source.sweep(space))


async def test_a_space_without_pages_is_empty() -> None:
    site = Site()
    site.add_space("~ada", kind="personal")

    with scene(site) as served:
        async with served.source() as source:
            assert await swept(source) == []


@pytest.mark.parametrize("context", ["", "/wiki", "/tools/confluence"])
async def test_a_site_may_be_anywhere_at_its_host(context: str) -> None:
    site = filled_site({"ENG": 30}, blogposts=1)

    with scene(site, Edition(context=context, most=7)) as served:
        async with served.source() as source:
            summaries = await swept(source)
            answers = await fetched(source, summaries)

    assert len(answers) == 31
    assert all(isinstance(answer, SourcePage) for answer in answers.values())
    assert summaries[0].url.startswith(f"{served.base_url}/spaces/ENG/pages/")
    assert served.base_url.endswith(context)


async def test_the_version_is_told_once_where_it_is_known(
    small: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async with small.source() as source:
        await source.spaces()
        await source.spaces()

    (message,) = [r.message for r in caplog.records if "version=" in r.message]
    assert "version=9.2.1" in message


async def test_an_attachment_opens_at_its_page() -> None:
    async with DataCenterSource("https://example.com/confluence", PersonalToken("a")) as source:
        url = source.attachment_url("11", "a b/ü.pdf")

    assert source.is_whole_site
    assert url == "https://example.com/confluence/download/attachments/11/a%20b%2F%C3%BC.pdf"
