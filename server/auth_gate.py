"""The gate before MCP over HTTP: it lets through whoever is known, and tells others how to be."""

import logging
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.types import INTERNAL_ERROR
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.auth import Caller, Callers, CannotTell, token_of
from server.auth_settings import HttpAuth
from server.metrics import REFUSALS
from server.tokens import Claimed, TokenRefused

logger = logging.getLogger(__name__)

METADATA = "/.well-known/oauth-protected-resource"
RETRY_AFTER = "5"  # seconds

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+) *", re.IGNORECASE)


class Gate:
    """Asks for a token (RFC 6750) at every address but those that are `open_paths`.

    It answers for itself at the address of the resource metadata (RFC 9728).
    """

    def __init__(self, app: ASGIApp, callers: Callers, *, open_paths: Collection[str]) -> None:
        auth = callers.auth
        self._open_app = app
        self._app = AuthContextMiddleware(app)
        self._callers = callers
        self._scopes = tuple(auth.issuer.scopes) if auth.issuer is not None else ()
        self._open_paths = frozenset(open_paths)
        url = urlsplit(auth.public_url)
        path = METADATA + url.path.rstrip("/")
        self._hints = {"resource_metadata": f"{url.scheme}://{url.netloc}{path}"}
        if self._scopes:
            self._hints["scope"] = " ".join(self._scopes)
        self._metadata_paths = {METADATA, f"{METADATA}/mcp", path}
        self._metadata = CORSMiddleware(
            JSONResponse(_metadata(auth), headers={"Cache-Control": "public, max-age=3600"}),
            allow_origins=["*"],
            allow_methods=["GET"],
            allow_headers=["mcp-protocol-version"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it."""
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._open_app(scope, receive, send)
        elif scope["path"] in self._metadata_paths:
            await self._metadata(scope, receive, send)
        else:
            await self._ask(scope, receive, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).getlist("authorization")
        if not given:
            REFUSALS.labels("no token").inc()
            await self._refusal(401, None, "Who asks? A bearer token is needed.")(
                scope, receive, send
            )
            return
        response = await self._refused(scope, given)
        await (response or self._app)(scope, receive, send)

    async def _refused(self, scope: Scope, given: list[str]) -> JSONResponse | None:
        """Says no, or puts who calls into the scope."""
        address = scope["client"][0] if scope.get("client") else None
        try:
            caller = await self._callers.caller(_token(given))
        except TokenRefused as error:
            logger.info("token refused reason=%s address=%s", error, address)
            REFUSALS.labels(str(error)).inc()
            return self._refusal(401, "invalid_token", "The token does not hold here.")
        except CannotTell as error:
            REFUSALS.labels("cannot tell").inc()
            # Clients of MCP show their person the message of an error of JSON-RPC, and of no other.
            told = {"code": INTERNAL_ERROR, "message": str(error)}
            return JSONResponse(
                {"jsonrpc": "2.0", "id": None, "error": told},
                status_code=503,
                headers={"Retry-After": RETRY_AFTER},
            )
        if missing := self._missing(caller):
            logger.info(
                "token refused reason=missing scopes missing=%r address=%s", missing, address
            )
            REFUSALS.labels("missing scopes").inc()
            return self._refusal(403, "insufficient_scope", "The token lacks a scope.")
        user = AuthenticatedUser(token_of(caller, address))
        scope["user"], scope["auth"] = user, AuthCredentials(user.scopes)
        return None

    def _missing(self, caller: Caller) -> list[str]:
        """Scopes are of tokens; whoever has a key has been let in by the operator."""
        match caller.by:
            case Claimed(scopes=scopes):
                return [scope for scope in self._scopes if scope not in scopes]
            case _:
                return []

    def _refusal(self, status: int, error: str | None, text: str) -> JSONResponse:
        # Who brought nothing made no error yet (RFC 6750, section 3.1).
        told = {} if error is None else {"error": error, "error_description": text}
        challenge = ", ".join(f'{name}="{value}"' for name, value in (told | self._hints).items())
        return JSONResponse(
            {"error": error or "unauthorized", "error_description": text},
            status_code=status,
            headers={"WWW-Authenticate": f"Bearer {challenge}"},
        )


def _token(given: list[str]) -> str:
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise TokenRefused("no bearer token")
    return match[1]


def _metadata(auth: HttpAuth) -> Mapping[str, str | list[str]]:
    told: dict[str, str | list[str]] = {
        "resource": auth.public_url,
        "resource_name": "Confluence",
        "bearer_methods_supported": ["header"],
    }
    if auth.issuer is not None:
        told["authorization_servers"] = [auth.issuer.url]
        if auth.issuer.scopes:
            told["scopes_supported"] = list(auth.issuer.scopes)
    return told
