"""Tables as pipe tables: each row on one line, each cell under the header that it belongs to."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from ingest.body.blocks import Block
from ingest.body.cells import cell_text
from ingest.body.grid import EMPTY, WIDEST, Cell, Grid, Row
from ingest.body.names import Element
from ingest.body.walk import Flow, Handler, Walk, bare_line

_CELLS = frozenset(("td", "th"))
_GROUPS = frozenset(("thead", "tbody", "tfoot"))
_COLUMNS = frozenset(("colgroup", "col"))


def table(walk: Walk, element: Element, flow: Flow) -> None:
    """A table; one with a single cell is only a frame, and falls away."""
    flow.flush()
    sources = list(_source_rows(walk, element, flow))
    flow.flush()
    if len(sources) == 1 and len(sources[0]) == 1:
        walk.children(sources[0][0], flow)
        flow.flush()
        return
    rows = grid(walk, sources)
    if rows:
        flow.add(to_block(rows))


def _source_rows(walk: Walk, element: Element, flow: Flow) -> Iterator[list[Element]]:
    """The cells of each row. What stands between them, browsers show above the table."""
    walk.stray(element.text, flow)
    for child in element:
        tag = child.tag
        if tag == "tr":
            yield _cells(walk, child, flow)
        elif tag in _GROUPS:
            yield from _source_rows(walk, child, flow)
        elif tag not in _COLUMNS:
            walk.child(child, flow)
            flow.flush()
            continue
        walk.stray(child.tail, flow)


def _cells(walk: Walk, row: Element, flow: Flow) -> list[Element]:
    walk.stray(row.text, flow)
    cells: list[Element] = []
    for child in row:
        if child.tag in _CELLS:
            cells.append(child)
            walk.stray(child.tail, flow)
        else:
            walk.child(child, flow)
    return cells


def grid_of(walk: Walk, element: Element, flow: Flow) -> list[Row]:
    """The fields of a table, row by row; what is no field, into `flow`."""
    rows = grid(walk, list(_source_rows(walk, element, flow)))
    flow.flush()
    return rows


def grid(walk: Walk, sources: Sequence[Sequence[Element]]) -> list[Row]:
    """Rows with every span spelled out; rows without any text are left out."""
    grid = Grid()
    for source in sources:
        grid.begin_row()
        for element in source:
            cell = Cell(_cell_text(walk, element), element.tag == "th")
            grid.place(cell, _span(element, "colspan"), _span(element, "rowspan"))
    return grid.rows


def _span(element: Element, name: str) -> int:
    value = element.get(name)
    if value is None:
        return 1
    value = value.strip()
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _cell_text(walk: Walk, element: Element) -> str:
    bare = bare_line(element)
    if bare is not None:
        return bare.replace("|", "\\|")
    was_in_cell, walk.in_cell = walk.in_cell, True
    walk.depth += 2  # A cell within a cell takes three times the stack of other elements.
    blocks = walk.blocks(element)
    walk.depth -= 2
    walk.in_cell = was_in_cell
    return cell_text(blocks)


def to_block(rows: Sequence[Row]) -> Block:
    """A pipe table of at least one row; a very wide one as a list of its rows."""
    header, body = _with_header(rows)
    if max(map(len, rows)) > WIDEST:
        if not any(cell.is_header for cell in rows[0]):
            header, body = [], rows
        return Block("list", "\n".join(f"- {record}" for record in _records(header, body)))
    lines = [_line(header), _line(["---"] * len(header))]
    lines += (_line([_bold(cell) if cell.is_header else cell.text for cell in row]) for row in body)
    return Block("table", "\n".join(lines))


def _records(header: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Rows as `column: value; …`, without what is empty; then the columns that are always."""
    unused = dict.fromkeys(header)
    for row in rows:
        texts = [cell.text for cell in row]
        pairs = [(name, text) for name, text in zip_longest(header, texts, fillvalue="") if text]
        for name, _ in pairs:
            unused.pop(name, None)
        if pairs:
            record = "; ".join(f"{name}: {text}" if name else text for name, text in pairs)
            yield record.replace("\\|", "|")
    if left := "; ".join(name for name in unused if name):
        yield f"Columns without a value: {left}".replace("\\|", "|")


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
        for column in zip_longest(*rows[:height], fillvalue=EMPTY)
    ]
    return names, rows[height:]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _bold(cell: Cell) -> str:
    plain = not cell.text or "**" in cell.text or "<br>" in cell.text
    return cell.text if plain else f"**{cell.text}**"


HANDLERS: Mapping[str, Handler] = {"table": table}
