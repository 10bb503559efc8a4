"""An index that the tests of a file share, for those that need no database of their own."""

from collections.abc import AsyncGenerator

import pytest

from index.database import Database
from index.settings import IndexSettings
from tests.conftest import empty


@pytest.fixture(scope="module")
async def shared_database(shared_database_url: str) -> AsyncGenerator[Database]:
    """An open database for all tests of a file."""
    settings = IndexSettings.model_validate({"postgres_url": shared_database_url})
    async with Database.open(settings, application_name="tests") as database:
        yield database


@pytest.fixture
async def emptied_database(shared_database: Database) -> Database:
    """The same, without what the test before has stored."""
    await empty(shared_database)
    return shared_database
