"""What one evaluation measured, as it is written to a file and read again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from evals.asking import Answer
from evals.json_lines import what_is_wrong
from evals.measures import Values
from evals.statistics import Estimate, estimates
from index.errors import BadRequest

_DIGITS = 5


class Spread(BaseModel):
    """Milliseconds that half of the questions, and 95 of 100, take at most."""

    model_config = ConfigDict(frozen=True)

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Of as many times."""
        p50, p95 = np.quantile(seconds, (0.5, 0.95)) * 1000
        return cls(p50=round(float(p50), 2), p95=round(float(p95), 2))


class Times(BaseModel):
    """How long a question takes, the whole of it and its parts: its embedding and all else."""

    model_config = ConfigDict(frozen=True)

    total: Spread
    embedding: Spread
    search: Spread

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Self:
        """Of as many answers."""
        return cls(
            total=Spread.of([answer.seconds for answer in answers]),
            embedding=Spread.of([answer.embedding for answer in answers]),
            search=Spread.of([answer.seconds - answer.embedding for answer in answers]),
        )


class Run(BaseModel):
    """Measures of questions by leg: `legs[leg][measure]` has a value for each of `questions`.

    `means` are their means with 95 % intervals. `left_out` are questions none of whose answering
    pages the index knows, `unknown_pages` all pages that it does not know.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["retrieval"] = "retrieval"
    name: str
    made_at: datetime
    version: str
    model: str
    settings: dict[str, str] = {}
    questions: list[str]
    legs: dict[str, dict[str, list[float]]]
    means: dict[str, dict[str, Estimate]] = {}
    times: dict[str, Times] = {}
    left_out: list[str] = []
    unknown_pages: list[str] = []

    @model_validator(mode="after")
    def _has_a_value_for_each_question(self) -> Self:
        columns = [column for leg in self.legs.values() for column in leg.values()]
        if not self.questions or any(len(column) != len(self.questions) for column in columns):
            raise ValueError("it lacks values for its questions")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """The run that `--json` wrote to a file; raises BadRequest where it is none."""
        return read_run(cls, path)


AnyRun = TypeVar("AnyRun", bound=BaseModel)


def read_run(kind: type[AnyRun], path: Path) -> AnyRun:
    """A run of a kind from a file; raises BadRequest where it is none."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        wrong = what_is_wrong(error)
        raise BadRequest(f"{path} is no run of `confluence-mcp eval --json`: {wrong}.") from error


def rounded(legs: Mapping[str, Values]) -> dict[str, dict[str, list[float]]]:
    """Values with as many digits as say something."""
    return {
        leg: {name: [round(value, _DIGITS) for value in column] for name, column in values.items()}
        for leg, values in legs.items()
    }


def means_of(legs: Mapping[str, Values]) -> dict[str, dict[str, Estimate]]:
    """The mean of each measure of each leg, all with the same resamples."""
    names = [(leg, name) for leg, values in legs.items() for name in values]
    found = estimates([legs[leg][name] for leg, name in names])
    by_name = dict(zip(names, found, strict=True))
    return {leg: {name: by_name[leg, name] for name in values} for leg, values in legs.items()}
