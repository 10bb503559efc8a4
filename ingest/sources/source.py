"""What every source of pages gives to the sync, whatever it reads from."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from index.records import ChunkKind, ContentType, Space, State
from ingest.sources.access import AccessSource

ITEM_KINDS = frozenset((ChunkKind.COMMENT, ChunkKind.ATTACHMENT))


class Deployment(StrEnum):
    """The kinds of Confluence, which write anchors and addresses differently."""

    CLOUD = "cloud"
    DATACENTER = "datacenter"


@dataclass(frozen=True, slots=True)
class PageSummary:
    """One line of a sweep: enough to see what is new, changed, moved or gone, without a body.

    Also of a folder, whiteboard, database or embed. `parent_id` may be of any kind too.
    `labels` is None where the listing does not tell them.
    """

    page_id: str
    content_type: ContentType
    space_key: str
    title: str
    url: str
    version: int
    state: State
    parent_id: str | None
    position: int | None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ItemSummary:
    """A comment or an attachment of a page as a listing shows it, without its content.

    Of a comment, `item_id`, `page_id` and `version` are all there is. `url` opens an attachment in
    a browser; `size` is in bytes.
    """

    kind: ChunkKind
    item_id: str
    page_id: str
    version: int
    filename: str = ""
    media_type: str = ""
    size: int = 0
    url: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A whole page as its source has it; `storage` is the body in storage format.

    `author` is the account id or user key of who created it; `user_names` tells the name.
    """

    summary: PageSummary
    storage: str
    labels: tuple[str, ...]
    author: str | None
    created_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SourceComment:
    """A comment as its source has it; the fields are those of index.records.Comment.

    `storage` is its body in storage format, `author` an account id or user key.
    """

    comment_id: str
    parent_id: str | None
    selection: str | None
    resolution: str | None
    author: str | None
    created_at: datetime | None
    version: int
    url: str
    storage: str


class Source(Protocol):
    """A Confluence site, live or exported.

    Methods raise SourceError. AuthenticationError means that nothing more can be read;
    SourceUnavailable that there was no answer; NotVisible (403, 404) that something is gone or
    hidden; UnexpectedAnswer that what came cannot be read. A listing that cannot be completed must
    raise: whoever gets to its end may take it as the whole truth.
    """

    @property
    def site_url(self) -> str:
        """Base URL of the site, without a trailing slash, such as https://x.atlassian.net/wiki."""
        ...

    @property
    def deployment(self) -> Deployment:
        """Which kind of Confluence it is, or was exported from."""
        ...

    @property
    def is_whole_site(self) -> bool:
        """Whether a space that `spaces` does not name is gone, as on a live site."""
        ...

    @property
    def requests(self) -> int:
        """Requests sent to the site so far."""
        ...

    @property
    def access(self) -> AccessSource:
        """Who may read what."""
        ...

    async def identity(self) -> str:
        """Who reads: the account id or user key, asked anew each time; AuthenticationError."""
        ...

    async def spaces(self) -> Sequence[Space]:
        """All current spaces that the account may see."""
        ...

    def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every live and archived page and blog post of a space, once, without bodies.

        With the folders, whiteboards, databases and embeds that can be seen.
        """
        ...

    def changed_pages(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Pages and blog posts of any space changed since then, newest first; some older ones."""
        ...

    def items(
        self, spaces: Sequence[Space], kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Every comment (replies too) and attachment of these spaces, once; some of others."""
        ...

    def changed_items(
        self, since: datetime, kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Comments and attachments of any space changed since then; some older ones."""
        ...

    def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """Labels by page id of every page of a space; nothing where `sweep` tells them."""
        ...

    async def still_shown(self, page_ids: Collection[str]) -> Mapping[str, str]:
        """Space keys by id of those that the site still shows, live or archived, asked for by id.

        Of pages, folders and all else that `sweep` gives. A trashed page is not shown.
        """
        ...

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body."""
        ...

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """All comments of a page, replies and resolved ones too, oldest first."""
        ...

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """Writes an attachment's bytes; UnexpectedAnswer when they are more than `limit`."""
        ...

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by account id, user key or user name; unknown ones are left out."""
        ...

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        ...
