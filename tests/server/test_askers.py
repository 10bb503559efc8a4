"""What each asker is shown, and that what is hidden looks like what does not exist."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError

from tests.command import Command
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.askers import ADA, BOB, GUS, NOBODY, Served, called
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
from tests.server.test_tool_answer import passages, says
from tests.server.wiki import ARTICLES, SITE

pytestmark = pytest.mark.anyio

EVERY = {article.title for article in ARTICLES}
IN_PEOPLE = {article.title for article in ARTICLES if article.space == "PEOPLE"}
ONLY_ADA = {"Rollback: databases", "Guild handbook", "2024"}


@pytest.fixture(scope="module")
async def here(
    variables: Variables, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Client, Served]]:
    """A client of a server over the small wiki."""
    async with called(variables, tmp_path_factory.mktemp("audit"), rate_limit=0) as pair:
        yield pair


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("", EVERY), ("acc-ada", EVERY), ("ada", EVERY), ("ADA@example.COM", EVERY),
        ("acc-bob", EVERY - ONLY_ADA), ("bob@example.com", EVERY - ONLY_ADA),
        ("gus", IN_PEOPLE), ("acc-old", set[str]()), ("acc-nobody", set[str]()),
        ("nobody@example.com", set[str]()), ("Ada Lovelace", set[str]()), ("%", set[str]()),
    ],
)  # fmt: skip
async def test_a_setting_says_whose_view_is_shown(
    variables: Variables, account: str, expected: set[str]
) -> None:
    async with serving(replace(variables, confluence_mcp_user=account)) as client:
        found = await titles(client, "how do we deploy", limit=25)

    assert set(found) == expected


async def test_the_server_says_when_it_asks_nobody(variables: Variables) -> None:
    async with serving(variables) as open_to_all:
        said = open_to_all.instructions or ""
    async with serving(replace(variables, confluence_mcp_user=ADA)) as limited:
        limited_said = limited.instructions or ""

    sentence = "it shows whatever the account that indexed the wiki may see."
    assert said.endswith(sentence)
    assert sentence not in limited_said


@pytest.mark.parametrize("account", ["acc-nobody", "acc-old", "nobody@example.com"])
async def test_a_setting_that_names_nobody_is_told_in_every_call(
    variables: Variables, account: str
) -> None:
    keyless = replace(variables, confluence_mcp_user=account, chat_model="", openai_api_key="")
    async with serving(keyless) as client:
        found = text_of(await answered(client, "search_confluence", query="vpn"))
        answer = text_of(await answered(client, "answer_question", question="vpn?"))
        page = await refused(client, "get_page", page="100")
        above = await refused(client, "search_confluence", query="vpn", ancestor="100")
        with pytest.raises(MCPError) as resource:
            await client.read_resource("confluence://page/100")

    for said in (found, answer, page, above, resource.value.error.message):
        assert "CONFLUENCE_MCP_USER names no active account that the index knows" in said
    assert page.startswith("No page 100 in the index. CONFLUENCE_MCP_USER")


@pytest.mark.parametrize(
    ("account", "expected"), [(ADA, EVERY), (BOB, EVERY - ONLY_ADA), (None, EVERY)]
)
async def test_one_server_shows_each_caller_what_is_theirs(
    here: tuple[Client, Served], account: str | None, expected: set[str]
) -> None:
    client, served = here

    served.who.account = account

    assert set(await titles(client, "how do we deploy", limit=25)) == expected


@pytest.mark.parametrize("account", [NOBODY, "acc-old"])
async def test_a_caller_without_an_account_sees_nothing_and_is_told_why(
    here: tuple[Client, Served], account: str
) -> None:
    client, served = here
    served.who.account = account

    found = await search(client, "how do we deploy")

    assert found.results == []
    assert "The index knows no Confluence account of yours" in found.notes[-1]
    assert "CONFLUENCE_MCP_USER" not in str(found.notes)


# Ways to call for a page: `{0}` is its id, `{1}` its title.
NAMES = [
    "{0}", "confluence://page/{0}", f"{SITE}/spaces/ENG/pages/{{0}}", "ENG:{1}", "{1}",
    "https://confluence.example.com/display/ENG/{1}", f"{SITE}/download/attachments/{{0}}/a.md",
    f"{SITE}/pages/viewpage.action?spaceKey=ENG&title={{1}}",
]  # fmt: skip
HIDDEN, MISSING = ("103", "Guild handbook"), ("993", "Gould handbook")


def without(name: tuple[str, str], text: str) -> str:
    """A text that does not say which page it is about."""
    return text.replace(name[0], "ID").replace(name[1], "TITLE")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_page", {}),
        ("get_page", {"section": "Steps"}),
        ("get_page", {"offset": 1_000_000}),
        ("get_page", {"attachment": "plan.pdf"}),
        ("search_confluence", {"query": "guild"}),
        ("answer_question", {"question": "guild?"}),
    ],
)
async def test_a_hidden_page_is_refused_as_a_missing_one(
    here: tuple[Client, Served], name: str, tool: str, arguments: dict[str, object]
) -> None:
    client, served = here
    served.who.account = BOB
    argument = "page" if tool == "get_page" else "ancestor"

    hidden = await refused(client, tool, **{argument: name.format(*HIDDEN)}, **arguments)
    missing = await refused(client, tool, **{argument: name.format(*MISSING)}, **arguments)

    assert without(HIDDEN, hidden) == without(MISSING, missing)
    assert "No page" in hidden


@pytest.mark.parametrize("account", [BOB, GUS, NOBODY])
async def test_a_hidden_resource_is_not_found_as_a_missing_one(
    here: tuple[Client, Served], account: str
) -> None:
    client, served = here
    served.who.account = account
    said: list[str] = []

    for page_id, title in (HIDDEN, MISSING):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"confluence://page/{page_id}")
        said.append(without((page_id, title), repr(caught.value.error)))

    assert said[0] == said[1]


async def test_a_title_names_only_pages_that_are_shown(here: tuple[Client, Served]) -> None:
    client, served = here
    served.who.account = ADA
    several = await refused(client, "get_page", page="Deploy")
    served.who.account = GUS

    alone = await get_page(client, "Deploy")

    assert "101" in several and "202" in several
    assert alone.page_id == "202"


async def test_the_tree_shows_no_hidden_page(here: tuple[Client, Served]) -> None:
    client, served = here
    served.who.account = ADA
    whole = await get_page(client, "101")
    served.who.account = BOB

    text = text_of(await answered(client, "get_page", page="101"))
    page = await get_page(client, "101")

    assert [ref.page_id for ref in whole.children] == ["102"]
    assert page.children == []
    assert "Rollback" not in text and "102" not in text


async def test_a_hidden_space_is_unknown_as_a_missing_one(here: tuple[Client, Served]) -> None:
    client, served = here
    served.who.account = GUS

    hidden = await search(client, "vpn", spaces=["ENG"])
    missing = await search(client, "vpn", spaces=["OPS"])

    assert hidden.notes == ["No space ENG here. Spaces: PEOPLE."]
    assert missing.notes == ["No space OPS here. Spaces: PEOPLE."]


async def test_a_cursor_of_somebody_else_is_refused_as_a_wrong_one(
    here: tuple[Client, Served],
) -> None:
    client, served = here
    served.who.account = ADA
    cursor = (await search(client, "how do we deploy", limit=2)).next_cursor
    mine = await search(client, "how do we deploy", limit=2, cursor=cursor)
    served.who.account = BOB

    alien = await refused(
        client, "search_confluence", query="how do we deploy", limit=2, cursor=cursor
    )
    wrong = await refused(
        client, "search_confluence", query="how do we deploy", limit=2, cursor="wrong"
    )

    assert len(mine.results) == 2
    assert alien == wrong


async def test_paging_shows_what_is_shown_and_ends(here: tuple[Client, Served]) -> None:
    client, served = here
    served.who.account = GUS
    seen: list[str] = []
    cursor: str | None = None

    for _ in ARTICLES:
        result = await search(client, "how do we deploy", limit=1, cursor=cursor)
        seen += [hit.title for hit in result.results]
        cursor = result.next_cursor
        if cursor is None:
            break

    assert sorted(seen) == sorted(IN_PEOPLE)
    assert cursor is None


async def test_the_chat_model_reads_only_what_is_shown(
    here: tuple[Client, Served], endpoint: OpenAIEndpoint
) -> None:
    client, served = here
    served.who.account = BOB
    endpoint.reply = says("", found=False)

    question = "How many vacation days are there, and how does one roll back a database?"
    result = await ask(client, question)

    assert result.nearest
    assert not {ref.title for ref in result.nearest} & ONLY_ADA
    assert "<page-text>" in passages(endpoint)
    assert not [title for title in ONLY_ADA - {"2024"} if title in passages(endpoint)]


async def test_an_answer_is_not_made_of_a_page_that_was_hidden_meanwhile(
    own_wiki_url: str, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    own = variables_for(own_wiki_url, endpoint)
    question = "Which protocol does the VPN use, and how many days of vacation per year?"
    asked: list[str] = []

    async with called(own, tmp_path) as (client, served):
        served.who.account = BOB

        def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
            asked.append(str(messages[-1]["content"]))
            served.leave_groups(BOB)
            facts = ("The VPN uses WireGuard", "30 days of vacation per year")
            known = [fact for fact in facts if fact in asked[-1].replace("**", "")]
            citations = [{"n": n, "quote": fact} for n in range(1, 20) for fact in known]
            markers = "".join(f"[{n}]" for n in range(1, 20))
            return json.dumps({"answer": f"{', '.join(known)} {markers}", "citations": citations})

        endpoint.reply = reply
        result = await ask(client, question)

    assert "WireGuard" in asked[0]
    assert len(asked) == 2
    assert "WireGuard" not in asked[1]
    assert "30 days" in result.answer
    assert "WireGuard" not in result.model_dump_json()
    assert {citation.space_key for citation in result.citations} == {"PEOPLE"}


async def test_nothing_is_answered_when_all_was_hidden_meanwhile(
    own_wiki_url: str, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    own = variables_for(own_wiki_url, endpoint)

    async with called(own, tmp_path) as (client, served):
        served.who.account = GUS

        def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
            served.close_space("PEOPLE")
            return says("30 days [1].")(messages, tools)  # pyright: ignore[reportReturnType]

        endpoint.reply = reply
        result = await ask(client, "How many days of vacation per year?")

    assert (result.status, result.answer) == ("not_found", "")
    assert result.citations == [] and result.nearest == []
    assert result.notes == ["Pages changed while the answer was made: ask again."]
    assert result.tokens_in > 0


@pytest.mark.parametrize(
    ("account", "shown", "said"),
    [("", True, ""), ("bob", False, ""), ("acc-nobody", False, "CONFLUENCE_MCP_USER names no")],
)
def test_the_command_line_follows_the_setting(
    variables: Variables, tmp_path: Path, account: str, shown: bool, said: str
) -> None:
    own = replace(variables, confluence_mcp_user=account, chat_model="", openai_api_key="")
    command = Command(tmp_path, own.as_environment())

    found = command.run("search", "guild stepping stone", "--limit", "20")
    answer = command.run("ask", "What is the stepping stone of the guild?")

    for done in (found, answer):
        assert ("Guild handbook" in done.stdout) is shown
        assert said in done.stderr
        assert "Traceback" not in done.stderr
