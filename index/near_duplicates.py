"""Copies among the pages of a result, told from their text: one hit, the current one. Pure.

Similar text alone does not make a copy. Pages made from one template share up to 96 % of their
words and differ in the name that they are about, which is in the title too; pages of one title
share less than 77 % unless they are copies, of which nine in ten share more than 80 %. So pages
are copies that have nearly the same words under the same title, or exactly the same text under any.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from index.records import State
from index.results import Hit, PageInfo

SAME_WORDS = 0.8  # of the words that two pages have together
SHORTEST = 200  # characters of Markdown; what is shorter is told apart by title and place

# Parts of a title are words with what joins them, so that a whole date is none of the bare years
# that go: minutes of two days are two pages, the rules of two years an old and a new one.
_PART = re.compile(r"\w+(?:[-./:]\w+)*")
_COPY_OF = re.compile(r"\b(?:copy of|kopie von|copie de|copia de)\b")
_OF_A_COPY = frozenset(
    {
        *("alt", "archiv", "archive", "archived", "archiviert", "backup", "copie", "copy"),
        *("deprecated", "draft", "entwurf", "kopie", "legacy", "neu", "new", "obsolete", "old"),
        *("outdated", "superseded", "veraltet"),
    }
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class PageText:
    """What the whole of a page says: a digest of its text, its length in characters, its terms."""

    digest: str
    length: int
    terms: frozenset[int]


def look_alikes(hits: Mapping[int, Hit]) -> list[int]:
    """The hits whose title or best passage another one has too; only they can be copies."""
    names = {page_ref: _names(hit) for page_ref, hit in hits.items()}
    seen = Counter(name for pair in names.values() for name in pair)
    return [page_ref for page_ref, pair in names.items() if any(seen[name] > 1 for name in pair)]


def collapsed(hits: Mapping[int, Hit], texts: Mapping[int, PageText], query: str) -> list[Hit]:
    """The hits, best first, with copies under the current one of them, at the best one's rank.

    Both by number of the page; `texts` are needed of those that look alike. Pages that differ in
    a word of the query stay apart: the asker tells them apart, too.
    """
    asked = _words(query)
    read = {ref: _Read.of(hits[ref], text, asked) for ref, text in texts.items() if ref in hits}
    groups: list[list[int]] = []
    for page_ref in hits:
        group = next((one for one in groups if _are_copies(read, one[0], page_ref)), None)
        if group is None:
            groups.append([page_ref])
        else:
            group.append(page_ref)
    return [_one_hit([hits[page_ref] for page_ref in group]) for group in groups]


@dataclass(frozen=True, slots=True)
class _Read:
    """What is compared of a page; `asked` are the words of the query that it shows."""

    key: str
    text: PageText
    asked: frozenset[str]

    @classmethod
    def of(cls, hit: Hit, text: PageText, asked: frozenset[str]) -> "_Read":
        title = hit.page.title
        return cls(title_key(title), text, asked & _words(title, hit.passages[0].body))


def title_key(title: str) -> str:
    """The title without what tells a copy from its original."""
    plain = _COPY_OF.sub(" ", _plain(title))
    parts = [part for part in _PART.findall(plain) if part not in _OF_A_COPY]
    return " ".join(part for part in parts if not _YEAR.fullmatch(part)) or _plain(title)


def _names(hit: Hit) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("title", title_key(hit.page.title)), ("body", hit.passages[0].body)


def _are_copies(read: Mapping[int, _Read], first: int, second: int) -> bool:
    one, other = read.get(first), read.get(second)
    if one is None or other is None or one.asked != other.asked:
        return False
    if min(one.text.length, other.text.length) < SHORTEST:
        return False
    if one.text.digest == other.text.digest:
        return True
    return one.key == other.key and _similarity(one.text.terms, other.text.terms) >= SAME_WORDS


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """The share of common words in all of both (Jaccard)."""
    common = len(one & other)
    return common / max(1, len(one) + len(other) - common)


def _one_hit(copies: list[Hit]) -> Hit:
    current, *others = sorted(copies, key=lambda hit: _standing(hit.page), reverse=True)
    return replace(current, score=copies[0].score, copies=tuple(hit.page for hit in others))


def _standing(page: PageInfo) -> tuple[bool, float]:
    return page.state is State.LIVE, page.updated_at.timestamp()


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in _WORD.findall(_plain(text)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
