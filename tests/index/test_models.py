"""Which embedding model fills the index."""

import asyncio

import pytest

from index.access import CRAWLER
from index.database import Database
from index.errors import EmbeddingError, ModelMismatchError
from index.models import MAX_DIMENSION, active_model, claim_model, require_model
from index.search import Searcher
from index.store import forget_site
from index.upkeep_graph import build_graph
from tests.index.small_wiki import GivenVectors, SmallWiki, page

pytestmark = pytest.mark.anyio

TABLES = "SELECT relname FROM pg_class WHERE relname ~ '^chunk_(vector|bits)_[0-9]+$' ORDER BY 1"


def model_of(name: str, numbers: int = 3) -> GivenVectors:
    return GivenVectors(lambda text: [1.0] * numbers, model=name)


async def test_an_empty_index_has_no_model(database: Database) -> None:
    async with database.pool.connection() as connection:
        assert await active_model(connection) is None


async def test_a_model_is_recorded_once(database: Database) -> None:
    async with database.pool.connection() as connection:
        first = await claim_model(connection, model_of("m"))
        again = await claim_model(connection, model_of("m"))

        assert first == again == await active_model(connection)
        assert (first.name, first.dimension, first.has_hnsw) == ("m", 3, False)


async def test_processes_that_start_at_once_record_one_model(database: Database) -> None:
    async def claim() -> int:
        async with database.pool.connection() as connection:
            return (await claim_model(connection, model_of("m"))).id

    ids = await asyncio.gather(*(claim() for _ in range(5)))

    assert len(set(ids)) == 1


@pytest.mark.parametrize("other", [model_of("other"), model_of("given", 3)])
async def test_another_model_is_refused_once_there_are_chunks(
    database: Database, other: GivenVectors
) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(), "alpha")

    async with database.pool.connection() as connection:
        with pytest.raises(ModelMismatchError, match="ingest --full"):
            await claim_model(connection, other)

    assert await wiki.found("alpha") == ["1"]


async def test_an_index_without_chunks_takes_another_model(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(), "alpha")
    await forget_site(database, None)

    other = await SmallWiki.open(database, model_of("other"))

    assert other.model.name == "other"
    assert await other.rows(TABLES) == [
        (f"chunk_bits_{other.model.id}",),
        (f"chunk_vector_{other.model.id}",),
    ]


async def test_vectors_too_long_for_the_index_are_refused_before_anything_is_made(
    database: Database,
) -> None:
    async with database.pool.connection() as connection:
        await claim_model(connection, model_of("largest", MAX_DIMENSION))
        with pytest.raises(EmbeddingError, match="4096 numbers"):
            await claim_model(connection, model_of("huge", 4096))

        model = await active_model(connection)

    assert model is not None
    assert model.name == "largest"


async def test_the_longest_vectors_are_stored_found_and_walked(database: Database) -> None:
    wiki = await SmallWiki.open(database, model_of("largest", MAX_DIMENSION))

    await wiki.put(page(), "alpha")
    await build_graph(database, wiki.model)
    await wiki.put(page("2"), "beta")

    assert len((await wiki.searcher.search(CRAWLER, "alpha", dense_share=1.0)).hits) == 2


async def test_a_question_for_another_model_is_refused(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(), "alpha")

    async def choose(_: str) -> GivenVectors:
        return model_of("other")

    with pytest.raises(ModelMismatchError, match="EMBEDDING_MODEL"):
        await Searcher(database, choose).search(CRAWLER, "alpha")
    require_model(wiki.model, wiki.embedder)


async def test_a_question_of_another_dimension_is_refused(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(), "alpha")

    async def choose(name: str) -> GivenVectors:
        return GivenVectors(lambda text: [1.0, 0.0, 0.0], model=name)

    with pytest.raises(ModelMismatchError, match=r"\(3 numbers\) is configured"):
        await Searcher(database, choose).search(CRAWLER, "alpha")


async def test_a_running_searcher_follows_an_index_filled_anew(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(), "alpha")
    other = GivenVectors(lambda text: [1.0, 2.0], model="other")
    embedders = {embedder.model: embedder for embedder in (wiki.embedder, other)}

    async def choose(model: str) -> GivenVectors:
        return embedders[model]

    searcher = Searcher(database, choose)
    before = await searcher.search(CRAWLER, "alpha")
    await forget_site(database, None)
    emptied = await searcher.search(CRAWLER, "alpha")
    await (await SmallWiki.open(database, other)).put(page("2"), "alpha")
    after = await searcher.search(CRAWLER, "alpha")

    assert [hit.page.page_id for hit in before.hits] == ["1"]
    assert emptied.notes == ("The index is empty: run `confluence-mcp ingest` to fill it.",)
    assert [hit.page.page_id for hit in after.hits] == ["2"]
