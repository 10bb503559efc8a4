"""The index that is asked: one that is filled for the evaluation and never one's own."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from evals.collection import Collection
from evals.fill import fill
from index.access import Asker, Askers
from index.database import Database
from index.embedder_choice import open_embedder
from index.errors import BadRequest
from ingest.progress import shown_progress
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.settings import ServerSettings

APPLICATION = "confluence-mcp eval"


@contextmanager
def index_to_fill(model: str | None, keep: Path | None) -> Generator[ServerSettings]:
    """Settings of an index that is forgotten afterwards, unless it has a home to keep it in."""
    settings = ServerSettings.load()
    settings.postgres_url = settings.postgres_replica_url = None
    settings.embedding_model = model or settings.embedding_model
    if keep is not None:
        settings.confluence_mcp_home = keep
        yield settings
        return
    # A server that is about to stop may still write what is then left behind.
    with tempfile.TemporaryDirectory(
        prefix="confluence-mcp-eval-", ignore_cleanup_errors=True
    ) as folder:
        settings.confluence_mcp_home = Path(folder)
        yield settings


async def take_in_sample(settings: ServerSettings) -> None:
    """The sample space, as `confluence-mcp ingest` takes an export in."""
    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
        with shown_progress() as progress:
            await ingest_once(settings, source, Plan(), progress=progress)


async def take_in(collection: Collection, settings: ServerSettings) -> None:
    """A collection of texts."""
    embedder = await open_embedder(settings)
    try:
        async with Database.open(settings, application_name=APPLICATION) as database:
            with shown_progress() as progress:
                await fill(database, embedder, collection, progress)
    finally:
        await embedder.close()


async def asker_named(database: Database, user: str) -> Asker:
    """Who asks as an account; raises BadRequest where the index knows none."""
    asker = await Askers(database).named(user, user)
    if not asker.accounts:
        raise BadRequest(
            f"The index knows no active account {user}: name its id, user name or e-mail address."
        )
    return asker
