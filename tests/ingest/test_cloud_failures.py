"""What CloudSource does when Confluence refuses, slows down or breaks."""

import logging
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from ingest.sources.cloud import CloudSource
from ingest.sources.pace import Pace
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import connection_reset, failing, rate_limited, rewritten, truncated
from tests.confluence.samples import filled_site
from tests.ingest.cloud_sites import FakeTime, Scene, crowd, pages_of, scene, swept

pytestmark = pytest.mark.anyio

SWEEP = "*/spaces/*/pages"
SPACES = "*/api/v2/spaces"
ONE_PAGE = "*/api/v2/pages/*"
CURRENT_USER = "*/user/current"
AUTH = httpx.BasicAuth(EMAIL, TOKEN)


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages."""
    with scene(filled_site({"ENG": 12})) as served:
        yield served


@pytest.mark.parametrize(
    ("token", "username"), [("ATATT-wrong", EMAIL), (TOKEN, "somebody.else@example.com")]
)
async def test_wrong_credentials_are_named_and_never_tried_again(
    small: Scene, token: str, username: str
) -> None:
    async with small.source(token, username) as source:
        with pytest.raises(AuthenticationError, match="CONFLUENCE_USERNAME") as caught:
            await source.spaces()

    assert token not in str(caught.value)
    assert small.site.request_log.count("/wiki/rest/api/user/current") == 1
    assert small.time.slept == []


async def test_a_token_with_scopes_is_used_through_the_gateway(small: Scene) -> None:
    scopes = {"read:space:confluence", "read:page:confluence", "read:user:confluence"}
    token = small.site.issue_token(small.site.crawler, scopes=scopes)

    async with small.source(token) as source:
        summaries = await swept(source)
        answers = await pages_of(source, summaries)
        names = await source.user_names([small.site.crawler.account_id])

    assert len(answers) == 12
    assert list(names.values()) == ["Wiki Indexer"]
    assert summaries[0].url.startswith(f"{small.base_url}/spaces/ENG/pages/")


async def test_a_listing_through_the_gateway_goes_on_there() -> None:
    with scene(filled_site({"ENG": 260})) as served:
        scopes = {"read:space:confluence", "read:page:confluence", "read:user:confluence"}
        token = served.site.issue_token(served.site.crawler, scopes=scopes)

        async with served.source(token) as source:
            summaries = await swept(source)

    assert len(summaries) == 260


async def test_a_token_that_lacks_a_scope_is_told_apart(small: Scene) -> None:
    token = small.site.issue_token(small.site.crawler, scopes={"read:user:confluence"})

    async with small.source(token) as source:
        with pytest.raises(AuthenticationError, match="read:space:confluence"):
            await source.spaces()


async def test_an_anonymous_answer_is_not_taken_for_an_account(small: Scene) -> None:
    anonymous = rewritten(lambda answer: {"type": "anonymous", "displayName": "Anonymous"})
    small.faults.add(anonymous, CURRENT_USER, times=None)

    async with small.source() as source:
        with pytest.raises(AuthenticationError, match="anonymous"):
            await source.spaces()

    assert small.site.request_log.count(SPACES) == 0


async def test_a_site_that_does_not_know_the_account_is_refused(small: Scene) -> None:
    small.faults.add(failing(403), CURRENT_USER, times=None)

    async with small.source() as source:
        with pytest.raises(AuthenticationError, match="may use Confluence"):
            await source.spaces()


async def test_credentials_that_expire_midway_end_the_run(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.site.revoke_token(TOKEN)

        with pytest.raises(AuthenticationError, match="expired"):
            await pages_of(source, summaries)


async def test_retry_after_is_waited_for_exactly(small: Scene) -> None:
    small.faults.add(rate_limited(retry_after=7), SWEEP)

    async with small.source() as source:
        summaries = await swept(source)

    assert len(summaries) == 12
    assert small.time.slept == [7]


async def test_jitter_only_lengthens_what_was_asked_for(small: Scene) -> None:
    small.faults.add(rate_limited(retry_after=10), SWEEP)
    pace = Pace(timing=small.time.timing(dice=0.5))

    async with CloudSource(small.base_url, AUTH, pace=pace) as source:
        await swept(source)

    assert small.time.slept == [11.5]


async def test_retry_after_may_be_a_date(small: Scene) -> None:
    in_the_next_century = {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}
    small.faults.add(failing(503, headers=in_the_next_century), SWEEP)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match=r"asks to wait \d+ seconds"):
            await swept(source)


async def test_a_pause_holds_for_all_requests_to_the_site(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.faults.add(rate_limited(retry_after=30), ONE_PAGE)
        started = small.time.now
        answers = await pages_of(source, summaries)

    assert len(answers) == 12
    assert small.time.now - started >= 30
    # Five requests were on their way; no other was sent until the pause was over.
    assert max(small.time.slept) <= 30


async def test_a_pause_longer_than_an_hour_is_left_to_the_next_run(small: Scene) -> None:
    small.faults.add(rate_limited(retry_after=86400), SWEEP)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match="86400 seconds"):
            await swept(source)

    assert small.time.slept == []


async def test_rate_limiting_without_a_time_backs_off(small: Scene) -> None:
    small.faults.add(rate_limited(retry_after=None), SWEEP, times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12

    assert small.time.slept == pytest.approx([0.7, 1.4])


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_pass(small: Scene, status: int) -> None:
    small.faults.add(failing(status, body="<html>Oops</html>"), SWEEP, times=4)

    async with small.source() as source:
        assert len(await swept(source)) == 12

    assert small.time.slept == pytest.approx([0.7, 1.4, 2.8, 5.6])


async def test_five_tries_are_enough(small: Scene) -> None:
    small.faults.add(failing(502), SWEEP, times=None)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match="after 5 tries"):
            await swept(source)

    assert small.site.request_log.count(SWEEP) == 5


@pytest.mark.parametrize("after", [0, 20])
async def test_broken_connections_are_tried_again(small: Scene, after: int) -> None:
    small.faults.add(connection_reset(after=after), SWEEP, times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12

    assert len(small.time.slept) == 2


async def test_json_that_ends_early_is_asked_for_again(small: Scene) -> None:
    small.faults.add(truncated(), SWEEP)

    async with small.source() as source:
        assert len(await swept(source)) == 12


async def test_a_listing_that_is_never_json_is_an_error(small: Scene) -> None:
    small.faults.add(failing(200, body="<html>Log in</html>"), SWEEP, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="cannot be read") as caught:
            await swept(source)

    assert "Log in" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_listing_is_refused_three_times_before_that_is_believed(
    small: Scene, status: int
) -> None:
    rule = small.faults.add(failing(status), SWEEP, times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12
        rule.times = None
        before = small.site.request_log.count(SWEEP)
        with pytest.raises(SourceError, match=str(status)):
            await swept(source)

    assert small.site.request_log.count(SWEEP) - before == 3


async def test_a_removed_endpoint_is_never_asked_again(small: Scene) -> None:
    small.faults.add(failing(410), SWEEP, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="Update confluence-mcp"):
            await swept(source)

    assert small.site.request_log.count(SWEEP) == 1


async def test_a_redirect_is_named_and_not_followed(small: Scene) -> None:
    elsewhere = {"Location": "https://login.example.com/wiki?token=1"}
    small.faults.add(failing(302, headers=elsewhere), SPACES, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match=r"login\.example\.com"):
            await source.spaces()


async def test_a_site_that_is_not_there_is_unavailable() -> None:
    time = FakeTime()
    pace = Pace(timing=time.timing())

    async with CloudSource("http://127.0.0.1:9/wiki", AUTH, pace=pace) as source:
        with pytest.raises(SourceUnavailable, match="CONFLUENCE_URL"):
            await source.spaces()

    assert len(time.slept) == 4


async def test_credentials_are_never_logged(small: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
    small.faults.add(rate_limited(), SWEEP)

    async with small.source() as source:
        await pages_of(source, await swept(source))

    assert "Confluence asks to wait" in caplog.text
    assert TOKEN not in caplog.text
    assert secret not in caplog.text


async def test_half_as_many_requests_run_at_once_after_a_rate_limit() -> None:
    pace = Pace(6, FakeTime().timing())

    most_before = await crowd(pace, 12)
    async with pace.turn() as sent_at:
        pace.slow_down(sent_at)
        pace.slow_down(sent_at)
    most_after = await crowd(pace, 12)
    for _ in range(60):
        pace.speed_up()
    most_later = await crowd(pace, 12)

    assert (most_before, most_after, most_later) == (4, 2, 5)


async def test_one_request_at_a_time_is_the_least() -> None:
    time = FakeTime()
    pace = Pace(6, time.timing())

    for _ in range(5):
        time.now += 1
        pace.slow_down(time.now)

    assert await crowd(pace, 4) == 1
