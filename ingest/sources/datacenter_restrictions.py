"""Who alone may view single pages of a Confluence Server or Data Center."""

from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote

from index.principals import Principal, group, user
from index.records import Space
from ingest.sources.datacenter_contents import Contents
from ingest.sources.datacenter_json import (
    ContentJson,
    GroupJson,
    PersonJson,
    RestrictedJson,
    RestrictionJson,
)
from ingest.sources.http import SiteClient, UnexpectedAnswer

PART_SIZE = 200

_LISTED = "version,restrictions.read.restrictions.user,restrictions.read.restrictions.group"
_ALONE = {"expand": "restrictions.user,restrictions.group"}


class Restrictions:
    """Reads each page's own restriction to view; what it inherits is not in it."""

    def __init__(self, site: SiteClient, contents: Contents) -> None:
        self._site = site
        self._contents = contents

    async def of_space(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Those of a space as a listing of its pages brings them, without what it cuts off."""
        async for content in self._contents.listed(space, _LISTED):
            allowed = _told_within(content)
            if allowed is not None:
                yield content.id, allowed

    async def of_node(self, node_id: str) -> frozenset[Principal]:
        """That of one page or blog post, however many people and groups it names."""
        people: list[PersonJson] = []
        groups: list[GroupJson] = []
        start, before = 0, None
        while True:
            part = await self._part(node_id, start)
            if part.user is None or part.group is None or part == before:
                raise _cut_off(node_id)
            people += part.user.results
            groups += part.group.results
            unfinished = [one for one in (part.user, part.group) if not one.is_complete]
            if not unfinished:
                break
            start += min(len(one.results) for one in unfinished)
            before = part
        allowed = _principals(people, groups)
        if allowed is None:
            raise UnexpectedAnswer(
                f"The restriction of page {node_id} names nobody by key or name. Look at it in "
                "Confluence and remove people who are gone."
            )
        return allowed

    async def _part(self, node_id: str, start: int) -> RestrictedJson:
        path = f"/rest/api/content/{quote(node_id, safe='')}/restriction/byOperation/read"
        asked = {**_ALONE, "limit": str(PART_SIZE), "start": str(start)}
        return (await self._site.get(path, RestrictionJson, asked)).restrictions


def _told_within(content: ContentJson) -> frozenset[Principal] | None:
    restriction = content.restrictions and content.restrictions.read
    if not restriction:
        return None
    people, groups = restriction.restrictions.user, restriction.restrictions.group
    if not (people and people.is_complete and groups and groups.is_complete):
        return None
    return _principals(people.results, groups.results)


def _cut_off(node_id: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"The restriction of page {node_id} cannot be read to its end. The next run tries again."
    )


def _principals(
    people: Iterable[PersonJson], groups: Iterable[GroupJson]
) -> frozenset[Principal] | None:
    """None where somebody is named, but nobody so that it could be told who."""
    keys, names = [one.user_key for one in people], [one.name for one in groups]
    users = {user(key) for key in keys if key}
    found = users | {group(name.lower()) for name in names if name}
    return frozenset(found) if found or not (keys or names) else None
