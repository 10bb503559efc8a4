"""Who reads a Confluence Server or Data Center, and what to do when that is not known there."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx

from index.errors import AuthenticationError
from ingest.sources.connection import BearerToken
from ingest.sources.datacenter_json import PersonJson
from ingest.sources.http import NotVisible, SiteClient, UnexpectedAnswer


class PersonalToken(BearerToken):
    """Signs requests with a personal access token; ConfigurationError when it cannot be one."""

    def __init__(self, token: str) -> None:
        super().__init__("CONFLUENCE_PERSONAL_TOKEN", token)


class Identity:
    """Asks who the account is.

    Confluence takes a wrong or expired token for an anonymous visitor and answers as to one.
    """

    def __init__(self, site: SiteClient, advice: str) -> None:
        self._site = site
        self._advice = advice

    async def user_key(self) -> str:
        """The user key of the account; AuthenticationError when there is none."""
        try:
            user = await self._site.get("/rest/api/user/current", PersonJson)
        except NotVisible as error:
            raise AuthenticationError(
                "Confluence does not say who the credentials belong to. Check that CONFLUENCE_URL "
                "is the site's base URL and that the account may use Confluence."
            ) from error
        if user.type != "known" or not user.user_id:
            raise AuthenticationError(
                "Confluence answers as to an anonymous visitor, which is how it takes a token that "
                f"is wrong, expired or revoked. {self._advice}"
            )
        return user.user_id

    @asynccontextmanager
    async def known_when_refused(self) -> AsyncGenerator[None]:
        """Lets a refusal through only if the account is still the account."""
        try:
            yield
        except (NotVisible, UnexpectedAnswer):
            await self.user_key()
            raise


def advice_for(auth: httpx.Auth) -> str:
    """What to do when such credentials are not taken."""
    if isinstance(auth, PersonalToken):
        return (
            "Check that CONFLUENCE_PERSONAL_TOKEN is complete; if it is, create a new token "
            "in the account's settings, because it has expired or was revoked."
        )
    return (
        "Check CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN (the password). The administrators "
        "may have disabled passwords (Basic authentication) for REST: then create a personal "
        "access token in the account's settings and set CONFLUENCE_PERSONAL_TOKEN instead."
    )


def why_unauthorized(advice: str) -> Callable[[str, httpx.Response], str]:
    """What is told of a request that was answered with 401."""

    def why(request_name: str, response: httpx.Response) -> str:
        if "AUTHENTICATION_DENIED" in response.headers.get("x-seraph-loginreason", ""):
            return (
                "Confluence refuses every login of this account until a person has answered a "
                "CAPTCHA. Log in to Confluence in a browser as the account, then run again."
            )
        return f"Confluence refused the credentials ({request_name}). {advice}"

    return why
