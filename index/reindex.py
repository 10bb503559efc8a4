"""Changing the embedding model of an index, while questions are answered and pages come in."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, UndefinedTable

from index.database import Database
from index.embeddings import Embedder
from index.errors import BadRequest, DatabaseError, ModelMismatchError
from index.models import (
    LOCK_MODELS,
    EmbeddingModel,
    active_model,
    fitting_dimension,
    model_being_built,
)
from index.reindex_build import BATCH, Build, Built, Progress
from index.reindex_tables import TablesInUse, activate, add_model, drop_model, drop_retired
from index.runs import REINDEX, alone
from index.status import is_empty
from index.upkeep_graph import HNSW_FROM, build_graph

logger = logging.getLogger(__name__)

PASSES, TRIES = 3, 20
# How long writers may be kept waiting while the last chunks get their vectors.
HELD_S = 30.0
WAIT_FOR_WRITERS = "SELECT set_config('lock_timeout', '10s', true)"
VACUUM = sql.SQL("VACUUM (ANALYZE) {}, {}")


class ReindexInProgress(DatabaseError):
    """Another reindex works on this index now: wait for it, or look at `confluence-mcp status`."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is built: texts a second and batches at once, and bytes to build a graph in."""

    rate: float | None = None
    concurrency: int = 2
    most_memory: int | None = None


BY_ITSELF = Way()


@dataclass(frozen=True, slots=True)
class Switched:
    """How the model was changed; times are in seconds, writers waited for `held`."""

    old: str
    new: str
    built: Built
    seconds: float
    graph: float
    held: float
    is_tidy: bool

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON."""
        return {**asdict(self), "switched": True}

    def summary(self) -> str:
        """For a person."""
        built = self.built
        lines = [
            f"{self.new} is the embedding model of the index now; it was {self.old}.",
            f"{built.done:,} chunks, of which {built.embedded:,} were embedded now in "
            f"{self.seconds:,.0f} s: {built.requests:,} requests, about {built.tokens:,} tokens; "
            f"writers waited for {self.held:.1f} s.",
            f"Where EMBEDDING_MODEL is set, set it to {self.new} or unset it.",
        ]
        if built.cut:
            lines.append(
                f"{built.cut:,} chunks are longer than this model reads: `confluence-mcp ingest "
                "--full` cuts them anew."
            )
        if not self.is_tidy:
            lines.append(
                "The old vectors were in use all the time: `confluence-mcp reindex` drops them."
            )
        return "\n".join(lines)


async def switch_model(
    database: Database,
    embedder: Embedder,
    way: Way = BY_ITSELF,
    *,
    progress: Progress = lambda built: None,
) -> Switched | None:
    """Makes another model that of the index; None when it is already.

    A build that was ended in between goes on where it stood. Raises ReindexInProgress,
    EmbeddingError, DatabaseError, or BadRequest when another model is half built.
    """
    async with alone(database, REINDEX, ReindexInProgress), explained(embedder.model):
        await drop_retired(database)
        old, new = await _begun(database, embedder)
        if new is None:
            return None
        build = Build(
            database,
            new,
            embedder,
            rate=way.rate,
            concurrency=way.concurrency,
            progress=progress,
        )
        return await _switched(database, old, build, way)


async def abandon(database: Database) -> EmbeddingModel | None:
    """Drops a half-built model; gives which, None when there is none."""
    async with alone(database, REINDEX, ReindexInProgress), explained(None):
        await drop_retired(database)
        async with database.pool.connection() as connection:
            built = await model_being_built(connection)
        if built is not None:
            await drop_model(database, built.id)
        return built


async def _begun(
    database: Database, embedder: Embedder
) -> tuple[EmbeddingModel, EmbeddingModel | None]:
    """The active model, and the one to be built; None when they are the same."""
    dimension = await fitting_dimension(embedder)
    async with database.pool.connection() as connection:
        active = await active_model(connection)
        built = await model_being_built(connection)
    if active is None or await is_empty(database):
        raise BadRequest(
            f"The index is empty: set EMBEDDING_MODEL to {embedder.model} and run "
            "`confluence-mcp ingest`."
        )
    if built is not None and built.name != embedder.model:
        raise BadRequest(
            f"The vectors of {built.name} are half built: go on with `confluence-mcp reindex "
            f"--embedding-model {built.name}`, or drop them with `confluence-mcp reindex "
            "--abandon`."
        )
    same = active if active.name == embedder.model else built
    if same is not None and same.dimension != dimension:
        raise ModelMismatchError(
            f"The embedding model {same.name} gave vectors of {same.dimension} numbers before, and "
            f"gives {dimension} now: another model answers under this name.\n"
            "Correct OPENAI_BASE_URL; vectors that are half built are dropped with "
            "`confluence-mcp reindex --abandon`."
        )
    if same is active:
        return active, None
    return active, built or await add_model(database, embedder.model, dimension)


async def _switched(database: Database, old: EmbeddingModel, build: Build, way: Way) -> Switched:
    started = time.monotonic()
    await build.measure()
    for _ in range(PASSES):
        if await build.fill() <= BATCH:
            break
    filled = time.monotonic()
    if old.has_hnsw or build.built.done >= HNSW_FROM:
        await build_graph(database, build.model, way.most_memory)
    async with await database.connect() as connection:
        await connection.execute(VACUUM.format(build.model.vectors, build.model.bits))
    graphed = time.monotonic()
    held = await _taken_into_use(database, build)
    logger.info("model=%s took the place of %s", build.model.name, old.name)
    try:
        await drop_retired(database)
        is_tidy = True
    except TablesInUse:
        is_tidy = False
    return Switched(
        old=old.name,
        new=build.model.name,
        built=build.built,
        seconds=time.monotonic() - started,
        graph=graphed - filled,
        held=held,
        is_tidy=is_tidy,
    )


async def _taken_into_use(database: Database, build: Build) -> float:
    """Switches once no chunk lacks a vector; for how many seconds writers waited."""
    for _ in range(TRIES):
        await build.fill()
        try:
            held = await _activated(database, build)
        except (LockNotAvailable, TimeoutError) as error:
            logger.info("the switch is tried again: problem=%r", str(error))
            continue
        if held is not None:
            return held
    raise DatabaseError(
        "Pages are written faster than they can be embedded, so that the model was not switched.\n"
        "Run the same command again, with a higher --rate or when less is ingested: it goes on "
        "where it stood."
    )


async def _activated(database: Database, build: Build) -> float | None:
    """Keeps writers waiting for the last few chunks and the switch; None when many are left."""
    async with database.pool.connection() as connection:
        await connection.execute(WAIT_FOR_WRITERS)
        await connection.execute(LOCK_MODELS)
        held_from = time.monotonic()
        texts = await build.lacking(connection, BATCH + 1)
        if len(texts) > BATCH:
            return None
        if texts:
            async with asyncio.timeout(HELD_S):
                await build.store(connection, texts, await build.embed(texts))
            if await build.lacking(connection, 1):
                return None
        if not await activate(connection, build.model):
            raise UndefinedTable(f"{build.model.name} is gone")
    return time.monotonic() - held_from


@asynccontextmanager
async def explained(model: str | None) -> AsyncGenerator[None]:
    """Says what to do when the database does not let a model be changed."""
    again = "What is done so far is kept: run the same command again."
    try:
        yield
    except UndefinedTable as error:
        raise DatabaseError(
            f"The vectors of {model} were dropped meanwhile, since the index was filled anew by "
            "another ingest.\nRun the command again if the model is still to be changed."
        ) from error
    except InsufficientPrivilege as error:
        raise DatabaseError(
            f"The user of the database may not do this: {error.diag.message_primary}.\n"
            "Run the command as the user that owns the tables of the index."
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseError(f"Postgres failed meanwhile: {error}\n{again}") from error
