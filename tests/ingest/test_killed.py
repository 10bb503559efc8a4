"""A run that dies at any moment is taken up where it was, and ends as if it had not died."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg
import pytest

from index.database import Database
from index.embedded_postgres import SUPERUSER
from index.errors import DatabaseError, SourceError
from index.settings import IndexSettings
from index.store import forget_site
from ingest.sources.source import Deployment
from tests.confluence.faults import before, connection_reset
from tests.confluence.samples import filled_site
from tests.conftest import Postgres
from tests.ingest.model_wiki import ModelWiki, model_wiki
from tests.ingest.wiki import RETRY_NOW, command_line

pytestmark = pytest.mark.anyio

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
PAGES = 36
ONE_PAGE = "*/api/v2/pages/{}"
# At which share of the requests of a run it is killed.
SHARES = [n / 16 for n in range(16)] if IS_LONG else [0.2, 0.55, 0.9]
COMMITTED = "SELECT page_id FROM page"
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %(name)s AND application_name = 'confluence-mcp ingest'
"""


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[ModelWiki]:
    """Pages of which some have comments and files."""
    site = filled_site({"ENG": PAGES - 4, "HR": 4})
    for number, page_id in enumerate(list(site.contents)):
        if number % 9 == 0:
            comment = site.comment(page_id, "<p>Why?</p>", selection="page")
            site.comment(page_id, "<p>So.</p>", parent=comment.id)
            site.attach(page_id, "a.txt", media_type="text/plain", data=b"Words of a file")
    async with model_wiki(site, Deployment.CLOUD, index_settings, database) as wiki:
        yield wiki


async def is_right(wiki: ModelWiki) -> None:
    """Asserts that the index is what the site is."""
    assert await wiki.held() == wiki.expected()
    assert await wiki.flaws() == []
    assert not await wiki.miscounted_terms()


async def test_a_process_that_is_killed_at_any_request_costs_no_page_twice(
    wiki: ModelWiki, tmp_path: Path
) -> None:
    requests = (await wiki.run()).requests
    for share in SHARES:
        await forget_site(wiki.database, None)
        await _killed(wiki, tmp_path, int(share * requests))
        committed = [row[0] for row in await wiki.rows(COMMITTED)]
        assert await wiki.flaws() == []

        wiki.site.request_log.clear()
        report = await wiki.run()

        asked_again = [
            one for one in committed if wiki.site.request_log.count(ONE_PAGE.format(one))
        ]
        assert asked_again == []
        assert (report.succeeded, report.failed) == (True, 0)
        await is_right(wiki)


async def _killed(wiki: ModelWiki, folder: Path, after: int) -> None:
    """An ingest that is killed when it makes a request; those before it are answered."""
    command = command_line(wiki.settings, wiki.scene.base_url, wiki.endpoint, folder)
    with command.begin("ingest") as process:
        wiki.faults.add(before(process.kill), after=after)
        await asyncio.to_thread(process.communicate, timeout=120)
    wiki.faults.clear()
    assert process.returncode == -9


async def test_a_database_that_is_away_for_a_while_ends_the_run_and_costs_no_page_twice(
    wiki: ModelWiki, postgres: Postgres
) -> None:
    ((name,),) = await wiki.rows("SELECT current_database()")

    def away() -> None:
        postgres.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with psycopg.connect(postgres.url("postgres", SUPERUSER), autocommit=True) as connection:
            connection.execute(TERMINATE, {"name": name})

    wiki.faults.add(before(away), "*/api/v2/pages/*", after=PAGES - 2)
    with pytest.raises(DatabaseError):
        await wiki.run()
    postgres.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
    committed = [row[0] for row in await wiki.rows(COMMITTED)]
    wiki.site.request_log.clear()
    await wiki.run()

    assert not any(wiki.site.request_log.count(ONE_PAGE.format(one)) for one in committed)
    await is_right(wiki)


async def test_a_network_that_is_lost_for_a_while_ends_the_run_and_costs_no_page_twice(
    wiki: ModelWiki,
) -> None:
    wiki.faults.add(connection_reset(after=0), times=None, after=PAGES - 2)

    with pytest.raises(SourceError):
        await wiki.run()
    wiki.faults.clear()
    committed = [row[0] for row in await wiki.rows(COMMITTED)]
    wiki.site.request_log.clear()
    # A page that failed just before another one's late answer counts as failed, and waits.
    await wiki.rows(RETRY_NOW)
    report = await wiki.run()

    assert not any(wiki.site.request_log.count(ONE_PAGE.format(one)) for one in committed)
    assert report.failed == 0
    await is_right(wiki)
