"""What people thought of answers, as the chat exports it, as questions to measure by.

An answer with a thumb up tells which pages answer its question; the others are to be looked at.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from evals.answer_questions import AnswerQuestion, Turn, to_history
from evals.json_lines import Entry, read_entries
from evals.questions import Question
from index.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Complaint:
    """An answer that nobody can measure by: a thumb down, or one that cites nothing."""

    question: str
    rating: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Feedback:
    """The questions to measure by, each once, and the complaints in the order of the file."""

    questions: Sequence[AnswerQuestion]
    complaints: Sequence[Complaint]

    def for_search(self) -> list[Question]:
        """Questions for the search: those that say all by themselves."""
        return [
            Question(question.id, question.text, {names[0]: 1 for names in question.pages})
            for question in self.questions
            if not question.history
        ]


class _Feedback(Entry):
    question: str = Field(pattern=r"\S")
    history: tuple[Turn, ...] = ()
    rating: Literal["up", "down"]
    cited: tuple[str, ...] = ()
    comment: str | None = None
    at: datetime


def read_feedback(path: Path) -> Feedback:
    """The feedback in a file of JSON lines; raises BadRequest, which names file and line."""
    questions: dict[str, AnswerQuestion] = {}
    complaints: list[Complaint] = []
    for _, entry in read_entries(path, _Feedback):
        if entry.rating == "up" and entry.cited:
            question = _question(entry)
            # The last one counts: pages have changed since the others.
            questions[question.id] = question
        else:
            asked, comment = _one_line(entry.question), _one_line(entry.comment or "")
            complaints.append(Complaint(asked, entry.rating, comment, entry.at))
    if not questions and not complaints:
        raise BadRequest(f"{path} has no feedback: it needs JSON lines as the chat exports them.")
    return Feedback(list(questions.values()), complaints)


def _question(entry: _Feedback) -> AnswerQuestion:
    """The same id for the same question each time it is exported."""
    said = "\0".join([*(turn.content for turn in entry.history), entry.question])
    return AnswerQuestion(
        id=f"feedback-{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:10]}",
        text=entry.question,
        pages=tuple((page_id,) for page_id in dict.fromkeys(entry.cited)),
        history=to_history(entry.history),
        kind="feedback",
    )


def _one_line(text: str) -> str:
    """Without what a terminal would obey."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def complaints_list(complaints: Sequence[Complaint]) -> str:
    """What is to be looked at, a line for each."""
    lines = [f"To be looked at ({len(complaints)}):"]
    for one in complaints:
        why = one.comment or ("cites no page" if one.rating == "up" else "")
        lines.append(f"  {one.at:%Y-%m-%d} {one.rating:4} {one.question}{why and f' - {why}'}")
    return "\n".join(lines)
