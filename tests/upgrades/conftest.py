"""A database for each test of upgrades, and an endpoint with small vectors."""

from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from index.embedded_postgres import DATABASE
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.upgrades.sample import small_vectors


@pytest.fixture(scope="module")
def endpoint() -> Generator[OpenAIEndpoint]:
    """Vectors of few numbers."""
    with small_vectors() as endpoint:
        yield endpoint


@pytest.fixture
def new_database(postgres: Postgres) -> Generator[Callable[[], str]]:
    """Makes databases with the extension vector but no schema; gives their URLs."""
    with ExitStack() as stack:
        yield lambda: postgres.url(stack.enter_context(postgres.copy_of(DATABASE)))
