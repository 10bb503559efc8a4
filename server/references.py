"""What a person or a model writes to name a page. Pure."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus, urlsplit

from index.errors import BadRequest

EXAMPLES = (
    "Give a page id (1310005), its Confluence URL, a tiny link (/x/AbCd) or KEY:Title (ENG:VPN)."
)


@dataclass(frozen=True, slots=True)
class PageReference:
    """Names a page by its id, or by title within a space."""

    page_id: str | None = None
    space_key: str | None = None
    title: str | None = None


def page_reference(text: str) -> PageReference:
    """Reads an id, any Confluence URL, a tiny link or `KEY:Title`; raises BadRequest."""
    text = text.strip()
    if re.fullmatch(r"\d+", text):
        return PageReference(page_id=text)
    if "://" in text or text.startswith("/"):
        return _from_url(text)
    if match := re.fullmatch(r"(~?[\w.-]+):\s*(\S.*)", text):
        return PageReference(space_key=match[1], title=match[2])
    raise BadRequest(f"Cannot tell which page {text[:200]!r} is. {EXAMPLES}")


# The shapes of page addresses in Cloud, Data Center and Server, with the groups that name a page.
_BY_ID = re.compile(r"/(?:pages|blog|content)/(?:[\w/-]*/)?(\d+)(?:/|$)")
_BY_TITLE = re.compile(r"/display/(~?[\w.-]+)/(?:\d{4}/\d\d/\d\d/)?([^/]+)/?$")
_TINY = re.compile(r"/x/([\w-]+)/?$")


def _from_url(url: str) -> PageReference:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if page_ids := query.get("pageId"):
        return PageReference(page_id=page_ids[0])
    if titles := query.get("title"):
        return PageReference(space_key=query.get("spaceKey", [None])[0], title=titles[0])
    if match := _BY_ID.search(parts.path):
        return PageReference(page_id=match[1])
    if match := _TINY.search(parts.path):
        return PageReference(page_id=_untiny(match[1]))
    if match := _BY_TITLE.search(parts.path):
        return PageReference(space_key=match[1], title=unquote_plus(match[2]))
    raise BadRequest(f"{url[:200]!r} is not the address of a Confluence page. {EXAMPLES}")


def _untiny(code: str) -> str:
    """A page id from a tiny link: little-endian bytes in base64 with `-` for `/` and `_` for `+`.

    Trailing `A` (zero bits) and padding are left out of the link.
    """
    padded = code.replace("-", "/").replace("_", "+").ljust(-(-len(code) // 4) * 4, "A")
    try:
        return str(int.from_bytes(base64.b64decode(padded), "little"))
    except binascii.Error as error:
        raise BadRequest(f"{code!r} is not a tiny link. {EXAMPLES}") from error
