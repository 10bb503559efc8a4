"""Confluence space exports (XML) as a source: zipped or unpacked, one or a folder of them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Concatenate, Never, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from index.errors import SourceError
from index.records import ChunkKind, ContentType, Space, State
from ingest.sources import staged, staged_items
from ingest.sources.access import AccessSource
from ingest.sources.address import checked_url
from ingest.sources.directory import Directory
from ingest.sources.export_access import ExportAccess
from ingest.sources.export_comments import comment_storage, resolution, restored, selection
from ingest.sources.export_files import deployment_of, find_exports
from ingest.sources.export_links import ExportLinks, attachment_link
from ingest.sources.export_opening import OpenedExports, open_exports
from ingest.sources.export_public import PublicAccess
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import (
    ITEM_KINDS,
    Deployment,
    ItemSummary,
    PageSummary,
    SourceComment,
    SourcePage,
)
from ingest.sources.staged import StagedBody, StagedPage

LISTING_BATCH = 500

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def exported_site_url(url: str) -> str:
    """The base URL that links to exported pages begin with; a Cloud site's ends in /wiki."""
    base = checked_url("CONFLUENCE_URL", url, gets_token=False)
    return f"{base}/wiki" if _is_cloud(base) and not urlsplit(base).path else base


def _is_cloud(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(".atlassian.net")


class ExportSource:
    """Content of space exports, by the ids that it has in Confluence.

    `site_url` is where the exported site lives, so that results link to it. All files are read
    once, at the first call, into a temporary database on disk; `async with` deletes it. Archived
    spaces are included: whoever exported them wants them. Accounts and members of groups are those
    of the `directory`; what `is_public` may be read by everybody.
    """

    def __init__(
        self,
        path: Path,
        site_url: str,
        *,
        directory: Directory | None = None,
        is_public: bool = False,
    ) -> None:
        self._path = path
        self._site_url = site_url.rstrip("/")
        self._opened: OpenedExports | None = None
        self._lock = asyncio.Lock()
        self._access = PublicAccess() if is_public else ExportAccess(self._ask, directory)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await asyncio.to_thread(opened.close)

    @property
    def site_url(self) -> str:
        """Base URL of the site that was exported."""
        return self._site_url

    @property
    def deployment(self) -> Deployment:
        """The kind of Confluence that the exports name, else the one that the URL tells."""
        if self._opened is not None:
            told = self._opened.deployment
        else:
            told = deployment_of(find_exports(self._path))
        of_url = Deployment.CLOUD if _is_cloud(self._site_url) else Deployment.DATACENTER
        return told or of_url

    @property
    def is_whole_site(self) -> bool:
        """Exports tell of their own spaces only."""
        return False

    @property
    def requests(self) -> int:
        """None: nothing is asked of the site."""
        return 0

    @property
    def access(self) -> AccessSource:
        """Who may read what."""
        return self._access

    async def identity(self) -> str:
        """The same for every export, whoever made it."""
        return "export"

    async def spaces(self) -> Sequence[Space]:
        """All exported spaces, by key."""
        found = await self._ask(staged.spaces)
        if not found:
            raise SourceError(f"The export {self._path} holds no space. Export a space as XML.")
        return [Space(key, name, self._links.space(key)) for key, name in found]

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current and archived page and blog post of a space, once, with labels."""
        after = ""
        while batch := await self._ask(staged.pages_after, space.key, after, LISTING_BATCH):
            for page in batch:
                yield self._summary(page)
            after = batch[-1].page_id

    def changed_pages(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Nothing: an export does not change."""
        return _nothing()

    async def items(
        self, spaces: Sequence[Space], kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Every current comment and attachment of these spaces, once."""
        keys = {space.key.lower() for space in spaces}
        for listing in (staged_items.comments_after, staged_items.attachments_after):
            after = 0
            while batch := await self._ask(listing, after, LISTING_BATCH):
                for item in batch:
                    if item.summary.kind in kinds and item.space_key.lower() in keys:
                        yield self._item(item.summary)
                after = batch[-1].number

    def changed_items(
        self, since: datetime, kinds: Collection[ChunkKind] = ITEM_KINDS
    ) -> AsyncIterator[ItemSummary]:
        """Nothing: an export does not change."""
        return _nothing()

    def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """Nothing: the sweep tells them."""
        return _nothing()

    async def still_shown(self, page_ids: Collection[str]) -> Mapping[str, str]:
        """Space keys by id of those that are in the exports."""
        return await self._ask(staged.shown, page_ids)

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body; UnexpectedAnswer when that is not in storage format."""
        return await self._ask(self._page, summary)

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """All current comments of a page and its attachments, oldest first."""
        return await self._ask(self._comments, summary)

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """Writes an attachment's bytes; NotVisible when the export was made without them."""
        found = await self._ask(staged_items.attachment_file, item)
        if found is None or self._opened is None:
            raise NotVisible(
                f"The attachment {item.filename} of page {item.page_id} is not in the export. "
                "The next run settles it."
            )
        await asyncio.to_thread(self._opened.files.copy, found, file, limit)

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Names by account id, user key or user name, as far as the exports tell them."""
        return await self._ask(staged.user_names, user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return attachment_link(self._site_url, page_id, filename)

    async def _ask(
        self,
        question: Callable[Concatenate[sqlite3.Connection, Parameters], Answer],
        *args: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Answer:
        """What a function reads from the staging database, one at a time."""
        async with self._lock:
            if self._opened is None:
                self._opened = await asyncio.to_thread(open_exports, self._path)
            return await asyncio.to_thread(question, self._opened.database, *args, **options)

    @property
    def _links(self) -> ExportLinks:
        return ExportLinks(self._site_url, self.deployment)

    def _page(self, database: sqlite3.Connection, summary: PageSummary) -> SourcePage:
        page = _found(database, summary)
        body = staged.body(database, page.export, page.page_id)
        if body is None or not body.is_storage:
            raise UnexpectedAnswer(f"Page {page.page_id} {_why_no_body(body)}.")
        updated_at = page.updated_at or page.created_at
        if updated_at is None:
            raise UnexpectedAnswer(f"Page {page.page_id} has no date in the export.")
        return SourcePage(
            summary=self._summary(page),
            storage=restored(body.storage),
            labels=page.labels,
            author=page.author,
            created_at=page.created_at,
            updated_at=updated_at,
        )

    def _comments(
        self, database: sqlite3.Connection, summary: PageSummary
    ) -> Sequence[SourceComment]:
        page = _found(database, summary)
        page_body = staged.body(database, page.export, page.page_id)
        page_storage = page_body.storage if page_body else ""
        return [
            SourceComment(
                comment_id=comment.comment_id,
                parent_id=comment.parent_id,
                selection=selection(comment, page_storage),
                resolution=resolution(comment, page_storage),
                author=comment.author,
                created_at=comment.created_at,
                version=comment.version,
                url=self._links.comment(page, comment.comment_id),
                storage=comment_storage(staged.body(database, page.export, comment.comment_id)),
            )
            for comment in staged_items.comments(database, page)
        ]

    def _summary(self, page: StagedPage) -> PageSummary:
        is_blog_post = page.class_name == "BlogPost"
        return PageSummary(
            page_id=page.page_id,
            content_type=ContentType.BLOGPOST if is_blog_post else ContentType.PAGE,
            space_key=page.space_key,
            title=page.title,
            url=self._links.page(page),
            version=page.version,
            state=State.ARCHIVED if page.is_archived else State.LIVE,
            parent_id=None if is_blog_post else page.parent_id,
            position=None if is_blog_post else page.position,
            labels=page.labels,
        )

    def _item(self, item: ItemSummary) -> ItemSummary:
        if not item.filename:
            return item
        return replace(item, url=self.attachment_url(item.page_id, item.filename))


async def _nothing() -> AsyncIterator[Never]:
    for nothing in ():
        yield nothing


def _found(database: sqlite3.Connection, summary: PageSummary) -> StagedPage:
    page = staged.page(database, summary.page_id)
    if page is None or page.space_key != summary.space_key:
        raise NotVisible(
            f"Page {summary.page_id} is not in the exported space {summary.space_key}."
        )
    return page


def _why_no_body(body: StagedBody | None) -> str:
    if body is None:
        return "has no body in the export"
    if body.body_type in {"", "0"}:
        return (
            "is in the old wiki markup; open and save it in Confluence's editor to convert it, "
            "then export again"
        )
    return f"has a body of type {body.body_type}, which is not storage format"
