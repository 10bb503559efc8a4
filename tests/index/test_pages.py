"""Whole pages: by id, by title, and their place in the tree."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from index.access import CRAWLER
from index.database import Database
from index.errors import NotFound
from index.nodes import Node, Nodes
from index.pages import Pages, in_threads
from index.records import ContentType, Heading, State, Unreadable
from index.results import PageLink
from tests.index.small_wiki import SITE, SmallWiki, attachment, comment, page, update

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


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

    stored = await pages.page(CRAWLER, "7")

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
        await pages.page(CRAWLER, page_id)


async def test_tombstoned_pages_are_nowhere_and_archived_ones_are_shown(
    wiki: SmallWiki, pages: Pages
) -> None:
    await wiki.put(page("1", "Root"), "alpha")
    await wiki.put(page("2", "Gone", ancestors=("1",), state=State.TOMBSTONED), "beta")
    await wiki.put(page("3", "Old", ancestors=("1", "2"), state=State.ARCHIVED), "gamma")

    with pytest.raises(NotFound):
        await pages.page(CRAWLER, "2")
    assert await pages.pages_of_title(CRAWLER, "gone", None) == []
    assert (await pages.page(CRAWLER, "1")).children == ()
    old = await pages.page(CRAWLER, "3")
    assert old.info.state is State.ARCHIVED
    assert [link.title for link in old.ancestors] == ["Root"]


async def test_children_stand_in_the_order_of_the_wiki(wiki: SmallWiki, pages: Pages) -> None:
    await wiki.put(page("1", "Root"), "alpha")
    for number, (title, position) in enumerate(
        [("b unplaced", None), ("second", 2), ("A unplaced", None), ("first", 1)], start=2
    ):
        await wiki.put(page(str(number), title, ancestors=("1",), position=position), "beta")
    await wiki.put(page("9", "Grandchild", ancestors=("1", "5")), "beta")

    children = (await pages.page(CRAWLER, "1")).children

    assert [child.title for child in children] == ["first", "second", "A unplaced", "b unplaced"]
    assert children[0].page_id == "5"
    assert children[0].url == f"{SITE}/pages/5"


async def test_ancestors_run_from_the_root_down_without_those_not_there(
    wiki: SmallWiki, pages: Pages
) -> None:
    await wiki.put(page("30", "Parent"), "alpha")
    await wiki.put(page("10", "Root"), "alpha")
    await wiki.put(page("5", "Leaf", ancestors=("10", "20", "30")), "alpha")

    stored = await pages.page(CRAWLER, "5")

    assert [link.title for link in stored.ancestors] == ["Root", "Parent"]


def node(node_id: str, title: str, kind: ContentType, parent: str | None = None) -> Node:
    """A line of a sweep."""
    url = f"{SITE}/{kind}/{node_id}"
    return Node(node_id, kind, parent, title, url, 1, State.LIVE, int(node_id), None)


async def saw(wiki: SmallWiki, *nodes: Node) -> None:
    await Nodes(wiki.database, wiki.store.site_id).saw(1, await wiki.space(), nodes)


async def test_folders_are_ancestors_once_they_are_taken_in(wiki: SmallWiki, pages: Pages) -> None:
    await saw(wiki, node("15", "Seen only", ContentType.FOLDER))
    await wiki.put(page("20", "Guides", content_type=ContentType.FOLDER), "")
    await wiki.put(page("30", "Hidden", state=State.TOMBSTONED), "alpha")
    await wiki.put(page("5", "Leaf", ancestors=("15", "20", "30", "50")), "alpha")

    stored = await pages.page(CRAWLER, "5")

    assert stored.ancestors == (PageLink("20", "Guides", f"{SITE}/pages/20", ContentType.FOLDER),)


async def test_folders_and_whiteboards_are_children_in_their_places(
    wiki: SmallWiki, pages: Pages
) -> None:
    await wiki.put(page("1", "Root"), "alpha")
    await wiki.put(page("3", "Page", ancestors=("1",), position=3), "alpha")
    board = page("4", "Kept board", ancestors=("1",), content_type=ContentType.WHITEBOARD)
    await wiki.put(replace(board, position=4), "")
    await wiki.put(page("6", "Gone", ancestors=("1",), state=State.TOMBSTONED), "alpha")
    await saw(
        wiki,
        node("1", "Root", ContentType.PAGE),
        node("2", "Folder", ContentType.FOLDER, "1"),
        node("3", "Page", ContentType.PAGE, "1"),
        node("4", "Seen board", ContentType.WHITEBOARD, "1"),
        node("5", "Not read yet", ContentType.PAGE, "1"),
        node("6", "Gone", ContentType.DATABASE, "1"),
        node("7", "Below", ContentType.FOLDER, "2"),
    )

    children = (await pages.page(CRAWLER, "1")).children

    assert [(one.title, one.content_type) for one in children] == [
        ("Page", ContentType.PAGE),
        ("Kept board", ContentType.WHITEBOARD),
    ]


async def test_comments_come_back_in_threads_and_attachments_without_text(
    wiki: SmallWiki, pages: Pages
) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    given = [
        comment("9", "late", created_at=day + timedelta(days=2)),
        comment("10", "first", created_at=day, selection="a word", resolution="resolved"),
        comment("11", "reply", parent_id="10", created_at=day + timedelta(days=3), author=None),
        comment("12", "reply to reply", parent_id="11", created_at=day + timedelta(days=4)),
        comment("13", "second reply", parent_id="10", created_at=day + timedelta(days=4)),
        comment("14", "orphan", parent_id="99", created_at=None),
    ]
    files = [
        attachment("3", "text", filename="b.txt", recipe=7),
        attachment("2", filename="A.png", media_type="image/png", unreadable="a picture"),
    ]
    await wiki.write(update(page=page("1"), comments=given, attachments=files))

    stored = await pages.page(CRAWLER, "1")

    assert [one.comment_id for one in stored.comments] == ["10", "11", "12", "13", "9", "14"]
    assert set(stored.comments) == set(given)
    assert stored.attachments == (files[1], replace(files[0], markdown=""))


@given_any(
    st.lists(
        st.tuples(st.integers(0, 6), st.none() | st.integers(0, 7)), unique_by=lambda link: link[0]
    )
)
def test_no_comment_is_lost_whatever_they_answer(links: list[tuple[int, int | None]]) -> None:
    comments = [
        comment(str(number), parent_id=None if parent is None else str(parent))
        for number, parent in links
    ]

    ordered = in_threads(comments)

    assert sorted(one.comment_id for one in ordered) == sorted(str(number) for number, _ in links)


async def test_an_attachment_is_read_by_its_name(wiki: SmallWiki, pages: Pages) -> None:
    older = attachment("1", "old", filename="PLAN.txt", version=3)
    plan = attachment("2", "new", filename="Plan.txt")
    await wiki.write(update("1", page=page("1"), attachments=[older, plan]))
    await wiki.write(update("2", page=page("2"), attachments=[attachment("4", "other")]))
    await wiki.store.tombstone(["2"])

    assert await pages.attachment(CRAWLER, "1", "Plan.txt") == plan
    assert await pages.attachment(CRAWLER, "1", "plan.TXT") == older
    for page_id, name in (("1", "none.txt"), ("2", "4.txt"), ("3", "Plan.txt"), ("\x00", "\ud800")):
        with pytest.raises(NotFound, match="No attachment"):
            await pages.attachment(CRAWLER, page_id, name)


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

    child = await pages.page(CRAWLER, "2")
    (root,) = (link for link in child.ancestors)
    (only,) = (await pages.page(CRAWLER, "1")).children

    assert child.info.title == "Child there"
    assert root.title == "Root there"
    assert only.title.split()[0] == "Child"
    assert len((await here.searcher.search(CRAWLER, "alpha")).hits) == 4


async def test_titles_are_found_in_any_case_newest_first(wiki: SmallWiki, pages: Pages) -> None:
    await wiki.put(page("1", "Über uns", space_key="ENG"), "alpha")
    newer = datetime(2026, 2, 1, tzinfo=UTC)
    await wiki.put(page("2", "über UNS", space_key="HR", updated_at=newer), "alpha")
    await wiki.put(page("3", "Über uns alle"), "alpha")

    everywhere = await pages.pages_of_title(CRAWLER, "ÜBER uns", None)
    in_space = await pages.pages_of_title(CRAWLER, "über uns", "eng")

    assert [info.page_id for info in everywhere] == ["2", "1"]
    assert [info.page_id for info in in_space] == ["1"]
    assert await pages.pages_of_title(CRAWLER, "über uns", "NONE") == []
    assert await pages.pages_of_title(CRAWLER, "\x00\ud800", "\x00") == []


async def test_a_database_that_is_gone_does_not_answer(database: Database, pages: Pages) -> None:
    before = await pages.answers()
    await database.pool.close()

    assert before
    assert not await pages.answers()
