"""Speed, requests and memory of an ingest of a generated Confluence Cloud site.

    uv run --group dev python -m benchmarks.ingest [1000 10000 50000] [--latency 100]
        [--seconds 900]

The site and the embedding endpoint answer from processes of their own, after the time that they
take in the world; every run is a process of its own too, over an embedded Postgres in a temporary
home. The naive recipe (benchmarks/naive_recipe.py) takes in a part of the same site in between.
Memory and `busy`, seconds of the processor, are those of the ingest process; memory as Linux tells
it.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import httpx

from benchmarks.embedding_service import EmbeddingService
from benchmarks.generated_site import GeneratedSite
from benchmarks.loopback import SPAWN, served
from benchmarks.naive_recipe import pages_per_second
from index.database import Database
from index.settings import IndexSettings
from ingest.report import Report
from ingest.run import ingest_once
from ingest.schedule import utc_now
from ingest.sources.cloud import CloudSource
from ingest.sync import Plan

AIM = 10.0  # times the naive recipe
LATER = timedelta(hours=7)  # when the listing of all comments, attachments and labels is due again
QUARTERS = (0.25, 0.5, 0.75, 1.0)
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class World:
    """Where everything is: the site, the endpoint and the home of the index."""

    site_url: str
    embeddings_url: str
    home: Path

    @property
    def settings(self) -> IndexSettings:
        """The settings of an index with vectors from the endpoint."""
        return IndexSettings.model_validate(
            {
                "postgres_url": None,
                "confluence_mcp_home": self.home,
                "openai_api_key": "unused",
                "openai_base_url": self.embeddings_url,
                "embedding_model": "text-embedding-3-small",
            }
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: what it did, seconds that passed and that it was busy, MiB at quarters and at most."""

    report: Report
    seconds: float
    busy: float
    memory: Sequence[float]
    peak: float
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Services:
    """What the simulated services share with us."""

    edited_at: "Synchronized[float]" = field(default_factory=lambda: SPAWN.Value("d", 0.0))
    requests: "Synchronized[int]" = field(default_factory=lambda: SPAWN.Value("q", 0))
    texts: "Synchronized[int]" = field(default_factory=lambda: SPAWN.Value("q", 0))


def main() -> None:
    """Prints a table for each size."""
    arguments = _arguments()
    for pages in arguments.pages:
        asyncio.run(_measure(pages, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed, requests and memory of an ingest.")
    parser.add_argument("pages", type=int, nargs="*", default=[1_000, 10_000, 50_000])
    parser.add_argument("--latency", type=int, default=100, help="milliseconds of the site")
    parser.add_argument("--naive", type=int, default=100, help="pages for the naive recipe")
    parser.add_argument("--seconds", type=float, help="when a first ingest is stopped")
    return parser.parse_args()


async def _measure(pages: int, arguments: argparse.Namespace) -> None:
    """One size; the embedded Postgres stays up between the runs."""
    services = Services()
    site = partial(GeneratedSite, pages, arguments.latency / 1000, services.edited_at)
    embeddings = partial(EmbeddingService, services.requests, services.texts)
    with (
        tempfile.TemporaryDirectory() as home,
        served(site) as site_url,
        served(embeddings) as embeddings_url,
    ):
        world = World(f"{site_url}/wiki", f"{embeddings_url}/v1", Path(home))
        async with Database.open(world.settings, application_name="benchmark") as database:
            conninfo = await database.conninfo()
            print(f"\n{pages:,} pages, {arguments.latency} ms a request of the site")
            await asyncio.to_thread(_print_runs, world, services, pages, arguments, conninfo)


def _print_runs(
    world: World,
    services: Services,
    pages: int,
    arguments: argparse.Namespace,
    conninfo: str,
) -> None:
    columns = ("requests", "embeddings", "pages/s", "chunks/s", "peak MiB", "at quarters")
    print(f"{'run':26} {'seconds':>8} {'busy':>6} " + " ".join(f"{name:>10}" for name in columns))
    show = partial(_show, services)
    first = show("first", lambda: _run(world, Plan(), pages, arguments.seconds))
    naive = pages_per_second(world.site_url, world.embeddings_url, conninfo, arguments.naive)
    print(f"{f'naive recipe, {arguments.naive} pages':26} {'':37} {naive:10.1f}")
    ratio = first.report.stored / first.seconds / naive
    print(f"ours is {ratio:.1f} times as fast (aim {AIM:.0f})", flush=True)
    if not first.is_whole:
        return
    show("nothing changed", lambda: _run(world, Plan(), pages))
    print(f"{'(pages / 250)':26} {'':15} {pages / 250:10.0f}")
    show("nothing changed, 7 h later", lambda: _run(world, Plan(), pages, later=LATER))
    show("nothing changed, quick", lambda: _run(world, Plan(quick=True), pages, later=LATER))
    services.edited_at.value = (utc_now() + LATER).timestamp()
    show("1 % edited, quick", lambda: _run(world, Plan(quick=True), pages, later=LATER))
    services.edited_at.value = 0.0
    show("1 % edited back", lambda: _run(world, Plan(), pages, later=LATER))


def _show(services: Services, name: str, run: Callable[[], Measured]) -> Measured:
    services.requests.value = 0
    done = run()
    report = done.report
    memory = " ".join(f"{one:.0f}" for one in done.memory)
    print(
        f"{name:26} {done.seconds:8.1f} {done.busy:6.1f} {report.requests:10} "
        f"{services.requests.value:10} "
        f"{report.stored / done.seconds:10.1f} {report.chunks / done.seconds:10.1f} "
        f"{done.peak:10.0f} {memory:>10}",
        flush=True,
    )
    if not done.is_whole:
        print(f"stopped after {report.stored:,} pages", flush=True)
    elif not report.succeeded or report.failed:
        print(f"failed={report.failed} {report.error or ''} {' '.join(report.problems)}")
    return done


def _run(
    world: World,
    plan: Plan,
    pages: int,
    seconds: float | None = None,
    later: timedelta = timedelta(0),
) -> Measured:
    """A run in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=SPAWN, max_tasks_per_child=1) as pool:
        return pool.submit(_ingest, world, plan, pages, seconds, later).result()


def _ingest(
    world: World, plan: Plan, pages: int, seconds: float | None, later: timedelta
) -> Measured:
    return asyncio.run(_ingest_within(world, plan, pages, seconds, later))


async def _ingest_within(
    world: World, plan: Plan, pages: int, seconds: float | None, later: timedelta
) -> Measured:
    memory: list[float] = []
    last = Report(world.site_url)

    def note(report: Report) -> None:
        nonlocal last
        last = report
        if len(memory) < len(QUARTERS) and report.stored >= QUARTERS[len(memory)] * pages:
            memory.append(_mebibytes("VmRSS"))

    def now() -> datetime:
        return utc_now() + later

    started = time.perf_counter()
    auth = httpx.BasicAuth("reader@example.com", "token")
    is_whole = True
    async with CloudSource(world.site_url, auth) as source:
        try:
            async with asyncio.timeout(seconds):
                last = await ingest_once(world.settings, source, plan, now=now, progress=note)
        except TimeoutError:
            is_whole = False
    taken = time.perf_counter() - started
    busy = time.process_time()
    return Measured(last, taken, busy, memory, _mebibytes("VmHWM"), is_whole)


def _mebibytes(name: str) -> float:
    """A figure of this process, such as VmRSS, as Linux tells it; elsewhere 0."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    found = next((line for line in lines if line.startswith(f"{name}:")), None)
    return int(found.split()[1]) * 1024 / MEBIBYTE if found else 0.0


if __name__ == "__main__":
    main()
