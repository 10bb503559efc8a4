"""The state of the database, its pools and its replica, read as Prometheus comes for it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from index.background import ended
from index.connection_pool import OPEN_POOLS, Conninfo
from index.database_connection import connect
from index.errors import DatabaseError
from index.metrics import REGISTRY
from index.metrics_facts import IndexFacts, SiteFacts, read_facts
from index.replica import Replica

logger = logging.getLogger(__name__)

KEPT_S = 15.0
WAIT_S = 2.0  # for a scrape, for which Prometheus waits 10 in all
PATIENCE_S = 20.0
# Of an index so large that reading this takes long, it is read less often: 2 % of the time.
KEPT_PER_SECOND = 50

NAMES = "confluence_mcp_"
GONE = (psycopg.Error, DatabaseError, TimeoutError, OSError)
# Of these it is there, but does not tell: too much to read, or nothing that may be read.
MUTE = (psycopg.errors.QueryCanceled, psycopg.ProgrammingError)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last look at the database gave."""

    is_up: bool = False
    facts: IndexFacts | None = None


class IndexCollector(Collector):
    """What was read last; `refresh` reads anew where that is too old."""

    def __init__(
        self,
        conninfo: Conninfo,
        replica: Replica | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conninfo = conninfo
        self._replica = replica
        self._clock = clock
        self._seen = _Seen()
        self._until = -inf
        self._reading: asyncio.Task[None] | None = None
        self._said = ""

    async def refresh(self, wait_s: float = WAIT_S) -> None:
        """Reads the database where that is due; what takes longer than the wait comes next time."""
        if self._reading is None or self._reading.done():
            if self._clock() < self._until:
                return
            self._reading = asyncio.create_task(self._renew())
        await asyncio.wait([self._reading], timeout=wait_s)

    async def close(self) -> None:
        """Reads no more."""
        if self._reading is not None:
            await ended(self._reading)

    async def _renew(self) -> None:
        started = self._clock()
        is_up, facts, problem = False, None, ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                async with await connect(await self._conninfo()) as connection:
                    is_up = True
                    facts = await read_facts(connection, PATIENCE_S / 2)
        except GONE as error:
            is_up = is_up and isinstance(error, MUTE)
            problem = _short(error)
        self._seen = _Seen(is_up, facts)
        self._say(problem)
        now = self._clock()
        self._until = now + max(KEPT_S, (now - started) * KEPT_PER_SECOND)

    def _say(self, problem: str) -> None:
        if problem and problem != self._said:
            logger.warning("metrics tell nothing of the index: %s", problem)
        self._said = problem

    def collect(self) -> Iterator[Metric]:
        """The series as they are now."""
        up = GaugeMetricFamily(
            NAMES + "database_up", "Whether Postgres answered when it was last looked at."
        )
        facts = self._seen.facts
        up.add_metric((), self._seen.is_up)
        yield up
        yield from _of_pools()
        yield from _of_replica(self._replica)
        yield from _of_sites(facts.sites if facts else [])
        yield from _of_rest(facts)


def _short(error: BaseException) -> str:
    said = str(error).strip().partition("\n")[0]
    return said or type(error).__name__


def _of_pools() -> Iterator[Metric]:
    """Of pools of one name the sum, as where two servers run in one process."""
    sums: dict[str, Counter[str]] = {}
    for name, stats in OPEN_POOLS.stats():
        sums.setdefault(name.removeprefix("confluence-mcp "), Counter()).update(stats)
    for name, text, key in (
        (
            "pool_connections",
            "Connections to Postgres, by pool (serve, auth, replica, ...).",
            "pool_size",
        ),
        ("pool_connections_free", "Those of them that are free.", "pool_available"),
        ("pool_connections_most", "How many a pool may have.", "pool_max"),
        ("pool_waiting", "Transactions that wait for a connection.", "requests_waiting"),
    ):
        family = GaugeMetricFamily(NAMES + name, text, labels=["pool"])
        for pool, stats in sums.items():
            family.add_metric([pool], stats[key])
        yield family
    waited = CounterMetricFamily(
        NAMES + "pool_wait_seconds", "Time for which transactions waited.", labels=["pool"]
    )
    lost = CounterMetricFamily(
        NAMES + "pool_connection_errors",
        "Connections that broke or could not be made.",
        labels=["pool"],
    )
    for pool, stats in sums.items():
        waited.add_metric([pool], stats["requests_wait_ms"] / 1000)
        lost.add_metric([pool], stats["connections_errors"] + stats["connections_lost"])
    yield waited
    yield lost


def _of_replica(replica: Replica | None) -> Iterator[Metric]:
    asked = GaugeMetricFamily(
        NAMES + "replica_asked", "Whether the replica is read (1), or the primary in its place (0)."
    )
    lag = GaugeMetricFamily(
        NAMES + "replica_lag_seconds",
        "The age of the oldest change that the replica may lack; +Inf when not known.",
    )
    if replica is not None:
        asked.add_metric((), replica.is_current)
        lag.add_metric((), replica.lag_s)
    yield asked
    yield lag


def _of_sites(sites: list[SiteFacts]) -> Iterator[Metric]:
    def family(name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(NAMES + name, text, labels=["site"])

    pages = family("index_pages", "Pages and blog posts in the index, by site.")
    chunks = family("index_chunks", "Chunks of text in the index.")
    unreadable = family("index_unreadable", "Parts of pages that could not be read.")
    failed = family("index_failed_pages", "Pages that the last runs could not take in.")
    run_at = family("ingest_last_run_timestamp_seconds", "When the last run ended.")
    good_at = family("ingest_last_success_timestamp_seconds", "When the last good run ended.")
    good = family("ingest_last_run_succeeded", "Whether the last run succeeded.")
    tokens = CounterMetricFamily(
        NAMES + "index_embedded_tokens",
        "About so many tokens were sent to the embedding model to fill the index.",
        labels=["site"],
    )
    for site in sites:
        pages.add_metric([site.url], site.pages)
        chunks.add_metric([site.url], site.chunks)
        unreadable.add_metric([site.url], site.unreadable)
        failed.add_metric([site.url], site.failed_pages)
        tokens.add_metric([site.url], site.embedded_tokens)
        if site.run_at is not None:
            run_at.add_metric([site.url], site.run_at)
            good.add_metric([site.url], bool(site.has_succeeded))
        if site.good_run_at is not None:
            good_at.add_metric([site.url], site.good_run_at)
    yield from (pages, chunks, unreadable, failed, run_at, good_at, good, tokens)


def _of_rest(facts: IndexFacts | None) -> Iterator[Metric]:
    size = GaugeMetricFamily(NAMES + "database_size_bytes", "The database on disk.")
    jobs = GaugeMetricFamily(
        NAMES + "queue_jobs",
        "Jobs of workers, by state (waiting, running, failed).",
        labels=["state"],
    )
    workers = GaugeMetricFamily(
        NAMES + "queue_workers", "Workers that gave a sign of life within 30 seconds."
    )
    oldest = GaugeMetricFamily(
        NAMES + "queue_oldest_job_seconds", "For how long the first job that is due has waited."
    )
    if facts is not None:
        size.add_metric((), facts.size_bytes)
    if facts is not None and (queue := facts.queue) is not None:
        jobs.add_metric(["waiting"], queue.waiting)
        jobs.add_metric(["running"], queue.running)
        jobs.add_metric(["failed"], queue.failed)
        workers.add_metric((), queue.workers)
        oldest.add_metric((), facts.oldest_job_s)
    yield from (size, jobs, workers, oldest)


@asynccontextmanager
async def collecting(collector: IndexCollector) -> AsyncGenerator[None]:
    """Has the registry show it for the length of a `with`."""
    REGISTRY.register(collector)
    try:
        yield
    finally:
        REGISTRY.unregister(collector)
        await collector.close()
