"""What office files draw: paragraphs of shapes, tables of slides, charts and SmartArt, as HTML."""

from collections.abc import Iterable, Iterator

from ingest.attachments import markup
from ingest.attachments.package import Package, attribute, child, local, whole
from ingest.body.names import Element


def paragraph(element: Element) -> str:
    """The text of a paragraph of DrawingML (a:p) as inline HTML."""
    parts: list[str] = []
    for node in element.iter("{*}t", "{*}br", "{*}tab"):
        match local(node):
            case "t":
                parts.append(markup.text(node.text or ""))
            case "br":
                parts.append("<br/>")
            case _:
                parts.append(" ")
    return "".join(parts)


def lines(body: Element | None) -> list[tuple[int, str]]:
    """The paragraphs of a text body that have text, with their levels from 0 on."""
    if body is None:
        return []
    found = ((_level(element), paragraph(element).strip()) for element in body.iterfind("{*}p"))
    return [(level, line) for level, line in found if line]


def _level(element: Element) -> int:
    properties = child(element, "pPr")
    return 0 if properties is None else min(8, whole(properties.get("lvl")))


def nested_list(items: Iterable[tuple[int, str]]) -> str:
    """Items with their levels as a list in lists."""
    return markup.joined(markup.Part(item, level) for level, item in items)


def table(element: Element) -> str:
    """A table of DrawingML (a:tbl); its first row is the header."""
    rows: list[str] = []
    for row in element.iterfind("{*}tr"):
        cells = (_cell(cell) for cell in row.iterfind("{*}tc"))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _cell(cell: Element) -> str:
    if any(cell.get(name) in ("1", "true") for name in ("hMerge", "vMerge")):
        return ""
    down, across = whole(cell.get("rowSpan"), 1), whole(cell.get("gridSpan"), 1)
    content = "<br/>".join(line for _, line in lines(child(cell, "txBody")))
    return f'<td rowspan="{down}" colspan="{across}">{content}</td>'


def pictures(package: Package, part: str) -> Iterator[str]:
    """The charts and the SmartArt that a part refers to."""
    for _, tree in package.trees(part, "diagramData"):
        items = [(0, line) for point in tree.iter("{*}t") for _, line in lines(point)]
        if items:
            yield nested_list(items)
    for _, tree in package.trees(part, "chart"):
        yield _chart(tree)


def _chart(tree: Element) -> str:
    title = tree.find("{*}chart/{*}title")
    heading = "" if title is None else f"<p>{paragraph(title)}</p>"
    series = list(tree.iter("{*}ser"))
    if not series:
        return heading
    categories = max((_points(child(one, "cat")) for one in series), key=len)
    names = ["", *(" ".join(_points(child(one, "tx")).values()) for one in series)]
    columns = [categories, *(_points(child(one, "val")) for one in series)]
    places = sorted({place for column in columns for place in column})
    rows = [names, *([column.get(place, "") for column in columns] for place in places)]
    return f"{heading}<table>{''.join(_row(row) for row in rows)}</table>"


def _points(element: Element | None) -> dict[int, str]:
    """The values that a chart keeps of a range."""
    if element is None:
        return {}
    return {
        whole(attribute(point, "idx")): (point.findtext("{*}v") or "").strip()
        for point in element.iter("{*}pt")
    }


def _row(values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{markup.text(value)}</td>' for value in values)}</tr>"
