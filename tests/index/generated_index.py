"""An index of any size, made of vectors of a given shape and of Zipf-distributed words.

Rows are written by COPY past `Store`, which would take minutes. Every tenth page is archived,
every eleventh tombstoned; page `n` has a label for each share of pages in LABELS that divides `n`.
The last chunk of each page is of a comment. Two chunks of each page have a word that no other page
has, as names of hosts and tickets are.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.types.json import Jsonb

from index.database import Database
from index.models import EmbeddingModel, active_model
from index.records import ChunkKind
from index.upkeep_graph import build_graph
from index.upkeep_memory import bytes_of
from tests.index.generated_rows import (
    Connection,
    Numbers,
    copy_packed,
    halfvecs,
    packed,
    packed_terms,
    without_indexes,
)

CHUNKS_OF_PAGE = 5
WORDS_OF_CHUNK = 60
VOCABULARY = 20_000
BLOCK = 20_000  # chunks that are worked on at a time
LABELS: Mapping[str, int] = {
    **{"half": 2, "quarter": 4, "tenth": 10, "twentieth": 20},
    **{"hundredth": 100, "thousandth": 1_000},
}
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)  # each page is changed a minute after the one before

Floats = NDArray[np.float32]
# Makes unit vectors for chunks by their topics.
Shape = Callable[[np.random.Generator, Numbers, int], Floats]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of each chunk, kept as numbers."""

    numbers: NDArray[np.int32]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, chunk: int) -> list[str]:
        numbers: list[int] = self.numbers[chunk].tolist()
        return [self.names[number] for number in numbers]

    def __iter__(self) -> Iterator[list[str]]:
        return (self[chunk] for chunk in range(len(self)))


@dataclass(frozen=True, slots=True)
class GeneratedIndex:
    """What was written: chunk `n` (from 0) has the id `n + 1` and is on page `n // 5 + 1`.

    `topics` are those of the pages.
    """

    model: EmbeddingModel
    vectors: Floats
    words: Words
    topics: Numbers

    def question(self, seed: int, space: int | None = None) -> "Question":
        """Five words of one chunk, which may be of a given space, and a vector near its own."""
        random = np.random.default_rng(seed)
        everywhere = np.arange(len(self.vectors))
        chunk = int(
            random.choice(everywhere if space is None else np.flatnonzero(self.spaces == space))
        )
        chosen = random.choice(sorted(set(self.words[chunk])), 5, replace=False)
        noise = random.standard_normal((1, self.vectors.shape[1])).astype(np.float32) / 20
        near = _unit(self.vectors[chunk : chunk + 1] + noise)[0]
        return Question(" ".join(chosen), _as_kept(near))

    @property
    def pages(self) -> Numbers:
        """The page of each chunk; its page_ref is one more."""
        return np.arange(len(self.vectors)) // CHUNKS_OF_PAGE

    @property
    def spaces(self) -> Numbers:
        """The number in the space key of each chunk."""
        return _space_of(self.pages)

    @property
    def is_comment(self) -> NDArray[np.bool_]:
        """Which chunks are of comments."""
        return _is_comment(np.arange(len(self.vectors)))

    @property
    def is_shown(self) -> NDArray[np.bool_]:
        """Which chunks are on pages that readers may see."""
        return (self.pages % 11 != 10) | (self.pages % 10 == 9)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: words for one leg, a vector for the other."""

    words: str
    vector: Floats


def clustered(random: np.random.Generator, topics: Numbers, dimension: int) -> Floats:
    """Clusters as far from each other as the dimension allows."""
    centres = random.standard_normal((int(topics.max()) + 1, dimension))
    vectors = np.empty((len(topics), dimension), np.float32)
    for block in blocks(len(topics)):
        noise = random.standard_normal((len(topics[block]), dimension))
        vectors[block] = _unit(centres[topics[block]] + 0.7 * noise)
    return vectors


async def generate_index(
    database: Database,
    *,
    chunks: int,
    dimension: int,
    seed: int = 1,
    hnsw: bool = True,
    shape: Shape = clustered,
    memory: str = "512MB",
) -> GeneratedIndex:
    """Fills an empty index; document frequencies are folded and statistics are fresh.

    `memory` is what making an index may take.
    """
    random = np.random.default_rng(seed)
    topics = random.integers(max(8, chunks // 400), size=chunks // CHUNKS_OF_PAGE)
    words = _words(random, topics)
    vectors = shape(random, np.repeat(topics, CHUNKS_OF_PAGE), dimension)
    for block in blocks(len(vectors)):
        vectors[block] = _as_kept(vectors[block])
    async with database.pool.connection() as connection:
        model = await _model(connection, dimension)
        index = GeneratedIndex(model, vectors, words, topics)
        await connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [memory])
        async with without_indexes(
            connection, *("page", "chunk", "chunk_term", "vocabulary"), model.bits.as_string()
        ):
            await _copy_pages(connection, words)
            await _copy_chunks(connection, words)
            await _copy_terms(connection, words)
            await _copy_vectors(connection, index)
    if hnsw:
        await build_graph(database, model, bytes_of(memory))
    await _analyse(database, model)
    return replace(index, model=replace(model, has_hnsw=hnsw))


def term_id(configuration: str, lexeme: str) -> int:
    """A word's number, worked out without the database."""
    digest = hashlib.md5(f"{configuration}:{lexeme}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % 1_000_000_000 + 1


def blocks(count: int) -> Iterable[slice]:
    """Parts of what would take too much memory as a whole."""
    return (slice(start, min(count, start + BLOCK)) for start in range(0, count, BLOCK))


def _unit(rows: NDArray[np.float64] | Floats) -> Floats:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _as_kept(vectors: Floats) -> Floats:
    """In half precision, as the index keeps them: nothing that compares them need round."""
    return vectors.astype(np.float16).astype(np.float32)


def _space_of(pages: Numbers) -> Numbers:
    """From very small spaces to ones with a twentieth of all pages."""
    return (np.sqrt(pages * 7919 % 1600)).astype(np.int64)


def _is_comment(chunks: Numbers) -> NDArray[np.bool_]:
    return chunks % CHUNKS_OF_PAGE == CHUNKS_OF_PAGE - 1


def _word(number: int) -> str:
    """A word of letters alone that no language knows."""
    letters = ""
    number += 26
    while number:
        number, digit = divmod(number, 26)
        letters = chr(ord("a") + digit) + letters
    return "q" + letters


def _words(random: np.random.Generator, topics: Numbers) -> Words:
    names = [_word(number) for number in range(VOCABULARY + len(topics))]
    count = len(topics) * CHUNKS_OF_PAGE
    numbers = np.empty((count, WORDS_OF_CHUNK + 6), np.int32)
    of_chunks = np.repeat(topics, CHUNKS_OF_PAGE)
    for block in blocks(count):
        rows, common = numbers[block], random.zipf(1.3, (len(numbers[block]), WORDS_OF_CHUNK))
        rows[:, :WORDS_OF_CHUNK] = common % VOCABULARY
        of_topic = of_chunks[block, None] * 31 + random.integers(20, size=(len(rows), 6))
        rows[:, WORDS_OF_CHUNK:] = of_topic % VOCABULARY
    for chunk in (0, 2):
        numbers[chunk::CHUNKS_OF_PAGE, -1] = VOCABULARY + np.arange(len(topics))
    return Words(numbers, names)


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
    statement: LiteralString,
    types: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            await copy.write_row(row)


async def _copy_pages(connection: Connection, words: Words) -> None:
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
        (_page_row(page, space + 1, words) for page, space in enumerate(spaces)),
    )


def _page_row(page: int, space: int, words: Words) -> tuple[object, ...]:
    first = page * CHUNKS_OF_PAGE
    chunks = [words[chunk] for chunk in range(first, first + CHUNKS_OF_PAGE)]
    state = "archived" if page % 10 == 9 else "tombstoned" if page % 11 == 10 else "live"
    title, url = " ".join(chunks[0][:4]), f"https://example.com/{page}"
    labels = [label for label, share in LABELS.items() if page % share == 0]
    author, updated_at = f"Author {page % 50}", FIRST_DAY + timedelta(minutes=page)
    empty = Jsonb([])
    return (
        *(1, space, str(page), "page", state, title, url, 1, [str(page // 100)], labels, author),
        *(updated_at, "", _markdown(chunks), empty, empty, CHUNKS_OF_PAGE, 1, 1),
    )


def _markdown(chunks: Sequence[Sequence[str]]) -> str:
    """About 4,000 characters, as pages have."""
    return "\n\n".join(" ".join([*words, *words]) for words in chunks)


async def _copy_chunks(connection: Connection, words: Words) -> None:
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


def _keys(chunks: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bytes_]]:
    """Columns of chunk id, page reference and kind."""
    kinds = np.where(_is_comment(chunks), b"c", b"b")
    return (chunks + 1).astype(">i8"), (chunks // CHUNKS_OF_PAGE + 1).astype(">i8"), kinds


async def _copy_terms(connection: Connection, words: Words) -> None:
    numbers = np.array([term_id("simple", name) for name in words.names])
    chunks, chunk_counts = np.arange(len(words)), {0: len(words)}

    def rows(block: slice) -> bytes:
        data, terms, counts = packed_terms(_keys(chunks[block]), numbers[words.numbers[block]])
        for term, count in zip(terms.tolist(), counts.tolist(), strict=True):
            chunk_counts[term] = chunk_counts.get(term, 0) + count
        return data

    await copy_packed(
        connection,
        sql.SQL(
            "COPY chunk_term (chunk_id, page_ref, kind, term_ids, weights)"
            " FROM STDIN (FORMAT BINARY)"
        ),
        map(rows, blocks(len(words))),
    )
    await _copy(
        connection,
        "COPY term (term_id, chunk_count) FROM STDIN (FORMAT BINARY)",
        ["int4", "int4"],
        chunk_counts.items(),
    )
    await _copy(
        connection,
        "COPY vocabulary (word, folded, configuration, term_id) FROM STDIN (FORMAT BINARY)",
        ["text", "text", "text", "int4"],
        ((name, name, "simple", term_id("simple", name)) for name in words.names),
    )


async def _copy_vectors(connection: Connection, index: GeneratedIndex) -> None:
    model, vectors, chunks = index.model, index.vectors, np.arange(len(index.vectors))
    await copy_packed(
        connection,
        sql.SQL("COPY {} (chunk_id, page_ref, kind, embedding) FROM STDIN (FORMAT BINARY)").format(
            model.vectors
        ),
        (packed(*_keys(chunks[block]), halfvecs(vectors[block])) for block in blocks(len(vectors))),
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
        for table in (
            sql.SQL("page, chunk, chunk_term, term, vocabulary"),
            model.bits,
            model.vectors,
        ):
            await connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
        await connection.set_autocommit(False)
