"""Storage format, which is almost XML, to an element tree."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from index.records import Unreadable
from ingest.body.lenient import parse_leniently
from ingest.body.names import FORBIDDEN, NAMESPACES, Element, unescaped

_PROLOGUE = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!DOCTYPE[^>\[]*>\s*)?", re.IGNORECASE)
# Whatever begins with an ampersand and means nothing to XML.
_ENTITY = re.compile(
    r"&(?!(?:lt|gt|amp|quot|apos);)(?:#[0-9]+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)?"
)
_PREFIX = re.compile(r"[<\s]([A-Za-z][\w.-]*):[A-Za-z]", re.ASCII)
# Making one takes as long as reading a page; it may be used from several threads.
_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body as a tree under an artificial root, and whether something may have been lost."""

    root: Element
    unreadable: Unreadable | None


def parse(storage: str) -> Parsed:
    """A tree of any text at all; broken markup is read leniently and reported."""
    text = storage[_leading(storage) :]
    try:
        return Parsed(_parse_strictly(text), None)
    except UnicodeEncodeError:
        return parse(FORBIDDEN.sub("", text))
    except etree.XMLSyntaxError as error:
        if FORBIDDEN.search(text):
            return parse(FORBIDDEN.sub("", text))
        reason = f"not well-formed XML, read leniently: {error.msg}"
        return Parsed(parse_leniently(text), Unreadable("body", "storage format", reason))


def sections(text: str) -> Iterator[tuple[bool, str]]:
    """Cuts a body into (is inside CDATA, piece); the markers themselves are left out."""
    position = 0
    while (start := text.find("<![CDATA[", position)) >= 0:
        yield False, text[position:start]
        end = text.find("]]>", start + 9)
        yield True, text[start + 9 : end if end >= 0 else None]
        if end < 0:
            return
        position = end + 3
    yield False, text[position:]


def _leading(text: str) -> int:
    match = _PROLOGUE.match(text)
    return match.end() if match else 0


def _parse_strictly(text: str) -> Element:
    body = _without_html_entities(text)
    try:
        return _parse_xml(body, NAMESPACES)
    except etree.XMLSyntaxError:
        # Text pasted from office programs carries prefixes that nobody declares, such as o:p.
        undeclared = set(_PREFIX.findall(body)) - NAMESPACES.keys() - {"xml", "xmlns"}
        if not undeclared:
            raise
        return _parse_xml(body, NAMESPACES | {prefix: f"urn:{prefix}" for prefix in undeclared})


def _parse_xml(body: str, namespaces: dict[str, str]) -> Element:
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    return etree.fromstring(f"<body{declarations}>{body}</body>", _PARSER)


def _without_html_entities(text: str) -> str:
    if "&" not in text:
        return text
    pieces = (
        f"<![CDATA[{piece}]]>" if is_cdata else _ENTITY.sub(_xml_text, piece)
        for is_cdata, piece in sections(text)
    )
    return "".join(pieces)


def _xml_text(match: re.Match[str]) -> str:
    return _xml_of_entity(match.group())


@lru_cache(maxsize=512)
def _xml_of_entity(entity: str) -> str:
    meaning = unescaped(entity)
    if meaning == entity:
        return "&amp;" + entity[1:]
    # A replacement character is what html makes of a number that no character has.
    return html.escape(FORBIDDEN.sub("", meaning).replace("\ufffd", ""))
