"""Confluence storage format to Markdown. Pure: no network, no database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from index.records import Heading, Unreadable
from ingest.body import content, diagrams, elements, links, macros, tables
from ingest.body.blocks import Block, LinkContext
from ingest.body.elements import drop
from ingest.body.last_resort import words_only
from ingest.body.names import AC, Element, unescaped
from ingest.body.parser import parse, sections
from ingest.body.properties import page_properties
from ingest.body.walk import Flow, Handler, Walk

_USER = re.compile(r"\bri:(?:account-id|userkey|username)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")
_BLANKS = str.maketrans("\t\r\n", "   ")
_MACROS = {**macros.MACROS, **diagrams.MACROS, "details": page_properties}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A body in Markdown, as blocks in reading order, and what could not be read."""

    blocks: tuple[Block, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def markdown(self) -> str:
        """The whole body."""
        return "\n\n".join(block.markdown for block in self.blocks)

    @property
    def outline(self) -> tuple[Heading, ...]:
        """The headings with their character positions in `markdown`."""
        headings: list[Heading] = []
        offset = 0
        for block in self.blocks:
            if block.kind == "heading":
                headings.append(Heading(block.level, block.title, block.anchor, offset))
            offset += len(block.markdown) + 2
        return tuple(headings)


def convert(storage: str, context: LinkContext) -> Conversion:
    """Converts a body. Never raises: what cannot be read is named in `unreadable`."""
    try:
        return _convert(storage, context)
    except Exception as error:  # a body that we did not foresee costs its structure, not its words
        reason = f"cannot be converted ({type(error).__name__}: {error}); its words are kept"
        lost = Unreadable("body", "storage format", reason)
        return Conversion(tuple(words_only(storage)), (lost,))


def _convert(storage: str, context: LinkContext) -> Conversion:
    parsed = parse(storage)
    walk = Walk(context, _HANDLERS, _HIDDEN)
    if parsed.unreadable:
        lost = parsed.unreadable
        walk.report(lost.kind, lost.name, lost.reason)
    blocks = walk.blocks(parsed.root)
    return Conversion(tuple(blocks), walk.unreadable)


def user_ids(storage: str) -> frozenset[str]:
    """Account ids, user keys and user names that a body mentions."""
    found = (match for piece in _markup(storage) for match in _USER.findall(piece))
    ids = (_value(double or single).strip() for double, single in found)
    return frozenset(user_id for user_id in ids if user_id)


def _markup(storage: str) -> Iterator[str]:
    return (piece for is_cdata, piece in sections(storage) if not is_cdata)


def _value(source: str) -> str:
    """The value of an attribute as a parser reads it."""
    return unescaped(source.translate(_BLANKS))


def _macro(walk: Walk, element: Element, flow: Flow) -> None:
    macro = macros.macro_of(element)
    _MACROS.get(macro.name, macros.unknown)(walk, macro, flow)
    walk.rest(element, flow, macros.MACRO_PARTS)


_HANDLERS: dict[str, Handler] = {
    **elements.HANDLERS,
    **links.HANDLERS,
    **tables.HANDLERS,
    **content.HANDLERS,
    AC + "structured-macro": _macro,
    AC + "macro": _macro,
}
_HIDDEN = frozenset(name for name, handler in _HANDLERS.items() if handler is drop)
