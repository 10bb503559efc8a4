"""Takes pages in: fetch, convert, embed and write, all at once with little between them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg

from index.chunk_write import PageChangedMeanwhile
from index.embeddings import Embedder, Vector
from index.errors import AuthenticationError, NotFound, SourceError, SourceUnavailable
from index.guards import Guards
from index.language import clean
from index.nodes import ItemNode, Nodes
from index.page_write import PageUpdate
from index.records import chunk_hash, passage_text
from index.store import Store
from index.work import Work, WorkList
from ingest.convert_page import (
    CHUNK_TOKENS,
    RECIPE,
    Converted,
    Cut,
    Surroundings,
    convert_page,
)
from ingest.fetch import Fetched, Fetcher
from ingest.listing import node_of
from ingest.metrics import CHUNKS, PAGES, batch_span
from ingest.report import Report
from ingest.sources.source import Source
from ingest.stages import batches, flowing
from ingest.storage_format import user_ids

logger = logging.getLogger(__name__)

FETCHERS = 8  # the source's own pace holds them back further
BATCH = 32  # pages that are converted and embedded together
BATCH_CHARACTERS = 1_000_000
EMBEDDERS = WRITERS = 2
# So many pages in a row without an answer, and the site is asked whether it is there at all; so
# many more, and it is the site that fails, not its pages.
UNANSWERED_IN_A_ROW, UNANSWERED_AT_ALL = 5, 64
# What a page holds, not the database, is wrong.
UNSTORABLE = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, UnicodeEncodeError)
# Something else has written or purged the page meanwhile: the next run looks again.
OVERTAKEN = (PageChangedMeanwhile, NotFound)

UNREAD_COMMENTS = "unread"

Progress = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The index of one site: what is known of it, what is due, and where pages are written."""

    store: Store
    nodes: Nodes
    work_list: WorkList
    guards: Guards


@dataclass(frozen=True, slots=True)
class _Due:
    work: Work
    items: Sequence[ItemNode]


@dataclass(frozen=True, slots=True)
class _Embedded:
    pages: Sequence[Converted]
    vectors: Mapping[bytes, Vector]


class Pipeline:
    """Brings pages in line with what the site shows, and counts in `report` what it did.

    A page that fails costs itself only: it is recorded, kept as it was, and tried again later.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        embedder: Embedder,
        fetcher: Fetcher,
        report: Report,
        progress: Progress = lambda report: None,
    ) -> None:
        self._source = source
        self._target = target
        self._embedder = embedder
        self._fetcher = fetcher
        self._report = report
        self._progress = progress
        self._begun = 0
        self._unanswered: list[tuple[Work, SourceError]] = []
        self._cut = Cut(min(CHUNK_TOKENS, embedder.passage_tokens), embedder.count_tokens)

    async def take_in(self, works: AsyncGenerator[Sequence[Work]]) -> None:
        """Takes in batches of work; raises SourceError when the site fails as a whole."""
        fetched = flowing(self._due(works), self._fetch, workers=FETCHERS, room=BATCH)
        arrived = batches(_without_none(fetched), _size, most=BATCH, largest=BATCH_CHARACTERS)
        converted = flowing(arrived, self._convert, workers=1, room=1)
        embedded = flowing(converted, self._embed, workers=EMBEDDERS, room=1)
        written = flowing(embedded, self._write, workers=WRITERS, room=1)
        async with aclosing(written):
            async for _ in written:
                self._report.requests = self._source.requests
                self._progress(self._report)
        await self._believe_failures()

    async def _due(self, works: AsyncGenerator[Sequence[Work]]) -> AsyncGenerator[_Due]:
        async with aclosing(works):
            async for batch in works:
                self._begun += len(batch)
                self._report.due = max(self._report.due, self._begun)
                self._progress(self._report)
                items = await self._target.work_list.attachments([one.page_id for one in batch])
                for work in batch:
                    yield _Due(work, items.get(work.page_id, ()))

    async def _fetch(self, due: _Due) -> Fetched | None:
        try:
            fetched = await self._fetcher.fetch(due.work, due.items)
        except AuthenticationError:
            raise
        except SourceUnavailable as error:
            await self._doubt(due.work, error)
            return None
        except SourceError as error:
            await self._fail(due.work, error)
            return None
        await self._believe_failures()
        return fetched

    async def _doubt(self, work: Work, error: SourceError) -> None:
        """Raises when it is the site that does not answer, and not only these pages."""
        self._unanswered.append((work, error))
        if len(self._unanswered) >= UNANSWERED_AT_ALL:
            raise error
        if len(self._unanswered) % UNANSWERED_IN_A_ROW == 0:
            await self._source.identity()

    async def _believe_failures(self) -> None:
        """Records pages that did not answer, once another one did."""
        unanswered, self._unanswered = self._unanswered, []
        for work, error in unanswered:
            await self._fail(work, error)

    async def _convert(self, batch: Sequence[Fetched]) -> Sequence[Converted]:
        converted: list[Converted] = []
        with batch_span("convert", len(batch)):
            around = await self._surroundings(batch)
            for fetched in batch:
                try:
                    one = await asyncio.to_thread(convert_page, fetched, around, self._cut)
                    converted.append(one)
                except Exception as error:  # one poison page must not end the run
                    logger.exception("page_id=%s cannot be converted", fetched.work.page_id)
                    await self._fail(fetched.work, error)
        return converted

    async def _surroundings(self, batch: Sequence[Fetched]) -> Surroundings:
        work_list = self._target.work_list
        people = {person for fetched in batch for person in _people(fetched)}
        return Surroundings(
            now=datetime.now(UTC),
            site_url=self._source.site_url,
            deployment=self._source.deployment,
            attachment_url=self._source.attachment_url,
            ancestors=await work_list.ancestors([one.work.page_id for one in batch]),
            user_names=await self._source.user_names(people),
        )

    async def _embed(self, pages: Sequence[Converted]) -> _Embedded:
        """Vectors by text hash for every text that is not stored with its page yet."""
        texts: dict[bytes, str] = {}
        tokens: Counter[int] = Counter()
        stored = await self._target.store.stored_hashes([one.fetched.work.page_id for one in pages])
        for one in pages:
            new = _new_texts(one, stored[one.fetched.work.page_id])
            tokens[one.fetched.work.space_id] += sum(map(self._cut.count_tokens, new.values()))
            texts |= new
        with batch_span("embed", len(pages)):
            vectors = await self._embedder.embed_passages(list(texts.values()))
        self._report.embedded += len(texts)
        self._report.tokens += tokens.total()
        for space_id, of_space in tokens.items():
            await self._target.store.add_embedded_tokens(space_id, of_space)
        return _Embedded(pages, dict(zip(texts, vectors, strict=True)))

    async def _write(self, embedded: _Embedded) -> None:
        with batch_span("write", len(embedded.pages)):
            for one in embedded.pages:
                work = one.fetched.work
                try:
                    await self._write_page(one, embedded.vectors)
                except (*UNSTORABLE, *OVERTAKEN) as error:
                    logger.exception("page_id=%s cannot be stored", work.page_id)
                    await self._fail(work, error)

    async def _write_page(self, one: Converted, vectors: Mapping[bytes, Vector]) -> None:
        work, page = one.fetched.work, one.fetched.page
        await self._target.store.write(
            work.space_id,
            _update(one),
            vectors,
            recipe=RECIPE,
            is_whole=not one.fetched.problems,
            seen=node_of(replace(page.summary, labels=page.labels)) if page else None,
            was_under=work.parent_id,
            comment_stamp=_comment_stamp(one),
        )
        self._count(one)
        if one.fetched.problems:
            await self._fail(work, SourceError(" ".join(one.fetched.problems)))

    def _count(self, one: Converted) -> None:
        report = self._report
        PAGES.labels("stored").inc()
        CHUNKS.inc(len(one.chunks))
        report.stored += 1
        report.chunks += len(one.chunks)
        report.comments += len(one.comments or ())
        report.attachments += len(one.attachments)
        report.unreadable += len(one.page.unreadable) if one.page else 0
        report.unreadable += sum(item.unreadable is not None for item in one.attachments)

    async def _fail(self, work: Work, error: Exception) -> None:
        PAGES.labels("failed").inc()
        self._report.failed += 1
        reason = clean(str(error)) or type(error).__name__
        logger.warning("page_id=%s failed: %s", work.page_id, reason)
        await self._target.store.record_failure(
            work.space_id, work.page_id, work.title, reason, work.version
        )


async def _without_none(
    fetched: AsyncGenerator[Fetched | None],
) -> AsyncGenerator[Fetched]:
    async with aclosing(fetched):
        async for one in fetched:
            if one is not None:
                yield one


def _size(fetched: Fetched) -> int:
    return fetched.size


def _people(fetched: Fetched) -> set[str]:
    people: set[str] = set()
    if fetched.page:
        people |= user_ids(fetched.page.storage) | {fetched.page.author or ""}
    for comment in fetched.comments or ():
        people |= user_ids(comment.storage) | {comment.author or ""}
    return people - {""}


def _title(one: Converted) -> str:
    return one.page.title if one.page else one.fetched.work.title


def _new_texts(one: Converted, stored: Set[bytes]) -> dict[bytes, str]:
    """Those of its texts, by their hashes, that are not stored."""
    title = _title(one)
    keys = ((chunk_hash(title, chunk), chunk) for chunk in one.chunks)
    return {
        key: passage_text(title, chunk.heading_path, chunk.body)
        for key, chunk in keys
        if key not in stored
    }


def _comment_stamp(one: Converted) -> str | None:
    """Which comments were taken in; None where they stay as they are."""
    if one.comments is not None:
        return one.fetched.work.comment_stamp
    # Their chunks may bear an old title, and are due until they have been read.
    return UNREAD_COMMENTS if one.fetched.problems else None


def _update(one: Converted) -> PageUpdate:
    read = {attachment.attachment_id for attachment in one.attachments}
    return PageUpdate(
        page_id=one.fetched.work.page_id,
        title=_title(one),
        page=one.page,
        comments=one.comments,
        attachments=one.attachments,
        kept_attachments=one.fetched.attachment_ids - read,
        chunks=one.chunks,
    )
