"""Keeps the index equal to a site: sweep, compare, fetch what changed, convert, embed, store."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import psycopg

from index.embeddings import Embedder, Vector
from index.errors import SourceError, SourceUnavailable
from index.language import clean
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
# So many pages in a row without an answer, and it is the site that fails, not its pages.
DOUBT_UNANSWERED = 2 * BATCH
SHOWN_KEYS = 20
# What a page holds, not the database, is wrong.
UNSTORABLE = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, UnicodeEncodeError)

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
    """One run over one site, written page by page: a killed run loses only pages in flight.

    A run that `is_partial` leaves spaces alone that the filter does not admit; others hide them.
    `full` fetches every page anew, and believes a listing that misses most of the stored pages.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        embedder: Embedder,
        *,
        space_filter: SpaceFilter,
        full: bool = False,
        is_partial: bool = False,
        progress: Progress = lambda report: None,
    ) -> None:
        self._source = source
        self._store = store
        self._embedder = embedder
        self._filter = space_filter
        self._full = full
        self.is_partial = is_partial or not source.is_whole_site
        self._progress = progress
        self.report = Report(source.site_url)
        self._unanswered = 0
        self._limit = min(CHUNK_TOKENS, embedder.passage_tokens)

    async def run(self) -> Report:
        """Brings the index up to date; raises SourceError when the site cannot be listed."""
        started = time.monotonic()
        try:
            spaces = await self._spaces()
            swept = [await self._sweep(space) for space in spaces]
            await self._leave_other_spaces(spaces)
            tree = _tree(swept)
            for one in swept:
                await self._bring_up_to_date(one, tree)
            await self._store.settle()
        finally:
            self.report.seconds = time.monotonic() - started
        return self.report

    async def _spaces(self) -> list[Space]:
        listed = await self._source.spaces()
        admitted = [space for space in listed if self._filter.admits(space.key)]
        missing = self._filter.included - {space.key.lower() for space in listed}
        # An export has its own spaces only: those that are configured besides are not missed.
        if missing and (self._source.is_whole_site or not admitted):
            raise SourceError(
                f"{self._source.site_url} does not show this account the space "
                f"{', '.join(sorted(missing)).upper()}, but only "
                f"{_some([space.key for space in listed])}.\n"
                f"Check the space keys (CONFLUENCE_SPACES or --space) and what the account may "
                f"see; nothing was changed."
            )
        if not listed and not self.is_partial:
            raise SourceError(
                f"{self._source.site_url} shows this account no space at all.\n"
                f"Check what the account may see; nothing was changed."
            )
        return admitted

    async def _sweep(self, space: Space) -> _Swept:
        space_id = await self._store.open_space(space)
        pages = [page async for page in self._source.sweep(space)]
        self.report.spaces += 1
        self.report.pages += len(pages)
        self._progress(self.report)
        return _Swept(space, space_id, pages)

    async def _leave_other_spaces(self, spaces: Sequence[Space]) -> None:
        if not self.is_partial:
            keys = [space.key for space in spaces]
            self.report.hidden += await self._store.tombstone_other_spaces(keys)

    async def _bring_up_to_date(self, swept: _Swept, tree: Tree) -> None:
        stored = await self._store.stored_versions(swept.space_id)
        changes = _compare(swept.pages, stored, tree, full=self._full)
        for at in range(0, len(changes.fetch), BATCH):
            await self._take_in(swept, changes.fetch[at : at + BATCH], tree)
        for version in changes.place:
            await self._store.place_page(version)
        self.report.moved += len(changes.place)
        if self._is_doubtful(swept.space, changes):
            return
        self.report.hidden += await self._store.tombstone(changes.gone)
        await self._store.mark_swept(swept.space_id)
        logger.info("space=%s pages=%d", swept.space.key, len(swept.pages))

    def _is_doubtful(self, space: Space, changes: _Changes) -> bool:
        """Whether so much is missing from a sweep that it is no reason to hide pages."""
        gone, before = len(changes.gone), len(changes.gone) + changes.kept
        is_doubtful = gone > DOUBT_PAGES and gone > DOUBT_SHARE * before and not self._full
        if is_doubtful:
            self.report.problems.append(
                f"{gone} of {before} pages of space {space.key} are missing from the listing; "
                f"nothing was hidden. Check what the account may see; if they are really gone, "
                f"run `confluence-mcp ingest --full --space {space.key}`."
            )
        return is_doubtful

    async def _take_in(self, swept: _Swept, pages: Sequence[PageSummary], tree: Tree) -> None:
        fetched: list[SourcePage] = []
        for answer in await self._fetch(swept.space, pages):
            if isinstance(answer, FetchFailure):
                await self._fail(swept, answer.page_id, tree, answer.error)
            else:
                fetched.append(answer)
        converted = await self._convert(swept, fetched, tree)
        vectors = await self._embed(converted)
        for page, chunks in converted:
            await self._write(swept, page, chunks, vectors, tree)
        self._progress(self.report)

    async def _fetch(
        self, space: Space, pages: Sequence[PageSummary]
    ) -> list[SourcePage | FetchFailure]:
        """An answer for each page, also where a source gives up because several in a row fail."""
        answers: dict[str, SourcePage | FetchFailure] = {}
        while left := [page for page in pages if page.page_id not in answers]:
            before = len(answers)
            try:
                async for answer in self._source.fetch(space, left):
                    answers[_page_id(answer)] = answer
                    is_failure = isinstance(answer, FetchFailure)
                    self._unanswered = self._unanswered + 1 if is_failure else 0
                break
            except SourceUnavailable:
                if len(answers) == before or self._unanswered > DOUBT_UNANSWERED:
                    raise
                # Raises too when it is the site that does not answer, and not only these pages.
                await self._source.spaces()
        return list(answers.values())

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
        self.report.embedded += len(texts)
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
        except UNSTORABLE as error:
            logger.exception("page_id=%s cannot be stored", page.page_id)
            await self._fail(swept, page.page_id, tree, error)
            return
        self.report.stored += 1
        self.report.chunks += len(chunks)
        self.report.unreadable += len(page.unreadable)

    async def _fail(self, swept: _Swept, page_id: str, tree: Tree, error: Exception) -> None:
        self.report.failed += 1
        title = clean(tree.titles.get(page_id, page_id))
        reason = clean(str(error)) or type(error).__name__
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
    # A page that another space shows now is on its way there, and not gone.
    seen = tree.parents.keys()
    live = {page_id for page_id, known in stored.items() if known.state != State.TOMBSTONED}
    return _Changes(fetch, place, sorted(live - seen), kept=len(live & seen))


def _page_id(answer: SourcePage | FetchFailure) -> str:
    return answer.page_id if isinstance(answer, FetchFailure) else answer.summary.page_id


def _some(keys: Sequence[str]) -> str:
    """The first keys of many, for a person."""
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return (", ".join(sorted(keys)[:SHOWN_KEYS]) or "none") + more


def _is_changed(page: PageSummary, known: StoredVersion) -> bool:
    return (page.version, page.title, RECIPE) != (known.version, known.title, known.recipe)
