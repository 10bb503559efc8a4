"""One budget of requests for several processes, on a real Postgres."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from index.database import Database
from index.settings import IndexSettings
from ingest.shared_pace import SharedPace
from ingest.sources.pace import Pace, Timing
from tests.confluence.faults import Faults, failing, slow
from tests.confluence.server import serve
from tests.confluence.site import Site

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
SITE_URL = "https://example.atlassian.net/wiki"
BUDGET = "SELECT allowed FROM request_budget"
SLOTS = "SELECT count(*) FROM request_slot"
FORGET = "TRUNCATE request_budget, request_slot"


@dataclass(slots=True)
class Visited:
    """A site that answers one path, and when it was asked."""

    site: Site = field(default_factory=Site)
    faults: Faults = field(default_factory=Faults)
    times: list[float] = field(default_factory=list[float])

    def app(self, _: Site) -> Starlette:
        """The site as an application."""

        async def page(request: Request) -> Response:
            self.times.append(time.monotonic())
            return JSONResponse({})

        return Starlette(routes=[Route("/wiki/page", page)])


@dataclass(frozen=True, slots=True)
class Paces:
    """Makes paces of one site."""

    database: Database

    def __call__(self, concurrency: int = 8, lease_s: float = 60) -> SharedPace:
        """One as in a process of its own, that draws no lots."""
        timing = Timing(dice=lambda: 0.0)
        return SharedPace(self.database, SITE_URL, concurrency, timing, lease_s=lease_s)


async def number(database: Database, query: LiteralString) -> int:
    """The one number that a query gives."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def worker(base_url: str, requests: int, lease_s: float = 60) -> Process:
    """A process of its own that reads the site."""
    command = [sys.executable, "-m", "tests.ingest.pace_worker"]
    arguments = [base_url, str(requests), str(lease_s)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        *command, *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )


async def three_workers(base_url: str, requests: int) -> None:
    """Three processes that read the site at the same time, to their ends."""
    workers = [await worker(base_url, requests) for _ in range(3)]
    for process in workers:
        _, problem = await process.communicate()
        assert process.returncode == 0, problem.decode()


@pytest.fixture
async def paces(database: Database) -> Paces:
    """Paces of one site, each as in a process of its own."""
    return Paces(database)


async def at_once(expected: int, *paces: Pace) -> int:
    """How many requests run at once when all want more; waits until they are as many as expected.

    Then a moment longer, for those that should not.
    """
    running = 0
    is_full, is_over = asyncio.Event(), asyncio.Event()

    async def request(pace: Pace) -> None:
        nonlocal running
        async with pace.turn():
            running += 1
            if running == expected:
                is_full.set()
            await is_over.wait()

    requests = [asyncio.create_task(request(pace)) for pace in paces for _ in range(expected + 2)]
    async with asyncio.timeout(30):
        await is_full.wait()
    await asyncio.wait(requests, timeout=0.3)
    most = running
    is_over.set()
    await asyncio.gather(*requests)
    return most


async def test_three_processes_never_send_more_at_once_than_one_may(
    database: Database,
) -> None:
    visited = Visited()
    visited.faults.add(slow(0.02), times=None)

    with serve(visited.site, visited.faults, personality=visited.app) as base_url:
        await three_workers(base_url, 30)

    assert len(visited.times) == 90
    # 4 at first, one more for each 20 good answers.
    assert 4 <= visited.site.request_log.most_in_flight <= 8
    assert await number(database, BUDGET) == 8
    assert await number(database, SLOTS) == 0


async def test_a_pause_that_one_is_asked_for_holds_for_all_processes(database: Database) -> None:
    visited = Visited()
    visited.faults.add(failing(429, headers={"Retry-After": "2"}), after=20)
    visited.faults.add(slow(0.02), times=None)

    with serve(visited.site, visited.faults, personality=visited.app) as base_url:
        await three_workers(base_url, 15)

    log = visited.site.request_log
    refused = [entry.status for entry in log.entries].index(429)
    gaps = [later - time for time, later in zip(visited.times, visited.times[1:], strict=False)]
    longest = gaps.index(max(gaps))
    assert len(visited.times) == 45
    assert log.count(status=429) == 1
    # Nobody sends for two seconds, but those that were on their way when the site refused.
    assert max(gaps) > 1.9
    assert refused - 8 <= longest <= refused + 8


async def test_slots_of_a_killed_process_are_free_when_their_lease_ends(
    database: Database, paces: Paces
) -> None:
    process = await worker(SITE_URL, 0, lease_s=1)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holds all\n"
    held = await number(database, SLOTS)

    process.kill()
    await process.wait()
    most = await at_once(4, paces())

    assert held == 4
    assert most == 4
    assert await number(database, SLOTS) == 0


async def test_a_request_keeps_its_slot_however_long_it_takes(
    database: Database, paces: Paces
) -> None:
    slow_one, other = paces(1, lease_s=0.3), paces(1)
    order: list[str] = []

    async def later() -> None:
        async with other.turn():
            order.append("other")

    async with slow_one.turn():
        waiting = asyncio.create_task(later())
        await asyncio.wait({waiting}, timeout=1)
        order.append("slow")
    await waiting

    assert order == ["slow", "other"]


async def test_processes_begin_with_four_at_once_between_them(
    paces: Paces,
) -> None:
    assert await at_once(4, paces(), paces()) == 4


async def test_good_answers_of_all_let_more_run_at_once(database: Database, paces: Paces) -> None:
    first, second = paces(), paces()

    for pace in [first, second] * 40:
        async with pace.turn():
            pace.speed_up()

    assert await number(database, BUDGET) == 8
    assert await at_once(8, first, second) == 8


async def test_a_refusal_halves_for_all_and_once_for_those_that_were_sent_before(
    database: Database, paces: Paces
) -> None:
    first, second = paces(), paces()

    async with first.turn() as sent_by_first, second.turn() as sent_by_second:
        first.slow_down(sent_by_first)
        second.slow_down(sent_by_second)
    halved = await number(database, BUDGET)
    for _ in range(5):
        async with second.turn() as sent_at:
            second.slow_down(sent_at)

    assert halved == 2
    assert await number(database, BUDGET) == 1
    assert await at_once(1, first, second) == 1


async def test_two_never_take_the_last_slot_at_the_same_time(paces: Paces) -> None:
    running: list[Pace] = []
    at_once: list[int] = []

    async def requests(pace: Pace) -> None:
        for _ in range(8):
            async with pace.turn():
                running.append(pace)
                await asyncio.sleep(0)
                at_once.append(len(running))
                running.remove(pace)

    await asyncio.gather(*(requests(paces(1)) for _ in range(5)))

    assert at_once == [1] * 40


async def test_a_process_with_a_smaller_limit_keeps_it(paces: Paces) -> None:
    assert await at_once(2, paces(2)) == 2


async def test_sites_have_budgets_of_their_own(database: Database) -> None:
    paces = [SharedPace(database, url) for url in ("https://one.example", "https://two.example")]

    async with AsyncExitStack() as stack:
        for pace in paces * 4:
            await stack.enter_async_context(pace.turn())
        assert await number(database, SLOTS) == 8


async def test_a_waiter_that_is_stopped_leaves_no_slot_behind(
    database: Database, paces: Paces
) -> None:
    pace = paces(1)

    async def turn() -> None:
        async with pace.turn():
            await asyncio.sleep(0)

    async with pace.turn():
        waiting = [asyncio.create_task(turn()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.1)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.wait(waiting[:2])
    await waiting[2]

    assert await number(database, SLOTS) == 0


async def test_a_database_that_lost_the_budget_begins_anew(
    database: Database, paces: Paces
) -> None:
    pace = paces()

    async with pace.turn():
        async with database.pool.connection() as connection:
            await connection.execute(FORGET)
        pace.pause(0.1)

    assert await at_once(4, pace) == 4


async def test_a_database_that_is_gone_is_an_error_at_the_next_request(
    index_settings: IndexSettings,
) -> None:
    async with Database.open(index_settings, application_name="tests") as database:
        pace = SharedPace(database, SITE_URL)
        async with pace.turn():
            await database.pool.close()
        with pytest.raises(psycopg.OperationalError):
            async with pace.turn():
                pass
