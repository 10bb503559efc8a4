"""How much of a model's context the tools take."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from mcp import Client

from index.settings import IndexSettings
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.texts import estimated_tokens
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import PROJECT, answered, search, serving, text_of, variables_for

pytestmark = pytest.mark.anyio

SAMPLE = PROJECT / "ingest" / "sample_space"
LISTED = 2_500  # tokens of tools/list
FOUND = 2_500  # tokens of a search result
CUT = 25_000  # tokens at which clients cut a result
QUESTIONS = [
    "How do I connect to the VPN?",
    "What do I do when the database is down?",
    "how many vacation days carry over",
    "release notes",
    "Urlaub und Krankmeldung",
]


@pytest.fixture(scope="module")
async def sample(
    postgres: Postgres, migrated_template: str, shared_endpoint: OpenAIEndpoint
) -> AsyncGenerator[Client]:
    """A client of a server over the sample space."""
    with postgres.copy_of(migrated_template) as name:
        variables = variables_for(postgres.url(name), shared_endpoint)
        settings = IndexSettings.model_validate(variables.as_fields())
        async with ExportSource(Path(SAMPLE), SAMPLE_SITE) as source:
            report = await ingest_once(settings, source, Plan())
        assert report.pages >= 40
        async with serving(variables) as client:
            yield client


async def test_the_list_of_tools_is_small(sample: Client) -> None:
    listed = await sample.list_tools()

    text = listed.model_dump_json(by_alias=True, exclude_none=True)

    assert estimated_tokens(text) < LISTED


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_default_search_result_is_small(sample: Client, question: str) -> None:
    result = await answered(sample, "search_confluence", query=question)

    assert result.structured_content is not None
    assert len(result.structured_content["results"]) == 8
    links = "".join(one.model_dump_json(exclude_none=True) for one in result.content[1:])
    assert estimated_tokens(text_of(result) + links) < FOUND
    assert estimated_tokens(json.dumps(result.structured_content)) < FOUND


async def test_the_largest_results_are_not_cut_by_clients(sample: Client) -> None:
    found = (await search(sample, "team", limit=25)).results
    pages = [
        await answered(sample, "get_page", page=hit.page_id, max_tokens=16_000) for hit in found
    ]
    listed = await answered(sample, "search_confluence", query="team", limit=25)

    for result in [listed, *pages]:
        assert estimated_tokens(text_of(result)) < CUT
        assert estimated_tokens(json.dumps(result.structured_content)) < CUT


async def test_a_default_page_is_within_its_budget(sample: Client) -> None:
    for hit in (await search(sample, "guide handbook", limit=25)).results:
        result = await answered(sample, "get_page", page=hit.page_id)

        assert estimated_tokens(text_of(result)) < 8_000
