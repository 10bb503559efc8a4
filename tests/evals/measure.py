"""Recall and reciprocal rank of questions whose answering pages and headings are known."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.access import CRAWLER
from index.results import Hit
from index.search import Searcher

FOLDER = Path(__file__).parent
DEPTH = 10  # hits that are looked at
LEGS = {"vector": 1.0, "lexical": 0.0, "fused": None}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the places, as (page id, heading), any of which answers it.

    Where a comment or an attachment answers it, `links` has (page id, part of the URL that opens
    it), and `answers` the page.
    """

    id: str
    text: str
    language: str
    kind: str
    answers: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """Means over questions: whether a right page is among the first 5, 1/rank of the first right
    page, and whether a passage shown for a right page among the first 5 is from the right place.
    """

    questions: int
    recall_at_5: float
    mrr: float
    heading_at_5: float


def questions(folder: Path = FOLDER) -> list[Question]:
    """The questions on the sample space that the bodies of its pages answer."""
    return [question for question in _read(folder) if not question.links]


def item_questions(folder: Path = FOLDER) -> list[Question]:
    """The questions on the sample space that only its comments and attachments answer."""
    return [question for question in _read(folder) if question.links]


def _read(folder: Path) -> list[Question]:
    lines = [
        line
        for path in sorted(folder.glob("questions-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [_question(line) for line in lines if line.strip()]


def _question(line: str) -> Question:
    entry = json.loads(line)
    places = entry["answers"]
    return Question(
        id=entry["id"],
        text=entry["question"],
        language=entry["language"],
        kind=entry["kind"],
        answers=tuple((place["page_id"], place.get("heading", "")) for place in places),
        links=tuple((place["page_id"], place["link"]) for place in places if "link" in place),
    )


async def ask(
    searcher: Searcher, asked: Iterable[Question], dense_share: float | None
) -> list[tuple[Question, Sequence[Hit]]]:
    """The first hits for each question."""
    return [
        (question, (await searcher.search(
            CRAWLER, question.text, limit=DEPTH, passages=2, dense_share=dense_share)).hits)
        for question in asked
    ]  # fmt: skip


def score(answered: Sequence[tuple[Question, Sequence[Hit]]]) -> Score:
    """The measures over all questions."""
    ranks = [_rank(question, hits) for question, hits in answered]
    headings = [_shows_place(question, hits[:5]) for question, hits in answered]
    count = len(answered)
    return Score(
        questions=count,
        recall_at_5=sum(0 < rank <= 5 for rank in ranks) / count,
        mrr=sum(1 / rank for rank in ranks if rank) / count,
        heading_at_5=sum(headings) / count,
    )


def _rank(question: Question, hits: Sequence[Hit]) -> int:
    """Of the first right page, from 1; 0 when there is none."""
    right = {page_id for page_id, _ in question.answers}
    found = (rank for rank, hit in enumerate(hits, start=1) if hit.page.page_id in right)
    return next(found, 0)


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
    return any(answer in headings for answer in question.answers)
