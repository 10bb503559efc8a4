"""A site and its index stay equal, whatever people and Confluence do: over HTTP, into Postgres."""

import random
import string
from collections.abc import AsyncGenerator

import pytest

from index.database import Database
from index.errors import SourceError, SourceUnavailable
from index.records import ContentType, State
from index.settings import IndexSettings
from tests.confluence.content import Content
from tests.confluence.faults import before, clamped, failing
from tests.confluence.samples import filled_site
from tests.confluence.site import Site
from tests.ingest.wiki import FAILURES, RETRY_NOW, WRITTEN, Wiki, wiki_of

pytestmark = pytest.mark.anyio

ONE_PAGE = "*/api/v2/pages/*"
THREE_SECTIONS = (
    "<p>Before you go on holiday you tell your manager and the people that wait for your work, "
    "and you say who stands in for you while you are away.</p>"
    "<h1>Asking</h1><p>Ask for leave in the portal two weeks ahead, and sooner if the whole of "
    "your squad wants to go in the same summer month as you do, which happens every year.</p>"
    "<h1>Falling ill</h1><p>Days on which you were ill do not count as leave when the note of a "
    "doctor reaches the people team within the week, wherever in the world you fell ill.</p>"
)


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    """Two spaces of seven and five pages."""
    async with wiki_of(filled_site({"ENG": 7, "HR": 5}), index_settings, database) as wiki:
        yield wiki


def titled(site: Site, title: str) -> Content:
    """The page of a title."""
    return next(content for content in site.contents.values() if content.title == title)


async def test_the_first_run_stores_all_that_is_known_of_a_page(wiki: Wiki) -> None:
    ada = wiki.site.add_user("Ada Lovelace")
    home = titled(wiki.site, "HR page 0")
    below = wiki.site.add_page("HR", "Rules", parent=home.id)
    body = f'{THREE_SECTIONS}<ac:structured-macro ac:name="unheard-of"/>'
    page = wiki.site.add_page("HR", "Leave", body, parent=below.id, author=ada)
    wiki.site.edit(page.id, body)
    wiki.site.label(page.id, "policy", "Holiday")

    report = await wiki.run()

    stored = await wiki.page(page.id)
    assert report.succeeded
    assert (report.spaces, report.pages, report.stored, report.failed) == (2, 14, 14, 0)
    assert report.embedded == report.chunks == len(wiki.embedded_texts())
    assert stored.info.title == "Leave"
    assert stored.info.url == f"{wiki.scene.base_url}/spaces/HR/pages/{page.id}/Leave"
    assert stored.info.space_key == "HR"
    assert stored.info.content_type is ContentType.PAGE
    assert stored.info.state is State.LIVE
    assert stored.info.version == 2
    assert stored.info.author == "Ada Lovelace"
    assert stored.created_at == page.created_at
    assert stored.info.updated_at == wiki.site.content(page.id).version.created_at
    assert sorted(stored.labels) == ["holiday", "policy"]
    assert [ancestor.title for ancestor in stored.ancestors] == ["HR page 0", "Rules"]
    assert [heading.title for heading in stored.outline] == ["Asking", "Falling ill"]
    assert [item.name for item in stored.unreadable] == ["unheard-of"]
    assert report.unreadable == 1
    assert await wiki.rows("SELECT language FROM page WHERE page_id = %(id)s", id=page.id) == [
        ("en",)
    ]
    assert len(await wiki.chunk_ids(page.id)) == 3
    assert (await wiki.found("falling ill on holiday"))[0] == "Leave"


async def test_a_second_run_over_an_unchanged_site_only_lists_it(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 260, "HR": 3}, blogposts=2)
    async with wiki_of(site, index_settings, database) as wiki:
        await wiki.run()
        written = await wiki.rows(WRITTEN)
        wiki.embedded_texts()
        site.request_log.clear()

        report = await wiki.run()

        asked = [entry.path for entry in site.request_log.entries]
        assert (report.pages, report.stored, report.moved, report.hidden) == (267, 0, 0, 0)
        assert report.embedded == 0
        assert wiki.embedded_texts() == []
        # Who we are (twice), the spaces, two pages of ENG, one of HR, their blog posts and other
        # nodes, and the feeds of both kinds of comments and of attachments. Before and after that,
        # who may use the site, how it grants permissions, those of each space, and the members of
        # the one group. The restrictions of two pages of ENG, of one of HR, and of their other
        # nodes, and the accounts.
        assert len(asked) == (2 + 1 + 3 + 2 + 2 + 3) + 2 * (1 + 1 + 2 + 1) + (3 + 2 + 1)
        assert site.request_log.count(ONE_PAGE) == 0
        assert sorted(await wiki.rows(WRITTEN)) == sorted(written)


async def test_an_edit_embeds_only_the_section_that_changed(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Leave", THREE_SECTIONS)
    await wiki.run()
    before = await wiki.chunk_ids(page.id)
    wiki.embedded_texts()

    wiki.site.edit(page.id, THREE_SECTIONS.replace("two weeks", "ten days"))
    report = await wiki.run()

    after = await wiki.chunk_ids(page.id)
    texts = wiki.embedded_texts()
    assert (report.stored, report.embedded) == (1, 1)
    assert len(texts) == 1
    assert "ten days" in texts[0]
    assert len(before) == len(after) == 3
    assert len(set(before.items()) & set(after.items())) == 2
    assert (await wiki.page(page.id)).info.version == 2


async def test_a_section_that_is_put_before_others_embeds_itself_only(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Leave", THREE_SECTIONS)
    await wiki.run()
    before = await wiki.chunk_ids(page.id)
    wiki.embedded_texts()

    new = (
        "<h1>Days</h1><p>Everybody has twenty-seven days of leave in a calendar year, whoever "
        "works part time has a share of them, and nobody loses the days of a year in which a "
        "child was born or a relative had to be cared for at home.</p>"
    )
    wiki.site.edit(page.id, THREE_SECTIONS.replace("<h1>Asking", f"{new}<h1>Asking"))
    await wiki.run()

    after = await wiki.chunk_ids(page.id)
    assert len(wiki.embedded_texts()) == 1
    assert set(before.items()) < set(after.items())
    headings = [heading.title for heading in (await wiki.page(page.id)).outline]
    assert headings == ["Days", "Asking", "Falling ill"]


async def test_a_move_changes_the_ancestors_of_the_whole_subtree_and_embeds_nothing(
    wiki: Wiki,
) -> None:
    pages = wiki.site.add_tree("HR", {"Old": {"Moved": {"Child": {"Grandchild": {}}}}, "New": {}})
    await wiki.run()
    wiki.embedded_texts()
    wiki.site.request_log.clear()

    wiki.site.move(pages["Moved"].id, parent=pages["New"].id)
    report = await wiki.run()

    paths = {
        title: [ancestor.title for ancestor in (await wiki.page(pages[title].id)).ancestors]
        for title in ("Moved", "Child", "Grandchild")
    }
    assert paths == {
        "Moved": ["New"],
        "Child": ["New", "Moved"],
        "Grandchild": ["New", "Moved", "Child"],
    }
    assert (report.moved, report.stored) == (3, 0)
    assert wiki.embedded_texts() == []
    assert wiki.site.request_log.count(ONE_PAGE) == 0


async def test_a_page_keeps_its_chunks_in_another_space(wiki: Wiki) -> None:
    page = titled(wiki.site, "ENG page 6")
    await wiki.run()
    before = await wiki.chunk_ids(page.id)
    wiki.embedded_texts()

    wiki.site.move(page.id, space_key="HR")
    report = await wiki.run()

    assert report.hidden == 0
    assert (await wiki.page(page.id)).info.space_key == "HR"
    assert await wiki.chunk_ids(page.id) == before
    assert wiki.embedded_texts() == []


async def test_a_tree_that_moves_to_another_space_is_not_missed(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 30, "HR": 1})
    pages = [content for content in site.contents.values() if content.title.startswith("ENG")]
    async with wiki_of(site, index_settings, database) as wiki:
        await wiki.run()

        for page in pages[5:]:
            site.move(page.id, space_key="HR")
        report = await wiki.run()

        assert report.succeeded
        assert report.hidden == 0
        assert {(await wiki.page(page.id)).info.space_key for page in pages[5:]} == {"HR"}


async def test_a_renamed_page_is_found_by_its_new_title_only(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Zanzibar", "<p>Where the ferry goes.</p>")
    await wiki.run()

    wiki.site.rename(page.id, "Madagascar")
    await wiki.run()

    assert (await wiki.page(page.id)).info.title == "Madagascar"
    assert (await wiki.found("Madagascar"))[0] == "Madagascar"
    assert "Zanzibar" not in await wiki.found("Zanzibar")


async def test_an_archived_page_is_served_and_marked(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Fax machines", "<p>How to send a telefax.</p>")
    await wiki.run()

    wiki.site.archive(page.id)
    report = await wiki.run()

    assert (report.moved, report.stored, report.hidden, report.embedded) == (1, 0, 0, 0)
    assert (await wiki.page(page.id)).info.state is State.ARCHIVED
    assert (await wiki.found("telefax"))[0] == "Fax machines"


async def test_a_trashed_page_is_hidden_and_comes_back_when_restored(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Fax machines", "<p>How to send a telefax.</p>")
    await wiki.run()

    wiki.site.trash(page.id)
    hiding = await wiki.run()
    was_shown, found = await wiki.shows(page.id), await wiki.found("telefax")
    wiki.site.restore(page.id)
    restoring = await wiki.run()

    assert hiding.hidden == 1
    assert not was_shown
    assert "Fax machines" not in found
    assert (restoring.moved, restoring.embedded) == (1, 0)
    assert await wiki.shows(page.id)
    assert (await wiki.found("telefax"))[0] == "Fax machines"


async def test_blog_posts_are_taken_in_and_drafts_are_not(wiki: Wiki) -> None:
    post = wiki.site.add_blogpost("HR", "Summer party", "<p>On the roof in July.</p>")
    draft = wiki.site.add_page("HR", "Secret plan", "<p>Not yet.</p>", status="draft")

    await wiki.run()

    assert (await wiki.page(post.id)).info.content_type is ContentType.BLOGPOST
    assert (await wiki.found("summer party"))[0] == "Summer party"
    assert not await wiki.shows(draft.id)

    wiki.site.publish(draft.id)
    await wiki.run()

    assert await wiki.shows(draft.id)


async def test_a_page_that_cannot_be_fetched_costs_itself_only(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Poison", "<p>Text.</p>")
    wiki.faults.add(failing(500), f"*/pages/{page.id}", times=None)

    reports = [await wiki.run(), await wiki.run()]
    await wiki.rows(RETRY_NOW)
    reports.append(await wiki.run())
    failures = await wiki.rows(FAILURES)
    wiki.faults.clear()
    await wiki.rows(RETRY_NOW)
    healed = await wiki.run()

    # The second run comes too early to try the page again.
    assert [(report.stored, report.failed) for report in reports] == [(12, 1), (0, 0), (0, 1)]
    assert all(report.succeeded for report in reports)
    ((page_id, title, error, attempts),) = failures
    assert (page_id, title, attempts) == (page.id, "Poison", 2)
    assert "500" in error
    assert (healed.stored, healed.failed) == (1, 0)
    assert await wiki.rows(FAILURES) == []
    assert await wiki.shows(page.id)


async def test_a_stored_page_is_kept_while_its_new_version_cannot_be_fetched(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Poison", "<p>The first version.</p>")
    await wiki.run()

    wiki.site.edit(page.id, "<p>The second version.</p>")
    wiki.faults.add(failing(500), f"*/pages/{page.id}", times=None)
    await wiki.run()

    assert "first" in (await wiki.page(page.id)).markdown


async def test_many_failing_pages_in_a_row_do_not_end_the_run(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 50})
    pages = list(site.contents.values())
    async with wiki_of(site, index_settings, database) as wiki:
        for page in pages[10:25]:
            wiki.faults.add(failing(500), f"*/pages/{page.id}", times=None)

        first = await wiki.run()
        await wiki.rows(RETRY_NOW)
        second = await wiki.run()

        assert (first.stored, first.failed, first.succeeded) == (35, 15, True)
        assert (second.stored, second.failed, second.succeeded) == (0, 15, True)


async def test_a_site_that_goes_down_ends_the_run_and_keeps_what_is_stored(
    index_settings: IndexSettings, database: Database
) -> None:
    async with wiki_of(filled_site({"ENG": 80}), index_settings, database) as wiki:
        wiki.faults.add(failing(503), ONE_PAGE, times=None, after=40)
        wiki.faults.add(failing(503), "*/user/current", times=None, after=2)

        with pytest.raises(SourceUnavailable):
            await wiki.run()

        ((stored,),) = await wiki.rows("SELECT count(*) FROM page")
        assert stored == 40
        assert await wiki.rows(FAILURES) == []


async def test_the_failure_of_a_page_that_is_deleted_later_is_forgotten(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Poison", "<p>Text.</p>")
    wiki.faults.add(failing(500), f"*/pages/{page.id}", times=None)
    await wiki.run()

    wiki.site.purge(page.id)
    await wiki.run()

    assert await wiki.rows(FAILURES) == []


async def test_a_page_with_broken_markup_is_stored_and_says_so(wiki: Wiki) -> None:
    page = wiki.site.add_page("HR", "Torn", "<p>Before <b>the tear</p><p>after it")

    report = await wiki.run()

    stored = await wiki.page(page.id)
    assert report.failed == 0
    assert "after it" in stored.markdown
    assert [item.kind for item in stored.unreadable] == ["body"]


async def test_a_page_that_postgres_cannot_hold_costs_itself_only(wiki: Wiki) -> None:
    # More than an index entry can hold, and beyond compression.
    title = "".join(random.Random(1).choices(string.ascii_letters, k=9_000))
    page = wiki.site.add_page("HR", title, "<p>Text.</p>")

    report = await wiki.run()

    ((page_id, _, error, _),) = await wiki.rows(FAILURES)
    assert (report.stored, report.failed) == (12, 1)
    assert page_id == page.id
    assert "index row" in error


async def test_a_listing_that_is_suddenly_nearly_empty_hides_nothing(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 50, "HR": 3})
    pages = [content for content in site.contents.values() if content.title.startswith("ENG")]
    async with wiki_of(site, index_settings, database) as wiki:
        await wiki.run()

        for page in pages[10:]:
            site.hide(page.id)
        doubtful = await wiki.run()
        was_shown = await wiki.shows(pages[20].id)
        believed = await wiki.run("ENG", full=True, only=True)

        assert not doubtful.succeeded
        assert doubtful.hidden == 0
        assert "40 of 50 pages of space ENG" in doubtful.problems[0]
        assert was_shown
        assert (believed.succeeded, believed.hidden) == (True, 40)
        assert not await wiki.shows(pages[20].id)


async def test_a_listing_that_breaks_half_way_changes_nothing(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 25})
    async with wiki_of(site, index_settings, database) as wiki:
        wiki.faults.add(clamped(10), "*/spaces/*/pages", times=None)
        await wiki.run()
        last = list(site.contents.values())[-1]
        site.edit(last.id, "<p>New text.</p>")
        written = await wiki.rows(WRITTEN)

        wiki.faults.add(failing(500), "*/pages", query="*cursor=*", times=None, after=1)
        report = await wiki.run()

        assert not report.succeeded
        assert "Space ENG cannot be listed" in report.problems[0]
        assert sorted(await wiki.rows(WRITTEN)) == sorted(written)
        assert await wiki.shows(last.id)


async def test_a_space_that_is_no_longer_visible_leaves(wiki: Wiki) -> None:
    page = titled(wiki.site, "HR page 0")
    await wiki.run()

    wiki.site.archive_space("HR")
    report = await wiki.run()

    assert (report.succeeded, report.hidden) == (True, 5)
    assert not await wiki.shows(page.id)
    assert all(title.startswith("ENG") for title in await wiki.found("page"))

    wiki.site.unarchive_space("HR")
    wiki.embedded_texts()
    report = await wiki.run()

    assert (report.moved, report.embedded) == (5, 0)
    assert await wiki.shows(page.id)


async def test_an_account_that_sees_no_space_at_all_hides_nothing(wiki: Wiki) -> None:
    page = titled(wiki.site, "HR page 0")
    await wiki.run()

    for space in list(wiki.site.spaces.values()):
        wiki.site.archive_space(space.key)
    with pytest.raises(SourceError, match="no space at all"):
        await wiki.run()

    assert await wiki.shows(page.id)


@pytest.mark.parametrize("spaces", ["-HR", "eng", "ENG,HR,-hr"])
async def test_an_excluded_space_leaves_the_index(wiki: Wiki, spaces: str) -> None:
    await wiki.run()

    report = await wiki.run(spaces)

    assert (report.spaces, report.hidden) == (1, 5)
    assert not await wiki.shows(titled(wiki.site, "HR page 0").id)
    assert await wiki.shows(titled(wiki.site, "ENG page 0").id)


async def test_the_last_space_leaves_when_it_is_excluded(wiki: Wiki) -> None:
    await wiki.run()

    report = await wiki.run("-HR,-ENG")

    assert (report.succeeded, report.hidden) == (True, 12)


async def test_a_run_over_one_space_leaves_the_others_alone(wiki: Wiki) -> None:
    await wiki.run()
    for title in ("HR page 1", "ENG page 1"):
        wiki.site.edit(titled(wiki.site, title).id, "<p>Edited.</p>")

    report = await wiki.run("HR", only=True)

    assert (report.spaces, report.stored, report.hidden) == (1, 1, 0)
    assert (await wiki.page(titled(wiki.site, "ENG page 1").id)).info.version == 1


async def test_an_unknown_space_is_named_and_nothing_changes(wiki: Wiki) -> None:
    await wiki.run()
    written = await wiki.rows(WRITTEN)
    wiki.site.edit(titled(wiki.site, "ENG page 1").id, "<p>Edited.</p>")

    with pytest.raises(SourceError) as caught:
        await wiki.run("ENG,ENGG,~nobody")

    assert "ENGG, ~NOBODY" in str(caught.value)
    assert "but only ENG, HR." in str(caught.value)
    assert sorted(await wiki.rows(WRITTEN)) == sorted(written)


async def test_links_do_not_tell_which_titles_lead_to_a_page(wiki: Wiki) -> None:
    there = '<ac:link><ri:page ri:content-title="HR page 3" ri:space-key="HR"/></ac:link>'
    missing = '<ac:link><ri:page ri:content-title="What?" ri:space-key="HR"/></ac:link>'
    page = wiki.site.add_page("ENG", "Links", f"<p>See {there} and {missing}.</p>")

    await wiki.run()

    base = wiki.scene.base_url
    assert (await wiki.page(page.id)).markdown == (
        f"See [HR page 3]({base}/display/HR/HR+page+3) and "
        f"[What?]({base}/pages/viewpage.action?spaceKey=HR&title=What%3F)."
    )


async def test_people_are_named_where_they_are_mentioned(wiki: Wiki) -> None:
    ada = wiki.site.add_user("Ada Lovelace")
    mention = f'<ac:link><ri:user ri:account-id="{ada.account_id}"/></ac:link>'
    page = wiki.site.add_page("ENG", "Contacts", f"<p>Ask {mention}.</p>")

    await wiki.run()

    assert "Ada Lovelace" in (await wiki.page(page.id)).markdown


async def test_a_full_run_stores_every_page_anew_and_embeds_nothing(wiki: Wiki) -> None:
    await wiki.run()
    wiki.embedded_texts()
    page = titled(wiki.site, "ENG page 1")
    wiki.site.label(page.id, "new-label")

    report = await wiki.run(full=True)

    assert (report.stored, report.embedded) == (12, 0)
    assert wiki.embedded_texts() == []
    assert (await wiki.page(page.id)).labels == ("new-label",)


async def test_a_page_that_changes_between_listing_and_fetch_is_stored_as_it_is_then(
    wiki: Wiki,
) -> None:
    page = titled(wiki.site, "ENG page 1")
    change = before(lambda: wiki.site.edit(page.id, "<p>Edited in between.</p>", title="Later"))
    wiki.faults.add(change, f"*/pages/{page.id}")

    await wiki.run()
    again = await wiki.run()

    stored = await wiki.page(page.id)
    assert (stored.info.title, stored.info.version) == ("Later", 2)
    assert "in between" in stored.markdown
    assert again.stored == 0
