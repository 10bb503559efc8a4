"""XLSX files to blocks: a table for each stretch of rows of the shown sheets."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingest.attachments import drawing, markup
from ingest.attachments.cell_values import Formats
from ingest.attachments.grid import Row, tables_of
from ingest.attachments.package import (
    DAMAGES,
    Package,
    attribute,
    child,
    forget,
    local,
    qualified,
    whole,
)
from ingest.attachments.pieces import Lost, Pieces, heading
from ingest.body.names import Element

_REFERENCE = re.compile(r"([A-Za-z]{1,3})\d*")
_ON = ("1", "true")


@dataclass(frozen=True, slots=True)
class _Book:
    package: Package
    strings: list[str]
    formats: Formats


def read_xlsx(data: bytes) -> Pieces:
    """The shown sheets in their order; hidden sheets, rows and columns are left out."""
    package = Package(data)
    main = package.main_part()
    relations = package.relations(main)
    tree = package.tree(main)
    book = _Book(package, list(_strings(package, main)), _formats(package, main, tree))
    for sheet in tree.iter("{*}sheet"):
        relation = relations.get(qualified(sheet, "id") or "")
        name = sheet.get("name", "")
        if sheet.get("state", "visible") != "visible":
            continue
        if relation is None:
            yield Lost(f"sheet {name} is missing")
        elif relation.kind == "worksheet":
            yield from _sheet(book, relation.target, name)
    yield from package.lost()


def _sheet(book: _Book, part: str, name: str) -> Pieces:
    is_named = False
    try:
        for block in tables_of(_rows(book, part)):
            if not is_named:
                yield heading(1, name)
                is_named = True
            yield block
    except DAMAGES:
        yield Lost(f"sheet {name} is damaged and not read to its end")
    if beside := "".join(_beside(book.package, part)):
        if not is_named:
            yield heading(1, name)
        yield from markup.blocks_from(beside)


def _formats(package: Package, main: str, workbook: Element) -> Formats:
    properties = child(workbook, "workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in _ON
    styles = next((tree for _, tree in package.trees(main, "styles")), None)
    return Formats.of(styles, since_1904=since_1904)


def _strings(package: Package, main: str) -> Iterator[str]:
    """The texts that cells refer to by number."""
    for part in package.related(main, "sharedStrings"):
        for item in package.stream(part, "si"):
            yield _rich_text(item)
            forget(item)


def _rich_text(item: Element) -> str:
    """A text in runs; how it is pronounced is left out."""
    runs = (run for run in item if local(run) in ("t", "r"))
    return "".join(
        (run.text if local(run) == "t" else run.findtext("{*}t")) or "" for run in runs
    ).replace("\r\n", "\n")


def _rows(book: _Book, part: str) -> Iterator[Row]:
    hidden: list[range] = []
    expected = 1
    for element in book.package.stream(part, "col", "row"):
        if local(element) == "col":
            if element.get("hidden") in _ON:
                hidden.append(range(whole(element.get("min")), whole(element.get("max")) + 1))
            continue
        number = whole(element.get("r"), expected)
        if number > expected:
            yield Row({})
        if element.get("hidden") not in _ON:
            yield _row(book, element, lambda column: any(column in columns for columns in hidden))
        expected = number + 1
        forget(element)


def _row(book: _Book, element: Element, is_hidden: Callable[[int], bool]) -> Row:
    cells: dict[int, str] = {}
    has_numbers = False
    column = 0
    for cell in element:
        column = _column(cell.get("r")) or column + 1
        kind = cell.get("t", "n")
        value = _value(book, cell, kind).strip()
        if value and not is_hidden(column):
            cells[column] = value
            has_numbers = has_numbers or kind in ("n", "d", "b")
    return Row(cells, has_numbers)


def _column(reference: str | None) -> int:
    """The number of a column from 1 on, as in B7; 0 for none."""
    match = _REFERENCE.match(reference or "")
    number = 0
    for letter in match[1].upper() if match else "":
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _value(book: _Book, cell: Element, kind: str) -> str:
    if kind == "inlineStr":
        content = child(cell, "is")
        return "" if content is None else _rich_text(content)
    raw = next((part.text for part in cell if local(part) == "v"), None) or ""
    match kind:
        case "s":
            place = whole(raw, -1)
            return book.strings[place] if 0 <= place < len(book.strings) else ""
        case "b":
            return {"0": "FALSE", "1": "TRUE"}.get(raw.strip(), raw)
        case "n":
            return book.formats.shown(raw, whole(cell.get("s")))
        case _:
            return raw


def _beside(package: Package, part: str) -> Iterator[str]:
    """Text boxes, charts and comments of a sheet."""
    for picture, tree in package.trees(part, "drawing"):
        for body in tree.iter("{*}txBody"):
            yield "".join(f"<p>{line}</p>" for _, line in drawing.lines(body))
        yield from drawing.pictures(package, picture)
    # Threads are kept a second time as plain comments, for programs that do not know them.
    is_threaded = bool(package.related(part, "threadedComment"))
    for _, tree in package.trees(part, "threadedComment" if is_threaded else "comments"):
        for comment in tree.iter("{*}threadedComment", "{*}comment"):
            texts = comment.iter("{*}text") if is_threaded else comment.iter("{*}t")
            said = "".join(node.text or "" for node in texts).strip()
            place = attribute(comment, "ref") or ""
            if said:
                yield f"<p>{markup.text(f'Comment on {place}: {said}')}</p>"
