"""A live site together with a directory of its accounts."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import BinaryIO

from index.records import ChunkKind, Space
from ingest.sources.access import AccessSource
from ingest.sources.directory import Directory, WithDirectory
from ingest.sources.source import (
    ITEM_KINDS,
    Deployment,
    ItemSummary,
    PageSummary,
    Source,
    SourceComment,
    SourcePage,
)


@asynccontextmanager
async def with_directory(
    opening: AbstractAsyncContextManager[Source], directory: Directory
) -> AsyncGenerator[Source]:
    """The source that is opened, knowing the e-mails of a directory."""
    async with opening as source:
        yield DirectorySource(source, directory)


class DirectorySource:
    """A source in all but the accounts, whose e-mails a directory completes."""

    def __init__(self, source: Source, directory: Directory) -> None:
        self._source = source
        self._access = WithDirectory(source.access, directory)

    @property
    def site_url(self) -> str:
        """As the source."""
        return self._source.site_url

    @property
    def deployment(self) -> Deployment:
        """As the source."""
        return self._source.deployment

    @property
    def is_whole_site(self) -> bool:
        """As the source."""
        return self._source.is_whole_site

    @property
    def requests(self) -> int:
        """As the source."""
        return self._source.requests

    @property
    def access(self) -> AccessSource:
        """That of the source, with e-mails of the directory."""
        return self._access

    async def identity(self) -> str:
        """As the source."""
        return await self._source.identity()

    async def spaces(self) -> Sequence[Space]:
        """As the source."""
        return await self._source.spaces()

    def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """As the source."""
        return self._source.sweep(space)

    def changed_pages(self, since: datetime) -> AsyncIterator[PageSummary]:
        """As the source."""
        return self._source.changed_pages(since)

    def items(
        self, spaces: Sequence[Space], kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """As the source."""
        return self._source.items(spaces, kinds)

    def changed_items(
        self, since: datetime, kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """As the source."""
        return self._source.changed_items(since, kinds)

    def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """As the source."""
        return self._source.labels(space)

    async def still_shown(self, page_ids: Collection[str]) -> Mapping[str, str]:
        """As the source."""
        return await self._source.still_shown(page_ids)

    async def page(self, summary: PageSummary) -> SourcePage:
        """As the source."""
        return await self._source.page(summary)

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """As the source."""
        return await self._source.comments(summary)

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """As the source."""
        await self._source.download(item, file, limit)

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """As the source."""
        return await self._source.user_names(user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """As the source."""
        return self._source.attachment_url(page_id, filename)
