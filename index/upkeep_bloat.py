"""How large an index would be if it were built now, and whether that is worth the work."""

import re
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.upkeep_sizes import IndexSize, Sizes, TableSize

PAGE, USABLE = 8192, 8152  # bytes, and what of them a page of an index has for its entries
BTREE_FILL = 0.9
# How many times as large as fresh an index may be. Trees that grew by and by are never packed.
WORTH = {"hnsw": 1.2, "btree": 1.6, "gin": 1.6}
LEAST_WASTE = 8 << 20  # bytes
LEAST_PAGES = 2
# From so many dead rows on it costs less to build a graph anew than to have VACUUM repair it: a
# node is repaired when one of 32 neighbours is dead, which at 5 % is true of four nodes in five.
DEAD_IN_GRAPH, LEAST_DEAD = 0.05, 1_000
# Bytes of a term of a chunk in the index over them.
GIN_TERM = 4.4

_LEFTOVER = re.compile(r"_cc(new|old)\d*$")

# Of arrays and texts the average length is known, also of what an index is over an expression of.
FACTS = """
SELECT index.relname AS name,
       coalesce(sum(coalesce(of_column.avg_width, of_expression.avg_width, 8)), 8)::float8 AS width,
       min(pg_attribute.atttypmod) FILTER (WHERE pg_type.typname = 'halfvec') AS dimension,
       fresh.bytes::float8 / nullif(fresh.row_count, 0) AS fresh_row
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_class AS of_table ON of_table.oid = indrelid
JOIN pg_namespace ON pg_namespace.oid = of_table.relnamespace
JOIN pg_attribute ON attrelid = indexrelid
JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_attribute AS source ON source.attrelid = indrelid
     AND source.attnum = indkey[pg_attribute.attnum - 1] AND source.attnum > 0
LEFT JOIN pg_stats AS of_column ON of_column.schemaname = nspname
     AND of_column.tablename = of_table.relname AND of_column.attname = source.attname
LEFT JOIN pg_stats AS of_expression ON of_expression.schemaname = nspname
     AND of_expression.tablename = index.relname
     AND of_expression.attname = pg_attribute.attname
LEFT JOIN fresh_index AS fresh ON fresh.name = index.relname
WHERE index.relname = ANY(%(names)s::text[])
  AND of_table.relnamespace = (
        SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migration'))
GROUP BY index.relname, fresh.bytes, fresh.row_count
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the entries of an index.

    `width` is their average length in bytes, `dimension` that of vectors, and `fresh_row` how many
    bytes there were for each row when the index had last been rebuilt.
    """

    name: str
    width: float
    dimension: int | None
    fresh_row: float | None


@dataclass(frozen=True, slots=True)
class IndexHealth:
    """An index, how large it would be fresh if that is known, and why to rebuild it, if at all."""

    index: IndexSize
    fresh_bytes: int | None
    reason: str


async def index_health(
    connection: AsyncConnection[TupleRow], sizes: Sizes, *, least_waste: int = LEAST_WASTE
) -> list[IndexHealth]:
    """All indexes that could be rebuilt, each with a reason where that is worth the work."""
    values = {"names": [index.name for index in sizes.indexes]}
    async with connection.cursor(row_factory=class_row(Facts)) as cursor:
        await cursor.execute(FACTS, values)
        facts = {one.name: one async for one in cursor}
    tables = {table.name: table for table in sizes.tables}
    return [
        _health(index, facts[index.name], tables[index.table_name], least_waste)
        for index in sizes.indexes
        # Postgres does not rebuild what excludes others beside its readers.
        if not index.is_exclusion and index.is_valid and index.name in facts
    ]


def is_leftover(index: IndexSize) -> bool:
    """Whether a rebuild that was killed has left it."""
    return not index.is_valid and _LEFTOVER.search(index.name) is not None


def dead_in_graph(table: TableSize) -> bool:
    """Whether so many vectors are dead that their graph is better built anew than repaired."""
    return table.dead_rows >= LEAST_DEAD and table.dead_share >= DEAD_IN_GRAPH


def fresh_bytes(index: IndexSize, facts: Facts) -> int | None:
    """How large it would be: as it was after its last rebuild, else by what its entries need."""
    needed = _needed_bytes(index, facts)
    return None if needed is None else max(round(needed), LEAST_PAGES * PAGE)


def _needed_bytes(index: IndexSize, facts: Facts) -> float | None:
    rows = index.row_count
    if facts.fresh_row is not None:
        return rows * facts.fresh_row
    if index.method == "hnsw" and facts.dimension is not None:
        return rows * graph_row(facts.dimension)
    if index.method == "btree":
        return rows * (_aligned(8 + facts.width) + 4) / (USABLE * BTREE_FILL) * PAGE
    if index.name == "chunk_term_ids":
        return rows * (facts.width - 24) / 4 * GIN_TERM
    return None


def graph_row(dimension: int) -> float:
    """Bytes of a graph index for each vector: with 384 numbers 1,170, with 1,536 numbers 4,096.

    An entry is of 72 bytes, 8 more and the numbers, its neighbours of 200; both stand on one page
    where they fit, else on one each.
    """
    entry = _aligned(80 + 2 * dimension) + 204 + 4
    return PAGE / (USABLE // entry) if entry <= USABLE else 2 * PAGE


def _aligned(width: float) -> float:
    return -(-width // 8) * 8


def _health(index: IndexSize, facts: Facts, table: TableSize, least_waste: int) -> IndexHealth:
    fresh = fresh_bytes(index, facts)
    reason = ""
    if index.method == "hnsw" and dead_in_graph(table):
        reason = f"{table.dead_share:.0%} of its vectors are dead"
    elif fresh is not None and index.bytes - fresh >= least_waste:
        times = index.bytes / fresh
        reason = f"{times:.1f} times as large as fresh" if times >= WORTH[index.method] else ""
    return IndexHealth(index, fresh, reason)
