"""The jobs of workers: look at the site, take pages in, settle what they left for later."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import psycopg
from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job

from index.errors import (
    AuthenticationError,
    ConfluenceMcpError,
    DatabaseError,
    EmbeddingError,
    ModelMismatchError,
    SourceError,
)
from index.hints import forget, noted
from index.queue import LOOK, QUEUE, SETTLE, TAKE_IN, Batch, QueueError, in_batches
from index.queue_runs import add_to_run
from index.queue_strays import strays
from index.runs import RunInProgress, finish_run, only_run, start_run
from index.store import fold_term_changes
from index.vocabulary import rebuild_words
from index.work import Work
from ingest.fetch import Fetcher
from ingest.jobs_shared import Shared
from ingest.listing import OpenSpace
from ingest.metrics import ingest_run
from ingest.pipeline import Pipeline, Target
from ingest.report import Report
from ingest.run import claim, leave_stand_ins, reason_of
from ingest.sync import Plan, Sync

logger = logging.getLogger(__name__)

PAGES = 25  # of a job
# So many jobs of earlier looks waiting, and a look leaves the rest to the next one.
MOST_WAITING = 2_000
LONGEST = 3600.0  # seconds that a job may take
MOST_ATTEMPTS = 10
FIRST_DELAY, LONGEST_DELAY = 5, 300  # seconds before a job is tried again
SETTLE_AFTER, SETTLE_AGAIN = 2, 5  # seconds
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, QueueError, DatabaseError)
# It is not the pages that are wrong: the same job may succeed later.
LATER = (SourceError, EmbeddingError, TimeoutError, *AWAY)


class TryLater(BaseRetryStrategy):
    """Gives jobs back that were stopped, and tries those again that could not be done yet."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When the job is due again; None when it has failed."""
        if isinstance(exception, asyncio.CancelledError | ModelMismatchError):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, LATER) and _is_worth_trying(exception, job.attempts):
            seconds = min(FIRST_DELAY * 2**job.attempts, LONGEST_DELAY)
            return RetryDecision(retry_in={"seconds": seconds})
        return None


def _is_worth_trying(error: BaseException, attempts: int) -> bool:
    return attempts < MOST_ATTEMPTS and not isinstance(error, AuthenticationError)


class Jobs:
    """Each job is done by one worker; one that is done twice costs little and harms nothing."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def register(self, app: App) -> None:
        """Lets a worker do these jobs."""
        # A look and a settling are deferred anew in place of being tried again: their queueing
        # locks would not let a waiting one and a retried one stand side by side.
        app.task(name=LOOK, queue=QUEUE)(self.look)
        app.task(name=SETTLE, queue=QUEUE)(self.settle)
        app.task(name=TAKE_IN, queue=QUEUE, retry=TryLater(), pass_context=True)(self.take_in)

    async def look(self, timestamp: int = 0, for_hints: bool = False) -> None:
        """Lists the site, hides what is gone, and defers what is due. `timestamp`: of the tick."""
        try:
            async with only_run(self._shared.database):
                await self._look(for_hints=for_hints)
        except RunInProgress as busy:
            logger.info("look left out: %s", busy)
        except ModelMismatchError as error:
            self._shared.fail(error)
        except (ConfluenceMcpError, *AWAY) as error:
            logger.error("The look failed; the next one is tried in time. %s", error)
        except asyncio.CancelledError:
            await self._shared.queue.defer_look()
            raise
        except Exception:
            logger.exception("The look failed; the next one is tried in time.")

    async def _look(self, *, for_hints: bool) -> None:
        shared = self._shared
        hinted, until = await noted(shared.database)
        if for_hints and not hinted:
            return
        try:
            await self._look_at(hinted)
        except Exception:  # what this look could not do is left to the next one that is due
            await forget(shared.database, until)
            raise
        await forget(shared.database, until)

    async def _look_at(self, hinted: frozenset[str]) -> None:
        shared = self._shared
        plan = Plan.of(shared.settings, quick=True, hinted=hinted)
        async with shared.open_source() as source:
            await leave_stand_ins(shared.database, source)
            await rebuild_words(shared.database)
            model = await claim(shared.database, shared.embedder, source, anew=False)
            target = await shared.target_for(model)
            run_id = await start_run(shared.database, target.store.site_id)
            report = Report(source.site_url)
            fetcher = Fetcher(source, shared.reader, plan.rules, has_comments=plan.has_comments)
            pipeline = Pipeline(source, target, shared.embedder, fetcher, report)
            sync = Sync(source, target, pipeline, plan, report, run_id=run_id)
            spaces = await self._recorded(sync, run_id)
            await self._defer_hinted(target, plan, run_id)
            await self._defer(sync, spaces, run_id, hinted)
        await shared.queue.defer_settle(SETTLE_AFTER)

    async def _recorded(self, sync: Sync, run_id: int) -> Sequence[OpenSpace]:
        """Looks, and puts on record what came of it; jobs add to that."""
        started = time.monotonic()
        try:
            with ingest_run("look") as run:
                spaces = await sync.look()
                run.succeeded = sync.report.succeeded
                return spaces
        except BaseException as error:
            sync.report.error = reason_of(error)
            raise
        finally:
            report = sync.report
            report.seconds = time.monotonic() - started
            await finish_run(
                self._shared.database,
                run_id,
                succeeded=report.succeeded,
                report=report.to_json(),
            )
            logger.info("run=%d look: %s", run_id, report.error or report.summary())

    async def _defer_hinted(self, target: Target, plan: Plan, run_id: int) -> None:
        due = await target.work_list.next(
            plan.recipes, limit=len(plan.hinted), page_ids=plan.hinted, again=plan.hinted
        )
        page_ids = [work.page_id for work in due]
        batches = in_batches(page_ids, run_id, PAGES, again=True)
        await self._shared.queue.defer_batches(batches, hinted=True)
        await add_to_run(self._shared.database, run_id, {"due": len(page_ids)})

    async def _defer(
        self, sync: Sync, spaces: Sequence[OpenSpace], run_id: int, hinted: frozenset[str]
    ) -> None:
        """Has all due pages taken in, but those that wait already."""
        queue = self._shared.queue
        waiting, _ = await queue.waiting_batches()
        if waiting > MOST_WAITING:
            logger.info("run=%d waiting=%d: the next look defers what is due", run_id, waiting)
            return
        passed_over = hinted | await queue.waiting_pages()
        async with aclosing(sync.work(spaces)) as works:
            async for batch in works:
                due = [work.page_id for work in batch if work.page_id not in passed_over]
                await queue.defer_batches(in_batches(due, run_id, PAGES, again=False))
                await add_to_run(self._shared.database, run_id, {"due": len(due)})

    async def take_in(
        self, context: JobContext, run_id: int, page_ids: list[str], again: bool
    ) -> None:
        """Takes in those of the pages that are still due."""
        batch = Batch(run_id, page_ids, again)
        try:
            with ingest_run("batch"):
                async with asyncio.timeout(LONGEST):
                    await self._take_in(batch)
        except ModelMismatchError as error:
            self._shared.fail(error)
            raise
        except LATER as error:
            logger.warning("run=%d pages=%d not taken in: %s", run_id, len(page_ids), error)
            if _is_worth_trying(error, context.job.attempts):
                raise
            await add_to_run(self._shared.database, run_id, {}, reason_of(error))
            if not isinstance(error, EmbeddingError):
                raise
            await self.take_apart(batch, error)
        except Exception as error:  # whatever it was, it must not cost the other pages
            logger.exception("run=%d pages=%d cannot be taken in", run_id, len(page_ids))
            await self.take_apart(batch, error)

    async def _take_in(self, batch: Batch) -> None:
        shared = self._shared
        plan = Plan.of(shared.settings)
        target = await shared.target()
        if target is None:
            return
        async with shared.sources.of(batch.run_id) as of_run:
            report = Report(of_run.source.site_url)
            fetcher = Fetcher(
                of_run.source, shared.reader, plan.rules, has_comments=plan.has_comments
            )
            pipeline = Pipeline(of_run.source, target, shared.embedder, fetcher, report)
            try:
                await pipeline.take_in(_works(target, plan, batch))
                if batch.again:  # what lies below a page that turned out to stand elsewhere
                    await target.work_list.place()
            finally:
                counts = _counts(report) | {"requests": of_run.new_requests()}
                await add_to_run(shared.database, batch.run_id, counts)
        async with shared.database.pool.connection() as connection:
            await fold_term_changes(connection)  # what is stored can be found by its words
        logger.info(
            "run=%d pages=%d due=%d stored=%d failed=%d",
            *(batch.run_id, len(batch.page_ids), report.due, report.stored, report.failed),
        )

    async def take_apart(self, batch: Batch, error: Exception) -> None:
        """Has each page taken in alone; one that is alone already has failed."""
        if len(batch.page_ids) > 1:
            alone = in_batches(batch.page_ids, batch.run_id, 1, again=batch.again)
            await self._shared.queue.defer_batches(alone)
            return
        target = await self._shared.target()
        if target is None:
            return
        async for works in _works(target, Plan.of(self._shared.settings), batch):
            for work in works:
                await target.store.record_failure(
                    work.space_id, work.page_id, work.title, reason_of(error), work.version
                )
                await add_to_run(self._shared.database, batch.run_id, {"failed": 1})

    async def settle(self) -> None:
        """Tidies the index up, once no page is being taken in."""
        shared = self._shared
        try:
            if (await shared.queue.waiting_batches())[1]:
                await shared.queue.defer_settle(SETTLE_AGAIN)
                return
            if target := await shared.target():
                await target.store.tombstone(await strays(shared.database, target.store.site_id))
                await target.store.settle()
            await shared.queue.forget_the_failed()
        except ModelMismatchError as error:
            shared.fail(error)
        except AWAY as error:
            logger.warning("The index was not tidied up; the next look has it done. %s", error)
        except Exception:
            logger.exception("The index was not tidied up; the next look has it done.")


async def _works(target: Target, plan: Plan, batch: Batch) -> AsyncGenerator[Sequence[Work]]:
    works = await target.work_list.next(
        plan.recipes,
        limit=len(batch.page_ids),
        page_ids=batch.page_ids,
        again=batch.page_ids if batch.again else (),
    )
    if works:
        yield works


def _counts(report: Report) -> dict[str, int]:
    """What jobs add to the report of their look."""
    return {
        "stored": report.stored,
        "failed": report.failed,
        "unreadable": report.unreadable,
        "comments": report.comments,
        "attachments": report.attachments,
        "chunks": report.chunks,
        "embedded": report.embedded,
        "tokens": report.tokens,
    }
