"""Questions whose answers are known: what is to be stated and cited, and what to be refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from evals.facts import words
from evals.json_lines import Entry, bad_line, read_entries
from evals.questions import SAMPLE_QUESTIONS
from index.access import Asker, read_as
from index.database import Database
from index.errors import BadRequest
from server.llm import Message

SAMPLE_ANSWERS = SAMPLE_QUESTIONS / "answers"

KNOWN = """
SELECT page_id, lower(title) FROM shown_page
WHERE page_id = ANY(%(names)s::text[]) OR lower(title) = ANY(%(titles)s::text[])
"""


@dataclass(frozen=True, slots=True)
class AnswerQuestion:
    """A question with what a right answer states and cites.

    Of each of `facts` and of each of `pages` (ids or titles) any alternative will do; `also` are
    pages that may be cited besides. One that is not `is_answerable` is to be refused; where it has
    facts, an answer that states them all, such as what is wrong with the question, is right too.
    """

    id: str
    text: str
    facts: tuple[tuple[str, ...], ...] = ()
    pages: tuple[tuple[str, ...], ...] = ()
    also: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    is_answerable: bool = True
    kind: str = ""


class Turn(Entry):
    """A message of the conversation before a question."""

    role: Literal["user", "assistant"]
    content: str


class _AnswerQuestion(Entry):
    id: str = Field(min_length=1)
    question: str = Field(pattern=r"\S")
    facts: tuple[str | tuple[str, ...], ...] = ()
    pages: tuple[str | tuple[str, ...], ...] = ()
    also: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()
    answerable: bool = True
    kind: str = ""


def sample_answer_questions() -> list[AnswerQuestion]:
    """The questions on the sample space."""
    return read_answer_questions(SAMPLE_ANSWERS)


def read_answer_questions(path: Path) -> list[AnswerQuestion]:
    """The questions of a file of JSON lines, or of all such files of a folder.

    A line has `id`, `question`, and `facts` and `pages`, or `"answerable": false`; it may have
    `history`, `also` and `kind`. Raises BadRequest, which names file and line.
    """
    paths = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    first: dict[str, str] = {}
    questions: list[AnswerQuestion] = []
    for place, entry in (entry for each in paths for entry in read_entries(each, _AnswerQuestion)):
        if entry.id in first:
            raise bad_line(place, f"{first[entry.id]} has the id {entry.id} already")
        first[entry.id] = place
        questions.append(_question(place, entry))
    if not questions:
        raise BadRequest(f"{path} has no questions: it needs JSON lines with id and question.")
    return questions


def _question(place: str, entry: _AnswerQuestion) -> AnswerQuestion:
    if entry.answerable and not (entry.facts or entry.pages):
        raise bad_line(place, 'it needs facts or pages, or "answerable": false')
    if not entry.answerable and entry.pages:
        raise bad_line(place, "it has pages, but is not answerable")
    facts = tuple(map(_alternatives, entry.facts))
    if not all(alternatives and all(map(words, alternatives)) for alternatives in facts):
        raise bad_line(place, "a fact has no words")
    return AnswerQuestion(
        id=entry.id,
        text=entry.question,
        facts=facts,
        pages=tuple(map(_alternatives, entry.pages)),
        also=entry.also,
        history=to_history(entry.history),
        is_answerable=entry.answerable,
        kind=entry.kind,
    )


def _alternatives(one: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one,) if isinstance(one, str) else one


def to_history(turns: Iterable[Turn]) -> tuple[Message, ...]:
    """Turns as the product takes them."""
    return tuple(Message(turn.role, turn.content) for turn in turns)


async def known_names(
    database: Database, asker: Asker, questions: Iterable[AnswerQuestion]
) -> Mapping[str, tuple[str, ...]]:
    """The ids of the pages that the index shows to the asker, by the names in the questions."""
    names = sorted({name for question in questions for name in _names(question)})
    titles = [name.lower() for name in names]
    async with read_as(database, asker) as connection:
        rows = await connection.execute(KNOWN, {"names": names, "titles": titles})
        pages = [(str(row[0]), str(row[1])) async for row in rows]
    return {
        name: tuple(page_id for page_id, title in pages if name == page_id or name.lower() == title)
        for name in names
    }


def _names(question: AnswerQuestion) -> Iterable[str]:
    return (*question.also, *(name for names in question.pages for name in names))


def known_of(
    questions: Sequence[AnswerQuestion], known: Mapping[str, Sequence[str]]
) -> tuple[list[AnswerQuestion], list[str]]:
    """The questions with the ids of their pages for names, and the ids of those that lack one."""
    found = [
        replace(
            question,
            pages=tuple(_known(names, known) for names in question.pages),
            also=_known(question.also, known),
        )
        for question in questions
    ]
    kept = [question for question in found if all(question.pages)]
    return kept, [question.id for question in found if not all(question.pages)]


def _known(names: Iterable[str], known: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(page_id for name in names for page_id in known[name])
