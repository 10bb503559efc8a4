"""The parts of Confluence Cloud's JSON that are read of comments and attachments."""

from pydantic import Field

from ingest.sources.cloud_json import NUMERIC_ID, BodyJson, VersionJson, WebLinks
from ingest.sources.http import WireModel


class ItemJson(WireModel):
    """A comment or attachment of a listing, on a page, a blog post or something else."""

    id: str
    status: str
    page_id: str | None = None
    blog_post_id: str | None = None
    version: VersionJson | None = None
    links: WebLinks = Field(WebLinks(), alias="_links")


class ListedCommentJson(ItemJson):
    """A comment of a listing without bodies."""

    id: str = Field(pattern=NUMERIC_ID)
    parent_comment_id: str | None = None
    resolution_status: str | None = None


class SelectionJson(WireModel):
    """What an inline comment points at."""

    inline_original_selection: str | None = None


class CommentJson(ListedCommentJson):
    """A comment with its body."""

    body: BodyJson
    properties: SelectionJson | None = None


class AttachmentJson(ItemJson):
    """An attachment."""

    id: str = Field(pattern=r"^(att)?[0-9]+$")
    title: str = ""
    media_type: str = ""
    file_size: int = 0
