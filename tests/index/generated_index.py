"""An index of any size, made of clustered random vectors and Zipf-distributed words.

Rows are written by COPY past `Store`, which would take minutes. Every tenth page is archived,
every eleventh tombstoned; page `n` has the labels `half` (n even) and `tenth` (n % 10 == 0). The
last chunk of each page is of a comment.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from index.database import Database
from index.models import EmbeddingModel, active_model
from index.records import ChunkKind
from index.terms import bm25_weights

CHUNKS_OF_PAGE = 5
WORDS_OF_CHUNK = 60
VOCABULARY = 20_000

Connection = AsyncConnection[TupleRow]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GeneratedIndex:
    """What was written: chunk `n` (from 0) has the id `n + 1` and is on page `n // 5 + 1`."""

    model: EmbeddingModel
    vectors: Floats
    words: Sequence[Sequence[str]]
    centres: Floats

    def question(self, seed: int, space: int | None = None) -> "Question":
        """Five words of one chunk, which may be of a given space, and a vector near its own."""
        random = np.random.default_rng(seed)
        everywhere = np.arange(len(self.vectors))
        chunk = int(
            random.choice(everywhere if space is None else np.flatnonzero(self.spaces == space))
        )
        chosen = random.choice(sorted(set(self.words[chunk])), 5, replace=False)
        noise = random.standard_normal((1, self.vectors.shape[1])).astype(np.float32) / 20
        return Question(" ".join(chosen), _unit(self.vectors[chunk : chunk + 1] + noise)[0])

    @property
    def pages(self) -> NDArray[np.int64]:
        """The page of each chunk; its page_ref is one more."""
        return np.arange(len(self.vectors)) // CHUNKS_OF_PAGE

    @property
    def spaces(self) -> NDArray[np.int64]:
        """The number in the space key of each chunk."""
        return _space_of(self.pages)

    @property
    def is_comment(self) -> NDArray[np.bool_]:
        """Which chunks are of comments."""
        return np.arange(len(self.vectors)) % CHUNKS_OF_PAGE == CHUNKS_OF_PAGE - 1

    @property
    def is_shown(self) -> NDArray[np.bool_]:
        """Which chunks are on pages that readers may see."""
        return (self.pages % 11 != 10) | (self.pages % 10 == 9)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: words for one leg, a vector for the other."""

    words: str
    vector: Floats


async def generate_index(
    database: Database, *, chunks: int, dimension: int, seed: int = 1, hnsw: bool = True
) -> GeneratedIndex:
    """Fills an empty index; document frequencies are folded and statistics are fresh."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(8, chunks // 400), dimension))
    topics = np.repeat(random.integers(len(centres), size=chunks // CHUNKS_OF_PAGE), CHUNKS_OF_PAGE)
    noise = random.standard_normal((len(topics), dimension))
    vectors = _unit(centres[topics] + 0.7 * noise)
    words = _words(random, topics)
    async with database.pool.connection() as connection:
        model = await _model(connection, dimension)
        await _copy_pages(connection, words)
        await _copy_chunks(connection, words)
        await _copy_terms(connection, words)
        await _copy_vectors(connection, model, vectors)
        if hnsw:
            await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
            await connection.execute("SELECT create_hnsw(%s::int)", [model.id])
    await _analyse(database, model)
    return GeneratedIndex(model, vectors, words, _unit(centres))


def term_id(configuration: str, lexeme: str) -> int:
    """A word's number, worked out without the database."""
    digest = hashlib.md5(f"{configuration}:{lexeme}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % 1_000_000_000 + 1


def _unit(rows: NDArray[np.float64] | Floats) -> Floats:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _space_of(pages: NDArray[np.int64]) -> NDArray[np.int64]:
    """From very small spaces to ones with a twentieth of all pages."""
    return (np.sqrt(pages * 7919 % 1600)).astype(np.int64)


def _word(number: int) -> str:
    """A word of letters alone that no language knows."""
    letters = ""
    number += 26
    while number:
        number, digit = divmod(number, 26)
        letters = chr(ord("a") + digit) + letters
    return "q" + letters


def _words(random: np.random.Generator, topics: NDArray[np.int64]) -> list[list[str]]:
    names = [_word(number) for number in range(VOCABULARY)]
    common = random.zipf(1.3, (len(topics), WORDS_OF_CHUNK)) % VOCABULARY
    of_topic = (topics[:, None] * 31 + random.integers(20, size=(len(topics), 6))) % VOCABULARY
    return [[names[number] for number in row] for row in np.hstack([common, of_topic]).tolist()]


async def _model(connection: Connection, dimension: int) -> EmbeddingModel:
    await connection.execute(
        "WITH added AS (INSERT INTO embedding_model (name, dimension) VALUES ('generated', %s)"
        " RETURNING id, dimension) SELECT create_vector_tables(id, dimension) FROM added",
        [dimension],
    )
    model = await active_model(connection)
    assert model is not None
    return model


async def _copy(
    connection: Connection,
    statement: LiteralString | sql.Composed,
    types: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            await copy.write_row(row)


async def _copy_pages(connection: Connection, words: Sequence[Sequence[str]]) -> None:
    await connection.execute(
        "INSERT INTO site (url) VALUES ('https://example.com/wiki');"
        "INSERT INTO space (site_id, key, name, url)"
        " SELECT 1, 'S' || n, 'Space', 'https://example.com' FROM generate_series(0, 39) AS n"
        " ORDER BY n;"
        "INSERT INTO search_configuration VALUES ('simple')"
    )
    spaces = _space_of(np.arange(len(words) // CHUNKS_OF_PAGE)).tolist()
    await _copy(
        connection,
        "COPY page (site_id, space_id, page_id, content_type, state, title, url, version,"
        " ancestors, labels, author, updated_at, language, markdown, outline, unreadable,"
        " chunk_count, comment_chunks, recipe) FROM STDIN (FORMAT BINARY)",
        [
            *("int4", "int4", "text", "text", "text", "text", "text", "int4", "text[]", "text[]"),
            *("text", "timestamptz", "text", "text", "jsonb", "jsonb", "int4", "int4", "int4"),
        ],
        (
            _page_row(page, space + 1, words[page * CHUNKS_OF_PAGE :][:CHUNKS_OF_PAGE])
            for page, space in enumerate(spaces)
        ),
    )


def _page_row(page: int, space: int, chunks: Sequence[Sequence[str]]) -> tuple[object, ...]:
    state = "archived" if page % 10 == 9 else "tombstoned" if page % 11 == 10 else "live"
    title, url = " ".join(chunks[0][:4]), f"https://example.com/{page}"
    labels = [*["half"][page % 2 :], *["tenth"][bool(page % 10) :]]
    author = f"Author {page % 50}"
    updated_at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=page)
    empty = Jsonb([])
    return (
        *(1, space, str(page), "page", state, title, url, 1, [str(page // 100)], labels, author),
        *(updated_at, "", _markdown(chunks), empty, empty, CHUNKS_OF_PAGE, 1, 1),
    )


def _markdown(chunks: Sequence[Sequence[str]]) -> str:
    """About 4,000 characters, as pages have."""
    return "\n\n".join(" ".join([*words, *words]) for words in chunks)


async def _copy_chunks(connection: Connection, words: Sequence[Sequence[str]]) -> None:
    await _copy(
        connection,
        "COPY chunk (page_ref, position, kind, heading_path, anchor, body, text_hash)"
        " FROM STDIN (FORMAT BINARY)",
        ["int8", "int4", "text", "text[]", "text", "text", "bytea"],
        (
            (*_place(chunk), _kind(chunk), ["Heading"], "heading", " ".join(of_chunk), b"")
            for chunk, of_chunk in enumerate(words)
        ),
    )


def _place(chunk: int) -> tuple[int, int]:
    """Page reference and position."""
    return chunk // CHUNKS_OF_PAGE + 1, chunk % CHUNKS_OF_PAGE


def _kind(chunk: int) -> str:
    is_last = (chunk + 1) % CHUNKS_OF_PAGE == 0
    return ChunkKind.COMMENT.value if is_last else ChunkKind.BODY.value


async def _copy_terms(connection: Connection, words: Sequence[Sequence[str]]) -> None:
    numbers = {word: term_id("simple", word) for word in {word for row in words for word in row}}
    chunk_counts: Counter[int] = Counter()

    def row(chunk: int) -> tuple[object, ...]:
        counts = Counter(numbers[word] for word in words[chunk])
        chunk_counts.update([0, *counts])
        page_ref, _ = _place(chunk)
        place = (chunk + 1, page_ref, _kind(chunk)[0])
        return *place, sorted(counts), bm25_weights(counts)

    await _copy(
        connection,
        "COPY chunk_term (chunk_id, page_ref, kind, term_ids, weights) FROM STDIN (FORMAT BINARY)",
        ["int8", "int8", "text", "int4[]", "sparsevec"],
        map(row, range(len(words))),
    )
    await _copy(
        connection,
        "COPY term (term_id, chunk_count) FROM STDIN (FORMAT BINARY)",
        ["int4", "int4"],
        chunk_counts.items(),
    )


async def _copy_vectors(connection: Connection, model: EmbeddingModel, vectors: Floats) -> None:
    await _copy(
        connection,
        sql.SQL("COPY {} (chunk_id, page_ref, kind, embedding) FROM STDIN (FORMAT BINARY)").format(
            model.vectors
        ),
        ["int8", "int8", "text", "halfvec"],
        (
            (chunk + 1, _place(chunk)[0], _kind(chunk)[0], HalfVector(vector))
            for chunk, vector in enumerate(vectors)
        ),
    )
    await connection.execute(
        sql.SQL(
            "INSERT INTO {} (chunk_id, page_ref, kind, bits)"
            " SELECT chunk_id, page_ref, kind, binary_quantize(embedding)::bit({}) FROM {}"
        ).format(model.bits, sql.Literal(model.dimension), model.vectors)
    )


async def _analyse(database: Database, model: EmbeddingModel) -> None:
    """What autovacuum would do in time."""
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        for table in (sql.SQL("page, chunk, chunk_term, term"), model.bits, model.vectors):
            await connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
        await connection.set_autocommit(False)
