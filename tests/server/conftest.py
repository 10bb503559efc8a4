"""An index with a small wiki in it, and a server over it that is asked through real MCP."""

from collections.abc import AsyncGenerator, Generator

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client

from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint
from tests.server.asking import Variables, serving, variables_for
from tests.server.wiki import ARTICLES, Wiki, take_in


@pytest.fixture(scope="module")
def shared_endpoint() -> Generator[OpenAIEndpoint]:
    """One endpoint for the tests of a file."""
    with openai_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(shared_endpoint: OpenAIEndpoint) -> Generator[OpenAIEndpoint]:
    """Embeds by words, and answers a chat as the test's script says."""
    reply, embed = shared_endpoint.reply, shared_endpoint.embed
    shared_endpoint.requests.clear()
    yield shared_endpoint
    shared_endpoint.reply, shared_endpoint.embed = reply, embed


@pytest.fixture(scope="session")
def wiki_template(postgres: Postgres, migrated_template: str) -> Generator[str]:
    """The name of a database with the small wiki in it, to be copied."""

    async def fill(database: str) -> None:
        with openai_endpoint() as endpoint:
            variables = variables_for(postgres.url(database), endpoint)
            await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki(ARTICLES))

    with postgres.copy_of(migrated_template) as name:
        with start_blocking_portal() as portal:
            portal.call(fill, name)
        yield name


@pytest.fixture(scope="session")
def wiki_url(postgres: Postgres, wiki_template: str) -> Generator[str]:
    """The URL of the small wiki's index, for tests that only read."""
    with postgres.copy_of(wiki_template) as name:
        yield postgres.url(name)


@pytest.fixture
def own_wiki_url(postgres: Postgres, wiki_template: str) -> Generator[str]:
    """The URL of the small wiki's index, for a test that changes it."""
    with postgres.copy_of(wiki_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def variables(wiki_url: str, shared_endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a server over the small wiki."""
    return variables_for(wiki_url, shared_endpoint)


@pytest.fixture(scope="module")
async def client(variables: Variables) -> AsyncGenerator[Client]:
    """A client of a server over the small wiki, in memory."""
    async with serving(variables) as client:
        yield client


@pytest.fixture(scope="module", params=["auto", "legacy"])
async def any_client(
    request: pytest.FixtureRequest, variables: Variables
) -> AsyncGenerator[Client]:
    """The same for a client of each era of the protocol."""
    mode: str = request.param
    async with serving(variables, mode) as client:
        yield client
