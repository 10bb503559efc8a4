"""Another embedding model in place of that of the index, while it is in use."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache

import numpy as np
import pytest
from psycopg import sql

from index.access import CRAWLER
from index.database import Database
from index.embeddings import Vector
from index.errors import BadRequest, DatabaseError, EmbeddingError, ModelMismatchError
from index.models import SHARE_MODEL, ModelSwitched, active_model
from index.records import Chunk, passage_text
from index.reindex import ReindexInProgress, Way, abandon, switch_model
from index.reindex_build import BATCH, Built, Pace
from index.search import Searcher
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.index.small_wiki import GivenVectors, SmallWiki, page

pytestmark = pytest.mark.anyio

PAGES, CHUNKS = 3, 100
TABLES = "SELECT relname FROM pg_class WHERE relname ~ '^chunk_(vector|bits)_[0-9]+$' ORDER BY 1"
MODELS = "SELECT name, active, retired_at IS NULL FROM embedding_model ORDER BY id"
TEXTS = """
SELECT chunk_id, title, heading_path, body FROM chunk JOIN page USING (page_ref) ORDER BY chunk_id
"""
LONG_HIDDEN = "UPDATE page SET hidden_at = '2020-01-01' WHERE page_id = '1' RETURNING page_id"
LATE = """
INSERT INTO chunk (page_ref, position, heading_path, anchor, body, text_hash)
SELECT min(page_ref), 1000, '{}', '', 'late', '' FROM page
"""
ALONE = Way(concurrency=1)


@cache
def meaning(word: str, size: int, model: str) -> Sequence[float]:
    dice = np.random.default_rng(zlib.crc32(f"{model} {word}".encode()))
    return dice.standard_normal(size).tolist()


def vector_of(text: str, size: int, model: str) -> list[float]:
    """Near to that of the last word, which is what a chunk is about; another one in each model."""
    *others, last = text.split() or [""]
    vectors = [meaning(word, size, model) for word in (*others, *[last] * 3)]
    return np.sum(vectors, axis=0).tolist()


Hook = Callable[["Recording"], Awaitable[None]]


async def nothing(_: "Recording") -> None:
    """What happens before a batch unless a test says otherwise."""


class Recording(GivenVectors):
    """Another model, which keeps what it embedded; `before` is awaited before each batch."""

    def __init__(self, model: str, size: int = 64, before: Hook = nothing) -> None:
        super().__init__(lambda text: vector_of(text, size, model), model=model)
        self.before = before
        self.texts: list[str] = []

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        await self.before(self)
        self.texts += texts
        return await super().embed_passages(texts)


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    """300 chunks, each with a word of its own."""
    wiki = await SmallWiki.open(database, Recording("given"))
    for number in range(PAGES):
        words = [f"word{number * CHUNKS + chunk}" for chunk in range(CHUNKS)]
        await wiki.put(page(str(number), f"Page {number}"), *words)
    return wiki


async def is_whole(wiki: SmallWiki, embedder: GivenVectors) -> None:
    """Asserts that the active model is that of the embedder, with one right vector a chunk."""
    async with wiki.database.pool.connection() as connection:
        model = await active_model(connection)
        assert model is not None
        rows = await connection.execute(
            sql.SQL("SELECT chunk_id, embedding FROM {}").format(model.vectors)
        )
        vectors = {row[0]: row[1].to_numpy() async for row in rows}
        bits = await connection.execute(sql.SQL("SELECT chunk_id FROM {}").format(model.bits))
        of_bits = {row[0] async for row in bits}
        names = {row[0] async for row in await connection.execute(TABLES)}
    texts = {row[0]: passage_text(*row[1:]) for row in await wiki.rows(TEXTS)}
    assert model.name == embedder.model
    assert vectors.keys() == of_bits == texts.keys()
    expected = await GivenVectors.embed_passages(embedder, list(texts.values()))
    for chunk_id, vector in zip(texts, expected, strict=True):
        assert np.allclose(vectors[chunk_id], vector, atol=1e-2)
    assert names == {f"chunk_bits_{model.id}", f"chunk_vector_{model.id}"}


def searcher(wiki: SmallWiki, *embedders: GivenVectors) -> Searcher:
    """Embeds each question by the model that it is told."""
    by_name = {embedder.model: embedder for embedder in (wiki.embedder, *embedders)}

    async def choose(model: str) -> GivenVectors:
        return by_name[model]

    return Searcher(wiki.database, choose)


async def nearest(searcher: Searcher, number: int) -> str:
    """The body of the chunk that is nearest to a word by its vector alone."""
    found = await searcher.search(CRAWLER, f"word{number}", limit=1, dense_share=1.0)
    return found.hits[0].passages[0].body


@asynccontextmanager
async def asked_all_the_time(searcher: Searcher) -> AsyncGenerator[list[int]]:
    """Questions one after another; each is answered rightly, or the `with` fails."""
    asked: list[int] = []

    async def ask() -> None:
        for number in range(10**9):
            wanted = number * 7 % (PAGES * CHUNKS)
            assert await nearest(searcher, wanted) == f"word{wanted}"
            asked.append(wanted)

    asking = [asyncio.create_task(ask()) for _ in range(2)]
    try:
        yield asked
    finally:
        for task in asking:
            task.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(error) for error in ended] == [asyncio.CancelledError] * 2


async def test_questions_are_answered_rightly_before_during_and_after(wiki: SmallWiki) -> None:
    async def some_more(_: Recording) -> None:
        wanted = len(asked) + 4

        async def are_answered() -> bool:
            return len(asked) >= wanted

        await until(are_answered)

    other = Recording("other", before=some_more)
    async with asked_all_the_time(searcher(wiki, other)) as asked:
        switched = await switch_model(wiki.database, other, ALONE)
        await some_more(other)

    assert switched is not None
    assert (switched.old, switched.new, switched.is_tidy) == ("given", "other", True)
    assert (switched.built.done, switched.built.embedded) == (300, 300)
    assert len(other.texts) == 300
    await is_whole(wiki, other)


async def test_a_model_of_another_dimension_comes_and_goes(wiki: SmallWiki) -> None:
    small, asks = Recording("small", 32), searcher(wiki, Recording("small", 32))
    there = await switch_model(wiki.database, small)
    small_found = await nearest(asks, 7)
    await is_whole(wiki, small)
    back = await switch_model(wiki.database, wiki.embedder)

    assert (there and there.new, back and back.new) == ("small", "given")
    assert (small_found, await nearest(asks, 8)) == ("word7", "word8")
    await is_whole(wiki, wiki.embedder)


async def test_a_model_that_is_in_use_already_is_left_alone(wiki: SmallWiki) -> None:
    same = Recording("given")

    assert await switch_model(wiki.database, same) is None
    with pytest.raises(ModelMismatchError, match="another model answers under this name"):
        await switch_model(wiki.database, Recording("given", 32))

    assert same.texts == []
    assert await wiki.rows(MODELS) == [("given", True, True)]


async def test_an_empty_index_is_told_how_it_gets_its_model(database: Database) -> None:
    with pytest.raises(BadRequest, match="set EMBEDDING_MODEL to other"):
        await switch_model(database, Recording("other"))
    await SmallWiki.open(database)
    with pytest.raises(BadRequest, match="The index is empty"):
        await switch_model(database, Recording("other"))


async def test_what_is_written_meanwhile_has_its_vectors_afterwards(wiki: SmallWiki) -> None:
    happened: list[int] = []

    async def before(_: Recording) -> None:
        step = len(happened)
        happened.append(step)
        if step == 1:
            await wiki.put(page("new"), *(f"new{number}" for number in range(150)))
            await wiki.put(page("0", "Another title"), "word0", "changed")
            await wiki.store.tombstone(["1"])
            await wiki.rows(
                "UPDATE page SET hidden_at = '2020-01-01' WHERE page_id = '1' RETURNING 1"
            )
            await wiki.store.purge(page().updated_at)
        elif step == 3:
            await wiki.put(page("2"), Chunk(0, ("Moved",), "", "word200"), "word201")
        elif step == 4:
            await wiki.put(page("last"), "last of all")

    other = Recording("other", before=before)
    await switch_model(wiki.database, other, ALONE)

    assert len(happened) > 4
    await is_whole(wiki, other)
    async with wiki.database.pool.connection() as connection:
        model = await active_model(connection)
    assert model is not None
    again = SmallWiki(wiki.database, other, model, wiki.store, searcher(wiki, other))
    assert await again.found("last of all", dense_share=1.0) != []


async def test_a_page_that_is_embedded_by_the_old_model_is_not_stored_after_the_switch(
    wiki: SmallWiki,
) -> None:
    await switch_model(wiki.database, other := Recording("other"))

    with pytest.raises(ModelSwitched):
        await wiki.put(page("0", "Page 0"), "new words")

    await is_whole(wiki, other)
    assert len(await wiki.rows(TEXTS)) == 300


async def test_the_switch_waits_for_a_writer_and_takes_in_what_it_wrote(wiki: SmallWiki) -> None:
    holds = asyncio.Event()

    async def write() -> None:
        async with wiki.database.pool.connection() as writer:
            await writer.execute(SHARE_MODEL)
            await writer.execute(LATE)
            holds.set()
            await until(lambda: waits_for_writers(wiki))
            before = await wiki.rows(MODELS)
        assert before == [("given", True, True), ("other", False, True)]

    async def before(_: Recording) -> None:
        if not holds.is_set():
            writing.append(asyncio.create_task(write()))
            await holds.wait()

    writing: list[asyncio.Task[None]] = []
    other = Recording("other", before=before)
    await switch_model(wiki.database, other, ALONE)
    await writing[0]

    await is_whole(wiki, other)
    assert [text for text in other.texts if text.endswith("late")] == ["Page 0\nlate"]


async def waits_for_writers(wiki: SmallWiki) -> bool:
    rows = await wiki.rows("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return len(rows) > 0


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something that another task brings about."""
    async with asyncio.timeout(30):
        while True:
            if await happened():
                return
            await asyncio.sleep(0.01)


async def test_a_long_search_keeps_its_tables_and_keeps_no_other_search_waiting(
    wiki: SmallWiki,
) -> None:
    other, old = Recording("other"), wiki.model.vectors
    asks = searcher(wiki, other)
    async with wiki.database.pool.connection() as long_search:
        await long_search.execute(sql.SQL("SELECT count(*) FROM {}").format(old))
        switching = asyncio.create_task(switch_model(wiki.database, other))
        await until(lambda: is_retired(wiki))
        during = [await nearest(asks, number) for number in range(20)]
        row = await (
            await long_search.execute(sql.SQL("SELECT count(*) FROM {}").format(old))
        ).fetchone()
        assert not switching.done()
    switched = await switching

    assert during == [f"word{number}" for number in range(20)]
    assert row == (300,)
    assert switched and switched.is_tidy
    await is_whole(wiki, other)


async def is_retired(wiki: SmallWiki) -> bool:
    return ("given", False, False) in await wiki.rows(MODELS)


async def test_only_one_process_changes_the_model(wiki: SmallWiki) -> None:
    refused: list[type[BaseException]] = []

    async def before(_: Recording) -> None:
        for attempt in (switch_model(wiki.database, Recording("third")), abandon(wiki.database)):
            with pytest.raises(ReindexInProgress) as caught:
                await attempt
            refused.append(caught.type)

    other = Recording("other", before=before)
    await switch_model(wiki.database, other)

    assert len(refused) >= 2
    await is_whole(wiki, other)


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_a_build_that_ended_half_way_goes_on_where_it_stood(
    wiki: SmallWiki, is_stopped: bool
) -> None:
    async def before(model: Recording) -> None:
        if len(model.texts) < 2 * BATCH:
            return
        if not is_stopped:
            raise EmbeddingError("the endpoint is gone")
        switching.cancel()
        await asyncio.sleep(60)

    failing = Recording("other", before=before)
    switching = asyncio.create_task(switch_model(wiki.database, failing, ALONE))
    with pytest.raises(asyncio.CancelledError if is_stopped else EmbeddingError):
        await switching
    still = await nearest(searcher(wiki), 3)
    shown: list[int] = []
    going_on = Recording("other")

    def note(built: Built) -> None:
        shown.append(built.done)

    switched = await switch_model(wiki.database, going_on, ALONE, progress=note)

    assert still == "word3"
    assert len(failing.texts) == 2 * BATCH
    assert len(going_on.texts) == 300 - 2 * BATCH
    assert (shown[0], shown[-1]) == (2 * BATCH, 300)
    assert switched and switched.built.embedded == 300 - 2 * BATCH
    await is_whole(wiki, going_on)


async def test_a_half_built_model_is_gone_on_with_or_dropped(wiki: SmallWiki) -> None:
    async def before(model: Recording) -> None:
        if model.texts:
            raise EmbeddingError("away")

    with pytest.raises(EmbeddingError):
        await switch_model(wiki.database, Recording("other", before=before), ALONE)
    with pytest.raises(BadRequest, match=r"--embedding-model other.*--abandon"):
        await switch_model(wiki.database, Recording("third"))
    with pytest.raises(ModelMismatchError, match="64 numbers before, and gives 32 now"):
        await switch_model(wiki.database, Recording("other", 32))
    dropped = await abandon(wiki.database)

    assert dropped is not None and dropped.name == "other"
    assert await abandon(wiki.database) is None
    await is_whole(wiki, wiki.embedder)


async def test_a_build_ends_with_a_reason_when_the_index_is_filled_anew(wiki: SmallWiki) -> None:
    async def before(model: Recording) -> None:
        if model.texts:
            await wiki.rows("WITH gone AS (DELETE FROM site) SELECT 1")
            await SmallWiki.open(wiki.database, GivenVectors(model="third"))

    with pytest.raises(DatabaseError, match="dropped meanwhile"):
        await switch_model(wiki.database, Recording("other", before=before), ALONE)

    assert await wiki.rows(MODELS) == [("third", True, True)]


async def test_tables_that_a_killed_process_left_are_dropped_by_the_next_one(
    wiki: SmallWiki,
) -> None:
    async with wiki.database.pool.connection() as connection:
        await connection.execute(
            "WITH added AS (INSERT INTO embedding_model (name, dimension, active, retired_at)"
            " VALUES ('other', 3, false, now()) RETURNING id)"
            " SELECT create_vector_tables(id, 3) FROM added"
        )

    await switch_model(wiki.database, other := Recording("other"))

    await is_whole(wiki, other)


async def test_a_user_that_does_not_own_the_tables_is_told_so(
    wiki: SmallWiki, postgres: Postgres
) -> None:
    ((name,),) = await wiki.rows("SELECT current_database()")
    postgres.run("DROP ROLE IF EXISTS reindex_guest")
    postgres.run("CREATE ROLE reindex_guest LOGIN")
    grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reindex_guest"
    postgres.run(grant, database=name)
    settings = IndexSettings.model_validate({"postgres_url": postgres.url(name, "reindex_guest")})
    try:
        async with Database.open(settings, application_name="guest") as guest:
            with pytest.raises(DatabaseError, match="as the user that owns the tables"):
                await switch_model(guest, Recording("other"))
    finally:
        postgres.run("DROP OWNED BY reindex_guest", database=name)
        postgres.run("DROP ROLE reindex_guest")

    await is_whole(wiki, wiki.embedder)


def test_texts_pass_no_faster_than_they_may() -> None:
    pace = Pace(10.0)

    delays = [pace.delay(now, 10) for now in (100.0, 100.2, 101.9, 110.0)]

    assert delays == pytest.approx([0.0, 0.8, 0.1, 0.0])
    assert (pace.batch, Pace(None).batch, Pace(0.5).batch) == (10, BATCH, 1)
    assert Pace(None).delay(5.0, 1_000) == 0.0
