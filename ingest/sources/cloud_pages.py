"""Pages and blog posts of a Confluence Cloud site: sweeps, changes, labels and bodies."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from contextlib import aclosing
from datetime import datetime
from urllib.parse import quote

from index.records import ContentType, Space
from ingest.sources.cloud_json import ContentJson, LabelJson, SingleContentJson
from ingest.sources.cloud_search import SearchRefused, found, in_space
from ingest.sources.cloud_site import PAGE_SIZE, CloudSite
from ingest.sources.cloud_spaces import CloudSpaces
from ingest.sources.cloud_tree import STATES, NodesOfSpace
from ingest.sources.http import Listing, NotVisible, UnexpectedAnswer
from ingest.sources.source import PageSummary, SourcePage

logger = logging.getLogger(__name__)

IDS_PER_REQUEST = 250
MOST_LABELS = 200

COLLECTIONS = {ContentType.PAGE: "pages", ContentType.BLOGPOST: "blogposts"}
_STATUSES = {ContentType.PAGE: "current,archived", ContentType.BLOGPOST: "current"}


class CloudPages:
    """Reads what has a body, and with a sweep the rest of the tree."""

    def __init__(self, site: CloudSite, spaces: CloudSpaces) -> None:
        self._site = site
        self._spaces = spaces

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Everything in the tree of a space, once."""
        space_id = await self._spaces.id_of(space.key)
        nodes = NodesOfSpace(self._site, space, space_id)
        seen: set[str] = set()
        for content_type, collection in COLLECTIONS.items():
            async for content in self._site.client.listing(
                f"/api/v2/spaces/{space_id}/{collection}",
                Listing[ContentJson],
                # By id, so that an edit in the meantime moves nothing across a page break.
                {"status": _STATUSES[content_type], "sort": "id", "limit": PAGE_SIZE},
            ):
                if content.status in STATES and content.id not in seen:
                    seen.add(content.id)
                    nodes.note_parent(content.parent_id, content.parent_type)
                    yield self._summary(content, content_type, space.key)
        async for node in nodes.listed():
            yield node

    async def changed(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Pages and blog posts of known spaces that have a version since then, newest first."""
        keys = await self._spaces.keys()
        pages = self._newest(ContentType.PAGE, since)
        posts = self._newest(ContentType.BLOGPOST, since)
        async with aclosing(pages), aclosing(posts):
            page, post = await anext(pages, None), await anext(posts, None)
            while newest := max(filter(None, (page, post)), key=_changed_at, default=None):
                if newest is page:
                    content_type, page = ContentType.PAGE, await anext(pages, None)
                else:
                    content_type, post = ContentType.BLOGPOST, await anext(posts, None)
                key = keys.get(newest.space_id or "")
                if key and newest.status in STATES:
                    yield self._summary(newest, content_type, key)

    async def _newest(
        self, content_type: ContentType, since: datetime
    ) -> AsyncGenerator[ContentJson]:
        parameters = {
            "status": _STATUSES[content_type],
            "sort": "-modified-date",
            "limit": PAGE_SIZE,
        }
        path = f"/api/v2/{COLLECTIONS[content_type]}"
        async for content in self._site.client.listing(path, Listing[ContentJson], parameters):
            if _changed_at(content) < since:
                return
            yield content

    async def labels(self, space: Space) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
        """Labels by page id, as far as the search index has come.

        A listing by label would take a request for each label of the site, and pages that have
        none any more would not be in it.
        """
        cql = f"type in (page,blogpost) and {in_space(space.key)}"
        search = found(self._site, cql, expand="metadata.labels,space", space_key=space.key)
        try:
            async for content in search:
                labels = content.metadata and content.metadata.labels
                is_here = content.space is None or content.space.key == space.key
                # A list that is cut short would look like a change each time.
                if is_here and labels and len(labels.results) < (labels.limit or MOST_LABELS):
                    yield content.id, _global_names(labels.results)
        except SearchRefused as error:
            logger.warning(
                "labels are read with their pages only: space=%s problem=%r", space.key, str(error)
            )

    async def still_shown(self, page_ids: Collection[str]) -> dict[str, str]:
        """Space ids by id of those that are live or archived pages or blog posts."""
        shown: dict[str, str] = {}
        for content_type, collection in COLLECTIONS.items():
            left = sorted(page_id for page_id in page_ids if page_id not in shown)
            for start in range(0, len(left), IDS_PER_REQUEST):
                parameters = {
                    "id": ",".join(left[start : start + IDS_PER_REQUEST]),
                    "status": _STATUSES[content_type],
                    "limit": PAGE_SIZE,
                }
                listing = self._site.client.listing(
                    f"/api/v2/{collection}", Listing[ContentJson], parameters
                )
                shown |= {
                    content.id: content.space_id or ""
                    async for content in listing
                    if content.status in STATES and content.id in page_ids
                }
        return shown

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body; raises NotVisible when it has left its space."""
        space_id = await self._spaces.id_of(summary.space_key)
        path = f"/api/v2/{COLLECTIONS[summary.content_type]}/{summary.page_id}"
        parameters = {"body-format": "storage", "include-labels": "true"}
        content = await self._site.client.get(path, SingleContentJson, parameters)
        if content.status not in STATES or content.space_id not in {None, space_id}:
            raise NotVisible(
                f"Page {summary.page_id} has left the space {summary.space_key} since it was "
                f"listed (it is {content.status}). The next run settles it."
            )
        return SourcePage(
            summary=self._summary(content, summary.content_type, summary.space_key),
            storage=content.body.storage.value,
            labels=await self._labels(path, content),
            author=content.author_id,
            created_at=content.created_at,
            updated_at=_changed_at(content),
        )

    async def _labels(self, path: str, content: SingleContentJson) -> tuple[str, ...]:
        labels = content.labels.results if content.labels else []
        if content.labels is None or content.labels.meta.has_more:
            listing = self._site.client.listing(
                f"{path}/labels", Listing[LabelJson], {"limit": PAGE_SIZE}
            )
            labels = [label async for label in listing]
        return _global_names(labels)

    def _summary(self, content: ContentJson, content_type: ContentType, key: str) -> PageSummary:
        if content.version is None:
            raise UnexpectedAnswer(f"Page {content.id} came without a version.")
        fallback = f"/spaces/{quote(key)}/pages/{content.id}"
        return PageSummary(
            page_id=content.id,
            content_type=content_type,
            space_key=key,
            title=content.title,
            url=self._site.web_url(content.links.webui, fallback),
            version=content.version.number,
            state=STATES[content.status],
            parent_id=content.parent_id,
            position=content.position,
        )


def _changed_at(content: ContentJson) -> datetime:
    changed_at = (content.version and content.version.created_at) or content.created_at
    if changed_at is None:
        raise UnexpectedAnswer(f"Page {content.id} came without a date.")
    return changed_at


def _global_names(labels: Iterable[LabelJson]) -> tuple[str, ...]:
    return tuple(sorted({label.name for label in labels if label.prefix == "global"}))
