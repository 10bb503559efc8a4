"""The objects of an export's entities.xml, one at a time, however large the file."""

import codecs
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO

from lxml import etree

from index.errors import SourceError

BLOCK_BYTES = 1 << 18
OBJECT_CHARACTERS = 1 << 25

_Element = etree._Element  # pyright: ignore[reportPrivateUsage]  # lxml has no public name for it

_PROLOG = re.compile(
    r"\ufeff?\s*(?:<\?xml\s[^>]*\?>)?\s*(?:<!--(?:(?!-->).)*-->\s*)*<hibernate-generic[\s>]",
    re.DOTALL,
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));", re.IGNORECASE)
_LONGEST_REFERENCE = 12


@dataclass(frozen=True, slots=True)
class Entity:
    """One exported object.

    A property that refers to another object holds that object's id here, and `classes` names the
    class that it refers to; a collection holds the ids of several. What has no value is left out,
    but for a reference without an id or with anything else in it, which `classes` alone has.
    """

    class_name: str
    entity_id: str
    properties: dict[str, str]
    classes: dict[str, str]
    collections: dict[str, list[str]]


def entities(stream: IO[bytes], class_names: Collection[str]) -> Iterator[Entity]:
    """The objects of these classes, in the order of the file.

    Raises SourceError when the file is no export, is broken or ends before its end.
    """
    # Without a DTD no entity can be declared, and `_readable` lets no DTD pass.
    parser = etree.XMLPullParser(
        events=("end",),
        tag="object",
        huge_tree=True,
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    pending = 0
    try:
        for text in _readable(stream):
            parser.feed(text.encode())
            pending += len(text)
            for _, element in parser.read_events():
                if not isinstance(element, _Element):
                    continue
                pending = 0
                if element.get("class") in class_names:
                    yield _entity(element)
                _forget(element)
            _refuse_endless_object(pending)
        parser.close()
    except etree.XMLSyntaxError as error:
        # Not chained: the parser quotes the text of pages.
        raise SourceError(
            f"entities.xml is broken or cut short near line {error.lineno}. Download or unpack "
            "the export again; if it stays broken, make a new export."
        ) from None


def _refuse_endless_object(characters: int) -> None:
    if characters > OBJECT_CHARACTERS:
        raise SourceError(
            f"entities.xml holds an object of more than {OBJECT_CHARACTERS} characters, "
            "which no page has. Make a new export."
        )


def _readable(stream: IO[bytes]) -> Iterator[str]:
    """The file in blocks, without the characters that exports contain and XML forbids."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = _checked_start(decoder.decode(stream.read(BLOCK_BYTES)))
    while block := stream.read(BLOCK_BYTES):
        text = rest + decoder.decode(block)
        cut = _end_without_open_reference(text)
        rest = text[cut:]
        yield _clean(text[:cut])
    yield _clean(rest + decoder.decode(b"", final=True))


def _checked_start(text: str) -> str:
    if not _PROLOG.match(text):
        raise SourceError(
            "entities.xml does not begin like the one of a Confluence XML export. Make the "
            "export in Confluence under Space settings, Export space, XML."
        )
    return text.removeprefix("\ufeff")


def _end_without_open_reference(text: str) -> int:
    start = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
    return len(text) if start < 0 or ";" in text[start:] else start


def _clean(text: str) -> str:
    return _REFERENCE.sub(_unless_forbidden, _FORBIDDEN.sub("", text))


def _unless_forbidden(reference: re.Match[str]) -> str:
    hexadecimal, decimal = reference.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    is_allowed = number <= sys.maxunicode and not _FORBIDDEN.match(chr(number))
    return reference.group() if is_allowed else ""


def _entity(element: _Element) -> Entity:
    properties: dict[str, str] = {}
    classes: dict[str, str] = {}
    for item in element.iterchildren("property"):
        name = item.get("name", "")
        reference = item.find("id")
        value = (item.text or "") if reference is None else (reference.text or "").strip()
        if value:
            properties[name] = value
        if value or len(item) or item.get("class"):
            classes[name] = item.get("class", "")
    return Entity(
        class_name=element.get("class", ""),
        entity_id=(element.findtext("id") or "").strip(),
        properties=properties,
        classes=classes,
        collections={
            item.get("name", ""): [
                (member.findtext("id") or "").strip() for member in item.iterchildren("element")
            ]
            for item in element.iterchildren("collection")
        },
    )


def _forget(element: _Element) -> None:
    """Frees an object that has been read, and all before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
