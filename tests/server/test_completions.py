"""Suggestions while somebody types: what fits, and only what they may see."""

from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path

import pytest
from mcp import Client
from mcp.types import PromptReference, ResourceTemplateReference

from tests.conftest import Postgres
from tests.server.askers import ADA, BOB, GUS, NOBODY, Served, called
from tests.server.asking import Variables, serving
from tests.server.outages import outage

pytestmark = pytest.mark.anyio

PROMPTS = ("space_changes", "compare_pages", "brief_me", "find_owner")


@pytest.fixture(scope="module")
async def here(
    variables: Variables, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Client, Served]]:
    """A client of a server whose caller the test chooses."""
    async with called(variables, tmp_path_factory.mktemp("audit"), rate_limit=0) as pair:
        yield pair


async def suggested(
    client: Client, name: str, argument: str, typed: str, **others: str
) -> list[str]:
    """Suggestions for an argument of a prompt, or a part of an address."""
    ref = (
        PromptReference(type="ref/prompt", name=name)
        if name in PROMPTS
        else ResourceTemplateReference(type="ref/resource", uri=name)
    )
    result = await client.complete(
        ref, {"name": argument, "value": typed}, context_arguments=others or None
    )
    assert result.completion.has_more is False
    return result.completion.values


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("", ["ENG", "PEOPLE"]), ("e", ["ENG"]), ("PEO", ["PEOPLE"]), ("space", ["ENG", "PEOPLE"]),
        ("pace", []), ("%", []), ("_", []), ("\x00", ["ENG", "PEOPLE"]), ("ENGINE", []),
    ],
)  # fmt: skip
async def test_spaces_are_suggested_by_key_and_name(
    any_client: Client, typed: str, keys: list[str]
) -> None:
    assert await suggested(any_client, "space_changes", "space", typed) == keys
    assert await suggested(any_client, "confluence://space/{key}", "key", typed) == keys


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("vp", ["VPN"]),
        ("DEPLOY", ["Deploy"]),
        ("re", ["Release train"]),
        ("train", ["Release train"]),
        ("train rel", ["Release train"]),
        ("rollback: d", ["Rollback: databases"]),
        ("databases", ["Rollback: databases"]),
        ("atabases", []),
        ("有給", ["有給休暇"]),
        ("休暇", ["有給休暇"]),
        ("v_n", []),
        ("v%", []),
        ("\\", []),
        ("parking </page", ["Parking </page-text>"]),
        ("x" * 10_000, []),
    ],
)
async def test_titles_are_suggested_by_their_beginning_and_their_words(
    any_client: Client, typed: str, titles: list[str]
) -> None:
    assert await suggested(any_client, "brief_me", "topic", typed) == titles


async def test_without_a_word_the_newest_pages_are_suggested(client: Client) -> None:
    found = await suggested(client, "find_owner", "topic", "")

    assert found[0] == "Rollback: databases"
    assert len(found) == len(set(found)) == 10


async def test_a_chosen_space_narrows_titles(client: Client) -> None:
    address = "confluence://space/{key}/{title}"

    assert await suggested(client, address, "title", "v", key="people") == ["Vacation"]
    assert await suggested(client, "brief_me", "topic", "v", space="ENG") == ["VPN"]
    assert await suggested(client, "brief_me", "topic", "v", space="NOPE") == []


async def test_pages_are_suggested_as_they_can_be_named(client: Client) -> None:
    pages = await suggested(client, "compare_pages", "first", "dep")

    assert sorted(pages) == ["ENG:Deploy", "PEOPLE:Deploy"]
    assert await suggested(client, "compare_pages", "second", "people:d") == ["PEOPLE:Deploy"]
    assert await suggested(client, "compare_pages", "second", "Rollback: d") == [
        "ENG:Rollback: databases"
    ]
    for page in pages:
        assert not (await client.call_tool("get_page", {"page": page})).is_error


async def test_a_page_is_found_for_its_id_by_its_title(client: Client) -> None:
    assert await suggested(client, "confluence://page/{page_id}", "page_id", "vpn") == ["100"]


async def test_spans_and_days_are_suggested(client: Client) -> None:
    spans = await suggested(client, "space_changes", "since", "")
    days = await suggested(client, "space_changes", "since", "20")

    assert spans[:2] == ["7 days", "14 days"]
    assert spans[-len(days) :] == days
    assert all(date.fromisoformat(day) for day in days)
    assert await suggested(client, "space_changes", "since", "30") == ["30 days"]


async def test_what_is_not_known_has_no_suggestions(client: Client) -> None:
    assert await suggested(client, "confluence://page/{other}", "other", "v") == []
    assert await suggested(client, "brief_me", "colour", "v") == []


@pytest.mark.parametrize(
    ("account", "spaces", "titles"),
    [
        (ADA, ["ENG", "PEOPLE"], ["Guild handbook"]),
        (BOB, ["ENG", "PEOPLE"], []),
        (GUS, ["PEOPLE"], []),
        (NOBODY, [], []),
        (None, ["ENG", "PEOPLE"], ["Guild handbook"]),
    ],
)
async def test_only_what_the_asker_may_see_is_suggested(
    here: tuple[Client, Served], account: str | None, spaces: list[str], titles: list[str]
) -> None:
    client, server = here
    server.who.account = account

    assert await suggested(client, "brief_me", "space", "") == spaces
    assert await suggested(client, "brief_me", "topic", "guild") == titles
    assert await suggested(client, "brief_me", "topic", "handbook") == titles
    assert await suggested(client, "brief_me", "topic", "handbook", space="ENG") == titles


async def test_suggestions_are_calls_in_the_trail(here: tuple[Client, Served]) -> None:
    client, server = here
    server.who.account = ADA

    await suggested(client, "brief_me", "topic", "vpn")

    line = server.lines()[-1]
    assert (line["call"], line["page_ids"]) == ("completion/complete", ["100"])


async def test_beyond_the_limit_there_are_no_suggestions_but_no_error(
    variables: Variables, tmp_path: Path
) -> None:
    async with called(variables, tmp_path, rate_limit=1) as (client, _):
        given = [await suggested(client, "brief_me", "topic", "vpn") for _ in range(11)]

    assert given == [["VPN"]] * 10 + [[]]


async def test_suggestions_take_nothing_from_calls(variables: Variables, tmp_path: Path) -> None:
    async with called(variables, tmp_path, rate_limit=1) as (client, _):
        await suggested(client, "brief_me", "topic", "vpn")
        first = await client.call_tool("get_page", {"page": "100"})
        second = await client.call_tool("get_page", {"page": "100"})

    assert (first.is_error, second.is_error) == (False, True)


async def test_without_the_index_there_are_no_suggestions_but_no_error(
    postgres: Postgres, own_wiki_url: str, variables: Variables
) -> None:
    own = type(variables)(own_wiki_url, variables.openai_base_url)
    name = own_wiki_url.partition("@/")[2].partition("?")[0]

    async with serving(own) as client:
        assert await suggested(client, "brief_me", "topic", "vpn") == ["VPN"]
        with outage(postgres, name):
            assert await suggested(client, "brief_me", "topic", "vpn") == []
        assert await suggested(client, "brief_me", "topic", "vpn") == ["VPN"]
