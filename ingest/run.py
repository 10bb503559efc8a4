"""One run from end to end: the database, the model, the site, and a record of how it went."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import psycopg

from index.database import Database
from index.embedder_choice import chosen_model, embedder_of
from index.embeddings import Embedder
from index.errors import DatabaseError
from index.guards import Guards
from index.models import EmbeddingModel, ModelSwitched, active_model, claim_model
from index.nodes import Nodes
from index.runs import finish_run, only_run, start_run
from index.settings import IndexSettings
from index.status import is_empty
from index.store import Store, fold_term_changes, forget_site, other_sites
from index.vocabulary import rebuild_words
from index.work import WorkList
from ingest.attachments.reading import AttachmentReader
from ingest.fetch import Fetcher
from ingest.metrics import ingest_run
from ingest.pipeline import Pipeline, Progress, Target
from ingest.report import Report
from ingest.schedule import utc_now
from ingest.settings import SAMPLE_SITE, UNNAMED_SITE
from ingest.sources.source import Source
from ingest.sync import Plan, Sync

logger = logging.getLogger(__name__)

TRY_AGAIN_AFTER = (1.0, 10.0)  # seconds


async def ingest_once(
    settings: IndexSettings,
    source: Source,
    plan: Plan,
    *,
    now: Callable[[], datetime] = utc_now,
    progress: Progress = lambda report: None,
    try_again_after: Sequence[float] = TRY_AGAIN_AFTER,
) -> Report:
    """Takes a site in once. Raises RunInProgress when another run fills the same index.

    A run that loses the database begins anew some seconds later, as often as `try_again_after` has
    it, and one whose model is replaced under way with the new one; what is stored is kept.
    """
    anew = plan.full and not plan.is_partial
    for seconds in try_again_after:
        try:
            return await _ingest_alone(settings, source, plan, now, progress, anew=anew)
        except ModelSwitched as error:
            logger.warning("the run begins anew: %s", error)
            anew = False  # what another process has just made must not be lost
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, psycopg.errors.DiskFull):
                raise _failed(error) from error
            logger.warning("Postgres is lost, and tried again: problem=%r", str(error))
        await asyncio.sleep(seconds)
    try:
        return await _ingest_alone(settings, source, plan, now, progress, anew=anew)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise _failed(error) from error


def _failed(error: Exception) -> DatabaseError:
    return DatabaseError(
        f"Postgres failed during the run: {error}\n"
        f"Pages stored so far are kept; run the ingest again."
    )


async def _ingest_alone(
    settings: IndexSettings,
    source: Source,
    plan: Plan,
    now: Callable[[], datetime],
    progress: Progress,
    *,
    anew: bool,
) -> Report:
    async with (
        Database.open(settings, application_name="confluence-mcp ingest") as database,
        only_run(database),
    ):
        await leave_stand_ins(database, source)
        await rebuild_words(database)
        return await _ingest(database, settings, source, plan, now, progress, anew=anew)


async def _ingest(
    database: Database,
    settings: IndexSettings,
    source: Source,
    plan: Plan,
    now: Callable[[], datetime],
    progress: Progress,
    *,
    anew: bool,
) -> Report:
    embedder = await choose_embedder(database, settings)
    try:
        model = await claim(database, embedder, source, anew=anew)
        store = await Store.open(database, source.site_url, model)
        run_id = await start_run(database, store.site_id)
        async with AttachmentReader() as reader:
            target = target_of(database, store)
            report = Report(source.site_url)
            fetcher = Fetcher(source, reader, plan.rules, has_comments=plan.has_comments)
            pipeline = Pipeline(source, target, embedder, fetcher, report, progress)
            sync = Sync(
                source, target, pipeline, plan, report, run_id=run_id, now=now, progress=progress
            )
            return await _recorded(database, run_id, sync)
    finally:
        await embedder.close()


def target_of(database: Database, store: Store) -> Target:
    """The index of one site."""
    site_id = store.site_id
    return Target(
        store, Nodes(database, site_id), WorkList(database, site_id), Guards(database, site_id)
    )


async def leave_stand_ins(database: Database, source: Source) -> None:
    """Makes room for a real site, or for an export after the sample, once it can be read."""
    if source.site_url == SAMPLE_SITE:
        return
    stand_ins = {SAMPLE_SITE, UNNAMED_SITE} - {source.site_url}
    if stand_ins.intersection(await other_sites(database, source.site_url)):
        await source.spaces()  # a site that does not answer must not cost what is there
    for stand_in in stand_ins:
        await forget_site(database, stand_in)


async def choose_embedder(database: Database, settings: IndexSettings) -> Embedder:
    """The configured model, else the one of the chunks that are there."""
    recorded = None
    if not await is_empty(database):
        async with database.pool.connection() as connection:
            recorded = await active_model(connection)
    return await embedder_of(settings, chosen_model(settings, recorded and recorded.name))


async def claim(
    database: Database, embedder: Embedder, source: Source, *, anew: bool
) -> EmbeddingModel:
    """The recorded model; a run that fills the index `anew` may bring another one."""
    dimension = await embedder.dimension()  # a model that does not answer must not cost the index
    async with database.pool.connection() as connection:
        recorded = await active_model(connection)
    is_other = recorded and (recorded.name, recorded.dimension) != (embedder.model, dimension)
    if anew and is_other and not await is_empty(database):
        await source.spaces()  # nor must a site that does not
        for site_url in await other_sites(database, source.site_url):
            logger.warning("site=%s leaves the index: take it in again", site_url)
        logger.warning("model=%s fills the index anew", embedder.model)
        await forget_site(database, None)
    async with database.pool.connection() as connection:
        return await claim_model(connection, embedder)


async def _recorded(database: Database, run_id: int, sync: Sync) -> Report:
    """Runs it, and puts on record how that ended, a stop like a failure."""
    try:
        with ingest_run("run") as run:
            report = await sync.run()
            run.succeeded = report.succeeded
    except BaseException as error:
        sync.report.error = reason_of(error)
        await finish_run(database, run_id, succeeded=False, report=sync.report.to_json())
        async with database.pool.connection() as connection:
            await fold_term_changes(connection)  # what is stored can be found by its words
        raise
    await finish_run(database, run_id, succeeded=report.succeeded, report=report.to_json())
    return report


def reason_of(error: BaseException) -> str:
    """Why a run ended early, for its record."""
    if isinstance(error, asyncio.CancelledError):
        return "stopped before the end"
    return str(error) or type(error).__name__
