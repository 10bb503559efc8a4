"""What DataCenterSource does when Confluence refuses, slows down or takes it for nobody."""

import logging
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from ingest.sources.datacenter import DataCenterSource, PersonalToken
from ingest.sources.pace import Pace
from ingest.sources.source import SourcePage
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import before, connection_reset, failing, rewritten, truncated
from tests.confluence.samples import filled_site
from tests.ingest.datacenter_sites import Scene, fetched, first_space, scene, swept
from tests.ingest.fake_time import FakeTime

pytestmark = pytest.mark.anyio

SCAN = "*/rest/api/content/scan"
SPACES = "*/rest/api/space"
ONE_PAGE = "*/rest/api/content/[0-9]*"
CURRENT_USER = "*/rest/api/user/current"
OPEN = Edition(most=5, open_spaces=frozenset({"ENG"}))
PASSWORD = httpx.BasicAuth("indexer", TOKEN)


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages, in parts of five, that visitors may read too."""
    with scene(filled_site({"ENG": 12}), OPEN) as served:
        yield served


async def test_a_wrong_token_is_no_account(small: Scene) -> None:
    async with small.source("wrong-token") as source:
        with pytest.raises(AuthenticationError, match="anonymous visitor") as caught:
            await source.spaces()

    assert "CONFLUENCE_PERSONAL_TOKEN" in str(caught.value)
    assert "wrong-token" not in str(caught.value)
    assert small.site.request_log.count(SPACES) == 0
    assert small.time.slept == []


async def test_a_site_that_is_closed_to_visitors_refuses_a_wrong_token() -> None:
    with scene(filled_site({"ENG": 1}), Edition(is_open=False)) as served:
        async with served.source("wrong-token") as source:
            with pytest.raises(AuthenticationError, match="may use Confluence"):
                await source.spaces()


async def test_a_token_that_expires_during_a_sweep_is_noticed_at_its_end(small: Scene) -> None:
    private = [content.id for content in small.site.contents.values()][6:]
    small.site.may_view = lambda user, thing: bool(user.email) or thing.id not in private

    async with small.source() as source:
        space = await first_space(source)
        small.faults.add(before(lambda: small.site.revoke_token(TOKEN)), SCAN, after=1)
        seen: list[str] = []
        with pytest.raises(AuthenticationError, match="expired"):
            async for summary in source.sweep(space):
                seen.append(summary.page_id)  # noqa: PERF401  the list outlives the error

    assert len(seen) == 6


async def test_a_token_that_expires_before_a_sweep_is_noticed_at_its_beginning(
    small: Scene,
) -> None:
    async with small.source() as source:
        space = await first_space(source)
        small.site.revoke_token(TOKEN)
        with pytest.raises(AuthenticationError, match="expired"):
            await anext(source.sweep(space))

    assert small.site.request_log.count(SCAN) == 0


async def test_a_token_that_expires_while_spaces_are_listed_is_noticed(small: Scene) -> None:
    small.site.add_space("HR")
    small.faults.add(before(lambda: small.site.revoke_token(TOKEN)), SPACES)

    async with small.source() as source:
        with pytest.raises(AuthenticationError, match="expired"):
            await source.spaces()


async def test_a_token_that_expires_while_pages_are_fetched_is_noticed(small: Scene) -> None:
    small.site.add_space("HR")
    pages = [small.site.add_page("HR", f"Page {number}") for number in range(3)]

    async with small.source() as source:
        hr = (await source.spaces())[1]
        summaries = [summary async for summary in source.sweep(hr)]
        small.site.revoke_token(TOKEN)
        with pytest.raises(AuthenticationError, match="expired"):
            await fetched(source, summaries)

    assert len(summaries) == len(pages)


async def test_an_account_that_is_not_named_is_refused(small: Scene) -> None:
    nameless = rewritten(lambda answer: {"type": "known", "displayName": "Somebody"})
    small.faults.add(nameless, CURRENT_USER)

    async with small.source() as source:
        with pytest.raises(AuthenticationError):
            await source.spaces()


async def test_a_user_name_and_a_password_are_taken(small: Scene) -> None:
    async with small.source(auth=PASSWORD) as source:
        answers = await fetched(source, await swept(source))

    assert len(answers) == 12
    assert all(isinstance(answer, SourcePage) for answer in answers.values())


async def test_a_wrong_password_is_named_and_never_tried_again(small: Scene) -> None:
    async with small.source(auth=httpx.BasicAuth("indexer", "wrong-password")) as source:
        with pytest.raises(AuthenticationError, match="CONFLUENCE_USERNAME") as caught:
            await source.spaces()

    assert "Basic authentication" in str(caught.value)
    assert "wrong-password" not in str(caught.value)
    assert small.site.request_log.count() == 1


async def test_a_site_that_takes_no_passwords_is_told_with_the_way_out() -> None:
    with scene(filled_site({"ENG": 1}), Edition(takes_passwords=False)) as served:
        async with served.source(auth=PASSWORD) as source:
            with pytest.raises(AuthenticationError, match="CONFLUENCE_PERSONAL_TOKEN instead"):
                await source.spaces()


async def test_an_account_that_has_to_solve_a_captcha_is_told_so(small: Scene) -> None:
    denied = failing(401, headers={"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"})
    small.faults.add(denied, CURRENT_USER)

    async with small.source(auth=PASSWORD) as source:
        with pytest.raises(AuthenticationError, match="CAPTCHA"):
            await source.spaces()


async def test_an_unauthorized_token_is_named_with_its_causes(small: Scene) -> None:
    small.faults.add(failing(401, body="<html>Unauthorized</html>"), SCAN)

    async with small.source() as source:
        with pytest.raises(AuthenticationError, match="expired or was revoked"):
            await swept(source)


async def test_a_site_that_limits_the_rate_is_read_to_its_end() -> None:
    site = filled_site({"ENG": 40}, blogposts=3)

    with scene(site, Edition(most=10, allowance=6)) as served:
        async with served.source() as source:
            answers = await fetched(source, await swept(source))

    assert len(answers) == 43
    assert all(isinstance(answer, SourcePage) for answer in answers.values())
    assert site.request_log.count(status=429) > 5
    assert set(served.time.slept) == {7}


async def test_rate_limiting_without_a_time_backs_off(small: Scene) -> None:
    small.faults.add(failing(429), SCAN, times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12

    assert small.time.slept == pytest.approx([0.7, 1.4])


@pytest.mark.parametrize("path", [SPACES, SCAN, ONE_PAGE, CURRENT_USER])
async def test_a_403_that_passes_was_only_too_much_asked_for(small: Scene, path: str) -> None:
    small.faults.add(failing(403), path, times=3)

    async with small.source() as source:
        answers = await fetched(source, await swept(source))

    assert len(answers) == 12
    assert all(isinstance(answer, SourcePage) for answer in answers.values())


async def test_a_403_that_stays_is_believed(small: Scene) -> None:
    small.faults.add(failing(403), SPACES, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="403"):
            await source.spaces()

    assert small.site.request_log.count(SPACES) == 4


async def test_a_404_in_mid_scan_that_passes_is_not_believed(small: Scene) -> None:
    small.faults.add(failing(404), SCAN, query="*cursor=*", times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_refusal_in_mid_scan_that_stays_is_an_error(small: Scene, status: int) -> None:
    small.faults.add(failing(status), SCAN, query="*cursor=*", times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match=str(status)):
            await swept(source)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_pass(small: Scene, status: int) -> None:
    small.faults.add(failing(status, body="<html>Oops</html>"), SCAN, times=4)

    async with small.source() as source:
        assert len(await swept(source)) == 12

    assert small.time.slept == pytest.approx([0.7, 1.4, 2.8, 5.6])


async def test_five_tries_are_enough(small: Scene) -> None:
    small.faults.add(failing(502), SCAN, times=None)

    async with small.source() as source:
        with pytest.raises(SourceUnavailable, match="after 5 tries"):
            await swept(source)

    assert small.site.request_log.count(SCAN) == 5


@pytest.mark.parametrize("after", [0, 20])
async def test_broken_connections_are_tried_again(small: Scene, after: int) -> None:
    small.faults.add(connection_reset(after=after), SCAN, times=2)

    async with small.source() as source:
        assert len(await swept(source)) == 12


async def test_json_that_ends_early_is_asked_for_again(small: Scene) -> None:
    small.faults.add(truncated(), SCAN)

    async with small.source() as source:
        assert len(await swept(source)) == 12


async def test_a_login_page_in_place_of_json_is_an_error_and_not_shown(small: Scene) -> None:
    small.faults.add(failing(200, body="<html>Log in, dear</html>"), CURRENT_USER, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match="cannot be read") as caught:
            await source.spaces()

    assert "dear" not in str(caught.value)


async def test_a_redirect_to_a_login_is_named_and_not_followed(small: Scene) -> None:
    elsewhere = {"Location": "https://login.example.com/sso?token=1"}
    small.faults.add(failing(302, headers=elsewhere), SPACES, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match=r"login\.example\.com.*wiki\.example\.com"):
            await source.spaces()


async def test_a_site_that_is_not_there_is_unavailable() -> None:
    pace = Pace(timing=FakeTime().timing())
    token = PersonalToken(TOKEN)

    async with DataCenterSource("http://127.0.0.1:9/confluence", token, pace=pace) as source:
        with pytest.raises(SourceUnavailable, match="CONFLUENCE_URL"):
            await source.spaces()


@pytest.mark.parametrize("auth", [PASSWORD, PersonalToken(TOKEN)])
async def test_credentials_are_never_logged(
    small: Scene, auth: httpx.Auth, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    small.faults.add(failing(429, headers={"Retry-After": "3"}), SCAN)

    async with small.source(auth=auth) as source:
        await fetched(source, await swept(source))

    assert "Confluence asks to wait" in caplog.text
    assert TOKEN not in caplog.text
    assert b64encode(f"indexer:{TOKEN}".encode()).decode() not in caplog.text
