"""What of the index is worth mending: what is missing, left over, bloated or full of dead rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.models import active_model
from index.upkeep_bloat import LEAST_WASTE, IndexHealth, dead_in_graph, index_health, is_leftover
from index.upkeep_graph import HNSW_FROM, is_graph_valid
from index.upkeep_sizes import Sizes, TableSize, read_sizes, shown_bytes
from index.vocabulary import needs_rebuild

Connection = AsyncConnection[TupleRow]

# Shares of dead rows from which, and of pages known to be all visible up to which, it is worth it.
DEAD, VISIBLE = 0.02, 0.8
LEAST_DEAD, LEAST_PAGES = 1_000, 100

RETIRED = "SELECT name FROM embedding_model WHERE retired_at IS NOT NULL"
# Somebody builds them just now.
UNDER_WAY = "SELECT index_relid::regclass::text FROM pg_stat_progress_create_index"
CHUNKS = "SELECT coalesce(sum(chunk_count), 0)::bigint FROM page"
# Of what an index-only scan finds there, it has to look into the table as well.
UNSEEN = """
SELECT relname FROM pg_class
WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migration'))
  AND relname = ANY(%(names)s::text[]) AND relpages >= %(pages)s
  AND relallvisible < %(visible)s * relpages
"""


class Kind(StrEnum):
    """What can be done."""

    WORDS = "read anew"
    LEFTOVER = "drop"
    RETIRED = "drop the vectors of"
    GRAPH = "build"
    INDEX = "rebuild"
    VACUUM = "vacuum"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is worth doing to what, and why; sizes in bytes, where they are known."""

    kind: Kind
    name: str
    reason: str
    bytes: int | None = None
    fresh_bytes: int | None = None

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON."""
        return asdict(self)

    def summary(self) -> str:
        """For a person."""
        sizes = [] if self.bytes is None else [shown_bytes(self.bytes)]
        if self.fresh_bytes is not None:
            sizes.append(f"fresh about {shown_bytes(self.fresh_bytes)}")
        return f"{self.kind} {self.name}: {', '.join([self.reason, *sizes])}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do: all that can be rebuilt, or only what wastes so many bytes; memory in bytes."""

    everything: bool = False
    least_waste: int = LEAST_WASTE
    most_memory: int | None = None


async def missing(connection: Connection) -> list[Finding]:
    """What is to be made before anything else is looked at, and leftovers to be dropped."""
    found: list[Finding] = []
    if await needs_rebuild(connection):
        found.append(Finding(Kind.WORDS, "all words", "an older version has read them"))
    under_way = [row[0] async for row in await connection.execute(UNDER_WAY)]
    found += [
        Finding(Kind.LEFTOVER, index.name, "a rebuild that was killed left it", index.bytes)
        for index in (await read_sizes(connection)).indexes
        if is_leftover(index) and index.name not in under_way
    ]
    async for (name,) in await connection.execute(RETIRED):
        found.append(Finding(Kind.RETIRED, name, "another model took its place"))
    return found + await _graph(connection)


async def _graph(connection: Connection) -> list[Finding]:
    model = await active_model(connection)
    row = await (await connection.execute(CHUNKS)).fetchone()
    chunks = row[0] if row else 0
    if model is None or chunks < HNSW_FROM or await is_graph_valid(connection, model):
        return []
    return [Finding(Kind.GRAPH, model.graph, f"{chunks:,} chunks have no graph index")]


async def bloat(connection: Connection, wish: Wish) -> list[Finding]:
    """Indexes to be rebuilt, the most wasteful ones first, and then tables to be vacuumed."""
    sizes = await read_sizes(connection)
    health = await index_health(connection, sizes, least_waste=wish.least_waste)
    bloated = [one for one in health if one.reason or wish.everything]
    bloated.sort(key=_waste, reverse=True)
    rebuilt = [
        Finding(
            Kind.INDEX,
            one.index.name,
            one.reason or "all are rebuilt",
            one.index.bytes,
            one.fresh_bytes,
        )
        for one in bloated
    ]
    return rebuilt + await _vacuumed(connection, sizes, bloated, wish)


def _waste(health: IndexHealth) -> int:
    return health.index.bytes - (health.fresh_bytes or 0)


async def _vacuumed(
    connection: Connection, sizes: Sizes, bloated: Sequence[IndexHealth], wish: Wish
) -> list[Finding]:
    values = {
        "names": [table.name for table in sizes.tables],
        "pages": LEAST_PAGES,
        "visible": VISIBLE,
    }
    unseen = {row[0] async for row in await connection.execute(UNSEEN, values)}
    graphs = {index.table_name for index in sizes.indexes if index.method == "hnsw"}
    rebuilt = {one.index.table_name for one in bloated}
    found: list[Finding] = []
    for table in sizes.tables:
        # Little of a graph is repaired at a high price: it waits until it is rebuilt.
        if table.name in graphs and table.name not in rebuilt and not dead_in_graph(table):
            continue
        if reason := _why_vacuum(table, unseen, rebuilt, wish):
            found.append(Finding(Kind.VACUUM, table.name, reason))
    return found


def _why_vacuum(table: TableSize, unseen: set[str], rebuilt: set[str], wish: Wish) -> str:
    if table.dead_rows >= LEAST_DEAD and table.dead_share >= DEAD:
        return f"{table.dead_rows:,} dead rows ({table.dead_share:.0%})"
    if table.name in unseen:
        return "index-only scans have to look into it"
    if table.name in rebuilt or wish.everything:
        return "after its indexes" if table.name in rebuilt else "all are vacuumed"
    return ""
