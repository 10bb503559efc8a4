"""The sources of a conversation: one number for each passage, whichever tool found it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chat_results import Passage

MARKER = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\()")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
TABLE_RULE = re.compile(r"^[|: \t-]*-[|: \t-]*$", re.MULTILINE)
LAYOUT = re.compile(r"^[ \t]*(?:#+|>|[-*]|\|)[ \t]+|[ \t]*\|[ \t]*$|\*\*|`", re.MULTILINE)
CELL_BORDER = re.compile(r"[ \t]+\|[ \t]+")
ESCAPED_SIGN = re.compile(r"\\([\\`*_\[\]<>#|~])")
MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>#|~]|:(?=[A-Za-z]))")
# Code, in which nothing is escaped, or colons before a letter.
DIRECTIVE = re.compile(
    r"(?P<code>^(?P<fence>`{3,}|~{3,}).*?(?:^(?P=fence)|\Z)|(?P<tick>`+)(?!`).*?(?P=tick))"
    r"|(?<!\\):+(?=[A-Za-z])",
    re.MULTILINE | re.DOTALL,
)
SNIPPET_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class Source:
    """A numbered passage; the number stays the same for the whole conversation."""

    number: int
    passage: Passage

    @property
    def marker(self) -> str:
        """How an answer refers to it, such as `[3]`."""
        return f"[{self.number}]"

    @property
    def place(self) -> str:
        """Page title and what leads to the passage from there, as plain text."""
        return " › ".join(part for part in (self.passage.title, *self.passage.path) if part)


class Sources:
    """Numbers passages in the order in which a conversation meets them, from 1."""

    def __init__(self) -> None:
        self._by_passage: dict[tuple[str, str, str], Source] = {}
        self._by_number: dict[int, Source] = {}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_number.values())

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, passage: Passage) -> Source:
        """The source of a passage: a new number, or its old one if it was met before."""
        key = (passage.page_id, passage.url, passage.text)
        known = self._by_passage.get(key)
        if known is not None:
            return known
        source = Source(len(self._by_number) + 1, passage)
        self._by_passage[key] = self._by_number[source.number] = source
        return source

    def title_of(self, page_id: str) -> str | None:
        """Title of a page that a source has shown."""
        return next((s.passage.title for s in self if s.passage.page_id == page_id), None)

    def cited_in(self, text: str) -> list[Source]:
        """The sources that a text refers to, in the order of their first mention."""
        numbers = dict.fromkeys(
            int(number) for found in MARKER.finditer(text) for number in found[1].split(",")
        )
        return [self._by_number[number] for number in numbers if number in self._by_number]


def with_single_markers(text: str) -> str:
    """A text in which `[1, 2]` is written `[1][2]`, so that each number can be a link."""
    return MARKER.sub(lambda found: "".join(f"[{n.strip()}]" for n in found[1].split(",")), text)


def renumbered(text: str, numbers: dict[int, int]) -> str:
    """A text whose markers follow `numbers`; one without a source becomes `(n)`."""

    def marker(found: re.Match[str]) -> str:
        given = [int(n) for n in found[1].split(",")]
        return "".join(f"[{numbers[n]}]" if n in numbers else f"({n})" for n in given)

    return MARKER.sub(marker, text)


def without_images(markdown: str) -> str:
    """Markdown in which no image is loaded: an address can carry what a page wants to leak."""
    return markdown.replace("![", "!\\[")


def with_whole_colons(markdown: str) -> str:
    """Markdown that keeps the end of `KEY:Title`, which Chainlit would drop as a directive."""

    def escaped(found: re.Match[str]) -> str:
        return found[0] if found["code"] else "\\:" * len(found[0])

    return DIRECTIVE.sub(escaped, markdown)


def as_plain_text(markdown: str) -> str:
    """A text of other people's as one paragraph in which no sign has a meaning for Markdown."""
    return MARKDOWN_SIGNS.sub(r"\\\1", " ".join(markdown.split()))


def snippet(markdown: str) -> str:
    """The beginning of a passage, fit to stand in a list."""
    words = " ".join(without_layout(markdown).split())
    if len(words) > SNIPPET_CHARACTERS:
        words = words[:SNIPPET_CHARACTERS].rsplit(" ", 1)[0] + " …"
    return as_plain_text(words)


def without_layout(markdown: str) -> str:
    """The words of a Markdown text; what it fails to recognise stays, and is escaped later."""
    words = LAYOUT.sub("", TABLE_RULE.sub("", LINK.sub(r"\1", markdown)))
    return ESCAPED_SIGN.sub(r"\1", CELL_BORDER.sub(" · ", words))


def link_to(passage: Passage, text: str) -> str:
    """A Markdown link, or the bare text where the address is not one of the web."""
    if not passage.url.startswith(("https://", "http://")):
        return as_plain_text(text)
    address = passage.url.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    return f"[{as_plain_text(text)}](<{address}>)"


def to_source_list(sources: list[Source]) -> str:
    """One line under an answer that names its sources."""
    named = [f"{source.marker} {link_to(source.passage, source.place)}" for source in sources]
    return "Sources: " + " · ".join(named)
