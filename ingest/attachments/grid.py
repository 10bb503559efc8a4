"""Rows of a sheet to tables in Markdown: each stretch of rows under its own header."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.body.blocks import Block
from ingest.body.text import LINE_BREAK, guarded, one_line, prose

# A table goes on in a new block, under the same header, so that no block needs much memory.
_LONGEST_BLOCK = 100_000
_MOST_FIELDS = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """The filled fields of a row by column; `has_numbers` when one is no mere text."""

    cells: dict[int, str]
    has_numbers: bool = False


@dataclass(slots=True)
class _Stretch:
    """Rows that belong together."""

    rows: list[Row] = field(default_factory=list[Row])
    columns: set[int] = field(default_factory=set[int])
    size: int = 0
    has_numbers: bool = False

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.columns.update(row.cells)
        self.size += sum(map(len, row.cells.values()))
        self.has_numbers = self.has_numbers or row.has_numbers

    @property
    def is_full(self) -> bool:
        fields = len(self.rows) * len(self.columns)
        return self.size > _LONGEST_BLOCK or fields > _MOST_FIELDS

    def takes(self, row: Row) -> bool:
        """Whether a row after a gap goes on with this table instead of beginning another."""
        is_header = self.has_numbers and not row.has_numbers and len(row.cells) > 1
        return len(self.columns) > 1 and row.cells.keys() <= self.columns and not is_header


def tables_of(rows: Iterable[Row]) -> Iterator[Block]:
    """Tables with their first row as header; rows of one field above or alone are text."""
    stretch = _Stretch()
    header: Row | None = None
    is_after_gap = False
    for row in rows:
        if not row.cells:
            is_after_gap = True
            continue
        if is_after_gap and not stretch.takes(row):
            yield from _blocks(stretch, header)
            stretch, header = _Stretch(), None
        elif stretch.is_full:
            yield from _blocks(stretch, header)
            header = header or _header_of(stretch.rows)
            columns = set(header.cells) if header else set[int]()
            stretch = _Stretch(columns=columns, has_numbers=stretch.has_numbers)
        stretch.add(row)
        is_after_gap = False
    yield from _blocks(stretch, header)


def _header_of(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if len(row.cells) > 1), None)


def _blocks(stretch: _Stretch, header: Row | None) -> Iterator[Block]:
    rows = stretch.rows
    if header is None:
        wide = (index for index, row in enumerate(rows) if len(row.cells) > 1)
        above = next(wide, len(rows))
        if above:
            yield Block("text", LINE_BREAK.join(map(_line_of_text, rows[:above])))
        if above == len(rows):
            return
        header, rows = rows[above], rows[above + 1 :]
    columns = sorted(stretch.columns)
    lines = [_line(header, columns), "| " + " | ".join(["---"] * len(columns)) + " |"]
    lines += (_line(row, columns) for row in rows)
    yield Block("table", "\n".join(lines))


def _line_of_text(row: Row) -> str:
    lines = (one_line(prose(line)) for value in row.cells.values() for line in value.split("\n"))
    return LINE_BREAK.join(guarded(line) for line in lines if line)


def _line(row: Row, columns: Sequence[int]) -> str:
    return "| " + " | ".join(_cell(row.cells.get(column, "")) for column in columns) + " |"


def _cell(value: str) -> str:
    lines = (one_line(prose(line)) for line in value.split("\n"))
    return "<br>".join(line for line in lines if line).replace("|", "\\|")
