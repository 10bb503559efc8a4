"""What reading a file gives piece by piece: blocks of text, and what could not be read."""

from collections.abc import Iterator
from dataclasses import dataclass

from index.errors import SourceError
from ingest.body.blocks import Block
from ingest.body.text import one_line, plain, prose


@dataclass(frozen=True, slots=True)
class Lost:
    """A part of a file that could not be read, as a reason to show to people."""

    reason: str


Piece = Block | Lost
Pieces = Iterator[Piece]


class UnreadableFile(SourceError):
    """A file, or the rest of it, cannot be read; the message is the reason to show."""


def heading(level: int, title: str) -> Block:
    """A heading from a line of plain text."""
    line = one_line(prose(title))
    return Block("heading", f"{'#' * level} {line}", level, plain(line))
