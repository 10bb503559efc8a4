"""Whether one run is better than another on the same questions, or only luckier."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.measures import MAIN
from evals.run import Run
from evals.statistics import Estimate, chances, estimates
from index.errors import BadRequest

SURE = 0.05
MARGIN = 0.01


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
        """Whether a leg has lost by the main measure."""
        return any(
            (difference.leg, difference.measure) == (leg, MAIN) and difference.is_loss(margin)
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
