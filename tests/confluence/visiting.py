"""A plain HTTP client of a simulated site, for tests of the simulator itself."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx

from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import Faults, Json
from tests.confluence.server import serve
from tests.confluence.site import Site


@contextmanager
def visiting(
    site: Site, faults: Faults | None = None, *, auth: tuple[str, str] | None = (EMAIL, TOKEN)
) -> Generator[httpx.Client]:
    """A client whose paths begin below `/wiki`, while the site is being served."""
    with serve(site, faults) as base_url, httpx.Client(base_url=base_url, auth=auth) as client:
        yield client


def listing(client: httpx.Client, path: str) -> list[Json]:
    """All results of a listing, page after page, by the links in the bodies."""
    results: list[Json] = []
    while True:
        answer = client.get(path).raise_for_status().json()
        results += answer["results"]
        following = answer["_links"].get("next")
        if following is None:
            return results
        path = str(client.base_url.join(following))


def titles(results: list[Json]) -> list[object]:
    """The titles of results, in their order."""
    return [result["title"] for result in results]
