"""Blocks of a page to chunks along headings. Pure."""

from collections.abc import Callable, Sequence

from index.records import Chunk
from ingest.storage_format import Block


def split(
    title: str,
    blocks: Sequence[Block],
    *,
    limit: int,
    count_tokens: Callable[[str], int],
) -> tuple[Chunk, ...]:
    """Chunks of at most `limit` tokens, title and heading path included."""
    raise NotImplementedError
