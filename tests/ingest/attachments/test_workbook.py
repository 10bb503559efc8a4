import io
from collections.abc import Callable
from datetime import date, datetime, time

import pytest
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from ingest.attachments.cell_values import Formats, NumberKind
from ingest.body.blocks import Block
from tests.ingest.attachments.files import markdown, read


def _book(fill: Callable[[Workbook, Worksheet], object], name: str = "Berths") -> bytes:
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        fill(book, book.add_worksheet(name))
    return file.getvalue()


def test_a_sheet_is_a_table_under_its_name() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["Berth", "Metres", "Free"])
        sheet.write_row(1, 0, ["North 1", 120, True])
        sheet.write_row(2, 0, ["a|b", 0.1 + 0.2, False])

    assert markdown("xlsx", _book(fill)) == (
        "# Berths\n\n| Berth | Metres | Free |\n| --- | --- | --- |\n"
        "| North 1 | 120 | TRUE |\n| a\\|b | 0.3 | FALSE |"
    )


def test_dates_times_and_percentages_read_as_shown() -> None:
    def fill(book: Workbook, sheet: Worksheet) -> None:
        formats = ["dd.mm.yyyy", "yyyy-mm-dd hh:mm", "h:mm AM/PM", "0.0%", '#,##0.00 "days"']
        values = [date(2024, 2, 29), datetime(2024, 2, 29, 13, 5), time(6, 30), 0.125, 1234.5]
        sheet.write_row(0, 0, ["a", "b", "c", "d", "e"])
        for column, (value, code) in enumerate(zip(values, formats, strict=True)):
            style = book.add_format({"num_format": code})
            if isinstance(value, date | time):
                sheet.write_datetime(1, column, value, style)
            else:
                sheet.write_number(1, column, value, style)

    last = markdown("xlsx", _book(fill)).splitlines()[-1]

    assert last == "| 2024-02-29 | 2024-02-29 13:05 | 06:30 | 12.5% | 1234.5 |"


def test_formulas_give_the_value_that_was_shown_last() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["Sum", "Text", "Error"])
        sheet.write_formula(1, 0, "=1+1", value=2)
        sheet.write_formula(1, 1, '="a"&"b"', value="ab")
        sheet.write_formula(1, 2, "=1/0", value="#DIV/0!")

    assert markdown("xlsx", _book(fill)).endswith("| 2 | ab | #DIV/0! |")


def test_hidden_sheets_rows_and_columns_are_left_out() -> None:
    def fill(book: Workbook, sheet: Worksheet) -> None:
        for row in range(3):
            sheet.write_row(row, 0, [f"{letter}{row}" for letter in "abc"])
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})
        for name, hide in (("Hidden", Worksheet.hide), ("Gone", Worksheet.very_hidden)):
            other = book.add_worksheet(name)
            other.write(0, 0, "secret")
            hide(other)

    assert markdown("xlsx", _book(fill)) == "# Berths\n\n| a0 | c0 |\n| --- | --- |\n| a2 | c2 |"


def test_a_title_above_a_table_is_text_and_each_table_has_its_header() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write(0, 0, "Tariff 2024")
        sheet.write_row(1, 0, ["Berth", "Fee"])
        sheet.write_row(2, 0, ["North", 10])
        sheet.write_row(4, 0, ["Crane", "Fee"])
        sheet.write_row(5, 0, ["Big", 99])

    assert markdown("xlsx", _book(fill)) == (
        "# Berths\n\nTariff 2024\n\n| Berth | Fee |\n| --- | --- |\n| North | 10 |\n\n"
        "| Crane | Fee |\n| --- | --- |\n| Big | 99 |"
    )


def test_an_empty_row_does_not_end_a_table() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["Berth", "Fee"])
        sheet.write_row(1, 0, ["North", 10])
        sheet.write_row(3, 0, ["South", 12])

    assert markdown("xlsx", _book(fill)).endswith("| North | 10 |\n| South | 12 |")


def test_a_long_table_goes_on_under_the_same_header() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["Berth", "Remark"])
        for row in range(1, 3_000):
            sheet.write_row(row, 0, [f"berth {row}", "x" * 40])

    tables = [
        piece.markdown.splitlines()
        for piece in read("xlsx", _book(fill), 1_000_000)
        if isinstance(piece, Block) and piece.kind == "table"
    ]

    assert len(tables) > 1
    assert {tuple(lines[:2]) for lines in tables} == {("| Berth | Remark |", "| --- | --- |")}
    rows = [line.split(" | ")[0] for lines in tables for line in lines[2:]]
    assert rows == [f"| berth {row}" for row in range(1, 3_000)]


def test_far_apart_cells_cost_nothing() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write(0, 0, "first")
        sheet.write(1_048_575, 16_383, "last")

    assert markdown("xlsx", _book(fill)) == "# Berths\n\nfirst\n\nlast"


def test_rich_text_comments_and_text_boxes_are_read() -> None:
    def fill(book: Workbook, sheet: Worksheet) -> None:
        sheet.write_rich_string(0, 0, "North ", book.add_format({"bold": True}), "berth")
        sheet.write_comment(0, 0, "Closed in May")
        sheet.insert_textbox(5, 5, "See the tariff")

    text = markdown("xlsx", _book(fill))

    assert "North berth" in text
    assert "See the tariff" in text
    assert "Comment on A1: " in text
    assert "Closed in May" in text


def test_a_line_break_in_a_cell_stays_in_it() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["Berth", "Remark"])
        sheet.write_row(1, 0, ["North", "closed\n\nin May"])

    assert markdown("xlsx", _book(fill)).endswith("| North | closed<br>in May |")


@pytest.mark.parametrize(
    ("raw", "kind", "shown"),
    [
        ("0", "date", "1899-12-31"),
        ("1", "date", "1900-01-01"),
        ("59", "date", "1900-02-28"),
        ("61", "date", "1900-03-01"),
        ("-1", "date", "-1"),
        ("1e300", "date", "1e300"),
        ("2958465.99999", "datetime", "9999-12-31 23:59:59"),
        ("1.5", "duration", "36:00"),
        ("nan", "date", "nan"),
        ("inf", "number", "inf"),
        ("1.7976931348623157e308", "percent", "inf%"),
        ("1e400", "duration", "inf"),
        ("12345678901234567890", "number", "12345678901234567890"),
        ("no number", "number", "no number"),
    ],
)
def test_odd_numbers_are_shown_without_an_error(raw: str, kind: NumberKind, shown: str) -> None:
    assert Formats((kind,), since_1904=False).shown(raw, 0) == shown


def test_workbooks_may_count_from_1904() -> None:
    assert Formats(("date",), since_1904=True).shown("0", 0) == "1904-01-01"


def test_cells_that_share_no_row_are_lines() -> None:
    def fill(_: Workbook, sheet: Worksheet) -> None:
        sheet.write(0, 0, "one")
        sheet.write(1, 1, "two")

    assert markdown("xlsx", _book(fill)) == "# Berths\n\none  \ntwo"
