"""What a person or a model writes to name a page. Pure."""

import base64
import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qs, unquote_plus, urlsplit

from index.errors import BadRequest
from index.language import clean

EXAMPLES = (
    "Give a page id (1310005), its Confluence URL, a tiny link (/x/AbCd) or KEY:Title (ENG:VPN)."
)


@dataclass(frozen=True, slots=True)
class PageReference:
    """Names a page by its id, or by its title.

    Of `Runbook: Failover` only the index can tell whether it is a page in a space RUNBOOK or has
    that title as a whole: then `title` and `space_key` say the one and `whole` says the other.
    The address of a file names its page, and the file as `attachment`.
    """

    page_id: str | None = None
    space_key: str | None = None
    title: str | None = None
    whole: str | None = None
    attachment: str | None = None


def page_reference(text: str) -> PageReference:
    """Reads an id, any Confluence URL, a tiny link, `KEY:Title` or a title; raises BadRequest."""
    text = clean(text).strip()
    if match := _BY_ID_ALONE.fullmatch(text):
        return PageReference(page_id=match[1])
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
    if "://" in text or text.startswith("/") or _HOST.match(text):
        return _from_url(text)
    if match := re.fullmatch(r"(~?[\w.-]+):\s*(\S.*)", text):
        return PageReference(space_key=match[1], title=match[2], whole=text)
    if text:
        return PageReference(title=text)
    raise BadRequest(f"No page is named. {EXAMPLES}")


# The shapes of page addresses in Cloud, Data Center and Server, with the groups that name a page.
_BY_ID_ALONE = re.compile(r"(?:confluence://page/)?([0-9]{1,19})")
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?/")
_BY_ID = re.compile(
    r"/(?:pages|content|blog(?:/\d{4}/\d\d/\d\d)?|folder|whiteboard|database|embed|"
    r"download/(?:attachments|thumbnails))/(?:edit(?:-v2)?/)?([0-9]{1,19})(?:/|$)"
)
_BY_TITLE = re.compile(r"/display/(~?[\w.-]+)/(?:\d{4}/\d\d/\d\d/)?([^/]+)/?$")
_TINY = re.compile(r"/x/([\w-]+)/?$")
_FILE = re.compile(r"/download/(?:attachments|thumbnails)/[0-9]{1,19}/([^/]+)$")
_SPACE = re.compile(r"/(?:display|spaces)/(~?[\w.-]+)(?:/(?:overview|pages|blog))?/?$")


def _from_url(url: str) -> PageReference:
    try:
        parts = urlsplit(url if "://" in url or url.startswith("/") else f"//{url}")
    except ValueError as error:  # brackets that hold no address
        raise _unknown(url) from error
    query = parse_qs(parts.query)
    found = _named_by_query(parts, query) or _named_by_path(parts.path)
    if found is None:
        raise _unknown(url, _space_key(parts, query))
    return replace(found, attachment=_filename(parts, query))


def _unknown(url: str, space_key: str | None = None) -> BadRequest:
    if space_key is None:
        return BadRequest(f"{url[:200]!r} is not the address of a Confluence page. {EXAMPLES}")
    return BadRequest(
        f"{url[:200]!r} is the address of a space, not of a page. Search it with "
        f"spaces=[{space_key!r}]. {EXAMPLES}"
    )


def _space_key(parts: SplitResult, query: dict[str, list[str]]) -> str | None:
    if parts.path.endswith("/viewspace.action") and (keys := query.get("key")):
        return clean(keys[0])
    match = _SPACE.search(parts.path)
    return match and match[1]


def _filename(parts: SplitResult, query: dict[str, list[str]]) -> str | None:
    """The file that is shown over its page, or is downloaded."""
    if previews := query.get("preview"):
        return clean(previews[0].rpartition("/")[2]) or None
    match = _FILE.search(parts.path)
    return match and clean(unquote_plus(match[1]))


def _named_by_query(parts: SplitResult, query: dict[str, list[str]]) -> PageReference | None:
    for name in ("pageId", "homepageId"):
        if page_ids := query.get(name):
            return PageReference(page_id=clean(page_ids[0]))
    if (titles := query.get("title")) and not _BY_ID.search(parts.path):
        space_key = query.get("spaceKey", [""])[0]
        return PageReference(space_key=clean(space_key) or None, title=clean(titles[0]))
    return None


def _named_by_path(path: str) -> PageReference | None:
    if match := _BY_ID.search(path):
        return PageReference(page_id=match[1])
    if match := _TINY.search(path):
        return PageReference(page_id=_untiny(match[1]))
    if match := _BY_TITLE.search(path):
        return PageReference(space_key=match[1], title=clean(unquote_plus(match[2])))
    return None


def _untiny(code: str) -> str:
    """A page id from a tiny link: little-endian bytes in base64 with `-` for `/` and `_` for `+`.

    Trailing `A` (zero bits) and padding are left out of the link.
    """
    padded = code.replace("-", "/").replace("_", "+").ljust(-(-len(code) // 4) * 4, "A")
    try:
        return str(int.from_bytes(base64.b64decode(padded)[:8], "little"))
    except ValueError as error:
        raise BadRequest(f"{code[:200]!r} is not a tiny link. {EXAMPLES}") from error
