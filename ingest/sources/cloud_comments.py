"""The comments of one page of Confluence Cloud, with all replies to them."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial

from ingest.sources.cloud_item_json import CommentJson
from ingest.sources.cloud_items import COMMENT_KINDS
from ingest.sources.cloud_site import PAGE_SIZE, CloudSite
from ingest.sources.cloud_tree import STATES
from ingest.sources.http import Listing
from ingest.sources.pace import in_parallel
from ingest.sources.source import PageSummary, SourceComment

_PARAMETERS = {"body-format": "storage", "sort": "created-date", "limit": PAGE_SIZE}


class CommentsOfPage:
    """Reads the threads of a page: their first comments, then the replies level by level.

    No answer says whether a comment has replies, so each one is asked for them.
    """

    def __init__(self, site: CloudSite, page: PageSummary, path: str) -> None:
        self._site = site
        self._page = page
        self._path = path
        self._comments: dict[str, SourceComment] = {}

    async def read(self) -> Sequence[SourceComment]:
        """All comments, oldest first."""
        for kind in COMMENT_KINDS:
            parents: list[str | None] = [None]
            while parents:
                parents = await self._below(kind, parents)
        return sorted(self._comments.values(), key=lambda comment: int(comment.comment_id))

    async def _below(self, kind: str, parents: Sequence[str | None]) -> list[str | None]:
        """Takes what lies directly below the page or comments, and gives their ids."""
        below: list[str | None] = []
        jobs = (partial(self._listed, kind, parent) for parent in parents)
        async with aclosing(in_parallel(jobs, self._site.pace.concurrency)) as answers:
            async for comments in answers:
                new = [one for one in comments if one.comment_id not in self._comments]
                self._comments |= {comment.comment_id: comment for comment in new}
                below += [comment.comment_id for comment in new]
        return below

    async def _listed(self, kind: str, parent: str | None) -> list[SourceComment]:
        path = f"{self._path}/{kind}" if parent is None else f"/api/v2/{kind}/{parent}/children"
        listing = self._site.client.listing(path, Listing[CommentJson], _PARAMETERS)
        is_inline = kind == "inline-comments"
        return [
            self._comment(comment, parent, is_inline=is_inline)
            async for comment in listing
            if comment.status in STATES
        ]

    def _comment(
        self, comment: CommentJson, parent: str | None, *, is_inline: bool
    ) -> SourceComment:
        selection = comment.properties.inline_original_selection if comment.properties else None
        opened = self._site.web_url(comment.links.webui, "") if comment.links.webui else ""
        return SourceComment(
            comment_id=comment.id,
            parent_id=parent,
            selection=(selection or "") if is_inline and parent is None else None,
            resolution=comment.resolution_status if is_inline else None,
            author=comment.version.author_id if comment.version else None,
            created_at=comment.version.created_at if comment.version else None,
            version=comment.version.number if comment.version else 1,
            url=opened or f"{self._page.url}?focusedCommentId={comment.id}",
            storage=comment.body.storage.value,
        )
