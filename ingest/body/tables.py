"""Tables as pipe tables: each row on one line, each cell under the header that it belongs to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.body.blocks import Block
from ingest.body.cells import cell_text
from ingest.body.names import Element
from ingest.body.walk import Flow, Handler, Walk

# A value is repeated in the cells that it spans; a long text is not, it would drown the rest.
_LONGEST_REPEATED = 300
_WIDEST = 60
_ROWS = frozenset(("td", "th"))
_GROUPS = frozenset(("tr", "thead", "tbody", "tfoot", "caption", "colgroup", "col"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the grid: Markdown on one line."""

    text: str
    is_header: bool


Row = Sequence[Cell]


def table(walk: Walk, element: Element, flow: Flow) -> None:
    """A table; one with a single cell is only a frame, and falls away."""
    flow.flush()
    for caption in element.iterchildren("caption"):
        walk.child(caption, flow)
        flow.flush()
    _read_strays(walk, element, flow)
    flow.flush()
    sources = list(_source_rows(element))
    if len(sources) == 1 and len(sources[0]) == 1:
        walk.children(sources[0][0], flow)
        flow.flush()
        return
    rows = grid(walk, sources)
    if rows:
        flow.add(Block("table", render(rows)))


def _read_strays(walk: Walk, element: Element, flow: Flow) -> None:
    """Text between rows or cells, which browsers show above the table."""
    known = _ROWS if element.tag == "tr" else _GROUPS
    walk.rest(element, flow, known)
    for child in element:
        if child.tag in _GROUPS and child.tag not in ("caption", "colgroup", "col"):
            _read_strays(walk, child, flow)


def grid_of(walk: Walk, element: Element) -> list[Row]:
    """The fields of a table, row by row, all rows equally long."""
    return grid(walk, list(_source_rows(element)))


def _source_rows(element: Element) -> Iterator[list[Element]]:
    for child in element:
        if child.tag == "tr":
            yield [cell for cell in child if cell.tag in _ROWS]
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from _source_rows(child)


def grid(walk: Walk, sources: Sequence[Sequence[Element]]) -> list[Row]:
    """Rows with every span spelled out; rows without any text are left out."""
    rows: list[list[Cell]] = []
    hanging: dict[int, tuple[int, Cell]] = {}
    for source in sources:
        row: list[Cell] = []
        for element in source:
            _carry(hanging, row)
            _place(walk, element, hanging, row)
        _carry(hanging, row)
        rows.append(row)
    width = max((len(row) for row in rows), default=0)
    empty = Cell("", is_header=False)
    filled = [row + [empty] * (width - len(row)) for row in rows]
    return [row for row in filled if any(cell.text for cell in row)]


def _carry(hanging: dict[int, tuple[int, Cell]], row: list[Cell]) -> None:
    """Continues the cells that reach down from rows above."""
    while (column := len(row)) in hanging:
        remaining, cell = hanging.pop(column)
        row.append(cell)
        if remaining > 1:
            hanging[column] = remaining - 1, cell


def _place(
    walk: Walk, element: Element, hanging: dict[int, tuple[int, Cell]], row: list[Cell]
) -> None:
    cell = Cell(_cell_text(walk, element), element.tag == "th")
    repeated = cell if len(cell.text) <= _LONGEST_REPEATED else Cell("", cell.is_header)
    down = _span(element, "rowspan") - 1
    for offset in range(min(_span(element, "colspan"), max(1, _WIDEST - len(row)))):
        if down:
            hanging[len(row)] = down, repeated
        row.append(repeated if offset else cell)


def _span(element: Element, name: str) -> int:
    value = element.get(name)
    if value is None:
        return 1
    value = value.strip()
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _cell_text(walk: Walk, element: Element) -> str:
    was_in_cell, walk.in_cell = walk.in_cell, True
    walk.depth += 2  # A cell within a cell takes three times the stack of other elements.
    blocks = walk.blocks(element)
    walk.depth -= 2
    walk.in_cell = was_in_cell
    return cell_text(blocks)


def render(rows: Sequence[Row]) -> str:
    """A pipe table of at least one row."""
    header, body = _with_header(rows)
    lines = [_line(header), _line(["---"] * len(header))]
    lines += (_line([_bold(cell) if cell.is_header else cell.text for cell in row]) for row in body)
    return "\n".join(lines)


def _with_header(rows: Sequence[Row]) -> tuple[list[str], Sequence[Row]]:
    """Names of the columns, and the rows below them.

    Several header rows become one, `group / column`. A table whose first column alone names its
    rows gets empty column names, so that no row is taken for a header.
    """
    height = 0
    while height < len(rows) and all(cell.is_header or not cell.text for cell in rows[height]):
        height += 1
    if height == len(rows):
        height = 1
    if height == 0 and rows[0][0].is_header and len(rows[0]) > 1:
        return [""] * len(rows[0]), rows
    height = max(height, 1)
    names = [
        " / ".join(dict.fromkeys(cell.text for cell in column if cell.text))
        for column in zip(*rows[:height], strict=True)
    ]
    return names, rows[height:]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _bold(cell: Cell) -> str:
    plain = not cell.text or "**" in cell.text or "<br>" in cell.text
    return cell.text if plain else f"**{cell.text}**"


HANDLERS: Mapping[str, Handler] = {"table": table}
