"""How people sign in: what the settings say of it, and what has to be there before the start."""

import ipaddress
import logging
import os
import secrets
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values

from chat_errors import ChatFailure
from chat_guard import LOOPBACK
from chat_identity import Identities, Proxy
from chat_settings import ChatSettings
from chat_sign_in_users import Users

logger = logging.getLogger(__name__)

SECRET = "CHAINLIT_AUTH_SECRET"
SHORTEST_SECRET = 32
# Variables of Chainlit's that only its sign-in reads; those of the providers begin with OAUTH_.
PASSED_ON = ("CHAINLIT_AUTH_SECRET", "CHAINLIT_URL")


class SignInError(ChatFailure):
    """The settings of the sign-in contradict each other, or lack something."""


class Way(StrEnum):
    """How people show who they are."""

    PASSWORD = "password"
    OAUTH = "oauth"
    PROXY = "proxy"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The ways to sign in; without one, nobody is asked who they are.

    `LOCAL` is the one person at this machine, who is not asked either but whose conversations
    are kept.
    """

    ways: frozenset[Way]
    users: Users | None = None
    proxy: Proxy | None = None

    @property
    def is_personal(self) -> bool:
        """Whether people are told apart."""
        return bool(self.ways - {Way.LOCAL})

    def identities(self) -> Identities:
        """Nobody has signed in yet."""
        return Identities(self.users, is_local=Way.LOCAL in self.ways)


def sign_in_from(settings: ChatSettings, host: str) -> SignIn:
    """How people sign in to a chat that listens on `host`; raises SignInError."""
    ways = _ways(settings.chat_sign_in or "")
    if not ways:
        is_one_person = host in LOOPBACK and settings.chat_database_url is not None
        return SignIn(frozenset({Way.LOCAL} if is_one_person else ()))
    if Way.PROXY in ways and len(ways) > 1:
        raise SignInError("CHAT_SIGN_IN: proxy goes with no other way. Give it alone.")
    _check_server(settings)
    users = Users(home(settings) / "users.json") if Way.PASSWORD in ways else None
    return SignIn(ways, users, _proxy(settings) if Way.PROXY in ways else None)


def home(settings: ChatSettings) -> Path:
    """The folder of what the chat keeps to itself."""
    return settings.chat_home or platformdirs.user_data_path("confluence-mcp-chat", appauthor=False)


def prepare(settings: ChatSettings, sign_in: SignIn, environment: MutableMapping[str, str]) -> None:
    """Sets what Chainlit reads of the sign-in before it is imported; raises SignInError."""
    if not sign_in.ways:
        return
    for name, value in dotenv_values(".env").items():
        if value and (name in PASSED_ON or name.startswith("OAUTH_")):
            environment.setdefault(name, value)
    if Way.OAUTH in sign_in.ways and not any(name.startswith("OAUTH_") for name in environment):
        raise SignInError(
            "CHAT_SIGN_IN has oauth, but no provider is set. Set OAUTH_GENERIC_CLIENT_ID and the "
            "others of a provider."
        )
    if sign_in.users is not None and not sign_in.users.all() and Way.OAUTH not in sign_in.ways:
        raise SignInError(
            "Nobody can sign in yet. Add a user with `confluence-mcp-chat user add NAME`."
        )
    if sign_in.proxy is not None:
        # Else the web server puts the browser's address in place of the proxy's.
        environment["FORWARDED_ALLOW_IPS"] = ""
    _set_secret(home(settings), environment)


def _ways(text: str) -> frozenset[Way]:
    names = [name for name in text.replace(",", " ").lower().split() if name]
    known = [Way.PASSWORD, Way.OAUTH, Way.PROXY]
    if wrong := [name for name in names if name not in known]:
        raise SignInError(
            f"CHAT_SIGN_IN: {', '.join(wrong)} is no way to sign in. Those are {', '.join(known)}."
        )
    return frozenset(Way(name) for name in names)


def _check_server(settings: ChatSettings) -> None:
    if settings.confluence_mcp_url is None:
        raise SignInError(
            "CHAT_SIGN_IN tells people apart, but the server that the chat starts does not. Set "
            "CONFLUENCE_MCP_URL to a server with AUTH_ISSUER or AUTH_API_KEYS."
        )
    if settings.confluence_mcp_token is not None:
        raise SignInError(
            "CONFLUENCE_MCP_TOKEN would show everybody the same, though CHAT_SIGN_IN tells people "
            "apart. Unset one of them."
        )
    url = urlsplit(settings.confluence_mcp_url)
    if url.scheme != "https" and url.hostname not in LOOPBACK:
        logger.warning("CONFLUENCE_MCP_URL has no https: tokens can be read on their way")


def _proxy(settings: ChatSettings) -> Proxy:
    texts = [text for text in settings.chat_proxy_addresses.replace(",", " ").split() if text]
    try:
        networks = tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise SignInError(f"CHAT_PROXY_ADDRESSES: {error}") from error
    return Proxy(networks, settings.chat_proxy_user_header, settings.chat_proxy_token_header)


def _set_secret(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Whoever has it can be anybody, so it is made here unless it was given."""
    if given := environment.get(SECRET):
        if len(given) < SHORTEST_SECRET:
            raise SignInError(f"{SECRET} needs at least {SHORTEST_SECRET} characters.")
        return
    try:
        environment[SECRET] = _kept_secret(folder / "secret")
    except OSError as error:
        raise SignInError(
            f"The secret that signs cookies cannot be kept: {error}\nSet {SECRET} or CHAT_HOME."
        ) from error


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_name(f".secret-{secrets.token_hex(8)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        # Of two chats that start at once, one is first, and both use its secret.
        with suppress(FileExistsError):
            path.hardlink_to(made)
        made.unlink()
    return path.read_text(encoding="ascii").strip()
