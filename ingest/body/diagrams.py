"""Macros that draw: diagrams, formulas and raw Markdown, as the source they are drawn from."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from urllib.parse import unquote

from ingest.body.blocks import Block
from ingest.body.elements import heading_block
from ingest.body.macros import Macro, MacroHandler, content
from ingest.body.markdown_blocks import blocks_of
from ingest.body.text import SEAM, code_fence, prose
from ingest.body.walk import Flow, Walk

_LARGEST_SOURCE = 1_000_000


def drawing(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A diagram drawn by hand: its name."""
    name = macro.get("diagramName", "diagramDisplayName", "name", "filename", "title", "")
    if name:
        flow.flush()
        flow.inline.append(f"Diagram: {prose(name)}")
        flow.flush()
    walk.report("macro", macro.name, f"a diagram ({name or 'not named'}); only its name is kept")
    content(walk, macro, flow)


def diagram_source(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A diagram described in text: the description."""
    language = "mermaid" if "mermaid" in macro.name else "plantuml"
    source = (
        macro.plain or macro.get("code", "source", "diagram", "") or _inflated(macro.get("data"))
    )
    if source:
        flow.add(Block("code", code_fence(source, language)))
    else:
        drawing(walk, macro, flow)


def _inflated(data: str) -> str:
    """A description that was deflated and written in base 64; nothing if it was not."""
    try:
        packed = base64.b64decode(data, validate=True)
        raw = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _LARGEST_SOURCE)
        return unquote(raw.decode())
    except (binascii.Error, zlib.error, ValueError):
        return ""


def formula(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A formula set apart."""
    source = _formula_source(macro)
    if source:
        flow.add(Block("text", f"$$\n{source}\n$$"))


def inline_formula(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A formula within a line."""
    source = " ".join(_formula_source(macro).split())
    if source:
        flow.inline.append(f"{SEAM}${source}${SEAM}")


def _formula_source(macro: Macro) -> str:
    source = macro.plain or macro.get("body", "equation", "formula", "latex", "")
    lines = (line.rstrip() for line in source.strip().strip("$").strip().splitlines())
    return "\n".join(line for line in lines if line)


def markdown(walk: Walk, macro: Macro, flow: Flow) -> None:
    """Text that is Markdown already."""
    for block in blocks_of(macro.plain or macro.get("markdown", "")):
        if block.kind == "heading":
            flow.add(heading_block(walk, block.level, block.title))
        else:
            flow.add(block)
    for body in macro.rich:
        walk.child(body, flow)


MACROS: Mapping[str, MacroHandler] = {
    **dict.fromkeys(
        (
            *("drawio", "drawio-sketch", "inc-drawio", "drawio-board", "gliffy", "lucidchart"),
            *("balsamiq", "balsamiq-mockup", "mockup", "miro", "figma", "excalidraw"),
        ),
        drawing,
    ),
    **dict.fromkeys(
        (
            *("mermaid", "mermaid-cloud", "mermaid-macro", "mermaiddiagram", "plantuml"),
            *("plantumlrender", "plantumlcloud", "plantuml-cloud"),
        ),
        diagram_source,
    ),
    **dict.fromkeys(
        (
            *("mathblock", "mathjax-block-macro", "mathjax-block", "mathjax", "latex"),
            *("latex-formatting", "easy-math-block", "eazy-math-block", "math"),
        ),
        formula,
    ),
    **dict.fromkeys(
        (
            *("mathinline", "mathjax-inline-macro", "mathjax-inline", "latex-inline"),
            *("eazy-math-inline", "easy-math-inline"),
        ),
        inline_formula,
    ),
    **dict.fromkeys(("markdown", "mohamicorp-markdown", "markdown-from-url"), markdown),
}
