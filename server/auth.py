"""Who asks over HTTP: tokens and keys on one side, accounts of Confluence on the other."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

import psycopg
import psycopg_pool
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken

from index.access import Asker, Askers
from index.api_keys import PREFIX, ApiKey, ApiKeys
from index.database import Database
from index.database_connection import first_line
from index.errors import ConfluenceMcpError
from server.auth_settings import HttpAuth
from server.explaining import UNREACHABLE
from server.jwks import IssuerUnavailable, SigningKeys
from server.settings import ServerSettings
from server.tokens import LEEWAY, AccessTokens, Claimed, TokenRefused

logger = logging.getLogger(__name__)

STATEMENT_TIMEOUT = 10.0  # seconds
WAIT = 5.0  # seconds, for a connection


class CannotTell(ConfluenceMcpError):
    """Who calls cannot be found out right now; the text is for the caller."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token or key holds."""

    name: str
    by: Claimed | ApiKey


class CallerToken(AccessToken):
    """What the MCP library keeps of a caller: never the token or the key itself."""

    caller: Caller
    address: str | None = None


class Callers:
    """Tells who calls. Keys and accounts are looked up at each call: what is lost bites at once."""

    def __init__(self, auth: HttpAuth, database: Database, tokens: AccessTokens | None) -> None:
        self.auth = auth
        self._askers = Askers(database)
        self._keys = ApiKeys(database) if auth.takes_keys else None
        self._tokens = tokens

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ServerSettings, auth: HttpAuth) -> AsyncGenerator[Self]:
        """With few connections of its own, so that slow searches keep nobody from signing in."""
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                Database.open(
                    settings,
                    application_name="confluence-mcp auth",
                    for_askers=True,
                    statement_timeout_s=STATEMENT_TIMEOUT,
                    max_connections=4,
                    wait_s=WAIT,
                    may_be_pooled=True,
                )
            )
            tokens = None
            if auth.issuer is not None:
                keys = await stack.enter_async_context(
                    SigningKeys.open(auth.issuer.url, auth.issuer.jwks_url)
                )
                tokens = AccessTokens(auth.issuer, keys)
            yield cls(auth, database, tokens)

    async def caller(self, token: str) -> Caller:
        """Whose token it is. Raises TokenRefused, or CannotTell when that cannot be checked."""
        if token.startswith(PREFIX) and self._keys is not None:
            return await self._holder(self._keys, token)
        if self._tokens is None:
            raise TokenRefused("no key of this server")
        try:
            claimed = await self._tokens.claimed(token)
        except IssuerUnavailable as error:
            raise CannotTell(str(error)) from error
        return Caller(f"sub:{claimed.subject}", claimed)

    async def _holder(self, keys: ApiKeys, token: str) -> Caller:
        try:
            key = await keys.find(token)
        except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
            logger.error("a key could not be looked up: %s", first_line(error))
            raise CannotTell(UNREACHABLE) from error
        if key is None:
            raise TokenRefused("unknown, expired or revoked key")
        return Caller(f"key:{key.name}", key)

    async def asker(self) -> Asker:
        """Who makes the call that is being served, with the accounts that are theirs now."""
        token = get_access_token()
        if not isinstance(token, CallerToken):
            return Asker("nobody", ())
        asker = await self._asker(token.caller)
        if asker.accounts == ():
            logger.info("caller without an account reason=%s", self._reason(token.caller.by))
        return asker

    def _reason(self, by: Claimed | ApiKey) -> str:
        """Why no account is known; without a word of what the token says."""
        match by:
            case Claimed(email=None, account=None):
                claim = self.auth.issuer.account_claim if self.auth.issuer is not None else ""
                verified = ", or email_verified is not true" if claim == "email" else ""
                return f"the token has no claim {claim}{verified}"
            case _:
                return "the index knows no active account by that name, or several on one site"

    async def _asker(self, caller: Caller) -> Asker:
        name = caller.name
        match caller.by:
            case ApiKey() as key:
                return await self._asker_of_key(name, key)
            case Claimed(expires_at=expires_at) if expires_at + LEEWAY <= time.time():
                return Asker(name, ())
            case Claimed(email=str(email)):
                return await self._askers.by_email(email, name)
            case Claimed(account=str(account)):
                return await self._askers.by_account_id(account, name)
            case _:
                return Asker(name, ())

    async def _asker_of_key(self, name: str, key: ApiKey) -> Asker:
        now = await self._keys.still(key) if self._keys is not None else None
        if now is None:
            return Asker(name, ())
        if now.account is None:
            return Asker(name, None)
        return await self._askers.named(now.account, name)


def caller_address() -> str | None:
    """From where the call comes that is being served, as far as proxies can be believed."""
    token = get_access_token()
    return token.address if isinstance(token, CallerToken) else None


def token_of(caller: Caller, address: str | None = None) -> CallerToken:
    """The form in which the MCP library carries a caller to the tools."""
    match caller.by:
        case Claimed() as claimed:
            return CallerToken(
                token="",
                client_id=claimed.client,
                scopes=sorted(claimed.scopes),
                expires_at=claimed.expires_at,
                subject=claimed.subject,
                caller=caller,
                address=address,
            )
        case ApiKey():
            return CallerToken(
                token="", client_id=caller.name, scopes=[], caller=caller, address=address
            )
