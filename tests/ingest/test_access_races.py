"""Text and permissions that change together: no text is shown by older permissions than its own."""

from collections.abc import AsyncGenerator

import pytest

from index.access import Asker, Askers
from index.database import Database
from index.errors import SourceError
from index.pages import Pages
from index.settings import IndexSettings
from tests.confluence.content import Content
from tests.confluence.faults import before, failing
from tests.confluence.site import Site
from tests.ingest.cloud_sites import as_user
from tests.ingest.wiki import Wiki, wiki_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    site = Site()
    site.add_space("ENG")
    site.add_tree("ENG", {"Handbook": {"Pay": {"Bonus": {}}}, "News": {}})
    site.add_user("Eve", email="eve@example.com")
    async with wiki_of(site, index_settings, database) as made:
        yield made


def content(wiki: Wiki, title: str) -> Content:
    return next(page for page in wiki.site.contents.values() if page.title == title)


async def readable(wiki: Wiki) -> set[str]:
    """Titles of the pages that Eve is shown."""
    eve: Asker = await Askers(wiki.database).by_email("eve@example.com", "eve")
    ids = {page.id: page.title for page in wiki.site.contents.values()}
    return {ids[page_id] for page_id in await Pages(wiki.database).shown(eve, list(ids))}


ALL = {"Handbook", "Pay", "Bonus", "News"}


async def test_a_page_that_is_restricted_and_then_edited_is_closed_without_a_sweep(
    wiki: Wiki,
) -> None:
    await wiki.run()
    pay = content(wiki, "Pay")

    wiki.site.permissions.restrict(pay, as_user(wiki.site.crawler))
    wiki.site.edit(pay.id, body="<p>Everybody earns a million.</p>")
    report = await wiki.run(quick=True)

    assert report.stored == 1
    assert await readable(wiki) == {"Handbook", "News"}


async def test_a_page_below_one_that_is_restricted_before_it_is_made_is_closed_without_a_sweep(
    wiki: Wiki,
) -> None:
    await wiki.run()
    pay = content(wiki, "Pay")

    wiki.site.permissions.restrict(pay, as_user(wiki.site.crawler))
    wiki.site.add_page("ENG", "Secret", parent=content(wiki, "Bonus").id)
    await wiki.run(quick=True)

    assert await readable(wiki) == {"Handbook", "News"}


async def test_a_comment_on_a_page_that_is_restricted_before_closes_it_without_a_sweep(
    wiki: Wiki,
) -> None:
    await wiki.run()
    pay = content(wiki, "Pay")

    wiki.site.permissions.restrict(pay, as_user(wiki.site.crawler))
    wiki.site.comment(pay.id, "<p>Not a million, two.</p>", author=wiki.site.crawler)
    report = await wiki.run(quick=True)

    assert report.comments == 1
    assert await readable(wiki) == {"Handbook", "News"}


async def test_what_has_not_changed_is_not_asked_for_between_sweeps(wiki: Wiki) -> None:
    await wiki.run()
    wiki.site.edit(content(wiki, "News").id, body="<p>New.</p>")
    await wiki.run(quick=True)
    wiki.scene.spoil(failing(404), "*/rest/api/content/*/restriction/*")

    await wiki.run(quick=True)

    assert await readable(wiki) == ALL


async def test_a_look_that_breaks_off_before_pages_are_placed_opens_nothing(wiki: Wiki) -> None:
    await wiki.run()
    await wiki.rows("UPDATE space SET restrictions_at = now() - interval '9 days' RETURNING 1")
    at_first = await readable(wiki)
    wiki.site.permissions.restrict(content(wiki, "Pay"), as_user(wiki.site.crawler))
    wiki.scene.spoil(failing(401), "*/rest/api/group*")

    with pytest.raises(SourceError):
        await wiki.run()

    assert (at_first, await readable(wiki)) == (set(), set())


async def test_a_space_whose_sweeps_break_off_gets_too_old(wiki: Wiki) -> None:
    await wiki.run()
    await wiki.rows("UPDATE space SET restrictions_at = now() - interval '9 days' RETURNING 1")
    wiki.scene.spoil(failing(404), "*/spaces/*/blogposts")

    await wiki.run()

    assert await readable(wiki) == set()


async def test_text_that_is_restricted_between_look_and_fetch_is_closed_by_the_same_run(
    wiki: Wiki,
) -> None:
    await wiki.run()
    pay, news = content(wiki, "Pay"), content(wiki, "News")
    for page in (pay, news):
        wiki.site.edit(page.id, body="<p>Soon there is more.</p>")

    def change() -> None:
        for page in (pay, news):
            wiki.site.edit(page.id, body="<p>Everybody earns a million.</p>")
        wiki.site.permissions.restrict(pay, as_user(wiki.site.crawler))

    wiki.faults.add(before(change), "*/api/v2/pages/*", times=1)
    report = await wiki.run()

    assert report.stored == 2
    assert await readable(wiki) == {"Handbook", "News"}


async def test_a_node_that_never_answers_keeps_no_space_from_opening(wiki: Wiki) -> None:
    pay = content(wiki, "Pay")
    wiki.site.permissions.untold.add(pay.id)
    wiki.scene.spoil(failing(503), f"*/rest/api/content/{pay.id}/restriction/*")

    report = await wiki.run()

    assert f"the pages {pay.id} cannot be told" in " ".join(report.warnings)
    assert await readable(wiki) == {"Handbook", "News"}


async def test_a_site_that_answers_no_more_is_not_asked_for_each_of_its_nodes(wiki: Wiki) -> None:
    for number in range(200):
        wiki.site.add_page("ENG", f"Page {number}")
    wiki.scene.spoil(failing(403), "*/content/search", "*expand=restrictions*")
    wiki.scene.spoil(failing(503), "*/rest/api/content/*/restriction/*")

    report = await wiki.run()

    assert report.requests < 1_500
    assert await readable(wiki) == set()
