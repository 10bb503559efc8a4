"""Whole pages: by id, by title, and their place in the tree."""

from datetime import UTC, datetime

import pytest

from index.database import Database
from index.errors import NotFound
from index.pages import Pages
from index.records import ContentType, Heading, State, Unreadable
from tests.index.small_wiki import SITE, SmallWiki, page

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


@pytest.fixture
def pages(database: Database) -> Pages:
    return Pages(database)


async def test_a_page_comes_back_as_it_was_stored(wiki: SmallWiki, pages: Pages) -> None:
    given = page(
        "7",
        "VPN",
        content_type=ContentType.BLOGPOST,
        version=3,
        labels=("howto", "network"),
        author="Ada",
        created_at=datetime(2025, 1, 2, tzinfo=UTC),
        markdown="# Setup\n\nText",
        outline=(Heading(1, "Setup", "setup", 0),),
        unreadable=(Unreadable("macro", "jira", "needs Jira"),),
    )
    await wiki.put(given, "Text")

    stored = await pages.page("7")

    assert (stored.info.page_id, stored.info.title, stored.info.url) == ("7", "VPN", given.url)
    assert (stored.info.space_key, stored.info.content_type) == ("ENG", ContentType.BLOGPOST)
    assert (stored.info.version, stored.info.state) == (3, State.LIVE)
    assert (stored.info.author, stored.info.updated_at) == ("Ada", given.updated_at)
    assert (stored.labels, stored.created_at) == (given.labels, given.created_at)
    assert (stored.markdown, stored.outline) == (given.markdown, given.outline)
    assert stored.unreadable == given.unreadable
    assert stored.ancestors == stored.children == ()


@pytest.mark.parametrize("page_id", ["2", "", "1\x00", "\ud800", "1 OR 1=1"])
async def test_a_page_that_is_not_there_is_not_found(
    wiki: SmallWiki, pages: Pages, page_id: str
) -> None:
    await wiki.put(page("1"), "alpha")

    with pytest.raises(NotFound):
        await pages.page(page_id)


async def test_tombstoned_pages_are_nowhere_and_archived_ones_are_shown(
    wiki: SmallWiki, pages: Pages
) -> None:
    await wiki.put(page("1", "Root"), "alpha")
    await wiki.put(page("2", "Gone", ancestors=("1",), state=State.TOMBSTONED), "beta")
    await wiki.put(page("3", "Old", ancestors=("1", "2"), state=State.ARCHIVED), "gamma")

    with pytest.raises(NotFound):
        await pages.page("2")
    assert await pages.pages_of_title("gone", None) == []
    assert (await pages.page("1")).children == ()
    old = await pages.page("3")
    assert old.info.state is State.ARCHIVED
    assert [link.title for link in old.ancestors] == ["Root"]


async def test_children_stand_in_the_order_of_the_wiki(wiki: SmallWiki, pages: Pages) -> None:
    await wiki.put(page("1", "Root"), "alpha")
    for number, (title, position) in enumerate(
        [("b unplaced", None), ("second", 2), ("A unplaced", None), ("first", 1)], start=2
    ):
        await wiki.put(page(str(number), title, ancestors=("1",), position=position), "beta")
    await wiki.put(page("9", "Grandchild", ancestors=("1", "5")), "beta")

    children = (await pages.page("1")).children

    assert [child.title for child in children] == ["first", "second", "A unplaced", "b unplaced"]
    assert children[0].page_id == "5"
    assert children[0].url == f"{SITE}/pages/5"


async def test_ancestors_run_from_the_root_down_without_those_not_there(
    wiki: SmallWiki, pages: Pages
) -> None:
    await wiki.put(page("30", "Parent"), "alpha")
    await wiki.put(page("10", "Root"), "alpha")
    await wiki.put(page("5", "Leaf", ancestors=("10", "20", "30")), "alpha")

    stored = await pages.page("5")

    assert [link.title for link in stored.ancestors] == ["Root", "Parent"]


async def test_sites_that_share_page_ids_do_not_mix_their_trees(
    database: Database, pages: Pages
) -> None:
    here = await SmallWiki.open(database)
    there = await SmallWiki.open(database, site="https://other.example/wiki")
    newer = datetime(2026, 6, 1, tzinfo=UTC)
    for wiki, name in ((here, "here"), (there, "there")):
        await wiki.put(page("1", f"Root {name}", updated_at=newer), "alpha")
        await wiki.put(page("2", f"Child {name}", ancestors=("1",), updated_at=newer), "alpha")
    await here.put(page("2", "Child here", ancestors=("1",)), "alpha")

    child = await pages.page("2")
    (root,) = (link for link in child.ancestors)
    (only,) = (await pages.page("1")).children

    assert child.info.title == "Child there"
    assert root.title == "Root there"
    assert only.title.split()[0] == "Child"
    assert len((await here.searcher.search("alpha")).hits) == 4


async def test_titles_are_found_in_any_case_newest_first(wiki: SmallWiki, pages: Pages) -> None:
    await wiki.put(page("1", "Über uns", space_key="ENG"), "alpha")
    newer = datetime(2026, 2, 1, tzinfo=UTC)
    await wiki.put(page("2", "über UNS", space_key="HR", updated_at=newer), "alpha")
    await wiki.put(page("3", "Über uns alle"), "alpha")

    everywhere = await pages.pages_of_title("ÜBER uns", None)
    in_space = await pages.pages_of_title("über uns", "eng")

    assert [info.page_id for info in everywhere] == ["2", "1"]
    assert [info.page_id for info in in_space] == ["1"]
    assert await pages.pages_of_title("über uns", "NONE") == []
    assert await pages.pages_of_title("\x00\ud800", "\x00") == []


async def test_a_database_that_is_gone_does_not_answer(database: Database, pages: Pages) -> None:
    before = await pages.answers()
    await database.pool.close()

    assert before
    assert not await pages.answers()
