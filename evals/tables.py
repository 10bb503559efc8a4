"""Runs and comparisons as a person reads them."""

from collections.abc import Iterator

from evals.answer_run import AnswerRun
from evals.asking import DEPTH, FUSED
from evals.comparison import SURE, Comparison, Difference
from evals.measures import MAIN
from evals.run import Run, Spread, Times
from evals.statistics import Estimate

SHOWN = 20  # names in a line


def table(run: Run) -> str:
    """A line for each leg: means of the measures with 95 % intervals; then the times."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    yield f"{run.name}: {len(run.questions)} questions, model {run.model}"
    measures = list(next(iter(run.means.values())))
    yield ""
    yield f"{'leg':10}" + "".join(f"{measure:18}" for measure in measures).rstrip()
    for leg, means in run.means.items():
        yield f"{leg:10}" + "".join(f"{shown_mean(means[name]):18}" for name in measures).rstrip()
    yield ""
    for leg, times in run.times.items():
        yield _times(leg, times)
    missed = [
        question
        for question, value in zip(run.questions, run.legs[FUSED][MAIN], strict=True)
        if not value
    ]
    if missed:
        yield f"Not among the first {DEPTH} ({len(missed)}): {some(missed)}"


def unknown(run: Run) -> str | None:
    """What of the answers the index does not know, if anything."""
    if not run.unknown_pages:
        return None
    return (
        f"Not in the index, or not shown to who asks ({len(run.unknown_pages)} pages): "
        f"{some(run.unknown_pages)}\n"
        f"Not asked, for want of any other answer ({len(run.left_out)} questions): "
        f"{some(run.left_out) or 'none'}"
    )


def comparison_table(before: Run | AnswerRun, comparison: Comparison) -> str:
    """A line for each measure of each leg; what is hardly by chance is marked."""
    head = (
        f"Against {before.name} of {before.made_at:%Y-%m-%d %H:%M}, model {before.model}: "
        f"{comparison.questions} questions in common"
    )
    width = max(12, *(len(one.measure) + 2 for one in comparison.differences))
    names = f"{'leg':10}{'measure':{width}}{'difference':>10}  {'95 % interval':18}{'p':>6}"
    lines = (_difference(one, width) for one in comparison.differences)
    return "\n".join([head, "", names, *lines])


def _difference(one: Difference, width: int) -> str:
    interval = f"{one.by.low:+.3f} to {one.by.high:+.3f}"
    mark = " *" if one.chance < SURE else ""
    names = f"{one.leg:10}{one.measure:{width}}"
    return f"{names}{one.by.mean:>+10.3f}  {interval:18}{one.chance:6.3f}{mark}"


def shown_mean(estimate: Estimate) -> str:
    return f"{_short(estimate.mean)} {_short(estimate.low)}-{_short(estimate.high)}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _times(leg: str, times: Times) -> str:
    total, embedding, search = map(_spread, (times.total, times.embedding, times.search))
    return f"Time of a question, {leg} (p50 / p95): {total}; embedding {embedding}, search {search}"


def _spread(spread: Spread) -> str:
    return f"{spread.p50:.1f} / {spread.p95:.1f} ms"


def some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
