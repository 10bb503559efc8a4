"""What a search makes of a reranker's scores, and of its failures."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from index.access import CRAWLER
from index.database import Database
from index.errors import RerankingError
from index.reranker_choice import open_reranker
from index.reranking import FIRST, NOT_RERANKED, Reranking
from index.results import Hit, SearchResult
from index.search import BLOCK, Searcher
from tests.index.rerank_endpoint import rerank_endpoint
from tests.index.similar_pages import LEAVE, hit
from tests.index.small_wiki import SmallWiki, page

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class GivenScores:
    """A reranker that gives the number at the end of a passage, unless it is told otherwise."""

    name: str = "given"
    answer: list[float] | RerankingError | None = None
    asked: list[list[str]] = field(default_factory=list[list[str]])

    async def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """The numbers."""
        self.asked.append(list(passages))
        if isinstance(self.answer, RerankingError):
            raise self.answer
        return self.answer or [float(passage.split()[-1]) for passage in passages]

    async def close(self) -> None:
        """Nothing to release."""


def hits(*scores: float) -> list[Hit]:
    return [hit(str(n), f"Page {n}", f"text {score}") for n, score in enumerate(scores, start=1)]


def ids(found: Sequence[Hit]) -> list[str]:
    return [one.page.page_id for one in found]


async def test_hits_are_in_the_order_of_the_model_and_equals_in_their_own() -> None:
    given = hits(0.5, 0.9, 0.5, -2, 0.9)

    reordered = await Reranking(GivenScores()).reordered("query", given)

    assert ids(reordered.hits) == ["2", "5", "1", "3", "4"]
    assert [one.score for one in reordered.hits] == [one.score for one in given]
    assert reordered.notes == ()


async def test_a_passage_is_read_with_its_title_and_only_the_first_ones_are() -> None:
    reranker = GivenScores()
    given = hits(*range(FIRST + 5))

    reordered = await Reranking(reranker).reordered("query", given)

    assert reranker.asked[0][0] == "Page 1\ntext 0"
    assert len(reranker.asked[0]) == FIRST
    assert ids(reordered.hits) == [*ids(given[:FIRST])[::-1], *ids(given[FIRST:])]


async def test_one_hit_needs_no_model() -> None:
    reranker = GivenScores()

    for given in ([], hits(1)):
        assert (await Reranking(reranker).reordered("query", given)).hits == given

    assert reranker.asked == []


@pytest.mark.parametrize(
    "answer", [RerankingError("HTTP 500"), [1.0], [1.0, 2.0, 3.0, 4.0], [1.0, math.nan, 2.0]]
)
async def test_a_failure_leaves_the_order_and_is_told(
    answer: list[float] | RerankingError, caplog: pytest.LogCaptureFixture
) -> None:
    given = hits(1, 2, 3)

    with caplog.at_level(logging.WARNING):
        reordered = await Reranking(GivenScores(answer=answer)).reordered("my question", given)

    assert (reordered.hits, reordered.notes) == (given, (NOT_RERANKED,))
    assert "not re-ranked" in caplog.text
    assert "my question" not in caplog.text
    assert "text" not in caplog.text


async def test_a_model_that_failed_is_left_alone_for_a_while() -> None:
    reranker = GivenScores(answer=RerankingError("HTTP 500"))
    patient, eager = Reranking(reranker, pause=1e9), Reranking(reranker, pause=0)
    for reranking in (patient, eager):
        await reranking.reordered("query", hits(1, 2))
    reranker.answer = None

    assert ids((await patient.reordered("query", hits(1, 2))).hits) == ["1", "2"]
    assert ids((await eager.reordered("query", hits(1, 2))).hits) == ["2", "1"]


async def test_an_answer_is_known_for_the_next_part_even_when_the_model_fails_then() -> None:
    reranker = GivenScores()
    reranking = Reranking(reranker)
    first = await reranking.reordered("query", hits(1, 2))
    reranker.answer = RerankingError("HTTP 500")

    assert await reranking.reordered("query", hits(1, 2)) == first
    assert (await reranking.reordered("another", hits(1, 2))).notes == (NOT_RERANKED,)


async def filled(database: Database, total: int) -> SmallWiki:
    wiki = await SmallWiki.open(database)
    for n in range(total):
        await wiki.put(page(str(n), f"Page {n}"), f"alpha{' alpha' * (n % 9)} {n * 37 % 101}")
    return wiki


async def parts(searcher: Searcher, limit: int) -> list[Hit]:
    found: list[Hit] = []
    offset: int | None = 0
    while offset is not None:
        part = await searcher.search(CRAWLER, "alpha", limit=limit, offset=offset)
        found += part.hits
        offset = part.following
    return found


async def test_a_search_is_reranked_once_and_paged_without_gaps_or_repeats(
    database: Database,
) -> None:
    total = BLOCK + 10
    wiki = await filled(database, total)
    plain = (await wiki.searcher.search(CRAWLER, "alpha", limit=total)).hits
    reranker = GivenScores()
    searcher = Searcher(database, wiki.chosen, reranker)

    whole = (await searcher.search(CRAWLER, "alpha", limit=total)).hits

    assert sorted(ids(whole[:FIRST])) == sorted(ids(plain[:FIRST]))
    numbers = [float(one.passages[0].body.split()[-1]) for one in whole[:FIRST]]
    assert numbers == sorted(numbers, reverse=True)
    assert ids(whole[FIRST:]) == ids(plain[FIRST:])
    for limit in (1, 8, FIRST, BLOCK):
        assert await parts(searcher, limit) == list(whole)
    assert len(reranker.asked) == 1


async def test_a_search_outlives_its_reranker(database: Database) -> None:
    wiki = await filled(database, 12)
    failing = Searcher(database, wiki.chosen, GivenScores(answer=RerankingError("HTTP 500")))

    plain = await wiki.searcher.search(CRAWLER, "alpha")
    found = await failing.search(CRAWLER, "alpha")

    assert found == SearchResult(plain.hits, plain.total, (NOT_RERANKED,), plain.following)


async def test_only_the_current_one_of_copies_is_read(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    for n, title in enumerate(("Vacation", "Vacation (old)", "Holidays"), start=1):
        text = f"{LEAVE} {n}" if n < 3 else "No vacation on holidays. 3"
        await wiki.put(page(str(n), title, markdown=text, version=n), text)
    reranker = GivenScores()

    found = await Searcher(database, wiki.chosen, reranker).search(CRAWLER, "vacation")

    assert len(reranker.asked[0]) == len(found.hits) == 2


async def test_an_endpoint_orders_a_search(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    await wiki.put(page("1", "First"), "alpha alpha alpha")
    await wiki.put(page("2", "Second"), "alpha wanted by the model")

    async with rerank_endpoint("tei") as endpoint:
        endpoint.score = lambda _, passage: float("wanted" in passage)
        async with open_reranker(endpoint.url) as reranker:
            searcher = Searcher(database, wiki.chosen, reranker)
            found = await searcher.search(CRAWLER, "alpha", dense_share=0)
    plain = await wiki.searcher.search(CRAWLER, "alpha", dense_share=0)

    assert (ids(plain.hits), ids(found.hits)) == (["1", "2"], ["2", "1"])
