"""What every source of pages gives to the sync, whatever it reads from."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from index.errors import SourceError
from index.records import ContentType, Space, State


@dataclass(frozen=True, slots=True)
class PageSummary:
    """One line of a sweep: enough to see what is new, changed, moved or gone, without a body."""

    page_id: str
    content_type: ContentType
    title: str
    url: str
    version: int
    state: State
    parent_id: str | None
    position: int | None


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
class FetchFailure:
    """A page that could not be fetched or read this time; the run goes on without it."""

    page_id: str
    error: SourceError


class Source(Protocol):
    """A Confluence site, live or exported.

    Methods raise SourceError (AuthenticationError, SourceUnavailable) when nothing more can be
    read. A listing that cannot be completed must raise: whoever gets to its end may take it as
    the whole truth.
    """

    @property
    def site_url(self) -> str:
        """Base URL of the site, without a trailing slash, such as https://x.atlassian.net/wiki."""
        ...

    @property
    def is_whole_site(self) -> bool:
        """Whether a space that `spaces` does not name is gone, as on a live site."""
        ...

    async def spaces(self) -> Sequence[Space]:
        """All current spaces that the account may see."""
        ...

    def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every live and archived page and blog post of a space, once, without bodies."""
        ...

    def fetch(
        self, space: Space, pages: Sequence[PageSummary]
    ) -> AsyncIterator[SourcePage | FetchFailure]:
        """The given pages with bodies, in any order, one answer for each."""
        ...

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Display names by account id, user key or user name; unknown ones are left out."""
        ...

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        ...
