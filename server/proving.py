"""What of a chat model's reply is proven: quotes that stand in the passages they name. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ValidationError

from index.results import Hit, Passage

SHORTEST_QUOTE = 8  # bytes; less proves nothing

Found = Sequence[tuple[Hit, Passage]]


class Status(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    NOT_FOUND = "not_found"
    PASSAGES_ONLY = "passages_only"


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage with the words of it that prove a statement; `n` is its number in the answer."""

    n: int
    hit: Hit
    passage: Passage
    quote: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with `[n]` markers, empty unless answered; `nearest` are pages to look at."""

    status: Status
    text: str
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0


class _Quote(BaseModel):
    n: int
    quote: str


class _Reply(BaseModel):
    found: bool = True
    answer: str | None = None
    citations: list[_Quote] | None = None


LONGEST_REPLY = 50_000  # characters


def proven_answer(reply: str, found: Found) -> Answer:
    """The model's answer with only those markers whose quote stands in the passage they name."""
    parsed = _parse(reply) if len(reply) <= LONGEST_REPLY else None
    if parsed is None:
        note = "The chat model's reply was not in the agreed form."
        return Answer(Status.NOT_FOUND, "", (), notes=(note,))
    if not parsed.found:
        return Answer(Status.NOT_FOUND, "", ())
    quotes = _proven_quotes(parsed.citations or [], found)
    text, order, dropped = _renumber(_without_links(parsed.answer or "", found), quotes)
    if not order:
        note = "The chat model's answer had no provable citation and was dropped."
        return Answer(Status.NOT_FOUND, "", (), notes=(note,))
    citations = tuple(
        Citation(n, *found[number - 1], quotes[number]) for n, number in enumerate(order, start=1)
    )
    note = "Statements without a marker could not be proven: check them on the pages."
    return Answer(Status.ANSWERED, text, citations, notes=(note,) if dropped else ())


def _parse(reply: str) -> _Reply | None:
    """The agreed JSON object in a reply, also when it is wrapped in prose or a code fence."""
    for candidate in _objects(reply):
        if "answer" in candidate or "found" in candidate:
            try:
                return _Reply.model_validate(candidate)
            except ValidationError:
                continue
    return None


def _objects(reply: str) -> Iterator[dict[str, object]]:
    decoder = json.JSONDecoder(strict=False)
    at = reply.find("{")
    while at >= 0:
        try:
            candidate, end = decoder.raw_decode(reply, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield candidate
        at = reply.find("{", end)


def _proven_quotes(quotes: Sequence[_Quote], found: Found) -> dict[int, str]:
    """By number of the passage, the first of its quotes that stands in it."""
    proven: dict[int, str] = {}
    for item in quotes:
        if 0 < item.n <= len(found) and is_quote_of(item.quote, found[item.n - 1]):
            proven.setdefault(item.n, item.quote.strip())
    return proven


# `[text](address)`, tags with attributes, and whatever a client might fetch or make clickable.
# Bounded, so that no reply takes long.
_LINK = re.compile(r"!?\[(?P<text>[^\[\]]*)\]\([^)]{0,2000}\)")
_TAG = re.compile(r"<[a-z][\w-]*\s[^<>]*=[^<>]*>", re.IGNORECASE)
_ADDRESS = re.compile(
    r"<?(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+:)?//[^\s<>()\[\]`\"'|]+>?", re.IGNORECASE
)


def _without_links(answer: str, found: Found) -> str:
    """The answer without links and images; an address stays if the passages write it so."""
    known = "\n".join(passage.body for _, passage in found)

    def address(match: re.Match[str]) -> str:
        return match[0] if match[0].strip("<>.,:;!?*_") in known else ""

    def link(match: re.Match[str]) -> str:
        return f"[{match['text']}]" if _NUMBERS.fullmatch(match["text"]) else match["text"]

    return _ADDRESS.sub(address, _TAG.sub("", _LINK.sub(link, answer)))


_NUMBERS = re.compile(r"\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*")
_MARKER = re.compile(rf"\s?(?:\[|【)({_NUMBERS.pattern})(?:\]|】)")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def _renumber(answer: str, quotes: dict[int, str]) -> tuple[str, list[int], bool]:
    """Markers of proven passages numbered by first use; whether others were taken out."""
    order: list[int] = []
    dropped = False

    def marker(match: re.Match[str]) -> str:
        nonlocal dropped
        numbers = _numbers(match[1])
        kept = [number for number in numbers if number in quotes]
        dropped = dropped or not kept
        order.extend(number for number in dict.fromkeys(kept) if number not in order)
        return "".join(f" [{order.index(number) + 1}]" for number in kept)

    # Brackets in code are indexes.
    parts = [
        part if part.startswith("`") else _MARKER.sub(marker, part) for part in _CODE.split(answer)
    ]
    return "".join(parts).strip(), order, dropped


def _numbers(text: str) -> list[int]:
    """The numbers of a marker such as `1, 3` or `2-4`."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", text):
        first, *rest = (int(number) for number in re.findall(r"\d+", part))
        numbers.extend(range(first, min(max([first, *rest]), first + 20) + 1))
    return numbers


_GAP = re.compile(r"\[?(?:…|\.{3})\]?")


def is_quote_of(quote: str, source: tuple[Hit, Passage]) -> bool:
    """Whether the words of a quote stand in the passage or its headings.

    What `…` leaves out may lie between its parts, each of which must prove something by itself.
    """
    hit, passage = source
    text = _plain("\n".join((hit.page.title, *passage.heading_path, passage.body)))
    return _stand_in([quote], text) or _stand_in(_GAP.split(quote), text)


def _stand_in(quotes: Sequence[str], text: str) -> bool:
    """Whether the quotes stand in the text one after the other."""
    parts = [part for part in map(_plain, quotes) if part]
    position = 0
    for part in parts:
        match = _whole_words(part).search(text, position)
        if match is None or len(part.encode("utf-8", "replace")) < SHORTEST_QUOTE:
            return False
        position = match.end()
    return bool(parts)


def _whole_words(part: str) -> re.Pattern[str]:
    """Finds a quote that begins and ends where words do: `0 days` is no quote of `30 days`."""
    before = r"(?<![^\W\u3000-\U0003ffff])(?<!\d[.,])" if _is_spaced(part[0]) else ""
    after = r"(?![^\W\u3000-\U0003ffff])(?![.,]\d)" if _is_spaced(part[-1]) else ""
    return re.compile(before + re.escape(part) + after)


def _is_spaced(character: str) -> bool:
    return character.isalnum() and character < "\u3000"


_TARGET = re.compile(r"\]\([^)\s]*\)")
_SIGNS = re.compile(r"[\s*_`~|>#\\\"'“”„‘’«»\-‐-―[\]()]+")


def _plain(text: str) -> str:
    """Letters, digits and other signs without what Markdown and typography add; case folded."""
    text = unicodedata.normalize("NFKC", _TARGET.sub("]", text))
    return _SIGNS.sub(" ", text).casefold().strip()
