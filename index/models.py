"""Which embedding model fills the index, and the tables that hold its vectors."""

from dataclasses import dataclass

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow, class_row

from index.embeddings import Embedder, Vector
from index.errors import EmbeddingError, ModelMismatchError

MAX_DIMENSION = 4_000  # what pgvector's graph index takes of half-precision numbers


class ModelSwitched(ModelMismatchError):
    """The index has another embedding model since this began: what is stored is kept."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model known to the index; `has_hnsw` tells whether its vectors have a graph index."""

    id: int
    name: str
    dimension: int
    has_hnsw: bool

    @property
    def vectors(self) -> sql.Identifier:
        """The table of its vectors."""
        return sql.Identifier(f"chunk_vector_{self.id}")

    @property
    def bits(self) -> sql.Identifier:
        """The table of its binary-quantised vectors."""
        return sql.Identifier(f"chunk_bits_{self.id}")

    @property
    def graph(self) -> str:
        """The name of the graph index over its vectors."""
        return f"chunk_vector_hnsw_{self.id}"


ACTIVE_MODEL = "SELECT id, name, dimension, has_hnsw FROM embedding_model WHERE active"
BUILT_MODEL = """
SELECT id, name, dimension, has_hnsw FROM embedding_model WHERE NOT active AND retired_at IS NULL
"""


async def active_model(connection: AsyncConnection[TupleRow]) -> EmbeddingModel | None:
    """The model that fills the index; None before the first ingest."""
    async with connection.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        await cursor.execute(ACTIVE_MODEL)
        return await cursor.fetchone()


async def model_being_built(connection: AsyncConnection[TupleRow]) -> EmbeddingModel | None:
    """The model whose vectors are being made beside those of the active one, if any."""
    async with connection.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        await cursor.execute(BUILT_MODEL)
        return await cursor.fetchone()


# Whoever changes chunks holds it with others; whoever changes the model holds it alone.
SHARE_MODEL = "SELECT pg_advisory_xact_lock_shared(hashtextextended('confluence-mcp model', 0))"
LOCK_MODELS = "SELECT pg_advisory_xact_lock(hashtextextended('confluence-mcp model', 0))"
# A statement of its own: it is to see what was committed before the lock was given.
IS_ACTIVE = "SELECT EXISTS (SELECT FROM embedding_model WHERE id = %(model)s AND active)"
HAS_CHUNKS = "SELECT EXISTS (SELECT FROM chunk)"
FORGET_MODELS = """
WITH gone AS (DELETE FROM embedding_model RETURNING id)
SELECT drop_vector_tables(id) FROM gone
"""
ADD_MODEL = """
WITH added AS (
    INSERT INTO embedding_model (name, dimension) VALUES (%(name)s, %(dimension)s)
    RETURNING id, dimension
)
SELECT create_vector_tables(id, dimension) FROM added
"""


async def claim_model(connection: AsyncConnection[TupleRow], embedder: Embedder) -> EmbeddingModel:
    """Records the model of a still empty index, or makes sure that it is the recorded one.

    Raises ModelMismatchError when chunks of another model are there, EmbeddingError when its
    vectors are too long for the index.
    """
    dimension = await fitting_dimension(embedder)
    async with connection.transaction():
        await connection.execute(LOCK_MODELS)
        model = await active_model(connection)
        if model is not None and not _same(model, embedder.model, dimension):
            row = await (await connection.execute(HAS_CHUNKS)).fetchone()
            if row and row[0]:
                built = await model_being_built(connection)
                raise ModelMismatchError(_mismatch(model, embedder.model, dimension, built))
            await connection.execute(FORGET_MODELS)
            model = None
        if model is None:
            await connection.execute(ADD_MODEL, {"name": embedder.model, "dimension": dimension})
            model = await active_model(connection)
    assert model is not None
    return model


async def fitting_dimension(embedder: Embedder) -> int:
    """How many numbers its vectors have; raises EmbeddingError when the index takes no so long."""
    dimension = await embedder.dimension()
    if dimension > MAX_DIMENSION:
        raise EmbeddingError(
            f"The embedding model {embedder.model} gives vectors of {dimension} numbers; the "
            f"index takes at most {MAX_DIMENSION:,}.\nSet EMBEDDING_MODEL to another model."
        )
    return dimension


def require_model(model: EmbeddingModel, embedder: Embedder) -> None:
    """Raises ModelMismatchError when questions would be embedded by another model."""
    if model.name != embedder.model:
        raise ModelMismatchError(_mismatch(model, embedder.model, None))


def require_dimension(model: EmbeddingModel, embedder: Embedder, vector: Vector) -> None:
    """Raises ModelMismatchError when an endpoint serves another model under the recorded name."""
    if len(vector) != model.dimension:
        raise ModelMismatchError(_mismatch(model, embedder.model, len(vector)))


def _same(model: EmbeddingModel, name: str, dimension: int) -> bool:
    return model.name == name and model.dimension == dimension


def _mismatch(
    model: EmbeddingModel, name: str, dimension: int | None, built: EmbeddingModel | None = None
) -> str:
    numbers = f" ({dimension} numbers)" if dimension and dimension != model.dimension else ""
    return (
        f"The index was filled by the embedding model {model.name} ({model.dimension} numbers), "
        f"but {name}{numbers} is configured.\n{_remedy(model, name, built)}"
    )


def _remedy(model: EmbeddingModel, name: str, built: EmbeddingModel | None) -> str:
    change = f"`confluence-mcp reindex --embedding-model {name}`"
    anew = "or fill the index anew with `confluence-mcp ingest --full`."
    if name == model.name:
        return f"Set EMBEDDING_MODEL or OPENAI_BASE_URL back, {anew}"
    if built and built.name == name:
        return f"Unset EMBEDDING_MODEL until {change} is done, {anew}"
    return f"Unset EMBEDDING_MODEL or set it back; change the model with {change}, {anew}"
