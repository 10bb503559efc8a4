"""What one evaluation of answers measured, as it is written to a file and read again."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from evals.answer_measures import Values
from evals.answering import Answered
from evals.run import Spread, read_run
from evals.statistics import Estimate, estimates

MILLION = 1_000_000


class Outcome(BaseModel):
    """What became of one question; `missing` are the facts that the answer does not state."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str = ""
    is_answerable: bool
    is_answer: bool
    text: str
    cited: tuple[str, ...]
    missing: list[str]
    failure: str | None

    @classmethod
    def of(cls, answered: Answered) -> Self:
        """Of an answer."""
        return cls(
            id=answered.question.id,
            kind=answered.question.kind,
            is_answerable=answered.question.is_answerable,
            is_answer=answered.is_answer,
            text=answered.text,
            cited=answered.cited,
            missing=answered.missing,
            failure=answered.failure,
        )


class Prices(BaseModel):
    """What a million tokens cost, in whatever currency."""

    model_config = ConfigDict(frozen=True)

    tokens_in: float
    tokens_out: float


class Usage(BaseModel):
    """What a chat model read and wrote, in tokens, and what that cost where prices are given."""

    model_config = ConfigDict(frozen=True)

    model: str
    tokens_in: int
    tokens_out: int
    cost: float | None = None

    @classmethod
    def of(cls, model: str, tokens_in: int, tokens_out: int, prices: Prices | None) -> Self:
        """With the cost."""
        cost = None
        if prices is not None:
            cost = (tokens_in * prices.tokens_in + tokens_out * prices.tokens_out) / MILLION
        return cls(model=model, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)


class AnswerRun(BaseModel):
    """Measures of answers: `values[measure][question]`, with their means and 95 % intervals.

    `judge` is what judging cost, which is not part of `usage`; `unjudged` are answers of which it
    said nothing that could be read. `left_out` are questions whose pages the index does not know.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["answers"] = "answers"
    name: str
    made_at: datetime
    version: str
    model: str
    values: Values
    means: dict[str, Estimate]
    outcomes: list[Outcome]
    seconds: list[float]
    times: Spread
    usage: Usage
    judge: Usage | None = None
    unjudged: list[str] = []
    left_out: list[str] = []

    @classmethod
    def read(cls, path: Path) -> Self:
        """The run that `--json` wrote to a file; raises BadRequest where it is none."""
        return read_run(cls, path)


def means_of(values: Values) -> dict[str, Estimate]:
    """The mean of each measure over the questions that it is about."""
    return {measure: _mean(list(column.values())) for measure, column in values.items()}


def _mean(column: Sequence[float]) -> Estimate:
    (estimate,) = estimates([column])
    return estimate
