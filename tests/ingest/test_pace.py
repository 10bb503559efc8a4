"""How fast one process asks a site, by what the site's answers say."""

import asyncio

import httpx
import pytest

from ingest.sources.http import SiteClient, WireModel
from ingest.sources.pace import Pace
from ingest.sources.retry_headers import is_near_limit, seconds_to_wait
from tests.ingest.fake_time import FakeTime

pytestmark = pytest.mark.anyio

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
QUOTA = {"RateLimit-Reason": "confluence-quota-tenant-based", "Date": NOON}
RESET = {"X-RateLimit-Reset": "2026-11-22T13:00:00Z"}


async def crowd(pace: Pace, requests: int = 12) -> int:
    """How many of these requests, all wanted now, run at the same time."""
    running = most = 0

    async def request() -> None:
        nonlocal running, most
        async with pace.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(request() for _ in range(requests)))
    return most


async def test_four_requests_run_at_once_at_first() -> None:
    assert await crowd(Pace(timing=FakeTime().timing())) == 4


@pytest.mark.parametrize(("answers", "most"), [(19, 4), (20, 5), (79, 7), (80, 8), (500, 8)])
async def test_twenty_good_answers_let_one_more_run_at_once(answers: int, most: int) -> None:
    pace = Pace(timing=FakeTime().timing())

    for _ in range(answers):
        pace.speed_up()

    assert await crowd(pace) == most


@pytest.mark.parametrize("most", [1, 2, 6])
async def test_a_limit_is_never_passed(most: int) -> None:
    pace = Pace(most, FakeTime().timing())

    for _ in range(500):
        pace.speed_up()

    assert await crowd(pace) == most


async def test_a_refusal_halves_once_for_all_that_were_sent_before_it() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())

    async with pace.turn() as sent_at:
        time.now += 1
        pace.slow_down(sent_at)
        pace.slow_down(sent_at)
    halved = await crowd(pace)
    time.now += 1
    pace.slow_down(time.now)

    assert (halved, await crowd(pace)) == (2, 1)


async def test_one_request_at_a_time_is_the_least() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())

    for _ in range(5):
        time.now += 1
        pace.slow_down(time.now)

    assert await crowd(pace) == 1


async def test_a_refusal_takes_back_the_good_answers_before_it() -> None:
    pace = Pace(timing=FakeTime().timing())

    for _ in range(19):
        pace.speed_up()
    pace.slow_down(2000.0)
    pace.speed_up()

    assert await crowd(pace) == 2


async def test_those_that_waited_for_a_pause_still_run_as_many_as_are_allowed() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())
    pace.pause(30)
    pace.slow_down(time.now)

    most = await crowd(pace)

    assert most == 2
    assert time.now == 1030


async def test_a_longer_pause_is_never_ended_by_a_shorter_one() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())

    pace.pause(30)
    pace.pause(5)
    async with pace.turn() as sent_at:
        pass

    assert sent_at == 1030


@pytest.mark.parametrize(("seconds", "waited"), [(10, 13), (100, 130), (3600, 3630)])
async def test_jitter_only_lengthens_a_pause_and_not_without_bounds(
    seconds: float, waited: float
) -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing(dice=1.0))

    pace.pause(seconds)
    async with pace.turn():
        pass

    assert time.slept == pytest.approx([waited])


def refused(headers: dict[str, str], status: int = 429) -> httpx.Response:
    """An answer of a site that is asked too much."""
    return httpx.Response(status, headers={"Date": NOON} | headers)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 2.5 "}, 2.5),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 12:01:30 GMT"}, 90),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, None),
        (QUOTA | RESET, 3600),
        (QUOTA | RESET | {"Retry-After": "7"}, 3600),
        (QUOTA | {"X-RateLimit-Reset": "2026-11-22T12:00:05Z", "Retry-After": "7"}, 7),
        (QUOTA | {"X-RateLimit-Reset": "2026-11-22T14:30:00+02:00"}, 1800),
        (QUOTA | {"X-RateLimit-Reset": "2026-11-22T12:10:00"}, 600),
        (QUOTA | {"X-RateLimit-Reset": "2026-11-22T11:00:00Z"}, None),
        (QUOTA | {"X-RateLimit-Reset": "later"}, None),
        (QUOTA, None),
        (RESET, None),
        (RESET | {"RateLimit-Reason": "confluence-burst-based", "Retry-After": "3"}, 3),
    ],
)
def test_the_time_to_wait_is_read_from_the_headers(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert seconds_to_wait(refused(headers)) == seconds


def test_a_quota_is_used_up_only_by_a_refusal() -> None:
    assert seconds_to_wait(refused(QUOTA | RESET, 503)) is None
    assert seconds_to_wait(refused({"Retry-After": "7"}, 503)) == 7


@pytest.mark.parametrize(("text", "is_near"), [("true", True), ("TRUE", True), ("false", False)])
def test_the_end_of_a_quota_is_seen_coming(text: str, is_near: bool) -> None:
    assert is_near_limit(httpx.Response(200, headers={"X-RateLimit-NearLimit": text})) == is_near
    assert not is_near_limit(httpx.Response(200))


class Site(httpx.AsyncBaseTransport):
    """Answers every request with what comes next."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The next answer, or an empty one."""
        return self.answers.pop(0) if self.answers else httpx.Response(200, json={})


async def read(site: Site, pace: Pace, times: int = 1) -> None:
    """So many requests, one after the other."""
    async with httpx.AsyncClient(transport=site) as http:
        client = SiteClient(http, "https://wiki.example.com", auth=None, pace=pace)
        for _ in range(times):
            await client.get("/page", WireModel)


async def test_a_used_up_quota_parks_the_site_until_it_is_filled_again() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())

    await read(Site(refused(QUOTA | RESET | {"Retry-After": "1"})), pace)

    assert time.slept == [3600]
    assert await crowd(pace) == 2


async def test_a_site_near_its_limit_is_asked_for_less_at_once() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())
    near = {"X-RateLimit-NearLimit": "true"}

    await read(Site(httpx.Response(200, json={}, headers=near)), pace)
    halved = await crowd(pace)
    await read(Site(), pace, times=40)

    assert halved == 2
    assert await crowd(pace) == 4
    assert time.slept == []
