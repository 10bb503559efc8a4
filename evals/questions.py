"""Questions whose answering pages are known, of one's own wiki or of the sample space."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from evals.json_lines import Entry, bad_line, read_entries
from index.errors import BadRequest

SAMPLE_QUESTIONS = Path(__file__).resolve().parent / "sample"


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the pages that answer it, each with a grade from 1.

    `places`, where they are known, are (page id, heading), any of which answers; "" is the top of
    the page. Where only a comment or an attachment answers, `links` are (page id, part of the URL
    that opens it).
    """

    id: str
    text: str
    grades: Mapping[str, int]
    places: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class _Answer(Entry):
    page_id: str
    heading: str | None = None
    link: str | None = None


class _Question(Entry):
    id: str = Field(min_length=1)
    question: str = Field(pattern=r"\S")
    pages: tuple[str, ...] = ()
    answers: tuple[_Answer, ...] = ()


def sample_questions() -> list[Question]:
    """The questions on the sample space."""
    return read_questions(SAMPLE_QUESTIONS)


def read_questions(path: Path) -> list[Question]:
    """The questions of a file of JSON lines, or of all such files of a folder.

    A line has `id`, `question`, and `pages` (ids) or `answers` (`page_id` with a `heading`, or with
    a `link`). Raises BadRequest, which names file and line.
    """
    paths = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    entries = (entry for each in paths for entry in read_entries(each, _Question))
    questions = unique((place, _question(place, entry)) for place, entry in entries)
    if not questions:
        raise BadRequest(
            f"{path} has no questions: it needs corpus.jsonl, queries.jsonl and qrels.tsv, or "
            "JSON lines with id, question and pages."
        )
    return questions


def unique(placed: Iterable[tuple[str, Question]]) -> list[Question]:
    """The questions without their places; raises BadRequest where two have the same id."""
    first: dict[str, str] = {}
    questions: list[Question] = []
    for place, question in placed:
        if question.id in first:
            raise bad_line(place, f"{first[question.id]} has the id {question.id} already")
        first[question.id] = place
        questions.append(question)
    return questions


def _question(place: str, entry: _Question) -> Question:
    page_ids = [*entry.pages, *(answer.page_id for answer in entry.answers)]
    if not page_ids:
        raise bad_line(place, "neither pages nor answers name a page")
    return Question(
        id=entry.id,
        text=entry.question,
        grades=dict.fromkeys(page_ids, 1),
        places=tuple((a.page_id, a.heading) for a in entry.answers if a.heading is not None),
        links=tuple((a.page_id, a.link) for a in entry.answers if a.link is not None),
    )


def asked_of(
    questions: Sequence[Question], known: frozenset[str]
) -> tuple[list[Question], list[str]]:
    """The questions that `known` pages answer, and the ids of the others.

    Unknown pages are no longer among their answers.
    """
    kept = [
        Question(
            id=question.id,
            text=question.text,
            grades={page: grade for page, grade in question.grades.items() if page in known},
            places=tuple(place for place in question.places if place[0] in known),
            links=tuple(link for link in question.links if link[0] in known),
        )
        for question in questions
        if not known.isdisjoint(question.grades)
    ]
    ids = {question.id for question in kept}
    return kept, [question.id for question in questions if question.id not in ids]
