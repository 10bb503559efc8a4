"""An index that is kept in shape while it is in use."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from index.database import Database
from index.errors import ConfigurationError
from index.models import active_model
from index.reindex import ReindexInProgress
from index.runs import REINDEX, alone
from index.status import read_status
from index.upkeep import find, mend
from index.upkeep_bloat import graph_row
from index.upkeep_findings import Finding, Kind, Wish
from index.upkeep_graph import HNSW_FROM, build_graph
from index.upkeep_memory import LARGEST, Machine, Room, Server, bytes_of, graph_memory, room
from index.upkeep_sizes import IndexSize, read_sizes, shown_bytes
from tests.index.generated_index import GeneratedIndex, generate_index

pytestmark = pytest.mark.anyio

CHUNKS, DIMENSION = 2_000, 32
GB = 1 << 30
ANY_WASTE = Wish(least_waste=0)
# To its opposite and back.
CHURN = sql.SQL("UPDATE {} SET embedding = embedding - embedding - embedding")
CHURN_TERMS = sql.SQL("UPDATE chunk_term SET term_ids = term_ids || 1")
NEAREST = sql.SQL("""
SELECT chunk_id FROM {}
ORDER BY embedding <#> (SELECT embedding FROM {} WHERE chunk_id = %s) LIMIT 1
""")
# What somebody holds that a rebuild waits for: before it builds, and before it drops the old one.
WRITING = "LOCK TABLE {} IN ROW EXCLUSIVE MODE"
READING = "LOCK TABLE {} IN ACCESS SHARE MODE"


@pytest.fixture
async def index(database: Database) -> GeneratedIndex:
    """2,000 chunks with a graph over their vectors."""
    return await generate_index(database, chunks=CHUNKS, dimension=DIMENSION)


async def indexes(database: Database) -> dict[str, IndexSize]:
    async with database.pool.connection() as connection:
        return {one.name: one for one in (await read_sizes(connection)).indexes}


async def execute(database: Database, *statements: sql.Composed | sql.SQL) -> None:
    """Runs statements that do not stand in a transaction."""
    async with await database.connect() as connection:
        for statement in statements:
            await connection.execute(statement)


@asynccontextmanager
async def asked_all_the_time(database: Database, index: GeneratedIndex) -> AsyncGenerator[None]:
    """Each chunk is nearest to itself, whatever is done meanwhile."""
    query = NEAREST.format(index.model.vectors, index.model.vectors)

    async def ask() -> None:
        for number in range(10**9):
            wanted = number * 37 % CHUNKS + 1
            async with database.pool.connection() as connection:
                row = await (await connection.execute(query, [wanted])).fetchone()
            assert row == (wanted,)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        (ended,) = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)


async def test_what_churn_has_bloated_is_rebuilt_and_vacuumed_beside_searches(
    database: Database, index: GeneratedIndex
) -> None:
    fresh = await indexes(database)
    await execute(
        database,
        sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)").format(index.model.vectors),
        *[CHURN.format(index.model.vectors), CHURN_TERMS] * 4,
    )
    bloated = await indexes(database)
    async with asked_all_the_time(database, index):
        mended = await mend(database, ANY_WASTE)

    now = await indexes(database)
    graph = index.model.graph
    done = {(one.finding.kind, one.finding.name) for one in mended}
    assert bloated[graph].bytes > 1.5 * fresh[graph].bytes
    for name in (graph, "chunk_term_ids"):
        assert (Kind.INDEX, name) in done
        assert now[name].bytes <= fresh[name].bytes * 1.1
    assert (Kind.VACUUM, index.model.vectors.as_string().strip('"')) in done
    assert (await read_status(database)).sizes["vectors"].dead_rows == 0
    assert await find(database, ANY_WASTE) == []


async def test_an_index_in_shape_is_left_alone(database: Database, index: GeneratedIndex) -> None:
    before = await nodes(database)

    assert await find(database, Wish()) == []
    assert await mend(database, Wish()) == []

    assert await nodes(database) == before


async def test_everything_is_rebuilt_that_is_ours_and_nothing_else(
    database: Database, index: GeneratedIndex
) -> None:
    await execute(
        database,
        sql.SQL("CREATE TABLE theirs (id int PRIMARY KEY)"),
        sql.SQL("INSERT INTO theirs SELECT generate_series(1, 5000)"),
        sql.SQL("DELETE FROM theirs"),
    )
    told = await find(database, Wish(everything=True))
    before = await nodes(database)
    mended = await mend(database, Wish(everything=True))
    after = await nodes(database)

    assert {(one.kind, one.name) for one in told} == {
        (one.finding.kind, one.finding.name) for one in mended
    }
    rebuilt = {one.name for one in told if one.kind is Kind.INDEX}
    assert {"chunk_term_ids", "page_pkey", "page_title", index.model.graph} <= rebuilt
    assert {name for name in before if before[name] != after[name]} == rebuilt
    assert await mend(database, ANY_WASTE) == []


async def nodes(database: Database) -> dict[str, int]:
    """The file of each index."""
    query = "SELECT relname, relfilenode::bigint FROM pg_class WHERE relkind = 'i'"
    async with database.pool.connection() as connection:
        rows = await connection.execute(query)
        found: dict[str, int] = {row[0]: row[1] async for row in rows}
    return {name: node for name, node in found.items() if not name.startswith("pg_")}


@asynccontextmanager
async def killed(
    database: Database, holding: LiteralString, table: sql.Identifier
) -> AsyncGenerator[psycopg.AsyncConnection]:
    """A connection whose statement ends half way, since somebody holds a table."""
    async with database.pool.connection() as other:
        await other.execute(sql.SQL(holding).format(table))
        async with await database.connect() as connection:
            await connection.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                yield connection


@pytest.mark.parametrize(("holding", "left"), [(WRITING, "_ccnew"), (READING, "_ccold")])
async def test_what_a_killed_rebuild_left_is_dropped(
    database: Database, index: GeneratedIndex, holding: LiteralString, left: str
) -> None:
    async with killed(database, holding, sql.Identifier("chunk_term")) as connection:
        await connection.execute("REINDEX INDEX CONCURRENTLY chunk_term_ids")
    invalid = [one.name for one in (await indexes(database)).values() if not one.is_valid]
    mended = await mend(database, Wish())

    assert invalid == [f"chunk_term_ids{left}"]
    assert (Kind.LEFTOVER, invalid[0]) in [(one.finding.kind, one.finding.name) for one in mended]
    assert all(one.is_valid for one in (await indexes(database)).values())


@pytest.mark.parametrize("is_half_built", [False, True])
async def test_a_graph_that_is_missing_is_built(database: Database, is_half_built: bool) -> None:
    index = await generate_index(database, chunks=500, dimension=8, hnsw=False)
    many = sql.SQL("UPDATE page SET chunk_count = {}").format(sql.Literal(HNSW_FROM))
    await execute(database, many)
    if is_half_built:
        create = sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} USING hnsw (embedding halfvec_ip_ops)")
        async with killed(database, WRITING, index.model.vectors) as connection:
            graph = sql.Identifier(index.model.graph)
            await connection.execute(create.format(graph, index.model.vectors))
    found = await find(database, Wish())
    await mend(database, Wish())

    assert [one.name for one in found if one.kind is Kind.GRAPH] == [index.model.graph]
    assert (await indexes(database))[index.model.graph].is_valid
    async with database.pool.connection() as connection:
        model = await active_model(connection)
    assert model is not None and model.has_hnsw
    assert not await build_graph(database, model)


async def test_two_do_not_mend_at_once(database: Database) -> None:
    async with alone(database, REINDEX, ReindexInProgress):
        with pytest.raises(ReindexInProgress):
            await mend(database, Wish())


async def test_the_status_tells_sizes_by_what_they_are_for(
    database: Database, index: GeneratedIndex
) -> None:
    status = await read_status(database)

    sizes = status.sizes
    assert list(sizes) == ["text", "words", "vectors", "graph", "rest"]
    assert sizes["graph"].index_bytes == (await indexes(database))[index.model.graph].bytes
    # Postgres adds what a session wrote some seconds later, also to what ANALYZE has counted.
    assert sizes["vectors"].live_rows in (2 * CHUNKS, 4 * CHUNKS)
    assert sizes["vectors"].table_bytes > CHUNKS * 2 * DIMENSION
    assert all(part.index_bytes for part in sizes.values())
    lines = status.summary().splitlines()
    assert any(line.startswith("graph ") and shown_bytes(0) in line for line in lines)
    assert status.change is None


@pytest.mark.parametrize(
    ("dimension", "most"), [(384, 1_171), (1_536, 4_096), (2_000, 8_192), (4_000, 16_384)]
)
def test_an_entry_of_a_graph_takes_what_fits_on_a_page(dimension: int, most: int) -> None:
    assert most - 1 <= graph_row(dimension) <= most


@pytest.mark.parametrize(
    ("needed", "server", "most", "expected"),
    [
        # Here: what is needed, up to what is free.
        (2 * GB, Server(GB // 16, 2, True), None, Room(2 * GB, 3)),
        (99 * GB, Server(GB // 16, 2, True), None, Room(8 * GB, 0)),
        (1, Server(GB // 16, 2, True), None, Room(GB // 16, 3)),
        # Elsewhere: what the server gives, unless its operator says more or less.
        (2 * GB, Server(GB, 2, False), None, Room(GB, 2)),
        (2 * GB, Server(GB, 4, False), 4 * GB, Room(2 * GB, 4)),
        (9 * GB, Server(GB, 4, False), 4 * GB, Room(4 * GB, 4)),
        (9 * GB, Server(GB, 4, False), GB // 2, Room(GB // 2, 4)),
        (1 << 50, Server(GB, 4, False), 1 << 50, Room(LARGEST, 4)),
    ],
)
def test_a_build_gets_the_memory_that_it_needs_where_it_is_there(
    needed: int, server: Server, most: int | None, expected: Room
) -> None:
    assert room(needed, server, Machine(8 * GB, 4 * GB, 4), most) == expected


def test_the_memory_of_a_graph_follows_from_its_vectors() -> None:
    assert graph_memory(1_000_000, 384) == pytest.approx(1.1 * 1.55e9, rel=0.01)
    assert Machine.this().memory > 0


def test_a_size_is_read_and_shown_for_people() -> None:
    assert (bytes_of("4GB"), bytes_of(" 512 MB ")) == (4 * GB, GB // 2)
    shown = [shown_bytes(n) for n in (0, 8_192, 5_000_000, 3 * GB)]
    assert shown == ["0 B", "8.0 kB", "4.8 MB", "3.0 GB"]
    for wrong in ("4", "4 gigs", "-1GB", "0GB", "4gb"):
        with pytest.raises(ConfigurationError, match="512MB or 4GB"):
            bytes_of(wrong)


def test_a_finding_says_what_how_large_and_why() -> None:
    finding = Finding(Kind.INDEX, "page_pkey", "2.0 times as large as fresh", 20 << 20, 10 << 20)

    assert finding.summary() == (
        "rebuild page_pkey: 2.0 times as large as fresh, 20 MB, fresh about 10 MB"
    )
