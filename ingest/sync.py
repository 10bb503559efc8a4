"""Keeps the index equal to a site: look, hide what is gone, take in what is new or changed."""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from index.errors import SourceError
from index.nodes import Reading
from index.records import Space
from index.work import Recipes, Work
from ingest.access import AccessReading
from ingest.convert_page import RECIPE
from ingest.fetch import AttachmentRules
from ingest.listing import Listing, OpenSpace, is_sudden
from ingest.pipeline import Pipeline, Progress, Target
from ingest.report import Report
from ingest.settings import IngestSettings, SpaceFilter
from ingest.sources.source import Source

logger = logging.getLogger(__name__)

WORK_BATCH = 200
# How long the feeds of changes may do without a sweep, which alone sees what moved or is gone.
SWEEP_EVERY = timedelta(minutes=15)
# Hidden pages are kept so long, in case they come back.
GRACE = timedelta(days=7)
LOOK_AGAIN = 100
SHOWN_KEYS = 20
EVERY_SPACE = SpaceFilter(frozenset(), frozenset())
EVERY_KIND = AttachmentRules()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to look at; with `has_access` also who may read it.

    A run that `is_partial` leaves spaces alone that the filter does not admit; others hide them.
    `full` fetches every page anew, and believes a listing that misses most of the known pages.
    `quick` reads the feeds of changes only, unless a sweep is due; `hinted` are pages to look at
    besides, whose spaces are swept when they are not where they were.
    """

    space_filter: SpaceFilter = EVERY_SPACE
    rules: AttachmentRules = EVERY_KIND
    has_comments: bool = True
    has_access: bool = True
    full: bool = False
    is_partial: bool = False
    quick: bool = False
    hinted: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        settings: IngestSettings,
        *,
        only: frozenset[str] = frozenset(),
        full: bool = False,
        quick: bool = False,
        hinted: frozenset[str] = frozenset(),
    ) -> Self:
        """What the settings say; `only` are keys of spaces to look at and no others."""
        only = frozenset(key.strip().lower() for key in only)
        return cls(
            space_filter=SpaceFilter(only, frozenset()) if only else settings.space_filter,
            rules=AttachmentRules(settings.attachment_kinds, settings.attachment_bytes),
            has_comments=settings.confluence_comments,
            has_access=settings.confluence_permissions,
            full=full,
            is_partial=bool(only),
            quick=quick and not full,
            hinted=hinted,
        )

    @property
    def recipes(self) -> Recipes:
        """The versions of what makes text under this plan."""
        return Recipes(RECIPE, self.rules.recipes, self.rules.largest)


class Sync:
    """One run over one site, written page by page: a killed run loses only pages in flight."""

    def __init__(
        self,
        source: Source,
        target: Target,
        pipeline: Pipeline,
        plan: Plan,
        report: Report,
        *,
        run_id: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        progress: Progress = lambda report: None,
    ) -> None:
        self._source = source
        self._target = target
        self._pipeline = pipeline
        self._plan = plan
        self._run_id = run_id
        self._now = now
        self._progress = progress
        self._is_partial = plan.is_partial or not source.is_whole_site
        self.report = report

    async def run(self) -> Report:
        """Brings the index up to date; raises SourceError when the site cannot be read at all."""
        started = time.monotonic()
        try:
            spaces = await self.look()
            self.report.due = await self._target.work_list.bodies_due(
                self._plan.recipes, [one.space_id for one in spaces], anew=self._plan.full
            )
            await self._pipeline.take_in(self.work(spaces))
            await self._look_again(spaces)
            await self._target.store.settle()
        finally:
            self.report.seconds = time.monotonic() - started
            self.report.requests = self._source.requests
        return self.report

    async def _look_again(self, spaces: Sequence[OpenSpace]) -> None:
        """Follows what pages turned out to be: newer than what the look knew, or elsewhere."""
        space_ids = [one.space_id for one in spaces] if self._plan.has_access else []
        overtaken = await self._target.guards.never_read(space_ids)
        if overtaken:
            await self._look_at_access(lambda access: access.of(overtaken))
        if overtaken or self._plan.hinted:
            self.report.moved += await self._target.work_list.place()

    async def look(self) -> Sequence[OpenSpace]:
        """Lists the site and brings in line what needs no text: places, labels, what is gone."""
        account_id = await self._source.identity()
        spaces = [await self._open(space) for space in await self._spaces()]
        reading = await self._target.nodes.reading()
        listing = self._listing()
        swept: Sequence[OpenSpace] = ()
        if self._plan.quick and not self._is_sweep_due(reading, account_id):
            reading = await self._look_at_feeds(listing, spaces, reading)
            await self._look_at_access(lambda access: access.news(spaces, self._plan.hinted))
        else:
            reading, swept = await self._look_at_all(listing, spaces, reading, account_id)
            is_whole = not self._is_partial
            await self._look_at_access(lambda access: access.all(spaces, is_whole_site=is_whole))
        self._count(listing)
        if not self._is_partial:
            await self._target.nodes.record_reading(reading)
        self.report.problems += listing.problems
        self.report.moved += await self._target.work_list.place()
        await self._look_at_access(lambda access: access.finish(swept))
        self.report.purged += await self._target.store.purge(datetime.now(UTC) - GRACE)
        return spaces

    async def _look_at_access(self, look: Callable[[AccessReading], Awaitable[None]]) -> None:
        if self._plan.has_access:
            access = AccessReading(self._source, self._target.guards, self._run_id)
            await look(access)
            self.report.warnings += access.warnings

    def _is_sweep_due(self, reading: Reading, account_id: str) -> bool:
        if reading.listed_at is None or reading.swept_at is None:
            return True
        if reading.account_id != account_id:
            return True
        return self._now() - reading.swept_at >= SWEEP_EVERY

    def _listing(self) -> Listing:
        return Listing(
            self._source,
            self._target.nodes,
            self._run_id,
            has_comments=self._plan.has_comments,
            now=self._now(),
        )

    async def work(self, spaces: Sequence[OpenSpace]) -> AsyncGenerator[Sequence[Work]]:
        """All pages that are to be taken in, in batches."""
        space_ids = [one.space_id for one in spaces]
        after = ""
        while batch := await self._target.work_list.next(
            self._plan.recipes,
            limit=WORK_BATCH,
            after=after,
            anew=self._plan.full,
            again=self._plan.hinted,
            space_ids=space_ids,
        ):
            yield batch
            after = batch[-1].page_id

    async def _spaces(self) -> list[Space]:
        listed = await self._source.spaces()
        space_filter = self._plan.space_filter
        admitted = [space for space in listed if space_filter.admits(space.key)]
        missing = space_filter.included - {space.key.lower() for space in listed}
        # An export has its own spaces only: those that are configured besides are not missed.
        if missing and (self._source.is_whole_site or not admitted):
            raise SourceError(
                f"{self._source.site_url} does not show this account the space "
                f"{', '.join(sorted(missing)).upper()}, but only "
                f"{_some([space.key for space in listed])}.\n"
                f"Check the space keys (CONFLUENCE_SPACES or --space) and what the account may "
                f"see; nothing was changed."
            )
        if not listed and not self._is_partial:
            raise SourceError(
                f"{self._source.site_url} shows this account no space at all.\n"
                f"Check what the account may see; nothing was changed."
            )
        return admitted

    async def _open(self, space: Space) -> OpenSpace:
        space_id = await self._target.store.open_space(space)
        self.report.spaces += 1
        return OpenSpace(space, space_id, await self._target.nodes.is_new(space_id))

    async def _look_at_feeds(
        self, listing: Listing, spaces: Sequence[OpenSpace], reading: Reading
    ) -> Reading:
        since = reading.listed_at or self._now()
        await listing.changed_pages(since, {one.space.key: one for one in spaces})
        await listing.changed_items(since)
        await self._look_at_hinted(listing, spaces)
        return listing.until_now(reading)

    async def _look_at_hinted(self, listing: Listing, spaces: Sequence[OpenSpace]) -> None:
        """Sweeps the spaces that hinted pages left or came to."""
        known = await self._target.nodes.known(self._plan.hinted)
        shown = await self._source.still_shown(self._plan.hinted)
        space_ids = {one.space.key: one.space_id for one in spaces}
        stirred: set[int | None] = set()
        for page_id in self._plan.hinted:
            before, now = known.get(page_id), space_ids.get(shown.get(page_id, ""))
            stirred |= {before, now} if before != now else set()
        complete = await self._sweep(listing, [one for one in spaces if one.space_id in stirred])
        for one in complete:
            await self._hide_in(one, *await self._target.nodes.unseen(self._run_id, one.space_id))

    async def _look_at_all(
        self,
        listing: Listing,
        spaces: Sequence[OpenSpace],
        reading: Reading,
        account_id: str,
    ) -> tuple[Reading, Sequence[OpenSpace]]:
        """How far the site is known now, and the spaces whose sweep came to its end."""
        started = self._now()
        complete = await self._sweep(listing, spaces)
        if any(one.is_new for one in spaces):
            await self._target.nodes.analyze()
        before = reading
        reading = await listing.items(reading, spaces, all_=self._plan.full)
        vanished = await self._vanished(spaces)
        if await self._hide(complete, sum(vanished.values()), before.account_id, account_id):
            reading = replace(reading, account_id=account_id)
            await self._leave_other_spaces(spaces, vanished)
        await self._target.nodes.forget_failures()
        await self._target.nodes.analyze()
        if len(complete) == len(spaces):
            return replace(reading, swept_at=started), complete
        # Items of pages that were not seen were passed over: their news have to be read again.
        is_complete = reading.swept_items_at != before.swept_items_at
        if not is_complete:
            reading = replace(reading, listed_at=before.listed_at)
        return reading, complete

    async def _sweep(self, listing: Listing, spaces: Sequence[OpenSpace]) -> list[OpenSpace]:
        """Those of the spaces whose sweep came to its end."""
        return [one for one in spaces if await listing.sweep(one, lambda: self._count(listing))]

    def _count(self, listing: Listing) -> None:
        self.report.pages = listing.pages
        self.report.requests = self._source.requests
        self._progress(self.report)

    async def _hide(
        self,
        spaces: Sequence[OpenSpace],
        vanished: int,
        last_account: str | None,
        account_id: str,
    ) -> bool:
        """Hides what complete sweeps did not see; False when that is doubted.

        So many pages more have vanished with their spaces.
        """
        unseen = [
            (one, *await self._target.nodes.unseen(self._run_id, one.space_id)) for one in spaces
        ]
        gone = vanished + sum(len(node_ids) for _, node_ids, _ in unseen)
        if gone and not self._plan.full and last_account not in (None, account_id):
            self.report.problems.append(
                f"The site was last read as account {last_account} and now as {account_id}, which "
                f"does not see {gone} pages; nothing was hidden. If the new account sees all that "
                f"it should, run `confluence-mcp ingest --full`."
            )
            return False
        if gone and await self._source.identity() != account_id:
            raise SourceError("The account changed during the run; nothing was hidden. Run again.")
        believed = [await self._hide_in(one, ids, known) for one, ids, known in unseen]
        return all(believed)

    async def _hide_in(self, one: OpenSpace, node_ids: Sequence[str], known: int) -> bool:
        if self._is_doubtful(one.space, len(node_ids), known):
            return False
        gone = await self._really_gone(one.space, node_ids)
        self.report.hidden += await self._target.store.tombstone(gone)
        await self._target.store.mark_swept(one.space_id)
        logger.info("space=%s known=%d gone=%d", one.space.key, known, len(gone))
        return True

    def _is_doubtful(self, space: Space, gone: int, before: int) -> bool:
        """Whether so much is missing from a sweep that it is no reason to hide pages."""
        is_doubtful = is_sudden(gone, before) and not self._plan.full
        if is_doubtful:
            self.report.problems.append(
                f"{gone} of {before} pages of space {space.key} are missing from the listing; "
                f"nothing was hidden. Check what the account may see; if they are really gone, "
                f"run `confluence-mcp ingest --full --space {space.key}`."
            )
        return is_doubtful

    async def _really_gone(self, space: Space, node_ids: Sequence[str]) -> list[str]:
        """Those that the site does not show by their ids either, in no space that is taken in."""
        gone: list[str] = []
        for at in range(0, len(node_ids), LOOK_AGAIN):
            some = node_ids[at : at + LOOK_AGAIN]
            shown = await self._source.still_shown(some)
            gone += [
                node_id
                for node_id in some
                if node_id not in shown or not self._plan.space_filter.admits(shown[node_id])
            ]
        if len(gone) < len(node_ids):
            self.report.problems.append(
                f"{len(node_ids) - len(gone)} pages of space {space.key} were missing from its "
                f"listing but are there; they were kept. The next run settles it."
            )
        return gone

    async def _vanished(self, spaces: Sequence[OpenSpace]) -> dict[str, int]:
        """How many pages spaces had, by key, that are to be taken in but are not there any more."""
        if self._is_partial:
            return {}
        sizes = await self._target.nodes.space_sizes()
        keys = sizes.keys() - {one.space.key for one in spaces}
        return {key: sizes[key] for key in keys if self._plan.space_filter.admits(key)}

    async def _leave_other_spaces(
        self, spaces: Sequence[OpenSpace], vanished: Mapping[str, int]
    ) -> None:
        """Hides the pages of spaces that are not taken in any more, or are gone."""
        if self._is_partial:
            return
        kept = await self._doubted(vanished)
        if kept:
            self.report.problems.append(
                f"The spaces {_some(sorted(kept))} are missing from the list of spaces; nothing of "
                f"them was hidden. Check what the account may see; if they are really gone, run "
                f"`confluence-mcp ingest --full`."
            )
        left = sorted({one.space.key for one in spaces} | kept)
        self.report.hidden += await self._target.store.tombstone_other_spaces(left)

    async def _doubted(self, vanished: Mapping[str, int]) -> set[str]:
        """Those of the vanished spaces that are not believed to be gone."""
        if self._plan.full or not vanished:
            return set()
        sizes = await self._target.nodes.space_sizes()
        if is_sudden(sum(vanished.values()), sum(sizes.values())):
            return set(vanished)
        doubted: set[str] = set()
        for key in vanished:
            some = await self._target.nodes.some_of(key, LOOK_AGAIN)
            if key in (await self._source.still_shown(some)).values():
                doubted.add(key)
        return doubted


def _some(keys: Sequence[str]) -> str:
    """The first keys of many, for a person."""
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return (", ".join(sorted(keys)[:SHOWN_KEYS]) or "none") + more
