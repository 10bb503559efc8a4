"""What of a chat model's reply is kept."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.records import ContentType, State
from index.results import Hit, PageInfo, Passage
from server.proving import OutOfForm, Status, is_quote_of, proven_answer


def source(body: str, title: str = "Vacation", *path: str) -> tuple[Hit, Passage]:
    """A passage with its page."""
    info = PageInfo(
        "1", title, "https://w.example/1", "HR", ContentType.PAGE, 1, State.LIVE, None,
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    passage = Passage(1, path, "https://w.example/1", body, 1.0)
    return Hit(info, 1.0, (passage,)), passage


FOUND = [
    source("Everybody has **30 days** of vacation.\nAsk at https://hr.example/ask first."),
    source("Up to five days carry over until the end of March.", "Carry-over"),
    source("Part-timers have a share of it, see the [table](https://w.example/table)."),
]
QUOTES = [
    {"n": 1, "quote": "30 days of vacation"},
    {"n": 2, "quote": "five days carry over"},
    {"n": 3, "quote": "Part-timers have a share"},
]


def reply(answer: str, *quotes: Mapping[str, object], **more: object) -> str:
    """What a model writes."""
    return json.dumps({"found": True, "answer": answer, "citations": quotes or QUOTES} | more)


def test_proven_statements_keep_their_markers() -> None:
    answer = proven_answer(reply("You have 30 days [1], five carry over [2]."), FOUND)

    assert answer.status is Status.ANSWERED
    assert answer.text == "You have 30 days [1], five carry over [2]."
    assert [(c.n, c.quote) for c in answer.citations] == [
        (1, "30 days of vacation"),
        (2, "five days carry over"),
    ]
    assert answer.notes == ()


@pytest.mark.parametrize(
    "written",
    ["A [1]. B [9].", "A [1]. B [0].", "A [1]. B [2].", "A [1]. B [7, 8].", "A [1], B [9]."],
)
def test_statements_without_a_proof_are_left_out_with_a_note(written: str) -> None:
    answer = proven_answer(reply(written, QUOTES[0], {"n": 2, "quote": "ten days carry"}), FOUND)

    assert answer.text == "A [1]."
    assert [c.n for c in answer.citations] == [1]
    assert all("statements of the chat model (1)" in note for note in answer.notes)


@pytest.mark.parametrize(
    "written", ["No marker at all.", "Only a forged one [9].", "Unproven [2].", "", "60 days [1]."]
)
def test_an_answer_without_any_proof_is_dropped(written: str) -> None:
    quotes = QUOTES[0], {"n": 2, "quote": "six days carry over"}

    answer = proven_answer(reply(written, *quotes), FOUND)

    assert answer.status is Status.NOT_FOUND
    assert answer.text == ""
    assert "no provable citation" in answer.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        '{"found": false}',
        '{"found": false, "answer": null, "citations": null}',
        '{"found": "false", "answer": "Nobody knows [1].", "citations": []}',
    ],
)
def test_a_model_that_finds_nothing_is_believed(text: str) -> None:
    answer = proven_answer(text, FOUND)

    assert answer.status is Status.NOT_FOUND
    assert answer.notes == ()


@pytest.mark.parametrize(
    "wrapped",
    [
        "```json\n{}\n```",
        "Sure! Here is {{the}} JSON: {}\nAnything else?",
        "<think>Maybe {{n: 1}}? or {{\"n\": 1}}</think>{}",
        "\ufeff {} }} {{",
    ],
)  # fmt: skip
def test_json_is_found_in_whatever_is_around_it(wrapped: str) -> None:
    answer = proven_answer(wrapped.format(reply("30 days [1].")), FOUND)

    assert answer.text == "30 days [1]."


@pytest.mark.parametrize(
    "text",
    [
        "", "You have 30 days [1].", "{", "[1, 2]", '{"answer": ["a"]}', '{"answer": "A [1]."',
        '{"found": "perhaps"}', '{"answer": "A", "citations": [{"quote": "no number"}]}',
        '{"n": 1, "quote": "30 days"}', '{"a":' * 3_000, '{"answer": "' + "A [1]." * 10_000 + '"}',
    ],
)  # fmt: skip
def test_anything_else_is_not_in_the_agreed_form(text: str) -> None:
    with pytest.raises(OutOfForm):
        proven_answer(text, FOUND)


def test_line_breaks_inside_json_strings_are_forgiven() -> None:
    text = '{"found": true, "answer": "One [1].\nTwo [1].", "citations": [' + json.dumps(QUOTES[0])

    assert proven_answer(text + "]}", FOUND).text == "One [1].\nTwo [1]."


def test_a_date_of_a_page_may_be_named_though_only_its_head_says_it() -> None:
    said = reply("As of 2026-01-01 it is 30 days [1]. As of 2025-01-01 it was 28 [1].")

    assert proven_answer(said, FOUND).text == "As of 2026-01-01 it is 30 days [1]."


def test_a_quote_shows_no_link() -> None:
    said = reply("Ask first [1].", {"n": 1, "quote": "Ask at https://hr.example/ask first."})

    (citation,) = proven_answer(said, FOUND).citations

    assert citation.quote == "Ask at … first."


def test_a_quote_that_is_nothing_but_a_link_proves_nothing() -> None:
    said = reply("Ask first [1].", {"n": 1, "quote": "https://hr.example/ask"})

    assert proven_answer(said, FOUND).status is Status.NOT_FOUND


@given(st.text(max_size=120), st.text(max_size=30))
def test_any_reply_gives_an_answer_of_proven_markers_only(answer: str, quote: str) -> None:
    found = proven_answer(reply(f"{answer} [1] [9]", {"n": 1, "quote": quote}), FOUND)

    assert (found.status is Status.ANSWERED) == bool(found.citations)
    for citation in found.citations:
        assert is_quote_of(citation.quote, FOUND[0])


@pytest.mark.parametrize(
    ("quote", "at"),
    [
        ("everybody has 30 days of vacation", 0),
        ("“Everybody has 30 days”", 0),
        ("Everybody … of vacation", 0),
        ("[...] five days carry over ...", 1),
        ("five  days\ncarry over", 1),
        ("until the end of March.", 1),
        ("Part–timers have", 2),
        ("see the [table](https://w.example/table)", 2),
        ("a share of it, see the table", 2),
        ("Carry over", 1),
    ],
)
def test_what_stands_in_the_passage_is_a_quote(quote: str, at: int) -> None:
    assert is_quote_of(quote, FOUND[at])


@pytest.mark.parametrize(
    ("quote", "at"),
    [
        ("0 days of vacation", 0),
        ("30 days of vac", 0),
        ("of vacation … Everybody has", 0),
        ("Everybody … 30 … vacation", 0),
        ("six days carry over", 1),
        ("", 1),
        ("***", 1),
        ("March", 1),
        ("five days carry over", 0),
    ],
)
def test_what_does_not_stand_there_is_none(quote: str, at: int) -> None:
    assert not is_quote_of(quote, FOUND[at])


def test_decimals_are_not_cut() -> None:
    passage = source("The limit is 3.5 gigabytes per user and 1,200 files.")

    assert not is_quote_of("5 gigabytes per user", passage)
    assert not is_quote_of("per user and 1", passage)
    assert is_quote_of("3.5 gigabytes per user and 1,200 files", passage)


def test_japanese_is_quoted_from_anywhere_in_a_sentence() -> None:
    passage = source("有給休暇は年に三十日あります。")

    assert is_quote_of("年に三十日", passage)
    assert not is_quote_of("年に四十日", passage)


@given(st.lists(st.from_regex(r"[a-zäöü0-9]{8,12}", fullmatch=True), min_size=3, max_size=6))
def test_words_of_a_passage_are_quotes_and_parts_of_words_are_none(words: list[str]) -> None:
    passage = source(" ".join(words))

    assert is_quote_of(" ".join(words[1:]), passage)
    assert is_quote_of(words[1] + " … " + words[2], passage)
    assert not is_quote_of(words[0][1:] + " " + words[1], passage) or words[0][1:] in words
