"""What the index holds and how fresh it is, for a person."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypedDict

from psycopg.rows import class_row

from index.database import Database
from index.models import active_model

SPACES = """
SELECT site.url AS site_url, space.key, space.name, space.swept_at,
       count(page_ref) FILTER (WHERE state <> 'tombstoned') AS pages,
       count(page_ref) FILTER (WHERE state = 'tombstoned') AS hidden,
       coalesce(sum(chunk_count) FILTER (WHERE state <> 'tombstoned'), 0)::int AS chunks,
       coalesce(sum(jsonb_array_length(unreadable))
                FILTER (WHERE state <> 'tombstoned'), 0)::int AS unreadable,
       (SELECT count(*) FROM page_failure WHERE page_failure.space_id = space.id) AS failures
FROM space JOIN site ON site.id = space.site_id LEFT JOIN page ON page.space_id = space.id
GROUP BY site.url, space.id ORDER BY site.url, space.key
"""
FAILURES = """
SELECT space.key AS space_key, page_id, title, error, attempts, failed_at
FROM page_failure JOIN space ON space.id = space_id ORDER BY failed_at DESC LIMIT 20
"""
# Holding the lock of index/runs.py, in the two halves in which Postgres shows it.
IS_RUNNING = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint << 32 | objid::bigint
          = hashtextextended('confluence-mcp ingest', 0)
)
"""
LAST_RUNS = """
SELECT site.url AS site_url, started_at, finished_at, succeeded, report
FROM sync_run JOIN site ON site.id = site_id ORDER BY sync_run.id DESC LIMIT 5
"""
HAS_CHUNKS = "SELECT EXISTS (SELECT FROM chunk)"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """One space: pages shown, pages hidden, age of the newest complete sweep."""

    site_url: str
    key: str
    name: str
    swept_at: datetime | None
    pages: int
    hidden: int
    chunks: int
    unreadable: int
    failures: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that the last runs could not take in."""

    space_key: str
    page_id: str
    title: str
    error: str
    attempts: int
    failed_at: datetime


class RunReport(TypedDict, total=False):
    """What a run wrote down, as far as it is read here; counts are besides."""

    error: str | None
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the ingest; `succeeded` is None while it runs, or after it was killed."""

    site_url: str
    started_at: datetime
    finished_at: datetime | None
    succeeded: bool | None
    report: RunReport | None

    def outcome(self, *, is_running: bool) -> str:
        """How it ended, for a person."""
        if self.finished_at is None:
            return "still running" if is_running else "killed before the end"
        if self.succeeded:
            return f"done in {(self.finished_at - self.started_at).total_seconds():.0f} s"
        report = self.report or RunReport()
        return report.get("error") or "; ".join(report.get("problems", ())) or "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture; `model` is None before the first ingest, `runs` are newest first."""

    model: str | None
    dimension: int | None
    is_running: bool
    spaces: list[SpaceStatus]
    failures: list[Failure]
    runs: list[Run]

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON; times are in ISO 8601."""
        return json.loads(json.dumps(asdict(self), default=datetime.isoformat))

    def summary(self) -> str:
        """A few lines for a terminal."""
        if self.model is None:
            return "The index is empty: run `confluence-mcp ingest` to fill it."
        lines = [f"Embedding model: {self.model} ({self.dimension} numbers)"]
        for space in self.spaces:
            age = f"{space.swept_at:%Y-%m-%d %H:%M %Z}" if space.swept_at else "never"
            lines.append(
                f"{space.site_url} {space.key}: {space.pages} pages, {space.chunks} chunks, "
                f"{space.unreadable} unreadable items, {space.failures} failures, {space.hidden} "
                f"hidden; swept {age}"
            )
        lines += [
            f"Failed: {failure.space_key} {failure.title} ({failure.page_id}), "
            f"{failure.attempts} times: {failure.error}"
            for failure in self.failures
        ]
        lines += [
            f"Last run: {run.site_url}, {run.started_at:%Y-%m-%d %H:%M %Z}, "
            f"{run.outcome(is_running=self.is_running)}"
            for run in self.runs[:1]
        ]
        return "\n".join(lines)


async def is_empty(database: Database) -> bool:
    """Whether the index holds not one chunk."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(HAS_CHUNKS)).fetchone()
    return row != (True,)


async def read_status(database: Database) -> Status:
    """Reads the whole picture."""
    async with database.pool.connection() as connection:
        model = await active_model(connection)
        running = await (await connection.execute(IS_RUNNING)).fetchone()
        async with connection.cursor(row_factory=class_row(SpaceStatus)) as cursor:
            spaces = await (await cursor.execute(SPACES)).fetchall()
        async with connection.cursor(row_factory=class_row(Failure)) as cursor:
            failures = await (await cursor.execute(FAILURES)).fetchall()
        async with connection.cursor(row_factory=class_row(Run)) as cursor:
            runs = await (await cursor.execute(LAST_RUNS)).fetchall()
    return Status(
        model=model.name if model else None,
        dimension=model.dimension if model else None,
        is_running=running == (True,),
        spaces=spaces,
        failures=failures,
        runs=runs,
    )
