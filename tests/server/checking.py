"""A checker of access tokens, whose clock goes on when a test says so."""

from dataclasses import dataclass

import httpx
import pytest

from server.auth_settings import Issuer as Expected
from server.jwks import SigningKeys
from server.tokens import AccessTokens, Claimed, TokenRefused
from tests.server.signing import AUDIENCE, Issuer


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Checking:
    """A checker of tokens, and its parts."""

    tokens: AccessTokens
    clock: Clock
    http: httpx.AsyncClient

    async def claimed(self, token: str) -> Claimed:
        """What a token that holds says."""
        return await self.tokens.claimed(token)

    async def refused(self, token: str) -> str:
        """Why a token does not hold."""
        with pytest.raises(TokenRefused) as raised:
            await self.tokens.claimed(token)
        assert token not in str(raised.value)
        return str(raised.value)


def expected(provider: Issuer) -> Expected:
    """What a server expects that trusts the provider."""
    return Expected(provider.url, AUDIENCE, provider.jwks_url, (), "email")


def checker(wanted: Expected, http: httpx.AsyncClient, patience: float = 5.0) -> Checking:
    """Trusts an issuer."""
    clock = Clock()
    keys = SigningKeys(wanted.url, wanted.jwks_url, http, clock=clock, patience=patience)
    return Checking(AccessTokens(wanted, keys), clock, http)
