"""Asks the product questions whose answers are known, and looks at what it answers and cites."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from evals.answer_questions import AnswerQuestion
from evals.facts import states
from evals.quotes import PageTexts
from index.access import Asker
from index.database import Database
from index.errors import ChatError, EmbeddingError
from server.answering import Answerer
from server.proving import Answer, Status


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the questions are put to: an index with what answers from it, and who asks."""

    database: Database
    answerer: Answerer
    asker: Asker


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its answer: `cited` page ids, and for each whether its quote is verbatim.

    An answer that could not be made has a `failure` instead; `seconds` were waited for it.
    """

    question: AnswerQuestion
    text: str
    is_answer: bool
    cited: tuple[str, ...] = ()
    verbatim: tuple[bool, ...] = ()
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    failure: str | None = None

    @property
    def missing(self) -> list[str]:
        """The facts that it does not state."""
        return [
            " / ".join(fact)
            for fact in self.question.facts
            if not (self.is_answer and states(self.text, fact))
        ]

    @property
    def is_refusal(self) -> bool:
        """Whether it says that the wiki does not say, or what is wrong with the question."""
        if self.failure is not None:
            return False
        return not self.is_answer or (bool(self.question.facts) and not self.missing)


async def answers_to(asked: Asked, questions: Sequence[AnswerQuestion]) -> list[Answered]:
    """The answers, asked for one after the other."""
    texts = PageTexts(asked.database, asked.asker)
    answers: list[Answered] = []
    # disable=None: no bar where standard error is no terminal.
    for question in tqdm(questions, unit=" questions", disable=None, file=sys.stderr):
        started = time.perf_counter()
        try:
            answer = await asked.answerer.answer(
                asked.asker, question.text, history=question.history, progress=_silent
            )
        except (ChatError, EmbeddingError) as error:
            seconds = time.perf_counter() - started
            answers.append(Answered(question, "", False, seconds=seconds, failure=str(error)))
        else:
            seconds = time.perf_counter() - started
            answers.append(await _looked_at(question, answer, texts, seconds))
    return answers


async def _looked_at(
    question: AnswerQuestion, answer: Answer, texts: PageTexts, seconds: float
) -> Answered:
    cited = tuple(citation.hit.page.page_id for citation in answer.citations)
    return Answered(
        question=question,
        text=answer.text,
        is_answer=answer.status is Status.ANSWERED,
        cited=cited,
        verbatim=tuple(
            [
                await texts.have(page_id, citation.quote)
                for page_id, citation in zip(cited, answer.citations, strict=True)
            ]
        ),
        seconds=seconds,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )


async def _silent(_: float, __: str) -> None:
    """Nobody watches."""
