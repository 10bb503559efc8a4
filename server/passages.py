"""The passages that an answer is made of: neighbouring chunks joined, within a budget. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from index.results import Hit, Passage
from index.surroundings import Near
from server.texts import estimated_tokens

JOINED = 450  # tokens that a passage may have with its neighbours
OVERHEAD = 40  # tokens of a passage's own line and tags
AGAIN = 0.6  # what each further passage of a page is worth

Found = Sequence[tuple[Hit, Passage]]


def by_turns(rankings: Sequence[Sequence[Hit]], limit: int) -> tuple[Hit, ...]:
    """The best of every ranking, then their second ones, each page once with all its passages."""
    chosen: dict[tuple[str, str], Hit] = {}
    for hits in zip_longest(*rankings):
        for hit in hits:
            if hit is not None:
                key = hit.page.space_key, hit.page.page_id
                chosen[key] = _merged(chosen[key], hit) if key in chosen else hit
    return tuple(chosen.values())[:limit]


def _merged(first: Hit, second: Hit) -> Hit:
    known = {passage.chunk_id for passage in first.passages}
    new = tuple(one for one in second.passages if one.chunk_id not in known)
    return replace(first, passages=first.passages + new)


def within_budget(
    rankings: Sequence[Sequence[Hit]],
    around: Mapping[int, Sequence[Near]],
    budget: int,
    pages: int,
) -> list[tuple[Hit, Passage]]:
    """The passages that tell most for their length, as many as the budget of tokens has room for.

    `rankings` are those of the searches that a question was made of. First each of them has its
    best passage, then each page its own, by turns; what room is left goes to the best score for a
    token, of which a page that has had its say gets ever less. One passage there is always.
    """
    hits = by_turns(rankings, pages)
    firsts = [hits_of_one[0] for hits_of_one in rankings if hits_of_one]
    chosen: list[tuple[Hit, Passage]] = []
    told: set[int] = set()
    for hit, passage in _in_turn(firsts, hits):
        if passage.chunk_id in told:
            continue
        joined, chunk_ids = _joined(passage, around.get(passage.chunk_id, ()), told)
        tokens = estimated_tokens(joined.body) + OVERHEAD
        if tokens <= budget or not chosen:
            chosen.append((hit, joined))
            told |= chunk_ids
            budget -= tokens
    return chosen


def _in_turn(firsts: Sequence[Hit], hits: Sequence[Hit]) -> Iterator[tuple[Hit, Passage]]:
    """The best of each search, the best of each page, then all by their value."""
    for hit in (*firsts, *hits):
        yield hit, hit.passages[0]
    heard = Counter(hit.page.page_id for hit in hits)
    rest = [(hit, passage) for hit in hits for passage in hit.passages[1:]]

    def value(one: tuple[Hit, Passage]) -> float:
        hit, passage = one
        tokens = estimated_tokens(passage.body) + OVERHEAD
        return passage.score * AGAIN ** heard[hit.page.page_id] / tokens

    while rest:
        best = max(rest, key=value)
        rest.remove(best)
        heard[best[0].page.page_id] += 1
        yield best


def _joined(
    passage: Passage, around: Sequence[Near], told: Collection[int]
) -> tuple[Passage, set[int]]:
    """The passage with those neighbours of its heading or the next one that have room with it.

    And the chunks that it is made of, none of which was told before.
    """
    near = {one.distance: one for one in around if one.chunk_id not in told}
    taken = {0: Near(passage.chunk_id, 0, passage.heading_path, passage.body)}
    room = JOINED - estimated_tokens(passage.body)
    for distance in (1, -1, 2, -2):
        beside = distance - 1 if distance > 0 else distance + 1
        one = near.get(distance)
        if one is None or beside not in taken or not _belongs(one, passage.heading_path):
            continue
        if (tokens := estimated_tokens(one.body)) <= room:
            taken[distance] = one
            room -= tokens
    parts = [taken[distance] for distance in sorted(taken)]
    body = _text(parts, passage.heading_path)
    return replace(passage, body=body), {part.chunk_id for part in parts}


def _belongs(one: Near, heading_path: tuple[str, ...]) -> bool:
    """Under the same heading; or next to it, under one right above, below or beside that."""
    if one.heading_path == heading_path:
        return True
    if abs(one.distance) > 1 or abs(len(one.heading_path) - len(heading_path)) > 1:
        return False
    shared = min(len(one.heading_path), len(heading_path)) - 1
    return one.heading_path[:shared] == heading_path[:shared] if shared > 0 else True


def _text(parts: Sequence[Near], heading_path: tuple[str, ...]) -> str:
    """The parts one below the other, those under other headings with the last of these."""
    lines: list[str] = []
    for part in parts:
        if part.heading_path != heading_path:
            lines += [f"**{heading}**" for heading in part.heading_path[-1:]]
            heading_path = part.heading_path
        lines.append(part.body)
    return "\n\n".join(line for line in lines if line)
