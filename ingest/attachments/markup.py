"""Simple HTML, as the readers of office formats write it, to blocks."""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ingest.body.blocks import Block, LinkContext
from ingest.storage_format import convert


@dataclass(frozen=True, slots=True)
class Part:
    """HTML of one paragraph or table, or what is inside an item of a list.

    Items have a `depth` from 0 on, those of numbered lists their `number`.
    """

    markup: str
    depth: int = -1
    number: int | None = None


@dataclass(frozen=True, slots=True)
class _OpenList:
    depth: int
    tag: str
    next_number: int | None

    def goes_on_with(self, part: Part) -> bool:
        if part.depth == self.depth:
            return part.number == self.next_number
        return part.depth > self.depth


def joined(parts: Iterable[Part]) -> str:
    """The HTML of parts, items put into lists and lists into the items above them."""
    pieces: list[str] = []
    open_lists: list[_OpenList] = []
    for part in parts:
        while open_lists and not open_lists[-1].goes_on_with(part):
            pieces.append(f"</li></{open_lists.pop().tag}>")
        if part.depth < 0:
            pieces.append(part.markup)
            continue
        tag = "ul" if part.number is None else "ol"
        if open_lists and open_lists[-1].depth == part.depth:
            open_lists.pop()
            pieces.append("</li>")
        else:
            pieces.append("<ul>" if part.number is None else f'<ol start="{part.number}">')
        after = None if part.number is None else part.number + 1
        open_lists.append(_OpenList(part.depth, tag, after))
        pieces.append(f"<li>{part.markup}")
    pieces += (f"</li></{one.tag}>" for one in reversed(open_lists))
    return "".join(pieces)


def blocks_from(markup: str) -> Iterator[Block]:
    """HTML as blocks; headings have no anchor, since none of a file can be opened."""
    yield from (replace(block, anchor="") for block in convert(markup, _NO_WIKI).blocks)


def text(value: str) -> str:
    """A text as markup."""
    return html.escape(value, quote=False)


def link(address: str, label: str) -> str:
    """A link around markup; the markup alone where there is no address."""
    return f'<a href="{html.escape(address)}">{label}</a>' if address and label.strip() else label


def _unknown(*_: str) -> None:
    return None


_NO_WIKI = LinkContext("", page_url=_unknown, attachment_url=_unknown, user_name=_unknown)
