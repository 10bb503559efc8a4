"""Pages that are gone: hidden, back again, deleted in the end; and pages that failed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection, sql

from index.database import Database
from index.records import State
from tests.index.guarded_wiki import ADA, RUN, GuardedWiki, node_of
from tests.index.small_wiki import SmallWiki, attachment, comment, page, update

pytestmark = pytest.mark.anyio

HIDDEN_AT = "SELECT page_id, hidden_at FROM page ORDER BY page_id"
LONG_AGO, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
AGE = "UPDATE page SET hidden_at = %(at)s WHERE page_id = %(page_id)s RETURNING 1"
LEFT = """
SELECT 'page' FROM page UNION ALL SELECT 'chunk' FROM chunk UNION ALL SELECT 'term' FROM chunk_term
UNION ALL SELECT 'vector' FROM chunk_vector_1 UNION ALL SELECT 'bits' FROM chunk_bits_1
UNION ALL SELECT 'comment' FROM comment UNION ALL SELECT 'attachment' FROM attachment
UNION ALL SELECT 'count' FROM term WHERE chunk_count <> 0
"""


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


async def test_hidden_pages_are_not_found_until_they_are_written_again(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")
    await wiki.put(page("2", state=State.ARCHIVED), "beta")

    hidden = await wiki.store.tombstone(["1", "2", "3"])
    again = await wiki.store.tombstone(["1"])
    found = await wiki.found("alpha")
    await wiki.put(page("1"), "alpha")

    assert (hidden, again) == (2, 0)
    assert found == []
    assert await wiki.found("alpha") == ["1"]
    assert await wiki.found("beta") == []


async def test_a_page_is_hidden_since_the_first_time(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")
    await wiki.put(page("2"), "alpha")
    await wiki.store.tombstone(["1"])
    await wiki.rows(AGE, at=LONG_AGO, page_id="1")

    await wiki.store.tombstone(["1"])
    await wiki.store.tombstone_other_spaces(["OPS"])
    await wiki.put(page("1", state=State.TOMBSTONED), "alpha", "beta")

    (first, second) = await wiki.rows(HIDDEN_AT)
    assert first == ("1", LONG_AGO)
    assert second[1] > LONG_AGO


async def test_a_hidden_page_that_comes_back_changed_is_shown_with_its_new_text_only(
    database: Database,
) -> None:
    wiki = await GuardedWiki.open(database)
    ada = await wiki.person("ada")
    space_id = await wiki.open_space("ENG", ADA)
    for page_id in ("1", "2"):
        await wiki.wiki.put(page(page_id, version=1), "alpha")
    await wiki.wiki.store.tombstone(["1", "2"])

    changed = replace(node_of("2", None), version=2)
    await wiki.nodes.saw(RUN, space_id, [node_of("1", None), changed])
    await wiki.guards.record_restrictions(RUN, {"1": frozenset(), "2": frozenset()})
    await wiki.work_list.place()
    placed = await wiki.readable(ada, "1", "2")
    await wiki.wiki.put(page("2", version=2), "alpha")

    assert placed == ["1"]
    assert await wiki.readable(ada, "1", "2") == ["1", "2"]


@pytest.mark.parametrize("state", [State.LIVE, State.ARCHIVED])
async def test_a_page_that_is_shown_again_is_hidden_since_no_time(
    wiki: SmallWiki, state: State
) -> None:
    await wiki.put(page("1"), "alpha")
    await wiki.store.tombstone(["1"])

    await wiki.put(page("1", state=state), "alpha")

    assert await wiki.rows(HIDDEN_AT) == [("1", None)]


async def test_new_comments_do_not_show_a_hidden_page(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")
    await wiki.store.tombstone(["1"])

    await wiki.write(update(comments=[comment("7")]))

    assert await wiki.found("alpha") == []
    assert (await wiki.rows(HIDDEN_AT))[0][1] is not None


async def test_pages_of_spaces_that_are_gone_are_hidden(wiki: SmallWiki) -> None:
    for number, key in enumerate(["ENG", "OPS", "HR"]):
        await wiki.put(page(str(number), space_key=key), "alpha")

    hidden = await wiki.store.tombstone_other_spaces(["ENG", "NEW"])

    assert hidden == 2
    assert await wiki.found("alpha") == ["0"]


async def test_pages_hidden_long_enough_are_deleted_with_all_of_theirs(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha", "beta")
    given = update(comments=[comment("7")], attachments=[attachment("8")])
    await wiki.write(given)
    await wiki.store.settle()
    await wiki.store.tombstone(["1"])

    early = await wiki.store.purge(LONG_AGO)
    purged = await wiki.store.purge(FUTURE)
    again = await wiki.store.purge(FUTURE)
    await wiki.store.settle()

    assert (early, purged, again) == (0, 1, 0)
    assert await wiki.rows(LEFT) == []


async def test_only_pages_hidden_before_the_time_are_deleted(wiki: SmallWiki) -> None:
    for page_id in ("1", "2", "3"):
        await wiki.put(page(page_id), "alpha")
    await wiki.store.tombstone(["1", "2"])
    await wiki.rows(AGE, at=LONG_AGO, page_id="1")

    purged = await wiki.store.purge(LONG_AGO + timedelta(seconds=1))

    assert purged == 1
    assert [row[0] for row in await wiki.rows(HIDDEN_AT)] == ["2", "3"]


async def test_other_sites_keep_their_hidden_pages(database: Database, wiki: SmallWiki) -> None:
    other = await SmallWiki.open(database, site="https://other.example/wiki")
    await other.put(page("1"), "alpha")
    await other.store.tombstone(["1"])

    assert await wiki.store.purge(FUTURE) == 0
    assert len(await wiki.rows(HIDDEN_AT)) == 1


async def test_many_hidden_pages_are_deleted_in_batches(wiki: SmallWiki) -> None:
    for number in range(5):
        await wiki.put(page(str(number)), "alpha")
    await wiki.store.tombstone([str(number) for number in range(5)])

    assert await wiki.store.purge(FUTURE, at_once=2) == 5
    await wiki.store.settle()
    assert await wiki.rows(LEFT) == []


async def told(connection: AsyncConnection) -> list[str]:
    """The pages that the listener hears of; all have been told before it asks."""
    await connection.execute("SELECT 1")
    return sorted([notify.payload async for notify in connection.notifies(timeout=0)])


async def test_listeners_hear_of_pages_written_and_hidden(wiki: SmallWiki) -> None:
    await wiki.put(page("9"), "alpha")
    async with await wiki.database.connect() as listener:
        await listener.execute(sql.SQL("LISTEN confluence_mcp_page"))

        await wiki.put(page("1"), "alpha")
        await wiki.put(page("2", space_key="OPS"), "alpha")
        written = await told(listener)
        await wiki.write(update(comments=[]))
        commented = await told(listener)
        await wiki.store.tombstone(["1", "3"])
        hidden = await told(listener)
        await wiki.store.tombstone_other_spaces(["ENG"])
        left = await told(listener)

    assert (written, commented, hidden, left) == (["1", "2"], ["1"], ["1"], ["2"])


FAILURES = """
SELECT error, version, attempts, extract(epoch FROM retry_at - failed_at)::int / 60
FROM page_failure
"""


async def test_a_page_that_went_in_is_no_failure_any_more(wiki: SmallWiki) -> None:
    space_id = await wiki.space()
    await wiki.store.record_failure(space_id, "1", "Page", "broken", 3)
    await wiki.store.record_failure(space_id, "1", "Page", "still broken", 4)
    failures = await wiki.rows(FAILURES)

    await wiki.put(page(), "alpha")

    assert failures == [("still broken", 4, 2, 10)]
    assert await wiki.rows(FAILURES) == []


async def test_a_page_that_fails_again_waits_twice_as_long_a_day_at_most(wiki: SmallWiki) -> None:
    space_id = await wiki.space()
    minutes: list[int] = []
    for _ in range(12):
        await wiki.store.record_failure(space_id, "1", "Page", "broken", 1)
        minutes.append((await wiki.rows(FAILURES))[0][3])

    assert minutes == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]


async def test_a_page_may_fail_for_ever(wiki: SmallWiki) -> None:
    await wiki.store.record_failure(await wiki.space(), "1", "Page", "broken", 1)
    await wiki.rows("UPDATE page_failure SET attempts = 2000000 RETURNING 1")

    await wiki.store.record_failure(await wiki.space(), "1", "Page", "broken", 1)

    assert (await wiki.rows(FAILURES))[0][2:] == (2_000_001, 1440)


async def test_embedded_tokens_add_up_by_space(wiki: SmallWiki) -> None:
    space_id = await wiki.space()
    await wiki.space("OPS")

    await wiki.store.add_embedded_tokens(space_id, 3_000_000_000)
    await wiki.store.add_embedded_tokens(space_id, 5)

    rows = await wiki.rows("SELECT key, embedded_tokens FROM space ORDER BY key")
    assert rows == [("ENG", 3_000_000_005), ("OPS", 0)]
