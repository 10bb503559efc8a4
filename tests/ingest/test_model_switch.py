"""Another embedding model under the hands of those who take pages in."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.database import Database
from index.embedder_choice import embedder_of
from index.errors import ModelMismatchError
from index.reindex import switch_model
from index.reindex_build import BATCH
from index.settings import IndexSettings
from index.status import read_status
from ingest.jobs_schedule import EveryTicks
from ingest.schedule import Every
from ingest.settings import IngestSettings
from ingest.worker import work
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import Exchange
from tests.confluence.samples import filled_site
from tests.ingest.wiki import Wiki, wiki_of
from tests.ingest.worker_hosts import is_idle, rows, until
from tests.openai_endpoint import Fault, word_vector

pytestmark = pytest.mark.anyio

PAGES, PARTS = 30, 300
NEW = "other-words"
PAGE = "*/api/v2/pages/*"
TITLES = "SELECT title FROM page ORDER BY title"
ALL_CHUNKS = "SELECT count(*) FROM chunk"
WITHOUT_VECTOR = """
SELECT chunk_id FROM chunk WHERE NOT EXISTS (
    SELECT FROM {} AS chunk_vector WHERE chunk_vector.chunk_id = chunk.chunk_id)
"""


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    """A space of some pages, which `words` has filled the index with; EMBEDDING_MODEL is unset."""
    site = filled_site({"ENG": PAGES})
    site.clock.now = datetime.now(UTC)
    async with wiki_of(site, index_settings, database) as wiki:
        await wiki.run()
        unset = wiki.settings.model_copy(update={"embedding_model": None})
        yield Wiki(wiki.scene, wiki.endpoint, unset, wiki.database)


def edit_some(wiki: Wiki, word: str) -> list[str]:
    """Changes the text of a few pages; gives their ids."""
    chosen = list(wiki.site.contents)[:6]
    for page_id in chosen:
        wiki.site.edit(page_id, f"<p>About {word} {page_id}</p>")
    return chosen


async def switch(wiki: Wiki) -> None:
    """Changes the model as another process does."""
    embedder = await embedder_of(wiki.settings, NEW)
    try:
        await switch_model(wiki.database, embedder)
    finally:
        await embedder.close()


def switch_at_a_page(wiki: Wiki) -> None:
    """Has the model change while a run waits for a page."""
    loop = asyncio.get_running_loop()

    async def fault(exchange: Exchange) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(switch(wiki), loop))
        await exchange.go_on()

    wiki.faults.add(fault, PAGE, after=3)


async def is_whole(wiki: Wiki) -> None:
    """Asserts that the new model is that of the index, and no chunk lacks its vector."""
    assert (await read_status(wiki.database)).model == NEW
    ((table,),) = await wiki.rows("SELECT 'chunk_vector_' || id FROM embedding_model")
    assert await rows(wiki.database, WITHOUT_VECTOR.format(table)) == []  # pyright: ignore[reportArgumentType]: a name of ours


async def test_a_run_begins_anew_with_the_model_that_came_under_way(wiki: Wiki) -> None:
    edited = edit_some(wiki, "gondolas")
    switch_at_a_page(wiki)

    report = await wiki.run()
    later = await wiki.run()

    assert (report.succeeded, later.stored) == (True, 0)
    assert len(await wiki.found("gondolas")) >= len(edited)
    assert {one.body["model"] for one in wiki.endpoint.requests[-2:]} == {NEW}
    await is_whole(wiki)


@pytest.mark.parametrize("full", [False, True])
async def test_a_run_that_is_set_to_the_old_model_says_what_to_set_and_costs_nothing(
    wiki: Wiki, full: bool
) -> None:
    edit_some(wiki, "gondolas")
    titles = await wiki.rows(TITLES)
    held = Wiki(
        wiki.scene,
        wiki.endpoint,
        wiki.settings.model_copy(update={"embedding_model": "words"}),
        wiki.database,
    )
    switch_at_a_page(wiki)

    with pytest.raises(ModelMismatchError, match="Unset EMBEDDING_MODEL or set it back"):
        await held.run(full=full)

    assert await wiki.rows(TITLES) == titles
    await is_whole(wiki)
    assert (await wiki.run()).succeeded


async def test_a_worker_goes_on_with_the_new_model(wiki: Wiki, database: Database) -> None:
    own = {
        "confluence_url": wiki.scene.base_url,
        "confluence_username": EMAIL,
        "confluence_api_token": TOKEN,
    }
    settings = IngestSettings.model_validate(wiki.settings.model_dump() | own)

    async def is_found() -> bool:
        return len(await wiki.found("gondolas")) > 0 and await is_idle(database)

    working = asyncio.create_task(work(settings, EveryTicks(Every("1h")), concurrency=2))
    try:
        await until(lambda: is_idle(database))
        await switch(wiki)
        for page_id in edit_some(wiki, "gondolas"):
            await rows(database, "INSERT INTO page_hint VALUES (%(id)s)", id=page_id)
        await rows(database, "SELECT pg_notify('confluence_mcp_hint', '')")
        await until(is_found)
        assert not working.done()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    await is_whole(wiki)


async def test_a_reindex_that_is_killed_embeds_no_more_than_its_batches_again(
    wiki: Wiki, tmp_path: Path
) -> None:
    parts = (f"<h1>Part {n}</h1><p>{'many words ' * 80}{n}</p>" for n in range(PARTS))
    wiki.site.add_page("ENG", "Long", "".join(parts))
    await wiki.run()
    ((chunks,),) = await wiki.rows(ALL_CHUNKS)
    assert chunks > 2 * BATCH
    command = wiki.command(tmp_path)
    command = type(command)(
        tmp_path, {k: v for k, v in command.variables.items() if k != "EMBEDDING_MODEL"}
    )
    arguments = ("reindex", "--embedding-model", NEW, "--concurrency", "1")
    wiki.embedded_texts()
    with command.begin(*arguments) as process:

        def embed(texts: list[str]) -> list[list[float]] | Fault:
            if sum(len(one.body["input"]) for one in wiki.endpoint.requests) > BATCH + 64:
                process.kill()
            return [word_vector(text) for text in texts]

        wiki.endpoint.embed = embed
        await asyncio.to_thread(process.communicate, timeout=120)
    wiki.endpoint.embed = lambda texts: [word_vector(text) for text in texts]
    first = len(wiki.embedded_texts())
    half = await read_status(wiki.database)
    ended = await asyncio.to_thread(command.run, *arguments)
    again = await asyncio.to_thread(command.run, *arguments)

    assert process.returncode == -9
    assert half.model == "words"
    assert half.change is not None
    assert (half.change.model, half.change.done, half.change.is_running) == (NEW, BATCH, False)
    assert f"--embedding-model {NEW}" in half.summary()
    assert (ended.returncode, again.returncode) == (0, 0), ended.stderr
    assert first + len(wiki.embedded_texts()) <= chunks + BATCH
    assert f"{NEW} is the embedding model of the index now; it was words." in ended.stdout
    assert "there is nothing to do" in again.stdout
    await is_whole(wiki)
