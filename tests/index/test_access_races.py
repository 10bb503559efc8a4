"""Pages that are written while their place and their restrictions change: never too open."""

import pytest

from index.access import Asker
from index.database import Database
from index.guards import Guards
from index.nodes import Node
from index.records import Chunk, ContentType, State
from index.runs import finish_run, start_run
from tests.index.guarded_wiki import ADA, BOB, RUN, GuardedWiki
from tests.index.small_wiki import SITE, page, with_body

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wiki(database: Database) -> GuardedWiki:
    return await GuardedWiki.open(database)


@pytest.fixture
async def bob(wiki: GuardedWiki) -> Asker:
    return await wiki.person("bob")


async def fetched(
    wiki: GuardedWiki, page_id: str, *, under: str | None, was_under: str | None, version: int = 1
) -> None:
    """A page of ENG that was listed and fetched a while ago is stored now."""
    url = f"{SITE}/pages/{page_id}"
    seen = Node(
        page_id, ContentType.PAGE, under, f"Page {page_id}", url, version, State.LIVE, None, None
    )
    update = with_body(page(page_id, f"Page {page_id}", version=version), Chunk(0, (), "", "alpha"))
    vectors = await wiki.wiki.vectors(update.title, update.chunks)
    await wiki.wiki.store.write(
        await wiki.wiki.space(), update, vectors, recipe=1, seen=seen, was_under=was_under
    )


async def test_a_slow_writer_does_not_bring_a_page_back_into_the_space_that_it_left(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", BOB)
    await wiki.open_space("HR", ADA)
    await wiki.put("1")
    await wiki.see("1", space="HR")
    await wiki.work_list.place()

    await fetched(wiki, "1", under=None, was_under=None)
    between = await wiki.may_read(bob, "1")
    await wiki.work_list.place()

    assert not between
    assert not await wiki.may_read(bob, "1")
    assert await wiki.may_read(await wiki.person("ada"), "1")


async def test_a_slow_writer_does_not_undo_a_move_that_a_later_look_has_seen(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[ADA])
    await wiki.put("2")
    await wiki.put("3", "2")
    await wiki.put("4", "3")
    await wiki.see("3", "1")
    await wiki.work_list.place()

    await fetched(wiki, "3", under="2", was_under="2")
    at_once = await wiki.readable(bob, "3", "4")
    await wiki.work_list.place()

    assert at_once == []
    assert await wiki.readable(bob, "3", "4") == []


async def test_a_move_that_only_the_page_itself_tells_is_followed_at_once(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[ADA])
    await wiki.put("2")
    await wiki.put("3", "2")

    await fetched(wiki, "3", under="1", was_under="2")

    assert not await wiki.may_read(bob, "3")


async def test_text_that_is_newer_than_what_is_known_of_its_restrictions_is_closed(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", BOB)
    await wiki.put("1")
    space_id = await wiki.wiki.space()

    await fetched(wiki, "1", under=None, was_under=None, version=2)
    between = await wiki.may_read(bob, "1")
    never_read = await wiki.guards.never_read([space_id])
    await wiki.restrict("1")

    assert (between, never_read) == (False, {"1": "page"})
    assert await wiki.may_read(bob, "1")
    assert await wiki.guards.never_read([space_id]) == {}


async def test_a_space_is_believed_once_all_that_was_known_of_it_has_been_read_anew(
    wiki: GuardedWiki, bob: Asker
) -> None:
    space_id = await wiki.open_space("ENG", BOB)
    await wiki.put("1")
    await wiki.put("2")
    await wiki.put("3", only=None)
    await wiki.wiki.rows("UPDATE space SET restrictions_at = now() - interval '9 days' RETURNING 1")

    await wiki.guards.record_restrictions(RUN + 1, {"1": frozenset()})
    await wiki.guards.finish_space(RUN + 1, space_id)
    half = await wiki.readable(bob, "1", "2", "3")
    await wiki.guards.record_restrictions(RUN + 1, {"2": frozenset()})
    await wiki.guards.finish_space(RUN + 1, space_id)

    assert half == []
    assert await wiki.readable(bob, "1", "2", "3") == ["1", "2"]


async def test_a_node_that_gives_no_answer_for_a_day_closes_itself_and_not_its_space(
    wiki: GuardedWiki, database: Database, bob: Asker
) -> None:
    space_id = await wiki.open_space("ENG", BOB)
    guards = Guards(database, wiki.wiki.store.site_id)
    first, second = [await run(wiki) for _ in range(2)]
    for page_id in ("1", "2"):
        await wiki.put(page_id)
        await guards.record_restrictions(first, {page_id: frozenset()})

    await guards.record_restrictions(second, {"1": frozenset()})
    await guards.close_unanswered(space_id)
    await wiki.work_list.place()
    at_first = await wiki.readable(bob, "1", "2")
    await wiki.wiki.rows(
        "UPDATE sync_run SET started_at = now() - interval '2 days' WHERE id = %(id)s RETURNING 1",
        id=first,
    )
    await guards.close_unanswered(space_id)
    await wiki.work_list.place()

    assert at_first == ["1", "2"]
    assert await wiki.readable(bob, "1", "2") == ["1"]


async def run(wiki: GuardedWiki) -> int:
    """The number of one more run."""
    run_id = await start_run(wiki.reader, wiki.wiki.store.site_id)
    await finish_run(wiki.reader, run_id, succeeded=True, report={})
    return run_id
