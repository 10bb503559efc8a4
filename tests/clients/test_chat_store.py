"""Conversations as they are kept: everybody's own, whatever ids are guessed."""

import json
import uuid
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import anyio
import psycopg
import pytest
from chat_feedback import export
from chat_results import Citation, Hit
from chat_sources import Sources
from chat_store import Content, ConversationStore, Wanted
from chat_store_database import ChatDatabase, StoreError, prepare
from chat_store_turns import ConversationMemory, KeptTurn
from chat_turn import REMEMBERED_MESSAGES
from psycopg import sql

from index.embedded_postgres import DATABASE
from tests.conftest import Postgres

pytestmark = pytest.mark.anyio

ADA, BOB = "password:ada", "password:bob"


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Generator[str]:
    """A database of this file's own; everybody in it is made anew by each test."""
    with postgres.copy_of(DATABASE) as name:
        prepare(postgres.url(name))
        yield postgres.url(name)


@pytest.fixture
async def store(url: str) -> AsyncGenerator[ConversationStore]:
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE chat.person CASCADE")
    store = ConversationStore(ChatDatabase(url))
    for person in (ADA, BOB):
        await store.sign_in(person)
    yield store
    await store.close()


@pytest.fixture
async def memory(url: str) -> AsyncGenerator[ConversationMemory]:
    database = ChatDatabase(url)
    yield ConversationMemory(database)
    await database.close()


def new_id() -> str:
    return str(uuid.uuid4())


async def said(store: ConversationStore, person: str, text: str, thread_id: str = "") -> str:
    """A conversation in which something was said; the id of that."""
    step_id = new_id()
    await store.keep_step(person, thread_id or new_id(), step_id, {"id": step_id, "output": text})
    return step_id


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        statement = sql.SQL("SELECT count(*) FROM chat.{}")
        found = connection.execute(statement.format(sql.Identifier(table))).fetchone()
    return found[0] if found else 0


async def test_a_conversation_comes_back_in_the_order_in_which_it_was_said(
    store: ConversationStore,
) -> None:
    thread_id, step_id = new_id(), new_id()

    await store.keep_step(ADA, thread_id, step_id, {"id": step_id, "output": "", "icon": "search"})
    await said(store, ADA, "nul \0 and half \ud83d a character, \\u0000", thread_id)
    await store.keep_step(ADA, thread_id, step_id, {"output": "found"})
    await store.keep_thread(ADA, thread_id, "How?" * 99, {"chat_settings": {"spaces": ["ENG"]}})
    element: Content = {"id": new_id(), "forId": step_id, "name": "[1]"}
    await store.keep_element(ADA, thread_id, element, b"the source")
    whole = await store.thread(ADA, thread_id)

    assert whole is not None
    assert [step.content["output"] for step in whole.steps] == [
        "found", "nul  and half ? a character, \\u0000",
    ]  # fmt: skip
    assert whole.steps[0].content["icon"] == "search"
    assert whole.thread.metadata == {"chat_settings": {"spaces": ["ENG"]}}
    assert len(whole.thread.name or "") == 255
    assert [(one.content["name"], one.body) for one in whole.elements] == [("[1]", b"the source")]


async def test_what_is_on_its_way_to_a_deleted_conversation_is_not_kept(
    store: ConversationStore, memory: ConversationMemory, url: str
) -> None:
    thread_id, others = new_id(), new_id()
    await said(store, ADA, "Still there?", others)
    await said(store, ADA, "How?", thread_id)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(said, store, ADA, f"at once {number}", thread_id)
        group.start_soon(store.drop_thread, ADA, thread_id)
        group.start_soon(store.drop_thread, BOB, others)
    step_id = await said(store, ADA, "the rest", thread_id)
    await store.keep_thread(ADA, thread_id, "again", {})
    await store.keep_element(ADA, thread_id, {"id": new_id(), "forId": step_id}, b"source")
    await memory.keep(ADA, thread_id, KeptTurn(step_id, "How?", "So [1]."), sources())
    await said(store, ADA, "Still here.", others)

    assert await store.thread(ADA, thread_id) is None
    assert [rows(url, table) for table in ("thread", "step", "element", "turn")] == [1, 2, 0, 0]


async def test_nobody_reaches_what_is_anothers_even_with_its_ids(
    store: ConversationStore, memory: ConversationMemory, url: str
) -> None:
    thread_id = new_id()
    element: Content = {"id": new_id(), "name": "[1]"}
    step_id = await said(store, ADA, "secret", thread_id)
    await store.keep_element(ADA, thread_id, element, b"secret")
    await memory.keep(ADA, thread_id, KeptTurn(step_id, "secret?", "secret [1]."), sources())
    bobs = new_id()

    await store.keep_step(BOB, bobs, step_id, {"output": "mine"})
    await store.keep_step(BOB, thread_id, step_id, {"output": "mine"})
    await said(store, BOB, "within", thread_id)
    await store.keep_thread(BOB, thread_id, "mine", {})
    await store.note(BOB, thread_id, {"is_shared": True})
    await store.keep_element(BOB, bobs, element | {"name": "mine"}, b"mine")
    await store.drop_element(BOB, str(element["id"]))
    await store.drop_step(BOB, step_id)
    await store.drop_thread(BOB, thread_id)
    await memory.keep(BOB, thread_id, KeptTurn(step_id, "mine", "mine"), Sources())
    await memory.keep(BOB, bobs, KeptTurn(step_id, "mine", "mine"), Sources())

    assert await store.thread(BOB, thread_id) is None
    assert not await store.rate(BOB, step_id, 1, None)
    assert (await memory.restored(BOB, thread_id)).messages == []
    assert [one.thread_id for one in await store.threads(BOB, Wanted(9))] == [uuid.UUID(bobs)]
    assert await store.threads(BOB, Wanted(9, after=thread_id)) is not None
    kept = await store.thread(ADA, thread_id)
    assert kept is not None
    assert (kept.thread.name, kept.thread.metadata) == (None, {})
    assert [step.content["output"] for step in kept.steps] == ["secret"]
    assert [(one.content["name"], one.body) for one in kept.elements] == [("[1]", b"secret")]
    assert (await memory.restored(ADA, thread_id)).messages[-1].get("content") == "secret [1]."
    theirs = await store.thread(BOB, bobs)
    assert theirs is not None
    assert (theirs.steps, theirs.elements) == ([], [])


async def test_conversations_are_listed_page_by_page_and_found_by_their_words(
    store: ConversationStore,
) -> None:
    for number in range(5):
        thread_id = new_id()
        await store.keep_thread(ADA, thread_id, f"Question {number}", {})
        step_id = await said(store, ADA, f"100% of {'Tea' if number == 2 else 'milk'}", thread_id)
        if number == 3:
            assert await store.rate(ADA, step_id, 0, " too long ")

    first = await store.threads(ADA, Wanted(3))
    rest = await store.threads(ADA, Wanted(9, after=str(first[-1].thread_id)))
    names = [one.name for one in [*first, *rest]]

    assert names == [f"Question {number}" for number in (4, 3, 2, 1, 0)]
    assert [one.name for one in await store.threads(ADA, Wanted(9, words="tEA"))] == ["Question 2"]
    assert [one.name for one in await store.threads(ADA, Wanted(9, rating=0))] == ["Question 3"]
    assert len(await store.threads(ADA, Wanted(9, words="100%"))) == 5
    assert await store.threads(ADA, Wanted(9, words="100_")) == []


async def test_a_thumb_is_one_for_each_answer_and_can_be_taken_back(
    store: ConversationStore, url: str
) -> None:
    thread_id = new_id()
    step_id = await said(store, ADA, "an answer", thread_id)

    await store.rate(ADA, step_id, 1, "good")
    await store.rate(ADA, step_id, 0, "bad")
    rated = await store.thread(ADA, thread_id)
    taken_by_bob = await store.unrate(BOB, step_id)
    taken = await store.unrate(ADA, step_id)

    assert rated is not None
    assert (rated.steps[0].value, rated.steps[0].comment) == (0, "bad")
    assert (taken_by_bob, taken) == (False, True)
    assert rows(url, "feedback") == 0


async def test_what_is_deleted_is_gone_with_all_that_belongs_to_it(
    store: ConversationStore, memory: ConversationMemory, url: str
) -> None:
    thread_id = new_id()
    step_id = await said(store, ADA, "an answer", thread_id)
    await store.rate(ADA, step_id, 1, None)
    await store.keep_element(ADA, thread_id, {"id": new_id(), "forId": step_id}, b"x")
    await memory.keep(ADA, thread_id, KeptTurn(step_id, "how?", "so [1]."), sources())

    await store.drop_thread(ADA, thread_id)
    await store.note(ADA, thread_id, {"chat_profile": "said when the page is closed"})

    tables = ("thread", "step", "element", "feedback", "turn", "source")
    assert {table: rows(url, table) for table in tables} == dict.fromkeys(tables, 0)


async def test_a_conversation_goes_on_with_its_numbers_and_its_last_turns(
    store: ConversationStore, memory: ConversationMemory
) -> None:
    thread_id, found = new_id(), sources()
    last = REMEMBERED_MESSAGES
    for number in range(last + 1):
        turn = KeptTurn(new_id(), f"question {number}", f"answer {number} [2].")
        await memory.keep(ADA, thread_id, turn, found)
    found.add(Hit.model_validate({"page_id": "7", "title": "Late", "excerpt": "Later."}))
    again = KeptTurn(new_id(), f"question {last}", "better [3].")
    await memory.keep(ADA, thread_id, again, found)

    restored = await memory.restored(ADA, thread_id)

    assert [(one.number, one.passage) for one in restored.sources] == [
        (one.number, replaced(one.passage)) for one in found
    ]
    assert len(restored.messages) <= REMEMBERED_MESSAGES
    assert restored.messages[-1] == {"role": "assistant", "content": "better [3]."}
    asked = [one.get("content") for one in restored.messages if one["role"] == "user"]
    assert asked[-2:] == [f"question {last - 1}", f"question {last}"]


async def test_old_conversations_are_deleted_and_those_gone_on_with_are_kept(
    store: ConversationStore, url: str
) -> None:
    old, new = new_id(), new_id()
    for thread_id in (old, new):
        await said(store, ADA, "text", thread_id)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE chat.thread SET updated_at = now() - interval '8 days'")
        connection.execute("UPDATE chat.person SET seen_at = now() - interval '40 days'")
    await said(store, ADA, "more", new)
    database = ChatDatabase(url, keep_days=7)

    await database.forget_old()
    await database.close()

    assert [str(one.thread_id) for one in await store.threads(ADA, Wanted(9))] == [new]
    assert await store.person(BOB) is None
    assert await store.person(ADA) is not None


async def test_two_chats_that_start_at_once_make_one_schema(postgres: Postgres) -> None:
    with postgres.copy_of(DATABASE) as name:
        url = postgres.url(name)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(prepare, [url] * 4))
        with psycopg.connect(url) as connection:
            versions = connection.execute("SELECT version FROM chat.version").fetchall()
            connection.execute("INSERT INTO chat.version VALUES (999)")
        with pytest.raises(StoreError, match="newer chat"):
            prepare(url)

    assert versions == [(1,), (2,)]


async def test_a_database_that_is_gone_is_told_without_what_was_to_be_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ConversationStore(ChatDatabase("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreError, match="CHAT_DATABASE_URL"):
        prepare("postgresql://nobody:hush@127.0.0.1:1/none")
    store = ConversationStore(ChatDatabase("host=/nowhere dbname=none", wait_seconds=0.1))

    with pytest.raises(StoreError, match="does not answer"):
        await said(store, ADA, "a question")
    await store.close()

    assert "a question" not in caplog.text


def sources() -> Sources:
    """A citation and a hit, which a conversation met in this order."""
    found = Sources()
    place = {"page_id": "101", "title": "Leave", "heading_path": ["Days"], "space_key": "HR"}
    found.add(Citation.model_validate(place | {"n": 4, "quote": "Five days."}))
    found.add(
        Hit.model_validate(place | {"excerpt": "Five days. More.", "updated_at": "2026-01-02"})
    )
    return found


def replaced(passage: object) -> object:
    """A passage as it is kept: without the number that one answer had for it."""
    return passage.model_copy(update={"n": 0}) if isinstance(passage, Citation) else passage


async def test_thumbs_are_exported_with_what_was_said_before(
    store: ConversationStore, memory: ConversationMemory, url: str, tmp_path: Path
) -> None:
    thread_id, run_id = new_id(), new_id()
    first = await said(store, ADA, "shown with its sources", thread_id)
    await memory.keep(ADA, thread_id, KeptTurn(first, "How many?", "Five [2][1]."), sources())
    for step_id, parent in ((run_id, None), (second := new_id(), run_id)):
        await store.keep_step(ADA, thread_id, step_id, {"id": step_id, "parentId": parent})
    await memory.keep(ADA, thread_id, KeptTurn(second, "Über\nwas?", "Nothing."), sources())
    await store.rate(ADA, first, 1, None)
    await store.rate(ADA, run_id, 0, "not so")
    await store.rate(ADA, await said(store, ADA, "an error, no answer", thread_id), 0, None)

    count = export(url, tmp_path / "thumbs.jsonl")

    lines = (tmp_path / "thumbs.jsonl").read_text(encoding="utf-8").splitlines()
    up, down = (json.loads(line) for line in lines)
    assert count == 2
    assert (up["rating"], up["question"], up["cited"], up["history"]) == (
        "up", "How many?", ["101"], [],
    )  # fmt: skip
    assert (down["rating"], down["question"], down["comment"]) == ("down", "Über\nwas?", "not so")
    assert down["history"] == [
        {"role": "user", "content": "How many?"},
        {"role": "assistant", "content": "Five [2][1]."},
    ]
    assert datetime.fromisoformat(up["at"]) < datetime.fromisoformat(down["at"])
    assert set(up) == {"question", "history", "rating", "answer", "cited", "comment", "at"}
