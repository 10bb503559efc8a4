"""The evaluation: how well search finds, and the product answers, what is known."""

import logging
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from evals.answer_questions import (
    AnswerQuestion,
    read_answer_questions,
    sample_answer_questions,
)
from evals.answer_run import AnswerRun, Prices
from evals.answer_tables import answer_table
from evals.answering import Asked as AskedForAnswers
from evals.answers import evaluate_answers
from evals.asking import FUSED
from evals.collection import ANSWERS_FILE, CORPUS, Collection, read_collection, read_texts
from evals.comparison import ANSWERS, MARGIN, Comparison, compare, compare_answers
from evals.feedback import complaints_list, read_feedback
from evals.indexes import APPLICATION, asker_named, index_to_fill, take_in, take_in_sample
from evals.measures import require_measures
from evals.questions import sample_questions
from evals.retrieval import Asked, evaluate, open_asked
from evals.run import Run
from evals.tables import comparison_table, table, unknown
from index.access import CRAWLER
from index.database import Database
from index.errors import BadRequest, ConfigurationError
from index.reranker_choice import open_reranker
from index.reranking import Reranker
from server.app import open_deps
from server.llm import ChatModel
from server.settings import ServerSettings

SAMPLE = "sample space"
STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class Options:
    """What to evaluate and how: the arguments of the command line.

    `path` has a collection, or questions on one's own wiki; None is the sample space. `keep` is the
    home of the index that is filled for it, which else is forgotten. `feedback` has thumbs to
    measure by instead. `answers` are measured in place of the search, where asked for with a chat
    model as judge; prices are of a million tokens.
    """

    path: Path | None
    user: str | None = None
    model: str | None = None
    keep: Path | None = None
    reranked: bool = False
    json_to: str | None = None
    against: Path | None = None
    fail_on_loss: bool = False
    margin: float = MARGIN
    feedback: Path | None = None
    answers: bool = False
    judge: str | None = None
    price_in: float | None = None
    price_out: float | None = None

    @property
    def prices(self) -> Prices | None:
        """None unless both are given."""
        if self.price_in is None or self.price_out is None:
            return None
        return Prices(tokens_in=self.price_in, tokens_out=self.price_out)


async def run_eval(options: Options) -> int:
    """Prints what it measures; 1 when it has become worse and that is to fail."""
    _refuse_contradictions(options)
    if options.fail_on_loss and options.against is None:
        raise BadRequest("--fail-on-loss compares: name an earlier run with --against FILE.")
    # Standard output is for one of them: the tables or JSON.
    out = sys.stderr if options.json_to == STANDARD_OUTPUT else sys.stdout
    if options.feedback is not None and not _has_questions(options.feedback, out):
        return 0
    measure = _measure_answers if options.answers else _measure_search
    has_lost = await measure(options, out)
    return 1 if has_lost and options.fail_on_loss else 0


def _has_questions(path: Path, out: TextIO) -> bool:
    """Prints what of the feedback is to be looked at, and tells whether the rest can be asked."""
    feedback = read_feedback(path)
    if feedback.complaints:
        print(complaints_list(feedback.complaints), end="\n\n", file=out)
    return bool(feedback.questions)


def _refuse_contradictions(options: Options) -> None:
    if options.feedback is not None and options.path is not None:
        raise BadRequest("--feedback has its questions: leave out the directory or file.")
    if (options.price_in is None) != (options.price_out is None):
        raise BadRequest("A cost needs both prices: --price-in and --price-out.")
    if not options.answers and (options.judge or options.prices):
        raise BadRequest("--judge, --price-in and --price-out are for answers: add --answers.")
    if options.answers and options.reranked:
        raise BadRequest("--reranked is for the search: answers are made with RERANKER, if set.")


async def _measure_search(options: Options, out: TextIO) -> bool:
    require_measures()
    before = Run.read(options.against) if options.against else None
    run = await _run(options)
    print(table(run), file=out)
    if told := unknown(run):
        print(told, file=sys.stderr)
    _write(run, options.json_to)
    comparison = compare(before, run) if before else None
    return _compared(before, comparison, FUSED, options, out)


async def _measure_answers(options: Options, out: TextIO) -> bool:
    before = AnswerRun.read(options.against) if options.against else None
    with _quiet(logging.getLogger("server.answering")):
        run = await _answer_run(options)
    print(answer_table(run), file=out)
    _write(run, options.json_to)
    comparison = compare_answers(before, run) if before else None
    return _compared(before, comparison, ANSWERS, options, out)


@contextmanager
def _quiet(logger: logging.Logger) -> Generator[None]:
    """Without its line for each answer, which would drown the bar."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _compared(
    before: Run | AnswerRun | None,
    comparison: Comparison | None,
    leg: str,
    options: Options,
    out: TextIO,
) -> bool:
    """Prints the comparison, if there is one, and tells whether it is lost."""
    if before is None or comparison is None:
        return False
    print(f"\n{comparison_table(before, comparison)}", file=out)
    return comparison.loses(leg, margin=options.margin)


def _write(run: Run | AnswerRun, json_to: str | None) -> None:
    if json_to is None:
        return
    text = f"{run.model_dump_json()}\n"
    if json_to == STANDARD_OUTPUT:
        print(text, end="")
        return
    try:
        Path(json_to).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{json_to} cannot be written: {error.strerror}.") from error


async def _run(options: Options) -> Run:
    if options.feedback is not None:
        questions = read_feedback(options.feedback).for_search()
        return await _on_own_wiki(Collection(options.feedback.name, (), questions), options)
    if options.path is None:
        _refuse_user(options)
        return await _on_sample(options)
    collection = read_collection(options.path)
    if collection.texts:
        _refuse_user(options)
        return await _on_collection(collection, options)
    return await _on_own_wiki(collection, options)


async def _answer_run(options: Options) -> AnswerRun:
    _require_chat_model()
    if options.feedback is not None:
        name, questions = options.feedback.name, read_feedback(options.feedback).questions
        return await _answers_of_own_wiki(name, questions, options)
    if options.path is None:
        _refuse_user(options)
        with index_to_fill(options.model, options.keep) as settings:
            await take_in_sample(settings)
            return await _answers(settings, SAMPLE, sample_answer_questions(), options)
    if not options.path.exists():
        raise BadRequest(f"There is no {options.path}.")
    name = options.path.resolve().name
    if (options.path / CORPUS).exists():
        _refuse_user(options)
        questions = read_answer_questions(options.path / ANSWERS_FILE)
        collection = Collection(name, read_texts(options.path / CORPUS), ())
        with index_to_fill(options.model, options.keep) as settings:
            await take_in(collection, settings)
            return await _answers(settings, name, questions, options)
    return await _answers_of_own_wiki(name, read_answer_questions(options.path), options)


def _require_chat_model() -> None:
    settings = ServerSettings.load()
    has_endpoint = settings.openai_api_key or settings.openai_base_url
    if settings.model_for_answers() is None or not has_endpoint:
        raise ConfigurationError(
            "Answers are made by a chat model, and none is set: OPENAI_API_KEY, or OPENAI_BASE_URL "
            "with CHAT_MODEL."
        )


async def _answers_of_own_wiki(
    name: str, questions: Sequence[AnswerQuestion], options: Options
) -> AnswerRun:
    _refuse_filling(name, options)
    return await _answers(ServerSettings.load(), name, questions, options)


async def _answers(
    settings: ServerSettings, name: str, questions: Sequence[AnswerQuestion], options: Options
) -> AnswerRun:
    """Asks as a server with these settings does."""
    model = settings.model_for_answers()
    async with open_deps(settings) as deps, _judge(settings, options) as judge:
        if deps.database is None or model is None:
            raise ConfigurationError("Answers need an index and a chat model.")
        user = options.user
        asker = CRAWLER if user is None else await asker_named(deps.database, user)
        return await evaluate_answers(
            AskedForAnswers(deps.database, deps.answerer, asker),
            name,
            questions,
            model=model,
            prices=options.prices,
            judge=judge,
        )


@asynccontextmanager
async def _judge(settings: ServerSettings, options: Options) -> AsyncGenerator[ChatModel | None]:
    if options.judge is None:
        yield None
        return
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
    judge = ChatModel(options.judge, api_key=key, base_url=settings.openai_base_url)
    try:
        yield judge
    finally:
        await judge.close()


def _refuse_filling(name: str | Path, options: Options) -> None:
    if options.model or options.keep:
        raise BadRequest(
            f"--model and --keep fill an index, but {name} has no {CORPUS}: its questions "
            "are asked of the index that is there."
        )


def _refuse_user(options: Options) -> None:
    if options.user is not None:
        raise BadRequest("--user is for questions on your own wiki: here there are no accounts.")


async def _on_sample(options: Options) -> Run:
    with index_to_fill(options.model, options.keep) as settings:
        await take_in_sample(settings)
        async with _open_filled(settings, options) as asked:
            return await evaluate(asked, SAMPLE, sample_questions())


async def _on_collection(collection: Collection, options: Options) -> Run:
    with index_to_fill(options.model, options.keep) as settings:
        await take_in(collection, settings)
        async with _open_filled(settings, options) as asked:
            return await evaluate(asked, collection.name, collection.questions)


async def _on_own_wiki(collection: Collection, options: Options) -> Run:
    _refuse_filling(options.path or collection.name, options)
    settings = ServerSettings.load()
    async with (
        Database.open(
            settings,
            application_name=APPLICATION,
            for_askers=True,
            access_max_age_s=settings.access_max_age_hours * 3600,
        ) as database,
        _reranker(settings, options) as reranker,
    ):
        asker = CRAWLER if options.user is None else await asker_named(database, options.user)
        async with open_asked(settings, database, asker, reranker) as asked:
            return await evaluate(asked, collection.name, collection.questions)


@asynccontextmanager
async def _open_filled(settings: ServerSettings, options: Options) -> AsyncGenerator[Asked]:
    async with (
        Database.open(settings, application_name=APPLICATION, for_askers=True) as database,
        _reranker(settings, options) as reranker,
        open_asked(settings, database, reranker=reranker) as asked,
    ):
        yield asked


def _reranker(
    settings: ServerSettings, options: Options
) -> AbstractAsyncContextManager[Reranker | None]:
    if not options.reranked:
        return nullcontext()
    if not settings.reranker:
        raise ConfigurationError(
            "--reranked measures a reranker, but RERANKER is not set: name an address or a folder."
        )
    key = settings.reranker_api_key.get_secret_value() if settings.reranker_api_key else ""
    return open_reranker(settings.reranker, model=settings.reranker_model, api_key=key)
