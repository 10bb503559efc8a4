"""What the styles of a DOCX file mean: headings, hidden text, lists; and how lists are numbered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ingest.attachments.package import attribute, child, is_on, value_of, whole
from ingest.body.names import Element

_DEEPEST = 20
_NO_LIST = "0"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"))
_ROMAN_ONES = ((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True, slots=True)
class Style:
    """What counts of a style; `level` is that of a heading, 0 for none."""

    name: str = ""
    level: int = 0
    is_hidden: bool = False
    numbering: str | None = None
    depth: int = 0


class Styles:
    """The styles of a document by id."""

    def __init__(self, root: Element | None) -> None:
        found = () if root is None else root.iter("{*}style")
        self._elements = {attribute(element, "styleId") or "": element for element in found}
        self._styles: dict[str, Style] = {}

    def of(self, properties: Element | None, name: Literal["pStyle", "rStyle"]) -> Style:
        """The style that properties name, with what the properties say themselves."""
        style = self._style(value_of(properties, name) or "", 0)
        return style if properties is None else _with_own(style, properties)

    def _style(self, style_id: str, depth: int) -> Style:
        if (known := self._styles.get(style_id)) is not None:
            return known
        element = self._elements.get(style_id)
        if element is None or depth > _DEEPEST:
            return Style()
        style = self._style(value_of(element, "basedOn") or "", depth + 1)
        name = (value_of(element, "name") or "").strip().lower()
        style = replace(style, name=name, level=_level_by_name(name) or style.level)
        for properties in (child(element, "pPr"), child(element, "rPr")):
            style = style if properties is None else _with_own(style, properties)
        self._styles[style_id] = style
        return style


def _level_by_name(name: str) -> int:
    if name == "title":
        return 1
    start, _, number = name.partition(" ")
    return min(6, whole(number)) if start == "heading" else 0


def _with_own(style: Style, properties: Element) -> Style:
    outline = value_of(properties, "outlineLvl")
    if outline is not None:
        level = whole(outline, 9) + 1
        style = replace(style, level=min(6, level) if level < 10 else 0)
    if child(properties, "vanish") is not None:
        style = replace(style, is_hidden=is_on(properties, "vanish"))
    numbering = child(properties, "numPr")
    if numbering is None:
        return style
    depth = value_of(numbering, "ilvl")
    return replace(
        style,
        numbering=value_of(numbering, "numId") or style.numbering,
        depth=style.depth if depth is None else min(8, whole(depth)),
    )


@dataclass(frozen=True, slots=True)
class Label:
    """What stands before a numbered paragraph: "2.1", "b)"; `number` when it is no more than one.

    A bullet has neither.
    """

    text: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class _Level:
    format: str
    pattern: str
    start: int


class Numbering:
    """Counts the numbered paragraphs of a document as a word processor does."""

    def __init__(self, root: Element | None) -> None:
        self._lists: dict[str, str] = {}
        self._levels: dict[str, Mapping[int, _Level]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        for element in () if root is None else root:
            if number := attribute(element, "numId"):
                self._lists[number] = value_of(element, "abstractNumId") or ""
            elif abstract := attribute(element, "abstractNumId"):
                levels = ((attribute(level, "ilvl"), level) for level in element.iter("{*}lvl"))
                self._levels[abstract] = {whole(at): _level_of(level) for at, level in levels}

    def next(self, numbering: str | None, depth: int) -> Label | None:
        """The label of the next paragraph of a list, None for a paragraph of none."""
        if numbering is None or numbering == _NO_LIST or numbering not in self._lists:
            return None
        abstract = self._lists[numbering]
        levels = self._levels.get(abstract, {})
        level = levels.get(depth, _Level("bullet", "", 1))
        counts = self._counts.setdefault(abstract, {})
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        if level.format in ("bullet", "none"):
            return Label()
        text = level.pattern
        for at in range(depth + 1):
            one = levels.get(at, level)
            text = text.replace(f"%{at + 1}", _number(counts.get(at, one.start), one.format))
        is_plain = level.format == "decimal" and level.pattern.strip(".)( ") == f"%{depth + 1}"
        return Label(text.strip(), counts[depth] if is_plain else None)


def _level_of(element: Element) -> _Level:
    return _Level(
        value_of(element, "numFmt") or "decimal",
        value_of(element, "lvlText") or "",
        whole(value_of(element, "start"), 1),
    )


def _number(number: int, format_name: str) -> str:
    match format_name:
        case "lowerLetter" | "upperLetter":
            text = chr(ord("a") + (number - 1) % 26) * min(9, (number - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman":
            text = _roman(number)
        case _:
            return str(number)
    return text.upper() if format_name.startswith("upper") else text


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return str(number)
    text = ""
    for value, letters in (*_ROMAN, *_ROMAN_ONES):
        text += letters * (number // value)
        number %= value
    return text
