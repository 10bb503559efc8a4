"""Questions on an index that is there: what is asked, of whom, and what is told besides."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evals.asking import LEGS, TimedEmbedder
from evals.questions import Question
from evals.retrieval import Asked, evaluate
from evals.tables import table, unknown
from index.access import Asker
from index.database import Database
from index.embeddings import Embedder
from index.errors import BadRequest
from index.search import Searcher
from tests.index.small_wiki import SmallWiki, page

pytestmark = pytest.mark.anyio

NOBODY = Asker("ada", ())
QUESTIONS = [
    Question("ferry", "when does the ferry leave", {"1": 1}, places=(("1", ""),)),
    Question("tide", "how high is the tide", {"2": 1, "404": 1}, places=(("2", ""),)),
    Question("gone", "who was the captain", {"405": 1}, places=(("405", ""),)),
]


@pytest.fixture
async def asked(database: Database) -> Asked:
    """An index of two pages, and the search over it."""
    wiki = await SmallWiki.open(database)
    await wiki.put(page("1", "Ferry"), "the ferry does leave at nine")
    await wiki.put(page("2", "Tide"), "the tide is two metres high")
    await wiki.store.settle()
    embedder = TimedEmbedder(wiki.embedder)

    async def choose(_: str) -> Embedder:
        return embedder

    return Asked(database, Searcher(database, choose), embedder)


async def test_pages_that_the_index_does_not_know_are_told_and_cost_nothing(asked: Asked) -> None:
    run = await evaluate(asked, "ours", QUESTIONS, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    assert run.questions == ["ferry", "tide"]
    assert (run.left_out, run.unknown_pages) == (["gone"], ["404", "405"])
    assert all(run.legs[leg]["recall@5"] == [1.0, 1.0] for leg in LEGS)
    told = unknown(run)
    assert told is not None
    assert "(2 pages): 404, 405" in told
    assert "(1 questions): gone" in told


async def test_where_everything_is_known_nothing_is_told(asked: Asked) -> None:
    run = await evaluate(asked, "ours", QUESTIONS[:1])

    assert unknown(run) is None
    assert run.means["fused"]["place@5"].mean == 1.0


async def test_pages_that_are_not_shown_to_who_asks_are_no_misses_either(asked: Asked) -> None:
    unseen = Asked(asked.database, asked.searcher, asked.embedder, NOBODY)

    with pytest.raises(BadRequest, match="is in the index and shown to who asks"):
        await evaluate(unseen, "ours", QUESTIONS)


async def test_the_table_has_a_line_for_each_leg_and_names_what_was_not_found(
    asked: Asked,
) -> None:
    nowhere = Question("nowhere", "ferry", {"1": 1})
    run = await evaluate(asked, "ours", [nowhere])
    lost = run.model_copy(update={"legs": {"fused": {"nDCG@10": [0.0]}}})

    lines = table(lost).splitlines()

    assert lines[0] == "ours: 1 questions, model given"
    assert [line.split()[0] for line in lines[2:6]] == ["leg", *LEGS]
    assert lines[-1] == "Not among the first 10 (1): nowhere"


async def test_the_time_of_the_embedding_is_part_of_the_whole(asked: Asked) -> None:
    run = await evaluate(asked, "ours", QUESTIONS)

    times = run.times["fused"]
    assert 0 < times.embedding.p50 < times.total.p50
    assert times.search.p95 <= times.total.p95


class HighFirst:
    """A reranker to which every question is about what is high."""

    name = "high-first"

    async def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        return [float(passage.endswith("high")) for passage in passages]

    async def close(self) -> None:
        """Nothing to release."""


async def test_a_reranker_is_a_leg_of_its_own(asked: Asked) -> None:
    async def choose(_: str) -> Embedder:
        return asked.embedder

    reranked = Searcher(asked.database, choose, HighFirst())

    run = await evaluate(replace(asked, reranked=reranked), "ours", QUESTIONS)

    assert list(run.legs) == ["vector", "lexical", "fused", "reranked"]
    assert run.legs["fused"]["MRR@10"] == [1.0, 1.0]
    assert run.legs["reranked"]["MRR@10"] == [0.5, 1.0]
    assert list(run.times) == ["fused", "reranked"]
