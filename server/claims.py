"""Which statements of an answer stay: those that the passages they name bear out. Pure.

A sentence (an item of a list, a row of a table) stays when each of its markers names a passage of
which a quote was proven, when every number, date and identifier in it stands in those passages, and
when of what it says beyond the question at least a quarter of the longer words stands there, too
(which is asked of sentences of some length, in the language of the passages). From its first
unproven marker on, a sentence is cut; one that has no other is dropped.

A sentence without a marker is given the marker of a passage near it that has all of its figures and
most of its longer words, else it is dropped. A heading, or a line that ends in a colon, claims
nothing by itself: it stays with what it introduces, if it is of the words of question or passages.
Code stays where it stands in a passage line by line.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from index.language import likely_languages
from server.answer_lines import (
    FENCE,
    GROUP,
    Item,
    Kind,
    as_group,
    items_of,
    marked,
    numbers_in,
    sentences_of,
)
from server.figures import has_figures
from server.texts import stems

BEYOND = 4  # longer words beyond the question from which on some of them must be in the passages
BORNE_OUT, ADOPTED, INTRODUCED = 0.25, 0.75, 0.5  # shares of longer words
ADOPTED_FROM = 3  # longer words without which a sentence is too short to be given a marker
LOWEST = 7  # below the levels of headings
LONG = 4  # letters of a longer word

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_END = re.compile(r"[.!?…。！？:]*[\"'”’»)*_|\s]*$")


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that a quote proves, in the forms that claims are compared with."""

    lines: frozenset[str]
    figures: frozenset[str]
    stems: frozenset[str]
    language: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of an answer; `order` are the numbers that its markers 1, 2, ... stand for."""

    text: str
    order: tuple[int, ...]
    dropped: int


def kept_claims(answer: str, question: str, sources: Mapping[int, Source]) -> Kept:
    """The statements that `sources`, by number, bear out; their markers numbered by first use."""
    judge = _Judge(question, sources)
    items = items_of(marked(answer))
    judged = [judge.judged(item, _near(items, at)) for at, item in enumerate(items)]
    for at in range(len(items) - 1, -1, -1):
        if items[at].kind is Kind.LEAD and not _introduces(items, judged, at):
            judged[at] = None
    text = "\n".join(
        item.before + line for item, line in zip(items, judged, strict=True) if line is not None
    )
    return _renumbered(re.sub(r"\n{3,}", "\n\n", text).strip(), judge.dropped)


def _near(items: Sequence[Item], at: int) -> list[int]:
    """The numbers of the markers around an item, the next one first, then those before it."""
    behind = [n for item in items[at:] for n in numbers_in(item.text)]
    before = [n for item in items[:at] for n in numbers_in(item.text)]
    return list(dict.fromkeys((*behind[:1], *before[::-1], *behind)))


def _introduces(items: Sequence[Item], judged: Sequence[str | None], at: int) -> bool:
    """Whether something stays of what comes up to the next line that introduces as much."""
    is_table = items[at].text.lstrip().startswith("|")
    for item, line in zip(items[at + 1 :], judged[at + 1 :], strict=True):
        if is_table and item.kind is not Kind.ROW:
            return False
        if item.kind is Kind.LEAD and _rank(item) <= _rank(items[at]):
            return False
        if item.kind is not Kind.SPACE and line is not None:
            return True
    return False


def _rank(item: Item) -> int:
    """The level of a heading; below all of these for other lines."""
    hashes = len(item.text) - len(item.text.lstrip("#"))
    return hashes or LOWEST


class _Judge:
    """Looks at one statement after another, and counts those that it drops."""

    def __init__(self, question: str, sources: Mapping[int, Source]) -> None:
        self._sources = sources
        self._asked = longer_words(question)
        self._known = self._asked.union(*(source.stems for source in sources.values()))
        self._figures = _figures(sources.values())
        self.dropped = 0

    def judged(self, item: Item, near: Sequence[int]) -> str | None:
        """What stays of an item; None for nothing."""
        match item.kind:
            case Kind.SPACE:
                return item.text
            case Kind.CODE:
                return self._code(item.text)
            case Kind.LEAD:
                return item.text if self._is_known(item.text) else None
            case Kind.ROW:
                return self._statement(item.text, near)
            case Kind.TEXT:
                said = [self._statement(one, near) for one in sentences_of(item.text)]
                return "".join(one for one in said if one is not None).rstrip() or None

    def _statement(self, text: str, near: Sequence[int]) -> str | None:
        if not text.strip():
            return None
        kept = self._proven(text) if GROUP.search(text) else self._adopted(text, near)
        self.dropped += kept is None
        return kept

    def _proven(self, text: str) -> str | None:
        """A statement up to its first unproven marker, if its passages bear it out."""
        used: list[int] = []
        kept, position = "", 0
        for group in GROUP.finditer(text):
            proven = [number for number in numbers_in(group[0]) if number in self._sources]
            if not proven:
                kept += "" if _end_of(kept) else _end_of(text)
                break
            kept += text[position : group.start()] + as_group(proven)
            used += proven
            position = group.end()
        else:
            kept += text[position:]
        return kept if used and self._bears_out(kept, used) else None

    def _bears_out(self, text: str, numbers: Sequence[int]) -> bool:
        """Whether passages together have the figures of a statement, and enough of its words."""
        sources = [self._sources[number] for number in numbers]
        said = GROUP.sub(" ", text)
        if not has_figures(said, _figures(sources)):
            return False
        beyond = longer_words(said) - self._asked
        languages = likely_languages(said)
        if len(beyond) < BEYOND or not any(one.language in languages for one in sources):
            return True
        told = frozenset[str]().union(*(one.stems for one in sources))
        return len(beyond & told) >= BORNE_OUT * len(beyond)

    def _adopted(self, text: str, near: Sequence[int]) -> str | None:
        """A statement without a marker, with that of a passage that says the same."""
        said = longer_words(text)
        if len(said) < ADOPTED_FROM:
            return None
        for number in near:
            source = self._sources.get(number)
            if source is None or len(said & source.stems) < ADOPTED * len(said):
                continue
            if has_figures(text, source.figures):
                end = _end_of(text)
                return text.removesuffix(end) + as_group([number]) + end
        return None

    def _is_known(self, text: str) -> bool:
        """Whether a line of no marker is of words of the question or of the passages."""
        said = longer_words(text)
        is_told = len(said & self._known) >= INTRODUCED * len(said)
        return bool(said) and is_told and has_figures(text, self._figures)

    def _code(self, text: str) -> str | None:
        """A block of code that stands in a passage, its marker in a line of its own."""
        code = GROUP.sub("", text)
        lines = {plain_line(line) for line in code.split("\n") if FENCE not in line} - {""}
        for number, source in self._sources.items():
            if lines and lines <= source.lines:
                end = "" if code.rstrip().endswith(FENCE) and "\n" in code else f"\n{FENCE}"
                return f"{code.rstrip()}{end}\n{as_group([number])}"
        self.dropped += 1
        return None


def plain_line(line: str) -> str:
    """A line of code as it is compared: links have lost their scheme."""
    return " ".join(_SCHEME.sub("", line).split())


def longer_words(text: str) -> frozenset[str]:
    """The stems of a text but for the short ones."""
    return frozenset(stem for stem in stems(text) if len(stem) >= LONG or not stem.isascii())


def _figures(sources: Iterable[Source]) -> frozenset[str]:
    return frozenset[str]().union(*(source.figures for source in sources))


def _end_of(text: str) -> str:
    """The mark that ends a sentence, with what closes it."""
    match = _END.search(GROUP.sub("", text))
    return match[0] if match else ""


def _renumbered(text: str, dropped: int) -> Kept:
    order = tuple(dict.fromkeys(numbers_in(text)))

    def marker(match: re.Match[str]) -> str:
        return "".join(f" [{order.index(number) + 1}]" for number in numbers_in(match[0]))

    return Kept(GROUP.sub(marker, text).strip() if order else "", order, dropped)
