"""The sample space is searched, and answered from, as well as it was: nothing loses what it had.

After a change that makes the search or the answers better, record it: `confluence-mcp eval --json
tests/evals/baseline.json`, and `python -m tests.evals.extractive_model
tests/evals/answers_baseline.json`.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evals.answer_measures import ANSWERED, VERBATIM
from evals.answer_questions import (
    AnswerQuestion,
    known_names,
    known_of,
    sample_answer_questions,
)
from evals.answer_run import AnswerRun
from evals.answer_tables import answer_table
from evals.answering import Asked as AskedForAnswers
from evals.answers import evaluate_answers
from evals.asking import FUSED, LEGS, TimedEmbedder
from evals.comparison import ANSWERS, compare, compare_answers
from evals.facts import states
from evals.questions import sample_questions
from evals.quotes import PAGE_TEXTS
from evals.retrieval import Asked, evaluate, open_asked
from evals.run import Run
from evals.tables import comparison_table
from index.access import CRAWLER, read_as
from index.database import Database
from index.embeddings import Embedder, Vector
from index.search import Searcher
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.app import open_deps
from server.settings import ServerSettings
from tests.conftest import Postgres
from tests.evals.extractive_model import extractive_reply
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint

pytestmark = pytest.mark.anyio

BASELINE = Path(__file__).parent / "baseline.json"
ANSWERS_BASELINE = Path(__file__).parent / "answers_baseline.json"


@pytest.fixture(scope="module")
def endpoint() -> Generator[OpenAIEndpoint]:
    with openai_endpoint(reply=extractive_reply) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
async def settings(
    postgres: Postgres,
    migrated_template: str,
    endpoint: OpenAIEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[ServerSettings]:
    """Settings of an index of the sample space, as a person has it who sets a chat model only."""
    nothing = {name: field.default for name, field in ServerSettings.model_fields.items()}
    with postgres.copy_of(migrated_template) as name:
        settings = ServerSettings.model_validate(
            nothing
            | {
                "postgres_url": postgres.url(name),
                "confluence_mcp_home": tmp_path_factory.mktemp("home"),
                "openai_api_key": "test-key",
                "openai_base_url": endpoint.url,
                "chat_model": "extractive",
                "embedding_model": "local",
            }
        )
        async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
            await ingest_once(settings, source, Plan())
        yield settings


@pytest.fixture(scope="module")
async def asked(settings: ServerSettings) -> AsyncGenerator[Asked]:
    """The search over the sample space."""
    async with (
        Database.open(settings, application_name="tests", for_askers=True) as database,
        open_asked(settings, database) as asked,
    ):
        yield asked


@pytest.fixture(scope="module")
async def now(asked: Asked) -> Run:
    """Every question asked of every leg."""
    return await evaluate(asked, "now", sample_questions())


@pytest.mark.parametrize("leg", LEGS)
async def test_no_leg_has_become_worse(now: Run, leg: str) -> None:
    before = Run.read(BASELINE)

    comparison = compare(before, now)

    assert comparison.questions == len(sample_questions())
    assert not comparison.loses(leg), comparison_table(before, comparison)


async def test_the_loss_of_a_leg_would_be_noticed(now: Run) -> None:
    words_alone = now.model_copy(update={"legs": {FUSED: now.legs["lexical"]}})

    assert compare(now, words_alone).loses(FUSED)


class Confused(TimedEmbedder):
    """Reads questions backwards."""

    async def embed_query(self, text: str) -> Vector:
        return await super().embed_query(text[::-1])


async def test_a_damaged_search_would_be_noticed(asked: Asked, now: Run) -> None:
    confused = Confused(asked.embedder)

    async def choose(_: str) -> Embedder:
        return confused

    damaged = Asked(asked.database, Searcher(asked.database, choose), confused)
    comparison = compare(now, await evaluate(damaged, "damaged", sample_questions()))

    assert comparison.loses("vector")
    assert comparison.loses(FUSED)
    assert not comparison.loses("lexical")


@asynccontextmanager
async def answering(settings: ServerSettings) -> AsyncGenerator[AskedForAnswers]:
    """What answers in the server."""
    async with open_deps(settings) as deps:
        assert deps.database
        yield AskedForAnswers(deps.database, deps.answerer, CRAWLER)


@pytest.fixture(scope="module")
async def answers(settings: ServerSettings) -> AnswerRun:
    """Every question answered by the model that copies sentences from the passages it gets."""
    async with answering(settings) as asked:
        return await evaluate_answers(asked, "now", sample_answer_questions(), model="extractive")


async def test_answers_have_not_become_worse(answers: AnswerRun) -> None:
    before = AnswerRun.read(ANSWERS_BASELINE)
    print(answer_table(answers))

    comparison = compare_answers(before, answers)

    assert comparison.questions == len(sample_answer_questions())
    assert not [outcome.failure for outcome in answers.outcomes if outcome.failure]
    assert not comparison.loses(ANSWERS), comparison_table(before, comparison)


async def test_every_quote_stands_word_for_word_in_the_page_that_is_cited(
    answers: AnswerRun,
) -> None:
    assert len(answers.values[VERBATIM]) >= 30
    assert set(answers.values[VERBATIM].values()) == {1.0}


async def _with(
    endpoint: OpenAIEndpoint, settings: ServerSettings, reply: Any, every: int
) -> AnswerRun:
    """Every so-many-th question answered by another model."""
    endpoint.reply = reply
    try:
        async with answering(settings) as asked:
            questions = sample_answer_questions()[::every]
            return await evaluate_answers(asked, "other", questions, model="other")
    finally:
        endpoint.reply = extractive_reply


async def test_passages_that_are_lost_on_the_way_would_be_noticed(
    answers: AnswerRun, endpoint: OpenAIEndpoint, settings: ServerSettings
) -> None:
    """The three best never reach the model."""

    def without_the_best(messages: Sequence[Mapping[str, Any]], _: object) -> str:
        last = re.sub(
            r"^\[[1-3]\] .*?(?=^\[4\] |^Question: )",
            "",
            messages[-1]["content"],
            flags=re.MULTILINE | re.DOTALL,
        )
        return extractive_reply([*messages[:-1], {"role": "user", "content": last}])

    damaged = await _with(endpoint, settings, without_the_best, every=2)

    assert compare_answers(answers, damaged).loses(ANSWERS)


async def test_a_model_that_makes_its_quotes_up_answers_nothing(
    answers: AnswerRun, endpoint: OpenAIEndpoint, settings: ServerSettings
) -> None:
    def liar(messages: Sequence[Mapping[str, Any]], _: object) -> str:
        quote = {"n": 1, "quote": "as everybody in this company has always known"}
        return json.dumps({"found": True, "answer": "It is 42 [1].", "citations": [quote]})

    made_up = await _with(endpoint, settings, liar, every=4)

    assert set(made_up.values[ANSWERED].values()) == {0.0}
    assert VERBATIM not in made_up.values
    assert compare_answers(answers, made_up).loses(ANSWERS)


def test_the_sample_has_sixty_questions_with_answers_and_twenty_without() -> None:
    questions = sample_answer_questions()

    assert Counter(question.is_answerable for question in questions) == {True: 60, False: 20}
    assert all(q.facts and q.pages for q in questions if q.is_answerable)
    assert len({question.kind for question in questions if question.is_answerable}) == 12
    assert sum(bool(question.history) for question in questions) == 4


async def test_every_fact_stands_in_the_pages_that_are_named(asked: Asked) -> None:
    questions = sample_answer_questions()
    known = await known_names(asked.database, CRAWLER, questions)
    texts = {page_id: await _text(asked.database, page_id) for page_id in known}

    unfounded = [
        (question.id, fact)
        for question in questions
        for fact in question.facts
        if question.is_answerable and not _stands(fact, question, texts)
    ]
    proving_nothing = [
        (question.id, page_id)
        for question in questions
        for names in question.pages
        for page_id in names
        if not any(states(texts[page_id], fact) for fact in question.facts)
    ]

    assert known_of(questions, known)[1] == []
    assert (unfounded, proving_nothing) == ([], [])


def _stands(fact: Sequence[str], question: AnswerQuestion, texts: Mapping[str, str]) -> bool:
    return any(states(texts[page_id], fact) for names in question.pages for page_id in names)


async def _text(database: Database, page_id: str) -> str:
    async with read_as(database, CRAWLER) as connection:
        rows = await connection.execute(PAGE_TEXTS, {"page_id": page_id})
        return "\n".join([row[0] async for row in rows])
