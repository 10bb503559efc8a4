"""The words of an index that an older version made are read anew, beside readers and writers."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from index.database import Database
from index.database_connection import connect
from index.migrate import migrate, migrations
from index.vocabulary import needs_rebuild, rebuild_words, recount
from tests.index.small_wiki import SmallWiki, attachment, chunks_of, in_its_language, page, update

pytestmark = pytest.mark.anyio

STATE = """
SELECT chunk_id, term_ids::text, weights::text FROM chunk_term ORDER BY chunk_id
"""
VOCABULARY = """
SELECT DISTINCT word, configuration, term_id FROM vocabulary ORDER BY word, configuration, term_id
"""
COUNTS = """
SELECT term_id, chunk_count FROM term WHERE chunk_count <> 0 ORDER BY term_id
"""
# As an older version left it: other numbers, no vocabulary, and counts of all that.
AGE = """
WITH aged AS (
    UPDATE chunk_term SET term_ids = ARRAY[5, 7], weights = '{5:1,7:1}/1000000000' RETURNING 1),
forgotten AS (DELETE FROM vocabulary),
counted AS (UPDATE term SET chunk_count = chunk_count + 3),
old AS (UPDATE lexicon SET version = 0)
SELECT count(*) FROM aged
"""


@pytest.fixture
async def wiki(database: Database) -> AsyncGenerator[SmallWiki]:
    wiki = await SmallWiki.open(database)
    for number in range(6):
        text = f"Die Störung der Anlage {number} in Zürich und maxPoolSize{number}"
        await wiki.put(in_its_language(page(f"p{number}"), text), text, f"second part {number}")
    english = attachment("a1", "The quick restoration of servers after an incident in the night.")
    await wiki.write(update("p1", attachments=(english,), chunks=chunks_of(english)))
    await wiki.store.settle()
    yield wiki


async def _state(wiki: SmallWiki) -> tuple[object, ...]:
    return await wiki.rows(STATE), await wiki.rows(VOCABULARY), await wiki.rows(COUNTS)


async def _needs(wiki: SmallWiki) -> bool:
    async with wiki.database.pool.connection() as connection:
        return await needs_rebuild(connection)


async def test_a_new_index_needs_no_rebuild(wiki: SmallWiki) -> None:
    before = await _state(wiki)

    await rebuild_words(wiki.database)

    assert not await _needs(wiki)
    assert await _state(wiki) == before


async def test_words_read_anew_are_those_of_an_index_made_anew(wiki: SmallWiki) -> None:
    before = await _state(wiki)
    await wiki.rows(AGE)
    told: list[tuple[int, int]] = []

    assert await _needs(wiki)
    await rebuild_words(
        wiki.database, batch=4, progress=lambda done, total: told.append((done, total))
    )

    assert not await _needs(wiki)
    assert await _state(wiki) == before
    assert told == [(4, 6), (6, 6)]
    assert await wiki.found("Zurich Störungen") == [f"p{number}" for number in range(6)]


async def test_a_stopped_rebuild_goes_on_where_it_was(wiki: SmallWiki) -> None:
    before = await _state(wiki)
    await wiki.rows(AGE)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyError

    with pytest.raises(KeyError):
        await rebuild_words(wiki.database, batch=2, progress=stop)
    told: list[tuple[int, int]] = []
    await rebuild_words(
        wiki.database, batch=2, progress=lambda done, total: told.append((done, total))
    )

    assert told[-1] == (4, 4)
    assert await _state(wiki) == before


async def test_a_page_that_is_being_written_is_waited_for(wiki: SmallWiki) -> None:
    before = await _state(wiki)
    await wiki.rows(AGE)
    others_are_done = asyncio.Event()

    async def hold() -> None:
        async with wiki.database.pool.connection() as writer:
            await writer.execute("SELECT FROM page WHERE page_id = 'p2' FOR UPDATE")
            rebuild = tasks.create_task(
                rebuild_words(
                    wiki.database, batch=3, progress=lambda done, total: others_are_done.set()
                )
            )
            for _ in range(50):
                await writer.execute("SELECT")
            assert not (rebuild.done() or others_are_done.is_set())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())

    assert await _state(wiki) == before


async def test_writers_and_readers_go_on_meanwhile(wiki: SmallWiki) -> None:
    await wiki.rows(AGE)

    async def write(number: int) -> None:
        text = f"Neue Störung in Zürich, Nummer {number}"
        await wiki.put(in_its_language(page(f"p{number}", version=2), text), text)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rebuild_words(wiki.database, batch=2))
        for number in (5, 0, 3):
            tasks.create_task(write(number))
            tasks.create_task(wiki.found("Störung"))
    await wiki.store.settle()
    counts = await wiki.rows(COUNTS)
    async with wiki.database.pool.connection() as connection:
        await recount(connection)

    assert await wiki.rows(COUNTS) == counts
    assert set(await wiki.found("Zurich")) == {f"p{number}" for number in range(6)}
    assert await wiki.rows("SELECT FROM chunk_term WHERE term_ids = ARRAY[5, 7]") == []


async def test_words_of_no_page_are_forgotten(wiki: SmallWiki) -> None:
    before = await wiki.rows(VOCABULARY)
    await wiki.put(page("gone"), "quokka and the wombat")
    await wiki.store.settle()
    await wiki.rows("DELETE FROM page WHERE page_id = 'gone' RETURNING page_ref")

    async with wiki.database.pool.connection() as connection:
        await recount(connection)

    after = await wiki.rows(VOCABULARY)
    assert {row for row in after if row[2]} == {row for row in before if row[2]}


async def test_an_index_with_chunks_is_old_after_the_migration(empty_database_url: str) -> None:
    async with await connect(empty_database_url) as connection:
        older = tuple(migration for migration in migrations() if migration.name < "0003")
        await migrate(connection, older)
        await connection.execute(
            """INSERT INTO site (url) VALUES ('https://example.com');
               INSERT INTO space (site_id, key, name, url) VALUES (1, 'A', 'A', '');
               INSERT INTO page (site_id, space_id, page_id, content_type, state, title, url,
                   version, ancestors, labels, updated_at, language, markdown, outline,
                   unreadable, chunk_count, recipe)
               VALUES (1, 1, '1', 'page', 'live', 'A', '', 1, '{}', '{}', now(), 'en', '',
                       '[]', '[]', 1, 1);
               INSERT INTO chunk (page_ref, position, heading_path, anchor, body, text_hash)
               VALUES (1, 0, '{}', '', 'a', '')"""
        )

        await migrate(connection, migrations())

        assert await needs_rebuild(connection)
