"""search_confluence and its sisters: copies, archived pages, and how old a page is."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from mcp import Client

from index.records import State
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.index.similar_pages import LEAVE, RUNBOOK
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import answered, ask, get_page, search, serving, text_of, variables_for
from tests.server.wiki import Article, Wiki, take_in

pytestmark = pytest.mark.anyio

TODAY = datetime.now(UTC).date()
THIS_YEAR = TODAY.replace(day=1).isoformat()
OLD = TODAY.replace(year=TODAY.year - 4, month=1, day=1)
QUERY = "how many vacation days carry over"


def paragraph(text: str) -> str:
    return f"<p>{text}</p>"


ARTICLES = [
    Article("1", "HR", "Vacation", paragraph(LEAVE), day=THIS_YEAR),
    Article("2", "OLD", "Vacation", paragraph(LEAVE.replace("five", "three")), day=f"{OLD}"),
    Article("3", "HR", "Copy of Vacation", paragraph(LEAVE), day=THIS_YEAR, state=State.ARCHIVED),
    Article("4", "HR", "Office keys", paragraph("Keys are at the desk."), day=f"{OLD}"),
    Article("5", "HR", "Lost keys", paragraph("Lost keys cost ten."), state=State.ARCHIVED),
    *(
        Article(f"{n}", "ENG", f"Runbook: {name}", paragraph(RUNBOOK.format(name=name)))
        for n, name in enumerate(("billing", "search", "payments"), start=10)
    ),
    *(
        Article(f"{n}", f"S{n}", "Parental leave", paragraph(f"{LEAVE} For parents."), day=f"{OLD}")
        for n in range(20, 28)
    ),
]


@pytest.fixture(scope="module")
async def client(
    postgres: Postgres, migrated_template: str, shared_endpoint: OpenAIEndpoint
) -> AsyncGenerator[Client]:
    """A client of a server over pages that are old, archived or copies."""
    with postgres.copy_of(migrated_template) as name:
        variables = variables_for(postgres.url(name), shared_endpoint)
        await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki(ARTICLES))
        async with serving(variables) as client:
            yield client


async def test_copies_are_listed_with_the_current_page(client: Client) -> None:
    found = await search(client, QUERY, spaces=["HR", "OLD"])
    text = text_of(await answered(client, "search_confluence", query=QUERY, spaces=["HR", "OLD"]))

    first = found.results[0]
    assert (first.page_id, first.archived, first.age_years) == ("1", False, 0)
    assert [(copy.page_id, copy.space_key, copy.archived) for copy in first.copies] == [
        ("2", "OLD", False),
        ("3", "HR", True),
    ]
    assert {hit.page_id for hit in found.results} == {"1", "4", "5"}
    assert (
        f"Copies, older or archived: Vacation (space OLD, page_id 2, updated {OLD}); "
        f"Copy of Vacation (space HR, page_id 3, updated {THIS_YEAR}, archived)"
    ) in text


async def test_pages_of_one_template_are_hits_of_their_own(client: Client) -> None:
    found = await search(client, "what do I do when it does not answer", spaces=["ENG"])

    assert {hit.page_id for hit in found.results} == {"10", "11", "12"}
    assert all(hit.copies == [] for hit in found.results)


async def test_many_copies_are_counted(client: Client) -> None:
    found = await search(client, "parental leave", limit=1)

    (hit,) = found.results
    assert len(hit.copies) == 5
    assert found.notes == [f"5 of 7 copies of page {hit.page_id} are listed."]


async def test_parts_of_a_result_name_every_page_once(client: Client) -> None:
    seen: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        found = await search(client, "vacation runbook keys", limit=2, cursor=cursor)
        seen += [hit.page_id for hit in found.results]
        cursor = found.next_cursor

    assert len(seen) == len(set(seen))
    assert {"1", "4", "5", "10", "11", "12"} < set(seen)
    assert len(seen) == 7  # six, and the current one of eight


async def test_an_old_page_says_how_old_it_is(client: Client) -> None:
    found = await search(client, "office keys desk", spaces=["HR"], limit=1)
    text = text_of(await answered(client, "search_confluence", query="office keys desk", limit=1))
    page = await get_page(client, "4")
    page_text = text_of(await answered(client, "get_page", page="4"))

    assert [hit.age_years for hit in found.results] == [4] == [page.age_years]
    for one in (text, page_text):
        assert f"last updated {OLD}, 4 years ago" in one


async def test_an_archived_page_says_so(client: Client) -> None:
    (hit, *_) = (await search(client, "lost keys cost", limit=1)).results
    text = text_of(await answered(client, "search_confluence", query="lost keys cost", limit=1))

    assert (hit.page_id, hit.archived) == ("5", True)
    assert ", archived)" in text


async def test_a_citation_says_how_old_and_whether_archived_its_page_is(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    endpoint.reply = lambda messages, tools: (
        '{"found": true, "answer": "Ten [1].", "citations": '
        '[{"n": 1, "quote": "Lost keys cost ten"}]}'
    )

    answer = await ask(client, "what do lost keys cost", spaces=["HR"])
    text = text_of(
        await answered(client, "answer_question", question="what do lost keys cost", spaces=["HR"])
    )

    assert [(one.page_id, one.archived) for one in answer.citations] == [("5", True)]
    assert ", archived)" in text
    asked = str(endpoint.requests[-1].body)
    assert "updated 2026-03-01, archived" in asked
