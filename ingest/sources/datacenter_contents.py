"""Pages and blog posts of a Confluence Server or Data Center."""

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from urllib.parse import quote

from index.records import ContentType, Space, State
from ingest.sources.datacenter_json import (
    ContentJson,
    IncludedJson,
    LabelJson,
    PlaceJson,
    ScanJson,
    SingleContentJson,
    SpaceKeyJson,
)
from ingest.sources.datacenter_listing import PAGE_SIZE, by_cursor, by_start, changed_since
from ingest.sources.http import Listing, NotVisible, SiteClient, UnexpectedAnswer
from ingest.sources.source import PageSummary, SourcePage

logger = logging.getLogger(__name__)

WITH_BODY = (ContentType.PAGE, ContentType.BLOGPOST)

_LISTED = "version,ancestors,metadata.labels"
_CHANGED = {"cql": "type in (page, blogpost)", "expand": f"{_LISTED},space"}
_FETCHED = {"expand": f"{_LISTED},body.storage,space,history"}


class Contents:
    """Reads what has a body. Archived pages are no part of REST v1 and left out."""

    def __init__(self, site: SiteClient, site_url: str) -> None:
        self._site = site
        self._site_url = site_url
        self._has_scan = True

    async def sweep(self, space: Space) -> AsyncIterator[PageSummary]:
        """Every current page and blog post of a space, once, without bodies."""
        async for content in self.listed(space, _LISTED):
            yield self._summary(content, space.key)

    async def listed(
        self, space: Space, expand: str, size: int = PAGE_SIZE
    ) -> AsyncIterator[ContentJson]:
        """The same with other properties, at most `size` in one answer."""
        seen: set[str] = set()
        try:
            for content_type in WITH_BODY:
                async for content in self._of_type(space, content_type, expand, size):
                    is_wanted = content.type == content_type and content.status == "current"
                    if is_wanted and content.id not in seen:
                        seen.add(content.id)
                        yield content
            if not seen:
                await self._site.get(f"/rest/api/space/{quoted_key(space.key)}", SpaceKeyJson)
        except NotVisible as error:
            raise NotVisible(
                f"The space {space.key} is gone, or the account may not see it. {error}"
            ) from error

    def _of_type(
        self, space: Space, content_type: ContentType, expand: str, size: int
    ) -> AsyncIterator[ContentJson]:
        parameters = {
            "status": "current",
            "expand": expand,
            "spaceKey": space.key,
            "type": content_type.value,
        }
        # Before 8.3 the scan takes no type and gives pages only.
        if content_type is ContentType.PAGE and self._has_scan:
            return self._scanned(parameters, size)
        return self._placed(parameters, size)

    async def _scanned(
        self, parameters: Mapping[str, str], size: int
    ) -> AsyncIterator[ContentJson]:
        has_begun = False
        try:
            path, model = "/rest/api/content/scan", ScanJson[ContentJson]
            async for content in by_cursor(self._site, path, model, parameters, size):
                has_begun = True
                yield content
            return
        except (NotVisible, UnexpectedAnswer) as error:
            if has_begun:
                raise
            logger.info("pages cannot be scanned and are listed: problem=%r", str(error))
        async for content in self._placed(parameters, size):
            yield content
        self._has_scan = False

    def _placed(self, parameters: Mapping[str, str], size: int) -> AsyncIterator[ContentJson]:
        return by_start(self._site, "/rest/api/content", Listing[ContentJson], parameters, size)

    async def changed(self, since: datetime) -> AsyncIterator[PageSummary]:
        """Current pages and blog posts of any space changed since then, newest first."""
        async for content in changed_since(self._site, Listing[ContentJson], _CHANGED, since):
            if content.type in WITH_BODY and content.status == "current" and content.space:
                yield self._summary(content, content.space.key)

    async def space_key(self, page_id: str) -> tuple[str, str | None]:
        """The id, and the key of the space that shows what it stands for."""
        parameters = {"status": "current", "expand": "space"}
        try:
            # As a part of a listing, because that it is gone must be doubted.
            content = await self._site.listing_part(_path(page_id), PlaceJson, parameters)
        except NotVisible:
            return page_id, None
        return page_id, content.space.key if content.status == "current" else None

    async def page(self, summary: PageSummary) -> SourcePage:
        """A page with its body; NotVisible when it is no longer where it was listed."""
        path = _path(summary.page_id)
        content = await self._site.get(path, SingleContentJson, _FETCHED)
        key = content.space.key if content.space else ""
        if content.status != "current" or key.lower() != summary.space_key.lower():
            raise NotVisible(
                f"Page {summary.page_id} has left the space {summary.space_key} since it was "
                "listed. The next run settles it."
            )
        updated_at = content.version.when or content.history.created_date
        if updated_at is None:
            raise UnexpectedAnswer(f"Page {summary.page_id} came without a date.")
        return SourcePage(
            summary=self._summary(content, summary.space_key),
            storage=content.body.storage.value,
            labels=await self._labels(path, content),
            author=content.history.author,
            created_at=content.history.created_date,
            updated_at=updated_at,
        )

    async def _labels(self, path: str, content: ContentJson) -> tuple[str, ...]:
        included = _included_labels(content.metadata.labels)
        if included is not None:
            return included
        listing = by_start(self._site, f"{path}/label", Listing[LabelJson], {})
        return _names([label async for label in listing])

    def _summary(self, content: ContentJson, space_key: str) -> PageSummary:
        fallback = f"/pages/viewpage.action?pageId={content.id}"
        webui = content.links.webui
        return PageSummary(
            page_id=content.id,
            content_type=ContentType(content.type),
            space_key=space_key,
            title=content.title,
            url=self._site_url + (webui if webui.startswith("/") else fallback),
            version=content.version.number,
            state=State.LIVE,
            parent_id=content.ancestors[-1].id if content.ancestors else None,
            position=content.place,
            labels=_included_labels(content.metadata.labels),
        )


def quoted_key(space_key: str) -> str:
    """The key of a space as a part of a path."""
    return quote(space_key, safe="~")


def _included_labels(included: IncludedJson[LabelJson] | None) -> tuple[str, ...] | None:
    return _names(included.results) if included and included.is_whole else None


def _names(labels: list[LabelJson]) -> tuple[str, ...]:
    return tuple(sorted({label.name for label in labels if label.prefix == "global"}))


def _path(page_id: str) -> str:
    return f"/rest/api/content/{quote(page_id, safe='')}"
