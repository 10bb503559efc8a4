"""The pages that people read, and what in them can be typed. Pure but for reading the files."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

from tests.docs.there import ROOT

_FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(confluence-mcp(?:-chat)? [^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page; `line` is that of its fence."""

    line: int
    language: str
    text: str


def all_pages() -> list[Path]:
    """README, CONTRIBUTING, SECURITY and every page under docs/."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*named, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(text.count("\n", 0, found.start()) + 1, found[2], dedent(found[3]))
        for found in _FENCED.finditer(text)
    ]


def languages(text: str) -> set[str]:
    """What the fenced blocks of a page are said to be."""
    return {block.language for block in blocks(text)}


def script(text: str) -> str:
    """All `bash` blocks of a page as one script, which says where it is on standard error."""
    parts = [
        f'echo "line {block.line}" >&2\n{block.text}'
        for block in blocks(text)
        if block.language == "bash"
    ]
    return "\n".join(parts)


def mentioned(text: str) -> Iterator[list[str]]:
    """The words of each command of ours that is shown but not run: transcripts and inline code."""
    for block in blocks(text):
        if block.language == "console":
            joined = block.text.replace("\\\n", " ")
            lines = [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
            yield from (words for line in lines for words in _ours(line))
    for found in _INLINE.finditer(_FENCED.sub("", text)):
        yield from _ours(" ".join(found[1].split()))


def _ours(line: str) -> Iterator[list[str]]:
    """The commands of ours in a line of shell, from the name of the program on."""
    words = shlex.split(re.sub(r"[\[\]()…]|\.\.\.", " ", line), comments=True)
    starts = [
        n for n, word in enumerate(words) if word in ("confluence-mcp", "confluence-mcp-chat")
    ]
    for start, end in pairwise([*starts, len(words)]):
        ends = [n for n, word in enumerate(words[start:end]) if word in ("|", "&&", ";", ">", "&")]
        yield words[start : start + ends[0]] if ends else words[start:end]
