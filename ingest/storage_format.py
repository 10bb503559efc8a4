"""Confluence storage format to Markdown. Pure: no network, no database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from index.records import Heading, Unreadable

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
    `user_name` an account id, user key or user name.
    """

    space_key: str
    page_url: Callable[[str, str], str | None]
    attachment_url: Callable[[str], str | None]
    user_name: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A body in Markdown, as blocks in reading order, and what could not be read."""

    blocks: tuple[Block, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def markdown(self) -> str:
        """The whole body."""
        return "\n\n".join(block.markdown for block in self.blocks)

    @property
    def outline(self) -> tuple[Heading, ...]:
        """The headings with their character positions in `markdown`."""
        raise NotImplementedError


def convert(storage: str, context: LinkContext) -> Conversion:
    """Converts a body. Never raises: what cannot be read is named in `unreadable`."""
    raise NotImplementedError


def user_ids(storage: str) -> frozenset[str]:
    """Account ids, user keys and user names that a body mentions."""
    raise NotImplementedError
