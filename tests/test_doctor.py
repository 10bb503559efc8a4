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
from tests.server.signing import AUDIENCE, issuer

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


async def test_what_keeps_the_http_server_from_starting_is_told(wiki: Wiki, tmp_path: Path) -> None:
    await wiki.run()

    code, wrong = await examined(wiki, tmp_path, AUTH_ISSUER="https://idp.example.com")

    assert code == 1
    assert "AUTH_AUDIENCE is not" in wrong["http"]


async def test_the_keys_of_the_identity_provider_are_tried(wiki: Wiki, tmp_path: Path) -> None:
    await wiki.run()
    with issuer() as provider:
        auth = {"AUTH_ISSUER": provider.url, "AUTH_AUDIENCE": AUDIENCE}

        well = await examined(wiki, tmp_path, **auth)
        _, wrong = await examined(wiki, tmp_path, **auth | {"AUTH_ISSUER": f"{provider.url}/"})

    assert well == (0, {})
    assert "its keys cannot be read, the log says why: check AUTH_ISSUER" in wrong["http"]


async def test_where_no_address_is_known_nobody_is_found_by_one(wiki: Wiki, tmp_path: Path) -> None:
    await wiki.run()
    await wiki.rows("UPDATE account SET email = NULL RETURNING id")
    with issuer() as provider:
        auth = {"AUTH_ISSUER": provider.url, "AUTH_AUDIENCE": AUDIENCE}

        _, by_email = await examined(wiki, tmp_path, **auth)
        by_id = await examined(wiki, tmp_path, **auth, AUTH_ACCOUNT_CLAIM="sub")

    assert "no account has an e-mail address" in by_email["http"]
    assert by_id == (0, {})


async def test_permissions_that_are_not_read_are_wrong_where_somebody_is_asked(
    wiki: Wiki, tmp_path: Path
) -> None:
    await wiki.run()

    nobody_is_asked = await examined(wiki, tmp_path, CONFLUENCE_PERMISSIONS="false")
    _, wrong = await examined(wiki, tmp_path, CONFLUENCE_PERMISSIONS="false", AUTH_API_KEYS="true")

    assert nobody_is_asked == (0, {})
    assert wrong["permissions"].startswith("CONFLUENCE_PERMISSIONS is false")
