"""Proof that a code from an identity provider comes back to the chat that asked for it (PKCE).

Chainlit sends people to their provider and takes the code that they come back with. What proves the
two to belong together is made of the state that comes back as well, so that nothing is kept.
"""
# Chainlit leaves the types of its providers open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from chainlit.oauth_providers import GenericOAuthProvider, providers
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECRET = "CHAINLIT_AUTH_SECRET"

_state: ContextVar[str] = ContextVar("state")


class PkceProvider(GenericOAuthProvider):
    """The provider of `OAUTH_GENERIC_…`, to which each code is brought with its proof."""

    async def get_raw_token_response(self, code: str, url: str) -> dict[str, Any]:
        """What the provider gives for a code."""
        said = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "code": code,
            "code_verifier": _verifier(_state.get()),
            "grant_type": "authorization_code",
            "redirect_uri": url,
        }
        async with httpx.AsyncClient() as client:
            response = await client.post(self.token_url or "", data=said)
            response.raise_for_status()
            return response.json()


def use_pkce() -> None:
    """Puts our provider in the place of Chainlit's; the others write their requests themselves."""
    for place, provider in enumerate(providers):
        if type(provider) is GenericOAuthProvider:
            providers[place] = PkceProvider()


class Pkce:
    """Adds the challenge where somebody is sent to the provider, and notes the state they bring."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._start = f"/auth/oauth/{GenericOAuthProvider.id}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        path: str = scope.get("path", "")
        if scope["type"] == "http" and path.endswith(self._start):
            await self._app(scope, receive, _challenging(send))
            return
        if scope["type"] == "http" and path.endswith(f"{self._start}/callback"):
            asked = parse_qs(scope["query_string"].decode("latin-1"))
            _state.set(asked.get("state", [""])[0])
        await self._app(scope, receive, send)


def _challenging(send: Send) -> Send:
    async def send_challenge(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if state := parse_qs(urlsplit(headers.get("location", "")).query).get("state"):
                digest = hashlib.sha256(_verifier(state[0]).encode()).digest()
                added = {"code_challenge": _base64(digest), "code_challenge_method": "S256"}
                headers["location"] += f"&{urlencode(added)}"
        await send(message)

    return send_challenge


def _verifier(state: str) -> str:
    """What nobody can tell from a state but this chat, and another with the same secret."""
    key = os.environ[SECRET].encode()
    return _base64(hmac.digest(key, f"code_verifier {state}".encode(), "sha256"))


def _base64(binary: bytes) -> str:
    return urlsafe_b64encode(binary).decode().rstrip("=")
