"""Blocks without fences, margins and pipes, as they can stand in a cell of a pipe table."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ingest.body.blocks import Block
from ingest.body.text import LINE_BREAK, code_span

_TITLE = re.compile(r'title="([^"]*)"')
_CELL_END = re.compile(r"(?<!\\) \| ")


def flat(block: Block) -> Block:
    """The same words as lines that mean the same anywhere, also behind a list marker."""
    return replace(block, markdown=LINE_BREAK.join(line for line in _lines(block) if line))


def cell_text(blocks: Sequence[Block]) -> str:
    """Flat blocks as the text of one cell."""
    lines = (line.strip() for block in blocks for line in block.markdown.split("\n"))
    return "<br>".join(line for line in lines if line).replace("|", "\\|")


def cells_of(row: str) -> list[str]:
    """The texts of a row of a pipe table."""
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(row.strip()[1:-1] + " ")]


def _lines(block: Block) -> list[str]:
    lines = block.markdown.split("\n")
    match block.kind:
        case "heading":
            return [f"**{block.markdown.lstrip('#').strip()}**"]
        case "code":
            title = _TITLE.search(lines[0])
            code = [code_span(line.rstrip()) for line in lines[1:-1] if line.strip()]
            return [f"**{title.group(1)}**", *code] if title else code
        case "quote":
            return [line.removeprefix(">").strip() for line in lines]
        case "table":
            rows = (lines[0], *lines[2:])
            return [", ".join(cell for cell in cells_of(row) if cell) for row in rows]
        case "list":
            return [line.rstrip() for line in lines]
        case _:
            return [line.replace("\n", " ") for line in block.markdown.split(LINE_BREAK)]
