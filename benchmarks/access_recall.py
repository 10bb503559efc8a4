"""Recall of the vector leg against brute force, and speed, by the share that somebody sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.asked import Answer, ask
from benchmarks.guarded_index import Flags, Scene, Someone
from index.database import Database
from index.search_statement import SearchStatement, search_statement
from tests.index.generated_index import CHUNKS_OF_PAGE, Question

QUESTIONS = 40
TOP = 10


@dataclass(frozen=True, slots=True)
class _Case:
    someone: Someone
    topics: str
    questions: Sequence[Question]
    expected: Sequence[list[int]]


async def measure_recall(reader: Database, scene: Scene, questions: int = QUESTIONS) -> None:
    """A table with a line for each asker, for questions about what they see and about anything."""
    everything = scene.people[0].shown
    cases = [
        case
        for someone in scene.people
        for case in (
            _case(scene, someone, "inside", someone.shown, questions),
            _case(scene, someone, "anywhere", everything, questions),
        )
    ]
    statement = search_statement(scene.index.model)
    recalls: list[list[float]] = [[] for _ in cases]
    answers: list[list[Answer]] = [[] for _ in cases]
    for number in range(questions):
        for at, case in enumerate(cases):
            recalls[at].append(await _recall(reader, statement, case, number))
            answers[at].append(
                await ask(reader, case.someone.asker, statement, case.questions[number])
            )
    print(f"\n{'asker':18}{'questions':>10}{'chunks':>9}{'recall@10':>11}", end="")
    print(f"{'p50 ms':>9}{'p95 ms':>9}{'cpu p50':>9}{'cpu p95':>9}")
    for case, recall, answer in zip(cases, recalls, answers, strict=True):
        _print(case, recall, answer)


def _case(scene: Scene, someone: Someone, topics: str, about: Flags, count: int) -> _Case:
    questions = [scene.question(about, seed) for seed in range(count)]
    expected = [
        _best_pages(np.where(someone.shown, scene.index.vectors @ question.vector, -np.inf))
        for question in questions
    ]
    return _Case(someone, topics, questions, expected)


def _best_pages(cosines: NDArray[np.float32]) -> list[int]:
    """Those with the nearest chunks."""
    some = np.argpartition(-cosines, min(TOP * CHUNKS_OF_PAGE, len(cosines) - 1))
    best = sorted(some[: TOP * CHUNKS_OF_PAGE].tolist(), key=lambda chunk: -cosines[chunk])
    pages = [chunk // CHUNKS_OF_PAGE for chunk in best if np.isfinite(cosines[chunk])]
    return list(dict.fromkeys(pages))[:TOP]


async def _recall(reader: Database, statement: SearchStatement, case: _Case, number: int) -> float:
    question, expected = case.questions[number], case.expected[number]
    answer = await ask(reader, case.someone.asker, statement, question, dense_share=1.0, limit=TOP)
    return len(set(answer.pages) & set(expected)) / len(expected)


def _print(case: _Case, recalls: Sequence[float], answers: Sequence[Answer]) -> None:
    p50, p95 = np.percentile([answer.ms for answer in answers], [50, 95])
    cpu50, cpu95 = np.percentile([answer.cpu_ms for answer in answers], [50, 95])
    print(f"{case.someone.name:18}{case.topics:>10}{case.someone.shown.sum():>9,}", end="")
    print(f"{np.mean(recalls):>11.3f}{p50:>9.1f}{p95:>9.1f}{cpu50:>9.1f}{cpu95:>9.1f}")
