"""Who alone may view a page, blog post, folder and the like of a Confluence Cloud site.

A search tells the own restrictions of 200 contents at a time; those of ancestors are never asked
for, since one ancestor in the trash makes the site refuse all that are asked for with it.
"""

import logging
from collections.abc import AsyncIterator, Iterable

from index.principals import Principal, group, user
from index.records import Space
from ingest.sources.cloud_access_json import (
    GroupJson,
    PartJson,
    PersonJson,
    RestrictionJson,
    SubjectsJson,
)
from ingest.sources.cloud_search import SearchRefused, found, in_space
from ingest.sources.cloud_search_json import FoundJson
from ingest.sources.cloud_site import CloudSite
from ingest.sources.http import UnexpectedAnswer

logger = logging.getLogger(__name__)

Own = tuple[str, frozenset[Principal]]

NAMES_PER_REQUEST = "200"

_PAGES = "page,blogpost"
_NODES = "folder,whiteboard,database,embed"
_READ = "restrictions.read.restrictions"
_EXPAND = f"{_READ}.user,{_READ}.group,space"


class CloudRestrictions:
    """Reads restrictions to view, never inherited ones."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site

    async def of_space(self, space: Space) -> AsyncIterator[Own]:
        """Those that are told in full, by id; raises SearchRefused where no page's can be found."""
        async for own in self._found(space, _PAGES):
            yield own
        try:
            async for own in self._found(space, _NODES):
                yield own
        except SearchRefused as error:
            logger.info(
                "restrictions of folders are read one by one: space=%s problem=%r",
                space.key,
                str(error),
            )

    async def of_node(self, node_id: str) -> frozenset[Principal]:
        """Who alone may view one node, however many; everybody, as far as it goes, if empty."""
        seen: set[Principal] = set()
        start = 0
        while True:
            parts = await self._part(node_id, start)
            named = _named(*parts)
            lengths = [len(part.results) for part in parts if not part.is_last(start)]
            if named is None or 0 in lengths or (start and lengths and named <= seen):
                raise UnexpectedAnswer(
                    f"Confluence does not tell all whom content {node_id} is restricted to. The "
                    "next run asks again."
                )
            seen |= named
            if not lengths:
                return frozenset(seen)
            start += min(lengths)

    async def _found(self, space: Space, types: str) -> AsyncIterator[Own]:
        cql = f"type in ({types}) and {in_space(space.key)}"
        async for content in found(self._site, cql, expand=_EXPAND, space_key=space.key):
            is_here = content.space is None or content.space.key == space.key
            principals = _told_in_full(content)
            if is_here and principals is not None:
                yield content.id, principals

    async def _part(
        self, node_id: str, start: int
    ) -> tuple[PartJson[PersonJson | None], PartJson[GroupJson | None]]:
        path = f"/rest/api/content/{node_id}/restriction/byOperation/read"
        parameters = {
            "expand": "restrictions.user,restrictions.group",
            "start": str(start),
            "limit": NAMES_PER_REQUEST,
        }
        answer = await self._site.client.get(path, RestrictionJson, parameters)
        parts = _parts(answer.restrictions)
        if answer.operation != "read" or parts is None:
            raise UnexpectedAnswer(
                f"Confluence's answer does not say whom content {node_id} is restricted to."
            )
        return parts


def _told_in_full(content: FoundJson) -> frozenset[Principal] | None:
    read = content.restrictions and content.restrictions.read
    parts = _parts(read.restrictions) if read and read.operation == "read" else None
    if parts is None or not all(part.is_last() for part in parts):
        return None
    return _named(*parts)


def _parts(
    subjects: SubjectsJson | None,
) -> tuple[PartJson[PersonJson | None], PartJson[GroupJson | None]] | None:
    """Both lists, or None where one is missing."""
    if subjects is None or subjects.user is None or subjects.group is None:
        return None
    return subjects.user, subjects.group


def _named(
    people: PartJson[PersonJson | None], groups: PartJson[GroupJson | None]
) -> frozenset[Principal] | None:
    """Those with an id; None where there are names but no ids, which is not the same as nobody."""
    users = _ids(person and person.account_id for person in people.results)
    teams = _ids(each and each.id for each in groups.results)
    named = frozenset((*map(user, users), *map(group, teams)))
    return named if named or not (people.results or groups.results) else None


def _ids(ids: Iterable[str | None]) -> Iterable[str]:
    return (id for id in ids if id)
