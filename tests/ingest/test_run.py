"""Runs from end to end: killed, stopped, doubled, and with other models and sites."""

import asyncio
import json
import signal
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from index.database import Database
from index.embedding_local import LOCAL_MODEL
from index.errors import (
    AuthenticationError,
    EmbeddingError,
    ModelMismatchError,
    SourceError,
)
from index.runs import RunInProgress, only_run
from index.settings import IndexSettings
from index.status import read_status
from ingest.pipeline import BATCH
from ingest.settings import SAMPLE_SITE, UNNAMED_SITE
from ingest.sources.cloud import CloudSource
from ingest.sources.export import ExportSource
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.samples import filled_site
from tests.ingest import exports
from tests.ingest.wiki import RUNS, WRITTEN, Wiki, take_in, wiki_of
from tests.openai_endpoint import Fault, slow, word_vector

pytestmark = pytest.mark.anyio

PAGES = 70
STORED = "SELECT count(*) FROM page WHERE state <> 'tombstoned'"
HALF_WRITTEN = """
SELECT page_id FROM page
WHERE chunk_count <> (SELECT count(*) FROM chunk WHERE chunk.page_ref = page.page_ref)
   OR chunk_count <> (SELECT count(*) FROM chunk_term WHERE chunk_term.page_ref = page.page_ref)
"""
BREAK_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'confluence-mcp ingest'
"""
SITES = "SELECT DISTINCT url FROM site WHERE EXISTS (SELECT FROM page WHERE site_id = site.id)"


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    """A space of seventy pages, which a run takes in three batches."""
    async with wiki_of(filled_site({"ENG": PAGES}), index_settings, database) as wiki:
        yield wiki


@dataclass(slots=True)
class Stall:
    """An embedding model that embeds some requests, and then keeps everybody waiting."""

    after: int
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, texts: list[str]) -> Sequence[Sequence[float]] | Fault:
        """Answers a request, or does not."""
        if self.after == 0:
            self.reached.set()
            return slow()
        self.after -= 1
        return [word_vector(text) for text in texts]


async def count(wiki: Wiki) -> int:
    """How many pages readers see."""
    return (await wiki.rows(STORED))[0][0]


async def interrupted(
    wiki: Wiki, folder: Path, number: signal.Signals, *arguments: str
) -> tuple[int, str]:
    """The exit code and the log of an ingest that gets a signal while its second batch waits."""
    # The first request asks for the dimension, the second embeds the first batch.
    stall = Stall(after=2)
    wiki.endpoint.embed = stall
    with wiki.command(folder).begin("ingest", *arguments) as process:
        assert await asyncio.to_thread(stall.reached.wait, 120)
        for _ in range(1_200):  # the first batch is still being written
            if await count(wiki) >= BATCH:
                break
            await asyncio.sleep(0.05)
        process.send_signal(number)
        _, log = await asyncio.to_thread(process.communicate, timeout=60)
    wiki.endpoint.embed = lambda texts: [word_vector(text) for text in texts]
    wiki.embedded_texts()
    return process.returncode, log


async def test_a_killed_run_is_taken_up_where_it_was(wiki: Wiki, tmp_path: Path) -> None:
    await interrupted(wiki, tmp_path, signal.SIGKILL)
    stored = await count(wiki)
    status = await read_status(wiki.database)

    report = await wiki.run()

    assert stored == BATCH
    assert "killed before the end" in status.summary()
    assert await wiki.rows(HALF_WRITTEN) == []
    assert report.stored == PAGES - BATCH
    assert len(wiki.embedded_texts()) == report.embedded == report.chunks
    assert await count(wiki) == PAGES
    killed, done = await wiki.rows(RUNS)
    assert (killed[0], killed[1]["error"]) == (False, "killed before the end")
    assert done[0] is True
    assert (await wiki.run()).stored == 0


@pytest.mark.parametrize(
    ("arguments", "code"), [((), 1), (("--every", "1h"), 0)], ids=["one-off", "scheduled"]
)
async def test_a_stopped_run_ends_cleanly_and_is_on_record(
    wiki: Wiki, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    returned, log = await interrupted(wiki, tmp_path, signal.SIGTERM, *arguments)

    ((succeeded, report),) = await wiki.rows(RUNS)
    assert returned == code
    assert "Traceback" not in log
    assert log.endswith("Stopped.\n")
    assert succeeded is False
    assert report["error"] == "stopped before the end"
    # A page may be committed, and the run stopped before it has counted it.
    assert BATCH - 1 <= report["stored"] <= await count(wiki) == BATCH
    assert await wiki.rows(HALF_WRITTEN) == []
    assert "stopped before the end" in (await read_status(wiki.database)).summary()
    assert (await wiki.run()).stored == PAGES - BATCH


async def test_a_schedule_that_waits_for_its_time_stops_at_once(wiki: Wiki, tmp_path: Path) -> None:
    with wiki.command(tmp_path).begin("ingest", "--every", "1h") as process:
        assert process.stderr is not None
        log = ""
        while "next_run=" not in log:
            line = await asyncio.to_thread(process.stderr.readline)
            assert line, log
            log += line
        process.terminate()
        output, _ = await asyncio.to_thread(process.communicate, timeout=60)

    assert process.returncode == 0
    assert f"{PAGES} stored" in output
    assert await count(wiki) == PAGES


async def test_of_two_runs_at_once_the_second_is_refused(wiki: Wiki, tmp_path: Path) -> None:
    stall = Stall(after=2)
    wiki.endpoint.embed = stall
    with wiki.command(tmp_path).begin("ingest") as first:
        assert await asyncio.to_thread(stall.reached.wait, 120)
        second = await asyncio.to_thread(wiki.command(tmp_path).run, "ingest")
        status = await asyncio.to_thread(wiki.command(tmp_path).run, "status")
        assert first.poll() is None

    assert second.returncode == 1
    assert second.stdout == ""
    assert "Another ingest fills this index now" in second.stderr
    assert "Traceback" not in second.stderr
    assert "still running" in status.stdout


async def test_a_run_is_refused_while_another_holds_the_index(wiki: Wiki) -> None:
    async with only_run(wiki.database):
        with pytest.raises(RunInProgress, match="confluence-mcp status"):
            await wiki.run()

    assert (await wiki.run()).succeeded


async def test_pages_stored_before_the_embedding_model_failed_are_kept(wiki: Wiki) -> None:
    requests = 0

    def embed(texts: list[str]) -> Sequence[Sequence[float]] | Fault:
        nonlocal requests
        requests += 1
        return [word_vector(text) for text in texts] if requests <= 2 else Fault(401, "No more.")

    wiki.endpoint.embed = embed
    with pytest.raises(EmbeddingError):
        await wiki.run()

    ((succeeded, report),) = await wiki.rows(RUNS)
    stored = await count(wiki)
    wiki.endpoint.embed = lambda texts: [word_vector(text) for text in texts]
    healed = await wiki.run()
    assert stored == report["stored"] == 32
    assert succeeded is False
    assert report["error"]
    assert "test-key" not in json.dumps(report)
    assert healed.stored == PAGES - BATCH
    assert (await wiki.found("ENG page 5"))[0] == "ENG page 5"


async def test_what_a_failed_run_has_stored_is_found_by_its_words(wiki: Wiki) -> None:
    wiki.site.add_page("ENG", "Last", "<p>Text.</p>")

    def embed(texts: list[str]) -> Sequence[Sequence[float]] | Fault:
        last = any(text.startswith("Last") for text in texts)
        return Fault(401, "No more.") if last else [word_vector(text) for text in texts]

    wiki.endpoint.embed = embed
    with pytest.raises(EmbeddingError):
        await wiki.run()

    (waiting,) = await wiki.rows("SELECT count(*) FROM term_change")
    assert waiting == (0,)


async def test_a_run_that_loses_its_connections_begins_anew_and_ends_well(wiki: Wiki) -> None:
    assert wiki.settings.postgres_url is not None
    url = wiki.settings.postgres_url.get_secret_value()

    broken: list[str] = []

    def embed(texts: list[str]) -> Sequence[Sequence[float]]:
        if len(broken) < 2:
            broken.append(texts[0])
            with psycopg.connect(url) as connection:
                connection.execute(BREAK_CONNECTIONS)
        return [word_vector(text) for text in texts]

    wiki.endpoint.embed = embed
    report = await wiki.run()

    assert report.succeeded
    assert await count(wiki) == PAGES
    assert (await wiki.run()).stored == 0


async def test_another_model_is_refused_until_the_index_is_filled_anew(wiki: Wiki) -> None:
    await wiki.run()
    written = await wiki.rows(WRITTEN)
    other = wiki.settings.model_copy(update={"embedding_model": "other-words"})

    async with wiki.scene.source() as source:
        with pytest.raises(ModelMismatchError) as caught:
            await take_in(other, source)
        unchanged = await wiki.rows(WRITTEN)
        wiki.embedded_texts()
        report = await take_in(other, source, full=True)

    what, remedy = str(caught.value).split("\n")
    assert "words" in what
    assert "other-words" in what
    assert "confluence-mcp ingest --full" in remedy
    assert sorted(unchanged) == sorted(written)
    assert report.stored == PAGES
    assert len(wiki.embedded_texts()) == report.chunks
    assert (await read_status(wiki.database)).model == "other-words"


async def test_a_model_whose_vectors_changed_their_size_can_fill_the_index_anew(
    wiki: Wiki,
) -> None:
    await wiki.run()
    wiki.endpoint.embed = lambda texts: [word_vector(text, 32) for text in texts]

    with pytest.raises(ModelMismatchError):
        await wiki.run()
    report = await wiki.run(full=True)

    assert report.stored == PAGES
    assert (await read_status(wiki.database)).dimension == 32


async def test_a_site_that_does_not_answer_does_not_cost_the_index(wiki: Wiki) -> None:
    await wiki.run()
    other = wiki.settings.model_copy(update={"embedding_model": "other-words"})

    async with wiki.scene.source(token="expired") as source:
        with pytest.raises(AuthenticationError):
            await take_in(other, source, full=True)

    assert await count(wiki) == PAGES


async def test_a_part_of_a_site_is_not_filled_anew_by_another_model(wiki: Wiki) -> None:
    await wiki.run()
    other = wiki.settings.model_copy(update={"embedding_model": "other-words"})

    async with wiki.scene.source() as source:
        with pytest.raises(ModelMismatchError):
            await take_in(other, source, "ENG", full=True, only=True)

    assert await count(wiki) == PAGES


@pytest.mark.parametrize("stand_in", [SAMPLE_SITE, UNNAMED_SITE])
async def test_a_real_site_takes_the_place_of_a_stand_in(
    wiki: Wiki, tmp_path: Path, stand_in: str
) -> None:
    export = exports.write_folder(
        tmp_path / "export", exports.space("7", "OPS", "Operations"), exports.page("11", "Rota")
    )
    async with ExportSource(export, stand_in) as source:
        await take_in(wiki.settings, source)
    async with wiki.scene.source(token="expired") as source:
        with pytest.raises(AuthenticationError):
            await take_in(wiki.settings, source)
    was_shown = await wiki.shows("11")

    await wiki.run()

    assert was_shown
    assert await wiki.rows(SITES) == [(wiki.scene.base_url,)]
    assert not await wiki.shows("11")


async def test_the_sample_does_not_decide_about_the_model_of_a_real_site(
    wiki: Wiki, tmp_path: Path
) -> None:
    export = exports.write_folder(
        tmp_path / "export", exports.space("7", "OPS", "Operations"), exports.page("11", "Rota")
    )
    local = wiki.settings.model_copy(update={"embedding_model": "local"})
    async with ExportSource(export, SAMPLE_SITE) as source:
        await take_in(local, source)

    unset = wiki.settings.model_copy(update={"embedding_model": None})
    async with wiki.scene.source() as source:
        await take_in(unset, source)

    assert (await read_status(wiki.database)).model == "text-embedding-3-small"


async def test_an_export_of_one_space_does_not_hide_others_of_its_site(
    wiki: Wiki, tmp_path: Path
) -> None:
    await wiki.run()
    export = exports.write_folder(
        tmp_path / "export", exports.space("7", "OPS", "Operations"), exports.page("11", "Rota")
    )

    async with ExportSource(export, wiki.scene.base_url) as source:
        report = await take_in(wiki.settings, source, "OPS,HR")

    assert (report.stored, report.hidden) == (1, 0)
    assert await count(wiki) == PAGES + 1


async def test_an_export_without_an_admitted_space_is_refused(wiki: Wiki, tmp_path: Path) -> None:
    export = exports.write_folder(
        tmp_path / "export", exports.space("7", "OPS", "Operations"), exports.page("11", "Rota")
    )

    async with ExportSource(export, wiki.scene.base_url) as source:
        with pytest.raises(SourceError, match="HR, but only OPS"):
            await take_in(wiki.settings, source, "HR")


async def test_the_bundled_model_fills_an_index(
    index_settings: IndexSettings, database: Database
) -> None:
    site = filled_site({"ENG": 2})
    site.add_page("ENG", "Leave", "<p>You may take twenty-five days off each year.</p>")
    async with wiki_of(site, index_settings, database) as wiki:
        local = wiki.settings.model_copy(update={"embedding_model": "local"})

        async with CloudSource(wiki.scene.base_url, httpx.BasicAuth(EMAIL, TOKEN)) as source:
            report = await take_in(local, source)

        assert (report.stored, report.embedded) == (3, 3)
        assert (await read_status(database)).model == LOCAL_MODEL
        found = Wiki(wiki.scene, wiki.endpoint, local, database)
        assert (await found.found("how much holiday do I get?"))[0] == "Leave"
        assert wiki.embedded_texts() == []
