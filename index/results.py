"""What a search takes and gives: filters, hits, passages and stored pages. Pure data."""

from dataclasses import dataclass
from datetime import datetime

from index.records import Attachment, ChunkKind, Comment, ContentType, Heading, State, Unreadable


@dataclass(frozen=True, slots=True)
class Filters:
    """Limits of a search; all that are given must hold. Empty means no limit.

    `spaces` are keys (any of them), `labels` are names (all of them). `content_types` are of pages,
    `kinds` of their passages: of the body, of comments, of attachments.
    """

    spaces: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    content_types: tuple[ContentType, ...] = ()
    kinds: tuple[ChunkKind, ...] = ()
    author: str | None = None
    ancestor: str | None = None
    updated_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class PageInfo:
    """What a result says about its page."""

    page_id: str
    title: str
    url: str
    space_key: str
    content_type: ContentType
    version: int
    state: State
    author: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk of a hit; `score` is 0 to 1 within this search.

    `url` opens its heading, its comment or its attachment; `attachment` is the name of the file.
    """

    chunk_id: int
    heading_path: tuple[str, ...]
    url: str
    body: str
    score: float
    kind: ChunkKind = ChunkKind.BODY
    attachment: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that answers a search, with its best passages, best first.

    `copies` are pages of nearly the same text that stand behind it, being archived or older.
    """

    page: PageInfo
    score: float
    passages: tuple[Passage, ...]
    copies: tuple[PageInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first. `total` counts all ranked pages, copies too; `notes` are for the reader.

    `following` is the offset of what comes next; None at the end.
    """

    hits: tuple[Hit, ...]
    total: int
    notes: tuple[str, ...]
    following: int | None = None


@dataclass(frozen=True, slots=True)
class PageLink:
    """A child or an ancestor of a page; a folder or a whiteboard too, which cannot be read."""

    page_id: str
    title: str
    url: str
    content_type: ContentType = ContentType.PAGE


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A whole page as the index has it.

    `comments` are in threads, each reply somewhere after what it answers; `attachments` are by
    name and without their text, which `Pages.attachment` gives.
    """

    info: PageInfo
    labels: tuple[str, ...]
    created_at: datetime | None
    markdown: str
    outline: tuple[Heading, ...]
    unreadable: tuple[Unreadable, ...]
    ancestors: tuple[PageLink, ...]
    children: tuple[PageLink, ...]
    comments: tuple[Comment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
