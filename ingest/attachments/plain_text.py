"""Text and Markdown files to blocks."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ingest.attachments.encoded import decoded
from ingest.attachments.pieces import Pieces
from ingest.body.blocks import Block
from ingest.body.markdown_blocks import blocks_of, closes, fence_of
from ingest.body.text import is_safe, paragraphs, prose

_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*$")
_PARAGRAPH = re.compile(r" {0,3}[^\s#>|`~*+\-\d]|\d+[^.)\d]| {0,3}[*`\[]\S")
_DESTINATION = re.compile(r"(\]\(\s*<?)([^\s()<>]+)")


def read_text(data: bytes) -> Pieces:
    """Every paragraph of a text file, its line breaks kept."""
    yield from text_blocks(decoded(data))


def text_blocks(text: str) -> Iterator[Block]:
    """Plain text as blocks, one a paragraph."""
    start = 0
    for gap in (*_EMPTY_LINES.finditer(text), None):
        end = gap.start() if gap else len(text)
        lines = (prose(line) for line in text[start:end].split("\n"))
        for paragraph in paragraphs("\n".join(lines)):
            yield Block("text", paragraph)
        start = gap.end() if gap else end


def read_markdown(data: bytes) -> Pieces:
    """The blocks of a Markdown file without what a reader does not see."""
    for block in blocks_of("\n".join(_visible_lines(decoded(data)))):
        is_code = block.kind == "code"
        yield block if is_code else replace(block, markdown=_with_safe_links(block.markdown))


def _visible_lines(text: str) -> Iterator[str]:
    """The lines without comments, and with headings in one style; code stays as it is."""
    prose_lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if fence:
            yield line
            fence = "" if closes(line, fence) else fence
        elif fence := fence_of(line, in_list=True):
            yield from _without_comments(prose_lines)
            prose_lines.clear()
            yield line
        else:
            prose_lines.append(line)
    yield from _without_comments(prose_lines)


def _without_comments(lines: list[str]) -> Iterator[str]:
    """Also turns underlined headings into those with number signs."""
    previous: str | None = None
    before = ""
    for line in _COMMENT.sub("", "\n".join(lines)).split("\n") if lines else ():
        mark = _UNDERLINE.match(line)
        if mark and previous and not before.strip() and _PARAGRAPH.match(previous):
            yield f"{'#' if mark[1] else '##'} {previous.strip()}"
            previous, before = None, ""
            continue
        if previous is not None:
            yield previous
            before = previous
        previous = line
    if previous is not None:
        yield previous


def _with_safe_links(markdown: str) -> str:
    return _DESTINATION.sub(
        lambda match: match[0] if is_safe(match[2]) else f"{match[1]}#", markdown
    )
