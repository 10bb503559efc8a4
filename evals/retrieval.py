"""One evaluation of the search, from the questions to the run."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from evals.asking import FUSED, LEGS, RERANKED, Answer, TimedEmbedder, ask, known_pages, none_known
from evals.measures import measured
from evals.questions import Question, asked_of
from evals.run import Run, Times, means_of, rounded
from index.access import CRAWLER, Asker
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.errors import BadRequest
from index.models import active_model
from index.reranking import Reranker
from index.search import Searcher
from index.settings import IndexSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the questions are put to: a search over an index, and who asks.

    `reranked` is the same search with a reranker, where there is one.
    """

    database: Database
    searcher: Searcher
    embedder: TimedEmbedder
    asker: Asker = CRAWLER
    reranked: Searcher | None = None

    @property
    def searchers(self) -> Mapping[str, Searcher]:
        """The search of each leg; first the one that is timed, for which nothing was asked yet."""
        legs = dict.fromkeys((FUSED, *LEGS), self.searcher)
        return legs if self.reranked is None else {**legs, RERANKED: self.reranked}


@asynccontextmanager
async def open_asked(
    settings: IndexSettings,
    database: Database,
    asker: Asker = CRAWLER,
    reranker: Reranker | None = None,
) -> AsyncGenerator[Asked]:
    """The search as the server has it; raises BadRequest where the index is empty."""
    async with database.pool.connection() as connection:
        model = await active_model(connection)
    if model is None:
        raise BadRequest("The index is empty: run `confluence-mcp ingest` to fill it.")
    embedder = TimedEmbedder(await open_embedder(settings, model.name))

    async def choose(_: str) -> Embedder:
        return embedder

    try:
        searcher = Searcher(database, choose)
        reranked = Searcher(database, choose, reranker) if reranker else None
        yield Asked(database, searcher, embedder, asker, reranked)
    finally:
        await embedder.close()


async def evaluate(
    asked: Asked,
    name: str,
    questions: Sequence[Question],
    *,
    settings: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Run:
    """Asks every leg every question that pages of the index answer; raises BadRequest for none."""
    known = await known_pages(asked.database, asked.asker, questions)
    kept, left_out = asked_of(questions, known)
    if not kept:
        raise none_known(name)
    answers = await _answers(asked, kept)
    legs = {leg: measured(answers[leg]) for leg in (*LEGS, RERANKED) if leg in answers}
    pages = {page_id for question in questions for page_id in question.grades}
    return Run(
        name=name,
        made_at=now(),
        version=version("confluence-mcp"),
        model=asked.embedder.model,
        settings=dict(settings or {}),
        questions=[question.id for question in kept],
        legs=rounded(legs),
        means=means_of(legs),
        times={leg: Times.of(answers[leg]) for leg in (FUSED, RERANKED) if leg in answers},
        left_out=left_out,
        unknown_pages=sorted(pages - known),
    )


async def _answers(asked: Asked, questions: Sequence[Question]) -> Mapping[str, list[Answer]]:
    # Not timed: the first question loads the model.
    await ask(asked.searcher, asked.asker, questions[:1])
    return {
        leg: await ask(searcher, asked.asker, questions, leg=leg, embedder=asked.embedder)
        for leg, searcher in asked.searchers.items()
    }
