"""The words of a passage that stand nearest to what an answer says of it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from chat_sources import MARKER, without_layout

SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n+")
WORD = re.compile(r"[^\W_]{3,}|\d+")
STEM_CHARACTERS = 6
LEAST_SHARED = 2
MOST_QUOTES = 3


def statements(answer: str, number: int) -> list[str]:
    """The sentences of an answer that give the source of this number."""
    found: list[str] = []
    for sentence in SENTENCE_END.split(_with_markers_before_stops(answer)):
        numbers = {int(n) for marker in MARKER.finditer(sentence) for n in marker[1].split(",")}
        if number in numbers:
            found.append(MARKER.sub("", sentence))
    return found


def nearest_words(stated: Iterable[str], passage: str) -> list[str]:
    """For each statement the line or sentence that shares most words with it, if any does."""
    sentences = [one.strip() for one in SENTENCE_END.split(without_layout(passage)) if one.strip()]
    stems = [_stems(sentence) for sentence in sentences]
    rarity = Counter(stem for each in stems for stem in each)
    nearest = (_nearest(_stems(statement), stems, rarity) for statement in stated)
    chosen = dict.fromkeys(place for place in nearest if place is not None)
    return [sentences[place] for place in sorted([*chosen][:MOST_QUOTES])]


def _nearest(said: set[str], stems: Sequence[set[str]], rarity: Counter[str]) -> int | None:
    def worth(place: int) -> float:
        shared = said & stems[place]
        if len(shared) < LEAST_SHARED:
            return 0.0
        return sum(1 / rarity[stem] for stem in shared) / math.sqrt(len(stems[place]))

    best = max(range(len(stems)), key=worth, default=None)
    return best if best is not None and worth(best) > 0 else None


def _stems(text: str) -> set[str]:
    return {word[:STEM_CHARACTERS] for word in WORD.findall(text.casefold())}


def _with_markers_before_stops(answer: str) -> str:
    """Markers that follow the stop of their sentence, moved into the sentence."""
    return re.sub(r"([.!?])((?:\s*\[\d{1,4}\])+)", r"\2\1", answer)
