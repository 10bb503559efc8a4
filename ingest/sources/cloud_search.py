"""What Confluence Cloud finds with CQL, for the few things that no listing of REST v2 gives.

The search index lags some seconds to minutes behind the site, and may name what is gone.
"""

import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from ingest.sources.cloud_search_json import FoundJson, SearchJson
from ingest.sources.cloud_site import CloudSite
from ingest.sources.http import NotVisible, UnexpectedAnswer

SEARCH = "/rest/api/content/search"
# More are not given at once when anything is expanded.
RESULTS_PER_REQUEST = "200"


class SearchRefused(NotVisible):
    """The site or the token does not allow such a search at all."""


async def found(
    site: CloudSite, cql: str, *, expand: str, space_key: str | None = None
) -> AsyncIterator[FoundJson]:
    """Every live or archived content that fits; SearchRefused where that cannot be asked for."""
    # Archived pages are found only when they are asked for like this.
    context = {"contentStatuses": ["current", "archived"]}
    if space_key is not None:
        context |= {"spaceKey": space_key}
    parameters = {
        "cql": cql,
        "cqlcontext": json.dumps(context),
        "expand": expand,
        "limit": RESULTS_PER_REQUEST,
    }
    answer = await _first_part(site, parameters)
    visited: set[str] = set()
    while True:
        for content in answer.results:
            yield content
        if not answer.links.next or not answer.results:
            return
        cursor = _cursor(answer.links.next)
        if cursor in visited:
            raise UnexpectedAnswer(f"GET {SEARCH} goes round in circles. Run again later.")
        visited.add(cursor)
        answer = await site.client.listing_part(
            SEARCH, SearchJson, {**parameters, "cursor": cursor}
        )


def in_space(key: str) -> str:
    """The CQL for what is in a space."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'space = "{escaped}"'


async def _first_part(site: CloudSite, parameters: Mapping[str, str]) -> SearchJson:
    try:
        return await site.client.listing_part(SEARCH, SearchJson, parameters)
    except (AuthenticationError, SourceUnavailable):
        raise
    except SourceError as error:
        raise SearchRefused(f"A search in Confluence is refused. {error}") from error


def _cursor(link: str) -> str:
    # The link is relative to the wiki and not to the host as those of REST v2; only this matters.
    cursors = parse_qs(urlsplit(link).query).get("cursor")
    if not cursors:
        raise UnexpectedAnswer(f"GET {SEARCH} does not say how it goes on. Run again later.")
    return cursors[0]
