"""Vectors of the shape that an embedding model gives to texts, in place of a generated index's own.

Those are clusters as far from each other as 384 dimensions allow, all alike: beyond its own cluster
a vector has no neighbours that would be nearer than the rest. What all-MiniLM-L6-v2 makes of 800
sections of software documentation is not so: any two have a cosine of 0.22 +- 0.14, and bits agree
with cosines by a correlation of 0.92 (here +- 0.13 and 0.91; in those clusters +- 0.05 and 0.67).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql

from index.database import Database
from tests.index.generated_index import CHUNKS_OF_PAGE, GeneratedIndex

COPY = "COPY given (chunk_id, embedding) FROM STDIN (FORMAT BINARY)"
# Written anew, for rows that are changed one by one would leave the tables twice as large.
REPLACE = (
    "CREATE TEMP TABLE made ON COMMIT DROP AS SELECT chunk_id, page_ref, kind, given.embedding"
    " FROM {bits} JOIN given USING (chunk_id) ORDER BY chunk_id",
    "TRUNCATE {vectors}, {bits}",
    "INSERT INTO {vectors} (chunk_id, page_ref, kind, embedding) SELECT * FROM made",
    "INSERT INTO {bits} (chunk_id, page_ref, kind, bits)"
    " SELECT chunk_id, page_ref, kind, binary_quantize(embedding)::bit({size}) FROM made",
)

DOMAINS = 40
DECAY = 0.7  # of the variance along the axes, by a power of their rank
OF_DOMAIN, OF_TOPIC, OF_CHUNK, OF_QUESTION = 0.6, 0.6, 0.7, 0.8

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Random directions, some of which are much likelier than others."""

    axes: Floats

    @classmethod
    def draw(cls, random: np.random.Generator, dimension: int) -> "Meaning":
        """Axes of unequal lengths, none of them along one number of the vectors."""
        lengths = np.arange(1, dimension + 1) ** (-DECAY / 2)
        turned = np.linalg.qr(random.standard_normal((dimension, dimension)))[0]
        axes = (lengths / np.linalg.norm(lengths))[:, None] * turned
        return cls(axes.astype(np.float32))

    def some(self, random: np.random.Generator, count: int) -> Floats:
        """Vectors with a length of about 1."""
        return random.standard_normal((count, len(self.axes)), np.float32) @ self.axes

    def near(self, random: np.random.Generator, vector: Floats) -> Floats:
        """What a question might have that this vector answers."""
        return unit(vector + OF_QUESTION * self.some(random, 1)[0])


def unit(vectors: Floats) -> Floats:
    """The same directions at a length of 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def topics_of(index: GeneratedIndex) -> Numbers:
    """The topic of each page, by the vectors that the index was generated with."""
    parts = np.array_split(index.vectors[::CHUNKS_OF_PAGE], 50)
    return np.concatenate([np.argmax(part @ index.centres.T, axis=1) for part in parts])


async def give_topical_vectors(
    database: Database, index: GeneratedIndex, topics: Numbers, meaning: Meaning
) -> GeneratedIndex:
    """Replaces all vectors; topics with numbers next to each other are of one domain."""
    random = np.random.default_rng(5)
    count = int(topics.max()) + 1
    domains = meaning.some(random, DOMAINS)[np.arange(count) * DOMAINS // count]
    centres = OF_DOMAIN * domains + OF_TOPIC * meaning.some(random, count)
    of_chunks = np.repeat(topics, CHUNKS_OF_PAGE)
    vectors = OF_CHUNK * meaning.some(random, len(of_chunks))
    vectors += centres[of_chunks]
    made = replace(index, vectors=unit(vectors), centres=unit(centres.astype(np.float32)))
    await _store(database, made)
    return made


async def _store(database: Database, index: GeneratedIndex) -> None:
    model = index.model
    names = {"vectors": model.vectors, "bits": model.bits, "size": sql.Literal(model.dimension)}
    async with database.pool.connection() as connection:
        await connection.execute(
            "CREATE TEMP TABLE given (chunk_id bigint, embedding halfvec) ON COMMIT DROP"
        )
        async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(["int8", "halfvec"])
            for chunk, vector in enumerate(index.vectors):
                await copy.write_row((chunk + 1, HalfVector(vector)))
        for statement in REPLACE:
            await connection.execute(sql.SQL(statement).format(**names))
