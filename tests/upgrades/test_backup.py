"""Backups of an index: by the program, and by the commands of docs/upgrading.md."""

import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from anyio import run_process, to_thread

from index.api_keys import ApiKeys
from index.backup import restore_backup, write_backup
from index.database import Database
from index.embedded_postgres import SUPERUSER
from index.errors import ConfigurationError, DatabaseError
from index.postgres_files import Layout, installation
from index.settings import IndexSettings
from tests.command import ROOT, Command
from tests.conftest import Postgres
from tests.docs.pages import blocks
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.wiki import take_in
from tests.upgrades.sample import KEYS, settings_for, views, wiki

pytestmark = pytest.mark.anyio

OWNED = ("wiki_ingest", "wiki")  # the login and the database that the page makes


@pytest.fixture(scope="module")
def url(postgres: Postgres, migrated_template: str) -> Generator[str]:
    """A database for the index of this file."""
    with postgres.copy_of(migrated_template) as name:
        yield postgres.url(name)


@pytest.fixture
async def index(url: str, endpoint: OpenAIEndpoint) -> IndexSettings:
    """An index with two keys, which no test changes."""
    settings = settings_for(url, endpoint)
    async with Database.open(settings, application_name="tests") as database:
        keys = ApiKeys(database)
        if not await keys.list():
            await take_in(settings, wiki())
            for name, account in KEYS.items():
                await keys.create(name, account)
    return settings


@pytest.fixture
def wiki_database(postgres: Postgres) -> Generator[str]:
    """The URL of the database that the page makes, for its owner; both are gone afterwards."""
    login, name = OWNED
    yield postgres.url(name, login)
    postgres.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    postgres.run("DROP ROLE IF EXISTS {}", login)


async def keys_of(settings: IndexSettings) -> dict[str, str | None]:
    """Names of keys, and whose they are."""
    async with Database.open(settings, application_name="tests") as database:
        return {key.name: key.account for key in await ApiKeys(database).list()}


async def test_what_is_restored_answers_as_what_was_backed_up(
    index: IndexSettings,
    endpoint: OpenAIEndpoint,
    new_database: Callable[[], str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "index.dump"
    file.write_text("an older one")
    other = settings_for(new_database(), endpoint)

    await write_backup(index, file)
    await restore_backup(other, file)

    assert await views(other) == await views(index)
    assert await keys_of(other) == KEYS
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [file.name]


async def test_an_index_that_is_there_is_not_overwritten(
    index: IndexSettings, tmp_path: Path
) -> None:
    file = tmp_path / "index.dump"
    await write_backup(index, file)

    with pytest.raises(ConfigurationError, match=r"There is no file .*other\.dump"):
        await restore_backup(index, tmp_path / "other.dump")
    with pytest.raises(DatabaseError, match="has an index already, which is left as it is"):
        await restore_backup(index, file)

    assert await keys_of(index) == KEYS


async def test_a_broken_backup_leaves_the_database_empty(
    index: IndexSettings,
    endpoint: OpenAIEndpoint,
    new_database: Callable[[], str],
    tmp_path: Path,
) -> None:
    whole, broken = tmp_path / "index.dump", tmp_path / "broken.dump"
    await write_backup(index, whole)
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    other = settings_for(new_database(), endpoint)

    with pytest.raises(DatabaseError, match=r"pg_restore: error: .*\nMend that and try again"):
        await restore_backup(other, broken)
    await restore_backup(other, whole)

    assert await views(other) == await views(index)


async def test_the_commands_move_an_index_into_the_embedded_postgres(
    index: IndexSettings, url: str, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    model = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "test-key"}
    there = Command(tmp_path, {**model, "POSTGRES_URL": url})
    here = Command(tmp_path, {**model, "CONFLUENCE_MCP_HOME": str(tmp_path / "home")})

    def moved() -> list[subprocess.CompletedProcess[str]]:
        return [
            here.run("backup", "index.dump"),
            there.run("backup", "index.dump"),
            here.run("restore", "index.dump"),
            here.run("search", "quokka"),
        ]

    empty, written, restored, found = await to_thread.run_sync(moved)

    assert (empty.returncode, "has no index" in empty.stderr) == (1, True)
    assert (written.returncode, written.stderr) == (0, "")
    assert restored.returncode == 0, restored.stderr
    assert "Release train" in found.stdout


async def test_the_commands_of_the_page_move_an_index_with_its_roles(
    index: IndexSettings,
    endpoint: OpenAIEndpoint,
    postgres: Postgres,
    url: str,
    wiki_database: str,
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    typed = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    programs = installation(Layout(tmp_path), None)
    environment = {
        "PATH": f"{programs}:{os.defpath}",
        "POSTGRES_URL": url,
        "SUPERUSER_URL": postgres.url("postgres", SUPERUSER),
        "OWNER_URL": wiki_database,
    }

    done = await run_process(
        ["/bin/sh", "-eu", "-c", typed], cwd=tmp_path, env=environment, check=False
    )
    other = settings_for(wiki_database, endpoint)

    assert done.returncode == 0, done.stderr.decode()
    assert await views(other) == await views(index)
    assert await keys_of(other) == KEYS
