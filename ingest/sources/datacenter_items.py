"""Comments and attachments of a Confluence Server or Data Center."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import quote

import httpx

from index.records import ChunkKind, Space
from ingest.sources.datacenter_contents import WITH_BODY, Contents
from ingest.sources.datacenter_json import (
    RESOLUTIONS,
    CommentJson,
    ContentJson,
    IncludedJson,
    ItemJson,
    known_resolution,
)
from ingest.sources.datacenter_listing import by_start, changed_since
from ingest.sources.http import Listing, SiteClient, UnexpectedAnswer
from ingest.sources.source import ItemSummary, PageSummary, SourceComment

# Each page brings its comments and attachments along.
PAGES_WITH_ITEMS = 100

_WITH_ITEMS = (
    "version,children.attachment.version,"
    "descendants.comment.version,descendants.comment.extensions.resolution"
)
_ITEM = "version,extensions.resolution"
_CHANGED = {"cql": "type in (comment, attachment)", "expand": f"{_ITEM},container"}
# Without depth no replies come; the locations are all that there are.
_EVERY_COMMENT = httpx.QueryParams(
    {"depth": "all", "location": ["footer", "inline", "resolved"], "expand": _ITEM}
)
_WHOLE_COMMENT = _EVERY_COMMENT.set(
    "expand",
    "body.storage,version,ancestors,history,extensions.inlineProperties,extensions.resolution",
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Items:
    """Reads what hangs on pages and blog posts."""

    def __init__(self, site: SiteClient, site_url: str, contents: Contents) -> None:
        self._site = site
        self._site_url = site_url
        self._contents = contents

    async def of_space(self, space: Space) -> AsyncIterator[ItemSummary]:
        """Every comment and attachment of a space, once.

        They come along with a listing of the pages, and not from the search: its index lacks some
        while it is rebuilt.
        """
        async for page in self._contents.listed(space, _WITH_ITEMS, PAGES_WITH_ITEMS):
            for item in await self._items(page):
                if item.status == "current":
                    yield self._summary(item, page.id)

    async def _items(self, page: ContentJson) -> list[ItemJson]:
        attachments = _whole(page.children.attachment)
        if attachments is None:
            attachments = await self._below(page.id, "attachment", {"expand": _ITEM})
        comments = _whole(page.descendants.comment)
        if comments is None:
            comments = await self._below(page.id, "comment", _EVERY_COMMENT)
        return list({item.id: item for item in (*attachments, *comments)}.values())

    async def _below(
        self, page_id: str, kind: str, parameters: Mapping[str, str]
    ) -> list[ItemJson]:
        path = f"/rest/api/content/{page_id}/child/{kind}"
        return [item async for item in by_start(self._site, path, Listing[ItemJson], parameters)]

    async def changed(self, since: datetime) -> AsyncIterator[ItemSummary]:
        """Current comments and attachments of any page changed since then, newest first."""
        async for item in changed_since(self._site, Listing[ItemJson], _CHANGED, since):
            container = item.container
            if item.status == "current" and container and container.type in WITH_BODY:
                yield self._summary(item, str(container.id))

    async def comments(self, summary: PageSummary) -> Sequence[SourceComment]:
        """All comments of a page, oldest first."""
        path = f"/rest/api/content/{quote(summary.page_id, safe='')}/child/comment"
        listing = by_start(self._site, path, Listing[CommentJson], _WHOLE_COMMENT)
        found = {one.id: one async for one in listing if one.status == "current"}
        return [self._comment(one, summary) for one in sorted(found.values(), key=_age)]

    async def download(self, item: ItemSummary, file: BinaryIO, limit: int) -> None:
        """Writes an attachment's bytes; UnexpectedAnswer when they are not those listed."""
        path = f"/download/attachments/{quote(item.page_id, safe='')}/{_quoted(item.filename)}"
        parameters = {"version": str(item.version), "api": "v2"}
        await self._site.download(path, file, limit, parameters)
        arrived = file.tell()
        # Whom Confluence no longer knows it may answer with a page for logging in.
        if item.size and arrived != item.size:
            raise UnexpectedAnswer(
                f"The attachment {item.item_id} came with {arrived} bytes instead of {item.size}. "
                "Check that no proxy changes Confluence's answers, then run again."
            )

    def attachment_url(self, page_id: str, filename: str) -> str:
        """Where a person opens an attachment of a page."""
        return f"{self._site_url}/download/attachments/{page_id}/{_quoted(filename)}"

    def _summary(self, item: ItemJson, page_id: str) -> ItemSummary:
        if item.type == "comment":
            return ItemSummary(ChunkKind.COMMENT, item.id, page_id, _version_seen(item))
        webui = item.links.webui
        fallback = self.attachment_url(page_id, item.title)
        return ItemSummary(
            kind=ChunkKind.ATTACHMENT,
            item_id=item.id,
            page_id=page_id,
            version=item.version.number,
            filename=item.title,
            media_type=item.extensions.media_type or item.metadata.media_type or "",
            size=item.extensions.file_size or 0,
            url=self._site_url + webui if webui.startswith("/") else fallback,
        )

    def _comment(self, comment: CommentJson, page: PageSummary) -> SourceComment:
        extensions, webui = comment.extensions, comment.links.webui
        inline = extensions.inline_properties
        parents = [one.id for one in comment.ancestors if one.type in ("comment", "")]
        mark = "&" if "?" in page.url else "?"
        fallback = f"{page.url}{mark}focusedCommentId={comment.id}#comment-{comment.id}"
        return SourceComment(
            comment_id=comment.id,
            parent_id=parents[-1] if parents else None,
            selection=(inline.original_selection or None) if inline else None,
            resolution=known_resolution(extensions.resolution),
            author=comment.history.author,
            created_at=comment.history.created_date,
            version=comment.version.number,
            url=self._site_url + webui if webui.startswith("/") else fallback,
            storage=comment.body.storage.value,
        )


def _version_seen(comment: ItemJson) -> int:
    """A number that differs whenever a comment was edited, resolved or opened again."""
    # Confluence counts no new version when a thread is resolved.
    states = (None, *RESOLUTIONS)
    state = states.index(known_resolution(comment.extensions.resolution))
    return comment.version.number * len(states) + state


def _whole(included: IncludedJson[ItemJson] | None) -> list[ItemJson] | None:
    return included.results if included and included.is_whole else None


def _age(comment: CommentJson) -> tuple[datetime, int]:
    return (comment.history.created_date or comment.version.when or _LONG_AGO, int(comment.id))


def _quoted(filename: str) -> str:
    return quote(filename, safe="")
