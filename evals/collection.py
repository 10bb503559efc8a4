"""Collections of texts with judged questions, in the layout of BEIR."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from evals.json_lines import Entry, bad_line, read_entries, read_lines
from evals.questions import Question, read_questions, unique
from index.errors import BadRequest

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"
ANSWERS_FILE = "answers.jsonl"  # questions beside a corpus whose answers are known
QRELS = ("qrels.tsv", "qrels/test.tsv")


@dataclass(frozen=True, slots=True)
class Text:
    """A text in Markdown."""

    text_id: str
    title: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts, and questions on them; no texts where the questions are on one's own wiki."""

    name: str
    texts: Sequence[Text]
    questions: Sequence[Question]


class _Text(Entry):
    id: str = Field(alias="_id", min_length=1)
    title: str | None = None
    text: str


class _Query(Entry):
    id: str = Field(alias="_id", min_length=1)
    text: str = Field(pattern=r"\S")


def read_collection(path: Path) -> Collection:
    """A folder of corpus.jsonl, queries.jsonl and qrels.tsv, or questions without a corpus.

    Those are a folder of queries.jsonl and qrels.tsv, or what `read_questions` reads. Raises
    BadRequest, which names file and line.
    """
    if not path.exists():
        raise BadRequest(f"There is no {path}.")
    has_corpus = (path / CORPUS).exists()
    is_judged = has_corpus or (path / QUERIES).exists()
    questions = _queries(path) if is_judged else read_questions(path)
    return Collection(
        path.resolve().name, read_texts(path / CORPUS) if has_corpus else (), questions
    )


def _queries(folder: Path) -> list[Question]:
    """The judged ones; those without a right answer are left out."""
    grades = _grades(_qrels(folder))
    queries = read_entries(folder / QUERIES, _Query)
    questions = unique(
        (place, Question(query.id, query.text, grades[query.id]))
        for place, query in queries
        if query.id in grades
    )
    if not questions:
        raise BadRequest(f"No question of {folder / QUERIES} has an answer in {_qrels(folder)}.")
    return questions


def read_texts(path: Path) -> Sequence[Text]:
    """The texts of a corpus; raises BadRequest, which names file and line."""
    places: dict[str, str] = {}
    texts: list[Text] = []
    for place, entry in read_entries(path, _Text):
        if entry.id in places:
            raise bad_line(place, f"{places[entry.id]} has the id {entry.id} already")
        places[entry.id] = place
        texts.append(Text(entry.id, entry.title or "", entry.text))
    if not texts:
        raise BadRequest(f"{path} has no texts.")
    return texts


def _qrels(folder: Path) -> Path:
    found = (folder / name for name in QRELS if (folder / name).is_file())
    path = next(found, None)
    if path is None:
        raise BadRequest(f"{folder} has no answers: it needs {' or '.join(QRELS)}.")
    return path


def _grades(path: Path) -> Mapping[str, Mapping[str, int]]:
    """The grades of right answers by question and text."""
    grades: dict[str, dict[str, int]] = {}
    for query_id, text_id, grade in _judgements(path):
        if grade > 0:
            grades.setdefault(query_id, {})[text_id] = grade
    return grades


def _judgements(path: Path) -> Iterator[tuple[str, str, int]]:
    for number, (place, line) in enumerate(read_lines(path)):
        fields = line.split("\t")
        if len(fields) != 3:
            raise bad_line(place, "it needs a question, a text and a grade, with tabs between")
        query_id, text_id, grade = (field.strip() for field in fields)
        if grade.removeprefix("-").isdecimal():
            yield query_id, text_id, int(grade)
        elif number:  # the first line may have the names of the columns
            raise bad_line(place, f"the grade {grade} is no whole number")
