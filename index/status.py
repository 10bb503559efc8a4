"""What the index holds and how fresh it is, for a person."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypedDict

from psycopg.rows import class_row

from index.database import Database
from index.models import active_model
from index.queue_status import QueueStatus, read_queue
from index.reindex_status import Change, read_change
from index.runs import INGEST, is_held
from index.upkeep_sizes import PartSize, read_sizes, shown_bytes

# Folders, whiteboards and the like have a place among the pages, but are none.
SPACES = """
WITH of_page AS (
    SELECT space_id,
           count(*) FILTER (
               WHERE state <> 'tombstoned' AND content_type IN ('page', 'blogpost')) AS pages,
           count(*) FILTER (WHERE state = 'tombstoned') AS hidden,
           sum(chunk_count) FILTER (WHERE state <> 'tombstoned') AS chunks,
           sum(jsonb_array_length(unreadable)) FILTER (WHERE state <> 'tombstoned') AS unreadable
    FROM page GROUP BY space_id
),
of_comment AS (
    SELECT space_id, count(*) AS comments FROM comment JOIN page USING (page_ref)
    WHERE state <> 'tombstoned' GROUP BY space_id
),
of_attachment AS (
    SELECT space_id, count(*) AS attachments, count(attachment.unreadable) AS unreadable
    FROM attachment JOIN page USING (page_ref) WHERE state <> 'tombstoned' GROUP BY space_id
),
of_failure AS (SELECT space_id, count(*) AS failures FROM page_failure GROUP BY space_id)
SELECT site.url AS site_url, space.key, space.name, space.swept_at,
       coalesce(pages, 0) AS pages, coalesce(comments, 0) AS comments,
       coalesce(attachments, 0) AS attachments, coalesce(chunks, 0)::int AS chunks,
       coalesce(of_page.unreadable, 0)::int + coalesce(of_attachment.unreadable, 0)::int
           AS unreadable,
       coalesce(failures, 0) AS failures, coalesce(hidden, 0) AS hidden, space.embedded_tokens
FROM space JOIN site ON site.id = space.site_id
LEFT JOIN of_page ON of_page.space_id = space.id
LEFT JOIN of_comment ON of_comment.space_id = space.id
LEFT JOIN of_attachment ON of_attachment.space_id = space.id
LEFT JOIN of_failure ON of_failure.space_id = space.id
WHERE space.swept_at IS NOT NULL OR pages > 0 OR hidden > 0 OR failures > 0
ORDER BY site.url, space.key
"""
FAILURES = """
SELECT space.key AS space_key, page_id, title, error, attempts, failed_at, retry_at
FROM page_failure JOIN space ON space.id = space_id ORDER BY failed_at DESC LIMIT 20
"""
NOW = "SELECT now()"
LAST_RUNS = """
SELECT site.url AS site_url, started_at, finished_at, succeeded, report
FROM sync_run JOIN site ON site.id = site_id ORDER BY sync_run.id DESC LIMIT 5
"""
HAS_CHUNKS = "SELECT EXISTS (SELECT FROM chunk)"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """One space: what of it is shown, how many pages are hidden, when it was last swept whole.

    `unreadable` counts what on pages could not be read, attachments included; `embedded_tokens` is
    about what the embedding model was sent for it so far.
    """

    site_url: str
    key: str
    name: str
    swept_at: datetime | None
    pages: int
    comments: int
    attachments: int
    chunks: int
    unreadable: int
    failures: int
    hidden: int
    embedded_tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that the last runs could not take in; not tried again before `retry_at`."""

    space_key: str
    page_id: str
    title: str
    error: str
    attempts: int
    failed_at: datetime
    retry_at: datetime


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
    """The whole picture at a time; `runs` newest first.

    `model` is None before the first ingest, `queue` where no worker ever ran, `change` unless
    another model is being built. `sizes` are by what tables and indexes are for.
    """

    read_at: datetime
    model: str | None
    dimension: int | None
    is_running: bool
    spaces: list[SpaceStatus]
    failures: list[Failure]
    runs: list[Run]
    queue: QueueStatus | None = None
    sizes: dict[str, PartSize] = field(default_factory=dict[str, PartSize])
    change: Change | None = None

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON; times are in ISO 8601."""
        return json.loads(json.dumps(asdict(self), default=datetime.isoformat))

    def summary(self) -> str:
        """A table of the spaces of each site, failures and the last run, for a terminal."""
        if self.model is None:
            return "The index is empty: run `confluence-mcp ingest` to fill it."
        blocks = [[f"Embedding model: {self.model} ({self.dimension} numbers)"]]
        if self.change:
            blocks[0].append(self.change.summary())
        for site_url, spaces in groupby(self.spaces, key=lambda space: space.site_url):
            rows = [HEAD, *(self._cells(space) for space in spaces)]
            blocks.append([site_url, *_table(rows)])
        blocks += [self._sizes(), self._news()]
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    def _sizes(self) -> list[str]:
        if not self.sizes:
            return []
        rows = [
            (
                name,
                shown_bytes(part.table_bytes),
                shown_bytes(part.index_bytes),
                f"{part.dead_rows:,}",
                f"{part.dead_rows / max(part.live_rows + part.dead_rows, 1):.0%}",
            )
            for name, part in self.sizes.items()
        ]
        return _table([("Part", "Tables", "Indexes", "Dead rows", "Share"), *rows])

    def _news(self) -> list[str]:
        failures = [
            f"Failed: {failure.space_key} {failure.title} ({failure.page_id}), "
            f"{failure.attempts} times, not again before {failure.retry_at:%Y-%m-%d %H:%M %Z}: "
            f"{failure.error}"
            for failure in self.failures
        ]
        runs = [
            f"Last run: {run.site_url}, {run.started_at:%Y-%m-%d %H:%M %Z}, "
            f"{run.outcome(is_running=self.is_running)}"
            for run in self.runs[:1]
        ]
        workers = [self.queue.summary()] if self.queue else []
        return failures + runs + workers

    def _cells(self, space: SpaceStatus) -> Sequence[str]:
        numbers = (
            space.pages,
            space.comments,
            space.attachments,
            space.chunks,
            space.unreadable,
            space.failures,
            space.hidden,
            space.embedded_tokens,
        )
        swept = f"{_age(self.read_at - space.swept_at)} ago" if space.swept_at else "never"
        return (space.key, *(f"{number:,}" for number in numbers), swept)


HEAD = (
    *("Space", "Pages", "Comments", "Attachments", "Chunks", "Unreadable", "Failures", "Hidden"),
    *("Tokens", "Swept"),
)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if 0 < at < len(widths) - 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _age(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


async def is_empty(database: Database) -> bool:
    """Whether the index holds not one chunk."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(HAS_CHUNKS)).fetchone()
    return row != (True,)


async def read_status(database: Database) -> Status:
    """Reads the whole picture."""
    async with database.pool.connection() as connection:
        model = await active_model(connection)
        now = await (await connection.execute(NOW)).fetchone()
        is_running = await is_held(connection, INGEST)
        change = await read_change(connection)
        sizes = (await read_sizes(connection)).by_purpose()
        async with connection.cursor(row_factory=class_row(SpaceStatus)) as cursor:
            spaces = await (await cursor.execute(SPACES)).fetchall()
        async with connection.cursor(row_factory=class_row(Failure)) as cursor:
            failures = await (await cursor.execute(FAILURES)).fetchall()
        async with connection.cursor(row_factory=class_row(Run)) as cursor:
            runs = await (await cursor.execute(LAST_RUNS)).fetchall()
        queue = await read_queue(connection)
    assert now is not None
    return Status(
        read_at=now[0],
        model=model.name if model else None,
        dimension=model.dimension if model else None,
        is_running=is_running,
        spaces=spaces,
        failures=failures,
        runs=runs,
        queue=queue,
        sizes=sizes,
        change=change,
    )
