"""How far a change of the embedding model is."""

from dataclasses import dataclass

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from index.models import model_being_built
from index.runs import REINDEX, is_held

HOW_FAR = sql.SQL("""
SELECT (SELECT count(*) FROM {}), (SELECT coalesce(sum(chunk_count), 0)::bigint FROM page)
""")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the embedding model under way: how many chunks have their vectors, of how many.

    `is_running` tells whether a process goes on with it now.
    """

    model: str
    dimension: int
    done: int
    total: int
    has_graph: bool
    is_running: bool

    def summary(self) -> str:
        """For a person."""
        share = f"{self.done / max(self.total, 1):.0%}"
        going_on = "is being built" if self.is_running else "is half built and nobody goes on"
        remedy = (
            ""
            if self.is_running
            else (
                f": run `confluence-mcp reindex --embedding-model {self.model}`, or with --abandon"
            )
        )
        return (
            f"Next embedding model: {self.model} ({self.dimension} numbers) {going_on}, "
            f"{self.done:,} of {self.total:,} chunks ({share}){remedy}"
        )


async def read_change(connection: AsyncConnection[TupleRow]) -> Change | None:
    """How far the model is that is being built; None when there is none."""
    built = await model_being_built(connection)
    if built is None:
        return None
    row = await (await connection.execute(HOW_FAR.format(built.vectors))).fetchone()
    done, total = row or (0, 0)
    return Change(
        model=built.name,
        dimension=built.dimension,
        done=done,
        total=max(done, total),
        has_graph=built.has_hnsw,
        is_running=await is_held(connection, REINDEX),
    )
