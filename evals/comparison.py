"""Whether one run is better than another on the same questions, or only luckier."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.answer_measures import ANSWERED, FACTS, PRECISION, RECALL, REFUSED, VERBATIM
from evals.answer_run import AnswerRun
from evals.measures import MAIN
from evals.run import Run
from evals.statistics import Estimate, chances, estimates
from index.errors import BadRequest

SURE = 0.05
MARGIN = 0.01
ANSWERS = "answers"
# What the judge says is not among them: it is no measuring rod that stays the same.
ANSWER_MEASURES = (ANSWERED, FACTS, RECALL, PRECISION, VERBATIM, REFUSED)


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a measure of a leg went up, with how likely that is by chance alone."""

    leg: str
    measure: str
    by: Estimate
    chance: float

    def is_loss(self, margin: float = MARGIN) -> bool:
        """Whether it went down by more than the margin, and hardly by chance."""
        return self.by.mean < -margin and self.chance < SURE


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two runs over the `questions` that both have."""

    questions: int
    differences: Sequence[Difference]

    def loses(self, leg: str, *, margin: float = MARGIN) -> bool:
        """Whether a leg has lost by the main measure, or answers by any of theirs."""
        measures = ANSWER_MEASURES if leg == ANSWERS else (MAIN,)
        return any(
            difference.leg == leg and difference.measure in measures and difference.is_loss(margin)
            for difference in self.differences
        )


def compare(before: Run, after: Run) -> Comparison:
    """Every measure of every leg that both runs have; raises BadRequest when there is none."""
    places_before = {question: at for at, question in enumerate(before.questions)}
    common = [question for question in after.questions if question in places_before]
    places_after = {question: at for at, question in enumerate(after.questions)}
    names = [
        (leg, measure)
        for leg, measures in after.legs.items()
        for measure in measures
        if measure in before.legs.get(leg, {})
    ]
    if not common or not names:
        raise BadRequest(f"{before.name} and {after.name} have no question or no leg in common.")
    columns = [
        [
            after.legs[leg][measure][places_after[question]]
            - before.legs[leg][measure][places_before[question]]
            for question in common
        ]
        for leg, measure in names
    ]
    return Comparison(
        len(common),
        [
            Difference(leg, measure, by, chance)
            for (leg, measure), by, chance in zip(
                names, estimates(columns), chances(columns), strict=True
            )
        ],
    )


def compare_answers(before: AnswerRun, after: AnswerRun) -> Comparison:
    """Every measure that both runs have, each over its questions in common.

    Raises BadRequest when there is none.
    """
    pairs = {
        measure: [
            value - before.values[measure][question]
            for question, value in column.items()
            if question in before.values[measure]
        ]
        for measure, column in after.values.items()
        if measure in before.values
    }
    differences = [
        Difference(ANSWERS, measure, by, chance)
        for measure, column in pairs.items()
        if column
        for by, chance in zip(estimates([column]), chances([column]), strict=True)
    ]
    if not differences:
        raise BadRequest(f"{before.name} and {after.name} have no question in common.")
    ids = {outcome.id for outcome in before.outcomes}
    return Comparison(sum(outcome.id in ids for outcome in after.outcomes), differences)
