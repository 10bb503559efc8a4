"""Phrases in quotation marks stand in what is found word for word."""

from collections.abc import AsyncGenerator

import pytest

from index.database import Database
from index.language import configuration_of, likely_languages, searchable
from index.phrases import MAX_PHRASE, MAX_PHRASES, PHRASED, phrase_values, phrases_in
from index.question_terms import QUESTION_TERMS
from index.records import Chunk
from tests.index.small_wiki import SmallWiki, in_its_language, page

STATEMENT = (
    "WITH " + QUESTION_TERMS + PHRASED + "ended AS (SELECT 1)"
    " SELECT is_asked, page_id FROM phrasing LEFT JOIN ("
    "  phrased JOIN page USING (page_ref)) ON true ORDER BY page_id"
)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('"connection pool exhausted" timeout', ["connection pool exhausted"]),
        ('a "b c" and "d"', ["b c", "d"]),
        ("„Frist wahren“ und «tout court» und »so so« und “one two”", [
            "Frist wahren", "tout court", "so so", "one two"]),
        ("「接続プール」と『再起動』", ["接続プール", "再起動"]),
        ('数据库"连接池"耗尽', ["连接池"]),
        ('an unbalanced " mark', []),
        ('a 19" rack and a 24" screen', []),
        ('" spaced "', []),
        ('""', []),
        ("it's the team's", []),
        (f'"{"x" * (MAX_PHRASE + 1)}"', []),
        ('"a b" ' * 100, ["a b"] * MAX_PHRASES),
    ],
)  # fmt: skip
def test_phrases_are_what_stands_in_quotation_marks(text: str, phrases: list[str]) -> None:
    assert phrases_in(text) == phrases


@pytest.mark.parametrize("text", ["no marks", '"..."', '"\x00"', "", '"' * 20_001, "„" * 9_999])
def test_a_question_without_phrases_has_none(text: str) -> None:
    assert phrase_values(text) == {"phrases": None, "phrase_words": None}


def test_words_are_what_every_chunk_with_the_phrase_is_found_by() -> None:
    values = phrase_values('"Fixed in v2.3.1: pool/exhausted" "v2.3.1" "東京タワー"')

    assert values == {
        "phrases": ["Fixed in v2.3.1: pool/exhausted", "v2.3.1", "東京タワー"],
        "phrase_words": ["fixed in pool exhausted", "2.3.1 v231", "東京 京タ タワ ワー"],
    }


@pytest.fixture
async def wiki(database: Database) -> AsyncGenerator[SmallWiki]:
    wiki = await SmallWiki.open(database)
    texts = {
        "phrase": "When the **Connection [pool](https://example.com/pool)\nexhausted** error is.",
        "apart": "The pool is exhausted by every connection.",
        "other": "Connection pooling exhausts the timeout of the exhausted pool connection.",
        "german": "Die Zürcher Größe zählt, und der Vertrag gilt für die Büros in Zürich.",
        "chinese": "数据库连接池耗尽时需要\n重新启动服务器。",
        "versions": "Fixed in v2.3.1 (TB-4031): the pool/exhausted state.",
        "question": "To be, or not to be, that is the question.",
    }
    for page_id, text in texts.items():
        await wiki.put(in_its_language(page(page_id, "Page"), text), text)
    titled = Chunk(0, ("Rolling back", "By hand"), "", "Ask the owner first.")
    await wiki.put(page("titled", "Deploying the harbour"), titled)
    await wiki.store.settle()
    yield wiki


async def _found(wiki: SmallWiki, question: str, asker: str = "everything") -> list[str] | None:
    """Pages of chunks with the phrases; None where the question has no phrase."""
    languages = likely_languages(question)
    values = phrase_values(question) | {
        "query": searchable(question),
        "configurations": sorted({configuration_of(language) for language in languages}),
        "asker": asker,
    }
    async with wiki.database.pool.connection() as connection:
        await connection.execute(
            "SELECT set_config('confluence_mcp.asker', %(asker)s, true)", values
        )
        rows = await (await connection.execute(STATEMENT, values)).fetchall()
    return [page_id for _, page_id in rows if page_id] if rows[0][0] else None


@pytest.mark.anyio
async def test_only_what_has_the_phrase_word_for_word_is_found(wiki: SmallWiki) -> None:
    expected = {
        '"connection pool exhausted" timeout': ["phrase"],
        '"CONNECTION   pool, exhausted"': ["phrase"],
        '"pool exhausted connection"': [],
        '"pool exhausted"': ["phrase", "versions"],
        '"pool exhausted" "connection pool"': ["phrase"],
        '"pool exhausted" "by every connection"': [],
        '"exhaust"': [],
        '"die zurcher grosse" zählt was': ["german"],
        "„der Vertrag gilt“ für wen": ["german"],
        '"连接池"': ["chinese"],
        '"连接池耗尽" 数据库': ["chinese"],
        '"池连接"': [],
        '"v2.3.1"': ["versions"],
        '"TB-4031"': ["versions"],
        '"tb 4031"': ["versions"],
        '"fixed in v2.3.1"': ["versions"],
        '"deploying the harbour"': ["titled"],
        '"by hand" of the owner': ["titled"],
        '"the harbour rolling"': [],
        '"hand ask"': [],
        "no phrase at all": None,
    }

    found = {question: await _found(wiki, question) for question in expected}

    assert found == expected


@pytest.mark.anyio
async def test_a_phrase_of_stop_words_alone_counts_as_plain_words(wiki: SmallWiki) -> None:
    assert await _found(wiki, 'what is "to be or not to be" in the play of the year') is None


@pytest.mark.anyio
async def test_phrases_of_hidden_pages_are_not_found(wiki: SmallWiki) -> None:
    assert await _found(wiki, '"pool exhausted"', asker="{}") == []
    await wiki.store.tombstone(["versions"])
    assert await _found(wiki, '"pool exhausted"') == ["phrase"]
