"""Which access tokens hold, against a provider that serves its keys over real HTTP."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from server import jwks
from server.auth_settings import Issuer as Expected
from server.jwks import IssuerUnavailable
from server.tokens import TokenRefused
from tests.server.checking import Checking, checker, expected
from tests.server.signing import (
    AUDIENCE,
    FIRST,
    Issuer,
    PrivateKey,
    by_hand,
    issuer,
    packed,
    public_jwk,
    public_pem,
    rsa_key,
)

pytestmark = pytest.mark.anyio

MINUTE = 60


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
    """Trusts the provider."""
    return checker(expected(provider), http)


async def test_a_good_token_says_who_carries_it(provider: Issuer, checking: Checking) -> None:
    token = provider.token(
        email="ada@example.com", email_verified=True, scope="read write", client_id="agent"
    )

    claimed = await checking.claimed(token)

    assert claimed.subject == "ada-1"
    assert (claimed.email, claimed.account) == ("ada@example.com", None)
    assert (claimed.scopes, claimed.client) == ({"read", "write"}, "agent")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 2 * MINUTE},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": int(time.time()) + 24 * 60 * MINUTE},
        {"iat": int(time.time()) + 24 * 60 * MINUTE},
        {"iss": "https://other.example.com"},
        {"iss": None},
        {"aud": "https://other.example.com/mcp"},
        {"aud": AUDIENCE + "/"},
        {"aud": AUDIENCE.upper()},
        {"aud": [AUDIENCE, 7]},
        {"aud": {AUDIENCE: True}},
        {"aud": []},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
async def test_a_claim_that_is_wrong_or_missing_refuses_a_token(
    provider: Issuer, checking: Checking, claims: dict[str, object]
) -> None:
    assert await checking.refused(provider.token(claims))


async def test_an_issuer_with_a_slash_more_is_another_one(
    provider: Issuer, checking: Checking
) -> None:
    assert await checking.refused(provider.token(iss=provider.url + "/")) == "InvalidIssuerError"


async def test_clocks_may_differ_by_less_than_a_minute(
    provider: Issuer, checking: Checking
) -> None:
    now = int(time.time())

    ahead = await checking.claimed(provider.token(nbf=now + 40, iat=now + 40))
    behind = await checking.claimed(provider.token(exp=now - 20))

    assert ahead.subject == behind.subject == "ada-1"


async def test_one_audience_of_several_is_enough(provider: Issuer, checking: Checking) -> None:
    claimed = await checking.claimed(provider.token(aud=["https://other.example", AUDIENCE]))

    assert claimed.subject == "ada-1"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *[(name, FIRST) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")],
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("ES512", ec.generate_private_key(ec.SECP521R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_every_common_algorithm_with_two_keys_is_taken(
    provider: Issuer, checking: Checking, algorithm: str, key: PrivateKey
) -> None:
    provider.rotate(key)

    claimed = await checking.claimed(provider.token(algorithm=algorithm))

    assert claimed.subject == "ada-1"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", packed(b"x" * 256)])
async def test_a_token_without_signature_is_refused(
    provider: Issuer, checking: Checking, algorithm: str, signature: str
) -> None:
    head = {"alg": algorithm, "kid": "first"}
    token = f"{packed(head)}.{packed(provider.claims())}.{signature}"

    assert await checking.refused(token) == "algorithm not allowed"
    assert provider.asked == []


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_public_key_is_no_secret_to_sign_with(
    provider: Issuer, checking: Checking, algorithm: str
) -> None:
    pem = public_pem(provider.key)
    forged = [by_hand(algorithm, secret, provider.claims()) for secret in (pem, pem.strip())]

    assert [await checking.refused(token) for token in forged] == ["algorithm not allowed"] * 2


async def test_a_symmetric_key_among_the_keys_verifies_nothing(
    provider: Issuer, checking: Checking
) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    provider.jwks = [{"kty": "oct", "k": packed(secret), "kid": "first", "alg": "RS256"}]
    token = jwt.encode(provider.claims(), secret, "HS256", {"kid": "first"})

    assert await checking.refused(token) == "algorithm not allowed"
    assert await checking.refused(provider.token()) == "unknown key"


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "", "jwt "])
async def test_another_kind_of_token_is_refused(
    provider: Issuer, checking: Checking, typ: str
) -> None:
    token = f"{packed({'alg': 'RS256', 'kid': 'first', 'typ': typ})}.e30.AA"

    assert await checking.refused(token) == "not an access token"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("alg", "RS257", "algorithm not allowed"), ("alg", "ES256K", "algorithm not allowed"),
        ("alg", 7, "algorithm not allowed"), ("alg", None, "algorithm not allowed"),
        ("alg", ["RS256"], "algorithm not allowed"), ("typ", 7, "not an access token"),
        ("typ", None, "not an access token"), ("kid", 7, "InvalidTokenError"),
        ("kid", ["first"], "InvalidTokenError"), ("crit", ["exp"], "InvalidTokenError"),
        ("crit", [], "InvalidTokenError"), ("b64", False, "DecodeError"),
    ],
)  # fmt: skip
async def test_a_header_that_is_not_understood_is_refused(
    checking: Checking, name: str, value: object, reason: str
) -> None:
    head = {"alg": "RS256", "kid": "first", "typ": "JWT"} | {name: value}

    assert await checking.refused(f"{packed(head)}.e30.AA") == reason


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT", None])
async def test_access_tokens_may_name_their_type(
    provider: Issuer, checking: Checking, typ: str | None
) -> None:
    claimed = await checking.claimed(provider.token(headers={"typ": typ}))

    assert claimed.subject == "ada-1"


async def test_a_key_that_a_token_brings_along_is_not_looked_at(
    provider: Issuer, checking: Checking
) -> None:
    forger = rsa_key()
    with issuer() as elsewhere:
        elsewhere.jwks = [public_jwk(forger, "first")]
        token = provider.token(
            key=forger,
            headers={
                "jku": elsewhere.jwks_url,
                "x5u": elsewhere.jwks_url,
                "jwk": public_jwk(forger, "first"),
            },
        )
        said = await checking.refused(token)

    assert said == "no key of the issuer has signed it"
    assert elsewhere.asked == []


async def test_changed_claims_break_the_signature(provider: Issuer, checking: Checking) -> None:
    head, _, signature = provider.token().split(".")
    forged = f"{head}.{packed(provider.claims(sub='somebody-else'))}.{signature}"

    assert await checking.refused(forged) == "no key of the issuer has signed it"


async def test_a_short_key_is_refused(provider: Issuer, checking: Checking) -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        provider.rotate(rsa_key(1024))
        token = provider.token()

    assert await checking.refused(token) == "InvalidKeyError"


@pytest.mark.parametrize(
    "more", [{"use": "enc"}, {"alg": "RS512"}, {"key_ops": ["encrypt"]}, {"kty": "EC"}]
)
async def test_a_key_for_something_else_verifies_nothing(
    provider: Issuer, checking: Checking, more: dict[str, object]
) -> None:
    provider.jwks = [public_jwk(provider.key, "first", **more)]

    assert await checking.refused(provider.token())


async def test_keys_that_are_not_understood_are_passed_over(
    provider: Issuer, checking: Checking
) -> None:
    provider.jwks = ["key", None, 7, {"kid": "first"}, {"kty": "AKP", "kid": "first"},
                     {"kty": "RSA", "kid": "first", "n": "!", "e": "?", "use": "enc"},
                     *provider.jwks]  # fmt: skip

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


async def test_two_keys_of_one_name_are_both_tried(provider: Issuer, checking: Checking) -> None:
    provider.jwks = [public_jwk(rsa_key(), "first"), *provider.jwks]

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


async def test_a_token_that_names_no_key_means_the_only_one(
    provider: Issuer, checking: Checking
) -> None:
    claimed = await checking.claimed(provider.token(headers={"kid": None}))

    assert claimed.subject == "ada-1"


async def test_a_token_that_names_no_key_of_several_is_refused(
    provider: Issuer, checking: Checking
) -> None:
    provider.jwks.append(public_jwk(rsa_key(), "second"))

    assert await checking.refused(provider.token(headers={"kid": None})) == "unknown key"


async def test_an_only_key_without_a_name_is_meant_by_any(
    provider: Issuer, checking: Checking
) -> None:
    provider.jwks = [public_jwk(provider.key, None)]

    claimed = await checking.claimed(provider.token())

    assert claimed.subject == "ada-1"


@pytest.mark.parametrize(
    "verified", [None, False, "true", "yes", 1], ids=["missing", "false", "text", "yes", "number"]
)
async def test_an_address_that_is_not_verified_says_nothing(
    provider: Issuer, checking: Checking, verified: object
) -> None:
    claimed = await checking.claimed(
        provider.token(email="ada@example.com", email_verified=verified)
    )

    assert (claimed.email, claimed.account) == (None, None)


@pytest.mark.parametrize("address", [None, "", " ", 7, ["ada@example.com"]])
async def test_an_address_that_is_no_text_says_nothing(
    provider: Issuer, checking: Checking, address: object
) -> None:
    claimed = await checking.claimed(provider.token(email=address, email_verified=True))

    assert (claimed.email, claimed.account) == (None, None)


async def test_another_claim_may_name_the_account(
    provider: Issuer, http: httpx.AsyncClient
) -> None:
    checking = checker(replace(expected(provider), account_claim="https://corp/account"), http)
    token = provider.token(
        {"https://corp/account": "712020:ada"}, email="ada@example.com", email_verified=True
    )

    claimed = await checking.claimed(token)

    assert (claimed.email, claimed.account) == (None, "712020:ada")


SCOPES: list[tuple[dict[str, object], set[str]]] = [
    ({"scope": "a b"}, {"a", "b"}),
    ({"scp": "a b"}, {"a", "b"}),
    ({"scp": ["a", "b"]}, {"a", "b"}),
    ({"scope": 7, "scp": {"a": 1}}, set()),
    ({}, set()),
]


@pytest.mark.parametrize(("claims", "scopes"), SCOPES)
async def test_scopes_are_read_in_each_form(
    provider: Issuer, checking: Checking, claims: dict[str, object], scopes: set[str]
) -> None:
    claimed = await checking.claimed(provider.token(claims))

    assert claimed.scopes == scopes


async def test_a_very_long_token_is_not_even_read(provider: Issuer, checking: Checking) -> None:
    assert await checking.refused(provider.token(more="x" * 20_000)) == "too long"
    assert provider.asked == []


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "....", "é.é.é", packed({}) + ".", "e30.e30.", "[]", "null",
     packed([]) + ".e30.", packed(b"[" * 9_000) + ".e30.", packed(7) + "." + packed(7) + "."],
)  # fmt: skip
async def test_garbage_is_refused(checking: Checking, token: str) -> None:
    with pytest.raises(TokenRefused):
        await checking.claimed(token)


@settings(max_examples=200, deadline=None)
@given(
    head=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku"]),
        st.sampled_from(["RS256", "none", "first", "JWT"])
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=2),
        ),
    ),
    rest=st.text("ab=.-_!", max_size=20),
)
def test_no_header_breaks_the_check(head: dict[str, object], rest: str) -> None:
    async def check() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(nothing)) as http:
            wanted = Expected("https://idp.example", AUDIENCE, "https://idp.example/jwks", (), "x")
            with pytest.raises((TokenRefused, IssuerUnavailable)):
                await checker(wanted, http).claimed(f"{packed(head)}.{rest}")

    def nothing(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    asyncio.run(check())
