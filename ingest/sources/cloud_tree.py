"""What is in the tree of a space on Confluence Cloud besides pages: folders and their like.

No listing of REST v2 gives them. A search does, as far as its index has come; the parents that
pages name are asked for one by one where it did not.
"""

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from functools import partial
from urllib.parse import quote

from index.records import ContentType, Space, State
from ingest.sources.cloud_json import ContentJson, TypesJson
from ingest.sources.cloud_scopes import MissingScope
from ingest.sources.cloud_search import SearchRefused, found, in_space
from ingest.sources.cloud_search_json import FoundJson
from ingest.sources.cloud_site import CloudSite
from ingest.sources.http import NotVisible
from ingest.sources.pace import in_parallel
from ingest.sources.source import PageSummary

logger = logging.getLogger(__name__)

STATES = {"current": State.LIVE, "archived": State.ARCHIVED}
IDS_PER_REQUEST = 100

_COLLECTIONS = {
    ContentType.FOLDER: "folders",
    ContentType.WHITEBOARD: "whiteboards",
    ContentType.DATABASE: "databases",
    ContentType.EMBED: "embeds",
}
_KINDS = {kind.value: kind for kind in _COLLECTIONS}


class NodesOfSpace:
    """The nodes without a body of one space, in the midst of its sweep."""

    def __init__(self, site: CloudSite, space: Space, space_id: str) -> None:
        self._site = site
        self._space = space
        self._space_id = space_id
        self._seen: set[str] = set()
        self._wanted: dict[str, ContentType] = {}

    def note_parent(self, parent_id: str | None, parent_type: str | None) -> None:
        """Takes down what something lies below, so that it is looked for."""
        kind = _KINDS.get(parent_type or "")
        if parent_id and kind and parent_id not in self._seen:
            self._wanted[parent_id] = kind

    async def listed(self) -> AsyncIterator[PageSummary]:
        """Those that a search finds, then upwards all that lie above pages or one another."""
        async for node in self._found():
            yield node
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            self._seen |= wanted.keys()
            jobs = (partial(node_of, self._site, kind, id) for id, kind in wanted.items())
            async with aclosing(in_parallel(jobs, self._site.pace.concurrency)) as nodes:
                async for node in nodes:
                    if node is not None and node.space_id in {None, self._space_id}:
                        self.note_parent(node.parent_id, node.parent_type)
                        yield self._summary(node, wanted[node.id], node.parent_id)

    async def _found(self) -> AsyncIterator[PageSummary]:
        cql = f"type in ({','.join(_KINDS)}) and {in_space(self._space.key)}"
        expand = "ancestors,space,version"
        search = found(self._site, cql, expand=expand, space_key=self._space.key)
        try:
            async for node in search:
                if self._is_of_space(node) and node.id not in self._seen:
                    if node.ancestors is None:
                        self.note_parent(node.id, node.type)
                        continue
                    self._seen.add(node.id)
                    self._wanted.pop(node.id, None)
                    parent = node.ancestors[-1] if node.ancestors else None
                    if parent:
                        self.note_parent(parent.id, parent.type)
                    yield self._summary(node, _KINDS[node.type], parent and parent.id)
        except SearchRefused as error:
            logger.info("folders are found above pages only: problem=%r", str(error))

    def _is_of_space(self, node: FoundJson) -> bool:
        is_here = node.space is None or node.space.key == self._space.key
        return is_here and node.type in _KINDS and node.status in STATES

    def _summary(
        self, node: ContentJson | FoundJson, kind: ContentType, parent_id: str | None
    ) -> PageSummary:
        fallback = f"/spaces/{quote(self._space.key)}/{kind.value}/{node.id}"
        return PageSummary(
            page_id=node.id,
            content_type=kind,
            space_key=self._space.key,
            title=node.title,
            url=self._site.web_url(node.links.webui, fallback),
            version=max(1, node.version.number) if node.version else 1,
            state=STATES[node.status],
            parent_id=parent_id,
            position=node.position,
        )


async def node_of(site: CloudSite, kind: ContentType, node_id: str) -> ContentJson | None:
    """A folder or its like; None for what is in the trash, gone or hidden."""
    try:
        node = await site.client.get(f"/api/v2/{_COLLECTIONS[kind]}/{node_id}", ContentJson)
    except NotVisible as error:
        level = logging.WARNING if isinstance(error, MissingScope) else logging.INFO
        said = "a parent cannot be read: kind=%s id=%s problem=%r"
        logger.log(level, said, kind, node_id, str(error))
        return None
    return node if node.status in STATES and node.id == node_id else None


async def nodes_still_shown(site: CloudSite, node_ids: Collection[str]) -> dict[str, str]:
    """Space ids by id of those that are folders or their like which the site still shows."""
    kinds: dict[str, ContentType] = {}
    ids = sorted(node_ids)
    try:
        for start in range(0, len(ids), IDS_PER_REQUEST):
            json = {"contentIds": ids[start : start + IDS_PER_REQUEST]}
            path = "/api/v2/content/convert-ids-to-types"
            answer = await site.client.post(path, TypesJson, json)
            types = answer.results.items()
            kinds |= {id: _KINDS[type] for id, type in types if type in _KINDS and id in node_ids}
    except NotVisible as error:
        logger.info("kinds of content cannot be read: problem=%r", str(error))
    jobs = (partial(node_of, site, kind, node_id) for node_id, kind in kinds.items())
    async with aclosing(in_parallel(jobs, site.pace.concurrency)) as nodes:
        return {node.id: node.space_id or "" async for node in nodes if node is not None}
