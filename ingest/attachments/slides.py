"""PPTX files to blocks: each slide under its number and title, with notes and comments."""

from collections.abc import Iterator

from ingest.attachments import drawing, markup
from ingest.attachments.package import DAMAGES, Package, attribute, child, chosen, local, qualified
from ingest.attachments.pieces import Lost, Pieces, heading
from ingest.body.names import Element
from ingest.body.text import one_line

_TITLES = ("title", "ctrTitle")
# Numbers and dates that stand on every slide.
_FURNITURE = ("sldNum", "dt", "hdr")
_OFF = ("0", "false")


def read_pptx(data: bytes) -> Pieces:
    """The shown slides in their order; hidden ones are left out."""
    package = Package(data)
    main = package.main_part()
    relations = package.relations(main)
    for number, entry in enumerate(package.tree(main).iter("{*}sldId"), 1):
        relation = relations.get(qualified(entry, "id") or "")
        if relation is None:
            yield Lost(f"slide {number} is missing")
            continue
        try:
            tree = package.tree(relation.target)
        except DAMAGES:
            yield Lost(f"slide {number} is damaged")
            continue
        if attribute(tree, "show") not in _OFF:
            yield from _slide(package, relation.target, number, tree)
    yield from package.lost()


def _slide(package: Package, part: str, number: int, tree: Element) -> Pieces:
    titles: list[str] = []
    shapes = child(child(tree, "cSld"), "spTree")
    content = [] if shapes is None else list(_shapes(shapes, titles))
    content += drawing.pictures(package, part)
    notes = [_notes(notes) for _, notes in package.trees(part, "notesSlide")]
    comments = list(_comments(package, part))
    if not (titles or content or any(notes) or comments):
        return
    title = ": ".join((f"Slide {number}", *titles[:1]))
    yield heading(1, title)
    more_titles = (f"<p>{markup.text(other)}</p>" for other in titles[1:])
    yield from markup.blocks_from("".join((*more_titles, *content)))
    if any(notes):
        yield heading(2, "Notes")
        yield from markup.blocks_from("".join(notes))
    if comments:
        yield heading(2, "Comments")
        yield from markup.blocks_from(drawing.nested_list([(0, line) for line in comments]))


def _shapes(group: Element, titles: list[str]) -> Iterator[str]:
    """The texts and tables of a group of shapes; titles are put aside."""
    for shape in group:
        if _is_hidden(shape):
            continue
        match local(shape):
            case "sp":
                yield from _shape(shape, titles)
            case "grpSp":
                yield from _shapes(shape, titles)
            case "graphicFrame":
                yield from map(drawing.table, shape.iter("{*}tbl"))
            case "AlternateContent":
                branch = chosen(shape)
                yield from () if branch is None else _shapes(branch, titles)
            case _:
                pass


def _shape(shape: Element, titles: list[str]) -> Iterator[str]:
    role = _role(shape)
    body = child(shape, "txBody")
    lines = drawing.lines(body)
    if not lines or role in _FURNITURE:
        return
    if role in _TITLES and body is not None:
        titles.append(one_line(" ".join(_words(body))))
    elif (role is not None and len(lines) > 1) or any(level for level, _ in lines):
        yield drawing.nested_list(lines)
    else:
        yield "".join(f"<p>{line}</p>" for _, line in lines)


def _words(body: Element) -> Iterator[str]:
    for paragraph in body.iterfind("{*}p"):
        texts = paragraph.iter("{*}t", "{*}br")
        yield "".join(node.text or "" if local(node) == "t" else " " for node in texts)


def _role(shape: Element) -> str | None:
    """What a placeholder is for ("body" and the like), None for a free shape."""
    place = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
    return None if place is None else place.get("type", "body")


def _is_hidden(shape: Element) -> bool:
    properties = shape.find("*/{*}cNvPr")
    return properties is not None and properties.get("hidden") in ("1", "true")


def _notes(tree: Element) -> str:
    bodies = (shape for shape in tree.iter("{*}sp") if _role(shape) == "body")
    lines = (line for shape in bodies for _, line in drawing.lines(child(shape, "txBody")))
    return "".join(f"<p>{line}</p>" for line in lines)


def _comments(package: Package, part: str) -> Iterator[str]:
    for _, tree in package.trees(part, "comments"):
        for comment in tree.iter("{*}cm", "{*}reply"):
            plain = comment.findtext("{*}text")
            lines = [line for _, line in drawing.lines(child(comment, "txBody"))]
            if text := markup.text(plain) if plain else "<br/>".join(lines):
                yield text
