"""Vectors of a second embedding model for the chunks that are there, batch by batch."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pgvector import HalfVector
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow, class_row

from index.database import Database
from index.embeddings import Embedder, Vector, in_parallel
from index.models import EmbeddingModel, require_dimension
from index.records import passage_text

Connection = AsyncConnection[TupleRow]

BATCH = 128  # texts; what is lost when a process is killed

# Looked up chunk by chunk, which OFFSET 0 sees to: nobody knows how full the new table is.
LACKING = sql.SQL("""
SELECT chunk_id, title, heading_path, body FROM chunk JOIN page USING (page_ref)
WHERE chunk_id > %(after)s AND NOT EXISTS (
    SELECT FROM {vectors} AS chunk_vector WHERE chunk_vector.chunk_id = chunk.chunk_id OFFSET 0)
ORDER BY chunk_id LIMIT %(limit)s
""")
# A chunk that is being deleted is left out: it is gone, or lacks its vector still.
ADD_VECTORS = sql.SQL("""
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
        unnest(%(chunk_ids)s::bigint[]), unnest(%(embeddings)b::halfvec[])
    ) AS given (chunk_id, embedding)
),
held AS MATERIALIZED (
    SELECT chunk_id, page_ref, kind::"char" AS kind FROM chunk
    WHERE chunk_id = ANY(%(chunk_ids)s::bigint[]) FOR KEY SHARE SKIP LOCKED
),
embedded AS (
    INSERT INTO {vectors} (chunk_id, page_ref, kind, embedding)
    SELECT chunk_id, page_ref, kind, embedding FROM held JOIN given USING (chunk_id)
    ON CONFLICT DO NOTHING
)
INSERT INTO {bits} (chunk_id, page_ref, kind, bits)
SELECT chunk_id, page_ref, kind, binary_quantize(embedding)::bit({dimension})
FROM held JOIN given USING (chunk_id)
ON CONFLICT DO NOTHING
""")
HOW_FAR = sql.SQL("""
SELECT (SELECT count(*) FROM {vectors}), (SELECT coalesce(sum(chunk_count), 0)::bigint FROM page)
""")


@runtime_checkable
class Asking(Protocol):
    """An embedding model that sends requests."""

    @property
    def requests(self) -> int:
        """How many it sent so far."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A chunk that lacks its vector."""

    chunk_id: int
    title: str
    heading_path: list[str]
    body: str

    @property
    def passage(self) -> str:
        """What is embedded."""
        return passage_text(self.title, self.heading_path, self.body)


@dataclass(slots=True)
class Built:
    """How far it is: chunks that have vectors, of how many about, and what this process did.

    `cut` are texts that the model does not read to their end.
    """

    done: int = 0
    total: int = 0
    embedded: int = 0
    requests: int = 0
    tokens: int = 0
    cut: int = 0


Progress = Callable[[Built], None]


@dataclass(slots=True)
class Pace:
    """Lets at most so many texts pass a second; None for as many as come."""

    rate: float | None
    _free_at: float = field(default=float("-inf"), init=False)

    def delay(self, now: float, texts: int) -> float:
        """Seconds that the next so many texts have to wait."""
        if self.rate is None:
            return 0.0
        starts = max(now, self._free_at)
        self._free_at = starts + texts / self.rate
        return starts - now

    @property
    def batch(self) -> int:
        """How many texts go together: no more than pass in a second."""
        return BATCH if self.rate is None else max(1, min(BATCH, int(self.rate)))


class Build:
    """Fills the tables of one model, which nobody else writes; what is stored, stays stored."""

    def __init__(
        self,
        database: Database,
        model: EmbeddingModel,
        embedder: Embedder,
        *,
        rate: float | None = None,
        concurrency: int = 1,
        progress: Progress = lambda built: None,
    ) -> None:
        self.model = model
        self.built = Built()
        self._database = database
        self._embedder = embedder
        self._pace = Pace(rate)
        self._concurrency = concurrency
        self._progress = progress
        self._turn = asyncio.Lock()
        self._after = 0
        names = {"vectors": model.vectors, "bits": model.bits}
        self._lacking = LACKING.format(**names)
        self._add_vectors = ADD_VECTORS.format(**names, dimension=sql.Literal(model.dimension))

    async def measure(self) -> None:
        """Reads how far it is."""
        async with self._database.pool.connection() as connection:
            query = HOW_FAR.format(vectors=self.model.vectors)
            row = await (await connection.execute(query)).fetchone()
        assert row is not None
        self.built.done, self.built.total = row[0], max(row)
        self._progress(self.built)

    async def fill(self) -> int:
        """Embeds all chunks that lack a vector, in the order of their ids; how many."""
        before, self._after = self.built.embedded, 0
        workers = self._concurrency
        await in_parallel(self._work_through, range(workers), workers=workers)
        return self.built.embedded - before

    async def lacking(self, connection: Connection, limit: int, after: int = 0) -> list[Text]:
        """The next chunks without a vector."""
        async with connection.cursor(row_factory=class_row(Text)) as cursor:
            await cursor.execute(self._lacking, {"after": after, "limit": limit})
            return await cursor.fetchall()

    async def embed(self, texts: Sequence[Text]) -> list[Vector]:
        """Their vectors, counted; raises EmbeddingError."""
        passages = [text.passage for text in texts]
        vectors = await self._embedder.embed_passages(passages)
        if isinstance(self._embedder, Asking):
            self.built.requests = self._embedder.requests
        for vector in vectors[:1]:
            require_dimension(self.model, self._embedder, vector)
        tokens = [self._embedder.count_tokens(passage) for passage in passages]
        self.built.tokens += sum(tokens)
        self.built.cut += sum(count > self._embedder.passage_tokens for count in tokens)
        self.built.embedded += len(texts)
        return vectors

    async def store(
        self, connection: Connection, texts: Sequence[Text], vectors: Sequence[Vector]
    ) -> None:
        """Writes vectors of chunks that are still there; the caller commits."""
        values = {
            "chunk_ids": [text.chunk_id for text in texts],
            "embeddings": [HalfVector(vector) for vector in vectors],
        }
        stored = (await connection.execute(self._add_vectors, values)).rowcount
        self.built.done += stored
        self.built.total = max(self.built.total, self.built.done)
        self._progress(self.built)

    async def _work_through(self, _: int) -> None:
        while texts := await self._next():
            vectors = await self.embed(texts)
            async with self._database.pool.connection() as connection:
                await self.store(connection, texts, vectors)

    async def _next(self) -> list[Text]:
        async with self._turn:
            async with self._database.pool.connection() as connection:
                texts = await self.lacking(connection, self._pace.batch, self._after)
            if texts:
                self._after = texts[-1].chunk_id
                await asyncio.sleep(self._pace.delay(time.monotonic(), len(texts)))
            return texts
