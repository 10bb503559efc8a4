"""What jobs did, added to the record of the run whose look deferred them."""

from collections.abc import Mapping

from psycopg.types.json import Jsonb

from index.database import Database

# Of two jobs that add at once, the second waits for the row.
ADD = """
UPDATE sync_run
SET finished_at = greatest(finished_at, now()),
    succeeded = succeeded AND %(problems)s::jsonb = '[]',
    report = report || jsonb_build_object(
        'problems', coalesce(report->'problems', '[]') || %(problems)s::jsonb,
        'succeeded', succeeded AND %(problems)s::jsonb = '[]') || coalesce((
        SELECT jsonb_object_agg(key, coalesce((report->>key)::numeric, 0) + value::numeric)
        FROM jsonb_each_text(%(counts)s::jsonb) AS count (key, value)), '{}')
WHERE id = %(run_id)s AND finished_at IS NOT NULL
"""


async def add_to_run(
    database: Database, run_id: int, counts: Mapping[str, float], problem: str | None = None
) -> None:
    """Adds counts to the report of a run, and what went wrong, which takes its success."""
    values = {
        "run_id": run_id,
        "counts": Jsonb(dict(counts)),
        "problems": Jsonb([problem] if problem else []),
    }
    async with database.pool.connection() as connection:
        await connection.execute(ADD, values)
