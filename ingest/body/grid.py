"""The fields of a table in rows and columns, every span spelled out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

# A value is repeated in the cells that it spans; a long text is not, it would drown the rest, nor
# is anything once so many characters of a table are repetition.
_LONGEST_REPEATED = 300
_MOST_REPEATED = 200_000
_WIDEST_SPAN = 60
# Nobody counts the columns of a wider table.
WIDEST = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One field: Markdown on one line."""

    text: str
    is_header: bool


EMPTY = Cell("", is_header=False)
Row = Sequence[Cell]


class Grid:
    """A table that is laid out row by row, each of its cells once."""

    def __init__(self) -> None:
        self._rows: list[list[Cell]] = []
        self._hanging: dict[int, tuple[int, Cell]] = {}
        self._left = _MOST_REPEATED

    @property
    def rows(self) -> list[Row]:
        """The rows that have any text; up to the widest number of columns, all equally long."""
        width = min(WIDEST, max((len(row) for row in self._rows), default=0))
        filled = (row + [EMPTY] * (width - len(row)) for row in self._rows)
        return [row for row in filled if any(cell.text for cell in row)]

    def begin_row(self) -> None:
        """Starts a row, with the cells that reach down from rows above."""
        self._rows.append([])
        self._carry()

    def place(self, cell: Cell, columns: int = 1, rows: int = 1) -> None:
        """Puts a cell into the next free field, and into those that it spans."""
        row = self._rows[-1]
        repeated = cell if len(cell.text) <= _LONGEST_REPEATED else Cell("", cell.is_header)
        for offset in range(min(columns, max(1, _WIDEST_SPAN - len(row)))):
            if rows > 1:
                self._hanging[len(row)] = rows - 1, repeated
            row.append(self._repeat(repeated) if offset else cell)
        self._carry()

    def _carry(self) -> None:
        row = self._rows[-1]
        while self._hanging and (column := len(row)) in self._hanging:
            remaining, cell = self._hanging.pop(column)
            row.append(self._repeat(cell))
            if remaining > 1:
                self._hanging[column] = remaining - 1, cell

    def _repeat(self, cell: Cell) -> Cell:
        self._left -= len(cell.text)
        return cell if self._left >= 0 else EMPTY
