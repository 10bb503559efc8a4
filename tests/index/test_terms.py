"""Words of chunks as BM25 weights."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.database import Database
from index.terms import bm25_weights, term_counts, vocabulary_of
from tests.index.generated_index import term_id
from tests.index.plain_search import bm25_weight
from tests.index.small_wiki import SmallWiki, page


@given(st.dictionaries(st.integers(1, 1_000_000_000), st.integers(1, 300), max_size=50))
def test_weights_are_the_term_frequency_part_of_bm25(counts: dict[int, int]) -> None:
    stored = bm25_weights(counts)

    length = sum(counts.values())
    expected = {term - 1: bm25_weight(tf, length) for term, tf in counts.items()}
    assert dict(zip(stored.indices(), stored.values(), strict=True)) == pytest.approx(
        expected, rel=1e-6
    )
    assert stored.dimensions() == 1_000_000_000


@pytest.mark.anyio
async def test_words_are_counted_as_text_search_reads_them(database: Database) -> None:
    texts = ["The deploys, deploying deploy!", "", "Äpfel und TB-4031\x00", "the of and"]

    async with database.pool.connection() as connection:
        english = await term_counts(connection, ["english"] * 4, texts)
        simple = await term_counts(connection, ["simple"], texts[:1])

    assert english == [
        {term_id("english", "deploy"): 3},
        {},
        {term_id("english", word): 1 for word in ["apfel", "und", "tb", "4031", "tb4031"]},
        {},
    ]
    assert simple == [
        {term_id("simple", word): 1 for word in ["the", "deploys", "deploying", "deploy"]}
    ]


@pytest.mark.anyio
async def test_a_word_of_another_language_is_another_term(database: Database) -> None:
    async with database.pool.connection() as connection:
        (english,) = await term_counts(connection, ["english"], ["server"])
        (german,) = await term_counts(connection, ["german"], ["server"])

    assert english.keys().isdisjoint(german)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("one", "other"),
    [("Zürich", "zurich"), ("café", "cafe"), ("Straße", "strasse"), ("Łódź", "lodz"),
     ("Ærø", "aero"), ("đak", "dak"), ("Αθήνα", "αθηνα"), ("ёлка", "елка")],
)  # fmt: skip
async def test_words_that_differ_in_accents_alone_are_one_term(
    database: Database, one: str, other: str
) -> None:
    async with database.pool.connection() as connection:
        counts = await term_counts(connection, ["simple", "simple"], [one, other])

    assert counts[0] == counts[1]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("one", "other"), [("мой", "мои"), ("パン", "ハン"), ("की", "का"), ("น้ำ", "นำ")]
)
async def test_marks_that_make_another_letter_are_kept(
    database: Database, one: str, other: str
) -> None:
    async with database.pool.connection() as connection:
        counts = await term_counts(connection, ["simple", "simple"], [one, other])

    assert counts[0] != counts[1]


def test_each_word_of_a_configuration_is_told_once() -> None:
    words = vocabulary_of(["german", "english", "german"], ["der Server", "Server", "ein Server"])

    pairs = list(zip(words["words"], words["configurations"], strict=True))
    assert pairs == [
        ("der", "german"), ("ein", "german"), ("server", "english"), ("server", "german")
    ]  # fmt: skip
    assert vocabulary_of(["german"], ["4031 !"]) == {"words": [], "configurations": []}


@pytest.mark.anyio
async def test_stored_words_are_those_of_title_headings_and_body(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page(title="Backups"), "restoring the backups restores backup files")

    ((term_ids, weights),) = await wiki.rows("SELECT term_ids, weights::text FROM chunk_term")

    counts = Counter(
        {term_id("english", word): tf for word, tf in {"backup": 3, "restor": 2, "file": 1}.items()}
    )
    assert term_ids == sorted(counts)
    assert isinstance(weights, str)
    stored = dict(pair.split(":") for pair in weights.split("/")[0].strip("{}").split(","))
    assert {int(term): float(value) for term, value in stored.items()} == pytest.approx(
        {term: bm25_weight(tf, 6) for term, tf in counts.items()}, rel=1e-5
    )
