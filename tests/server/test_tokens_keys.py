"""How the keys of a provider are found, kept and read again."""

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server import jwks
from server.jwks import AFTER_FAILURE, DISTANCE, FRESH, KEPT, LARGEST, IssuerUnavailable
from tests.server.checking import Checking, checker, expected
from tests.server.signing import OAUTH, OPENID, Issuer, issuer, public_jwk, rsa_key

pytestmark = pytest.mark.anyio

KEYS = ["/jwks"]


@pytest.fixture
def provider() -> Generator[Issuer]:
    """A provider of the test's own."""
    with issuer() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    """A client as the server has it."""
    async with httpx.AsyncClient(headers=jwks.HEADERS, timeout=jwks.PATIENCE) as http:
        yield http


@pytest.fixture
def checking(provider: Issuer, http: httpx.AsyncClient) -> Checking:
    """Knows where the keys are."""
    return checker(expected(provider), http)


@pytest.fixture
def discovering(provider: Issuer, http: httpx.AsyncClient) -> Checking:
    """Finds out where the keys are."""
    return checker(replace(expected(provider), jwks_url=None), http)


async def unavailable(checking: Checking, token: str) -> None:
    """Neither takes nor refuses a token."""
    with pytest.raises(IssuerUnavailable, match="cannot be read right now"):
        await checking.claimed(token)


async def test_the_keys_are_read_once(provider: Issuer, checking: Checking) -> None:
    for _ in range(5):
        await checking.claimed(provider.token())
        checking.clock.now += DISTANCE + 1

    assert provider.asked == KEYS


async def test_the_keys_are_read_again_after_a_while(provider: Issuer, checking: Checking) -> None:
    await checking.claimed(provider.token())
    checking.clock.now += FRESH + 1
    await checking.claimed(provider.token())

    assert provider.asked == KEYS * 2


async def test_a_new_key_is_known_at_once(provider: Issuer, checking: Checking) -> None:
    await checking.claimed(provider.token())
    provider.rotate()
    checking.clock.now += DISTANCE

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


async def test_a_key_that_was_taken_away_signs_nothing_any_more(
    provider: Issuer, checking: Checking
) -> None:
    old = provider.token()
    await checking.claimed(old)
    provider.rotate()
    checking.clock.now += FRESH + 1

    assert await checking.refused(old) == "unknown key"


async def test_unknown_keys_do_not_flood_the_provider(provider: Issuer, checking: Checking) -> None:
    await checking.claimed(provider.token())
    for number in range(50):
        token = provider.token(headers={"kid": f"random-{number}"})
        assert await checking.refused(token) == "unknown key"
    checking.clock.now += DISTANCE
    for number in range(50):
        await checking.refused(provider.token(headers={"kid": f"other-{number}"}))

    assert provider.asked == KEYS * 2


async def test_unknown_keys_keep_nobody_with_a_known_one_out(
    provider: Issuer, checking: Checking
) -> None:
    await checking.refused(provider.token(headers={"kid": "random"}))

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


async def test_many_callers_wait_for_one_reading(provider: Issuer, checking: Checking) -> None:
    tokens = [provider.token() for _ in range(20)]

    claimed = await asyncio.gather(*[checking.claimed(token) for token in tokens])

    assert len(claimed) == 20
    assert provider.asked == KEYS


async def test_nobody_waits_for_the_next_keys_while_old_ones_are_known(
    provider: Issuer, checking: Checking
) -> None:
    await checking.claimed(provider.token())
    is_asked, go_on = threading.Event(), threading.Event()

    def answer(_: Request) -> Response:
        is_asked.set()
        go_on.wait(30)
        return Response(json.dumps({"keys": provider.jwks}))

    provider.documents["/jwks"] = answer
    checking.clock.now += FRESH + 1
    first = asyncio.create_task(checking.claimed(provider.token()))
    await asyncio.to_thread(is_asked.wait, 30)
    others = [await checking.claimed(provider.token()) for _ in range(3)]
    was_waiting = not first.done()
    go_on.set()

    assert (len(others), was_waiting) == (3, True)
    assert (await first).subject == "ada-1"


async def test_known_keys_go_on_for_an_hour_without_the_provider(
    provider: Issuer, checking: Checking
) -> None:
    await checking.claimed(provider.token())
    provider.is_down = True
    checking.clock.now += KEPT

    claimed = await checking.claimed(provider.token())
    checking.clock.now += 1
    await unavailable(checking, provider.token())

    assert claimed.subject == "ada-1"


async def test_an_unknown_key_cannot_be_judged_without_the_provider(
    provider: Issuer, checking: Checking
) -> None:
    await checking.claimed(provider.token())
    provider.is_down = True
    checking.clock.now += DISTANCE

    await unavailable(checking, provider.token(headers={"kid": "second"}))


async def test_without_the_provider_no_token_is_taken_and_it_is_asked_rarely(
    provider: Issuer, checking: Checking
) -> None:
    provider.is_down = True

    for _ in range(10):
        await unavailable(checking, provider.token())

    assert provider.asked == KEYS


async def test_a_provider_that_is_back_is_asked_soon(provider: Issuer, checking: Checking) -> None:
    provider.is_down = True
    await unavailable(checking, provider.token())
    provider.is_down = False
    checking.clock.now += AFTER_FAILURE

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


def huge(_: Request) -> Response:
    """Keys in plenty."""
    return Response(b'{"keys": [], "x": "' + b"x" * LARGEST + b'"}')


def packed_keys(_: Request) -> Response:
    """A little that becomes a lot."""
    body = gzip.compress(b'{"keys": [' + b" " * 50_000_000 + b"]}")
    return Response(body, headers={"Content-Encoding": "gzip"})


def elsewhere(_: Request) -> Response:
    """Somewhere else."""
    return RedirectResponse("/other-keys")


@pytest.mark.parametrize(
    "answer",
    [huge, packed_keys, elsewhere, b"", b"[]", b"null", b"{}", b'{"keys": {}}', b"<html>", b"\xff"],
)
async def test_what_is_no_key_set_is_not_taken(
    provider: Issuer, checking: Checking, answer: bytes
) -> None:
    provider.documents["/jwks"] = answer
    provider.documents["/other-keys"] = json.dumps({"keys": provider.jwks}).encode()

    await unavailable(checking, provider.token())

    assert provider.asked == KEYS


async def test_a_provider_without_keys_takes_all_away(provider: Issuer, checking: Checking) -> None:
    await checking.claimed(provider.token())
    provider.jwks = []
    checking.clock.now += FRESH + 1

    assert await checking.refused(provider.token()) == "unknown key"


async def test_a_provider_that_does_not_answer_is_given_up(
    provider: Issuer, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    enough = threading.Event()

    def answer(_: Request) -> Response:
        enough.wait(30)
        return Response(b"{}")

    provider.documents["/jwks"] = answer
    checking = checker(expected(provider), http, patience=0.05)
    await unavailable(checking, provider.token())
    enough.set()

    assert "problem=it does not answer" in caplog.text


async def test_a_provider_that_is_not_there_is_told(
    provider: Issuer, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = replace(expected(provider), jwks_url="http://127.0.0.1:1/jwks")
    token = provider.token()

    await unavailable(checker(wanted, http), token)

    assert "keys not read issuer=http://127.0.0.1" in caplog.text
    assert token not in caplog.text


async def test_the_keys_are_found_by_openid_metadata(
    provider: Issuer, discovering: Checking
) -> None:
    await discovering.claimed(provider.token())

    assert provider.asked == [OPENID, "/jwks"]


async def test_the_keys_are_found_by_oauth_metadata(http: httpx.AsyncClient) -> None:
    with issuer() as provider:
        provider.name = f"{provider.url}/tenant"
        metadata = {"issuer": provider.name, "jwks_uri": provider.jwks_url}
        provider.documents[f"{OAUTH}/tenant"] = json.dumps(metadata).encode()
        wanted = replace(expected(provider), url=provider.name, jwks_url=None)

        claimed = await checker(wanted, http).claimed(provider.token())

    assert claimed.subject == "ada-1"
    assert provider.asked == [f"/tenant{OPENID}", f"{OAUTH}/tenant", "/jwks"]


@pytest.mark.parametrize("more", ["/", "x", "#a", "?"])
async def test_metadata_of_another_issuer_are_not_followed(
    provider: Issuer, discovering: Checking, caplog: pytest.LogCaptureFixture, more: str
) -> None:
    provider.name = provider.url + more

    await unavailable(discovering, provider.token())

    assert provider.asked == [OPENID]
    assert f"metadata are of the issuer {provider.name!r}, which AUTH_ISSUER is not" in caplog.text


async def test_metadata_that_are_missing_ask_for_a_setting(
    provider: Issuer, discovering: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    provider.documents[OPENID] = b'{"issuer": "x"}'

    await unavailable(discovering, provider.token())

    assert provider.asked == [OPENID, OAUTH]
    assert "set AUTH_JWKS_URL" in caplog.text


@pytest.mark.parametrize(
    "jwks_uri",
    ["http://idp.example.com/jwks", "http://127.0.0.1/jwks", "file:///etc/passwd", "", "https://"],
)
async def test_metadata_lead_to_https_only(
    jwks_uri: str, provider: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        metadata = {"issuer": "https://idp.example.com", "jwks_uri": jwks_uri}
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(metadata).encode()))

    wanted = replace(expected(provider), url="https://idp.example.com", jwks_url=None)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await unavailable(checker(wanted, http), provider.token())

    assert asked == [f"https://idp.example.com{OPENID}"]
    assert "keys without https" in caplog.text


async def test_the_log_tells_of_keys_but_not_of_tokens(
    provider: Issuer, checking: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    provider.jwks.append(public_jwk(rsa_key(), "second"))
    token = provider.token(email="ada@example.com", email_verified=True)

    with caplog.at_level(logging.DEBUG, "server"):
        await checking.claimed(token)
        await checking.refused(provider.token(aud="other"))

    assert "keys=2" in caplog.text
    assert "ada" not in caplog.text
    assert not any(part in caplog.text for part in token.split("."))
