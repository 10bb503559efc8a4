"""What a body becomes (blocks of Markdown) and what its links need to be resolved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ingest.sources.source import Deployment

BlockKind = Literal["heading", "text", "list", "table", "code", "quote"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Markdown that stands by itself: blocks are joined by one empty line.

    `level` (1 to 6), `title` (plain text) and `anchor` belong to headings only.
    """

    kind: BlockKind
    markdown: str
    level: int = 0
    title: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What a body refers to but does not contain. Each function returns None for the unknown.

    `page_url` takes a space key and a title, `attachment_url` a file name on this page,
    `user_name` an account id, user key or user name. `page_title` names the page itself, which the
    anchors of Data Center need; `jira_url` is where the key of an issue is put behind, such as
    https://x.atlassian.net/browse.
    """

    space_key: str
    page_url: Callable[[str, str], str | None]
    attachment_url: Callable[[str], str | None]
    user_name: Callable[[str], str | None]
    page_title: str = ""
    deployment: Deployment = Deployment.CLOUD
    jira_url: str | None = None
