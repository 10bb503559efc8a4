"""How large the parts of the index are, and how much of them is dead."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.migrate import migrations

TABLES = """
SELECT pg_class.relname AS name, pg_table_size(pg_class.oid) AS bytes,
       coalesce(n_live_tup, 0) AS live_rows, coalesce(n_dead_tup, 0) AS dead_rows
FROM pg_class LEFT JOIN pg_stat_user_tables ON relid = pg_class.oid
WHERE relnamespace = (
        SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migration'))
  AND relkind = 'r'
  AND (pg_class.relname = ANY(%(tables)s::text[])
       OR pg_class.relname ~ '^chunk_(vector|bits)_[0-9]+$')
ORDER BY name
"""
INDEXES = """
SELECT index.relname AS name, of_table.relname AS table_name, amname AS method,
       pg_relation_size(index.oid) AS bytes,
       -- Of an inverted index Postgres counts now rows, now what they hold.
       greatest(CASE amname WHEN 'gin' THEN of_table.reltuples ELSE index.reltuples END, 0)::bigint
           AS row_count,
       indisvalid AS is_valid, indisexclusion AS is_exclusion
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_class AS of_table ON of_table.oid = indrelid
JOIN pg_am ON pg_am.oid = index.relam
WHERE of_table.relnamespace = (
        SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migration'))
  AND of_table.relkind = 'r'
  AND (of_table.relname = ANY(%(tables)s::text[])
       OR of_table.relname ~ '^chunk_(vector|bits)_[0-9]+$')
ORDER BY index.relname
"""
_MADE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)


class Purpose(StrEnum):
    """What a table or an index is for."""

    TEXT = "text"
    WORDS = "words"
    VECTORS = "vectors"
    GRAPH = "graph"
    REST = "rest"


_TEXT = frozenset({"page", "comment", "attachment", "chunk"})
_WORDS = frozenset(
    {"chunk_term", "term", "term_change", "search_configuration", "vocabulary", "lexicon"}
)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table without its indexes, with what it keeps apart; rows as Postgres counts them."""

    name: str
    bytes: int
    live_rows: int
    dead_rows: int

    @property
    def dead_share(self) -> float:
        """Of all rows."""
        return self.dead_rows / max(self.live_rows + self.dead_rows, 1)


@dataclass(frozen=True, slots=True)
class IndexSize:
    """An index; `row_count` is as Postgres knew it last."""

    name: str
    table_name: str
    method: str
    bytes: int
    row_count: int
    is_valid: bool
    is_exclusion: bool


@dataclass(frozen=True, slots=True)
class Sizes:
    """All tables and indexes of ours."""

    tables: Sequence[TableSize]
    indexes: Sequence[IndexSize]

    def by_purpose(self) -> dict[str, "PartSize"]:
        """Added up by what they are for."""
        parts = {purpose.value: PartSize() for purpose in Purpose}
        for table in self.tables:
            part = parts[purpose_of(table.name)]
            part.table_bytes += table.bytes
            part.live_rows += table.live_rows
            part.dead_rows += table.dead_rows
        for index in self.indexes:
            is_graph = index.method == "hnsw"
            parts[
                Purpose.GRAPH if is_graph else purpose_of(index.table_name)
            ].index_bytes += index.bytes
        return parts


@dataclass(slots=True)
class PartSize:
    """What belongs together: bytes of tables and of indexes, and rows that are live or dead."""

    table_bytes: int = 0
    index_bytes: int = 0
    live_rows: int = 0
    dead_rows: int = 0


def purpose_of(table: str) -> Purpose:
    """What a table is for."""
    if table in _TEXT:
        return Purpose.TEXT
    if table in _WORDS:
        return Purpose.WORDS
    return Purpose.VECTORS if table.startswith(("chunk_vector_", "chunk_bits_")) else Purpose.REST


async def read_sizes(connection: AsyncConnection[TupleRow]) -> Sizes:
    """Reads the sizes of all tables and indexes of ours; others in the database are not."""
    values = {"tables": our_tables()}
    async with connection.cursor(row_factory=class_row(TableSize)) as cursor:
        tables = await (await cursor.execute(TABLES, values)).fetchall()
    async with connection.cursor(row_factory=class_row(IndexSize)) as cursor:
        indexes = await (await cursor.execute(INDEXES, values)).fetchall()
    return Sizes(tables, indexes)


@cache
def our_tables() -> list[str]:
    """The tables that the migrations make, but for those of each embedding model."""
    made = {name for one in migrations() for name in _MADE.findall(one.sql)}
    return sorted(made | {"schema_migration"})


def shown_bytes(count: int) -> str:
    """A size for a person."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GB"
