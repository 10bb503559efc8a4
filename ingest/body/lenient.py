"""Reads markup that is not well formed: never fails, and never drops a word of text."""

import re
from collections.abc import Iterator

from lxml import etree

from ingest.body.names import FORBIDDEN, NAMESPACES, Element, unescaped

_DEEPEST = 200
# A value never holds "<" here, so that an unclosed quote costs a look at one tag, not at the rest.
# A name is matched whole or not at all (`*+`), so that not every part of a long one is looked at.
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*+)((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*|[^<>]*)>", re.ASCII)
_ATTRIBUTE = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]*+(?::[A-Za-z_][\w.-]*+)?)\s*+=\s*+"
    r"(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)",
    re.ASCII,
)
_DECLARATION = re.compile(r"<[!?][^<>]*>")
_VOID = frozenset(("br", "hr", "img", "col", "input", "wbr"))
_BLOCKS = frozenset(
    (
        *(
            "p",
            "div",
            "ul",
            "ol",
            "li",
            "table",
            "tbody",
            "thead",
            "tr",
            "td",
            "th",
            "dl",
            "dt",
            "dd",
        ),
        *("h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "dl", "dt", "dd"),
    )
)
# These hold no blocks: where one begins, their end was forgotten.
_LEAVES = frozenset(
    (
        *("ac:parameter", "ac:default-parameter", "ac:placeholder", "ac:task-id", "ac:task-uuid"),
        *("ac:task-status", "script", "style"),
    )
)
_INLINE = frozenset(("ac:link", "ac:link-body", "ac:plain-text-link-body", "ac:emoticon"))
_IMPLIED_END = {
    "li": (frozenset(("li",)), frozenset(("ul", "ol"))),
    "td": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "th": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "tr": (frozenset(("tr",)), frozenset(("table",))),
}


def parse_leniently(text: str) -> Element:
    """A tree under an artificial root that holds all text of a body, whatever its markup."""
    builder = _Builder()
    for is_markup, piece in _tokens(text):
        if is_markup:
            builder.tag(piece)
        else:
            builder.text(piece)
    return builder.root


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """Pairs of (is a tag, its source or the text itself) in order."""
    position = 0
    for start, end, content in _opaque(text):
        yield from _markup_tokens(text[position:start])
        yield False, content
        position = end
    yield from _markup_tokens(text[position:])


def _opaque(text: str) -> Iterator[tuple[int, int, str]]:
    """CDATA sections and comments as (start, end, text that they stand for)."""
    position = 0
    while (start := text.find("<!", position)) >= 0:
        position = start + 2
        for opening, closing, keeps in (("<![CDATA[", "]]>", True), ("<!--", "-->", False)):
            if not text.startswith(opening, start):
                continue
            end = text.find(closing, start + len(opening))
            content = text[start + len(opening) : end if end >= 0 else None]
            position = end + len(closing) if end >= 0 else len(text)
            # An unclosed comment hides the rest of the page from a browser, not from a reader.
            if keeps or end < 0:
                yield start, position, content if keeps else _without_tags(content)
            else:
                yield start, position, ""


def _without_tags(text: str) -> str:
    return unescaped(_TAG.sub(" ", text))


def _markup_tokens(text: str) -> Iterator[tuple[bool, str]]:
    text = _DECLARATION.sub("", text)
    position = 0
    for match in _TAG.finditer(text):
        yield False, unescaped(text[position : match.start()])
        yield True, match.group()
        position = match.end()
    yield False, unescaped(text[position:])


class _Builder:
    """Builds a tree from tags that may be missing, crossed or left open."""

    def __init__(self) -> None:
        self.root = etree.Element("body")
        self._open: list[tuple[str, Element]] = [("body", self.root)]
        self._too_deep = 0

    def text(self, text: str) -> None:
        text = FORBIDDEN.sub("", text)
        if not text:
            return
        parent = self._open[-1][1]
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text

    def tag(self, source: str) -> None:
        match = _TAG.fullmatch(source)
        if match is None:
            return
        closing, name, attributes = match.groups()
        name = name.lower().rstrip(":.-")
        if closing:
            self._end(name)
        else:
            self._start(name, attributes)

    def _start(self, name: str, attributes: str) -> None:
        self._end_implied(name)
        is_empty = name in _VOID or name.startswith("ri:") or attributes.rstrip().endswith("/")
        if len(self._open) >= _DEEPEST:
            self._too_deep += not is_empty
            return
        element = etree.SubElement(self._open[-1][1], _qualified(name), _attributes(attributes))
        if not is_empty:
            self._open.append((name, element))

    def _end_implied(self, name: str) -> None:
        if name in _BLOCKS or (name.startswith("ac:") and name not in _INLINE):
            while len(self._open) > 1 and self._open[-1][0] in _LEAVES:
                self._open.pop()
        if name in _BLOCKS and self._open[-1][0] == "p":
            self._open.pop()
        ended, limits = _IMPLIED_END.get(name, (frozenset[str](), frozenset[str]()))
        for index in range(len(self._open) - 1, 0, -1):
            other = self._open[index][0]
            if other in ended:
                del self._open[index:]
                return
            if not ended or other in limits or ":" in other:
                return

    def _end(self, name: str) -> None:
        if self._too_deep:
            self._too_deep -= 1
            return
        for index in range(len(self._open) - 1, 0, -1):
            other = self._open[index][0]
            if other == name:
                del self._open[index:]
                return
            # A stray </p> inside a macro or a cell closes nothing outside of it.
            if ":" not in name and (":" in other or other in ("td", "th", "li")):
                if name in ("table", "ul", "ol", "tr", "tbody", "thead") and ":" not in other:
                    continue
                return


def _qualified(name: str) -> str:
    prefix, separator, local = name.partition(":")
    if not separator:
        return name
    local = local.replace(":", "-").lstrip("0123456789.-") or "x"
    return f"{{{NAMESPACES.get(prefix, f'urn:{prefix}')}}}{local}"


def _attributes(source: str) -> dict[str, str]:
    return {
        _qualified(name.lower()): FORBIDDEN.sub("", unescaped(value.strip("\"'")))
        for name, value in _ATTRIBUTE.findall(source)
        if not name.lower().startswith("xml")
    }
