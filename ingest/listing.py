"""Looks at a site: sweeps, feeds and listings on their way into the tree of the index."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from index.errors import AuthenticationError, SourceError
from index.nodes import ItemNode, Node, Nodes, Reading
from index.records import ChunkKind, Space
from ingest.convert_page import page_labels
from ingest.sources.source import ITEM_KINDS, ItemSummary, PageSummary, Source

logger = logging.getLogger(__name__)

BATCH = 500
# Clocks differ, and a site's feeds may lag behind it.
OVERLAP = timedelta(minutes=10)
# Comments and attachments that are gone, and labels, are no news of any feed.
ITEMS_EVERY = timedelta(hours=6)
# A listing that misses more of what is known than this share, and than a handful, is doubted.
DOUBT_SHARE, DOUBT_COUNT = 0.5, 20

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class OpenSpace:
    """A space that is taken in; `space_id` is the index's own number of it."""

    space: Space
    space_id: int
    is_new: bool


def is_sudden(gone: int, before: int) -> bool:
    """Whether so much is missing at once that it is no reason to believe that it is gone."""
    return gone > DOUBT_COUNT and gone > DOUBT_SHARE * before


class Listing:
    """One look at a site by one run. Errors of Confluence in one listing become `problems`."""

    def __init__(
        self, source: Source, nodes: Nodes, run_id: int, *, has_comments: bool, now: datetime
    ) -> None:
        self._source = source
        self._nodes = nodes
        self._run_id = run_id
        self.has_comments = has_comments
        self._kinds = ITEM_KINDS if has_comments else ITEM_KINDS - {ChunkKind.COMMENT}
        self._now = now
        self.pages = 0
        self.problems: list[str] = []

    async def sweep(self, one: OpenSpace, on_progress: Callable[[], None]) -> bool:
        """Every page of a space; whether the listing came to its end."""
        try:
            async for batch in _in_batches(self._source.sweep(one.space)):
                nodes = [node_of(page) for page in batch]
                await self._nodes.saw(self._run_id, one.space_id, nodes)
                self.pages += len(batch)
                on_progress()
        except AuthenticationError:
            raise
        except SourceError as error:
            await self._note(
                f"Space {one.space.key} cannot be listed, and is left as it was.", error
            )
            return False
        return True

    async def changed_pages(self, since: datetime, spaces: Mapping[str, OpenSpace]) -> None:
        """Pages of these spaces (by key) that changed since then."""
        changed: dict[str, list[Node]] = {}
        async for page in self._source.changed_pages(since - OVERLAP):
            if page.space_key in spaces:
                changed.setdefault(page.space_key, []).append(node_of(page))
        for key, nodes in changed.items():
            await self._nodes.saw(self._run_id, spaces[key].space_id, nodes)
            self.pages += len(nodes)

    async def items(self, reading: Reading, spaces: Sequence[OpenSpace], *, all_: bool) -> Reading:
        """Comments and attachments: all of them when that is due, else those that changed.

        How far the site is known now.
        """
        since = reading.listed_at
        is_complete = (
            all_
            or any(one.is_new for one in spaces)
            or not self._source.is_whole_site
            or await self._is_listing_due(reading)
        )
        if not self.has_comments:
            await self._nodes.forget_comments([one.space_id for one in spaces])
        try:
            if is_complete or since is None:
                await self._all_items(spaces, is_believed=all_)
                return replace(
                    reading,
                    listed_at=self._now,
                    swept_items_at=self._now,
                    items_run=self._run_id,
                    has_comments=self.has_comments,
                )
            await self.changed_items(since)
        except AuthenticationError:
            raise
        except SourceError as error:
            what = "Not all comments and attachments can be listed; the others stay as they were."
            await self._note(what, error)
            return replace(reading, swept_items_at=None) if is_complete else reading
        return self.until_now(reading)

    def until_now(self, reading: Reading) -> Reading:
        """How far the site is known after its feeds were read."""
        has_comments = self.has_comments and reading.has_comments
        return replace(reading, listed_at=self._now, has_comments=has_comments)

    async def _is_listing_due(self, reading: Reading) -> bool:
        last = reading.swept_items_at
        if last is None or self._now - last >= ITEMS_EVERY:
            return True
        if self.has_comments and not reading.has_comments:
            return True
        return await self._nodes.has_newcomers(reading.items_run, last - OVERLAP)

    async def changed_items(self, since: datetime) -> None:
        """Comments and attachments that changed since then."""
        await self._record(self._source.changed_items(since - OVERLAP, self._kinds))

    async def _all_items(self, spaces: Sequence[OpenSpace], *, is_believed: bool) -> None:
        await self._record(self._source.items([one.space for one in spaces], self._kinds))
        await self._forget_items([one.space_id for one in spaces], is_believed=is_believed)
        for one in spaces:
            async for batch in _in_batches(self._source.labels(one.space)):
                await self._nodes.set_labels({key: page_labels(names) for key, names in batch})

    async def _forget_items(self, space_ids: Sequence[int], *, is_believed: bool) -> None:
        gone, before = await self._nodes.unseen_items(self._run_id, space_ids)
        if is_sudden(gone, before) and not is_believed:
            self.problems.append(
                f"{gone} of {before} comments and attachments are missing from their listing; they "
                f"were kept. Check what the account may see; if they are really gone, run "
                f"`confluence-mcp ingest --full`."
            )
            return
        await self._nodes.forget_unseen_items(self._run_id, space_ids)

    async def _record(self, items: AsyncIterator[ItemSummary]) -> None:
        async for batch in _in_batches(items):
            await self._nodes.saw_items(self._run_id, [_item_node(one) for one in batch])

    async def _note(self, what: str, error: SourceError) -> None:
        logger.warning("%s %s", what, error)
        self.problems.append(f"{what} {error}")
        await self._source.identity()  # raises when it is the site that does not answer


async def _in_batches(lines: AsyncIterator[Line]) -> AsyncIterator[list[Line]]:
    """Also what came before a listing broke: each line is true by itself."""
    batch: list[Line] = []
    try:
        async for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except SourceError:
        yield batch
        raise
    yield batch


def node_of(page: PageSummary) -> Node:
    """A page of a listing as the index keeps it."""
    return Node(
        node_id=page.page_id,
        content_type=page.content_type,
        parent_id=page.parent_id,
        title=page.title,
        url=page.url,
        version=page.version,
        state=page.state,
        position=page.position,
        labels=None if page.labels is None else page_labels(page.labels),
    )


def _item_node(item: ItemSummary) -> ItemNode:
    return ItemNode(
        node_id=item.item_id,
        content_type=item.kind,
        parent_id=item.page_id,
        title=item.filename,
        url=item.url,
        version=item.version,
        media_type=item.media_type,
        size=item.size,
    )
