"""The keys with which an identity provider signs: found, read when needed, kept for a while."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from index.errors import ConfluenceMcpError
from server.auth_settings import is_secure

logger = logging.getLogger(__name__)

FRESH = 600.0  # seconds for which keys are used without asking again
KEPT = 3600.0  # seconds for which known keys are used while the issuer does not answer
DISTANCE = 30.0  # seconds between two readings, however many unknown keys are named
AFTER_FAILURE = 5.0  # seconds before the next try
PATIENCE = 5.0  # seconds for one reading
LARGEST = 256 * 1024  # bytes of a document

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class IssuerUnavailable(ConfluenceMcpError):
    """The keys of the identity provider cannot be read, so that no token can be checked."""


class Jwk(BaseModel):
    """A public key as a provider publishes it (RFC 7517), without what a private one adds."""

    kty: str
    kid: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None

    def verifies(self, algorithm: str, key_type: str) -> bool:
        """Whether it is meant for signatures of that algorithm."""
        return (
            self.kty == key_type
            and self.alg in (None, algorithm)
            and self.use in (None, "sig")
            and (self.key_ops is None or "verify" in self.key_ops)
        )


class _Jwks(BaseModel):
    keys: list[JsonValue]


class _Metadata(BaseModel):
    issuer: str
    jwks_uri: str


class SigningKeys:
    """The keys of one issuer, by their names."""

    def __init__(
        self,
        issuer: str,
        jwks_url: str | None,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._http = http
        self._clock = clock
        self._patience = patience
        self._reading = asyncio.Lock()
        self._keys: Sequence[Jwk] = ()
        self._read_at = float("-inf")
        self._next_at = float("-inf")
        self._has_failed = True

    @classmethod
    @asynccontextmanager
    async def open(cls, issuer: str, jwks_url: str | None) -> AsyncGenerator[Self]:
        """Those of an issuer, at `jwks_url` or where its metadata say."""
        async with httpx.AsyncClient(headers=HEADERS, timeout=PATIENCE) as http:
            keys = cls(issuer, jwks_url, http)
            with suppress(IssuerUnavailable):  # the log says it now, not at the first call
                await keys.named(None)
            yield keys

    async def named(self, kid: str | None) -> Sequence[Jwk]:
        """The keys of that name; a token without one may mean the only key that there is.

        Raises IssuerUnavailable when that cannot be told.
        """
        found = self._known(kid)
        if not found or (self._age() > FRESH and not self._reading.locked()):
            async with self._reading:
                if self._clock() >= self._next_at and self._is_wanting(kid):
                    await self._read()
            found = self._known(kid)
        if not found and (self._has_failed or self._age() > KEPT):
            raise IssuerUnavailable("The keys of the identity provider cannot be read right now.")
        return found

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _is_wanting(self, kid: str | None) -> bool:
        return self._age() > FRESH or not self._known(kid)

    def _known(self, kid: str | None) -> Sequence[Jwk]:
        if self._age() > KEPT:
            return ()
        if len(self._keys) == 1 and (kid is None or self._keys[0].kid is None):
            return self._keys
        return [key for key in self._keys if kid is not None and key.kid == kid]

    async def _read(self) -> None:
        self._next_at = self._clock() + AFTER_FAILURE
        self._has_failed = True
        try:
            async with asyncio.timeout(self._patience):
                url = self._jwks_url or await self._discovered()
                keys = _usable(_Jwks.model_validate_json(await self._document(url)))
        except TimeoutError:
            logger.error("keys not read issuer=%s problem=it does not answer", self._issuer)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, IssuerUnavailable) as error:
            logger.error("keys not read issuer=%s problem=%s", self._issuer, _told(error))
        except ValidationError:
            logger.error("keys not read issuer=%s problem=they are no key set", self._issuer)
        else:
            self._keys, self._read_at, self._has_failed = keys, self._clock(), False
            self._next_at = self._read_at + DISTANCE
            logger.info("keys read issuer=%s keys=%d", self._issuer, len(keys))

    async def _discovered(self) -> str:
        """Where the issuer says that its keys are (OpenID Connect Discovery, RFC 8414)."""
        for url in _well_known(self._issuer):
            try:
                metadata = _Metadata.model_validate_json(await self._document(url))
            except (IssuerUnavailable, ValidationError) as error:
                logger.debug("no metadata url=%s problem=%s", url, type(error).__name__)
                continue
            if metadata.issuer != self._issuer:
                raise IssuerUnavailable(
                    f"its metadata are of the issuer {metadata.issuer!r}, which AUTH_ISSUER is not"
                )
            if not is_secure(metadata.jwks_uri, loopback=not self._issuer.startswith("https:")):
                raise IssuerUnavailable("its metadata name an address of keys without https")
            return metadata.jwks_uri
        raise IssuerUnavailable("it has no metadata; set AUTH_JWKS_URL to where its keys are")

    async def _document(self, url: str) -> bytes:
        async with self._http.stream("GET", url, follow_redirects=False) as response:
            if response.status_code != 200:
                raise IssuerUnavailable(f"{url} answers {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise IssuerUnavailable(f"{url} is packed, which was not asked for")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > LARGEST:
                    raise IssuerUnavailable(f"{url} is larger than {LARGEST} bytes")
            return bytes(body)


def _usable(document: _Jwks) -> Sequence[Jwk]:
    """The asymmetric keys; what this program does not know is passed over."""
    keys: list[Jwk] = []
    for key in document.keys:
        try:
            found = Jwk.model_validate(key)
        except ValidationError:
            continue
        if found.kty in {"RSA", "EC", "OKP"} and found.use in (None, "sig"):
            keys.append(found)
    return keys


def _well_known(issuer: str) -> Sequence[str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
