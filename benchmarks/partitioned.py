"""The search statement over chunk tables that are cut by page, as they would be over shards.

    uv run --group dev python -m benchmarks.partitioned [--chunks 50000] [--dimension 384]
        [--parts 4 8]

One Postgres holds all parts, so that nothing is measured but what the cut costs. Prints the bytes
that each chunk takes, the keys that do not have the column to cut by, and for each number of parts
the time of the server's process and how many of the best pages are those of the uncut index.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from benchmarks.asked import Answer, ask
from index.access import CRAWLER
from index.database import Database
from index.models import EmbeddingModel
from index.search_statement import search_statement
from index.settings import IndexSettings
from tests.index.generated_index import GeneratedIndex, generate_index

Connection = AsyncConnection[TupleRow]

QUESTIONS = 40
MEMORY = "1GB"  # that a graph may be built in
# What would lie on the shards, all by `page_ref`; the tables of vectors and bits as well.
CUT = ("page", "comment", "attachment", "chunk", "chunk_term")
OF_MODELS = r"^chunk_(vector|bits)_[0-9]+$"


@dataclass(frozen=True, slots=True)
class Case:
    """Filters, and whether the graph is walked even if few chunks are permitted."""

    filters: Mapping[str, object]
    is_walked: bool


CASES = {
    "all pages, by the graph": Case({}, is_walked=True),
    "all pages, by bits": Case({}, is_walked=False),
    "half of them, by the graph": Case({"labels": ["half"]}, is_walked=True),
    "5 % of them, by bits": Case({"spaces": ["s39"]}, is_walked=False),
}

SIZES = """
SELECT coalesce(index.relname, relation.relname || ' (rows)') AS name,
       CASE WHEN index.oid IS NULL THEN pg_table_size(relation.oid)
            ELSE pg_relation_size(index.oid) END AS bytes
FROM pg_class AS relation
LEFT JOIN LATERAL (
    SELECT indexrelid AS oid, indexrelid::regclass::text AS relname FROM pg_index
    WHERE indrelid = relation.oid
    UNION ALL SELECT NULL, NULL) AS index ON true
WHERE relation.relnamespace = current_schema()::regnamespace AND relation.relkind = 'r'
ORDER BY bytes DESC
"""
# Keys of what lies on the shards, and references to it, that leave out the column to cut by.
IN_THE_WAY = """
WITH cut AS (
    SELECT pg_class.oid, attnum FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'page_ref'
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
      AND (relname = ANY(%(tables)s::text[]) OR relname ~ %(of_models)s)
)
SELECT conrelid::regclass::text, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint
LEFT JOIN cut ON cut.oid = conrelid
LEFT JOIN cut AS other ON other.oid = confrelid
WHERE contype IN ('p', 'u', 'x') AND cut.attnum <> ALL(conkey)
   OR contype = 'f' AND other.oid IS NOT NULL
      AND (cut.attnum = ANY(conkey) AND other.attnum = ANY(confkey)) IS NOT TRUE
ORDER BY 1, 2
"""

CUT_TABLE = """
ALTER TABLE {name} RENAME TO {whole};
CREATE TABLE {name} (
    LIKE {whole} INCLUDING DEFAULTS INCLUDING STORAGE, PRIMARY KEY (page_ref, chunk_id)
) PARTITION BY HASH (page_ref)
"""
PART = (
    "CREATE TABLE {part} PARTITION OF {name} FOR VALUES WITH (MODULUS {parts}, REMAINDER {number})"
)
COPY = "INSERT INTO {name} SELECT * FROM {whole}"
INDEXES_OF_TERMS = """
CREATE INDEX ON chunk_term USING gin (term_ids) WITH (fastupdate = off);
CREATE INDEX ON chunk_term (page_ref)
"""
INDEX_OF_BITS = "CREATE INDEX ON {bits} (page_ref) INCLUDE (chunk_id, kind, bits)"
INDEX_OF_VECTORS = """
CREATE INDEX ON {vectors} USING hnsw (embedding halfvec_ip_ops) WITH (m = 16, ef_construction = 64)
"""


async def _main(chunks: int, dimension: int, numbers_of_parts: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings.model_validate(
            {"postgres_url": None, "confluence_mcp_home": Path(home)}
        )
        async with Database.open(settings, application_name="benchmark") as database:
            index = await generate_index(
                database, chunks=chunks, dimension=dimension, memory=MEMORY
            )
            await _print_sizes(database, chunks)
            await _print_in_the_way(database)
            uncut = await _asked(database, index)
            _print("uncut", uncut, uncut)
            for number, parts in enumerate(numbers_of_parts):
                started = time.perf_counter()
                await _cut(database, index.model, parts, again=number > 0)
                print(f"\n(cut into {parts} in {time.perf_counter() - started:.0f} s)")
                _print(f"{parts} parts", await _asked(database, index), uncut)


async def _print_sizes(database: Database, chunks: int) -> None:
    async with database.pool.connection() as connection:
        rows = await (await connection.execute(SIZES)).fetchall()
    print(f"{'bytes for each chunk':40} {chunks:,} chunks")
    for name, size in rows:
        if size >= 10 * chunks:
            print(f"{name:40} {size / chunks:8.0f}")


async def _print_in_the_way(database: Database) -> None:
    values = {"tables": list(CUT), "of_models": OF_MODELS}
    async with database.pool.connection() as connection:
        rows = await (await connection.execute(IN_THE_WAY, values)).fetchall()
    print("\nkeys without the column to cut by")
    for table, definition in rows:
        print(f"{table:20} {definition}")


async def _cut(database: Database, model: EmbeddingModel, parts: int, *, again: bool) -> None:
    names = ("chunk_term", f"chunk_vector_{model.id}", f"chunk_bits_{model.id}")
    async with database.pool.connection() as connection:
        await connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [MEMORY])
        for name in names:
            await _cut_table(connection, name, parts, again=again)
        await connection.execute(INDEXES_OF_TERMS)
        await connection.execute(sql.SQL(INDEX_OF_BITS).format(bits=model.bits))
        await connection.execute(sql.SQL(INDEX_OF_VECTORS).format(vectors=model.vectors))
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        for name in names:
            await connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(name)))
        await connection.set_autocommit(False)


async def _cut_table(connection: Connection, name: str, parts: int, *, again: bool) -> None:
    """Replaces a table by one of parts; the uncut one stays beside it."""
    names = {"name": sql.Identifier(name), "whole": sql.Identifier(f"whole_{name}")}
    if again:
        await connection.execute(sql.SQL("DROP TABLE {name}").format(**names))
        await connection.execute(sql.SQL("ALTER TABLE {whole} RENAME TO {name}").format(**names))
    await connection.execute(sql.SQL(CUT_TABLE).format(**names))
    for number in range(parts):
        values = {"parts": sql.Literal(parts), "number": sql.Literal(number)}
        part = sql.Identifier(f"{name}_part_{number}")
        await connection.execute(sql.SQL(PART).format(**names, **values, part=part))
    await connection.execute(sql.SQL(COPY).format(**names))


async def _asked(database: Database, index: GeneratedIndex) -> dict[str, list[Answer]]:
    questions = [index.question(seed) for seed in range(QUESTIONS)]
    answers: dict[str, list[Answer]] = {}
    for name, case in CASES.items():
        limit = {"scan_limit": 0} if case.is_walked else {"scan_limit": len(index.vectors)}
        statement = search_statement(index.model, **limit)
        for question in questions[:5]:
            await ask(database, CRAWLER, statement, question, **case.filters)
        answers[name] = [
            await ask(database, CRAWLER, statement, question, **case.filters)
            for question in questions
        ]
    return answers


def _print(
    title: str, answers: Mapping[str, Sequence[Answer]], uncut: Mapping[str, Sequence[Answer]]
) -> None:
    print(f"\n{title:28} {'p50 ms':>8} {'p95 ms':>8} {'of uncut':>9} {'same pages':>11}")
    for name, of_case in answers.items():
        p50, p95 = np.percentile([answer.cpu_ms for answer in of_case], [50, 95])
        before = np.median([answer.cpu_ms for answer in uncut[name]])
        same = np.mean(
            [
                len({*one.pages} & {*other.pages}) / max(1, len(other.pages))
                for one, other in zip(of_case, uncut[name], strict=True)
            ]
        )
        print(f"{name:28} {p50:8.1f} {p95:8.1f} {p50 / before:9.2f} {same:11.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The search statement over cut tables.")
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--parts", type=int, nargs="*", default=[4, 8])
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.chunks, arguments.dimension, arguments.parts))
