"""What the doctor says of an index that is well, and of what is wrong with others."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio import to_thread
from psycopg import AsyncConnection

from confluence_mcp.doctor import examine
from confluence_mcp.doctor_finding import Finding, ahead, bounded
from index.database import Database
from index.settings import IndexSettings
from tests.confluence.samples import filled_site
from tests.ingest.corporate import HOST, Authority, serve_tls
from tests.ingest.wiki import Wiki, wiki_of
from tests.openai_endpoint import bad_key, openai_endpoint
from tests.server.signing import AUDIENCE, issuer

pytestmark = pytest.mark.anyio

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
WRITTEN = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables
"""

FAIL = """
INSERT INTO page_failure (
    site_id, space_id, page_id, title, error, attempts, failed_at, retry_at)
SELECT site_id, id, %(page)s, 'x', 'broken', 1, now(), now() FROM space WHERE key = 'ENG'
RETURNING page_id
"""


@pytest.fixture
async def wiki(
    index_settings: IndexSettings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Wiki]:
    """A site and its index, which the environment leads to."""
    site = filled_site({"ENG": 3, "OPS": 2})
    site.add_user("Ada", email="ada@example.com")
    async with wiki_of(site, index_settings, database) as made:
        for name, value in made.command(Path()).variables.items():
            monkeypatch.setenv(name, value)
        yield made


async def findings(**variables: str) -> list[Finding]:
    """All that is found with these settings besides."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        return [finding async for finding in examine(lambda: datetime.now(UTC))]


async def wrong(**variables: str) -> dict[str, str]:
    """What is found wrong, by what it is about."""
    found = [one for one in await findings(**variables) if not one.is_fine]
    return {about: " | ".join(one.text for one in found if one.about == about) for about in
            {one.about for one in found}}  # fmt: skip


async def test_an_index_that_is_well_has_no_complaints(wiki: Wiki, tmp_path: Path) -> None:
    await wiki.run()
    command = wiki.command(tmp_path)
    variables = {**command.variables, "CONFLUENCE_MCP_USER": "ada@example.com"}

    done = await to_thread.run_sync(
        lambda: replace(command, variables=variables).run("doctor", "--json")
    )

    found = [Finding(**one) for one in json.loads(done.stdout)]
    told = {one.about: one.text for one in found}
    assert (done.returncode, [one for one in found if not one.is_fine]) == (0, [])
    assert "read:content-details:confluence" in told["scopes"]
    assert told["embeddings"].startswith("words answers in")
    assert told["chat model"].startswith("gpt-4.1 answers in")
    assert told["clock"] == "agrees with the database and Confluence"
    for tool in ("search_confluence", "get_page", "answer_question"):
        assert f"{tool} " in told["mcp"]
    assert "pgvector" in json.dumps(found[0].text)
    assert "test-key" not in done.stdout


async def test_what_is_shown_to_nobody_is_named(wiki: Wiki) -> None:
    wiki.site.permissions.untold.add(wiki.site.space("OPS").id)
    await wiki.run()

    told = await wrong(CONFLUENCE_MCP_USER="nobody@example.com")

    assert "shown to nobody but the crawler: OPS;" in told["permissions"]
    assert "names no active account" in told["stdio"]


async def test_an_empty_index_and_wrong_credentials_are_told_apart(wiki: Wiki) -> None:
    assert set(await wrong()) == {"index"}
    assert set(await wrong(CONFLUENCE_API_TOKEN="ATATT-wrong")) == {"index", "confluence"}


async def test_wrong_settings_end_the_examination() -> None:
    found = await findings(RATE_LIMIT="-1")

    assert [(one.about, one.is_fine) for one in found] == [("settings", False)]


async def test_who_may_call_over_http_is_told(wiki: Wiki) -> None:
    await wiki.run()
    without_audience = await wrong(AUTH_ISSUER="https://idp.example.com")
    with issuer() as provider:
        auth = {"AUTH_ISSUER": provider.url, "AUTH_AUDIENCE": AUDIENCE}

        well = await wrong(**auth)
        moved = await wrong(**auth | {"AUTH_ISSUER": f"{provider.url}/"})
        await wiki.rows("UPDATE account SET email = NULL RETURNING id")
        by_email = await wrong(**auth)
        by_id = await wrong(**auth, AUTH_ACCOUNT_CLAIM="sub")

    assert "AUTH_AUDIENCE is not" in without_audience["http"]
    assert "its keys cannot be read, the log says why: check AUTH_ISSUER" in moved["http"]
    assert "no account has an e-mail address" in by_email["http"]
    assert (well, by_id) == ({}, {})


async def test_permissions_that_are_not_read_are_wrong_where_somebody_is_asked(wiki: Wiki) -> None:
    await wiki.run()

    nobody_is_asked = await wrong(CONFLUENCE_PERMISSIONS="false")
    told = await wrong(CONFLUENCE_PERMISSIONS="false", AUTH_API_KEYS="true")

    assert nobody_is_asked == {}
    assert told["permissions"].startswith("CONFLUENCE_PERMISSIONS is false")


async def test_scopes_and_spaces_that_are_lacking_are_named(wiki: Wiki) -> None:
    await wiki.run()
    scopes = {"read:space", "read:page", "read:user", "read:attachment"}
    token = wiki.site.issue_token(
        wiki.site.crawler, scopes={f"{scope}:confluence" for scope in scopes}
    )
    wiki.site.permissions.revoke(
        wiki.site.space("OPS"), ("group", wiki.site.permissions.users_group.id)
    )

    told = await wrong(CONFLUENCE_API_TOKEN=token, CONFLUENCE_SPACES="eng,nope")

    assert "the token lacks read:comment:confluence, so that there is no comments" in told["scopes"]
    assert "read:attachment:confluence" not in told["scopes"]
    assert "CONFLUENCE_SPACES names nope," in told["spaces"]
    assert "the index has OPS, which the account does not see any more" in told["spaces"]


async def test_models_that_fail_or_are_others_are_told(wiki: Wiki) -> None:
    await wiki.run()
    with openai_endpoint() as another:
        another.embed = lambda texts: [[1.0, 0.0] for _ in texts]
        another.fail(bad_key())
        refused = await wrong(OPENAI_BASE_URL=another.url)

        other = await wrong(OPENAI_BASE_URL=another.url, EMBEDDING_MODEL="text-embedding-3-large")

    assert "test-key" not in str(refused)
    assert "OPENAI_API_KEY" in refused["embeddings"]
    assert "but words filled the index" in other["model"]
    assert "with 2 numbers, but the index has 64" in other["embeddings"]


async def test_pages_that_could_not_be_taken_in_are_counted(wiki: Wiki) -> None:
    await wiki.run()
    page = wiki.site.space("ENG").homepage_id
    await wiki.rows(FAIL, page=page)

    told = await wrong()

    assert told["failures"].startswith("1 pages could not be taken in (in ENG)")


async def test_nothing_is_written_and_nothing_made(
    wiki: Wiki, empty_database_url: str, tmp_path: Path
) -> None:
    await wiki.run()
    await wiki.rows("SELECT pg_stat_force_next_flush()")
    before = await wiki.rows(WRITTEN)
    home = tmp_path / "home"

    await findings()
    bare = await wrong(POSTGRES_URL=empty_database_url)
    nowhere = await wrong(POSTGRES_URL="", CONFLUENCE_MCP_HOME=str(home))

    async with await AsyncConnection.connect(empty_database_url) as connection:
        made = await (await connection.execute(TABLES)).fetchone()
    assert await wiki.rows(WRITTEN) == before
    assert (made, home.exists()) == ((0,), False)
    assert "Run `confluence-mcp ingest` once" in bare["database"]
    assert "there is no index in" in nowhere["database"]


async def test_the_certificate_of_the_site_is_looked_at(wiki: Wiki, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with serve_tls(authority.issue(HOST)) as site:
        trusted = await findings(
            CONFLUENCE_URL=f"https://127.0.0.1:{site.port}/wiki", SSL_CERT_FILE=str(authority.file)
        )
        refused = await wrong(CONFLUENCE_URL=f"https://127.0.0.1:{site.port}/wiki")

    del wiki
    assert next(one.text for one in trusted if one.about == "tls").startswith("TLSv1.3")
    assert "is not trusted" in refused["confluence"]


async def test_no_look_takes_longer_than_it_may() -> None:
    started = time.monotonic()

    found = await bounded("site", 0.01, asyncio.sleep(60, []))

    assert time.monotonic() - started < 30
    assert [(one.about, one.is_fine) for one in found] == [("site", False)]


@pytest.mark.parametrize(
    ("told", "skew"), [(100.0, 0.0), (104.0, 0.0), (90.0, 10.0), (165.0, -60.0)]
)
def test_a_wait_for_the_answer_is_no_skew(told: float, skew: float) -> None:
    assert ahead(told, before=100.0, after=105.0) == skew
