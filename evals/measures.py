"""How good a ranking is: nDCG, recall and reciprocal rank of each question."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from evals.asking import Answer
from evals.questions import Question
from index.errors import ConfigurationError
from index.results import Hit

# By the names that `ir-measures` gives them.
MEASURES = {"nDCG@10": "nDCG@10", "recall@5": "R@5", "recall@10": "R@10", "MRR@10": "RR@10"}
MAIN = "nDCG@10"
PLACE = "place@5"  # a passage from the right place is shown for a right page among the first 5

# Of each measure one value for each question.
Values = dict[str, list[float]]


def require_measures() -> None:
    """Raises ConfigurationError where the library that computes the measures is missing."""
    if find_spec("ir_measures") is None:
        raise ConfigurationError(
            "The package ir-measures, which computes the measures, is not installed.\n"
            'Install it with `pip install "confluence-mcp[eval]"`.'
        )


def measured(answers: Sequence[Answer]) -> Values:
    """The measures of each answer; the place only where all questions tell it."""
    rankings = {answer.question.id: _ranking(answer.hits) for answer in answers}
    grades = {answer.question.id: answer.question.grades for answer in answers}
    values = measures_of(grades, rankings)
    if all(answer.question.places or answer.question.links for answer in answers):
        shown = [_shows_place(answer.question, answer.hits[:5]) for answer in answers]
        values[PLACE] = list(map(float, shown))
    return values


def measures_of(
    grades: Mapping[str, Mapping[str, int]], rankings: Mapping[str, Sequence[str]]
) -> Values:
    """The measures of rankings of page ids, by question in the order of `grades`."""
    # Comes with the extra `eval`.
    import ir_measures

    names = {ir_measures.parse_measure(name): shown for shown, name in MEASURES.items()}
    qrels = [
        ir_measures.Qrel(question_id, page_id, grade)
        for question_id, right in grades.items()
        for page_id, grade in right.items()
    ]
    run = [
        ir_measures.ScoredDoc(question_id, page_id, -float(rank))
        for question_id, ranking in rankings.items()
        for rank, page_id in enumerate(ranking)
    ]
    found = {
        (names[metric.measure], metric.query_id): metric.value
        for metric in ir_measures.iter_calc(list(names), qrels, run)
    }
    return {shown: [found[shown, id] for id in grades] for shown in MEASURES}


def _ranking(hits: Sequence[Hit]) -> list[str]:
    """Page ids, best first; copies stand behind the page that they are shown with."""
    return [page.page_id for hit in hits for page in (hit.page, *hit.copies)]


def _shows_place(question: Question, hits: Sequence[Hit]) -> bool:
    shown = [(hit.page.page_id, passage) for hit in hits for passage in hit.passages]
    if question.links:
        return any(
            page_id == right and link in passage.url
            for page_id, passage in shown
            for right, link in question.links
        )
    headings = {
        (page_id, heading)
        for page_id, passage in shown
        for heading in passage.heading_path or ("",)
    }
    return not headings.isdisjoint(question.places)
