"""What comments of an export say: their text, what they point at, whether they are resolved."""

import html
import re
from collections.abc import Iterator

from ingest.body.names import unescaped
from ingest.sources.staged import StagedBody
from ingest.sources.staged_items import StagedComment

# A property of Confluence holds no longer text.
PROPERTY_LENGTH = 255

_RESOLUTIONS = frozenset({"open", "reopened", "resolved", "dangling"})
_UNRESOLVED = frozenset({"open", "reopened"})
_MARKER = re.compile(r'<ac:inline-comment-marker\b[^<>]*?\bac:ref="([^"]*)"[^<>]*>')
_MARKER_END = "</ac:inline-comment-marker>"
_TAG = re.compile(r"<[^<>]*>")


def is_inline(comment: StagedComment) -> bool:
    """Whether a comment itself points at text; its replies do not."""
    return comment.parent_id is None and bool(comment.marker or comment.selection)


def selection(comment: StagedComment, page_storage: str) -> str | None:
    """The text that an inline comment points at, None for others.

    The whole of it is in the page; the property is cut.
    """
    if not is_inline(comment):
        return None
    if comment.selection and len(comment.selection) < PROPERTY_LENGTH:
        return comment.selection
    text = unescaped(_TAG.sub("", " ".join(_marked(page_storage, comment.marker))))
    return " ".join(text.split()) or comment.selection or ""


def _marked(storage: str, marker: str | None) -> Iterator[str]:
    """What stands between the beginnings of a marker and the ends that follow them."""
    for begin in _MARKER.finditer(storage):
        if begin[1] == marker and (end := storage.find(_MARKER_END, begin.end())) >= 0:
            yield storage[begin.end() : end]


def resolution(comment: StagedComment, page_storage: str) -> str | None:
    """Whether a comment is open, reopened, resolved or, its text being gone, dangling."""
    status = (comment.status or "").lower()
    if not is_inline(comment):
        return status if status in _RESOLUTIONS else None
    if status not in _RESOLUTIONS:
        # Nothing is written down before somebody resolves it.
        status = "open"
    is_gone = bool(comment.marker) and f'ac:ref="{comment.marker}"' not in page_storage
    return "dangling" if is_gone and status in _UNRESOLVED else status


def comment_storage(body: StagedBody | None) -> str:
    """The text of a comment in storage format; old wiki markup as plain paragraphs."""
    if body is None:
        return ""
    if body.is_storage:
        return restored(body.storage)
    lines = (line.strip() for line in body.storage.splitlines())
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)


def restored(storage: str) -> str:
    """Undoes the export's `]] >` for the end of a CDATA section within a body.

    Code such as `a[b[0]] > c` looks the same, so that only what can be an end is changed: a tag
    or the next part of a split section follows it.
    """
    text = re.sub(r"\]\] >(?=\s*</|<!\[CDATA\[)", "]]>", storage)
    if text.count("]]>") < text.count("<![CDATA["):
        return storage.replace("]] >", "]]>")
    return text
