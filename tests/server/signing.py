"""A scripted identity provider over real HTTP on a loopback port, and the tokens it signs.

    with issuer() as idp:
        token = idp.token(email="ada@example.com", email_verified=True)
        assert idp.asked == ["/.well-known/openid-configuration", "/jwks"]

`idp.rotate()` signs with a new key and forgets the old one; `idp.is_down` answers 503;
`idp.documents` replaces what is at a path: a body, or a function that answers.
"""

import base64
import json
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.served import free_port, served

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Json = dict[str, object]

AUDIENCE = "https://wiki-search.example.com/mcp"
OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


def rsa_key(size: int = 2048) -> rsa.RSAPrivateKey:
    """A key of the usual kind."""
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def public_jwk(key: PrivateKey, kid: str | None, **more: object) -> Json:
    """A key as a provider publishes it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        found = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        found = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        found = OKPAlgorithm.to_jwk(public, as_dict=True)
    known = {name: value for name, value in found.items() if name != "key_ops"}
    return known | ({} if kid is None else {"kid": kid}) | more


def public_pem(key: PrivateKey) -> bytes:
    """What somebody who wants to forge a token knows."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def by_hand(algorithm: str, secret: bytes, claims: Json) -> str:
    """A token signed with what no honest library would take as a secret."""
    text = f"{packed({'alg': algorithm, 'kid': 'first', 'typ': 'JWT'})}.{packed(claims)}"
    return f"{text}.{packed(jwt.get_algorithm_by_name(algorithm).sign(text.encode(), secret))}"


def packed(part: object) -> str:
    """A part of a token made by hand."""
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


FIRST = rsa_key()


class Issuer:
    """What it publishes, and what it was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = url
        self.key: PrivateKey = FIRST
        self.kid = "first"
        self.jwks: list[object] = [public_jwk(self.key, self.kid)]
        self.documents: dict[str, bytes | Callable[[Request], Response]] = {}
        self.is_down = False
        self.asked: list[str] = []

    @property
    def jwks_url(self) -> str:
        """Where its keys are."""
        return f"{self.url}/jwks"

    def rotate(self, key: PrivateKey | None = None) -> None:
        """Signs with another key from now on, the only one that it publishes."""
        self.key, self.kid = key or rsa_key(), uuid.uuid4().hex
        self.jwks = [public_jwk(self.key, self.kid)]

    def claims(self, claims: Mapping[str, object] | None = None, /, **more: object) -> Json:
        """Those of a token that holds, with changes; None takes a claim away."""
        now = int(time.time())
        made: Json = {"iss": self.name, "aud": AUDIENCE, "sub": "ada-1"}
        made |= {"iat": now, "exp": now + 600, **(claims or {}), **more}
        return {name: value for name, value in made.items() if value is not None}

    def token(
        self,
        claims: Mapping[str, object] | None = None,
        /,
        *,
        algorithm: str = "RS256",
        headers: Mapping[str, object] | None = None,
        key: PrivateKey | None = None,
        **more: object,
    ) -> str:
        """A token signed with its key; a header or claim that is None is left out."""
        head = {"kid": self.kid, "typ": "at+jwt"} | dict(headers or {})
        return jwt.encode(
            self.claims({**(claims or {}), **more}),
            key or self.key,
            algorithm,
            {name: value for name, value in head.items() if value is not None},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, as an application."""
        request = Request(scope)
        self.asked.append(request.url.path)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if self.is_down:
            return Response(status_code=503)
        if path in self.documents:
            document = self.documents[path]
            return Response(document) if isinstance(document, bytes) else document(request)
        if path == OPENID:
            return JSONResponse({"issuer": self.name, "jwks_uri": self.jwks_url})
        if path == "/jwks":
            return JSONResponse({"keys": self.jwks})
        return Response(status_code=404)


@contextmanager
def issuer() -> Generator[Issuer]:
    """A running provider on a free loopback port."""
    with free_port() as (listener, url):
        provider = Issuer(url)
        with served(provider, listener):
            yield provider
