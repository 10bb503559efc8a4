"""What goes wrong on purpose, over a real port and in process."""

import asyncio
import json

import httpx
import pytest

from tests.confluence import faults as fault
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import Faults
from tests.confluence.samples import filled_site
from tests.confluence.server import InProcess, serve
from tests.confluence.site import Site
from tests.confluence.visiting import listing, titles, visiting


@pytest.fixture
def site() -> Site:
    return filled_site({"ENG": 5})


@pytest.fixture
def faults() -> Faults:
    return Faults()


def test_a_rule_spares_then_strikes_then_is_spent(site: Site, faults: Faults) -> None:
    rule = faults.add(fault.failing(503), "*/api/v2/pages", after=1, times=2)

    with visiting(site, faults) as client:
        statuses = [client.get("/api/v2/pages").status_code for _ in range(5)]
        elsewhere = client.get("/api/v2/spaces").status_code

    assert statuses == [200, 503, 503, 200, 200]
    assert elsewhere == 200
    assert rule.hits == 2
    assert site.request_log.count(status=503) == 2


def test_rate_limiting_says_how_long_to_wait(site: Site, faults: Faults) -> None:
    faults.add(fault.rate_limited(7))
    faults.add(fault.rate_limited(None))

    with visiting(site, faults) as client:
        first, second = client.get("/api/v2/pages"), client.get("/api/v2/pages")

    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert first.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in second.headers


@pytest.mark.parametrize("after", [0, 20])
def test_a_connection_breaks_off(site: Site, faults: Faults, after: int) -> None:
    faults.add(fault.connection_reset(after=after))

    with visiting(site, faults) as client:
        with pytest.raises(httpx.TransportError):
            client.get("/api/v2/pages")
        again = client.get("/api/v2/pages")

    assert again.status_code == 200


def test_a_truncated_answer_is_no_json(site: Site, faults: Faults) -> None:
    faults.add(fault.truncated())

    with visiting(site, faults) as client:
        answer = client.get("/api/v2/pages")

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_slow_answer_outlasts_a_timeout_and_delays_no_stop(site: Site, faults: Faults) -> None:
    faults.add(fault.slow(60))

    with visiting(site, faults) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/api/v2/pages", timeout=httpx.Timeout(30, read=0.05))


def test_an_expired_cursor_strikes_in_mid_listing(site: Site, faults: Faults) -> None:
    faults.add(fault.expired_cursor(), query="*cursor=*")

    with visiting(site, faults) as client:
        first = client.get("/api/v2/pages?limit=2")
        second = client.get(client.base_url.join(first.json()["_links"]["next"]))

    assert (first.status_code, second.status_code) == (200, 400)


def test_a_clamped_listing_gives_less_than_asked_for_and_yet_everything(
    site: Site, faults: Faults
) -> None:
    faults.add(fault.clamped(2), times=None)

    with visiting(site, faults) as client:
        found = listing(client, "/api/v2/pages?limit=250")

    assert titles(found) == [f"ENG page {number}" for number in range(5)]
    assert site.request_log.count("*/pages") == 3


def test_results_are_repeated_across_pages(site: Site, faults: Faults) -> None:
    faults.add(fault.repeated_results(), "*/pages", times=None)

    with visiting(site, faults) as client:
        found = titles(listing(client, "/api/v2/pages?limit=2"))

    assert [str(title)[-1] for title in found] == ["0", "1", "1", "2", "3", "3", "4"]


def test_a_listing_may_lead_back_to_itself(site: Site, faults: Faults) -> None:
    faults.add(fault.endless(), "*/pages", after=1, times=None)

    with visiting(site, faults) as client:
        second = client.get("/api/v2/pages?limit=2").json()["_links"]["next"]
        third = client.get(client.base_url.join(second)).json()["_links"]["next"]

    assert httpx.URL(third) == httpx.URL(second)


def test_the_site_can_change_in_the_midst_of_a_sweep(site: Site, faults: Faults) -> None:
    last = list(site.contents)[-1]
    faults.add(fault.before(lambda: site.trash(last)), "*/pages", after=1)

    with visiting(site, faults) as client:
        found = titles(listing(client, "/api/v2/pages?limit=2"))

    assert found == [f"ENG page {number}" for number in range(4)]


def test_answers_can_be_rewritten(site: Site, faults: Faults) -> None:
    faults.add(fault.rewritten(lambda answer: {**answer, "results": []}))

    with visiting(site, faults) as client:
        assert client.get("/api/v2/pages").json()["results"] == []


def test_faults_compose_from_the_outside_in(site: Site, faults: Faults) -> None:
    faults.add(fault.clamped(2), times=None)
    faults.add(fault.failing(500, body="<html>Oops</html>"))

    with visiting(site, faults) as client:
        failed, recovered = client.get("/api/v2/pages"), client.get("/api/v2/pages")

    assert (failed.status_code, failed.text) == (500, "<html>Oops</html>")
    assert len(recovered.json()["results"]) == 2


def test_cleared_faults_strike_no_more(site: Site, faults: Faults) -> None:
    faults.add(fault.failing(404), times=None)
    faults.clear()

    with visiting(site, faults) as client:
        assert client.get("/api/v2/pages").status_code == 200


@pytest.mark.anyio
async def test_in_process_answers_are_those_of_the_real_port(site: Site) -> None:
    async with httpx.AsyncClient(
        transport=InProcess(site), base_url="http://simulated.test/wiki", auth=(EMAIL, TOKEN)
    ) as inside:
        near = (await inside.get("/api/v2/pages")).json()
    with serve(site) as base_url:
        async with httpx.AsyncClient(base_url=base_url, auth=(EMAIL, TOKEN)) as outside:
            far = (await outside.get("/api/v2/pages")).json()

    assert near["results"] == far["results"]


@pytest.mark.anyio
async def test_in_process_connections_break_as_real_ones_do(site: Site, faults: Faults) -> None:
    faults.add(fault.connection_reset(after=20))

    async with httpx.AsyncClient(
        transport=InProcess(site, faults), base_url="http://simulated.test/wiki"
    ) as client:
        with pytest.raises(httpx.ReadError):
            await client.get("/api/v2/pages")


@pytest.mark.anyio
async def test_the_log_tells_how_many_requests_were_under_way_at_once(
    site: Site, faults: Faults
) -> None:
    faults.add(fault.slow(0.05), times=None)

    async with httpx.AsyncClient(
        transport=InProcess(site, faults), base_url="http://simulated.test/wiki"
    ) as client:
        await asyncio.gather(*(client.get("/api/v2/pages") for _ in range(3)))

    assert site.request_log.most_in_flight == 3
    assert site.request_log.in_flight == 0
