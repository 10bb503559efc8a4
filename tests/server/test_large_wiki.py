"""A wiki with more than fits at once: lists in parts, and a page of sixty thousand words."""

from collections.abc import AsyncGenerator

import psycopg
import pytest
from mcp import Client, MCPError
from mcp.types import (
    INVALID_PARAMS,
    PromptReference,
    Resource,
    TextContent,
    TextResourceContents,
)

from index.settings import IndexSettings
from server.texts import estimated_tokens
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, get_page, variables_for
from tests.server.wiki import Article, Wiki, take_in

pytestmark = pytest.mark.anyio

PAGES = 310
WORDS = 60_000
CUT = 25_000  # tokens at which clients cut a result
MARKDOWN = "SELECT markdown FROM page WHERE page_id = %(page_id)s"


def _chapters() -> str:
    """A body of so many words: paragraphs, code, tables and lists, one heading in 200 words."""
    sentence = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do. "
    return "".join(
        f"<h2>Chapter {n}</h2><p>{sentence * 14}</p><ac:structured-macro ac:name='code'>"
        f"<ac:plain-text-body><![CDATA[step {n}\n\n{sentence * 3}]]></ac:plain-text-body>"
        "</ac:structured-macro>"
        f"<table><tbody><tr><td>{sentence}</td><td>{n}</td></tr></tbody></table><ul><li>{sentence}"
        "</li></ul>"
        for n in range(WORDS // 190 + 1)
    )


ARTICLES = [
    Article(
        f"{1_000 + n}",
        "BIG",
        f"Runbook {n:03} of a service",
        f"<p>Service {n} is restarted at night.</p>",
        parent=f"{1_000 + n // 10}" if n >= 10 else None,
        day=f"2026-{1 + n % 9:02}-{1 + n % 28:02}",
    )
    for n in range(PAGES)
] + [Article("5000", "BOOK", "The long book", _chapters(), day="2020-01-01")]


@pytest.fixture(scope="module")
async def variables(
    postgres: Postgres, migrated_template: str, shared_endpoint: OpenAIEndpoint
) -> AsyncGenerator[Variables]:
    """The environment of a server over it."""
    with postgres.copy_of(migrated_template) as name:
        variables = variables_for(postgres.url(name), shared_endpoint)
        await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki(ARTICLES))
        yield variables


async def every_resource(client: Client) -> list[list[Resource]]:
    """The parts of the list."""
    parts: list[list[Resource]] = []
    cursor: str | None = None
    while cursor or not parts:
        listed = await client.list_resources(cursor=cursor)
        parts.append(listed.resources)
        cursor = listed.next_cursor
    return parts


async def test_spaces_and_the_newest_pages_are_listed_in_parts(any_client: Client) -> None:
    parts = await every_resource(any_client)

    listed = [resource for part in parts for resource in part]
    assert [len(part) for part in parts] == [100, 2]
    assert [one.uri for one in listed[:2]] == ["confluence://space/BIG", "confluence://space/BOOK"]
    assert len({one.uri for one in listed}) == len(listed) == 102
    days = [one.annotations.last_modified for one in listed[2:] if one.annotations]
    assert days == sorted(days, key=str, reverse=True)
    for one in listed:
        assert one.title and one.description
        assert one.mime_type == "text/markdown"


@pytest.mark.parametrize("cursor", ["x", "MTAwOm90aGVy", "%00", "-1"])
async def test_a_foreign_cursor_is_refused(any_client: Client, cursor: str) -> None:
    with pytest.raises(MCPError) as caught:
        await any_client.list_resources(cursor=cursor)

    assert caught.value.error.code == INVALID_PARAMS
    assert "without a cursor" in caught.value.error.message


async def test_what_is_listed_can_be_read(client: Client) -> None:
    first, *_, last = (await every_resource(client))[0]

    for resource in (first, last):
        (content,) = (await client.read_resource(resource.uri)).contents
        assert isinstance(content, TextResourceContents)
        assert resource.title and resource.title in content.text


async def test_a_large_space_shows_the_top_of_its_tree(client: Client) -> None:
    (content,) = (await client.read_resource("confluence://space/BIG")).contents

    assert isinstance(content, TextResourceContents)
    lines = content.text.splitlines()
    assert f"space BIG, {PAGES} pages" in lines
    assert sum(line.lstrip().startswith("- Runbook") for line in lines) == 300
    assert lines[-1].startswith(f"300 of {PAGES} pages are listed")
    assert estimated_tokens(content.text) < CUT


async def test_many_changes_are_cut_and_said_to_be(client: Client) -> None:
    result = await client.get_prompt("space_changes", {"space": "BIG", "since": "2026-01-01"})

    (message,) = result.messages
    assert isinstance(message.content, TextContent)
    text = message.content.text
    assert "60 pages (the newest are listed, there are more)" in text
    assert text.count("\n- Runbook") == 60
    assert estimated_tokens(text) < 4_000


async def test_suggestions_are_bounded(client: Client) -> None:
    ref = PromptReference(type="ref/prompt", name="brief_me")

    beginning = (await client.complete(ref, {"name": "topic", "value": "runb"})).completion
    words = (await client.complete(ref, {"name": "topic", "value": "serv"})).completion

    assert len(beginning.values) == len(words.values) == 20
    assert beginning.has_more and words.has_more
    assert beginning.values[0] == "Runbook 000 of a service"


@pytest.mark.parametrize("max_tokens", [None, 16_000])
async def test_a_page_of_sixty_thousand_words_is_read_in_parts(
    variables: Variables, client: Client, max_tokens: int | None
) -> None:
    with psycopg.connect(variables.postgres_url) as connection:
        (markdown,) = connection.execute(MARKDOWN, {"page_id": "5000"}).fetchone() or ("",)
    budget = {"max_tokens": max_tokens} if max_tokens else {}
    parts: list[str] = []
    offset: int | None = 0

    while offset is not None:
        page = await get_page(client, "5000", offset=offset, **budget)
        parts.append(page.markdown)
        offset = page.next_offset

    assert len(markdown.split()) >= WORDS
    assert "".join(parts) == markdown
    most = max_tokens or 6_000
    assert max(map(estimated_tokens, parts)) <= most
    assert len(parts) < 2 * estimated_tokens(markdown) / most


async def test_two_long_pages_to_compare_are_cut_and_say_how_to_read_on(client: Client) -> None:
    result = await client.get_prompt("compare_pages", {"first": "5000", "second": "1000"})

    (message,) = result.messages
    assert isinstance(message.content, TextContent)
    assert "This is the beginning: get_page(page='5000', offset=" in message.content.text
    assert estimated_tokens(message.content.text) < 8_000


async def test_a_long_resource_is_cut_and_says_how_to_read_on(client: Client) -> None:
    (content,) = (await client.read_resource("confluence://page/5000")).contents

    assert isinstance(content, TextResourceContents)
    assert "This is the beginning: get_page(page='5000', offset=" in content.text
    assert estimated_tokens(content.text) < CUT
