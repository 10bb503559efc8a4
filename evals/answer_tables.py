"""A run of answers as a person reads it."""

from collections.abc import Iterator, Mapping

from evals.answer_measures import FACTS, MEANINGS, REFUSED, by_kind
from evals.answer_run import AnswerRun, Outcome, Usage
from evals.tables import shown_mean, some


def answer_table(run: AnswerRun) -> str:
    """A line for each measure, then the kinds of question, times, costs and what went wrong."""
    return "\n".join(_lines(run))


def _lines(run: AnswerRun) -> Iterator[str]:
    answerable = sum(outcome.is_answerable for outcome in run.outcomes)
    yield (
        f"{run.name}: {answerable} answerable and {len(run.outcomes) - answerable} unanswerable "
        f"questions, chat model {run.model}"
    )
    yield ""
    yield f"{'measure':20}{'mean, 95 %':18}{'over':>4}"
    for measure, estimate in run.means.items():
        mean, over = shown_mean(estimate), len(run.values[measure])
        yield f"{measure:20}{mean:18}{over:4}  {MEANINGS.get(measure, '')}".rstrip()
    yield ""
    kinds = {outcome.id: outcome.kind for outcome in run.outcomes if outcome.kind}
    for measure in (FACTS, REFUSED):
        if kinds and measure in run.values:
            yield f"{measure} by kind: {_kinds(kinds, run.values[measure])}"
    yield f"Time of an answer (p50 / p95): {run.times.p50:.0f} / {run.times.p95:.0f} ms"
    yield f"Answering: {_usage(run.usage, len(run.outcomes))}"
    if run.judge is not None:
        yield f"Judging: {_usage(run.judge, len(run.outcomes))}"
    yield from _wrong(run)


def _kinds(kinds: Mapping[str, str], column: Mapping[str, float]) -> str:
    means = {
        kind: f"{sum(values):.3g}/{len(values)}" for kind, values in by_kind(kinds, column).items()
    }
    return ", ".join(f"{kind or 'other'} {mean}" for kind, mean in means.items())


def _usage(usage: Usage, questions: int) -> str:
    tokens = f"{usage.tokens_in:,} tokens in, {usage.tokens_out:,} out, model {usage.model}"
    if usage.cost is None:
        return tokens
    return f"{tokens}; cost {usage.cost:.4f}, {usage.cost / questions:.5f} a question"


def _wrong(run: AnswerRun) -> Iterator[str]:
    lists = {
        "Refused although answerable": [one.id for one in run.outcomes if _is_false_refusal(one)],
        "Facts missing from the answer": [
            one.id for one in run.outcomes if one.is_answerable and one.is_answer and one.missing
        ],
        "Answered although unanswerable": [
            question for question, value in run.values.get(REFUSED, {}).items() if not value
        ],
        "Not judged": run.unjudged,
        "Failed": [one.id for one in run.outcomes if one.failure],
        "Not asked, for want of a page in the index": run.left_out,
    }
    for told, ids in lists.items():
        if ids:
            yield f"{told} ({len(ids)}): {some(ids)}"
    reason = next((one.failure for one in run.outcomes if one.failure), None)
    if reason:
        yield f"The first failure: {reason}"


def _is_false_refusal(outcome: Outcome) -> bool:
    return outcome.is_answerable and not outcome.is_answer and outcome.failure is None
