"""Chunks cut in other ways than the product cuts them, to see what each way is worth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from index.records import Chunk
from ingest.body.blocks import Block
from ingest.chunking import split
from ingest.convert_page import CHUNK_TOKENS

# Stands for a table that is not to be cut; no page holds this character of private use.
_MARK = "\ue000"
# A table that is longer than this share of a chunk is taken to be as long, so that it fits into
# one.
_TABLE_SHARE = 0.75

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Cutting:
    """A way to cut: by default the product's own.

    `overlap` is the share of a chunk that repeats the end of the one before it under the same
    headings. Without `has_prefix`, neither title nor headings are part of a passage.
    """

    tokens: int = CHUNK_TOKENS
    overlap: float = 0.0
    has_prefix: bool = True
    has_whole_tables: bool = False

    def title_of(self, title: str) -> str:
        """What stands before each passage of a page."""
        return title if self.has_prefix else ""

    def chunks(self, title: str, blocks: Sequence[Block], count: Count) -> list[Chunk]:
        """The chunks of a page."""
        room = int(self.tokens * (1 - self.overlap))
        tables: dict[str, str] = {}
        if self.has_whole_tables:
            blocks, tables = _without_tables(blocks)
        counted = _counting(count, tables, int(room * _TABLE_SHARE))
        cut = split(self.title_of(title), blocks, limit=room, count_tokens=counted)
        chunks = [replace(chunk, body=_with_tables(chunk.body, tables)) for chunk in cut]
        if self.overlap:
            chunks = _overlapping(chunks, int(self.tokens * self.overlap), count)
        if self.has_prefix:
            return chunks
        return [replace(chunk, heading_path=()) for chunk in chunks]


def _without_tables(blocks: Sequence[Block]) -> tuple[list[Block], dict[str, str]]:
    kept: list[Block] = []
    tables: dict[str, str] = {}
    for number, block in enumerate(blocks):
        if block.kind == "table":
            mark = f"{_MARK}{number}{_MARK}"
            tables[mark] = block.markdown
            kept.append(Block("text", mark))
        else:
            kept.append(block)
    return kept, tables


def _with_tables(text: str, tables: Mapping[str, str]) -> str:
    for mark, table in tables.items():
        text = text.replace(mark, table)
    return text


def _counting(count: Count, tables: Mapping[str, str], most: int) -> Count:
    """Counts each table that was taken out as itself, but never as more than `most` tokens."""

    def counted(text: str) -> int:
        inside = [mark for mark in tables if mark in text]
        return count(_without(text, inside)) + sum(min(most, count(tables[m])) for m in inside)

    return counted if tables else count


def _without(text: str, marks: Sequence[str]) -> str:
    for mark in marks:
        text = text.replace(mark, "")
    return text


def _overlapping(chunks: Sequence[Chunk], tokens: int, count: Count) -> list[Chunk]:
    """Chunks that begin with the last words of the chunk before them."""
    result = list(chunks[:1])
    for before, chunk in pairwise(chunks):
        is_one_section = before.heading_path == chunk.heading_path
        tail = f"{_last_words(before.body, tokens, count)}\n\n" if is_one_section else ""
        result.append(replace(chunk, body=tail + chunk.body))
    return result


def _last_words(text: str, tokens: int, count: Count) -> str:
    words = text.split(" ")
    frame, used, start = count(""), 0, len(words)
    while start and used + (more := count(words[start - 1]) - frame) <= tokens:
        used += more
        start -= 1
    return " ".join(words[start:])
