"""What of a chat model's reply is proven by quotes that stand in the passages they name. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ValidationError

from index.language import language_of
from index.results import Hit, Passage
from server.claims import Source, kept_claims, longer_words, plain_line
from server.figures import known_figures
from server.links import unlinked, unlinked_quote
from server.passages import Found

SHORTEST_QUOTE = 8  # bytes; less proves nothing


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
    """An answer with `[n]` markers, empty unless answered; `nearest` are pages to look at.

    What it cost is in tokens (0 where the endpoint does not say) and in seconds.
    """

    status: Status
    text: str
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    seconds_searching: float = 0.0
    seconds_answering: float = 0.0


class _Quote(BaseModel):
    n: int
    quote: str


class _Reply(BaseModel):
    found: bool = True
    answer: str | None = None
    citations: list[_Quote] | None = None


LONGEST_REPLY = 50_000  # characters
OUT_OF_FORM = "The chat model's reply was not in the agreed form."
UNPROVEN = "The chat model's answer had no provable citation and was dropped."
LEFT_OUT = "Left out, for the pages do not prove them: statements of the chat model ({})."


class OutOfForm(Exception):
    """A reply that is not what was agreed."""


def proven_answer(reply: str, found: Found, question: str = "") -> Answer:
    """What of the model's answer the passages bear out; raises OutOfForm."""
    parsed = _parse(reply) if len(reply) <= LONGEST_REPLY else None
    if parsed is None:
        raise OutOfForm
    if not parsed.found:
        return Answer(Status.NOT_FOUND, "", ())
    quotes = _proven_quotes(parsed.citations or [], found)
    sources = {number: _source(found[number - 1]) for number in quotes}
    said = unlinked(parsed.answer or "", "\n".join(passage.body for _, passage in found))
    kept = kept_claims(said, question, sources)
    if not kept.order:
        return Answer(Status.NOT_FOUND, "", (), notes=(UNPROVEN,))
    citations = tuple(
        Citation(n, *found[number - 1], quotes[number])
        for n, number in enumerate(kept.order, start=1)
    )
    notes = (LEFT_OUT.format(kept.dropped),) if kept.dropped else ()
    return Answer(Status.ANSWERED, kept.text, citations, notes=notes)


def _source(item: tuple[Hit, Passage]) -> Source:
    """A passage as claims are compared with it: its page's title and date count, too."""
    hit, passage = item
    updated = hit.page.updated_at.date().isoformat()
    text = "\n".join((hit.page.title, *passage.heading_path, updated, passage.body))
    return Source(
        lines=frozenset(plain_line(line) for line in passage.body.split("\n")),
        figures=known_figures(text),
        stems=longer_words(text),
        language=language_of(passage.body),
    )


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
    """By number of the passage, the first of its quotes that stands in it, without links."""
    proven: dict[int, str] = {}
    for item in quotes:
        if 0 < item.n <= len(found) and is_quote_of(item.quote, found[item.n - 1]):
            shown = unlinked_quote(item.quote).strip()
            if _size(_GAP.sub(" ", _plain(shown)).strip()) >= SHORTEST_QUOTE:
                proven.setdefault(item.n, shown)
    return proven


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
        if match is None or _size(part) < SHORTEST_QUOTE:
            return False
        position = match.end()
    return bool(parts)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


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
