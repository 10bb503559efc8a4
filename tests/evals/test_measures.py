"""Measures against values worked out by hand."""

from datetime import UTC, datetime
from math import log2

import pytest

from evals.asking import Answer
from evals.measures import MEASURES, PLACE, measured, measures_of
from evals.questions import Question
from index.records import ContentType, State
from index.results import Hit, PageInfo, Passage


def only(grades: dict[str, int], ranking: list[str]) -> dict[str, float]:
    """The measures of one question."""
    return {name: one for name, (one,) in measures_of({"q": grades}, {"q": ranking}).items()}


def discounted(*places: int) -> float:
    return sum(1 / log2(1 + place) for place in places)


@pytest.mark.parametrize(
    ("grades", "ranking", "expected"),
    [
        ({"a": 1}, ["a"], (1, 1, 1, 1)),
        ({"a": 1}, ["x", "y", "a"], (discounted(3), 1, 1, 1 / 3)),
        ({"a": 1}, ["x"] * 0, (0, 0, 0, 0)),
        ({"a": 1}, list("bcdefga"), (discounted(7), 0, 1, 1 / 7)),
        ({"a": 1}, [*"bcdefghijk", "a"], (0, 0, 0, 0)),
        ({"a": 1, "b": 1}, ["x", "b"], (discounted(2) / discounted(1, 2), 0.5, 0.5, 0.5)),
        (
            {"a": 3, "b": 1},
            ["b", "a"],
            ((discounted(1) + 3 * discounted(2)) / (3 * discounted(1) + discounted(2)), 1, 1, 1),
        ),
    ],
)
def test_measures_are_those_worked_out_by_hand(
    grades: dict[str, int], ranking: list[str], expected: tuple[float, ...]
) -> None:
    values = only(grades, ranking)

    assert list(values) == list(MEASURES)
    assert list(values.values()) == pytest.approx(expected)


def test_values_are_in_the_order_of_the_questions() -> None:
    grades = {"z": {"a": 1}, "b": {"a": 1}, "m": {"a": 1}}
    rankings = {"b": ["x", "a"], "m": ["x"], "z": ["a"]}

    assert measures_of(grades, rankings)["MRR@10"] == [1, 0.5, 0]


def test_only_what_is_right_by_its_grade_is_ranked_not_what_is_right_by_its_name() -> None:
    """Ties are no matter: each place has a score of its own, whatever the ids are."""
    forwards = only({"m": 1}, ["a", "m", "z"])
    backwards = only({"m": 1}, ["z", "m", "a"])

    assert forwards == backwards


def hit(page_id: str, *passages: tuple[str, str]) -> Hit:
    """A page with passages of a heading (or none) and a URL."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    info = PageInfo(page_id, page_id, "", "ENG", ContentType.PAGE, 1, State.LIVE, None, now)
    shown = [
        Passage(number, (heading,) if heading else (), url, "", 1.0)
        for number, (heading, url) in enumerate(passages)
    ]
    return Hit(info, 1.0, tuple(shown))


AT_PIERS = Question("q", "where?", {"7": 1}, places=(("7", "Piers"),))
AT_TOP = Question("q", "where?", {"7": 1}, places=(("7", ""),))
IN_COMMENT = Question("q", "who?", {"7": 1}, links=(("7", "focusedCommentId=1"),))


@pytest.mark.parametrize(
    ("question", "hits", "expected"),
    [
        (AT_PIERS, [hit("7", ("Tides", "u"), ("Piers", "u"))], 1.0),
        (AT_PIERS, [hit("7", ("Tides", "u"))], 0.0),
        (AT_PIERS, [hit("8", ("Piers", "u"))], 0.0),
        (AT_PIERS, [*(hit(page, ("", "u")) for page in "12345"), hit("7", ("Piers", "u"))], 0.0),
        (AT_TOP, [hit("7", ("", "u"))], 1.0),
        (AT_TOP, [hit("7", ("Piers", "u"))], 0.0),
        (IN_COMMENT, [hit("7", ("Piers", "u?focusedCommentId=1"))], 1.0),
        (IN_COMMENT, [hit("7", ("Piers", "u"))], 0.0),
    ],
)
def test_a_passage_is_from_the_right_place_or_not(
    question: Question, hits: list[Hit], expected: float
) -> None:
    values = measured([Answer(question, hits, 0.01, 0.0)])

    assert values[PLACE] == [expected]


def test_places_are_measured_only_where_every_question_tells_one() -> None:
    answers = [
        Answer(AT_PIERS, [], 0.01, 0.0),
        Answer(Question("r", "x", {"7": 1}), [hit("7", ("", "u"))], 0.01, 0.0),
    ]

    assert PLACE not in measured(answers)
    assert measured(answers)["MRR@10"] == [0, 1]
