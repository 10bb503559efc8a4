"""What taking a site in comes to, as numbers for Prometheus and as spans."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import httpx

from index.metrics import LONG, SLOW, counter, from_zero, histogram
from index.traces import span

REQUESTS = counter(
    "confluence_requests",
    "Requests to Confluence, each try counted, by status: that of HTTP, or timeout, unreachable, "
    "cancelled.",
    "status",
)
REQUEST_SECONDS = histogram(
    "confluence_request_duration_seconds", "Until their answers begin.", buckets=SLOW
)
PAUSES = counter("confluence_pauses", "Times that Confluence asked to wait.")
PAUSE_SECONDS = counter("confluence_pause_seconds", "For how long it asked to wait, in all.")
RUNS = counter(
    "ingest_runs",
    "By kind, runs of an ingest, and looks and batches of a worker; by outcome (succeeded, failed, "
    "stopped).",
    "kind",
    "outcome",
)
RUN_SECONDS = histogram(
    "ingest_run_duration_seconds", "How long these took, by kind.", "kind", buckets=LONG
)
PAGES = counter("ingest_pages", "Pages, by outcome: taken in (stored) or not (failed).", "outcome")
CHUNKS = counter("ingest_chunks", "Chunks of stored pages.")

from_zero(PAGES, ("stored", "failed"))

Kind = Literal["run", "look", "batch"]


@dataclass(slots=True)
class Run:
    """A run under way; one that ends without an error has succeeded unless it says otherwise."""

    succeeded: bool = True


@contextmanager
def ingest_run(kind: Kind) -> Generator[Run]:
    """A run, counted, timed and traced however it ends."""
    started, run, outcome = time.monotonic(), Run(), "failed"
    try:
        with span(f"ingest {kind}"):
            yield run
        outcome = "succeeded" if run.succeeded else "failed"
    except asyncio.CancelledError:
        outcome = "stopped"
        raise
    finally:
        RUNS.labels(kind, outcome).inc()
        RUN_SECONDS.labels(kind).observe(time.monotonic() - started)


@dataclass(slots=True)
class SiteRequest:
    """A request under way, with the status of its answer once that has begun."""

    status: str = "unreachable"


@contextmanager
def site_request() -> Generator[SiteRequest]:
    """A request to Confluence, counted and timed until its answer begins."""
    started, request = time.perf_counter(), SiteRequest()
    try:
        yield request
    except httpx.TimeoutException:
        request.status = "timeout"
        raise
    except asyncio.CancelledError:
        request.status = "cancelled"
        raise
    finally:
        REQUESTS.labels(request.status).inc()
        REQUEST_SECONDS.observe(time.perf_counter() - started)


@contextmanager
def batch_span(step: str, pages: int) -> Generator[None]:
    """One step of the pipeline over some pages."""
    with span(f"ingest {step}", {"confluence_mcp.pages": pages}):
        yield
