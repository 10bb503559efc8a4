"""The parts of an office file: XML in a ZIP archive, read with bounds on what it unpacks to."""

import io
import posixpath
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from zipfile import BadZipFile, ZipFile

from lxml import etree

from ingest.attachments.pieces import Lost, UnreadableFile
from ingest.body.names import Element

_MIB = 1024 * 1024
# Streams need no memory, trees about ten times their size.
_MOST_UNPACKED = 1024 * _MIB
_LARGEST_TREE = 64 * _MIB
# What reading a part raises when the archive or its XML is not as it should be.
DAMAGES = (UnreadableFile, SyntaxError, BadZipFile, OSError, EOFError, zlib.error, ValueError)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: `kind` is the last word of its type, `target` a part or an address."""

    kind: str
    target: str
    is_external: bool


class Package:
    """An office file. Raises UnreadableFile for what is none, or is locked."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLD_OFFICE):
            raise UnreadableFile("protected by a password, or in a format older than its name says")
        try:
            self._archive = ZipFile(io.BytesIO(data))
        except (BadZipFile, ValueError, NotImplementedError) as error:
            raise UnreadableFile("damaged: it cannot be unpacked") from error
        self._names = {name.lstrip("/").lower(): name for name in self._archive.namelist()}
        self._left = _MOST_UNPACKED
        self._damaged: dict[str, None] = {}

    def main_part(self) -> str:
        """The part with the document, presentation or workbook."""
        main = next(iter(self.related("", "officeDocument")), None)
        if main is None:
            raise UnreadableFile("damaged: no document inside")
        return main

    def related(self, part: str, kind: str) -> list[str]:
        """The parts of a kind that a part refers to; only those that are there."""
        relations = self.relations(part).values()
        targets = dict.fromkeys(
            relation.target
            for relation in relations
            if relation.kind == kind and not relation.is_external
        )
        return [target for target in targets if target.lower() in self._names]

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to, by id; "" stands for the file itself."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if path.lower() not in self._names:
            return {}
        found = self.tree(path).iter("{*}Relationship")
        return {element.get("Id", ""): _relation(element, folder) for element in found}

    def tree(self, part: str) -> Element:
        """A whole part."""
        with self._open(part, _LARGEST_TREE) as file:
            return etree.parse(file, _parser()).getroot()

    def trees(self, part: str, kind: str) -> Iterator[tuple[str, Element]]:
        """The related parts of a kind, with their names; those that are damaged are in `lost`."""
        for target in self.related(part, kind):
            try:
                tree = self.tree(target)
            except DAMAGES:
                self._damaged[posixpath.basename(target)] = None
                continue
            yield target, tree

    def lost(self) -> Iterator[Lost]:
        """The parts that were passed over."""
        yield from (Lost(f"damaged: {name} inside it is left out") for name in self._damaged)

    def stream(self, part: str, *names: str) -> Iterator[Element]:
        """The elements of these local names, each when it is complete."""
        with self._open(part, _MOST_UNPACKED) as file:
            for _, element in etree.iterparse(
                file,
                events=("end",),
                tag=[f"{{*}}{name}" for name in names],
                resolve_entities=False,
                remove_comments=True,
                remove_pis=True,
            ):
                yield element

    def _open(self, part: str, largest: int) -> IO[bytes]:
        name = self._names.get(part.lower())
        if name is None:
            raise UnreadableFile(f"damaged: {posixpath.basename(part)} is missing")
        # The archive is never unpacked beyond the sizes that it declares.
        size = self._archive.getinfo(name).file_size
        self._left -= size
        if size > largest or self._left < 0:
            raise UnreadableFile("it unpacks to far more than can be read")
        try:
            return self._archive.open(name)
        except RuntimeError as error:
            raise UnreadableFile("protected by a password") from error


def forget(element: Element) -> None:
    """Frees an element of a stream that has been read, and its forerunners."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while parent[0] is not element:
            del parent[0]


def local(element: Element) -> str:
    """The name of an element without its namespace, which differs between dialects."""
    # What stands for an entity has a function for a name.
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str | None:
    """The value of an attribute, whatever its namespace."""
    value = element.get(name)
    return value if value is not None else qualified(element, name)


def qualified(element: Element, name: str) -> str | None:
    """The value of an attribute that has a namespace, whatever it is."""
    ending = "}" + name
    found = (str(value) for key, value in element.items() if str(key).endswith(ending))
    return next(found, None)


def child(element: Element | None, name: str) -> Element | None:
    """The first child of a local name."""
    return None if element is None else element.find(f"{{*}}{name}")


def value_of(element: Element | None, name: str) -> str | None:
    """The attribute `val` of a child."""
    found = child(element, name)
    return None if found is None else attribute(found, "val")


def is_on(element: Element | None, name: str) -> bool:
    """Whether a child switches something on; without a value it does."""
    found = child(element, name)
    return found is not None and attribute(found, "val") not in ("0", "false", "off", "none")


def chosen(element: Element) -> Element | None:
    """The branch of alternative contents that is read: the newer one, else what stands in."""
    choice = child(element, "Choice")
    return child(element, "Fallback") if choice is None else choice


def whole(value: str | None, otherwise: int = 0) -> int:
    """A small whole number from an attribute."""
    digits = (value or "").strip()
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 10
    return int(digits) if is_number else otherwise


def _relation(element: Element, folder: str) -> Relation:
    target = element.get("Target", "")
    is_external = element.get("TargetMode") == "External"
    if not is_external:
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return Relation(element.get("Type", "").rpartition("/")[2], target, is_external)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
