"""Exports on their way into the index: who may read them then, alone and beside a live site."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from index.access import Asker, Askers
from index.database import Database
from index.pages import Pages
from index.settings import IndexSettings
from ingest.sources.export import ExportSource
from tests.ingest.export_readers import ADA, OPS
from tests.ingest.exports import SITE, page, space_permission, user_subject, write_folder
from tests.ingest.wiki import take_in, with_endpoint
from tests.openai_endpoint import openai_endpoint

pytestmark = pytest.mark.anyio


@pytest.fixture
async def settings(index_settings: IndexSettings) -> AsyncGenerator[IndexSettings]:
    with openai_endpoint() as endpoint:
        yield with_endpoint(index_settings, endpoint)


async def readable(database: Database, asker: Asker) -> frozenset[str]:
    return await Pages(database).shown(asker, ["11", "12"])


NOBODY = Asker("nobody", ())


async def test_an_export_that_is_made_public_is_everybodys_and_stays_so(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(tmp_path / "export", OPS, page("11", "Duty"))

    async with ExportSource(path, SITE, is_public=True) as source:
        await take_in(settings, source)
    first = await readable(database, NOBODY)
    async with ExportSource(path, SITE, is_public=True) as source:
        await take_in(settings, source)

    assert (first, await readable(database, NOBODY)) == ({"11"}, {"11"})


async def test_an_export_is_closed_again_once_it_is_not_public_any_more(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(
        tmp_path / "export",
        OPS,
        ADA,
        page("11", "Duty"),
        space_permission("1", user_subject("key-ada")),
    )

    async with ExportSource(path, SITE, is_public=True) as source:
        await take_in(settings, source)
    async with ExportSource(path, SITE) as source:
        await take_in(settings, source)
    ada = await Askers(database).by_account_id("key-ada", "ada")

    assert await readable(database, NOBODY) == frozenset()
    assert await readable(database, ada) == {"11"}
