"""How good answers are: facts, citations and refusals, question by question. Pure."""

from collections.abc import Mapping, Sequence

from evals.answering import Answered

# Of questions that the wiki answers.
ANSWERED = "answered"
FACTS = "facts"
RECALL = "citation recall"
PRECISION = "citation precision"
# Of all answers that cite.
VERBATIM = "verbatim quotes"
# Of questions that the wiki does not answer.
REFUSED = "refused"
# Of answers that a model read.
JUDGED = "facts by judge"

MEANINGS = {
    ANSWERED: "answerable questions that were answered: the rest are false refusals",
    FACTS: "expected facts that the answer states, by string",
    RECALL: "expected pages that are cited",
    PRECISION: "citations of an expected page, in answers to answerable questions",
    VERBATIM: "citations whose quote stands word for word in the page, in all answers",
    REFUSED: "unanswerable questions that were refused",
    JUDGED: "expected facts that the answer states, by the judge",
}

# Of each measure a value for each question that it is about.
Values = dict[str, dict[str, float]]


def measured(answers: Sequence[Answered]) -> Values:
    """The measures; one that is about none of the questions is left out."""
    answerable = [one for one in answers if one.question.is_answerable]
    given = [one for one in answerable if one.is_answer]
    columns = {
        ANSWERED: {one.question.id: float(one.is_answer) for one in answerable},
        FACTS: {one.question.id: _stated(one) for one in answerable if one.question.facts},
        RECALL: {one.question.id: _recall(one) for one in answerable if one.question.pages},
        PRECISION: {
            one.question.id: _precision(one) for one in given if one.cited and one.question.pages
        },
        VERBATIM: {one.question.id: _share(one.verbatim) for one in answers if one.verbatim},
        REFUSED: {
            one.question.id: float(one.is_refusal)
            for one in answers
            if not one.question.is_answerable
        },
    }
    return {measure: column for measure, column in columns.items() if column}


def by_kind(kinds: Mapping[str, str], column: Mapping[str, float]) -> dict[str, list[float]]:
    """The values of a measure by the kind of the questions."""
    values: dict[str, list[float]] = {}
    for question, value in column.items():
        values.setdefault(kinds.get(question, ""), []).append(value)
    return values


def _stated(answered: Answered) -> float:
    facts = answered.question.facts
    return 1 - len(answered.missing) / len(facts)


def _recall(answered: Answered) -> float:
    return _share([not names.isdisjoint(answered.cited) for names in _expected(answered)])


def _precision(answered: Answered) -> float:
    right = frozenset(answered.question.also).union(*_expected(answered))
    return _share([page_id in right for page_id in answered.cited])


def _expected(answered: Answered) -> list[frozenset[str]]:
    return [frozenset(page_ids) for page_ids in answered.question.pages]


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
