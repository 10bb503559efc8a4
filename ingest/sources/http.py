"""Reads JSON from one Confluence site: retries, listings page after page, plain errors."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Generic, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from ingest.sources.address import followed
from ingest.sources.pace import Pace

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(60, connect=10)
TRIES = 5
LISTING_DOUBTS = 2
LONGEST_PAUSE = 3900.0

Item = TypeVar("Item")
Json = TypeVar("Json", bound=BaseModel)


class NotVisible(SourceError):
    """Confluence answered 403 or 404: gone, or hidden from the account."""


class Forbidden(NotVisible):
    """Confluence answered 403: hidden from the account, or for some sites too much asked for."""


class UnexpectedAnswer(SourceError):
    """Confluence answered something that cannot be read."""


class WireModel(BaseModel):
    """A part of Confluence's JSON: names in camel case, unknown ones ignored."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)


class ListingLinks(WireModel):
    """Where a listing goes on."""

    next: str | None = None


class Listing(WireModel, Generic[Item]):
    """One page of a listing."""

    results: list[Item]
    links: ListingLinks = Field(ListingLinks(), alias="_links")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    parameters: Mapping[str, str] | None = None
    json: Mapping[str, Sequence[str]] | None = None
    is_listing: bool = False

    @property
    def name(self) -> str:
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


class _PassingFailure(Exception):
    """A try that failed but may succeed later; `error` is for when it has failed `tries` times."""

    def __init__(self, error: SourceError, *, tries: int = TRIES, is_paused: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.tries = tries
        self.is_paused = is_paused


class SiteClient:
    """Asks one site under its base URL. Redirects are errors, never followed."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        *,
        auth: httpx.Auth | None,
        pace: Pace,
        refusals: Refusals | None = None,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._auth = auth
        self._pace = pace
        self._refusals = refusals or _CLOUD_REFUSALS

    async def get(
        self, path: str, model: type[Json], parameters: Mapping[str, str] | None = None
    ) -> Json:
        """One resource."""
        request = _Request("GET", self._base_url + path, parameters)
        answer, _ = await self._ask(request, model)
        return answer

    async def post(self, path: str, model: type[Json], json: Mapping[str, Sequence[str]]) -> Json:
        """The answer to a POST that only reads, and so may be repeated like a GET."""
        answer, _ = await self._ask(_Request("POST", self._base_url + path, json=json), model)
        return answer

    async def listing_part(
        self, path: str, model: type[Json], parameters: Mapping[str, str]
    ) -> Json:
        """One part of a listing; that it is gone is doubted before it is believed."""
        request = _Request("GET", self._base_url + path, parameters, is_listing=True)
        answer, _ = await self._ask(request, model)
        return answer

    async def listing(
        self, path: str, model: type[Listing[Item]], parameters: Mapping[str, str]
    ) -> AsyncIterator[Item]:
        """All items of a listing; raises SourceError when it cannot be read to its end."""
        request = _Request("GET", self._base_url + path, parameters, is_listing=True)
        visited = {request.url}
        while True:
            answer, response = await self._ask(request, model)
            for item in answer.results:
                yield item
            link = answer.links.next or response.links.get("next", {}).get("url")
            # Confluence may give a next link together with nothing, for ever.
            if not link or not answer.results:
                return
            url = followed(self._base_url, str(response.url), link)
            if url in visited:
                raise UnexpectedAnswer(f"{request.name} goes round in circles. Run again later.")
            visited.add(url)
            request = _Request("GET", url, is_listing=True)

    async def _ask(self, request: _Request, model: type[Json]) -> tuple[Json, httpx.Response]:
        attempt = 0
        while True:
            try:
                response = await self._send(request, attempt)
                return _parsed(request, response, model), response
            except _PassingFailure as failure:
                attempt += 1
                if attempt >= failure.tries:
                    raise failure.error from failure.__cause__
                logger.info("try again: attempt=%d problem=%r", attempt, str(failure))
                if not failure.is_paused:
                    await self._pace.sleep(self._pace.delay(attempt - 1))

    async def _send(self, request: _Request, attempt: int) -> httpx.Response:
        async with self._pace.turn() as sent_at:
            try:
                response = await self._http.request(
                    request.method,
                    request.url,
                    params=request.parameters,
                    json=request.json,
                    auth=self._auth,
                    follow_redirects=False,
                )
            except httpx.RequestError as error:
                raise _PassingFailure(_unavailable(request, _text_of(error))) from error
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                self._pace.slow_down(sent_at)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
            raise self._overloaded(request, response, attempt)
        if not response.is_success:
            raise _refusal(request, response, self._refusals)
        self._pace.speed_up()
        return response

    def _overloaded(self, request: _Request, response: httpx.Response, attempt: int) -> Exception:
        seconds = _retry_after(response)
        if seconds is None and response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = self._pace.delay(attempt)
        if seconds is not None and seconds > LONGEST_PAUSE:
            return SourceUnavailable(
                f"Confluence asks to wait {seconds:.0f} seconds ({response.status_code} for "
                f"{request.name}). Run again after that."
            )
        if seconds is not None:
            logger.warning(
                "Confluence asks to wait: status=%d seconds=%.1f request=%s",
                response.status_code,
                seconds,
                request.name,
            )
            self._pace.pause(seconds)
        error = _unavailable(request, f"it answered {response.status_code}")
        return _PassingFailure(error, is_paused=seconds is not None)


def _parsed(request: _Request, response: httpx.Response, model: type[Json]) -> Json:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        what = ".".join(str(part) for part in first["loc"]) or "answer"
        failure = UnexpectedAnswer(
            f"Confluence's answer to {request.name} cannot be read ({what}: {first['msg']}). Check "
            "that CONFLUENCE_URL is the site itself and that no proxy changes its answers."
        )
        if first["type"] == "json_invalid":
            raise _PassingFailure(failure) from error
        raise failure from error


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds of a Retry-After header, a number or a date; None for none or none left."""
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        now = _date(response.headers.get("date", "")) or datetime.now(UTC)
        then = _date(text)
        seconds = 0.0 if then is None else (then - now).total_seconds()
    return seconds if seconds > 0 else None


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def _text_of(error: httpx.RequestError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _unavailable(request: _Request, problem: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"Confluence did not answer {request.name} after {TRIES} tries ({problem}). Check "
        "CONFLUENCE_URL, the network and the proxy, then run again."
    )


def _refusal(request: _Request, response: httpx.Response, refusals: Refusals) -> Exception:
    doubts = 1 + LISTING_DOUBTS * request.is_listing
    match response.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError(refusals.why_unauthorized(request.name, response))
        case HTTPStatus.FORBIDDEN:
            error = Forbidden(_not_visible(request, response))
            return _PassingFailure(error, tries=max(doubts, refusals.forbidden_tries))
        case HTTPStatus.NOT_FOUND:
            return _PassingFailure(NotVisible(_not_visible(request, response)), tries=doubts)
        case HTTPStatus.GONE:
            return SourceError(
                f"Confluence has removed {request.name} (410). Update confluence-mcp."
            )
        case _ if response.is_redirect:
            host = httpx.URL(response.headers.get("location", "")).host or "another page"
            return SourceError(
                f"Confluence redirects {request.name} to {host}. Set CONFLUENCE_URL to the site's "
                f"own address, such as {refusals.example_url}."
            )
        case _:
            return UnexpectedAnswer(
                f"Confluence answered {response.status_code} to {request.name}."
            )


def _not_visible(request: _Request, response: httpx.Response) -> str:
    return (
        f"Confluence answered {response.status_code} to {request.name}: it is gone, or the account "
        "may not see it."
    )


def _why_cloud_is_unauthorized(request_name: str, response: httpx.Response) -> str:
    if "scope" in response.text:
        return (
            f"Confluence refused {request_name}: the API token lacks a scope for it. Create a "
            "token with the read scopes for pages, spaces, labels and users, or a classic one."
        )
    return (
        f"Confluence refused the credentials ({request_name}). Check that CONFLUENCE_USERNAME is "
        "the account's e-mail and CONFLUENCE_API_TOKEN is its token, complete and not expired "
        "(tokens last a year at most)."
    )


_CLOUD_REFUSALS = Refusals("https://example.atlassian.net/wiki", _why_cloud_is_unauthorized)
