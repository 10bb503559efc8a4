"""DOCX files to blocks, in reading order, without deleted and hidden text."""

from collections.abc import Iterator

from ingest.attachments import drawing, markup
from ingest.attachments.markup import Part
from ingest.attachments.package import (
    DAMAGES,
    Package,
    attribute,
    child,
    chosen,
    forget,
    is_on,
    local,
    value_of,
    whole,
)
from ingest.attachments.pieces import Lost, Pieces, heading
from ingest.attachments.word_styles import Label, Numbering, Style, Styles
from ingest.body.names import Element

_ENOUGH = 50_000
_NOT_TEXT = frozenset(
    (
        *("pPr", "rPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid", "tcPr", "trPr", "sectPr"),
        *("del", "moveFrom", "instrText", "delText", "rt"),
    )
)
_BLOCKS = ("p", "tbl", "sdt", "ins", "moveTo", "customXml", "AlternateContent")
_ITEMS = ("footnotes", "endnotes", "comments")


def read_docx(data: bytes) -> Pieces:
    """The body, then footnotes, comments, and what stands at the edges of the pages."""
    package = Package(data)
    document = _Document(package, package.main_part())
    for batch in _batches(document.body()):
        yield from markup.blocks_from(markup.joined(batch))
    for title, parts in document.surroundings():
        if content := markup.joined(parts):
            yield heading(1, title)
            yield from markup.blocks_from(content)
    if document.is_damaged:
        yield Lost("damaged: not read to its end")
    yield from package.lost()


def _batches(parts: Iterator[Part]) -> Iterator[list[Part]]:
    """Parts of some thousand characters together; a list stays in one piece."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        if size > _ENOUGH and part.depth < 0:
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += len(part.markup)
    yield batch


class _Document:
    """Turns the elements of a document into HTML, one string a block."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._main = main
        self._relations = package.relations(main)
        self._styles = Styles(self._related("styles"))
        self._numbering = Numbering(self._related("numbering"))
        self._boxes: list[Part] = []
        self.is_damaged = False

    def body(self) -> Iterator[Part]:
        """The blocks of the main text, up to where it is damaged."""
        try:
            for element in self._package.stream(self._main, *_BLOCKS):
                parent = element.getparent()
                if parent is not None and local(parent) == "body":
                    yield from self._block(element)
                    forget(element)
        except DAMAGES:
            self.is_damaged = True

    def surroundings(self) -> Iterator[tuple[str, list[Part]]]:
        """What stands beside the main text, under a title each."""
        if pictures := list(map(Part, drawing.pictures(self._package, self._main))):
            yield "Charts and diagrams", pictures
        for kind in _ITEMS:
            for part, tree in self._package.trees(self._main, kind):
                self._relations = self._package.relations(part)
                yield kind.capitalize(), [self._item(item) for item in tree if _is_item(item)]
        edges: dict[Part, None] = {}
        for kind in ("header", "footer"):
            for part, tree in self._package.trees(self._main, kind):
                self._relations = self._package.relations(part)
                edges.update(dict.fromkeys(self._blocks(tree)))
        yield "Headers and footers", list(edges)

    def _related(self, kind: str) -> Element | None:
        return next((tree for _, tree in self._package.trees(self._main, kind)), None)

    def _item(self, item: Element) -> Part:
        author = attribute(item, "author")
        number = "" if local(item) == "comment" else f"[{attribute(item, 'id')}] "
        before = markup.text(f"{author}: " if author else number)
        content = markup.joined(self._blocks(item))
        return Part(f"<p>{before}</p>{content}".replace("</p><p>", "", 1))

    def _blocks(self, element: Element) -> Iterator[Part]:
        for inner in element:
            yield from self._block(inner)

    def _block(self, element: Element) -> Iterator[Part]:
        match local(element):
            case "p":
                yield from self._paragraph(element)
            case "tbl":
                yield Part(self._table(element))
            case "AlternateContent":
                branch = chosen(element)
                yield from () if branch is None else self._blocks(branch)
            case name if name not in _NOT_TEXT:
                yield from self._blocks(element)
            case _:
                pass

    def _paragraph(self, element: Element) -> Iterator[Part]:
        style = self._styles.of(child(element, "pPr"), "pStyle")
        label = self._numbering.next(style.numbering, style.depth)
        outer, self._boxes = self._boxes, []
        # The mark of a paragraph may be hidden while its runs are not, so each run is asked.
        inline = self._inline(element, style).strip()
        # A table of contents tells the headings a second time.
        if inline and not style.name.startswith("toc "):
            yield _part(inline, style, label)
        boxes, self._boxes = self._boxes, outer
        yield from boxes

    def _inline(self, element: Element, style: Style) -> str:
        return "".join(self._inline_part(inner, style) for inner in element)

    def _inline_part(self, element: Element, style: Style) -> str:
        match local(element):
            case "r":
                return "" if self._is_hidden(element, style) else self._inline(element, style)
            case "t":
                return markup.text(element.text or "")
            case "tab" | "ptab":
                return " "
            case "br" | "cr":
                return "<br/>"
            case "noBreakHyphen":
                return "-"
            case "hyperlink":
                return self._link(element, style)
            case "footnoteReference" | "endnoteReference":
                return f"[{attribute(element, 'id')}]"
            case "txbxContent":
                self._boxes += self._blocks(element)
                return " "
            case "AlternateContent":
                branch = chosen(element)
                return "" if branch is None else self._inline(branch, style)
            case name if name in _NOT_TEXT or not name:
                return ""
            case _:
                return self._inline(element, style)

    def _is_hidden(self, run: Element, style: Style) -> bool:
        properties = child(run, "rPr")
        if properties is None:
            return style.is_hidden
        if child(properties, "vanish") is not None:
            return is_on(properties, "vanish")
        return style.is_hidden or self._styles.of(properties, "rStyle").is_hidden

    def _link(self, element: Element, style: Style) -> str:
        relation = self._relations.get(attribute(element, "id") or "")
        address = relation.target if relation and relation.is_external else ""
        return markup.link(address, self._inline(element, style))

    def _table(self, element: Element) -> str:
        rows = [row for row in element.iter("{*}tr") if _table_of(row) is element]
        shown = [row for row in rows if not _is_hidden_row(row)]
        grid = [list(_placed_cells(row)) for row in shown]
        lines: list[str] = []
        for index, row in enumerate(grid):
            tag = "th" if is_on(child(shown[index], "trPr"), "tblHeader") else "td"
            cells = (
                f'<{tag} colspan="{across}" rowspan="{_rows_down(grid, index, column)}">'
                f"{markup.joined(self._blocks(cell))}</{tag}>"
                for column, across, cell in row
                if not _goes_on(cell)
            )
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return f"<table>{''.join(lines)}</table>"


_PlacedCell = tuple[int, int, Element]


def _placed_cells(row: Element) -> Iterator[_PlacedCell]:
    """Each cell with its column and its width in columns."""
    column = whole(value_of(child(row, "trPr"), "gridBefore"))
    for cell in row.iter("{*}tc"):
        if _row_of(cell) is row:
            across = max(1, min(64, whole(value_of(child(cell, "tcPr"), "gridSpan"), 1)))
            yield column, across, cell
            column += across


def _rows_down(grid: list[list[_PlacedCell]], index: int, column: int) -> int:
    """How many rows the cell at a place reaches down."""
    down = 1
    for row in grid[index + 1 :]:
        below = next((cell for at, _, cell in row if at == column), None)
        if below is None or not _goes_on(below):
            break
        down += 1
    return down


def _goes_on(cell: Element) -> bool:
    """Whether a cell is only the continuation of the one above."""
    merge = child(child(cell, "tcPr"), "vMerge")
    return merge is not None and attribute(merge, "val") != "restart"


def _is_hidden_row(row: Element) -> bool:
    properties = child(row, "trPr")
    return is_on(properties, "hidden") or child(properties, "del") is not None


def _table_of(row: Element) -> Element | None:
    return next(row.iterancestors("{*}tbl"), None)


def _row_of(cell: Element) -> Element | None:
    return next(cell.iterancestors("{*}tr"), None)


def _is_item(element: Element) -> bool:
    """Whether a footnote or comment has a text of its own, unlike the lines that set them off."""
    return local(element) in ("footnote", "endnote", "comment") and attribute(element, "type") in (
        None,
        "normal",
    )


def _part(inline: str, style: Style, label: Label | None) -> Part:
    before = f"{markup.text(label.text)} " if label and label.text else ""
    if style.level:
        return Part(f"<h{style.level}>{before}{inline}</h{style.level}>")
    if label is None:
        return Part(f"<p>{inline}</p>")
    if label.number is None:
        return Part(before + inline, style.depth)
    return Part(inline, style.depth, label.number)
