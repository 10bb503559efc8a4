"""Reads from one Confluence site: JSON, listings page after page, and files; tries again."""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import BinaryIO, Generic, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from index.errors import SourceUnavailable
from ingest.metrics import PAUSE_SECONDS, PAUSES, site_request
from ingest.sources import download
from ingest.sources.address import followed
from ingest.sources.outages import no_answer, overloaded, too_slow
from ingest.sources.pace import Pace
from ingest.sources.refusals import (
    CLOUD_REFUSALS,
    PassingFailure,
    Refusals,
    Request,
    UnexpectedAnswer,
    foreign_refusal,
    refusal,
)
from ingest.sources.refusals import Forbidden as Forbidden
from ingest.sources.refusals import NotVisible as NotVisible
from ingest.sources.retry_headers import is_near_limit, is_overload, seconds_to_wait

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(60, connect=10)
LONGEST_PAUSE = 3900.0
LONGEST_JSON = 64 * 2**20
LONGEST_REFUSAL = 2**16
DOWNLOAD_SECONDS = 1800.0

Item = TypeVar("Item")
Json = TypeVar("Json", bound=BaseModel)
Result = TypeVar("Result")


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


class SiteClient:
    """Asks one site under its base URL. Only downloads may be redirected.

    Credentials go to the origin of the base URL alone.
    """

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
        self._home = httpx.URL(base_url)
        self._auth = auth
        self._pace = pace
        self._refusals = refusals or CLOUD_REFUSALS

    async def get(
        self, path: str, model: type[Json], parameters: Mapping[str, str] | None = None
    ) -> Json:
        """One resource."""
        request = Request("GET", self._base_url + path, parameters)
        answer, _ = await self._ask(request, model)
        return answer

    async def post(self, path: str, model: type[Json], json: Mapping[str, Sequence[str]]) -> Json:
        """The answer to a POST that only reads, and so may be repeated like a GET."""
        answer, _ = await self._ask(Request("POST", self._base_url + path, json=json), model)
        return answer

    async def listing_part(
        self, path: str, model: type[Json], parameters: Mapping[str, str]
    ) -> Json:
        """One part of a listing; that it is gone is doubted before it is believed."""
        request = Request("GET", self._base_url + path, parameters, is_listing=True)
        answer, _ = await self._ask(request, model)
        return answer

    async def listing(
        self, path: str, model: type[Listing[Item]], parameters: Mapping[str, str]
    ) -> AsyncIterator[Item]:
        """All items of a listing; raises SourceError when it cannot be read to its end."""
        request = Request("GET", self._base_url + path, parameters, is_listing=True)
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
            request = Request("GET", url, is_listing=True)

    async def download(
        self, path: str, file: BinaryIO, limit: int, parameters: Mapping[str, str] | None = None
    ) -> None:
        """Writes the bytes at a path, in place of all that the file held, in at most 5 redirects.

        Raises UnexpectedAnswer when they are more than `limit`, or kept where nothing is read.
        """
        request = Request(
            "GET",
            self._base_url + path,
            parameters,
            redirects=download.REDIRECTS,
            seconds=DOWNLOAD_SECONDS,
        )
        write = partial(download.write_body, request, file=file, limit=limit)
        await self._tried(request, write)

    async def _ask(self, request: Request, model: type[Json]) -> tuple[Json, httpx.Response]:
        async def read(response: httpx.Response) -> tuple[Json, httpx.Response]:
            body = await _body(response, LONGEST_JSON)
            if len(body) > LONGEST_JSON:
                raise UnexpectedAnswer(
                    f"Confluence's answer to {request.name} is larger than {LONGEST_JSON} bytes."
                )
            return _parsed(request, response, body, model), response

        return await self._tried(request, read)

    async def _tried(
        self, request: Request, read: Callable[[httpx.Response], Awaitable[Result]]
    ) -> Result:
        """What `read` makes of a successful answer, after as many tries as it takes."""
        attempt = 0
        while True:
            try:
                return await self._try(request, read, attempt)
            except PassingFailure as failure:
                attempt += 1
                if attempt >= failure.tries:
                    raise failure.error from failure.__cause__
                logger.info("try again: attempt=%d problem=%r", attempt, str(failure))
                if not failure.is_paused:
                    await self._pace.sleep(self._pace.delay(attempt - 1))

    async def _try(
        self,
        request: Request,
        read: Callable[[httpx.Response], Awaitable[Result]],
        attempt: int,
    ) -> Result:
        async with self._pace.turn() as sent_at:
            try:
                async with asyncio.timeout(request.seconds), self._answer(request) as response:
                    self._heed_limits(response, sent_at)
                    if not response.is_success:
                        raise await self._failure(request, response, attempt)
                    result = await read(response)
            # What goes wrong with TLS after the handshake comes out of httpx as it is.
            except (httpx.RequestError, ssl.SSLError) as error:
                raise no_answer(request, error) from error
            except TimeoutError as error:
                raise too_slow(request) from error
            if not is_near_limit(response):
                self._pace.speed_up()
            return result

    @asynccontextmanager
    async def _answer(self, request: Request) -> AsyncGenerator[httpx.Response]:
        url = httpx.URL(request.url)
        if request.parameters:
            url = url.copy_merge_params(request.parameters)
        response = await self._send(request, url)
        try:
            for _ in range(request.redirects):
                if not response.has_redirect_location:
                    break
                target = download.redirect_target(request, response)
                await _body(response, LONGEST_REFUSAL)
                await response.aclose()
                response = await self._send(request, target)
            yield response
        finally:
            await response.aclose()

    async def _send(self, request: Request, url: httpx.URL) -> httpx.Response:
        headers = download.HEADERS if request.redirects else None
        built = self._http.build_request(request.method, url, json=request.json, headers=headers)
        auth = self._auth
        if not self._is_at_home(url):
            built.headers.pop("Cookie", None)
            auth = None
        with site_request() as asked:
            response = await self._http.send(built, stream=True, auth=auth, follow_redirects=False)
            asked.status = str(response.status_code)
            return response

    def _is_at_home(self, url: httpx.URL) -> bool:
        return download.is_same_origin(self._home, url)

    def _heed_limits(self, response: httpx.Response, sent_at: float) -> None:
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or is_near_limit(response):
            self._pace.slow_down(sent_at)

    def _overloaded(self, request: Request, response: httpx.Response, attempt: int) -> Exception:
        seconds = seconds_to_wait(response)
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
            PAUSES.inc()
            PAUSE_SECONDS.inc(seconds)
            self._pace.pause(seconds)
        error = overloaded(request, response.status_code)
        return PassingFailure(error, is_paused=seconds is not None)

    async def _failure(self, request: Request, response: httpx.Response, attempt: int) -> Exception:
        overload = None
        if is_overload(response):
            overload = self._overloaded(request, response, attempt)
        # What was read to its end leaves the connection open for the next request.
        content = bytes(await _body(response, LONGEST_REFUSAL))
        if overload:
            return overload
        if not self._is_at_home(response.url):
            return foreign_refusal(request, response)
        return refusal(request, _whole(response, content), self._refusals)


def _whole(response: httpx.Response, content: bytes) -> httpx.Response:
    """A streamed answer as one whose text can be looked at."""
    headers = response.headers.copy()
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    return httpx.Response(
        response.status_code, headers=headers, content=content, request=response.request
    )


async def _body(response: httpx.Response, limit: int) -> bytearray:
    """The body of an answer, or its beginning as soon as that is longer than `limit`."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit:
            break
    return body


def _parsed(request: Request, response: httpx.Response, body: bytearray, model: type[Json]) -> Json:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        if first["type"] != "json_invalid":
            what = ".".join(str(part) for part in first["loc"]) or "answer"
            raise _unreadable(request, f"{what}: {first['msg']}") from error
        is_page = "html" in response.headers.get("content-type", "")
        what = "a web page, as for a login" if is_page else first["msg"]
        raise PassingFailure(_unreadable(request, what)) from error


def _unreadable(request: Request, what: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"Confluence's answer to {request.name} cannot be read ({what}). Check that CONFLUENCE_URL "
        "is the site itself with its context path, and that no proxy or single sign-on answers in "
        "its place."
    )
