"""Comments and attachments of a Confluence Cloud site, listed without their content.

REST v2 is said to list all comments, and names the parent of a reply; where no reply is among
them, a search is asked for comments too, lest a new reply goes unseen.
"""

import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from index.records import ChunkKind
from ingest.sources.cloud_item_json import AttachmentJson, ItemJson, ListedCommentJson
from ingest.sources.cloud_search import SearchRefused, found
from ingest.sources.cloud_site import PAGE_SIZE, CloudSite
from ingest.sources.cloud_tree import STATES
from ingest.sources.http import Listing, NotVisible, UnexpectedAnswer
from ingest.sources.source import ItemSummary

logger = logging.getLogger(__name__)

COMMENT_KINDS = ("footer-comments", "inline-comments")

# By creation, so that an edit in the meantime moves nothing across a page break.
_OLDEST_FIRST = {"sort": "created-date", "limit": PAGE_SIZE}
_NEWEST_FIRST = {"sort": "-modified-date", "limit": PAGE_SIZE}
_RESOLUTIONS = (None, "open", "reopened", "resolved", "dangling")

Item = TypeVar("Item", bound=ItemJson)


class CloudItems:
    """The comments and attachments of all pages that the account may see."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site

    async def every(self, kinds: Collection[ChunkKind]) -> AsyncIterator[ItemSummary]:
        """All of these kinds, once; what is refused is raised only after all others."""
        listings: list[AsyncIterator[ItemSummary]] = []
        if ChunkKind.COMMENT in kinds:
            listings.append(self._every_comment())
        if ChunkKind.ATTACHMENT in kinds:
            listings.append(self._every_attachment())
        async for item in _one_after_the_other(listings):
            yield item

    async def changed(
        self, since: datetime, kinds: Collection[ChunkKind]
    ) -> AsyncIterator[ItemSummary]:
        """New ones and edits since then; that a thread is resolved is told by `every` only."""
        listings: list[AsyncIterator[ItemSummary]] = []
        if ChunkKind.COMMENT in kinds:
            newest = (self._comments(kind, _NEWEST_FIRST) for kind in COMMENT_KINDS)
            listings += [self._summaries(_newer(each, since)) for each in newest]
        if ChunkKind.ATTACHMENT in kinds:
            newest_attachments = self._attachments(_NEWEST_FIRST)
            listings.append(self._summaries(_newer(newest_attachments, since)))
        async for item in _one_after_the_other(listings):
            yield item

    async def _every_comment(self) -> AsyncIterator[ItemSummary]:
        seen: set[str] = set()
        has_replies = False
        for kind in COMMENT_KINDS:
            async for comment in self._comments(kind, _OLDEST_FIRST):
                has_replies = has_replies or comment.parent_comment_id is not None
                summary = self._summary(comment)
                if summary and comment.id not in seen:
                    seen.add(comment.id)
                    yield summary
        if seen and not has_replies:
            async for summary in self._comments_found():
                if summary.item_id not in seen:
                    seen.add(summary.item_id)
                    yield summary

    async def _every_attachment(self) -> AsyncIterator[ItemSummary]:
        seen: set[str] = set()
        async for summary in self._summaries(self._attachments(_OLDEST_FIRST)):
            if summary.item_id not in seen:
                seen.add(summary.item_id)
                yield summary

    async def _comments_found(self) -> AsyncIterator[ItemSummary]:
        try:
            async for comment in found(self._site, "type = comment", expand="container,version"):
                page = comment.container
                is_on_page = page is not None and page.type in {"page", "blogpost"}
                if page and is_on_page and comment.version and comment.status in STATES:
                    version = _version_seen(comment.version.number, None)
                    yield ItemSummary(ChunkKind.COMMENT, comment.id, page.id, version)
        except SearchRefused as error:
            logger.info("replies are seen in listings only: problem=%r", str(error))

    def _comments(
        self, kind: str, parameters: Mapping[str, str]
    ) -> AsyncIterator[ListedCommentJson]:
        return self._site.client.listing(f"/api/v2/{kind}", Listing[ListedCommentJson], parameters)

    def _attachments(self, parameters: Mapping[str, str]) -> AsyncIterator[AttachmentJson]:
        return self._site.client.listing(
            "/api/v2/attachments",
            Listing[AttachmentJson],
            {**parameters, "status": "current,archived"},
        )

    async def _summaries(self, items: AsyncIterator[ItemJson]) -> AsyncIterator[ItemSummary]:
        async for item in items:
            if summary := self._summary(item):
                yield summary

    def _summary(self, item: ItemJson) -> ItemSummary | None:
        """None for what hangs on neither page nor blog post, or is in the trash."""
        page_id = item.page_id or item.blog_post_id
        if page_id is None or item.status not in STATES:
            return None
        if item.version is None:
            raise UnexpectedAnswer(f"The comment or attachment {item.id} came without a version.")
        number = item.version.number
        if not isinstance(item, AttachmentJson):
            resolution = item.resolution_status if isinstance(item, ListedCommentJson) else None
            version = _version_seen(number, resolution)
            return ItemSummary(ChunkKind.COMMENT, item.id, page_id, version)
        return ItemSummary(
            kind=ChunkKind.ATTACHMENT,
            item_id=item.id,
            page_id=page_id,
            version=number,
            filename=item.title,
            media_type=item.media_type,
            size=item.file_size,
            url=self._site.web_url(
                item.links.webui, f"/pages/viewpageattachments.action?pageId={page_id}"
            ),
        )


def _version_seen(number: int, resolution: str | None) -> int:
    """A number that differs whenever a comment was edited, resolved or opened again."""
    # Confluence counts no new version when a thread is resolved.
    known = _RESOLUTIONS.index(resolution) if resolution in _RESOLUTIONS else len(_RESOLUTIONS)
    return number * (len(_RESOLUTIONS) + 1) + known


async def _newer(items: AsyncIterator[Item], since: datetime) -> AsyncIterator[Item]:
    """What comes before the first one that is older."""
    async for item in items:
        if item.version and item.version.created_at and item.version.created_at < since:
            return
        yield item


async def _one_after_the_other(
    listings: Iterable[AsyncIterator[ItemSummary]],
) -> AsyncIterator[ItemSummary]:
    """Everything that can be listed; then raises the first refusal, if there was one."""
    refusal: NotVisible | None = None
    for listing in listings:
        try:
            async for item in listing:
                yield item
        except NotVisible as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
