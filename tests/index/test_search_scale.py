"""The search statement on an index that is too large to read whole: its plans and its recall.

INDEX_SCALE_CHUNKS sets the size (200000 takes some minutes).
"""

import os
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import AsyncRawCursor, sql
from psycopg.rows import class_row
from pydantic import SecretStr

from index.access import CRAWLER, read_as
from index.database import Database
from index.search_rows import SearchRow
from index.search_statement import (
    COMMON,
    EVERYWHERE,
    LEG,
    REACH,
    SCAN_LIMIT,
    SearchStatement,
    search_statement,
)
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.index.generated_index import (
    CHUNKS_OF_PAGE,
    GeneratedIndex,
    Question,
    generate_index,
)
from tests.index.plain_search import bm25_weight, idf

pytestmark = pytest.mark.anyio

CHUNKS = int(os.environ.get("INDEX_SCALE_CHUNKS", "12000"))
# Bits of few numbers do not tell the chunks of a large index apart.
DIMENSION = 64 if CHUNKS <= 50_000 else 384
QUESTIONS = 12
SCAN, WALK = 10**9, 0  # limits at which the vector leg scans bits always, or never
FILTERS: Mapping[str, object] = dict.fromkeys(
    [
        *("phrases", "phrase_words", "spaces", "labels", "content_types", "kinds", "author"),
        *("ancestor", "updated_after"),
    ]
)
EXPLAIN = sql.SQL("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) EXECUTE asked ({})")
Shown = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scale:
    """A generated index, asked with thresholds where a test needs them."""

    database: Database
    index: GeneratedIndex

    async def pages(self, question: Question, **values: object) -> list[int]:
        """Ten pages by number, best first; none that score nothing."""
        statement, parameters = self._asking(question, values)
        async with read_as(self.database, CRAWLER, planned_once=True) as connection:
            cursor = AsyncRawCursor(connection, row_factory=class_row(SearchRow))
            await statement.run(cursor, parameters)
            return [row.page_ref - 1 for row in await cursor.fetchall() if row.page_score > 0]

    async def plan(self, question: Question, **values: object) -> str:
        """The plan that found them, made for any values; without what was never executed."""
        statement, parameters = self._asking(question, values)
        given = sql.SQL(", ").join(_literal(parameters[name]) for name in statement.names)
        async with read_as(self.database, CRAWLER, planned_once=True) as connection:
            await connection.execute(b"PREPARE asked AS " + statement.text, prepare=False)
            rows = await connection.execute(EXPLAIN.format(given), prepare=False)
            lines: list[str] = [row[0] async for row in rows]
            await connection.execute("DEALLOCATE asked", prepare=False)
        return "\n".join(line for line in lines if "never executed" not in line)

    def _asking(
        self, question: Question, values: Mapping[str, object]
    ) -> tuple[SearchStatement, Mapping[str, object]]:
        given = {
            **{"scan_limit": SCAN, "reach": REACH, "common": COMMON, "dense_share": 0.5},
            **FILTERS,
            **values,
        }
        scan_limit = int(str(given["scan_limit"]))
        statement = search_statement(
            replace(self.index.model, has_hnsw=scan_limit != SCAN),
            scan_limit=scan_limit,
            reach=int(str(given["reach"])),
            common=int(str(given["common"])),
            everywhere=int(str(given.get("everywhere", EVERYWHERE))),
            walk=LEG,  # for a longer one would be most of a small index
        )
        return statement, {
            **{"query": question.words, "configurations": ["simple"], "passages": 1},
            **{"vector": HalfVector(question.vector), "limit": 10, "offset": 0},
            **given,
        }

    def questions(self, space: int | None = None) -> list[Question]:
        return [self.index.question(seed, space) for seed in range(QUESTIONS)]

    def common_words(self) -> Question:
        """A question of the five words that the most chunks have."""
        counts = Counter(word for words in self.index.words for word in set(words))
        words = " ".join(word for word, _ in counts.most_common(5))
        return Question(words, self.index.vectors[0])

    def best(self, scores: NDArray[np.float64], shown: Shown) -> list[int]:
        """The ten pages with the best chunks among those shown, none that score nothing."""
        order = np.argsort(-np.where(shown, scores, 0), kind="stable")[: 100 * CHUNKS_OF_PAGE]
        found = [chunk for chunk in order.tolist() if shown[chunk] and scores[chunk] > 0]
        return list(dict.fromkeys(chunk // CHUNKS_OF_PAGE for chunk in found))[:10]

    def cosines(self, question: Question) -> NDArray[np.float64]:
        """Of every chunk, all above 0."""
        return 2 + (self.index.vectors @ question.vector).astype(np.float64)

    def bm25(self, question: Question) -> NDArray[np.float64]:
        """Of every chunk."""
        scores = np.zeros(len(self.index.words))
        for word in question.words.split():
            having = [chunk for chunk, words in enumerate(self.index.words) if word in words]
            for chunk in having:
                words = self.index.words[chunk]
                weight = bm25_weight(words.count(word), len(words))
                scores[chunk] += idf(len(self.index.words), len(having)) * weight
        return scores


@pytest.fixture(scope="module")
async def scale(postgres: Postgres, migrated_template: str) -> AsyncGenerator[Scale]:
    with postgres.copy_of(migrated_template) as name:
        settings = IndexSettings.model_validate({"postgres_url": SecretStr(postgres.url(name))})
        async with Database.open(settings, application_name="owner") as owner:
            index = await generate_index(owner, chunks=CHUNKS, dimension=DIMENSION)
        async with Database.open(settings, application_name="scale", for_askers=True) as database:
            yield Scale(database, index)


def _literal(value: object) -> sql.Composable:
    return sql.Literal(value.to_text() if isinstance(value, HalfVector) else value)


def recall(found: list[int], expected: list[int]) -> float:
    return len(set(found) & set(expected)) / len(expected)


@pytest.mark.parametrize(
    ("scan_limit", "space"), [(SCAN, None), (SCAN, 20), (SCAN, 39), (WALK, None)]
)
async def test_vectors_find_what_comparing_all_of_them_finds(
    scale: Scale, scan_limit: int, space: int | None
) -> None:
    filters = {} if space is None else {"spaces": [f"s{space}"]}
    shown = scale.index.is_shown & ((scale.index.spaces == space) if filters else True)

    recalls = [
        recall(
            await scale.pages(question, dense_share=1.0, scan_limit=scan_limit, **filters),
            scale.best(scale.cosines(question), shown),
        )
        for question in scale.questions(space)
    ]

    assert np.mean(recalls) >= 0.95


@pytest.mark.parametrize("scan_limit", [SCAN, WALK])
@pytest.mark.parametrize("space", [None, 20, 39])
async def test_words_find_what_scoring_every_chunk_finds(
    scale: Scale, space: int | None, scan_limit: int
) -> None:
    filters = {} if space is None else {"spaces": [f"s{space}"]}
    shown = scale.index.is_shown & ((scale.index.spaces == space) if filters else True)

    recalls = [
        recall(
            await scale.pages(question, dense_share=0.0, scan_limit=scan_limit, **filters),
            scale.best(scale.bm25(question), shown),
        )
        for question in scale.questions(space)
    ]

    assert np.mean(recalls) >= 0.95


@pytest.mark.parametrize("scan_limit", [SCAN, WALK])
async def test_vectors_of_comments_alone_are_compared(scale: Scale, scan_limit: int) -> None:
    shown = scale.index.is_shown & scale.index.is_comment

    recalls = [
        recall(
            await scale.pages(
                question, dense_share=1.0, scan_limit=scan_limit, kinds=["comment", "attachment"]
            ),
            scale.best(scale.cosines(question), shown),
        )
        for question in scale.questions()
    ]

    assert np.mean(recalls) >= 0.95


@pytest.mark.parametrize("reach", [REACH, CHUNKS])
async def test_words_of_comments_alone_are_scored(scale: Scale, reach: int) -> None:
    shown = scale.index.is_shown & scale.index.is_comment

    recalls = [
        recall(
            await scale.pages(question, dense_share=0.0, reach=reach, kinds=["comment"]),
            scale.best(scale.bm25(question), shown),
        )
        for question in scale.questions()
    ]

    assert np.mean(recalls) >= 0.95


async def test_in_a_small_space_common_words_find_all_that_they_should(scale: Scale) -> None:
    question = scale.common_words()
    shown = scale.index.is_shown & (scale.index.spaces == 20)

    found = await scale.pages(question, dense_share=0.0, spaces=["s20"], reach=CHUNKS // 10)

    assert recall(found, scale.best(scale.bm25(question), shown)) >= 0.9


async def test_a_word_that_is_nowhere_does_not_hide_common_ones(scale: Scale) -> None:
    common = scale.common_words()
    question = Question(f"unheardof {common.words}", common.vector)

    assert await scale.pages(question, dense_share=0.0, reach=100)


async def test_of_words_that_are_everywhere_chunks_with_all_of_them_come_first(
    scale: Scale,
) -> None:
    question = scale.common_words()
    asked = set(question.words.split())
    having_all = {
        chunk // CHUNKS_OF_PAGE
        for chunk, words in enumerate(scale.index.words)
        if asked <= set(words) and scale.index.is_shown[chunk]
    }

    found = await scale.pages(question, dense_share=0.0, scan_limit=WALK, common=300, reach=300)

    assert len(having_all) >= len(found) == 10
    assert having_all.issuperset(found)


async def test_one_word_that_is_everywhere_finds_pages_that_have_it(scale: Scale) -> None:
    word = scale.common_words().words.split()[0]
    question = Question(word, scale.index.vectors[0])

    found = await scale.pages(question, dense_share=0.0, scan_limit=WALK, common=100, reach=100)

    having = {
        chunk // CHUNKS_OF_PAGE
        for chunk, words in enumerate(scale.index.words)
        if word in words and scale.index.is_shown[chunk]
    }
    assert len(found) == 10
    assert having.issuperset(found)


async def test_words_that_are_in_too_many_chunks_are_scored_where_the_walk_leads(
    scale: Scale,
) -> None:
    question = scale.common_words()
    limits = {"scan_limit": WALK, "common": 100, "reach": 100, "everywhere": 200}

    found = await scale.pages(question, dense_share=0.0, **limits)
    plan = await scale.plan(question, dense_share=0.0, **limits)

    scores = scale.bm25(question)
    best = [scores[scale.index.pages == page].max() for page in found]
    assert len(found) == 10
    assert best[0] > 0
    assert "chunk_term_ids" not in plan


async def test_a_sample_of_the_pages_tells_in_which_way_chunks_are_found(scale: Scale) -> None:
    few = await scale.plan(scale.index.question(1), scan_limit=SCAN_LIMIT, labels=["tenth"])
    many = await scale.plan(scale.index.question(1), scan_limit=SCAN_LIMIT, labels=["half"])

    assert "chunk_vector_hnsw_1" not in few
    assert "chunk_vector_hnsw_1" in many


async def test_ties_and_order_survive_the_walk(scale: Scale) -> None:
    for question in scale.questions()[:5]:
        found = await scale.pages(question, dense_share=1.0, scan_limit=WALK)
        cosines = scale.cosines(question)

        best = [cosines[scale.index.pages == page].max() for page in found]
        assert best == sorted(best, reverse=True)


NO_FILTERS: dict[str, object] = {}
FEW: dict[str, object] = {"spaces": ["s20"]}
COMMENTS: dict[str, object] = {"kinds": ["comment"]}
HALF: dict[str, object] = {"labels": ["half"]}


@pytest.mark.parametrize("filters", [NO_FILTERS, FEW, HALF, COMMENTS, {"author": "Author 7"}])
async def test_bits_are_scanned_page_by_page_in_their_index_alone(
    scale: Scale, filters: dict[str, object]
) -> None:
    plan = await scale.plan(scale.index.question(1), scan_limit=SCAN, **filters)

    assert "Index Only Scan using chunk_bits_page_1" in plan
    assert "chunk_vector_hnsw_1" not in plan
    assert_no_table_of_chunks_is_read_whole(plan)


@pytest.mark.parametrize("filters", [NO_FILTERS, FEW, HALF, COMMENTS, {"author": "Author 7"}])
async def test_the_graph_is_walked_with_the_filters_on_the_way(
    scale: Scale, filters: dict[str, object]
) -> None:
    plan = await scale.plan(scale.index.question(1), scan_limit=WALK, **filters)

    assert "Index Scan using chunk_vector_hnsw_1" in plan
    assert re.search(r"Order By: \(embedding <#>.*\n\s*Filter: .*COALESCE\(\(SubPlan", plan)
    assert "chunk_bits_page_1" not in plan
    assert_no_table_of_chunks_is_read_whole(plan)


@pytest.mark.parametrize("filters", [NO_FILTERS, FEW, HALF, COMMENTS, {"author": "Author 7"}])
async def test_words_are_looked_up_in_their_index(scale: Scale, filters: dict[str, object]) -> None:
    plan = await scale.plan(scale.index.question(1), reach=CHUNKS * 5, **filters)

    assert "Bitmap Index Scan on chunk_term_ids" in plan
    assert "chunk_term_page" not in plan
    assert_no_table_of_chunks_is_read_whole(plan)


async def test_few_chunks_are_read_page_by_page_where_words_are_too_common(scale: Scale) -> None:
    plan = await scale.plan(scale.common_words(), reach=CHUNKS // 10, **FEW)

    assert "Index Scan using chunk_term_page" in plan
    assert "chunk_term_ids" not in plan
    assert_no_table_of_chunks_is_read_whole(plan)


async def test_without_filters_the_pages_come_from_an_index_alone(scale: Scale) -> None:
    plan = await scale.plan(scale.index.question(1))

    assert "Index Only Scan using page_of_space" in plan
    assert not re.search(r"Seq Scan on page\b", plan)


def assert_no_table_of_chunks_is_read_whole(plan: str) -> None:
    assert not re.search(r"Seq Scan on (?:chunk|term)\w*", plan)
