"""Files of a site: where a redirect may lead, and how many bytes are taken."""

import ipaddress
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from index.settings import is_loopback
from ingest.sources.refusals import NotVisible, Request, UnexpectedAnswer

REDIRECTS = 5
# Encoded content could grow without end, and its length would not tell the file's.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_same_origin(url: httpx.URL, other: httpx.URL) -> bool:
    """Whether both are of one host and port, so that credentials for one are for the other."""
    return _origin(url) == _origin(other)


def redirect_target(request: Request, response: httpx.Response) -> httpx.URL:
    """Where a redirect leads; raises UnexpectedAnswer for places that no file is read from.

    A redirect to a page of the site itself for logging in is NotVisible.
    """
    location = response.headers.get("location", "")
    try:
        target = response.url.join(location).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise UnexpectedAnswer(f"{request.name} is redirected to no address.") from error
    site = httpx.URL(request.url)
    if is_same_origin(site, target) and "login" in target.path.rpartition("/")[2].lower():
        raise NotVisible(
            f"Confluence asks for a login for {request.name}: the account may not see it."
        )
    is_safe = target.scheme == "https" or is_loopback(target.host)
    # No site may make this machine ask itself, nor one out in the world what is around it.
    is_inside = _nearness(target.host) > _nearness(site.host)
    if not location or not target.host or target.userinfo or not is_safe or is_inside:
        raise UnexpectedAnswer(
            f"{request.name} is redirected to {target.scheme}://{target.host}, which is not "
            "followed there: files are read over https only."
        )
    return target


def _nearness(host: str) -> int:
    """2 for this machine, 1 for addresses that the world cannot reach, 0 for all others."""
    if is_loopback(host):
        return 2
    try:
        return int(not ipaddress.ip_address(host).is_global)
    except ValueError:
        return 0


async def write_body(
    request: Request, response: httpx.Response, file: BinaryIO, limit: int
) -> None:
    """The bytes of an answer in place of all that the file held before.

    Raises UnexpectedAnswer as soon as it is clear that they are more than `limit`.
    """
    if _is_login_page(request, response):
        host = response.url.host
        raise NotVisible(
            f"{request.name} leads to a web page of {host} in place of the file, as for a login."
        )
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(request, limit)
    file.seek(0)
    file.truncate()
    arrived = 0
    async for part in response.aiter_bytes():
        arrived += len(part)
        if arrived > limit:
            raise _too_large(request, limit)
        file.write(part)


def _is_login_page(request: Request, response: httpx.Response) -> bool:
    """Whether it was redirected to a web page that is there to be shown, not to be saved."""
    is_page = response.headers.get("content-type", "").startswith("text/html")
    is_saved = "content-disposition" in response.headers
    asked = httpx.URL(request.url)
    is_elsewhere = not is_same_origin(asked, response.url) or asked.path != response.url.path
    return is_page and not is_saved and is_elsewhere


def _too_large(request: Request, limit: int) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{request.name} has more than {limit} bytes.")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    parts = urlsplit(str(url))
    return parts.scheme, parts.hostname or "", url.port or _DEFAULT_PORTS.get(parts.scheme)
