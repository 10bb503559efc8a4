"""One evaluation of answers, from the questions to the run.

Without a chat model of one's own there is nothing to measure: set CHAT_MODEL, OPENAI_API_KEY and,
for another endpoint than OpenAI's, OPENAI_BASE_URL. Then

    confluence-mcp eval --answers                          # the sample wiki, 80 questions
    confluence-mcp eval --answers ours.jsonl --user ada    # one's own wiki, as Ada sees it
    confluence-mcp eval --answers --judge gpt-4.1 --price-in 2 --price-out 8 --json now.json
    confluence-mcp eval --answers --against now.json --fail-on-loss

Each question is put to the product as `answer_question` does it: search, chat model, proof. The
tests do the same with a scripted model that copies sentences out of the passages which reach it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from evals.answer_measures import JUDGED, measured
from evals.answer_questions import AnswerQuestion, known_names, known_of
from evals.answer_run import AnswerRun, Outcome, Prices, Usage, means_of
from evals.answering import Answered, Asked, answers_to
from evals.asking import none_known
from evals.judging import Judgement, judged
from evals.run import Spread
from index.errors import ChatError
from server.llm import ChatModel


async def evaluate_answers(
    asked: Asked,
    name: str,
    questions: Sequence[AnswerQuestion],
    *,
    model: str,
    prices: Prices | None = None,
    judge: ChatModel | None = None,
) -> AnswerRun:
    """Asks every question whose pages the index has; raises BadRequest for none.

    Raises ChatError where there is no answer at all for failures. The prices are of the model that
    answers; they hold for the judge too if that is the same one.
    """
    known = await known_names(asked.database, asked.asker, questions)
    kept, left_out = known_of(questions, known)
    if not kept:
        raise none_known(name)
    answers = await answers_to(asked, kept)
    failures = [one.failure for one in answers if one.failure is not None]
    if failures and not any(one.is_answer for one in answers):
        raise ChatError(failures[0])
    judgement = None if judge is None else await judged(judge, answers)
    values = measured(answers)
    if judgement is not None and judgement.stated:
        values[JUDGED] = judgement.stated
    return AnswerRun(
        name=name,
        made_at=datetime.now(UTC),
        version=version("confluence-mcp"),
        model=model,
        values=values,
        means=means_of(values),
        outcomes=list(map(Outcome.of, answers)),
        seconds=[round(one.seconds, 3) for one in answers],
        times=Spread.of([one.seconds for one in answers]),
        usage=_usage(model, answers, prices),
        judge=_judge_usage(judge, judgement, prices if judge and judge.model == model else None),
        unjudged=judgement.unjudged if judgement else [],
        left_out=left_out,
    )


def _usage(model: str, answers: Sequence[Answered], prices: Prices | None) -> Usage:
    tokens_in = sum(one.tokens_in for one in answers)
    return Usage.of(model, tokens_in, sum(one.tokens_out for one in answers), prices)


def _judge_usage(
    judge: ChatModel | None, judgement: Judgement | None, prices: Prices | None
) -> Usage | None:
    if judge is None or judgement is None:
        return None
    return Usage.of(judge.model, judgement.tokens_in, judgement.tokens_out, prices)
