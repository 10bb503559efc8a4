"""What the doctor says of an index that is well, and of what is wrong with others."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from anyio import to_thread

from index.database import Database
from index.settings import IndexSettings
from tests.confluence.samples import filled_site
from tests.ingest.wiki import Wiki, wiki_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    site = filled_site({"ENG": 3, "OPS": 2})
    site.add_user("Ada", email="ada@example.com")
    async with wiki_of(site, index_settings, database) as made:
        yield made


async def examined(wiki: Wiki, folder: Path, **variables: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what was found wrong."""
    command = wiki.command(folder)
    command = replace(command, variables={**command.variables, **variables})
    result = await to_thread.run_sync(lambda: command.run("doctor", "--json"))
    findings = json.loads(result.stdout)
    return result.returncode, {one["about"]: one["text"] for one in findings if not one["is_fine"]}


async def test_an_index_that_is_well_has_no_complaints(wiki: Wiki, tmp_path: Path) -> None:
    await wiki.run()

    assert await examined(wiki, tmp_path, CONFLUENCE_MCP_USER="ada@example.com") == (0, {})


async def test_what_is_shown_to_nobody_is_named(wiki: Wiki, tmp_path: Path) -> None:
    wiki.site.permissions.untold.add(wiki.site.space("OPS").id)
    await wiki.run()

    code, wrong = await examined(wiki, tmp_path, CONFLUENCE_MCP_USER="nobody@example.com")

    assert code == 1
    assert "shown to nobody but the crawler: OPS;" in wrong["permissions"]
    assert "names no active account" in wrong["stdio"]


async def test_an_empty_index_and_wrong_credentials_are_told_apart(
    wiki: Wiki, tmp_path: Path
) -> None:
    code, wrong = await examined(wiki, tmp_path, CONFLUENCE_API_TOKEN="ATATT-wrong")

    assert code == 1
    assert set(wrong) == {"index", "confluence"}


async def test_wrong_settings_end_the_examination(wiki: Wiki, tmp_path: Path) -> None:
    code, wrong = await examined(wiki, tmp_path, RATE_LIMIT="-1")

    assert (code, set(wrong)) == (1, {"settings"})
