"""Rows of generated indexes, packed for COPY in binary many at a time.

A driver takes a hundred times as long for arrays and vectors of Python objects. The format:
https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from index.terms import TERM_SPACE, bm25_weights

Connection = AsyncConnection[TupleRow]
Column = NDArray[np.generic]
Numbers = NDArray[np.int64]

_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_INT4 = 23  # the number of the type, in the head of arrays
_OTHER = 1  # a term that makes a text as long as it should be

# Those that are no constraint's.
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%(tables)s::text[]::regclass[])
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


@asynccontextmanager
async def without_indexes(connection: Connection, *tables: str) -> AsyncGenerator[None]:
    """Drops the indexes of tables that are to be filled, and makes them again at the end."""
    rows = await connection.execute(_INDEXES, {"tables": list(tables)})
    indexes: list[tuple[str, str]] = [(row[0], row[1]) async for row in rows]
    for name, _ in indexes:
        await connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    for _, definition in indexes:
        await connection.execute(definition.encode())


async def copy_packed(
    connection: Connection, statement: sql.Composable, blocks: Iterable[bytes]
) -> None:
    """Sends rows that are packed already."""
    async with connection.cursor() as cursor, cursor.copy(sql.Composed([statement])) as copy:
        await copy.write(_HEAD)
        for block in blocks:
            await copy.write(block)
        await copy.write(_END)


def packed(*columns: Column) -> bytes:
    """Rows of columns of a fixed width, whose numbers are in network order."""
    layout: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [("columns", ">i2")]
    for at, column in enumerate(columns):
        layout += [(f"size{at}", ">i4"), (f"value{at}", column.dtype.str, column.shape[1:])]
    rows = np.zeros(len(columns[0]), np.dtype(layout))
    rows["columns"] = len(columns)
    for at, column in enumerate(columns):
        rows[f"size{at}"] = column.nbytes // max(1, len(column))
        rows[f"value{at}"] = column
    return rows.tobytes()


def halfvecs(vectors: NDArray[np.float32]) -> Column:
    """Vectors as values of halfvec."""
    values = np.zeros((len(vectors), vectors.shape[1] + 2), ">u2")
    values[:, 0] = vectors.shape[1]
    values[:, 2:] = vectors.astype(">f2").view(">u2")
    return values


def packed_terms(keys: tuple[Column, ...], terms: Numbers) -> tuple[bytes, Numbers, Numbers]:
    """Rows of chunk_term for texts of equal length, given as rows of terms, in their order.

    Also the terms of all of them, and in how many rows each stands.
    """
    terms = np.sort(terms, axis=1)
    is_first = np.ones(terms.shape, np.bool_)
    is_first[:, 1:] = terms[:, 1:] != terms[:, :-1]
    found = terms[is_first]
    counts = np.diff(np.flatnonzero(is_first.ravel()), append=terms.size)
    sizes: Numbers = np.count_nonzero(is_first, axis=1)
    starts: Numbers = np.cumsum(sizes) - sizes
    weights = _weights(terms.shape[1])[counts]
    rows = [b""] * len(terms)
    found_sizes: list[int] = np.unique(sizes).tolist()
    for size in found_sizes:
        places = np.flatnonzero(sizes == size)
        cells = starts[places, None] + np.arange(size)
        arrays = (_arrays(found[cells]), _sparse(found[cells], weights[cells]))
        data = packed(*(key[places] for key in keys), *arrays)
        width = len(data) // len(places)
        for at, place in enumerate(places.tolist()):
            rows[place] = data[at * width : (at + 1) * width]
    return b"".join(rows), *np.unique(found, return_counts=True)


@cache
def _weights(length: int) -> NDArray[np.float32]:
    """By how often a term stands in a text of that many words."""
    vectors = (bm25_weights({_OTHER: length - count, 2: count}) for count in range(1, length + 1))
    return np.array([0, *(vector.values()[-1] for vector in vectors)], np.float32)


def _arrays(terms: Numbers) -> Column:
    """Values of int4[]."""
    count, size = terms.shape
    values = np.zeros((count, 5 + 2 * size), ">i4")
    values[:, :5] = (1, 0, _INT4, size, 1)
    values[:, 5::2] = 4
    values[:, 6::2] = terms
    return values


def _sparse(terms: Numbers, weights: NDArray[np.float32]) -> Column:
    """Values of sparsevec."""
    count, size = terms.shape
    values = np.zeros((count, 3 + 2 * size), ">i4")
    values[:, :3] = (TERM_SPACE, size, 0)
    values[:, 3 : 3 + size] = terms - 1
    values[:, 3 + size :] = weights.astype(">f4").view(">i4")
    return values
