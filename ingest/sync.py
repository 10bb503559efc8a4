"""Keeps the index equal to a site: look, hide what is gone, take in what is new or changed."""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from index.errors import SourceError
from index.nodes import Reading
from index.records import Space
from index.work import Recipes, Work
from ingest.access import AccessReading, Beforehand
from ingest.convert_page import RECIPE
from ingest.fetch import AttachmentRules
from ingest.hiding import Hiding, some_of
from ingest.listing import Listing, OpenSpace
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
EVERY_SPACE = SpaceFilter(frozenset(), frozenset())
EVERY_KIND = AttachmentRules()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to look at; with `has_access` also who may read it.

    Spaces that the filter does not admit are hidden. A run that looks at `only` some, named by
    their keys in lower case, leaves all others alone, and may name such as are not admitted.
    `full` fetches every page anew, and believes a listing that misses most of the known pages.
    `quick` reads the feeds of changes only, unless a sweep is due; `hinted` are pages to look at
    besides, whose spaces are swept when they are not where they were.
    """

    space_filter: SpaceFilter = EVERY_SPACE
    rules: AttachmentRules = EVERY_KIND
    has_comments: bool = True
    has_access: bool = True
    only: frozenset[str] = frozenset()
    full: bool = False
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
        return cls(
            space_filter=settings.space_filter,
            rules=AttachmentRules(settings.attachment_kinds, settings.attachment_bytes),
            has_comments=settings.confluence_comments,
            has_access=settings.confluence_permissions,
            only=frozenset(key.strip().lower() for key in only),
            full=full,
            quick=quick and not full,
            hinted=hinted,
        )

    @property
    def is_partial(self) -> bool:
        """Whether it looks at some spaces only."""
        return bool(self.only)

    def admits(self, space_key: str) -> bool:
        """Whether the index is to hold the space."""
        return space_key.lower() in self.only or self.space_filter.admits(space_key)

    def looks_at(self, space_key: str) -> bool:
        """Whether the run is to look at the space."""
        return space_key.lower() in self.only if self.only else self.admits(space_key)

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
        self._hiding = Hiding(
            source,
            target,
            report,
            plan.admits,
            run_id=run_id,
            believed=plan.full,
            whole_site=not self._is_partial,
        )
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
            before = await self._before(spaces)
            reading, swept = await self._look_at_all(listing, spaces, reading, account_id)
            is_whole = not self._is_partial
            await self._look_at_access(
                lambda access: access.all(spaces, before, is_whole_site=is_whole)
            )
        self._count(listing)
        if not self._is_partial:
            await self._target.nodes.record_reading(reading)
        self.report.problems += listing.problems
        self.report.moved += await self._target.work_list.place()
        await self._look_at_access(lambda access: access.finish(swept))
        self.report.purged += await self._target.store.purge(datetime.now(UTC) - GRACE)
        return spaces

    async def _before(self, spaces: Sequence[OpenSpace]) -> Beforehand:
        """Who is let in now, of which nothing is told yet: the same is asked for once more."""
        if not self._plan.has_access:
            return Beforehand()
        access = AccessReading(self._source, self._target.guards, self._run_id)
        return await access.beforehand(spaces)

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
        admitted = [space for space in listed if self._plan.looks_at(space.key)]
        named = self._plan.only or self._plan.space_filter.included
        missing = named - {space.key.lower() for space in listed}
        # An export has its own spaces only: those that are configured besides are not missed.
        if missing and (self._source.is_whole_site or not admitted):
            raise SourceError(
                f"{self._source.site_url} does not show this account the space "
                f"{', '.join(sorted(missing)).upper()}, but only "
                f"{some_of([space.key for space in listed])}.\n"
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
            await self._hiding.hide_in(one)

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
        vanished = await self._hiding.vanished(spaces)
        gone = sum(vanished.values())
        if await self._hiding.hide(complete, gone, before.account_id, account_id):
            reading = replace(reading, account_id=account_id)
            await self._hiding.leave_other_spaces(spaces, vanished)
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
