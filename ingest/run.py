"""One run from end to end: the database, the model, the site, and a record of how it went."""

import logging

import psycopg

from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.errors import DatabaseError
from index.models import EmbeddingModel, active_model, claim_model
from index.runs import finish_run, only_run, start_run
from index.settings import IndexSettings
from index.store import Store, forget_site
from ingest.report import Report
from ingest.settings import SpaceFilter
from ingest.sources.source import Source
from ingest.sync import Progress, Sync

logger = logging.getLogger(__name__)

# Sites that are no real ones: the invented company of the sample space, and exports whose site was
# not named. They leave the index when a real site comes in.
SAMPLE_SITE = "https://harbourlight.example/wiki"
UNNAMED_SITE = "https://confluence.invalid/wiki"


async def ingest_once(
    settings: IndexSettings,
    source: Source,
    *,
    space_filter: SpaceFilter,
    full: bool = False,
    progress: Progress = lambda report: None,
) -> Report:
    """Takes a site in once. Raises RunInProgress when another run fills the same index."""
    async with Database.open(settings, application_name="confluence-mcp ingest") as database:
        try:
            async with only_run(database):
                return await _ingest(database, settings, source, space_filter, full, progress)
        except psycopg.OperationalError as error:
            raise DatabaseError(
                f"Postgres went away during the run: {error}\n"
                f"Pages stored so far are kept; run the ingest again."
            ) from error


async def _ingest(
    database: Database,
    settings: IndexSettings,
    source: Source,
    space_filter: SpaceFilter,
    full: bool,
    progress: Progress,
) -> Report:
    for stand_in in {SAMPLE_SITE, UNNAMED_SITE} - {source.site_url}:
        if source.site_url != SAMPLE_SITE:
            await forget_site(database, stand_in)
    async with database.pool.connection() as connection:
        recorded = await active_model(connection)
    embedder = await open_embedder(settings, recorded.name if recorded else None)
    try:
        model = await _claim(database, embedder, recorded, full=full)
        store = await Store.open(database, source.site_url, model)
        run_id = await start_run(database, store.site_id)
        sync = Sync(
            source, store, embedder, space_filter=space_filter, full=full, progress=progress
        )
        try:
            report = await sync.run()
        except BaseException as error:  # a stop is put on record like a failure
            failure: dict[str, object] = {"error": str(error) or "stopped before the end"}
            await finish_run(database, run_id, succeeded=False, report=failure)
            raise
        await finish_run(database, run_id, succeeded=report.succeeded, report=report.to_json())
        return report
    finally:
        await embedder.close()


async def _claim(
    database: Database, embedder: Embedder, recorded: EmbeddingModel | None, *, full: bool
) -> EmbeddingModel:
    """The recorded model; a full run may bring another one, and then fills the index anew."""
    await embedder.dimension()  # a model that does not answer must not cost the index
    if full and recorded is not None and recorded.name != embedder.model:
        logger.warning("model=%s replaces %s; the index is filled anew", embedder.model, recorded)
        await forget_site(database, None)
    async with database.pool.connection() as connection:
        return await claim_model(connection, embedder)
