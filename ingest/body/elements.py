"""What the elements of HTML mean in Markdown: headings, paragraphs, lists, emphasis, code."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from ingest.body.blocks import Block
from ingest.body.names import AC, Element, raw_text
from ingest.body.text import SEAM, code_fence, code_span, one_line, plain, prose
from ingest.body.visibility import is_hidden
from ingest.body.walk import Flow, Handler, Walk, bare_line

_EDGE = " \n" + SEAM
_LOOKS = frozenset(
    (
        *("span", "br", "strong", "b", "em", "i", "u", "s", "del", "sub", "sup", "code", "small"),
        *("font", AC + "inline-comment-marker"),
    )
)


def drop(walk: Walk, element: Element, flow: Flow) -> None:
    """Nothing: settings, not text."""


def paragraph(walk: Walk, element: Element, flow: Flow) -> None:
    """Text that stands apart from what is before and after it."""
    if is_hidden(walk, element):
        return
    flow.flush()
    walk.children(element, flow)
    flow.flush()


def heading(walk: Walk, element: Element, flow: Flow) -> None:
    """A heading, and behind it whatever blocks somebody put inside."""
    if is_hidden(walk, element):
        return
    bare = bare_line(element)
    if bare is not None:
        flow.flush()
        if bare:
            flow.add(heading_block(walk, int(element.tag[1]), bare))
        return
    content = walk.flow()
    with walk.without_bold():
        walk.children(element, content)
    line = one_line("".join(content.inline)) if not content.blocks else ""
    content.flush()
    blocks = content.blocks
    if line:
        blocks = []
    elif blocks and blocks[0].kind == "text":
        line, blocks = one_line(blocks[0].markdown), blocks[1:]
    if line:
        flow.add(heading_block(walk, int(element.tag[1]), line))
    flow.flush()
    flow.blocks.extend(blocks)


def heading_block(walk: Walk, level: int, line: str) -> Block:
    """A heading of one line of inline Markdown."""
    title = plain(line)
    return Block("heading", f"{'#' * level} {line}", level, title, walk.anchor(title))


def span(walk: Walk, element: Element, flow: Flow) -> None:
    """Inline text whose looks mean nothing."""
    if not is_hidden(walk, element):
        walk.children(element, flow)


def line_break(walk: Walk, element: Element, flow: Flow) -> None:
    """A line break within a paragraph."""
    flow.inline.append("\n")


def rule(walk: Walk, element: Element, flow: Flow) -> None:
    """A line across the page."""
    flow.add(Block("text", "---"))


def strong(walk: Walk, element: Element, flow: Flow) -> None:
    """Bold text."""
    _emphasise(walk, element, flow, "**")


def emphasis(walk: Walk, element: Element, flow: Flow) -> None:
    """Italic text."""
    _emphasise(walk, element, flow, "*")


def strike(walk: Walk, element: Element, flow: Flow) -> None:
    """Text struck out."""
    _emphasise(walk, element, flow, "~~")


def _emphasise(walk: Walk, element: Element, flow: Flow, mark: str) -> None:
    if mark in walk.emphasis or is_hidden(walk, element):
        span(walk, element, flow)
        return
    start, blocks = len(flow.inline), len(flow.blocks)
    walk.emphasis.add(mark)
    walk.children(element, flow)
    walk.emphasis.discard(mark)
    if len(flow.blocks) > blocks:
        return
    lines = flow.cut(start).split("\n")
    # <b>a</b><b>b</b> as **a****b** would mark nothing: what was just closed is opened again.
    if _follows_its_like(element) and flow.inline[-1:] == [mark] and lines[0].strip(_EDGE):
        flow.inline[-1] = lines[0].rstrip(_EDGE)
        flow.inline += [mark, *_after(lines.pop(0)), *(["\n"] if lines else [])]
    for index, line in enumerate(lines):
        flow.inline += ["\n"] if index else []
        inner = line.strip(_EDGE)
        flow.inline += [_before(line) + mark + inner, mark, *_after(line)] if inner else [line]


def _follows_its_like(element: Element) -> bool:
    previous = element.getprevious()
    return previous is not None and previous.tag == element.tag and not previous.tail


def _before(text: str) -> str:
    return text[: len(text) - len(text.lstrip(_EDGE))]


def _after(text: str) -> list[str]:
    return [end] if (end := text[len(text.rstrip(_EDGE)) :]) else []


def code(walk: Walk, element: Element, flow: Flow) -> None:
    """Inline code; links and mentions inside keep their meaning instead."""
    if len(element) and any(child.tag not in _LOOKS for child in element.iterdescendants()):
        walk.children(element, flow)
        return
    text = raw_text(element)
    flow.inline.append(code_span(" ".join(text.split("\n"))) if text else "")


def subscript(walk: Walk, element: Element, flow: Flow) -> None:
    """Text below the line, which Markdown can only say in HTML."""
    _tagged(walk, element, flow, "sub")


def superscript(walk: Walk, element: Element, flow: Flow) -> None:
    """Text above the line, which Markdown can only say in HTML."""
    _tagged(walk, element, flow, "sup")


def _tagged(walk: Walk, element: Element, flow: Flow, tag: str) -> None:
    start, blocks = len(flow.inline), len(flow.blocks)
    walk.children(element, flow)
    if len(flow.blocks) == blocks:
        text = flow.cut(start)
        flow.inline.append(f"<{tag}>{text.strip(_EDGE)}</{tag}>" if text.strip(_EDGE) else text)


def preformatted(walk: Walk, element: Element, flow: Flow) -> None:
    """Text whose spaces and lines count; with more than text inside, a paragraph."""
    if any(child.tag not in _LOOKS and child.tag != "a" for child in element.iterdescendants()):
        paragraph(walk, element, flow)
        return
    for child in element.iter("br"):
        child.tail = "\n" + (child.tail or "")
    text = raw_text(element)
    if text.strip():
        flow.add(Block("code", code_fence(text)))


def blockquote(walk: Walk, element: Element, flow: Flow) -> None:
    """Quoted text."""
    flow.flush()
    add_quote(flow, walk.blocks(element))


def add_quote(flow: Flow, blocks: Sequence[Block], heading: str = "") -> None:
    """Puts blocks behind a margin of `>`, under a line of Markdown that says what they are."""
    content = "\n\n".join(block.markdown for block in blocks)
    text = "\n".join(part for part in (heading, content) if part)
    if text:
        lines = (f"> {line}" if line else ">" for line in text.split("\n"))
        flow.add(Block("quote", "\n".join(lines)))


def bullet_list(walk: Walk, element: Element, flow: Flow) -> None:
    """A list without numbers."""
    flow.flush()
    add_list(flow, [("- ", blocks) for blocks in _items(walk, element)])


def numbered_list(walk: Walk, element: Element, flow: Flow) -> None:
    """A list with numbers, counted from its own start."""
    flow.flush()
    start = element.get("start") or "1"
    first = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1
    items = enumerate(_items(walk, element), first)
    add_list(flow, [(f"{number}. ", blocks) for number, blocks in items])


def _items(walk: Walk, element: Element) -> list[list[Block]]:
    """The items of a list; a list between two items belongs to the one before it."""
    items = [walk.flow()]
    items[0].inline.append(prose(element.text or ""))
    for child in element:
        if child.tag == "li":
            items.append(walk.flow())
            items[-1].blocks = walk.blocks(child)
            items[-1].inline.append(prose(child.tail or ""))
        else:
            walk.child(child, items[-1])
    for item in items:
        item.flush()
    return [item.blocks for item in (items if items[0].blocks else items[1:])]


def add_list(flow: Flow, items: Sequence[tuple[str, Sequence[Block]]], *, indent: int = 0) -> None:
    """Puts a list of (marker with its space, blocks); items without text are left out.

    What follows an item's first line is indented by its marker's width, unless told otherwise.
    """
    lines = [_item(marker, blocks, indent or len(marker)) for marker, blocks in items if blocks]
    if lines:
        flow.add(Block("list", "\n".join(lines)))


def _item(marker: str, blocks: Sequence[Block], width: int) -> str:
    text = blocks[0].markdown
    if len(blocks) == 1 and "\n" not in text:
        return marker + text
    for before, block in pairwise(blocks):
        is_tight = block.kind == "list" and before.kind == "text"
        text += ("\n" if is_tight else "\n\n") + block.markdown
    first, *rest = text.split("\n")
    indent = " " * width
    return "\n".join((marker + first, *(indent + line if line else "" for line in rest)))


def definition_list(walk: Walk, element: Element, flow: Flow) -> None:
    """Terms and their meanings, as a list."""
    flow.flush()
    items: list[list[Block]] = []
    term = ""
    for child in _definitions(element):
        if child.tag == "dt":
            items += [_with_term(term, [])] if term else []
            term = walk.line(child, bold=False)
        else:
            items.append(_with_term(term, walk.blocks(child)))
            term = ""
    items += [_with_term(term, [])] if term else []
    add_list(flow, [("- ", item) for item in items])


def _definitions(element: Element) -> Iterator[Element]:
    for child in element:
        if child.tag == "div":
            yield from child
        else:
            yield child


def _with_term(term: str, blocks: list[Block]) -> list[Block]:
    if not term:
        return blocks
    if blocks and blocks[0].kind == "text":
        return [Block("text", f"**{term}**: {blocks[0].markdown}"), *blocks[1:]]
    return [Block("text", f"**{term}**"), *blocks]


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), heading),
    **dict.fromkeys(
        (
            *("p", "div", "section", "article", "header", "footer", "main", "aside", "nav"),
            *("figure", "figcaption", "address", "center", "fieldset", "details", "summary"),
            *("caption", "form"),
        ),
        paragraph,
    ),
    **dict.fromkeys(("script", "style", "colgroup", "col", "head", "template"), drop),
    **dict.fromkeys(("strong", "b"), strong),
    **dict.fromkeys(("em", "i", "cite", "dfn"), emphasis),
    **dict.fromkeys(("s", "del", "strike"), strike),
    **dict.fromkeys(("code", "tt", "samp"), code),
    **dict.fromkeys(("pre", "listing"), preformatted),
    **dict.fromkeys(("span", "font"), span),
    "br": line_break,
    "hr": rule,
    "sub": subscript,
    "sup": superscript,
    "blockquote": blockquote,
    "ul": bullet_list,
    "ol": numbered_list,
    "dl": definition_list,
}
