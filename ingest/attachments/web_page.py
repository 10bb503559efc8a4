"""HTML files to blocks: what a browser shows."""

import re
from collections.abc import Iterator

from lxml import etree

from ingest.attachments import markup
from ingest.attachments.encoded import decoded
from ingest.attachments.pieces import Pieces, heading
from ingest.body.blocks import Block
from ingest.body.names import Element

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,100}encoding\s*=\s*[\"']([\w.:-]+)")
_UNSEEN = ("script", "style", "template", "noscript", "head", "datalist", "title")
_MEANINGFUL = ("href", "src", "alt", "colspan", "rowspan", "start")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SEPARATE_TAGS = frozenset(("option", "button", "label", "legend", "textarea", "optgroup"))


def read_html(data: bytes) -> Pieces:
    """The visible content of a page, under its title where it has no heading of the first rank."""
    told = _XML_ENCODING.match(data) or _CHARSET.search(data[:4096])
    yield from html_blocks(decoded(data, told[1].decode("ascii") if told else None))


def html_blocks(text: str, *, with_title: bool = True) -> Iterator[Block]:
    """HTML of any quality as blocks."""
    if not text.strip():
        return
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    root = etree.fromstring(text.encode(), parser)
    if root is None or len(parser.error_log.filter_from_fatals()):
        # Nested deeper than this parser goes, which then drops the rest; ours goes on.
        yield from markup.blocks_from(text)
        return
    title = " ".join(root.findtext(".//title", "").split())
    body = root.find("body")
    if title and with_title and next(root.iter("h1"), None) is None:
        yield heading(1, title)
    content = root if body is None else body
    _tidy(content)
    yield from markup.blocks_from(etree.tostring(content, encoding="unicode"))


def _tidy(root: Element) -> None:
    """Takes out what a browser hides, and all that means nothing in Markdown."""
    for element in list(root.iter()):
        if element.tag in _UNSEEN or _is_hidden(element):
            _remove(element)
            continue
        # Names that no XML may have can only be cleared away all at once.
        kept = {name: value for name in _MEANINGFUL if (value := element.get(name)) is not None}
        element.attrib.clear()
        for name, value in kept.items():
            element.set(name, value)
        if ":" in element.tag or not element.tag.isalnum():
            element.tag = "span"
        elif element.tag in _SEPARATE_TAGS:
            element.tag = "p"


def _is_hidden(element: Element) -> bool:
    if "hidden" in element.attrib:
        return True
    style = element.get("style")
    return style is not None and _HIDING.search(style) is not None


def _remove(element: Element) -> None:
    """Drops an element but not the text behind it."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + element.tail
        else:
            previous.tail = (previous.tail or "") + element.tail
    parent.remove(element)
