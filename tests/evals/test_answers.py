"""What is measured of answers, what a judge says of them, and what thumbs tell."""

import json
from pathlib import Path

import pytest

from evals.answer_measures import ANSWERED, FACTS, PRECISION, RECALL, REFUSED, VERBATIM, measured
from evals.answer_questions import AnswerQuestion, known_of, read_answer_questions
from evals.answering import Answered
from evals.feedback import complaints_list, read_feedback
from evals.judging import to_verdicts
from index.errors import BadRequest
from server.llm import Message

ROOM = AnswerQuestion("room", "Which room?", facts=(("Stuurhut", "wheelhouse"), ("8",)))
TWO = AnswerQuestion("two", "Who?", facts=(("Ada",),), pages=(("1", "2"), ("3",)), also=("4",))
NONE = AnswerQuestion("none", "How tall is Ada?", is_answerable=False)
WRONG = AnswerQuestion("wrong", "Why Rust?", facts=(("Go",),), is_answerable=False)


def test_facts_count_in_answers_only() -> None:
    half = Answered(ROOM, "The wheelhouse.", True)
    refused = Answered(ROOM, "Stuurhut, 8 seats", False)

    assert measured([half])[FACTS] == {"room": 0.5}
    assert measured([refused])[FACTS] == {"room": 0.0}
    assert half.missing == ["8"]


def test_citations_are_held_against_the_pages_that_were_expected() -> None:
    answer = Answered(TWO, "Ada.", True, cited=("2", "4", "9"), verbatim=(True, True, False))

    values = measured([answer])

    assert values[RECALL] == {"two": 0.5}
    assert values[PRECISION] == {"two": pytest.approx(2 / 3)}
    assert values[VERBATIM] == {"two": pytest.approx(2 / 3)}


def test_a_false_refusal_cites_nothing_right_and_nothing_wrong() -> None:
    values = measured([Answered(TWO, "", False)])

    assert values == {ANSWERED: {"two": 0.0}, FACTS: {"two": 0.0}, RECALL: {"two": 0.0}}


@pytest.mark.parametrize(
    ("answered", "is_right"),
    [
        (Answered(NONE, "", False), True),
        (Answered(NONE, "1.80 m", True), False),
        (Answered(WRONG, "", False), True),
        (Answered(WRONG, "It is written in Go.", True), True),
        (Answered(WRONG, "It is faster.", True), False),
        (Answered(NONE, "", False, failure="The chat endpoint is too busy."), False),
    ],
)
def test_what_cannot_be_answered_is_refused_or_put_right(
    answered: Answered, is_right: bool
) -> None:
    assert measured([answered])[REFUSED] == {answered.question.id: float(is_right)}


def test_pages_are_known_by_title_and_a_question_needs_all_of_its_pages() -> None:
    known = {"1": ("1",), "2": (), "3": ("3",), "4": (), "Rota": ("7", "8")}
    by_title = AnswerQuestion("title", "When?", pages=(("Rota",),))
    lacking = AnswerQuestion("lacking", "When?", pages=(("1",), ("2",)))

    kept, left_out = known_of([TWO, by_title, lacking], known)

    assert [question.pages for question in kept] == [(("1",), ("3",)), (("7", "8"),)]
    assert left_out == ["lacking"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"id": "1", "question": "who?"}, "it needs facts or pages"),
        ({"id": "1", "question": "who?", "pages": ["1"], "answerable": False}, "has pages, but"),
        ({"id": "1", "question": "who?", "facts": ["--"]}, "a fact has no words"),
        ({"id": "1", "question": "who?", "facts": ["a", ["b", "|"]]}, "a fact has no words"),
        ({"id": "1", "question": " ", "facts": ["a"]}, "question: "),
        ({"id": "1", "question": "a", "history": [{"role": "system", "content": ""}]}, "history"),
    ],
)
def test_a_line_that_is_no_question_is_named(
    tmp_path: Path, line: dict[str, object], told: str
) -> None:
    path = tmp_path / "ours.jsonl"
    path.write_text(f"{json.dumps({'id': '0', 'question': 'a', 'facts': [5]})}\n{json.dumps(line)}")

    with pytest.raises(BadRequest, match=rf"ours.jsonl:2: .*{told}"):
        read_answer_questions(path)


@pytest.mark.parametrize(
    ("reply", "verdicts"),
    [
        (
            '{"verdicts": [{"fact": 2, "stated": false}, {"fact": 1, "stated": true}]}',
            [True, False],
        ),
        ('{"verdicts": [{"fact": 1, "stated": true}]}', None),
        ('{"verdicts": [{"fact": 1, "stated": true}, {"fact": 1, "stated": true}]}', None),
        ('{"verdicts": [{"fact": 1, "stated": true}, {"fact": 3, "stated": true}]}', None),
        ('{"verdicts": [{"fact": 1, "stated": "true"}, {"fact": 2, "stated": true}]}', None),
        ('{"verdicts": [{"fact": 1, "stated": 1}, {"fact": 2, "stated": true}]}', None),
        ('{"verdicts": [], "note": "all are stated"}', None),
        ("Both are stated.", None),
        ("[true, true]", None),
    ],
)
def test_a_judge_gives_one_verdict_for_each_of_two_facts_or_none(
    reply: str, verdicts: list[int] | None
) -> None:
    assert to_verdicts(reply, 2) == verdicts


def test_thumbs_up_become_questions_and_the_others_are_told(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada [1]."}]
    up = {"question": "When is soup?", "rating": "up", "answer": "At noon [1].", "cited": ["12"]}
    lines = [
        {**up, "history": [], "comment": None, "at": "2026-11-01T09:00:00+00:00"},
        {**up, "cited": ["13", "13", "12"], "at": "2026-11-02T09:00:00+00:00"},
        {**up, "question": "And when?", "history": said, "at": "2026-11-02T10:00:00Z"},
        {**up, "cited": [], "at": "2026-11-03T09:00:00Z"},
        {**up, "rating": "down", "comment": "cold\n\x1b[2Jsoup", "at": "2026-11-04T09:00:00Z"},
    ]
    path = tmp_path / "thumbs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    feedback = read_feedback(path)

    assert [question.pages for question in feedback.questions] == [(("13",), ("12",)), (("12",),)]
    assert feedback.questions[1].history == (
        Message("user", "Who?"),
        Message("assistant", "Ada [1]."),
    )
    assert [question.text for question in feedback.for_search()] == ["When is soup?"]
    assert feedback.for_search()[0].grades == {"13": 1, "12": 1}
    assert complaints_list(feedback.complaints).splitlines() == [
        "To be looked at (2):",
        "  2026-11-03 up   When is soup? - cites no page",
        "  2026-11-04 down When is soup? - cold [2Jsoup",
    ]
