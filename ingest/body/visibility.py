"""Which text a page holds but does not show: text that its style hides, or white on white."""

import re

from ingest.body.names import AC, Element
from ingest.body.walk import Walk

_HIDING = re.compile(
    r"(?:^|;)(?:display:none|visibility:hidden|font-size:0(?:\.0+)?(?:px|pt|em|rem|%)?(?=;|!|$))"
)
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_BACKGROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_CHANNELS = re.compile(r"rgba?\((\d+),(\d+),(\d+)\b")
# A page is not quite white everywhere, and neither is what is meant not to be seen on it.
_WHITE = 0xF5
# These have no colour of their own behind their text.
_CLEAR_MACROS = frozenset(("expand", "ui-expand", "excerpt", "section", "column", "details", "div"))
_MACROS = frozenset((AC + "structured-macro", AC + "macro"))


def is_hidden(walk: Walk, element: Element) -> bool:
    """Whether no reader sees an element; white text is reported, since a reader may select it."""
    style = element.get("style")
    if style is None and element.tag != "font":
        return False
    rules = _rules(style or "")
    if _HIDING.search(rules):
        return True
    colour = _COLOUR.search(rules)
    name = colour.group(1) if colour else (element.get("color") or "").lower()
    if not _is_white(name) or _has_background(element):
        return False
    walk.report("text", "white on white", "written in the colour of the page, so nobody sees it")
    return True


def _rules(style: str) -> str:
    return "".join(style.lower().split())


def _is_white(colour: str) -> bool:
    if colour == "white":
        return True
    if match := _HEX.fullmatch(colour):
        digits = match.group(1)
        step = len(digits) // 3
        channels = [int(digits[at : at + step] * (3 - step), 16) for at in range(0, 3 * step, step)]
        return min(channels) >= _WHITE
    match = _CHANNELS.match(colour)
    return match is not None and min(map(int, match.groups())) >= _WHITE


def _has_background(element: Element) -> bool:
    """Whether something around an element may be of another colour than the page."""
    node: Element | None = element
    while node is not None:
        background = _BACKGROUND.search(_rules(node.get("style", "")))
        own = background.group(1) if background else ""
        colours = (own, node.get("bgcolor", ""), node.get("data-highlight-colour", ""))
        if any(colour and not _is_white(colour.lower()) for colour in colours):
            return True
        if node.tag == AC + "adf-node":
            return True
        if node.tag in _MACROS and node.get(AC + "name") not in _CLEAR_MACROS:
            return True
        node = node.getparent()
    return False
