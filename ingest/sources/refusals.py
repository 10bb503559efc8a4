"""How Confluence refuses a request, and what the person at the keyboard is told then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from index.errors import AuthenticationError, SourceError
from ingest.sources.scopes import scope_of

TRIES = 5
LISTING_DOUBTS = 2
FOREIGN_TRIES = 3


class NotVisible(SourceError):
    """Confluence answered 403 or 404: gone, or hidden from the account."""


class Forbidden(NotVisible):
    """Confluence answered 403: hidden from the account, or for some sites too much asked for."""


class UnexpectedAnswer(SourceError):
    """Confluence answered something that cannot be read."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a site; `seconds` is the longest that its answer may take to arrive."""

    method: str
    url: str
    parameters: Mapping[str, str] | None = None
    json: Mapping[str, Sequence[str]] | None = None
    is_listing: bool = False
    redirects: int = 0
    seconds: float = 300.0

    @property
    def name(self) -> str:
        """How messages speak of it: without its query."""
        return f"{self.method} {httpx.URL(self.url).path}"


@dataclass(frozen=True, slots=True)
class Refusals:
    """How one kind of Confluence refuses, and what its people are told then.

    `why_unauthorized` gets a request's name and the answer; 403 is believed after
    `forbidden_tries`.
    """

    example_url: str
    why_unauthorized: Callable[[str, httpx.Response], str]
    forbidden_tries: int = 1


class PassingFailure(Exception):
    """A try that failed but may succeed later; `error` is for when it has failed `tries` times."""

    def __init__(self, error: SourceError, *, tries: int = TRIES, is_paused: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.tries = tries
        self.is_paused = is_paused


def refusal(request: Request, response: httpx.Response, refusals: Refusals) -> Exception:
    """The error for an answer that is no success, nor one of too many requests."""
    doubts = 1 + LISTING_DOUBTS * request.is_listing
    match response.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError(refusals.why_unauthorized(request.name, response))
        case HTTPStatus.FORBIDDEN:
            error = Forbidden(_not_visible(request, response))
            return PassingFailure(error, tries=max(doubts, refusals.forbidden_tries))
        case HTTPStatus.NOT_FOUND:
            return PassingFailure(NotVisible(_not_visible(request, response)), tries=doubts)
        case HTTPStatus.GONE:
            return SourceError(
                f"Confluence has removed {request.name} (410). Update confluence-mcp."
            )
        case HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return SourceError(
                f"A proxy in front of Confluence wants a login ({request.name}). Put user name and "
                "password into HTTPS_PROXY: http://user:password@proxy.example.com:3128."
            )
        case _ if response.is_redirect:
            return _redirect(request, response, refusals)
        case _:
            return UnexpectedAnswer(
                f"Confluence answered {response.status_code} to {request.name}."
            )


def foreign_refusal(request: Request, response: httpx.Response) -> Exception:
    """The error for a host that the site sent a download to; its links live for minutes only."""
    error = NotVisible(
        f"{response.url.host}, where Confluence keeps the file of {request.name}, answered "
        f"{response.status_code}. The next run tries again."
    )
    return PassingFailure(error, tries=FOREIGN_TRIES)


def _redirect(request: Request, response: httpx.Response, refusals: Refusals) -> SourceError:
    host = _location(response).host or "another page"
    if request.redirects:
        return UnexpectedAnswer(
            f"Confluence sends {request.name} from one address to the next, the last at {host}, "
            f"more than {request.redirects} times. The next run tries again."
        )
    return SourceError(
        f"Confluence redirects {request.name} to {host}. Set CONFLUENCE_URL to the site's own "
        f"address with its context path, such as {refusals.example_url}. If {host} is a single "
        "sign-on, REST calls with a token have to be let past it."
    )


def _location(response: httpx.Response) -> httpx.URL:
    try:
        return httpx.URL(response.headers.get("location", ""))
    except httpx.InvalidURL:
        return httpx.URL("")


def _not_visible(request: Request, response: httpx.Response) -> str:
    return (
        f"Confluence answered {response.status_code} to {request.name}: it is gone, or the account "
        "may not see it."
    )


def _why_cloud_is_unauthorized(request_name: str, response: httpx.Response) -> str:
    if "scope" in response.text:
        return (
            f"Confluence refused {request_name}: the token lacks a scope for it"
            f"{scope_of(request_name)}. Create a token with the read scopes that .env.example "
            "lists, or a classic API token."
        )
    if response.request.headers.get("authorization", "").startswith("Bearer "):
        return (
            f"Confluence refused CONFLUENCE_BEARER_TOKEN ({request_name}). Check that it is "
            "complete and for this site, and get a new one if it has expired (OAuth access tokens "
            "last an hour)."
        )
    return (
        f"Confluence refused the credentials ({request_name}). Check that CONFLUENCE_USERNAME is "
        "the account's e-mail and CONFLUENCE_API_TOKEN is its token, complete and not expired "
        "(tokens last a year at most)."
    )


CLOUD_REFUSALS = Refusals("https://example.atlassian.net/wiki", _why_cloud_is_unauthorized)
