"""Where a person opens what an export holds, on the site that it was made of."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

from ingest.sources.source import Deployment
from ingest.sources.staged import StagedPage


@dataclass(frozen=True, slots=True)
class ExportLinks:
    """The addresses of one site; exports have ids and titles only."""

    site_url: str
    deployment: Deployment

    def space(self, key: str) -> str:
        """The overview of a space."""
        if self.deployment is Deployment.DATACENTER:
            return f"{self.site_url}/display/{quote(key, safe='~')}"
        return f"{self._cloud_space(key)}/overview"

    def page(self, page: StagedPage) -> str:
        """A page or blog post."""
        if self.deployment is Deployment.DATACENTER:
            return f"{self.site_url}/pages/viewpage.action?pageId={quote(page.page_id)}"
        folder = "pages"
        if page.class_name == "BlogPost":
            folder = f"blog/{page.created_at or datetime.fromtimestamp(0, UTC):%Y/%m/%d}"
        title = quote_plus(page.title)
        return f"{self._cloud_space(page.space_key)}/{folder}/{page.page_id}/{title}"

    def comment(self, page: StagedPage, comment_id: str) -> str:
        """A comment on its page."""
        focus = f"focusedCommentId={quote(comment_id)}"
        if self.deployment is Deployment.DATACENTER:
            return f"{self.page(page)}&{focus}#comment-{quote(comment_id)}"
        return f"{self.page(page)}?{focus}"

    def _cloud_space(self, key: str) -> str:
        return f"{self.site_url}/spaces/{quote(key)}"


def attachment_link(site_url: str, page_id: str, filename: str) -> str:
    """An attachment, the same on every kind of Confluence."""
    return f"{site_url}/download/attachments/{page_id}/{quote(filename, safe='')}"
