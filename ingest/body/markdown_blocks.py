"""Markdown back into blocks: for text that is Markdown already, and to look inside a block."""

import re
from collections.abc import Iterator

from ingest.body.blocks import Block, BlockKind
from ingest.body.text import plain

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# A line of text may begin with a year and a full stop.
_INTERRUPTING_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,3}[.)])[ \t]")
_FENCE_IN_ITEM = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?)*(`{3,}|~{3,})"
)
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")


def blocks_of(markdown: str) -> list[Block]:
    """The blocks of a Markdown text; headings have no anchor yet."""
    return [_block(lines) for lines in _groups(markdown.splitlines())]


def fence_of(line: str, *, in_list: bool = False) -> str:
    """The fence that a line opens a code block with, or nothing."""
    match = (_FENCE_IN_ITEM if in_list else _FENCE).match(line)
    return match.group(1) if match else ""


def closes(line: str, fence: str) -> bool:
    """Whether a line ends the code block that a fence began."""
    text = line.strip()
    return len(text) >= len(fence) and not text.strip(fence[0])


def is_item(line: str) -> bool:
    """Whether a line begins a list item."""
    return _ITEM.match(line) is not None


def _groups(lines: list[str]) -> Iterator[list[str]]:
    """Lines that make one block each."""
    group: list[str] = []
    fence = ""
    for line in lines:
        if fence:
            group.append(line)
            if closes(line, fence):
                fence = ""
                if not _is_list(group):
                    yield group
                    group = []
            continue
        if group and _begins_another(group, line):
            yield _trimmed(group)
            group = []
        fence = fence_of(line, in_list=_is_list(group or [line]))
        if group or line.strip():
            group.append(line)
        if not fence and group and _HEADING.match(line):
            yield group
            group = []
    if group:
        yield [*group, fence] if fence else _trimmed(group)


def _begins_another(group: list[str], line: str) -> bool:
    if _is_list(group):
        is_outside = bool(line.strip()) and not line[0].isspace() and not is_item(line)
        return is_outside and (not group[-1].strip() or bool(fence_of(line)) or line[0] in "#|>")
    starts = (fence_of(line), _HEADING.match(line), _INTERRUPTING_ITEM.match(line))
    return not line.strip() or any(starts)


def _is_list(group: list[str]) -> bool:
    return bool(group) and is_item(group[0])


def _trimmed(group: list[str]) -> list[str]:
    while group and not group[-1].strip():
        group = group[:-1]
    return group


def _block(lines: list[str]) -> Block:
    text = "\n".join(lines)
    heading = _HEADING.match(lines[0])
    if heading:
        return Block("heading", text, len(heading.group(1)), plain(heading.group(2)))
    return Block(_kind(lines), text)


def _kind(lines: list[str]) -> BlockKind:
    first = lines[0].lstrip()
    if fence_of(lines[0]):
        return "code"
    if first.startswith(">"):
        return "quote"
    if first.startswith("|") and len(lines) > 1 and not lines[1].strip().strip("|-: "):
        return "table"
    return "list" if is_item(first) else "text"
