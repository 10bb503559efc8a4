"""Which kind of Confluence is at an address, told by what it shows to anybody."""

import httpx

from ingest.sources.download import is_same_origin
from ingest.sources.source import Deployment

_TIMEOUT = httpx.Timeout(10)
# On every answer of a Server or Data Center, also when it refuses.
_DATACENTER_HEADERS = ("x-confluence-request-time", "x-seraph-loginreason", "x-asen")

_USUAL_CONTEXTS = ("confluence", "wiki")


async def deployment_at(http: httpx.AsyncClient, site_url: str) -> Deployment | None:
    """Cloud, Data Center (Server too), or None when the address does not say.

    Asks twice at most, without credentials. Raises httpx.RequestError when nothing answers.
    """
    if await _is_cloud(http, httpx.URL(site_url)):
        return Deployment.CLOUD
    if await _is_datacenter(http, site_url):
        return Deployment.DATACENTER
    return None


async def address_nearby(http: httpx.AsyncClient, site_url: str) -> str | None:
    """The base URL of a Data Center below the same host, for one given without its context path."""
    site = httpx.URL(site_url)
    answer = await _asked(http, site.copy_with(raw_path=b"/"))
    location = answer.headers.get("location", "")
    try:
        path = site.join(location).path if is_same_origin(site, site.join(location)) else "/"
    except httpx.InvalidURL:
        path = "/"
    for context in dict.fromkeys([path.split("/")[1], *_USUAL_CONTEXTS, ""]):
        base = str(site.copy_with(path=f"/{context}", query=None)).rstrip("/")
        if base != site_url and await _is_datacenter(http, base):
            return base
    return None


async def _is_cloud(http: httpx.AsyncClient, site: httpx.URL) -> bool:
    answer = await _asked(http, site.copy_with(raw_path=b"/_edge/tenant_info"))
    return answer.is_success and '"cloudId"' in answer.text


async def _is_datacenter(http: httpx.AsyncClient, site_url: str) -> bool:
    answer = await _asked(http, httpx.URL(f"{site_url}/rest/api/server-information"))
    is_told = answer.is_success and '"version"' in answer.text and '"buildNumber"' in answer.text
    return is_told or any(name in answer.headers for name in _DATACENTER_HEADERS)


async def _asked(http: httpx.AsyncClient, url: httpx.URL) -> httpx.Response:
    return await http.get(url, auth=None, follow_redirects=False, timeout=_TIMEOUT)
