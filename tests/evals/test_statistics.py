"""Intervals and chances against known cases, and when a difference counts as a loss."""

from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from evals.comparison import compare
from evals.run import Run, Spread, means_of
from evals.statistics import Estimate, chances, estimates
from index.errors import BadRequest


def test_an_interval_is_as_wide_as_that_of_a_share() -> None:
    (found,) = estimates([[1.0] * 120 + [0.0] * 180])

    half = 1.96 * sqrt(0.4 * 0.6 / 300)
    assert found.mean == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half), abs=0.006)


def test_an_interval_of_the_same_number_is_that_number() -> None:
    (found,) = estimates([[0.3] * 7])

    assert (found.mean, found.low, found.high) == pytest.approx((0.3, 0.3, 0.3))


def test_the_same_numbers_give_the_same_every_time() -> None:
    columns = [list(np.linspace(0, 1, 50)), list(np.linspace(-0.2, 0.3, 50))]

    assert estimates(columns) == estimates(columns)
    assert chances(columns) == chances(columns)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.0] * 20, 1.0),
        ([0.1] * 6, 2 / 2**6),
        ([-0.1] * 6 + [0.0] * 30, 2 / 2**6),
        ([0.3, -0.3] * 10, 1.0),
        ([0.1] * 9 + [-0.1], 22 / 2**10),
        ([0.1] * 40, 0.0),
    ],
)
def test_a_chance_is_the_share_of_signs_that_give_as_much(
    differences: list[float], expected: float
) -> None:
    (chance,) = chances([differences])

    assert chance == pytest.approx(expected, abs=0.005)
    assert chance > 0


def run(values: dict[str, float], leg: str = "fused", name: str = "run") -> Run:
    """A run whose questions have these values of the main measure."""
    return Run(
        name=name,
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        version="1",
        model="words",
        questions=list(values),
        legs={leg: {"nDCG@10": list(values.values())}},
    )


def each(value: float, count: int = 40) -> dict[str, float]:
    return {f"q{number}": value for number in range(count)}


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        (each(1.0), each(0.5), True),
        (each(0.5), each(1.0), False),
        (each(1.0), each(0.995), False),  # sure, but less than the margin
        (each(1.0), each(1.0) | {"q0": 0.0}, False),  # more than the margin, but not sure
        (each(1.0), each(1.0) | {f"q{number}": 0.0 for number in range(8)}, True),
        (each(1.0), each(1.0), False),
    ],
)
def test_a_loss_is_sure_and_more_than_the_margin(
    before: dict[str, float], after: dict[str, float], is_lost: bool
) -> None:
    assert compare(run(before), run(after)).loses("fused") is is_lost


def test_a_margin_of_ones_own_lets_more_pass() -> None:
    comparison = compare(run(each(1.0)), run(each(0.5)))

    assert comparison.loses("fused", margin=0.4)
    assert not comparison.loses("fused", margin=0.6)
    assert not comparison.loses("vector")


def test_questions_are_paired_by_id() -> None:
    before = run({"a": 1.0, "b": 0.0, "gone": 0.7})
    after = run({"new": 0.0, "b": 0.0, "a": 1.0})

    comparison = compare(before, after)

    assert comparison.questions == 2
    assert [one.by for one in comparison.differences] == [Estimate(0.0, 0.0, 0.0)]


@pytest.mark.parametrize("other", [run({"z": 1.0}), run({"a": 1.0}, leg="vector")])
def test_runs_without_anything_in_common_are_not_compared(other: Run) -> None:
    with pytest.raises(BadRequest, match="no question or no leg in common"):
        compare(other, run({"a": 1.0}))


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = run(each(0.25)).model_copy(
        update={
            "means": means_of({"fused": {"nDCG@10": [0.25] * 40}}),
            "left_out": ["q77"],
            "unknown_pages": ["12"],
        }
    )
    path = tmp_path / "run.json"
    path.write_text(made.model_dump_json())

    assert Run.read(path) == made


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "is no run of"),
        ("[1", "Invalid JSON"),
        (
            '{"name": "x", "made_at": "2026-01-01T00:00:00Z", "version": "1", "model": "words",'
            ' "questions": ["a", "b"], "legs": {"fused": {"nDCG@10": [1.0]}}}',
            "it lacks values for its questions",
        ),
    ],
)
def test_a_file_that_is_no_run_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)

    with pytest.raises(BadRequest, match=told) as error:
        Run.read(path)

    assert str(path) in str(error.value)


def test_times_are_told_for_half_and_for_nearly_all_questions() -> None:
    spread = Spread.of([0.001 * number for number in range(1, 102)])

    assert (spread.p50, spread.p95) == (51.0, 96.0)
