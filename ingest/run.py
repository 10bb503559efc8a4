"""One run from end to end: the database, the model, the site, and a record of how it went."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import psycopg

from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.errors import DatabaseError
from index.models import EmbeddingModel, active_model, claim_model
from index.runs import finish_run, forget_old_failures, only_run, start_run
from index.settings import IndexSettings
from index.status import is_empty
from index.store import Store, fold_term_changes, forget_site, other_sites
from ingest.report import Report
from ingest.settings import SAMPLE_SITE, UNNAMED_SITE, SpaceFilter
from ingest.sources.source import Source
from ingest.sync import Progress, Sync

logger = logging.getLogger(__name__)


async def ingest_once(
    settings: IndexSettings,
    source: Source,
    *,
    space_filter: SpaceFilter,
    full: bool = False,
    is_partial: bool = False,
    progress: Progress = lambda report: None,
) -> Report:
    """Takes a site in once. Raises RunInProgress when another run fills the same index.

    A run that `is_partial` leaves spaces as they are that the filter does not admit.
    """
    make_sync = partial(
        Sync,
        source,
        space_filter=space_filter,
        full=full,
        is_partial=is_partial,
        progress=progress,
    )
    async with Database.open(settings, application_name="confluence-mcp ingest") as database:
        try:
            async with only_run(database):
                await _leave_stand_ins(database, source)
                anew = full and not is_partial
                return await _ingest(database, settings, source, make_sync, anew=anew)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseError(
                f"Postgres failed during the run: {error}\n"
                f"Pages stored so far are kept; run the ingest again."
            ) from error


async def _ingest(
    database: Database,
    settings: IndexSettings,
    source: Source,
    make_sync: Callable[[Store, Embedder], Sync],
    *,
    anew: bool,
) -> Report:
    embedder = await _open_embedder(database, settings)
    try:
        model = await _claim(database, embedder, source, anew=anew)
        store = await Store.open(database, source.site_url, model)
        return await _recorded(database, store, make_sync(store, embedder))
    finally:
        await embedder.close()


async def _leave_stand_ins(database: Database, source: Source) -> None:
    """Makes room for a real site, or for an export after the sample, once it can be read."""
    if source.site_url == SAMPLE_SITE:
        return
    stand_ins = {SAMPLE_SITE, UNNAMED_SITE} - {source.site_url}
    if stand_ins.intersection(await other_sites(database, source.site_url)):
        await source.spaces()  # a site that does not answer must not cost what is there
    for stand_in in stand_ins:
        await forget_site(database, stand_in)


async def _open_embedder(database: Database, settings: IndexSettings) -> Embedder:
    """The configured model, else the one of the chunks that are there."""
    if await is_empty(database):
        return await open_embedder(settings)
    async with database.pool.connection() as connection:
        recorded = await active_model(connection)
    return await open_embedder(settings, recorded.name if recorded else None)


async def _claim(
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


async def _recorded(database: Database, store: Store, sync: Sync) -> Report:
    """Runs it, and puts on record how that ended, a stop like a failure."""
    run_id = await start_run(database, store.site_id)
    try:
        report = await sync.run()
    except BaseException as error:
        sync.report.error = _reason(error)
        await finish_run(database, run_id, succeeded=False, report=sync.report.to_json())
        async with database.pool.connection() as connection:
            await fold_term_changes(connection)  # what is stored can be found by its words
        raise
    if report.succeeded:
        await forget_old_failures(database, run_id, of_all_spaces=not sync.is_partial)
    await finish_run(database, run_id, succeeded=report.succeeded, report=report.to_json())
    return report


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "stopped before the end"
    return str(error) or type(error).__name__
