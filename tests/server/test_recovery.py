"""A server that outlives restarts of its database, and an index that changes under it."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest
from mcp import Client, MCPError
from psycopg_pool import PoolTimeout

from index.access import Askers
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.pages import Pages
from index.search import WORDS_ALONE, Searcher
from index.settings import IndexSettings
from server.answering import Answerer
from server.app import create_server
from server.deps import Deps, always
from server.settings import ServerSettings
from server.steady import SteadyCatalogue
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, server_error, word_vector
from tests.server.asking import (
    Variables,
    answered,
    ask,
    get_page,
    refused,
    search,
    serving,
    text_of,
    titles,
    variables_for,
)
from tests.server.outages import end_sessions, outage
from tests.server.wiki import ARTICLES, Wiki, take_in

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_name(postgres: Postgres, wiki_template: str) -> Iterator[str]:
    """The name of a database with the small wiki in it, for one test."""
    with postgres.copy_of(wiki_template) as name:
        yield name


@asynccontextmanager
async def impatient_deps(variables: Variables) -> AsyncGenerator[Deps]:
    """As a server has them, but without patience for its database."""
    settings = ServerSettings.model_validate(variables.as_fields())
    async with Database.open(
        settings, application_name="tests", for_askers=True, statement_timeout_s=0.3
    ) as database:
        database.pool.timeout = 0.3
        embedder = await open_embedder(settings)

        async def choose(_: str) -> Embedder:
            return embedder

        searcher, pages = Searcher(database, choose), Pages(database)
        answerer = Answerer(searcher, pages, None)
        asker = always(None, Askers(database))
        yield Deps(searcher, pages, answerer, database.connect, asker, SteadyCatalogue(database))
        await embedder.close()


async def test_a_restart_of_the_database_costs_no_error(
    postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint
) -> None:
    async with serving(variables_for(postgres.url(database_name), endpoint)) as client:
        before = await titles(client, "TB-4031")

        end_sessions(postgres, database_name)
        after = await titles(client, "TB-4031")
        end_sessions(postgres, database_name)
        page = await get_page(client, "100")

    assert before == after
    assert page.title == "VPN"


async def test_an_outage_is_told_and_gets_over(
    postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(postgres.url(database_name), endpoint)

    async with Client(create_server(lambda: impatient_deps(variables))) as client:
        await search(client, "vpn")
        with outage(postgres, database_name):
            said = [
                await refused(client, "search_confluence", query="vpn"),
                await refused(client, "get_page", page="100"),
                await refused(client, "answer_question", question="vpn?"),
            ]
        page = await get_page(client, "100")

    assert all(text.startswith("The index cannot be reached right now") for text in said)
    assert page.title == "VPN"


async def test_after_a_long_outage_connections_are_made_at_once(
    postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(postgres.url(database_name), endpoint)
    settings = IndexSettings.model_validate(variables.as_fields())

    async with Database.open(settings, application_name="tests", wait_s=0.5) as database:
        with outage(postgres, database_name):
            for _ in range(7):  # the pauses between attempts would be 1, 2 and 4 seconds by now
                with pytest.raises(PoolTimeout):
                    async with database.pool.connection():
                        pass
        async with database.pool.connection(timeout=2.5) as connection:
            row = await (await connection.execute("SELECT 1")).fetchone()

    assert row == (1,)


async def test_an_outage_is_told_to_who_reads_a_resource(
    postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(postgres.url(database_name), endpoint)

    async with Client(create_server(lambda: impatient_deps(variables))) as client:
        with outage(postgres, database_name), pytest.raises(MCPError) as caught:
            await client.read_resource("confluence://page/100")

    assert caught.value.error.message.startswith("The index cannot be reached right now")


async def test_a_call_that_takes_too_long_is_stopped_and_says_so(
    postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(postgres.url(database_name), endpoint)

    async with Client(create_server(lambda: impatient_deps(variables))) as client:
        with psycopg.connect(postgres.url(database_name)) as other:
            other.execute("LOCK TABLE page IN ACCESS EXCLUSIVE MODE")
            said = await refused(client, "get_page", page="100")

    assert said.startswith("The index took too long to answer and the call was stopped")


async def test_an_index_filled_after_the_server_started_is_searched(
    database_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(database_url, endpoint)

    async with serving(variables) as client:
        before = await search(client, "TB-4031")
        await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki(ARTICLES))
        after = await titles(client, "TB-4031")

    assert before.results == []
    assert after[0] == "VPN"


async def test_a_page_changed_under_the_server_is_found_anew(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    changed = replace(ARTICLES[0], version=2, body="<p>The VPN now uses OpenVPN, see ZX-77.</p>")

    async with serving(variables) as client:
        await search(client, "TB-4031")
        await take_in(
            IndexSettings.model_validate(variables.as_fields()), Wiki([changed, *ARTICLES[1:]])
        )
        (first, *_) = (await search(client, "ZX-77")).results

    assert (first.page_id, first.version) == ("100", 2)
    assert "ZX-77" in first.excerpt


async def refill_by_another_model(variables: Variables, endpoint: OpenAIEndpoint) -> None:
    """Fills the index anew with vectors of another size."""
    sizes = {"words": 64, "other-words": 32}
    endpoint.embed = lambda texts: [
        word_vector(text, sizes[endpoint.requests[-1].body["model"]]) for text in texts
    ]
    other = replace(variables, embedding_model="other-words")
    await take_in(IndexSettings.model_validate(other.as_fields()), Wiki(ARTICLES), full=True)


@pytest.mark.parametrize("configured", ["", "words"])
async def test_an_index_refilled_by_another_model_is_searched_with_that_one(
    own_wiki_url: str, endpoint: OpenAIEndpoint, configured: str
) -> None:
    variables = replace(variables_for(own_wiki_url, endpoint), embedding_model=configured)

    async with serving(variables) as client:
        before = await titles(client, "TB-4031")
        await refill_by_another_model(variables, endpoint)
        after = await titles(client, "TB-4031")

    assert before[0] == after[0] == "VPN"
    assert endpoint.requests[-1].body["model"] == "other-words"


async def test_while_the_embedding_endpoint_fails_words_alone_are_searched_and_that_is_said(
    variables: Variables, endpoint: OpenAIEndpoint
) -> None:
    endpoint.embed = lambda texts: server_error(500)

    async with serving(variables) as client:
        first = await search(client, "TB-4031")
        asked = len(endpoint.requests)
        later = await search(client, "vacation")
        nothing = await search(client, "zebra")
        answer = await ask(client, "How many days of vacation?")

    assert [found.results[0].title for found in (first, later)] == ["VPN", "Vacation"]
    assert first.notes == later.notes == [WORDS_ALONE]
    assert nothing.results == []
    assert WORDS_ALONE in nothing.notes
    assert WORDS_ALONE in answer.notes
    assert [one for one in endpoint.requests[asked:] if "embeddings" in one.path] == []


async def test_an_answer_without_a_chat_model_needs_no_key(variables: Variables) -> None:
    async with serving(replace(variables, openai_api_key="", chat_model="")) as client:
        text = text_of(await answered(client, "answer_question", question="vacation days?"))

    assert "The passages that fit best:" in text
