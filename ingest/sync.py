"""Keeps the index equal to a site: sweep, compare, fetch what changed, convert, embed, store."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import psycopg

from index.embeddings import Embedder, Vector
from index.errors import SourceError
from index.records import Chunk, Page, Space, State, chunk_hash, passage_text
from index.store import Store, StoredVersion
from ingest.convert_page import CHUNK_TOKENS, RECIPE, Tree, convert_page
from ingest.report import Report
from ingest.settings import SpaceFilter
from ingest.sources.source import FetchFailure, PageSummary, Source, SourcePage
from ingest.storage_format import user_ids

logger = logging.getLogger(__name__)

BATCH = 32  # pages that are fetched, converted and embedded together
# A sweep that misses more of the stored pages than this share, and than a handful, is doubted.
DOUBT_SHARE, DOUBT_PAGES = 0.5, 20

Progress = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class _Swept:
    space: Space
    space_id: int
    pages: Sequence[PageSummary]


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a sweep shows: pages to fetch, pages that only stand elsewhere, pages that are gone."""

    fetch: Sequence[PageSummary]
    place: Sequence[StoredVersion]
    gone: Sequence[str]
    kept: int


class Sync:
    """One run over one site, written page by page: a killed run loses only pages in flight."""

    def __init__(
        self,
        source: Source,
        store: Store,
        embedder: Embedder,
        *,
        space_filter: SpaceFilter,
        full: bool = False,
        progress: Progress = lambda report: None,
    ) -> None:
        self._source = source
        self._store = store
        self._embedder = embedder
        self._filter = space_filter
        self._full = full
        self._progress = progress
        self._report = Report(source.site_url)
        self._limit = min(CHUNK_TOKENS, embedder.passage_tokens)

    async def run(self) -> Report:
        """Brings the index up to date; raises SourceError when the site cannot be listed."""
        started = time.monotonic()
        spaces = await self._spaces()
        swept = [await self._sweep(space) for space in spaces]
        tree = _tree(swept)
        for one in swept:
            await self._bring_up_to_date(one, tree)
        await self._leave_other_spaces(spaces)
        await self._store.settle()
        self._report.seconds = time.monotonic() - started
        return self._report

    async def _spaces(self) -> list[Space]:
        listed = await self._source.spaces()
        missing = self._filter.included - {space.key.lower() for space in listed}
        if missing:
            raise SourceError(
                f"{self._source.site_url} does not show this account the space "
                f"{', '.join(sorted(missing)).upper()}.\n"
                f"Check CONFLUENCE_SPACES and what the account may see; nothing was changed."
            )
        return [space for space in listed if self._filter.admits(space.key)]

    async def _sweep(self, space: Space) -> _Swept:
        space_id = await self._store.open_space(space)
        pages = [page async for page in self._source.sweep(space)]
        self._report.spaces += 1
        self._report.pages += len(pages)
        self._progress(self._report)
        return _Swept(space, space_id, pages)

    async def _bring_up_to_date(self, swept: _Swept, tree: Tree) -> None:
        stored = await self._store.stored_versions(swept.space_id)
        changes = _compare(swept.pages, stored, tree, full=self._full)
        for at in range(0, len(changes.fetch), BATCH):
            await self._take_in(swept, changes.fetch[at : at + BATCH], tree)
        for version in changes.place:
            await self._store.place_page(version)
        self._report.moved += len(changes.place)
        await self._hide(swept.space, changes)
        await self._store.mark_swept(swept.space_id)
        logger.info("space=%s pages=%d", swept.space.key, len(swept.pages))

    async def _hide(self, space: Space, changes: _Changes) -> None:
        """Hides what a complete sweep no longer saw, unless so much is missing that it is odd."""
        gone, before = len(changes.gone), len(changes.gone) + changes.kept
        if gone > DOUBT_PAGES and gone > DOUBT_SHARE * before:
            self._report.problems.append(
                f"{gone} of {before} pages of space {space.key} are missing from the listing; "
                f"nothing was hidden. Check what the account may see."
            )
            return
        self._report.hidden += await self._store.tombstone(changes.gone)

    async def _leave_other_spaces(self, spaces: Sequence[Space]) -> None:
        if not self._source.is_whole_site:
            return
        if not spaces:
            self._report.problems.append("No space is visible to this account; nothing was hidden.")
            return
        keys = [space.key for space in spaces]
        self._report.hidden += await self._store.tombstone_other_spaces(keys)

    async def _take_in(self, swept: _Swept, pages: Sequence[PageSummary], tree: Tree) -> None:
        fetched: list[SourcePage] = []
        async for answer in self._source.fetch(swept.space, pages):
            if isinstance(answer, FetchFailure):
                await self._fail(swept, answer.page_id, tree, answer.error)
            else:
                fetched.append(answer)
        converted = await self._convert(swept, fetched, tree)
        vectors = await self._embed(converted)
        for page, chunks in converted:
            await self._write(swept, page, chunks, vectors, tree)
        self._progress(self._report)

    async def _convert(
        self, swept: _Swept, fetched: Sequence[SourcePage], tree: Tree
    ) -> list[tuple[Page, Sequence[Chunk]]]:
        people = {page.author for page in fetched if page.author is not None}
        names = await self._source.user_names(
            people.union(*(user_ids(page.storage) for page in fetched))
        )
        converted: list[tuple[Page, Sequence[Chunk]]] = []
        for page in fetched:
            try:
                converted.append(
                    await asyncio.to_thread(
                        convert_page,
                        page,
                        swept.space.key,
                        tree,
                        user_names=names,
                        attachment_url=self._source.attachment_url,
                        limit=self._limit,
                        count_tokens=self._embedder.count_tokens,
                    )
                )
            except Exception as error:  # one poison page must not end the run
                logger.exception("page_id=%s cannot be converted", page.summary.page_id)
                await self._fail(swept, page.summary.page_id, tree, error)
        return converted

    async def _embed(
        self, converted: Sequence[tuple[Page, Sequence[Chunk]]]
    ) -> dict[bytes, Vector]:
        """Vectors by text hash for every text that is not stored with its page yet."""
        texts: dict[bytes, str] = {}
        for page, chunks in converted:
            stored = await self._store.stored_hashes(page.page_id)
            for chunk in chunks:
                key = chunk_hash(page.title, chunk)
                if key not in stored:
                    texts[key] = passage_text(page.title, chunk.heading_path, chunk.body)
        vectors = await self._embedder.embed_passages(list(texts.values()))
        self._report.embedded += len(texts)
        return dict(zip(texts, vectors, strict=True))

    async def _write(
        self,
        swept: _Swept,
        page: Page,
        chunks: Sequence[Chunk],
        vectors: dict[bytes, Vector],
        tree: Tree,
    ) -> None:
        try:
            await self._store.replace_page(swept.space_id, page, chunks, vectors, recipe=RECIPE)
        except psycopg.DataError as error:  # what this page holds, not the database, is wrong
            logger.exception("page_id=%s cannot be stored", page.page_id)
            await self._fail(swept, page.page_id, tree, error)
            return
        self._report.stored += 1
        self._report.chunks += len(chunks)
        self._report.unreadable += len(page.unreadable)

    async def _fail(self, swept: _Swept, page_id: str, tree: Tree, error: Exception) -> None:
        self._report.failed += 1
        title = tree.titles.get(page_id, page_id)
        reason = str(error) or type(error).__name__
        logger.warning("page_id=%s failed: %s", page_id, reason)
        await self._store.record_failure(swept.space_id, page_id, title, reason)


def _tree(swept: Sequence[_Swept]) -> Tree:
    pages = [(one.space.key, page) for one in swept for page in one.pages]
    return Tree(
        parents={page.page_id: page.parent_id for _, page in pages},
        titles={page.page_id: page.title for _, page in pages},
        urls={(key, page.title): page.url for key, page in pages},
    )


def _compare(
    pages: Sequence[PageSummary],
    stored: dict[str, StoredVersion],
    tree: Tree,
    *,
    full: bool,
) -> _Changes:
    fetch: list[PageSummary] = []
    place: list[StoredVersion] = []
    for page in pages:
        known = stored.get(page.page_id)
        if full or known is None or _is_changed(page, known):
            fetch.append(page)
            continue
        placed = replace(
            known,
            ancestors=list(tree.ancestors(page.page_id)),
            position=page.position,
            url=page.url,
            state=page.state,
        )
        if placed != known:
            place.append(placed)
    seen = {page.page_id for page in pages}
    live = {page_id for page_id, known in stored.items() if known.state != State.TOMBSTONED}
    return _Changes(fetch, place, sorted(live - seen), kept=len(live & seen))


def _is_changed(page: PageSummary, known: StoredVersion) -> bool:
    return (page.version, page.title, RECIPE) != (known.version, known.title, known.recipe)
