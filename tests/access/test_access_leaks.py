"""Nothing around a hidden page tells of it: not names, errors, notes, counts, lists or notices."""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult

from tests.access.asked_wiki import EVERYWHERE, MISSING
from tests.access.office import Office
from tests.confluence.content import Content
from tests.server.asking import search
from tests.server.test_resources import Told

pytestmark = pytest.mark.anyio

SECRET = "zanzibar"
NOTHING = "zanzibaq"  # as long, and of nothing
SECONDS = re.compile(r'"seconds_\w+":[^,}]+')

TREE = "".join(
    f'<ac:structured-macro ac:name="{name}"/>' for name in ("children", "pagetree", "blog-posts")
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """An office where everything that has the secret word in it is open to Cem alone."""

    office: Office
    top: Content
    hidden: Content
    everything: Sequence[Content]

    async def bob(self) -> Client:
        """A client of somebody who may see none of it."""
        return await self.office.wiki.client(self.office.bob)


@pytest.fixture
async def secrets(any_office: Office) -> Secrets:
    """The office, taken in."""
    office, site = any_office, any_office.site
    zara = site.add_user(f"Zara {SECRET}")
    top = office.page("Top", body=TREE)
    hidden = site.add_page(
        "ENG",
        f"{SECRET} child",
        f"<h1>{SECRET}</h1><p>{EVERYWHERE}</p>",
        parent=top.id,
        author=zara,
    )
    link = f"{office.wiki.scene.base_url}/pages/viewpage.action?pageId={hidden.id}"
    office.page("Links", top, body=f'<a href="{link}" data-card-appearance="inline">{link}</a>')
    post = site.add_blogpost("ENG", f"{SECRET} news", f"<p>{EVERYWHERE} {SECRET}</p>")
    for content in (hidden, post):
        site.label(content.id, SECRET)
        site.comment(content.id, f"<p>{SECRET}</p>", author=zara)
        site.attach(
            content.id, f"{SECRET}.txt", media_type="text/plain", data=f"{SECRET} file".encode()
        )
        office.restrict(content, office.cem)
    below = office.page(f"{SECRET} grandchild", hidden)
    office.add_space(SECRET.upper(), office.cem)
    elsewhere = office.page(f"{SECRET} plan", key=SECRET.upper())
    site.label(elsewhere.id, SECRET)
    await office.wiki.run()
    assert len(await office.wiki.shown(office.cem)) == 6
    return Secrets(office, top, hidden, (hidden, post, below, elsewhere))


def whole(result: CallToolResult) -> str:
    """All that a client gets of a call, without what tells how long it took."""
    return result.model_dump_json()


QUESTIONS: dict[str, Callable[[Secrets], tuple[str, dict[str, object]]]] = {
    "a search for everything": lambda _: ("search_confluence", {"query": EVERYWHERE}),
    "a search for the word": lambda _: ("search_confluence", {"query": SECRET, "limit": 25}),
    "a search below a page": lambda s: (
        "search_confluence",
        {"query": SECRET, "ancestor": s.top.id},
    ),
    "a search in a space": lambda _: ("search_confluence", {"query": SECRET, "spaces": ["ENG"]}),
    "a search in no space": lambda _: ("search_confluence", {"query": SECRET, "spaces": ["NO"]}),
    "a search by label": lambda _: ("search_confluence", {"query": "x", "labels": ["none"]}),
    "a search by kind": lambda _: (
        "search_confluence",
        {"query": EVERYWHERE, "content_types": ["blogpost"]},
    ),
    "the page above": lambda s: ("get_page", {"page": s.top.id}),
    "a page by title": lambda _: ("get_page", {"page": "Links"}),
    "a page of a space that is none": lambda _: ("get_page", {"page": "NO:Links"}),
    "a section that is none": lambda s: ("get_page", {"page": s.top.id, "section": "none"}),
    "a file that is none": lambda s: ("get_page", {"page": s.top.id, "attachment": "none.txt"}),
    "an answer": lambda _: ("answer_question", {"question": f"What is {EVERYWHERE}?"}),
    "an answer below a page": lambda s: (
        "answer_question",
        {"question": f"What is {SECRET}?", "ancestor": s.top.id},
    ),
}

# Of these, whoever may see it is told the word, so that it would show.
TELLING = {
    "a search for everything",
    "a search for the word",
    "a search below a page",
    "a search in a space",
    "a search in no space",
    "a search by kind",
    "the page above",
    "an answer",
    "an answer below a page",
}


async def test_no_result_has_a_word_of_what_is_hidden(secrets: Secrets) -> None:
    bob, cem = await secrets.bob(), await secrets.office.wiki.client(secrets.office.cem)
    telling: set[str] = set()

    for name, question in QUESTIONS.items():
        tool, arguments = question(secrets)
        assert SECRET not in whole(await bob.call_tool(tool, arguments)).lower(), name
        if SECRET in whole(await cem.call_tool(tool, arguments)).lower():
            telling.add(name)

    assert telling == TELLING


async def test_no_list_of_the_server_has_a_word_of_what_is_hidden(secrets: Secrets) -> None:
    bob = await secrets.bob()

    lists = [
        await bob.list_tools(),
        await bob.list_resources(),
        await bob.list_resource_templates(),
    ]

    assert SECRET not in "".join(one.model_dump_json() for one in lists).lower()
    assert SECRET not in (bob.instructions or "").lower()


# Ways to name a page, by its id, or by a word of its title and of its space's key.
PAGES = (
    "{id}",
    "confluence://page/{id}",
    "https://wiki.example.com/wiki/spaces/ENG/pages/{id}/Title",
    "https://wiki.example.com/pages/viewpage.action?pageId={id}",
    "https://wiki.example.com/download/attachments/{id}/{word}.txt",
    "{word} child",
    "ENG:{word} child",
    "{WORD}:{word} plan",
    "{WORD}:Top",
    "https://wiki.example.com/display/ENG/{word}+child",
    "https://wiki.example.com/display/{WORD}/Top",
)


async def said(client: Client, tool: str, arguments: dict[str, object], *names: str) -> str:
    """All that is said to a call that names something, but for the names and how long it took."""
    text = SECONDS.sub("SECONDS", whole(await client.call_tool(tool, arguments)))
    for name in names:
        text = text.replace(name, "NAME")
    return text


@pytest.mark.parametrize("more", [{}, {"section": "x"}, {"attachment": "x.txt"}])
async def test_a_hidden_page_is_as_missing_as_one_that_is_none(
    secrets: Secrets, more: dict[str, object]
) -> None:
    bob, page_id = await secrets.bob(), secrets.hidden.id

    for name in PAGES:
        hidden = name.format(id=page_id, word=SECRET, WORD=SECRET.upper())
        missing = name.format(id=MISSING, word=NOTHING, WORD=NOTHING.upper())
        of_hidden = await said(bob, "get_page", {"page": hidden, **more}, hidden, page_id, SECRET)
        of_none = await said(bob, "get_page", {"page": missing, **more}, missing, MISSING, NOTHING)
        assert of_hidden == of_none
        assert '"is_error":true' in of_hidden


@pytest.mark.parametrize("tool", ["search_confluence", "answer_question"])
async def test_a_filter_by_what_is_hidden_finds_as_little_as_by_what_is_not_there(
    secrets: Secrets, tool: str
) -> None:
    bob = await secrets.bob()
    text = {"query" if tool == "search_confluence" else "question": EVERYWHERE}
    filters: dict[str, tuple[object, object]] = {
        "spaces": ([SECRET.upper()], [NOTHING.upper()]),
        "labels": ([SECRET], [NOTHING]),
        "author": (SECRET, NOTHING),
        "ancestor": (secrets.hidden.id, MISSING),
    }
    names = (SECRET.upper(), NOTHING.upper(), SECRET, NOTHING, secrets.hidden.id, MISSING)

    for what, (hidden, missing) in filters.items():
        of_hidden = await said(bob, tool, {**text, what: hidden}, *names)
        assert of_hidden == await said(bob, tool, {**text, what: missing}, *names)


async def test_a_resource_that_is_hidden_is_as_missing_as_one_that_is_none(
    secrets: Secrets,
) -> None:
    bob = await secrets.bob()
    errors: list[str] = []

    for page_id in (secrets.hidden.id, MISSING):
        with pytest.raises(MCPError) as caught:
            await bob.read_resource(f"confluence://page/{page_id}")
        errors.append(caught.value.error.model_dump_json().replace(page_id, "ID"))

    assert errors[0] == errors[1]


async def pages_of(client: Client, query: str) -> list[tuple[list[str], bool, list[str]]]:
    """A search in parts of one page: what each gives, whether more follows, and its notes."""
    parts: list[tuple[list[str], bool, list[str]]] = []
    cursor: str | None = ""
    while cursor is not None:
        part = await search(client, query, limit=1, cursor=cursor)
        cursor = part.next_cursor
        parts.append(([hit.page_id for hit in part.results], cursor is not None, part.notes))
    return parts


async def test_a_search_goes_on_as_if_there_were_nothing_hidden(secrets: Secrets) -> None:
    bob, site = await secrets.bob(), secrets.office.site
    queries = (EVERYWHERE, SECRET, f"{SECRET} plan", "nothing at all")
    with_secrets = [await pages_of(bob, query) for query in queries]

    for content in secrets.everything:
        site.purge(content.id)
    await secrets.office.wiki.run()

    assert [await pages_of(bob, query) for query in queries] == with_secrets


@asynccontextmanager
async def heard(client: Client, *page_ids: str) -> AsyncGenerator[Told]:
    """What a client is told that listens for pages."""
    told = Told()
    uris = [f"confluence://page/{page_id}" for page_id in page_ids]
    async with (
        client.listen(resource_subscriptions=uris) as stream,
        anyio.create_task_group() as listening,
    ):
        listening.start_soon(told.listen, stream)
        yield told
        listening.cancel_scope.cancel()
    told.close()


async def test_a_change_of_a_hidden_page_is_told_to_its_readers_alone(secrets: Secrets) -> None:
    wiki, site = secrets.office.wiki, secrets.office.site
    bob, cem = await secrets.bob(), await wiki.client(secrets.office.cem)
    page_ids = (secrets.hidden.id, secrets.top.id)

    async with heard(bob, *page_ids) as by_bob, heard(cem, *page_ids) as by_cem:
        site.edit(secrets.hidden.id, "<p>new</p>")
        await wiki.run()
        first_of_cem = await by_cem.next()
        site.edit(secrets.top.id, "<p>new</p>")
        await wiki.run()
        first_of_bob = await by_bob.next()

    assert first_of_cem.endswith(secrets.hidden.id)
    assert first_of_bob.endswith(secrets.top.id)
