"""Asking the index: both legs, their fusion, filters and paging."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.access import CRAWLER
from index.database import Database
from index.embeddings import Vector
from index.records import Chunk, ChunkKind, ContentType, State
from index.results import Filters, Hit
from index.search import ACROSS_SHARE, DENSE_SHARE, FOREIGN_SHARE, NOT_WORD_FOR_WORD, Searcher
from index.store import forget_site
from tests.index.plain_search import (
    PlainChunk,
    chunk_scores,
    dense_leg,
    lexical_leg,
    page_scores,
    scaled,
)
from tests.index.small_wiki import (
    SITE,
    GivenVectors,
    SmallWiki,
    attachment,
    chunks_of,
    comment,
    page,
    update,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


async def plain_chunks(wiki: SmallWiki, numbers: dict[str, list[float]]) -> list[PlainChunk]:
    """The stored chunks; `numbers` are the given vectors by the text of the body."""
    rows = await wiki.rows(
        "SELECT chunk_id, page_id, body, ARRAY(SELECT lexeme FROM"
        " unnest(to_tsvector('english', title || ' ' || body)) AS word, unnest(word.positions))"
        " FROM chunk JOIN page USING (page_ref)"
    )
    return [
        PlainChunk(chunk_id, page_id, terms, unit(numbers[body]))
        for chunk_id, page_id, body, terms in rows
    ]


def unit(numbers: Sequence[float]) -> Vector:
    vector = np.array(numbers, dtype=np.float32)
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


# Directions whose cosines are either the same to the last bit or well apart.
NUMBERS = st.sampled_from(
    [
        *([1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 1.0, 0, 0], [1.0, 2.0, 0, 0]),
        *([2.0, 1.0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 0, 1.0, -2.0]),
    ]
)
WORDS = st.sampled_from(["deploy", "rollback", "vpn", "backup", "incident"])
BODIES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
CORPORA = st.lists(
    st.lists(st.tuples(BODIES, NUMBERS), min_size=1, max_size=3), min_size=1, max_size=5
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    corpus=CORPORA,
    asked=st.lists(st.sampled_from(["deploy", "vpn", "backups", "unknown"]), max_size=2),
    numbers=NUMBERS,
    dense_share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
async def test_scores_are_those_of_a_plain_search(
    database: Database,
    corpus: list[list[tuple[str, list[float]]]],
    asked: list[str],
    numbers: list[float],
    dense_share: float,
) -> None:
    await forget_site(database, None)
    given_numbers: dict[str, list[float]] = {}
    embedder = GivenVectors(lambda text: given_numbers.get(text.partition("\n")[2], numbers))
    wiki = await SmallWiki.open(database, embedder)
    for at, chunks in enumerate(corpus):
        bodies = [f"{body} x{at}x{place}" for place, (body, _) in enumerate(chunks)]
        given_numbers |= {body: chunk[1] for body, chunk in zip(bodies, chunks, strict=True)}
        await wiki.put(page(str(at)), *bodies)
    await wiki.store.settle()
    question = " ".join([*asked, "?"])

    found = await wiki.searcher.search(
        CRAWLER, question, limit=50, passages=5, dense_share=dense_share
    )

    chunks = await plain_chunks(wiki, given_numbers)
    stems = {"backups": "backup"}
    lexical = lexical_leg(chunks, [stems.get(word, word) for word in asked])
    legs = scaled(dense_leg(chunks, unit(numbers)), lexical, dense_share)
    assert {hit.page.page_id: hit.score for hit in found.hits} == pytest.approx(
        page_scores(chunks, *legs), rel=1e-3, abs=1e-3
    )
    assert {
        passage.chunk_id: passage.score for hit in found.hits for passage in hit.passages
    } == pytest.approx(chunk_scores(*legs), rel=1e-3, abs=1e-3)
    assert_best_first(found.hits)


def assert_best_first(hits: Sequence[Hit]) -> None:
    """Hits by falling score, and the passages of each by falling score."""
    for scores in ([hit.score for hit in hits], *([p.score for p in hit.passages] for hit in hits)):
        assert scores == sorted(scores, reverse=True)


async def test_the_vector_leg_gives_the_order_of_cosines(database: Database) -> None:
    random = np.random.default_rng(1)
    numbers = {f"body {at}": random.standard_normal(64).tolist() for at in range(60)}
    asked: list[float] = random.standard_normal(64).tolist()
    embedder = GivenVectors(lambda text: numbers.get(text.partition("\n")[2], asked))
    wiki = await SmallWiki.open(database, embedder)
    for at, body in enumerate(numbers):
        await wiki.put(page(str(at)), body)

    found = await wiki.searcher.search(CRAWLER, "question", limit=50, dense_share=1.0)

    chunks = [PlainChunk(at, body, [], unit(numbers[body])) for at, body in enumerate(numbers)]
    cosines = dense_leg(chunks, unit(asked))
    expected = sorted(cosines, key=lambda chunk_id: -cosines[chunk_id])
    assert [hit.page.page_id for hit in found.hits] == [str(at) for at in expected[:50]]
    assert found.total == 60


async def test_a_leg_of_one_hit_gives_it_its_whole_share(wiki: SmallWiki) -> None:
    for number, body in enumerate(["red apple", "green pear", "yellow plum"]):
        await wiki.put(page(str(number)), body)

    (best, *others) = (await wiki.searcher.search(CRAWLER, "plum", dense_share=0.25)).hits

    assert (best.page.page_id, best.score) == ("2", pytest.approx(1.0))
    assert all(hit.score <= 0.25 for hit in others)


async def test_a_question_without_known_words_is_answered_by_vectors(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")
    await wiki.put(page("2"), "beta")

    for query in ("the of and", "zzz", "?!", "🚀"):
        found = await wiki.searcher.search(CRAWLER, query)

        assert found.total == 2
        assert max(hit.score for hit in found.hits) <= DENSE_SHARE


async def test_pages_are_ranked_whole_and_show_their_best_passages(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "filler", "deploy the deploy", "deploy", "other words")
    await wiki.put(page("2"), "nothing here")

    (hit, _) = (await wiki.searcher.search(CRAWLER, "deploy", passages=2, dense_share=0.0)).hits

    assert [passage.body for passage in hit.passages] == ["deploy the deploy", "deploy"]
    assert hit.score == pytest.approx(1.0)


async def test_a_passage_opens_at_its_heading(wiki: SmallWiki) -> None:
    await wiki.put(page(), Chunk(0, ("Setup", "Linux"), "setup-linux", "alpha"), "top")

    (hit,) = (await wiki.searcher.search(CRAWLER, "linux", passages=2)).hits

    assert hit.passages[0].heading_path == ("Setup", "Linux")
    assert [passage.url for passage in hit.passages] == [
        hit.page.url + "#setup-linux",
        hit.page.url,
    ]


@pytest.mark.parametrize(
    ("languages", "share"),
    [(None, DENSE_SHARE), ({"en", "de"}, DENSE_SHARE), ({"en"}, FOREIGN_SHARE)],
)
async def test_vectors_count_for_less_where_the_model_does_not_understand(
    database: Database, languages: set[str] | None, share: float
) -> None:
    understood = frozenset(languages) if languages else None
    wiki = await SmallWiki.open(database, GivenVectors(languages=understood))
    await wiki.put(page("1", "Urlaub", language="de"), "Der Urlaub wird im Portal beantragt.")
    await wiki.put(page("2", "Kantine", language="de"), "Heute gibt es wie immer Suppe.")

    asked = await wiki.searcher.search(CRAWLER, "Wie beantrage ich meinen Erholungsurlaub?")
    mixed = await wiki.searcher.search(CRAWLER, "wie kubectl get pods")

    assert asked.hits[0].score == pytest.approx(share)
    assert mixed.hits[0].score == pytest.approx(DENSE_SHARE)


async def test_vectors_count_for_more_where_no_page_is_in_the_language_of_the_question(
    database: Database,
) -> None:
    wiki = await SmallWiki.open(database, GivenVectors())
    await wiki.put(page("1", "Urlaub", language="de"), "Der Urlaub wird im Portal beantragt.")
    await wiki.put(page("2", "Kantine", language="de"), "Heute gibt es wie immer Suppe.")

    whole = await wiki.searcher.search(CRAWLER, "Where should I apply for my next vacation?")
    words = await wiki.searcher.search(CRAWLER, "vacation approval")

    assert whole.hits[0].score == pytest.approx(ACROSS_SHARE)
    assert words.hits[0].score == pytest.approx(DENSE_SHARE)


async def test_a_quoted_phrase_is_found_word_for_word_under_the_filters(wiki: SmallWiki) -> None:
    exact, apart = "The connection pool is exhausted.", "A pool exhausted its connection."
    await wiki.put(page("1"), exact, "Another part.")
    await wiki.put(page("2"), apart)
    await wiki.put(page("3", space_key="HR"), f"Once more: {exact}")
    await wiki.store.settle()
    question = '"connection pool" exhausted'

    anywhere = await wiki.searcher.search(CRAWLER, question, passages=3)
    in_space = await wiki.searcher.search(CRAWLER, question, Filters(spaces=("HR",)))

    assert {hit.page.page_id for hit in anywhere.hits} == {"1", "3"}
    assert all(exact in passage.body for hit in anywhere.hits for passage in hit.passages)
    assert [hit.page.page_id for hit in in_space.hits] == ["3"]
    assert (anywhere.notes, anywhere.total) == ((), 2)


async def test_without_its_phrase_a_question_is_answered_by_its_words(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "A pool exhausted its connection.")
    await wiki.store.settle()

    found = await wiki.searcher.search(CRAWLER, '"connection pool" exhausted')

    assert [hit.page.page_id for hit in found.hits] == ["1"]
    assert found.notes == (NOT_WORD_FOR_WORD,)


async def everything(wiki: SmallWiki, filters: Filters) -> set[str]:
    hits = (await wiki.searcher.search(CRAWLER, "alpha", filters, limit=50)).hits
    return {hit.page.page_id for hit in hits}


async def fill_for_filters(wiki: SmallWiki) -> None:
    newer = datetime(2026, 6, 1, tzinfo=UTC)
    varied = [
        page("1", labels=("howto",), author="Ada Lovelace"),
        page("2", labels=("howto", "network"), ancestors=("1",), updated_at=newer),
        page("3", ancestors=("1", "2"), author="Robert Noyce", updated_at=newer),
        page("4", content_type=ContentType.BLOGPOST, labels=("network",), space_key="HR"),
        page("5", space_key="HR", ancestors=("12",), author="ADA"),
        page("6", space_key="HR", state=State.ARCHIVED, labels=("howto",), updated_at=newer),
        page("7", state=State.TOMBSTONED, labels=("howto", "network"), ancestors=("1",)),
    ]
    for one in varied:
        await wiki.put(one, "alpha")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), "123456"),
        (Filters(spaces=("HR",)), "456"),
        (Filters(spaces=("eng", "HR", "NONE")), "123456"),
        (Filters(spaces=("NONE",)), ""),
        (Filters(labels=("HowTo",)), "126"),
        (Filters(labels=("howto", "network")), "2"),
        (Filters(content_types=(ContentType.BLOGPOST,)), "4"),
        (Filters(content_types=(ContentType.BLOGPOST, ContentType.PAGE)), "123456"),
        (Filters(author="ada"), "15"),
        (Filters(author="%"), ""),
        (Filters(ancestor="1"), "123"),
        (Filters(ancestor="2"), "23"),
        (Filters(ancestor="12"), "5"),
        (Filters(ancestor="7"), ""),
        (Filters(updated_after=datetime(2026, 1, 1, tzinfo=UTC)), "236"),
        (Filters(updated_after=datetime(2026, 6, 1, tzinfo=UTC)), ""),
        (Filters(spaces=("HR",), labels=("howto",)), "6"),
        (Filters(labels=("a\x00b\ud800",), author="\x00", spaces=("\x00",), ancestor="\x00"), ""),
    ],
)
async def test_filters_leave_only_what_they_name(
    wiki: SmallWiki, filters: Filters, expected: str
) -> None:
    await fill_for_filters(wiki)

    assert await everything(wiki, filters) == set(expected)


async def fill_with_parts(wiki: SmallWiki) -> None:
    """A page of all parts, one with a comment of another word, one of a body alone."""
    talk, plan = comment("7"), attachment("8", filename="plan.pdf")
    await wiki.write(
        update(
            "1",
            page=page("1"),
            comments=[talk],
            attachments=[plan],
            chunks=[
                Chunk(0, ("Setup",), "setup", "alpha body"),
                *chunks_of(talk, "alpha talk"),
                *chunks_of(plan, "alpha sheet"),
            ],
        )
    )
    await wiki.write(
        update(
            "2",
            page=page("2", space_key="OPS"),
            comments=[comment("9")],
            chunks=[Chunk(0, (), "", "alpha"), *chunks_of(comment("9"), "beta")],
        )
    )
    await wiki.put(page("3"), "alpha")


async def test_a_passage_opens_what_it_is_of(wiki: SmallWiki) -> None:
    await fill_with_parts(wiki)

    (hit,) = (await wiki.searcher.search(CRAWLER, "alpha", Filters(ancestor="1"), passages=5)).hits

    assert {(one.body, one.kind, one.url, one.attachment) for one in hit.passages} == {
        ("alpha body", ChunkKind.BODY, f"{SITE}/pages/1#setup", None),
        ("alpha talk", ChunkKind.COMMENT, comment("7").url, None),
        ("alpha sheet", ChunkKind.ATTACHMENT, attachment("8").url, "plan.pdf"),
    }


OF_BODIES = {"alpha body", "alpha"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(kinds=(ChunkKind.BODY,)), OF_BODIES),
        (Filters(kinds=(ChunkKind.COMMENT,)), {"alpha talk", "beta"}),
        (Filters(kinds=(ChunkKind.ATTACHMENT,)), {"alpha sheet"}),
        (Filters(kinds=(ChunkKind.ATTACHMENT, ChunkKind.BODY)), {"alpha sheet", *OF_BODIES}),
        (Filters(kinds=(ChunkKind.ATTACHMENT,), spaces=("OPS",)), set[str]()),
        (Filters(kinds=(ChunkKind.COMMENT,), spaces=("OPS",)), {"beta"}),
    ],
)
@pytest.mark.parametrize("dense_share", [0.0, 0.5, 1.0])
async def test_only_passages_of_the_kinds_asked_for_are_found(
    wiki: SmallWiki, filters: Filters, expected: set[str], dense_share: float
) -> None:
    await fill_with_parts(wiki)
    await wiki.store.settle()

    found = await wiki.searcher.search(
        CRAWLER, "alpha beta", filters, limit=50, passages=5, dense_share=dense_share
    )

    bodies = {passage.body for hit in found.hits for passage in hit.passages}
    assert bodies == expected
    assert found.total == len(found.hits)


async def test_filters_together_leave_what_each_of_them_leaves(wiki: SmallWiki) -> None:
    await fill_for_filters(wiki)
    choices: list[list[dict[str, object]]] = [
        [{}, {"spaces": ("ENG",)}],
        [{}, {"labels": ("howto",)}],
        [{}, {"content_types": (ContentType.PAGE,)}],
        [{}, {"author": "Ada"}],
        [{}, {"ancestor": "1"}],
        [{}, {"updated_after": datetime(2026, 3, 1, tzinfo=UTC)}],
    ]
    single = {
        name: await everything(wiki, Filters(**{name: value}))  # pyright: ignore[reportArgumentType]: names and values go together
        for _, choice in choices
        for name, value in choice.items()
    }

    for chosen in itertools.product(*choices):
        together = {name: value for choice in chosen for name, value in choice.items()}

        found = await everything(wiki, Filters(**together))  # pyright: ignore[reportArgumentType]: as above

        assert found == set("123456").intersection(*(single[name] for name in together))


async def test_results_are_paged_without_gaps_or_repeats(wiki: SmallWiki) -> None:
    for number in range(10):
        await wiki.put(page(str(number)), "alpha " * (1 + number % 3), f"own{number}")

    whole = await wiki.searcher.search(CRAWLER, "alpha", limit=50)
    parts = [
        await wiki.searcher.search(CRAWLER, "alpha", limit=3, offset=at) for at in range(0, 12, 3)
    ]

    assert [hit for part in parts for hit in part.hits] == list(whole.hits)
    assert {part.total for part in parts} == {whole.total} == {10}


async def test_past_the_end_there_is_nothing_but_the_total(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")

    past = await wiki.searcher.search(CRAWLER, "alpha", offset=5)

    assert (past.hits, past.total, past.notes) == ((), 1, ())


async def test_notes_say_why_nothing_is_found(wiki: SmallWiki) -> None:
    empty = await wiki.searcher.search(CRAWLER, "alpha")
    await wiki.put(page("1"), "alpha")
    await wiki.put(page("2", space_key="OPS"), "alpha")
    no_space = await wiki.searcher.search(
        CRAWLER, "alpha", Filters(spaces=("ENGG", "ops"), author="x")
    )
    no_match = await wiki.searcher.search(CRAWLER, "alpha", Filters(author="nobody"))
    await wiki.store.tombstone(["1", "2"])
    all_hidden = await wiki.searcher.search(CRAWLER, "alpha")

    assert empty.notes == ("The index is empty: run `confluence-mcp ingest` to fill it.",)
    assert no_space.notes == ("No space ENGG here. Spaces: ENG, OPS.",)
    assert no_match.notes == ("Nothing matches these filters: leave some out.",)
    assert all_hidden == empty


async def test_an_index_never_filled_says_so(database: Database) -> None:
    async def choose(_: str) -> GivenVectors:
        return GivenVectors()

    found = await Searcher(database, choose).search(CRAWLER, "alpha")

    assert (found.hits, found.total) == ((), 0)
    assert found.notes == ("The index is empty: run `confluence-mcp ingest` to fill it.",)
