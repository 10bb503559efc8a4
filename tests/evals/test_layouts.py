"""Collections and questions in files: what is read of them, and how a wrong line is told."""

import json
from pathlib import Path

import pytest

from evals.collection import Text, read_collection
from evals.questions import Question, asked_of, read_questions, sample_questions
from index.errors import BadRequest

CORPUS: list[dict[str, object]] = [
    {"_id": "a", "title": "Ferries", "text": "The *Alma* leaves at nine.\u2028Not on Sundays."},
    {"_id": 2, "text": ""},
]
QUERIES: list[dict[str, object]] = [
    {"_id": "q1", "text": "when?", "more": 1},
    {"_id": "q2", "text": "who?"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\t2\t1\nq2\ta\t0\nq9\ta\t1\n"


def lines(*entries: object) -> str:
    return "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in entries)


def write(folder: Path, **changes: str) -> Path:
    """A collection in which files are replaced, `corpus="…"`, or left out, `corpus=""`."""
    files = {
        "corpus.jsonl": changes.get("corpus", lines(*CORPUS)),
        "queries.jsonl": changes.get("queries", lines(*QUERIES)),
        changes.get("qrels_name", "qrels.tsv"): changes.get("qrels", QRELS),
    }
    for name, text in files.items():
        if text:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(text.encode())
    return folder


def test_a_collection_is_its_texts_and_the_questions_that_have_an_answer(tmp_path: Path) -> None:
    collection = read_collection(write(tmp_path))

    assert collection.name == tmp_path.name
    assert collection.texts == [
        Text("a", "Ferries", "The *Alma* leaves at nine.\u2028Not on Sundays."),
        Text("2", "", ""),
    ]
    assert collection.questions == [Question("q1", "when?", {"a": 2, "2": 1})]


@pytest.mark.parametrize(
    "changes",
    [
        {"qrels": QRELS.partition("\n")[2]},
        {"qrels": QRELS.replace("\n", "\r\n")},
        {"qrels": f"\ufeff{QRELS}\n\n"},
        {"qrels_name": "qrels/test.tsv"},
        {"queries": lines(*QUERIES).replace("\n", "\r\n\r\n")},
        {"queries": lines(*QUERIES).rstrip("\n")},
    ],
    ids=["no header", "CRLF", "marked as UTF-8", "a folder of answers", "blank lines", "no end"],
)
def test_the_same_is_read_of_other_forms(tmp_path: Path, changes: dict[str, str]) -> None:
    collection = read_collection(write(tmp_path, **changes))

    assert collection.questions == [Question("q1", "when?", {"a": 2, "2": 1})]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"corpus": lines(CORPUS[0], {"title": "b"})}, r"corpus\.jsonl:2: _id: Field required"),
        ({"corpus": lines(CORPUS[0]) + '{"_id"'}, r"corpus\.jsonl:2: Invalid JSON"),
        ({"corpus": lines(CORPUS[0], CORPUS[0])}, r"corpus\.jsonl:2: .*corpus\.jsonl:1 has the id"),
        ({"corpus": "\n"}, r"corpus\.jsonl has no texts"),
        ({"queries": lines({"_id": "q1", "text": " "})}, r"queries\.jsonl:1: text: "),
        ({"queries": lines(QUERIES[0], QUERIES[0])}, r"queries\.jsonl:2: .* the id q1 already"),
        ({"queries": ""}, r"queries\.jsonl cannot be read: No such file"),
        ({"queries": lines({"_id": "other", "text": "x"})}, r"No question .* has an answer"),
        ({"qrels": "q1\ta\t1\nq1 a 1\n"}, r"qrels\.tsv:2: .* with tabs between"),
        ({"qrels": "q1\ta\t1\nq1\ta\tyes\n"}, r"qrels\.tsv:2: the grade yes is no whole number"),
        ({"qrels": ""}, r"has no answers: it needs qrels\.tsv or qrels/test\.tsv"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        read_collection(write(tmp_path, **changes))


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "corpus.jsonl").write_bytes('{"_id": "a", "text": "Fähre"}\n'.encode("latin-1"))

    with pytest.raises(BadRequest, match=r"corpus\.jsonl is not text in UTF-8"):
        read_collection(tmp_path)


def test_without_texts_the_questions_are_on_the_own_wiki(tmp_path: Path) -> None:
    collection = read_collection(write(tmp_path, corpus=""))

    assert not collection.texts
    assert [question.id for question in collection.questions] == ["q1"]


OWN: list[dict[str, object]] = [
    {"id": "1", "question": "when?", "pages": ["123", 456]},
    {"id": "2", "question": "where?", "answers": [{"page_id": "7", "heading": "Piers"}]},
    {"id": "3", "question": "who?", "answers": [{"page_id": "7", "link": "focusedCommentId=1"}]},
]


@pytest.mark.parametrize("is_folder", [True, False])
def test_questions_on_the_own_wiki_name_pages_or_places(tmp_path: Path, is_folder: bool) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(lines(*OWN))

    collection = read_collection(tmp_path if is_folder else path)

    assert collection.questions == [
        Question("1", "when?", {"123": 1, "456": 1}),
        Question("2", "where?", {"7": 1}, places=(("7", "Piers"),)),
        Question("3", "who?", {"7": 1}, links=(("7", "focusedCommentId=1"),)),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (lines(OWN[0], {"id": "9", "question": "x"}), r":2: neither pages nor answers name a page"),
        (lines(OWN[0], {"id": "9", "pages": ["1"]}), r":2: question: Field required"),
        (lines(OWN[0], OWN[0]), r":2: .*questions\.jsonl:1 has the id 1 already"),
        ("", r"has no questions: it needs"),
    ],
)
def test_a_wrong_question_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(text)

    with pytest.raises(BadRequest, match=told):
        read_questions(path)


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"There is no .*missing"):
        read_collection(tmp_path / "missing")


def test_a_folder_without_questions_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="has no questions"):
        read_collection(tmp_path)


def test_pages_that_the_index_does_not_know_are_no_answers() -> None:
    questions = [
        Question("1", "x", {"a": 1, "b": 2}, places=(("a", ""), ("b", "Top"))),
        Question("2", "y", {"b": 1}, links=(("b", "comment"),)),
        Question("3", "z", {"a": 1}),
    ]

    kept, left_out = asked_of(questions, frozenset({"b", "other"}))

    assert kept == [Question("1", "x", {"b": 2}, places=(("b", "Top"),)), questions[1]]
    assert left_out == ["3"]


def test_the_sample_space_has_questions_of_its_own() -> None:
    questions = sample_questions()

    assert len(questions) == 77
    assert sum(bool(question.links) for question in questions) == 13
    assert all(question.places or question.links for question in questions)
