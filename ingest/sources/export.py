"""Confluence space exports (XML) as a source: zipped or unpacked, one or a folder of them."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus, urlsplit

from index.errors import SourceError
from index.records import ContentType, Space, State
from ingest.sources import staged
from ingest.sources.address import checked_url
from ingest.sources.entities import entities
from ingest.sources.export_files import ENTITIES, find_exports, timezone_of
from ingest.sources.source import FetchFailure, PageSummary, SourcePage
from ingest.sources.staged import STORAGE_FORMAT, StagedPage
from ingest.sources.staging import STAGED_CLASSES, finish, load, open_staging

SWEEP_BATCH = 500


def exported_site_url(url: str) -> str:
    """The base URL that links to exported pages begin with; a Cloud site's ends in /wiki."""
    base = checked_url("CONFLUENCE_URL", url, gets_token=False)
    parts = urlsplit(base)
    is_bare_cloud = not parts.path and (parts.hostname or "").endswith(".atlassian.net")
    return f"{base}/wiki" if is_bare_cloud else base


class ExportSource:
    """Pages of space exports, by the ids that they have in Confluence.

    `site_url` is where the exported site lives, so that results link to it. All files are read
    once, at the first call, into a temporary database on disk; `async with` deletes it. Archived
    spaces are included: whoever exported them wants them.
    """

    def __init__(self, path: Path, site_url: str) -> None:
        self._path = path
        self._site_url = site_url.rstrip("/")
        self._staging: sqlite3.Connection | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._staging is not None:
            await asyncio.to_thread(self._staging.close)
            self._staging = None

    @property
    def site_url(self) -> str:
        """Base URL of the site that was exported."""
        return self._site_url

    @property
    def is_whole_site(self) -> bool:
        """Exports tell of their own spaces only."""
        return False

    async def spaces(self) -> Sequence[Space]:
        """All exported spaces, by key."""
        database = await self._database()
        found = await asyncio.to_thread(staged.spaces, database)
        if not found:
            raise SourceError(f"The export {self._path} holds no space. Export a space as XML.")
        return [Space(key, name, f"{self._space_url(key)}/overview") for key, name in found]

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current and archived page and blog post of a space, once, without bodies."""
        database = await self._database()
        after = ""
        while batch := await asyncio.to_thread(
            staged.pages_after, database, space.key, after, SWEEP_BATCH
        ):
            for page in batch:
                yield self._summary(page)
            after = batch[-1].page_id

    async def fetch(
        self, space: Space, pages: Sequence[PageSummary]
    ) -> AsyncIterator[SourcePage | FetchFailure]:
        """The given pages with their bodies, in the given order."""
        database = await self._database()
        for summary in pages:
            yield await asyncio.to_thread(self._read, database, space, summary.page_id)

    async def user_names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Names by account id, user key or user name, as far as the exports tell them."""
        database = await self._database()
        return await asyncio.to_thread(staged.user_names, database, user_ids)

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return f"{self._site_url}/download/attachments/{page_id}/{quote(filename, safe='')}"

    async def _database(self) -> sqlite3.Connection:
        async with self._lock:
            if self._staging is None:
                self._staging = await asyncio.to_thread(_stage, self._path)
            return self._staging

    def _read(
        self, database: sqlite3.Connection, space: Space, page_id: str
    ) -> SourcePage | FetchFailure:
        page = staged.page(database, page_id)
        if page is None or page.space_key != space.key:
            return _failure(page_id, f"is not in the exported space {space.key}")
        body = staged.body(database, page)
        if body is None or body.body_type != STORAGE_FORMAT:
            return _failure(page_id, _why_no_body(body))
        updated_at = page.updated_at or page.created_at
        if updated_at is None:
            return _failure(page_id, "has no date in the export")
        return SourcePage(
            summary=self._summary(page),
            storage=_restored(body.storage),
            labels=staged.labels(database, page),
            author=page.author,
            created_at=page.created_at,
            updated_at=updated_at,
        )

    def _summary(self, page: StagedPage) -> PageSummary:
        is_blog_post = page.class_name == "BlogPost"
        return PageSummary(
            page_id=page.page_id,
            content_type=ContentType.BLOGPOST if is_blog_post else ContentType.PAGE,
            title=page.title,
            url=self._page_url(page),
            version=page.version,
            state=State.ARCHIVED if page.is_archived else State.LIVE,
            parent_id=None if is_blog_post else page.parent_id,
            position=None if is_blog_post else page.position,
        )

    def _page_url(self, page: StagedPage) -> str:
        folder = "pages"
        if page.class_name == "BlogPost":
            folder = f"blog/{page.created_at or datetime.fromtimestamp(0, UTC):%Y/%m/%d}"
        title = quote_plus(page.title)
        return f"{self._space_url(page.space_key)}/{folder}/{page.page_id}/{title}"

    def _space_url(self, key: str) -> str:
        return f"{self._site_url}/spaces/{quote(key)}"


def _stage(path: Path) -> sqlite3.Connection:
    database = open_staging()
    try:
        for number, export in enumerate(find_exports(path)):
            with export.open(ENTITIES) as stream:
                load(database, number, entities(stream, STAGED_CLASSES), timezone_of(export))
        finish(database)
    except sqlite3.Error as error:
        database.close()
        raise SourceError(
            f"The export {path} cannot be staged ({error}). It needs about its unpacked size of "
            "free disk space in the temporary folder (TMPDIR)."
        ) from error
    except OSError as error:
        database.close()
        raise SourceError(
            f"The export {path} cannot be read ({error.strerror}). Check who may read it."
        ) from error
    except BaseException:
        database.close()
        raise
    return database


def _failure(page_id: str, reason: str) -> FetchFailure:
    return FetchFailure(page_id, SourceError(f"Page {page_id} {reason}."))


def _why_no_body(body: staged.StagedBody | None) -> str:
    if body is None:
        return "has no body in the export"
    if body.body_type in {"", "0"}:
        return (
            "is in the old wiki markup; open and save it in Confluence's editor to convert it, "
            "then export again"
        )
    return f"has a body of type {body.body_type}, which is not storage format"


def _restored(storage: str) -> str:
    """Undoes the export's `]] >` for the end of a CDATA section within a body.

    Code such as `a[b[0]] > c` looks the same, so that only what can be an end is changed: a tag
    or the next part of a split section follows it.
    """
    restored = re.sub(r"\]\] >(?=\s*</|<!\[CDATA\[)", "]]>", storage)
    if restored.count("]]>") < restored.count("<![CDATA["):
        return storage.replace("]] >", "]]>")
    return restored
