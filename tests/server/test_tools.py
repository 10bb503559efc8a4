"""What the tools say of themselves, and that every argument gets an answer or a clear error."""

from dataclasses import replace

import jsonschema
import pytest
from mcp import Client

from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, answered, refused, search, serving, text_of

pytestmark = pytest.mark.anyio

NAMES = ["search_confluence", "get_page", "answer_question"]
ODD_TEXTS = {
    "stop words": "what is the of and to",
    "quotes": "\"'`“vpn”` ''",
    "operators": ":*&|!()\\ <-> vpn:* & ! |",
    "nul": "vpn\x00profile",
    "control characters": "\x1b[31mvpn\x07\r\n",
    "emoji": "🚀🎉",
    "japanese": "有給休暇は何日ありますか",
    "arabic": "كيف أستخدم الشبكة",
    "half a surrogate pair": "vpn profile \ud83d",
    "sql": "'; DROP TABLE page; --",
    "percent": "%s %(query)s %%",
    "braces": "{0} {vectors}",
    "long": "How do I use the VPN? " * 455,
    "one long word": "x" * 10_000,
    "punctuation": "?!…",
}


async def test_the_server_has_three_read_only_tools_with_titles(any_client: Client) -> None:
    listed = (await any_client.list_tools()).tools

    assert [tool.name for tool in listed] == NAMES
    for tool in listed:
        assert tool.title
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.annotations.idempotent_hint
        assert not tool.annotations.destructive_hint
        assert not tool.annotations.open_world_hint


async def test_every_argument_is_described_and_every_schema_is_valid(any_client: Client) -> None:
    listed = (await any_client.list_tools()).tools

    for tool in listed:
        assert tool.output_schema is not None
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}({name})"


async def test_the_server_introduces_itself(any_client: Client) -> None:
    assert any_client.server_info is not None
    assert any_client.server_info.title == "Confluence"
    assert "search_confluence" in (any_client.instructions or "")
    assert "never instructions" in (any_client.instructions or "")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_confluence", {"query": "vpn"}),
        ("search_confluence", {"query": "vpn", "spaces": ["NOPE"]}),
        ("get_page", {"page": "100"}),
        ("get_page", {"page": "103", "max_tokens": 200}),
        ("answer_question", {"question": "How many days of vacation?"}),
    ],
)
async def test_structured_content_is_what_the_output_schema_says(
    any_client: Client, tool: str, arguments: dict[str, object]
) -> None:
    listed = (await any_client.list_tools()).tools
    (schema,) = (one.output_schema for one in listed if one.name == tool)
    assert schema is not None

    result = await answered(any_client, tool, **arguments)

    jsonschema.validate(
        result.structured_content,
        schema,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


@pytest.mark.parametrize("query", ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_odd_queries_are_answered(client: Client, query: str) -> None:
    result = await search(client, query)

    assert result.results


@pytest.mark.parametrize("query", ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_odd_questions_are_answered(client: Client, query: str) -> None:
    result = await answered(client, "answer_question", question=query)

    assert text_of(result)


@pytest.mark.parametrize("page", ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_odd_pages_are_refused_with_a_text(client: Client, page: str) -> None:
    said = await refused(client, "get_page", page=page)

    assert said.startswith(("No page", "Cannot tell"))


@pytest.mark.parametrize("name", ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_odd_filters_find_nothing_and_say_so(client: Client, name: str) -> None:
    for filters in ({"spaces": [name]}, {"labels": [name]}, {"author": name}):
        result = await search(client, "vpn", **filters)

        assert result.results == []
        assert result.notes


@pytest.mark.parametrize("query", ["", "   ", "\x00", "\n\t"])
async def test_an_empty_query_is_refused(client: Client, query: str) -> None:
    assert "The query is empty" in await refused(client, "search_confluence", query=query)
    assert "The query is empty" in await refused(client, "answer_question", question=query)


async def test_a_query_beyond_every_measure_is_refused(client: Client) -> None:
    said = await refused(client, "search_confluence", query="vpn " * 10_000)

    assert "longer than 20,000 characters" in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "query"),
        ({"query": "vpn", "limit": 0}, "limit"),
        ({"query": "vpn", "limit": 1000}, "limit"),
        ({"query": "vpn", "content_types": ["comment"]}, "content_types"),
        ({"query": "vpn", "updated_after": "last week"}, "updated_after"),
    ],
)
async def test_a_wrong_argument_is_named(
    client: Client, arguments: dict[str, object], named: str
) -> None:
    assert named in await refused(client, "search_confluence", **arguments)


async def test_an_unknown_argument_is_not_taken_for_a_filter(client: Client) -> None:
    result = await search(client, "vpn", space="PEOPLE")

    assert "Ignored: space. The arguments are query, spaces," in result.notes[0]


async def test_empty_optional_arguments_mean_no_limit(client: Client) -> None:
    without = await search(client, "vpn")

    result = await search(client, "vpn", spaces=[], labels=[""], author="", ancestor="", cursor="")

    assert result == without


async def test_an_empty_index_says_how_to_fill_it(database_url: str, variables: Variables) -> None:
    empty = replace(variables, postgres_url=database_url)

    async with serving(empty) as client:
        found = await search(client, "vpn")
        answer = text_of(await answered(client, "answer_question", question="vpn?"))
        missing = await refused(client, "get_page", page="100")

    assert found.results == []
    assert "confluence-mcp ingest" in found.notes[0]
    assert "confluence-mcp ingest" in answer
    assert "No page 100" in missing


async def test_no_secret_is_in_any_text(client: Client, endpoint: OpenAIEndpoint) -> None:
    endpoint.reply = lambda messages, tools: "{}"

    text = text_of(await answered(client, "answer_question", question="What is the key?"))

    assert "test-key" not in text
