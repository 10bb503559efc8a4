"""Signing in on the page: what Chainlit asks when somebody wants to come in or has gone."""
# Chainlit leaves the types of its decorators and of its session open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import logging
import os
from collections.abc import Mapping
from typing import Any

import chainlit as cl
from chainlit.auth import get_token_from_cookies
from chainlit.auth.jwt import decode_jwt
from chainlit.context import ChainlitContextException
from fastapi import FastAPI, Request, Response
from jwt import InvalidTokenError
from pydantic import ValidationError
from starlette.datastructures import Headers

from chat_identity import LOCAL, PASSWORD, PROXY, Cookies, Door, Identities, asked
from chat_identity_server import PersonalServer
from chat_server import Server, server_from
from chat_settings import ChatSettings
from chat_sign_in import SignIn, Way, sign_in_from
from chat_sign_in_pkce import Pkce, use_pkce
from chat_sign_in_throttle import Throttle
from chat_sign_in_users import Users

COOKIE = os.environ.get("CHAINLIT_AUTH_COOKIE_NAME", "access_token")
PUBLIC_URL = os.environ.get("CHAINLIT_URL", "")
# Tries that may fail within a minute: of one name from one address, and of one name at all.
FAILURES_HERE, FAILURES_ANYWHERE, WINDOW = 5, 30, 60.0

logger = logging.getLogger(__name__)


def asking() -> str | None:
    """The person for whom the chat works right now."""
    request = asked()
    if request is not None and not request.by_socket:
        return request.person
    try:
        user = cl.context.session.user
    except ChainlitContextException:
        return request.person if request is not None else None
    return user.identifier if user is not None else None


def open_door(app: FastAPI, settings: ChatSettings, host: str) -> tuple[SignIn, Server]:
    """Sets up how people sign in, and gives the server as whoever asks is shown it."""
    sign_in = sign_in_from(settings, host)
    identities = sign_in.identities()
    if not sign_in.ways:
        return sign_in, server_from(settings)
    cookies = Cookies(COOKIE, _person_of, secure=PUBLIC_URL.startswith("https://"))
    app.add_middleware(Door, identities=identities, cookies=cookies, proxy=sign_in.proxy)
    if sign_in.users is not None:
        _take_passwords(sign_in.users)
    if Way.OAUTH in sign_in.ways:
        use_pkce()
        app.add_middleware(Pkce)
        _take_providers(identities)
    if Way.PROXY in sign_in.ways:
        cl.header_auth_callback(_with_proxy)
    if Way.LOCAL in sign_in.ways:
        cl.header_auth_callback(_without_asking)
    _let_go(identities)
    if sign_in.is_personal and settings.confluence_mcp_url is not None:
        return sign_in, PersonalServer(settings.confluence_mcp_url, identities, asking)
    return sign_in, server_from(settings)


def _person_of(cookies: Mapping[str, str]) -> str | None:
    """Whom a cookie names that this chat has signed."""
    token = get_token_from_cookies(dict(cookies))
    try:
        return decode_jwt(token).identifier if token else None
    except (InvalidTokenError, ValidationError, KeyError, TypeError):
        return None


def _take_passwords(users: Users) -> None:
    here, anywhere = Throttle(FAILURES_HERE, WINDOW), Throttle(FAILURES_ANYWHERE, WINDOW)

    async def with_password(username: str, password: str) -> cl.User | None:
        request = asked()
        place = f"{request.address if request is not None else ''} {username}"
        if not (here.lets_pass(place) and anywhere.lets_pass(username)):
            logger.warning("sign_in_throttled")
            return None
        # Counted first: tries at the same time count as well.
        here.note_failure(place)
        anywhere.note_failure(username)
        user = await users.signed_in(username, password)
        if user is None:
            return None
        here.forget(place)
        return cl.User(identifier=f"{PASSWORD}{user.name}", display_name=user.name)

    cl.password_auth_callback(with_password)


def _take_providers(identities: Identities) -> None:
    async def with_provider(
        provider_id: str,
        token: str,
        raw_user_data: Mapping[str, Any],
        default_user: cl.User,
        id_token: str | None = None,
    ) -> cl.User | None:
        # Names and addresses are given to others after a while; this is not.
        lasting = raw_user_data.get("sub") or raw_user_data.get("id") or default_user.identifier
        person = f"oauth:{provider_id}:{lasting}"
        identities.bring(person, token)
        # Without the metadata, which the browser would be sent.
        return cl.User(identifier=person, display_name=default_user.identifier)

    cl.oauth_callback(with_provider)


async def _with_proxy(headers: Headers) -> cl.User | None:
    request = asked()
    if request is None or request.proxied is None:
        return None
    name = request.proxied.removeprefix(PROXY)
    return cl.User(identifier=request.proxied, display_name=name)


async def _without_asking(headers: Headers) -> cl.User:
    return cl.User(identifier=LOCAL, display_name="You")


def _let_go(identities: Identities) -> None:
    async def forget(request: Request, response: Response) -> dict[str, bool]:
        if person := asking():
            identities.forget(person)
        return {"success": True}

    cl.on_logout(forget)
