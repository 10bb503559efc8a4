"""Who asks, and the token that shows it to the MCP server, which is kept in memory only.

The browser holds a cookie that names a person. Whoever the cookie names is believed only while
the chat has something that the MCP server would believe as well.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_errors import ChatFailure
from chat_sign_in_users import Users

LOCAL = "local"
PASSWORD = "password:"
PROXY = "proxy:"
SOCKET = "/ws/socket.io"
# The page asks who is signed in now and then, and leaves for the sign-in when nobody is: whoever
# has just been told why keeps the page for as long as it takes to read that, in seconds.
FAREWELL = 60.0


class SignInNeeded(ChatFailure):
    """It is not known, or not any more, who asks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: whose it is and from where.

    `proxied` is whom the proxy names; `by_socket` that what it starts may serve others later.
    """

    person: str | None
    address: str
    proxied: str | None
    by_socket: bool


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def asked() -> Asked | None:
    """The request that is being served."""
    return _asked.get()


class Identities:
    """The people who have signed in. `users` are those with a password, if there are such."""

    def __init__(
        self,
        users: Users | None = None,
        *,
        is_local: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._is_local = is_local
        self._clock = clock
        self._tokens: dict[str, SecretStr] = {}
        self._leaving: dict[str, float] = {}

    def bring(self, person: str, token: str) -> None:
        """Takes the token that somebody has now."""
        self._tokens[person] = SecretStr(token)
        self._leaving.pop(person, None)

    def forget(self, person: str) -> None:
        """Lets somebody go at once."""
        self._tokens.pop(person, None)
        self._leaving.pop(person, None)

    def end(self, person: str) -> None:
        """Drops a token that does not hold any more; its owner may read that on the open page."""
        if self._tokens.pop(person, None) is not None:
            self._leaving[person] = self._clock() + FAREWELL

    def token_of(self, person: str) -> SecretStr | None:
        """What shows the MCP server who asks; raises UsersError."""
        if self._users is not None and person.startswith(PASSWORD):
            user = self._users.named(person.removeprefix(PASSWORD))
            return SecretStr(user.key) if user is not None else None
        return self._tokens.get(person)

    def knows(self, person: str) -> bool:
        """Whether somebody is still signed in."""
        if person == LOCAL:
            return self._is_local
        return self.token_of(person) is not None or self._leaving.get(person, 0) > self._clock()

    def turn_page(self, person: str) -> None:
        """Whoever loads a page has read the one before."""
        self._leaving.pop(person, None)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that signs people in; what it says is taken from its own addresses only."""

    addresses: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    user_header: str
    token_header: str

    def person(self, address: str, headers: Headers) -> tuple[str, str] | None:
        """Who it says asks, and with which token."""
        if not self._is_at(address):
            return None
        users, tokens = headers.getlist(self.user_header), headers.getlist(self.token_header)
        if len(users) != 1 or len(tokens) != 1 or not users[0] or not tokens[0]:
            return None
        return f"{PROXY}{users[0]}", tokens[0]

    def _is_at(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.addresses)


@dataclass(frozen=True, slots=True)
class Cookies:
    """How the cookie of a sign-in is called, whom it names, and whether it needs https."""

    name: str
    person: Callable[[Mapping[str, str]], str | None] = field(repr=False)
    secure: bool = False


class Door:
    """Lets only those be signed in who are known here, and notes who makes a request."""

    def __init__(
        self, app: ASGIApp, *, identities: Identities, cookies: Cookies, proxy: Proxy | None = None
    ) -> None:
        self._app = app
        self._identities = identities
        self._cookies = cookies
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes away the cookie of whoever is not signed in, so that the page asks for it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        proxied = self._proxied(headers, address)
        person = self._person(headers, proxied)
        if person is None:
            _without_cookie(headers, self._cookies.name)
        # Chainlit would take what is in the cookie from here as well.
        del headers["authorization"]
        before = _asked.set(Asked(person, address, proxied, SOCKET in scope["path"]))
        try:
            await self._app(scope, receive, _securing(send) if self._cookies.secure else send)
        finally:
            _asked.reset(before)

    def _proxied(self, headers: Headers, address: str) -> str | None:
        said = self._proxy.person(address, headers) if self._proxy is not None else None
        if said is None:
            return None
        self._identities.bring(*said)
        return said[0]

    def _person(self, headers: Headers, proxied: str | None) -> str | None:
        person = self._cookies.person(cookie_parser(headers.get("cookie", "")))
        if person is None or (self._proxy is not None and person != proxied):
            return None
        if "text/html" in headers.get("accept", ""):
            self._identities.turn_page(person)
        return person if self._identities.knows(person) else None


def _without_cookie(headers: MutableHeaders, name: str) -> None:
    cookies = cookie_parser(headers.get("cookie", ""))
    kept = {key: value for key, value in cookies.items() if not key.startswith(name)}
    if len(kept) != len(cookies):
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in kept.items())


def _securing(send: Send) -> Send:
    """Marks the cookies that are set, which Chainlit leaves to be sent without https as well."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                (name, value + b"; Secure")
                if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
                else (name, value)
                for name, value in message.get("headers", [])
            ]
        await send(message)

    return send_secured
