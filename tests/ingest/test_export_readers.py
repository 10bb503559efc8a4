"""What askers see of an export in a real index: what its permissions let them, and no more."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from index.access import Askers, read_as
from index.database import Database
from index.settings import IndexSettings
from ingest.sources.directory import Directory, DirectoryAccount
from ingest.sources.export import ExportSource
from tests.ingest.export_readers import OPS, PEOPLE
from tests.ingest.exports import (
    SITE,
    allowed,
    body,
    content,
    page,
    reference,
    restriction,
    space,
    space_permission,
    user_subject,
    write_folder,
)
from tests.ingest.wiki import take_in, with_endpoint
from tests.openai_endpoint import openai_endpoint

pytestmark = pytest.mark.anyio

SHOWN = "SELECT page_id FROM shown_page ORDER BY page_id"
# Ada sees the space by herself, the staff as a group; of the staff only the leads see Pay and all
# below it, of these only Ada the bonus. The restriction of Draft lost a part of it.
OBJECTS = [
    OPS,
    PEOPLE,
    space_permission("1", user_subject("key-ada")),
    space_permission("2", group="Staff"),
    page("11", "Menu"),
    page("12", "Pay"),
    content("13", "Levels", reference("parent", "Page", "12")) + body("13", "<p>Ten.</p>"),
    content("14", "Bonus", reference("parent", "Page", "13")) + body("14", "<p>None.</p>"),
    page("15", "Draft"),
    restriction(
        "50", "12", allowed("3", "50", groupName="leads"), allowed("4", "50", userName="Ada")
    ),
    restriction("51", "14", allowed("5", "51", user_subject("key-ada"))),
    restriction("52", "15", allowed("6", "52", user_subject("key-ada")), allowed("7", "52")),
    space("8", "HR", "People"),
    page("21", "Leave", space_id="8"),
    space_permission("8", userName="bob", space_id="8"),
    restriction("53", "21", allowed("9", "53", userName="left-long-ago")),
]
DIRECTORY = Directory(
    [
        DirectoryAccount("key-ada", None, None, True),
        DirectoryAccount("key-bob", None, "bob@example.com", True),
        DirectoryAccount("carl", "carl", None, True),
        DirectoryAccount("dora", "dora", None, False),
    ],
    {"staff": frozenset({"key-bob", "carl", "dora"}), "leads": frozenset({"carl"})},
)


@pytest.fixture
async def settings(index_settings: IndexSettings) -> AsyncGenerator[IndexSettings]:
    """An index that is filled by the words of texts."""
    with openai_endpoint() as endpoint:
        yield with_endpoint(index_settings, endpoint)


async def shown(database: Database, account: str) -> list[str]:
    """The pages that somebody is shown."""
    asker = await Askers(database).named(account, account)
    async with read_as(database, asker) as connection:
        return [row[0] async for row in await connection.execute(SHOWN)]


async def test_askers_see_what_the_export_and_the_directory_let_them(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, *OBJECTS)

    async with ExportSource(path, SITE, directory=DIRECTORY) as source:
        report = await take_in(settings, source)

    assert report.stored == 6
    assert await shown(database, "ada@example.com") == ["11", "12", "13", "14"]
    assert await shown(database, "bob@example.com") == ["11"]
    assert await shown(database, "carl") == ["11", "12", "13"]
    assert await shown(database, "dora") == []
    assert await shown(database, "eve@example.com") == []


async def test_askers_without_a_directory_see_what_is_theirs_by_name(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, *OBJECTS)

    async with ExportSource(path, SITE) as source:
        report = await take_in(settings, source)

    assert await shown(database, "ada") == ["11", "12", "13", "14"]
    assert await shown(database, "bob") == []
    assert any("CONFLUENCE_DIRECTORY" in warning for warning in report.warnings)


async def test_a_space_open_to_all_is_shown_to_everybody_in_the_directory(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, OPS, space_permission("1"), page("11", "Menu"))

    async with ExportSource(path, SITE, directory=DIRECTORY) as source:
        await take_in(settings, source)

    assert await shown(database, "carl") == ["11"]
    assert await shown(database, "dora") == []
    assert await shown(database, "eve@example.com") == []


async def test_what_is_public_is_shown_to_whoever_asks(
    settings: IndexSettings, database: Database, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, *OBJECTS)

    async with ExportSource(path, SITE, is_public=True) as source:
        await take_in(settings, source)
    public = await shown(database, "eve@example.com")
    async with ExportSource(path, SITE) as source:
        await take_in(settings, source)

    assert public == ["11", "12", "13", "14", "15", "21"]
    assert await shown(database, "eve@example.com") == []
    assert await shown(database, "ada") == ["11", "12", "13", "14"]
