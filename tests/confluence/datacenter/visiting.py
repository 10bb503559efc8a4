"""A simulated Data Center over a real loopback port, and a plain client of it."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx

from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.app import datacenter
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import Faults
from tests.confluence.server import serve
from tests.confluence.site import Site


@contextmanager
def serve_datacenter(
    site: Site, faults: Faults | None = None, edition: Edition | None = None
) -> Generator[str]:
    """Serve a site on 127.0.0.1; gives the base URL, such as http://127.0.0.1:40123/confluence."""
    chosen = edition or Edition()
    with serve(site, faults, personality=datacenter(chosen)) as base_url:
        yield base_url.removesuffix("/wiki") + chosen.context


@contextmanager
def visiting_datacenter(
    site: Site,
    edition: Edition | None = None,
    *,
    token: str | None = TOKEN,
    auth: tuple[str, str] | None = None,
) -> Generator[httpx.Client]:
    """A client whose paths begin below the wiki; signs in with a token or with `auth`."""
    headers = {"Authorization": f"Bearer {token}"} if token and auth is None else {}
    with (
        serve_datacenter(site, None, edition) as base_url,
        httpx.Client(base_url=base_url, headers=headers, auth=auth) as client,
    ):
        yield client


def listing(client: httpx.Client, path: str) -> list[Json]:
    """All results of a listing, part after part, by the links."""
    results: list[Json] = []
    following: str | None = path
    while following is not None:
        answer = client.get(following).raise_for_status().json()
        results += answer["results"]
        following = answer["_links"].get("next")
    return results
