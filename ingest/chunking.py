"""Blocks of a page to chunks along headings. Pure."""

from collections.abc import Callable, Sequence

from index.records import Chunk, passage_text
from ingest.body.blocks import Block
from ingest.body.pieces import Counter, pieces_of
from ingest.body.sections import Section, joined, sections_of

# The share of the limit that a body may always use, however long its title and headings are.
_LEAST_SHARE = 8
# Sections below this share of the limit are too small to be found alone.
_TINY_SHARE = 8


def split(
    title: str,
    blocks: Sequence[Block],
    *,
    limit: int,
    count_tokens: Callable[[str], int],
) -> tuple[Chunk, ...]:
    """Chunks of at most `limit` tokens, title and heading path included.

    A heading starts a chunk and stands in its heading path, not in its body. Neighbouring
    sections of a few words share a chunk under the path that they have in common, and then keep
    their heading lines in the body. Code is cut between lines, a table between rows (its header
    repeated), a list between items, text between sentences. A page without text gives one chunk
    with an empty body, so that its title can be found.

    A title and headings that leave less than an eighth of the limit are not counted in full: the
    body may then use that eighth.
    """
    counter = Counter(count_tokens)
    sections = sections_of(blocks)
    sizes = [sum(counter.of(block.markdown) for block in section.blocks) for section in sections]
    passages = [
        (section, body)
        for section in joined(sections, sizes, limit // _TINY_SHARE)
        for body in _bodies(title, section, limit, counter)
    ]
    return tuple(
        Chunk(position, section.path, section.anchor, body)
        for position, (section, body) in enumerate(passages)
    ) or (Chunk(0, (), "", ""),)


def _bodies(title: str, section: Section, limit: int, counter: Counter) -> list[str]:
    room = limit - counter.count(passage_text(title, section.path, ""))
    least = max(1, limit // _LEAST_SHARE)
    if room < least:
        return pieces_of(section.blocks, least, counter) or [""]
    while True:
        bodies = pieces_of(section.blocks, room, counter) or [""]
        passages = (passage_text(title, section.path, body) for body in bodies)
        longest = max(map(counter.count, passages))
        # A tokenizer may count the whole higher than the sum of its parts.
        if longest <= limit or room == 1:
            return bodies
        room = max(1, min(room - 1 - room // 10, room - 2 * (longest - limit)))
