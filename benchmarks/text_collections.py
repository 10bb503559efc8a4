"""Collections of texts, with questions whose answering texts are known, in the layout of BEIR."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.body.blocks import Block
from ingest.body.markdown_blocks import blocks_of
from tests.evals.measure import Question


@dataclass(frozen=True, slots=True)
class Text:
    """A text in Markdown."""

    text_id: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts, and questions on them."""

    texts: Sequence[Text]
    questions: Sequence[Question]


def read_collection(folder: Path) -> Collection:
    """A folder of corpus.jsonl, queries.jsonl and qrels.tsv."""
    texts = [
        Text(entry["_id"], entry["title"], blocks_of(entry["text"]))
        for entry in _entries(folder / "corpus.jsonl")
    ]
    answers = _answers(folder / "qrels.tsv")
    questions = [
        Question(entry["_id"], entry["text"], "", "", tuple(answers[entry["_id"]]))
        for entry in _entries(folder / "queries.jsonl")
        if entry["_id"] in answers
    ]
    return Collection(texts, questions)


def _entries(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _answers(path: Path) -> dict[str, list[tuple[str, str]]]:
    answers: dict[str, list[tuple[str, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        question_id, text_id, is_right = line.split("\t")
        if int(is_right):
            answers.setdefault(question_id, []).append((text_id, ""))
    return answers
