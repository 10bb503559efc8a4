"""Lines of a printed page back into paragraphs. Pure."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ingest.body.blocks import Block
from ingest.body.text import LINE_BREAK, guarded, one_line, plain, prose

# Stands where a word was divided at the end of a line.
DIVISION = "\ufffe"

_BULLET = re.compile(r"[•‣◦●○■□▪▫➢➤✓✔\uf0b7\uf0a7\uf0d8\-–—*]\s+(?=\S)")
_NUMBERED = re.compile(
    r"(?:\d{1,3}(?:\.\d{1,3})*[.)]|\d+(?:\.\d+)+|[A-Za-z][.)]|\([a-z0-9]\))\s+\S"
)
# The dots between a title and its page number in a table of contents.
_LEADER = re.compile(r"(?:\s?\.){4,}")
_DIVIDED = re.compile(rf"\b(\w++){DIVISION}\s*(\w*)")
_SENTENCE_END = ".:;!?…。"
_NO_SPACES = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]$")
# A line of this share of the longest usual one was broken only for want of room.
_FULL = 0.75
_NEARLY_HALF = 0.4


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    is_single_line: bool


def blocks_of_page(text: str, titles: Collection[str] = ()) -> Iterator[Block]:
    """The text of a page as blocks; lines that are one of the titles become headings.

    Lines too short to be part of a paragraph, as in tables and addresses, stay lines.
    """
    folded = {_folded(title) for title in titles}
    single: list[str] = []
    for paragraph in _paragraphs(_undivided(text.replace("\r\n", "\n"))):
        is_title = paragraph.is_single_line and _folded(paragraph.text) in folded
        line = one_line(prose(paragraph.text))
        is_item = _BULLET.match(paragraph.text) or _NUMBERED.match(paragraph.text)
        if paragraph.is_single_line and not is_title and not is_item:
            single.append(guarded(line))
            continue
        if single:
            yield Block("text", LINE_BREAK.join(single))
            single = []
        yield _block(paragraph.text, line, is_title=is_title)
    if single:
        yield Block("text", LINE_BREAK.join(single))


def _block(text: str, line: str, *, is_title: bool) -> Block:
    if is_title:
        return Block("heading", f"## {line}", 2, plain(line))
    if bullet := _BULLET.match(text):
        return Block("list", f"- {one_line(prose(text[bullet.end() :]))}")
    # Such as "2. Moor": its number is the page's own, so the line is an item as it stands.
    is_item = line[:1].isdigit() and guarded(line) != line
    return Block("list", line) if is_item else Block("text", guarded(line))


def _folded(title: str) -> str:
    return " ".join(title.split()).casefold()


def _undivided(text: str) -> str:
    """Divided words in one piece; the hyphen stays in those that the page writes with one."""
    return _DIVIDED.sub(lambda match: _whole_word(match, text), text).replace(DIVISION, "-")


def _whole_word(match: re.Match[str], text: str) -> str:
    before, after = match.groups()
    hyphenated = f"{before}-{after}"
    is_one_word = after[:1].islower() and hyphenated.lower() not in text.lower()
    return before + after if is_one_word else hyphenated


def _paragraphs(text: str) -> Iterator[_Paragraph]:
    lines = [" ".join(_LEADER.sub(" … ", line).split()) for line in text.split("\n")]
    full = _usual_length(lines)
    current: list[str] = []
    for line in (*lines, ""):
        if current and not (line and _flows(current[-1], line, full)):
            yield _Paragraph(_run_on(current), len(current) == 1)
            current = []
        if line:
            current.append(line)


def _usual_length(lines: list[str]) -> int:
    """How long lines of running text are, judged by the longer ones."""
    lengths = sorted(len(line) for line in lines if line)
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _flows(line: str, following: str, full: int) -> bool:
    """Whether a line goes on in the next one."""
    if _BULLET.match(following) or _NUMBERED.match(following) or " … " in line:
        return False
    if len(line) >= full * _FULL:
        return line[-1] != ":" and len(line) > 20
    is_mid_sentence = line[-1] not in _SENTENCE_END and following[0].islower()
    return is_mid_sentence and len(line) >= full * _NEARLY_HALF


def _run_on(lines: list[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        text += line if _NO_SPACES.search(text) else f" {line}"
    return text
