"""Any number of workers share one ingest: processes of their own, in networks of their own."""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from index.database import Database
from index.hints import note
from index.settings import IndexSettings
from index.status import read_status
from tests.command import Command
from tests.confluence.faults import slow
from tests.confluence.samples import filled_site
from tests.confluence.site import Site
from tests.conftest import Postgres
from tests.ingest.wiki import Wiki, take_in, wiki_of
from tests.ingest.worker_hosts import (
    IN_HAND,
    LET_TIME_PASS,
    Host,
    Hosts,
    held,
    hosts_of,
    is_idle,
    rows,
    until,
    with_items,
)

pytestmark = pytest.mark.anyio

DONE, FAILED, MISUSED = 0, 1, 2
STORED = "SELECT count(*) FROM page"
VERSION = "SELECT version FROM page WHERE page_id = %(id)s"
RUNS = "SELECT succeeded, report FROM sync_run ORDER BY id"
BODY = re.compile(r".*/api/v2/pages/(\d+)")


@asynccontextmanager
async def scene_of(
    site: Site, database: Database, settings: IndexSettings, folder: Path
) -> AsyncGenerator[tuple[Wiki, Hosts]]:
    """The site, whose changes from now on bear this hour, and workers over an empty index."""
    assert settings.postgres_url
    site.clock.now = datetime.now(UTC)
    url = settings.postgres_url.get_secret_value()
    async with (
        wiki_of(site, settings, database) as wiki,
        hosts_of(database, url, wiki.scene.base_url, wiki.endpoint.url, folder) as hosts,
    ):
        yield wiki, hosts


async def is_found(database: Database, page_id: str, version: int) -> bool:
    """Whether readers get that version of a page."""
    return await rows(database, VERSION, id=page_id) == [(version,)]


async def killed_at_work(database: Database, host: Host) -> set[str]:
    """Kills a worker while it takes pages in; gives these pages."""

    async def is_caught() -> bool:
        host.send(signal.SIGSTOP)
        if await rows(database, IN_HAND, id=host.number):
            return True
        host.send(signal.SIGCONT)
        return False

    await until(is_caught)
    pages = {page_id for (page_id,) in await rows(database, IN_HAND, id=host.number)}
    host.send(signal.SIGKILL)
    await host.process.wait()
    await rows(database, LET_TIME_PASS, id=host.number)
    return pages


async def test_three_workers_make_what_one_ingest_makes_though_one_is_killed(
    postgres: Postgres,
    migrated_template: str,
    database: Database,
    index_settings: IndexSettings,
    tmp_path: Path,
) -> None:
    site = with_items(filled_site({"ENG": 150, "HR": 60}))
    async with scene_of(site, database, index_settings, tmp_path) as (wiki, hosts):
        wiki.faults.add(slow(0.01), times=None)
        three = [await hosts.start("--every", "1h") for _ in range(3)]

        async def is_half_way() -> bool:
            return (await rows(database, STORED))[0][0] >= 50

        await until(is_half_way)
        lost = await killed_at_work(database, three[0])
        await until(lambda: is_idle(database))
        log = site.request_log
        fetched = Counter(match[1] for one in log.entries if (match := BODY.fullmatch(one.path)))
        most = log.most_in_flight
        wiki.faults.clear()
        with postgres.copy_of(migrated_template) as name:
            alone = wiki.settings.model_copy(update={"postgres_url": SecretStr(postgres.url(name))})
            async with (
                Database.open(alone, application_name="tests") as other,
                wiki.scene.source() as source,
            ):
                await take_in(alone, source)
                held_by_one = await held(other)
        status = await read_status(database)
        ends = [await one.stop() for one in three[1:]]

    assert lost
    assert len(held_by_one[0]) == 210
    assert await held(database) == held_by_one
    assert {page_id for page_id, times in fetched.items() if times > 1} <= lost
    assert max(fetched.values()) <= 2
    assert most <= 8
    ((succeeded, report),) = await rows(database, RUNS)
    assert (succeeded, report["pages"], report["due"]) == (True, 210, 210)
    assert 210 - len(lost) <= report["stored"] <= 210
    assert status.queue is not None
    assert (status.queue.workers, status.queue.waiting, status.queue.failed) == (2, 0, 0)
    assert ends == [DONE, DONE]


async def test_an_edit_that_a_server_is_told_of_is_found_and_workers_come_and_go(
    database: Database, index_settings: IndexSettings, tmp_path: Path
) -> None:
    site = with_items(filled_site({"ENG": 12}))
    page = next(iter(site.contents.values()))
    async with scene_of(site, database, index_settings, tmp_path) as (wiki, hosts):
        first = await hosts.start("--every", "1h")
        await until(lambda: is_idle(database))
        second = await hosts.start("--every", "1h")
        site.edit(page.id, "<p>The zeppelin leaves at noon.</p>")
        await note(database, [page.id])
        await until(lambda: is_found(database, page.id, 2))
        ends = [await first.stop()]
        site.edit(page.id, "<p>The zeppelin leaves at six.</p>")
        await note(database, [page.id])
        await until(lambda: is_found(database, page.id, 3))
        found = await wiki.found("zeppelin leaves at six")
        third = await hosts.start("--every", "1h")
        ends += [await second.stop(), await third.stop()]

    assert found[0] == page.title
    assert ends == [DONE, DONE, DONE]
    # The hour began before the first worker did, and each hint was looked at.
    assert len(await rows(database, RUNS)) == 3
    assert await rows(database, "SELECT 1 FROM page_hint") == []
    assert await rows(database, "SELECT 1 FROM procrastinate_workers") == []
    assert await rows(database, "SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'") == []


async def test_a_worker_that_cannot_work_says_why(
    database: Database, index_settings: IndexSettings, tmp_path: Path
) -> None:
    async with scene_of(filled_site({"ENG": 2}), database, index_settings, tmp_path) as (
        wiki,
        hosts,
    ):
        await wiki.run()
        variables = {**hosts.command.variables, "EMBEDDING_MODEL": "another"}
        other = Command(tmp_path, variables)
        done = await asyncio.to_thread(other.run, "worker")
        unset = await asyncio.to_thread(Command(tmp_path).run, "worker")

    assert done.returncode == FAILED
    assert "filled by the embedding model words" in done.stderr
    assert "Traceback" not in done.stderr
    assert unset.returncode == MISUSED
    assert "CONFLUENCE_URL" in unset.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--every", "soon"], "'soon'"),
        (["--cron", "0 2 * * *", "--concurrency", "0"], "--concurrency"),
    ],
)
def test_wrong_usage_is_named(tmp_path: Path, arguments: list[str], named: str) -> None:
    done = Command(tmp_path).run("worker", *arguments)

    assert done.returncode == MISUSED
    assert named in done.stderr
    assert "Traceback" not in done.stderr
