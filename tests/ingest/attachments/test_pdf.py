import sys

import pytest

from ingest.body.blocks import Block
from tests.ingest.attachments.files import markdown, pdf, pdf_of, read, reasons


def test_each_page_stands_under_its_number() -> None:
    text = markdown("pdf", pdf([["Berths are booked by the hour."], ["Cranes are not."]]))

    assert text == ("# Page 1\n\nBerths are booked by the hour.\n\n# Page 2\n\nCranes are not.")


def test_headings_of_pages_have_a_title_and_no_anchor() -> None:
    heading, _ = read("pdf", pdf([["Berths"]]))

    assert heading == Block("heading", "# Page 1", 1, "Page 1")


def test_lines_of_a_paragraph_are_joined_and_its_end_is_seen() -> None:
    page = [
        "The harbour master allots berths to all vessels that have",
        "announced themselves at least two days before they arrive",
        "in port.",
        "Vessels that come unannounced wait in the roads until some",
        "berth is free.",
    ]

    assert markdown("pdf", pdf([page])).split("\n\n")[1:] == [
        " ".join(page[:3]),
        " ".join(page[3:]),
    ]


def test_a_divided_word_is_whole_again() -> None:
    page = ["Every vessel needs a valid certi-", "ficate before it may leave its berth."]

    assert "a valid certificate before" in markdown("pdf", pdf([page]))


def test_a_word_that_the_page_writes_with_a_hyphen_keeps_it() -> None:
    page = [
        "This is a well-known rule of the harbour and it stays well-",
        "known among the masters of vessels.",
    ]

    text = markdown("pdf", pdf([page]))

    assert "stays well-known among" in text


def test_short_lines_stay_lines() -> None:
    text = markdown("pdf", pdf([["Berth 1   free", "Berth 2   taken", "Berth 3   free"]]))

    assert text == "# Page 1\n\nBerth 1 free  \nBerth 2 taken  \nBerth 3 free"


def test_bullets_become_lists() -> None:
    text = markdown("pdf", pdf([["You need:", "• a certificate", "• a pilot"]]))

    assert text == "# Page 1\n\nYou need:\n\n- a certificate\n\n- a pilot"


def test_numbered_lines_are_items_with_their_own_numbers() -> None:
    text = markdown("pdf", pdf([["3. Announce", "4. Moor", "4.1 Where", "b) North"]]))

    assert text == "# Page 1\n\n3. Announce\n\n4. Moor\n\n4.1 Where\n\nb) North"


def test_the_dots_of_a_table_of_contents_are_left_out() -> None:
    lines = ["Berths . . . . . . . . . . . . . . . . . . . 3", "Cranes ................... 12"]

    assert markdown("pdf", pdf([lines])) == "# Page 1\n\nBerths … 3  \nCranes … 12"


def test_a_line_that_is_bookmarked_is_a_heading() -> None:
    document = pdf([["1 Berths", "They are long."], ["1 Berths", "and more"]], [("1 Berths", 0)])

    assert markdown("pdf", document).startswith("# Page 1\n\n## 1 Berths\n\nThey are long.")
    assert "# Page 2\n\n1 Berths" in markdown("pdf", document)


def test_what_looks_like_markup_stays_text() -> None:
    text = markdown("pdf", pdf([["# not a heading", "a <b> and *stars* and *more*"]]))

    assert "\\# not a heading" in text
    assert "\\<b>" in text


def test_a_page_that_only_shows_a_picture_is_named() -> None:
    drawn = pdf_of(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>",
            "<</Length 17>>stream\n0 0 m 9 9 l 9 0 l f\nendstream",
        ]
    )

    assert reasons("pdf", drawn) == ["no text layer on its only page, as in a scan"]


def test_an_empty_page_is_nothing_to_name() -> None:
    assert reasons("pdf", pdf([["Berths"], []])) == []


def test_a_password_is_named() -> None:
    secret = "0" * 64
    locked = pdf_of(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 0/Kids[]>>",
            f"<</Filter/Standard/V 1/R 2/O<{secret}>/U<{secret}>/P -4>>",
        ],
        "/Encrypt 3 0 R/ID[<00><00>]",
    )

    assert reasons("pdf", locked) == ["protected by a password"]


def test_a_file_that_is_no_pdf_is_named() -> None:
    assert reasons("pdf", b"GIF89a") == ["damaged, or not a PDF file"]


def test_a_file_cut_short_gives_what_is_left() -> None:
    whole = pdf([["First page"], ["Second page"]])

    assert "First page" in markdown("pdf", whole[: whole.index(b"startxref")])


def test_pages_that_contain_themselves_end() -> None:
    endless = pdf_of(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]>>"])

    assert markdown("pdf", endless) == ""


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)

    (reason,) = reasons("pdf", pdf([["Berths"]]))

    assert "install confluence-mcp[attachments]" in reason
