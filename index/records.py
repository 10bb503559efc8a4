"""The records that both sides exchange: what a page, a chunk and a citation are. Pure data."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ContentType(StrEnum):
    """Kinds of content in the tree of a space, named as Confluence names them.

    Pages and blog posts have a body; of the others only title and place can be read.
    """

    PAGE = "page"
    BLOGPOST = "blogpost"
    FOLDER = "folder"
    WHITEBOARD = "whiteboard"
    DATABASE = "database"
    EMBED = "embed"

    @property
    def has_body(self) -> bool:
        """Whether there is text to fetch, and comments and attachments may hang on it."""
        return self in (ContentType.PAGE, ContentType.BLOGPOST)


class ChunkKind(StrEnum):
    """What of a page a chunk is cut from."""

    BODY = "body"
    COMMENT = "comment"
    ATTACHMENT = "attachment"


class State(StrEnum):
    """Whether readers see a page: live and archived pages are served, tombstoned ones never."""

    LIVE = "live"
    ARCHIVED = "archived"
    TOMBSTONED = "tombstoned"


@dataclass(frozen=True, slots=True)
class Space:
    """A Confluence space; `key` is unique within its site."""

    key: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Heading:
    """One line of a page's outline; `offset` is its character position in the Markdown."""

    level: int
    title: str
    anchor: str
    offset: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something on a page that could not be read: its kind (macro, attachment, ...), name, why."""

    kind: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the index keeps it.

    `page_id` is Confluence's own id (a string of digits). `url` opens the page in a browser.
    `ancestors` runs from the root down to the parent. Times are timezone-aware.
    """

    page_id: str
    content_type: ContentType
    space_key: str
    title: str
    url: str
    version: int
    state: State
    ancestors: tuple[str, ...]
    position: int | None
    labels: tuple[str, ...]
    author: str | None
    created_at: datetime | None
    updated_at: datetime
    language: str
    markdown: str
    outline: tuple[Heading, ...]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a page; replies name the comment that they answer.

    `selection` is the text of the page that an inline comment points at, None for a footer
    comment. `resolution` is `open`, `reopened`, `resolved` or `dangling` (its text is gone), None
    where Confluence keeps none. `author` is a name. `url` opens the comment.
    """

    comment_id: str
    parent_id: str | None
    selection: str | None
    resolution: str | None
    author: str | None
    created_at: datetime | None
    version: int
    url: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a page. `size` is in bytes, `url` opens it, `markdown` is its text.

    `unreadable` says why its text, or a part of it, is not here; None for all of it. `recipe` is
    the version of what read it.
    """

    attachment_id: str
    filename: str
    media_type: str
    size: int
    version: int
    url: str
    markdown: str
    unreadable: str | None
    recipe: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one page, cut along headings.

    `heading_path` runs from the outermost heading down and excludes the page title; `anchor` is
    the fragment (without `#`) that opens the nearest heading, empty at the top of the page.

    A chunk of a comment thread or an attachment has its `item_id` (the id of the thread's first
    comment, or of the attachment) and a `url` of its own; positions count within its item.
    """

    position: int
    heading_path: tuple[str, ...]
    anchor: str
    body: str
    kind: ChunkKind = ChunkKind.BODY
    item_id: str = ""
    url: str = ""


def passage_text(title: str, heading_path: Sequence[str], body: str) -> str:
    """What is embedded and indexed for a chunk: `title > heading path`, a newline, the body."""
    return " > ".join((title, *heading_path)) + "\n" + body


def chunk_hash(title: str, chunk: Chunk) -> bytes:
    """SHA-256 of a chunk's passage text: chunks of the same hash share words and vectors."""
    text = passage_text(title, chunk.heading_path, chunk.body)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
