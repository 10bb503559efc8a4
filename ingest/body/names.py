"""Names of elements, attributes and characters in storage format, as the tree spells them."""

import html
import re

from lxml import etree

# lxml gives its element class no public name.
Element = etree._Element  # pyright: ignore[reportPrivateUsage]

NAMESPACES = {
    "ac": "http://atlassian.com/content",
    "ri": "http://atlassian.com/resource/identifier",
    "at": "http://atlassian.com/template",
}
AC = "{http://atlassian.com/content}"
RI = "{http://atlassian.com/resource/identifier}"
AT = "{http://atlassian.com/template}"

# Characters that no XML document may contain, and half characters that no file can.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# A number of which Python makes no integer, for fear of the time that it takes.
ENDLESS_NUMBER = re.compile(r"&#[0-9]{20,};?")


def unescaped(text: str) -> str:
    """The text with what its references to characters stand for, in the words of HTML."""
    return html.unescape(ENDLESS_NUMBER.sub("\ufffd", text))


def raw_text(element: Element) -> str:
    """All text inside an element, exactly as it is."""
    if not len(element):
        return element.text or ""
    return etree.tostring(element, method="text", encoding="unicode", with_tail=False)
