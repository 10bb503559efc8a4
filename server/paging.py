"""Cursors of a search: opaque, and good for the search that gave them only. Pure."""

import base64
import hashlib
import json

from index.access import Asker
from index.errors import BadRequest
from index.results import Filters


def fingerprint(asker: Asker, query: str, filters: Filters) -> str:
    """A short name of a search, the same for the same arguments of the same asker."""
    text = json.dumps((asker, query, filters), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cursor_at(offset: int, search: str) -> str:
    """The cursor of what follows the first `offset` hits of a search."""
    return base64.urlsafe_b64encode(f"{offset}:{search}".encode()).decode().rstrip("=")


def offset_of(cursor: str | None, search: str) -> int:
    """Where a cursor points; raises BadRequest for a cursor of another search."""
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        offset, _, of_search = text.partition(":")
        if of_search == search and 0 < int(offset) <= 10_000:
            return int(offset)
    except ValueError:  # not base64, not text, not a number
        pass
    raise BadRequest("This cursor is not of this search: repeat the search without a cursor.")
