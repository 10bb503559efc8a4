"""Words as people write them: accents, typing errors, compounds, and the vocabulary behind them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from pydantic import SecretStr

from index.access import CRAWLER, Asker
from index.chunk_write import ADD_WORDS
from index.database import Database
from index.embedded_postgres import DATABASE
from index.language import searchable
from index.question_terms import QUESTION_TERMS
from index.search import MAX_QUERY
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.index.small_wiki import SmallWiki, in_its_language, page

pytestmark = pytest.mark.anyio

# Ends the list of common table expressions.
TERMS = "WITH " + QUESTION_TERMS + "ended AS (SELECT 1) SELECT term_id, factor FROM question_term"
PAGES = {
    "zurich": "Das Büro in Zürich ist groß und liegt direkt am See neben dem Bahnhof.",
    "cafe": "Le café est ouvert à tous les employés, la sécurité est à côté de l'entrée.",
    "config": "La configuración del servidor está en la página de los administradores.",
    "notice": "Die Kündigungsfrist beträgt drei Monate und steht in jedem Vertrag.",
    "backup": "Die Sicherung der Daten läuft jede Nacht und wird im Betrieb geprüft.",
    "deploy": "The deployment of the server is rolled back by hand when it has failed.",
    "unlike": "Lunch is served in the canteen from eleven, and on Fridays there is fish.",
}


@pytest.fixture
async def wiki(database: Database) -> AsyncGenerator[SmallWiki]:
    wiki = await SmallWiki.open(database)
    for page_id, text in PAGES.items():
        await wiki.put(in_its_language(page(page_id, "Page"), text), text)
    await wiki.store.settle()
    yield wiki


async def test_words_are_found_as_people_write_them(wiki: SmallWiki) -> None:
    expected = {
        "Zurich": "zurich",
        "Zürich": "zurich",
        "ZÜRICH gross": "zurich",
        "cafe": "cafe",
        "Café": "cafe",
        "securite": "cafe",
        "configuracion": "config",
        "deplyoment": "deploy",
        "depoyment": "deploy",
        "deploynent": "deploy",
        "deploymment": "deploy",
        "serevr": "deploy",
        "deplomant": "deploy",
        "rolled back deplyoment of serevrs": "deploy",
        "Zuirch": "zurich",
        "Kündgungsfrist": "notice",
        "Frist Kündigung": "notice",
        "Fristen der Kündigung": "notice",
        "Datensicherung": "backup",
        "Wie läuft die Datensicherung?": "backup",
    }

    found = {question: (await wiki.found(question))[:1] for question in expected}

    assert found == {question: [page_id] for question, page_id in expected.items()}


@pytest.mark.parametrize("query", ["hxyd", "TB4032", "deployx1", "dply", "xyz", "fishing rods"])
async def test_other_words_are_no_typing_errors(wiki: SmallWiki, query: str) -> None:
    assert "deploy" not in await wiki.found(query)


async def test_a_word_that_is_there_is_not_taken_for_another(wiki: SmallWiki) -> None:
    await wiki.put(page("severs"), "A storm severs the line to the outer islands.")

    assert await wiki.found("severs") == ["severs"]


async def test_the_more_frequent_of_near_words_are_meant(wiki: SmallWiki) -> None:
    for number, words in enumerate(["marked", "market market", "marker", "parked", "market"]):
        await wiki.put(page(f"m{number}"), f"{words} and more")
    await wiki.store.settle()

    found = await wiki.found("marken")

    assert {"m1", "m4"} <= set(found)
    assert "m3" not in found


async def test_a_word_of_hidden_pages_alone_is_forgiven_like_one_of_none(wiki: SmallWiki) -> None:
    await wiki.put(page("secret"), "the serber project, serber budget and serber plans")
    await wiki.store.settle()
    await wiki.rows(
        "UPDATE page SET audience_id = NULL WHERE page_id <> 'secret' RETURNING page_id"
    )
    await wiki.rows("UPDATE space SET restrictions_at = 'infinity' RETURNING id")
    await wiki.rows(
        """WITH made AS (
               INSERT INTO guard (site_id, kind, external_id, checked_at)
               SELECT 1, kind, CASE kind WHEN 'space' THEN 'ENG' ELSE '' END, 'infinity'
               FROM unnest(ARRAY['site', 'space']) AS kind RETURNING id)
           INSERT INTO guard_principal SELECT 'class:everybody', id FROM made RETURNING guard_id"""
    )

    async def found(asker: Asker) -> list[str]:
        result = await wiki.searcher.search(asker, "serber", dense_share=0.0)
        return [hit.page.page_id for hit in result.hits if hit.score > 0]

    assert await found(CRAWLER) == ["secret"]
    assert await found(Asker("somebody", ())) == ["deploy"]


async def test_writers_of_the_same_new_words_do_not_wait_for_each_other(wiki: SmallWiki) -> None:
    async def add(connection: AsyncConnection[TupleRow], *words: str) -> None:
        values = {"words": list(words), "configurations": ["english"] * len(words)}
        await connection.execute(ADD_WORDS, values)

    async with (
        wiki.database.pool.connection() as one,
        wiki.database.pool.connection() as other,
    ):
        await add(one, "quokka", "wombat")
        async with asyncio.timeout(20):
            await add(other, "wombat", "quokka")
            await other.commit()
            await add(one, "echidna")

    rows = await wiki.rows("SELECT DISTINCT word FROM vocabulary WHERE word ~ '^(quo|wom|ech)'")
    assert {word for (word,) in rows} == {"quokka", "wombat", "echidna"}


async def test_many_writers_at_once_leave_every_word(wiki: SmallWiki) -> None:
    words = ["quokka", "wombat", "echidna", "numbat", "bilby"]

    async with asyncio.TaskGroup() as writers:
        for number in range(8):
            turned = words[number % 5 :] + words[: number % 5]
            writers.create_task(wiki.put(page(f"w{number}"), " ".join(turned)))
    await wiki.put(page("w0", version=2), " ".join(words) + " again")
    await wiki.store.settle()

    rows = await wiki.rows(
        "SELECT word, count(DISTINCT term_id) FROM vocabulary"
        " WHERE word = ANY(%(words)s::text[]) GROUP BY word",
        words=words,
    )
    assert sorted(rows) == [(word, 1) for word in sorted(words)]
    assert len(await wiki.found("quokak")) == 8


async def test_a_known_word_is_stored_once(wiki: SmallWiki) -> None:
    before = await wiki.rows("SELECT count(*) FROM vocabulary")

    await wiki.put(page("again"), PAGES["deploy"])

    assert await wiki.rows("SELECT count(*) FROM vocabulary") == before
    assert await wiki.rows("SELECT word FROM vocabulary WHERE term_id IS NULL AND word = 'when'")


@pytest.mark.parametrize(
    "question",
    [
        " ".join(f"wort{chr(97 + n % 26)}{chr(97 + n // 26)}frist" for n in range(1_600)),
        "Kündigungsfrist " * 1_200,
        "k" * MAX_QUERY,
        "serevr " * 2_500,
    ],
)
async def test_what_is_added_to_a_long_question_is_bounded(wiki: SmallWiki, question: str) -> None:
    values = {"query": searchable(question[:MAX_QUERY]), "configurations": ["german", "english"]}
    async with wiki.database.pool.connection() as connection:
        await connection.execute("SELECT set_config('confluence_mcp.asker', 'everything', true)")
        await connection.execute("SET LOCAL statement_timeout = '10s'")
        terms = await (await connection.execute(TERMS, values)).fetchall()

    assert sum(factor < 1 for _, factor in terms) <= 100
    assert len({term_id for term_id, _ in terms}) == len(terms)


async def test_without_the_extension_one_error_in_a_word_is_forgiven(
    postgres: Postgres, empty_database_url: str, index_settings: IndexSettings
) -> None:
    name = conninfo_to_dict(empty_database_url)["dbname"]
    postgres.run("REVOKE CREATE ON DATABASE {} FROM {}", str(name), DATABASE)
    settings = index_settings.model_copy(update={"postgres_url": SecretStr(empty_database_url)})

    async with Database.open(settings, application_name="tests") as database:
        wiki = await SmallWiki.open(database)
        await wiki.put(page("deploy"), PAGES["deploy"])
        await wiki.store.settle()

        assert await wiki.rows("SELECT FROM pg_extension WHERE extname = 'fuzzystrmatch'") == []
        assert await wiki.found("deplomant") == []
        assert await wiki.found("deplyoment") == ["deploy"]
