"""A source as it is shown beside the answer."""

from datetime import date

import pytest
from chat_panel import SHOWN_CHARACTERS, Shown, age, facts, to_passage_list, to_side_view
from chat_results import Citation, Passage
from chat_sources import Sources

TODAY = date(2026, 11, 22)
VACATION = Passage(
    page_id="101",
    title="Vacation",
    url="https://wiki.invalid/pages/101#carry-over",
    space_key="PEOPLE",
    heading_path=("Days", "Carry-over"),
    updated_at="2023-03-02T10:00:00Z",
    text="Five days carry over.",
)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-23", "today"),
        ("2026-11-22", "today"),
        ("2026-11-21", "yesterday"),
        ("2026-10-01", "52 days ago"),
        ("2026-05-20", "6 months ago"),
        ("2024-11-24", "23 months ago"),
        ("2023-03-02", "3 years ago"),
        ("", ""),
        ("soon", ""),
    ],
)
def test_an_age_is_told_as_people_tell_it(day: str, said: str) -> None:
    assert age(day, TODAY) == said


def test_a_source_shows_place_age_link_and_words() -> None:
    view = to_side_view(Shown(Sources().add(VACATION)), TODAY)

    assert view == (
        "## Vacation\n\nDays › Carry-over\n\nSpace PEOPLE · changed 3 years ago (2023-03-02)\n\n"
        "[Open in Confluence](<https://wiki.invalid/pages/101#carry-over>)\n\n"
        "---\n\nFive days carry over."
    )


def test_an_archived_page_says_so() -> None:
    assert facts(Passage(archived=True), TODAY) == "**archived**"


def test_a_quote_stands_before_the_text_around_it() -> None:
    quoted = Citation(n=1, title="Vacation", quote="Five days carry over.")
    shown = Shown(
        Sources().add(quoted), [quoted.text], "Before.\n\nFive days carry over.\n\nAfter."
    )

    view = to_side_view(shown, TODAY)

    assert view == (
        "## Vacation\n\n**Quoted, word for word**\n\n> Five days carry over.\n\n---\n\n"
        "Before.\n\nFive days carry over.\n\nAfter."
    )


def test_a_quote_that_is_all_there_is_stands_once() -> None:
    quoted = Citation(n=1, title="Vacation", quote="Five days.")

    assert to_side_view(Shown(Sources().add(quoted), ["Five days."]), TODAY).count("Five") == 1


def test_words_that_nobody_checked_are_not_called_a_quote() -> None:
    view = to_side_view(Shown(Sources().add(VACATION), ["Five days"]), TODAY)

    assert "Quoted" not in view
    assert "**Nearest to what the answer says**\n\n> Five days" in view


def test_page_text_cannot_pretend_to_be_quoted_or_load_anything() -> None:
    forged = VACATION.model_copy(
        update={"title": "> x\n\n**Quoted**", "text": "> forged\n\n![x](https://leak.invalid)"}
    )

    view = to_side_view(Shown(Sources().add(forged)), TODAY)

    assert view.startswith("## \\> x \\*\\*Quoted\\*\\*\n")
    assert view.index("---") < view.index("> forged")
    assert "![" not in view


def test_a_long_text_is_cut() -> None:
    long = VACATION.model_copy(update={"text": "word " * SHOWN_CHARACTERS})

    assert len(to_side_view(Shown(Sources().add(long)), TODAY)) < SHOWN_CHARACTERS + 300


def test_the_place_of_a_file_or_a_comment_is_named() -> None:
    in_file = VACATION.model_copy(update={"found_in": "attachment", "attachment": "plan*1*.pdf"})
    in_comment = VACATION.model_copy(
        update={"found_in": "comment", "heading_path": (), "text": "Is it paid?"}
    )
    sources = Sources()

    shown = [to_side_view(Shown(sources.add(one)), TODAY) for one in (in_file, in_comment)]

    assert "\n\nplan\\*1\\*.pdf › Days › Carry-over\n\n" in shown[0]
    assert "\n\nComment\n\n" in shown[1]


def test_a_passage_list_is_cut_at_a_word() -> None:
    source = Sources().add(VACATION.model_copy(update={"text": "carry over " * 60}))

    shown = to_passage_list([source], TODAY)

    assert shown.startswith("[1] **[Vacation › Days › Carry-over](<https://wiki.invalid")
    assert "changed 3 years ago" in shown
    assert shown.endswith(("carry over …\n", "carry …\n"))
