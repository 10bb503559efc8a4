"""What a source has of one page: its body, comments and attachments, as far as they are due."""

import logging
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from index.language import clean
from index.nodes import ItemNode
from index.records import Attachment, ChunkKind, ContentType, State
from index.work import Work
from ingest.attachments.kinds import KINDS, kind_of
from ingest.attachments.pdf import MISSING
from ingest.attachments.reading import AttachmentReader
from ingest.body.blocks import Block
from ingest.sources.http import NotVisible
from ingest.sources.source import ItemSummary, PageSummary, Source, SourceComment, SourcePage

logger = logging.getLogger(__name__)

# Raised whenever the reading of attachments changes what comes out.
TEXT_RECIPE = 1
UNREAD = 0

_MIB = 1024 * 1024
_HAS_PDF = find_spec("pypdfium2") is not None


@dataclass(frozen=True, slots=True)
class AttachmentText:
    """An attachment and its text as blocks; the attachment's own `markdown` is empty yet."""

    attachment: Attachment
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one page; None or empty where nothing was due, or where it failed.

    `attachment_ids` are all that the page has. `problems` say what failed and is to be tried again.
    """

    work: Work
    page: SourcePage | None
    comments: Sequence[SourceComment] | None
    attachments: Sequence[AttachmentText]
    attachment_ids: frozenset[str]
    problems: tuple[str, ...]

    @property
    def size(self) -> int:
        """About how many characters wait in it."""
        body = len(self.page.storage) if self.page else 0
        comments = sum(len(comment.storage) for comment in self.comments or ())
        blocks = (block for one in self.attachments for block in one.blocks)
        return body + comments + sum(len(block.markdown) for block in blocks)


@dataclass(frozen=True, slots=True)
class AttachmentRules:
    """Which attachments are read: kinds of `ingest.attachments.kinds`, and the largest in bytes."""

    kinds: frozenset[str] = frozenset(KINDS)
    largest: int = 25 * _MIB

    @property
    def skip_recipe(self) -> int:
        """Stands for attachments that these rules leave out; other rules have another one."""
        rules = f"{TEXT_RECIPE} {_HAS_PDF} {self.largest} {' '.join(sorted(self.kinds))}"
        return -1 - zlib.crc32(rules.encode()) // 2

    @property
    def recipes(self) -> list[int]:
        """What attachments bear that were read or left out by these rules."""
        return [self.skip_recipe, *map(text_recipe, sorted(self.kinds))]

    def why_not(self, item: ItemNode) -> str | None:
        """Why an attachment is not read; None when it is."""
        kind = kind_of(item.title, item.media_type)
        if kind is None:
            return "files of this kind are not read"
        if kind == "pdf" and not _HAS_PDF:
            return MISSING
        if kind not in self.kinds:
            return f"CONFLUENCE_ATTACHMENTS leaves out {kind}"
        if item.size > self.largest:
            return (
                f"it has {item.size / _MIB:.0f} MiB, and CONFLUENCE_ATTACHMENT_MB allows "
                f"{self.largest / _MIB:.0f}"
            )
        return None


def text_recipe(kind: str) -> int:
    """What attachments of a kind bear that were read."""
    return 100 * TEXT_RECIPE + KINDS.index(kind)


class Fetcher:
    """Fetches pages one by one, each with what is due of it."""

    def __init__(
        self,
        source: Source,
        reader: AttachmentReader,
        rules: AttachmentRules,
        *,
        has_comments: bool,
    ) -> None:
        self._source = source
        self._reader = reader
        self._rules = rules
        self._has_comments = has_comments

    async def fetch(self, work: Work, items: Sequence[ItemNode]) -> Fetched:
        """A page; raises SourceError when its body cannot be had, or nothing more at all."""
        summary = _summary(work)
        if not summary.content_type.has_body:
            return Fetched(work, None, None, (), frozenset(), ())
        page = await self._source.page(summary) if work.body else None
        # The title is part of every text: what was renamed since its listing is due as a whole.
        is_renamed = page is not None and clean(page.summary.title) != work.title
        problems: list[str] = []
        comments = None
        if work.comments or is_renamed:
            comments = await self._comments(summary, problems)
        due = [item for item in items if is_renamed or item.node_id in work.attachment_ids]
        return Fetched(
            work=work,
            page=page,
            comments=comments,
            attachments=[await self._attachment(item, problems) for item in due],
            attachment_ids=frozenset(item.node_id for item in items),
            problems=tuple(problems),
        )

    async def _comments(
        self, summary: PageSummary, problems: list[str]
    ) -> Sequence[SourceComment] | None:
        if not self._has_comments:
            return ()
        try:
            return await self._source.comments(summary)
        except AuthenticationError:
            raise
        except SourceError as error:
            problems.append(f"Its comments cannot be read. {error}")
            return None

    async def _attachment(self, item: ItemNode, problems: list[str]) -> AttachmentText:
        reason = self._rules.why_not(item)
        if reason is not None:
            return _without_text(item, reason, self._rules.skip_recipe)
        try:
            return await self._read(item)
        except AuthenticationError:
            raise
        except (SourceUnavailable, NotVisible) as error:
            # What an export lacks, it will lack for ever.
            if self._source.is_whole_site:
                problems.append(f"Its attachment {item.title} cannot be fetched. {error}")
                return _without_text(item, f"it could not be fetched. {error}", UNREAD)
            return _unfetched(item, error)
        except SourceError as error:
            return _unfetched(item, error)

    async def _read(self, item: ItemNode) -> AttachmentText:
        kind = _kind(item)
        with tempfile.TemporaryDirectory(prefix="confluence-mcp-") as folder:
            path = Path(folder) / "attachment"
            with path.open("wb") as file:
                await self._source.download(_item_summary(item), file, self._rules.largest)
            text = await self._reader.read(path, kind)
        attachment = _attachment(item, text.unreadable, text_recipe(kind))
        return AttachmentText(attachment, text.blocks)


def _unfetched(item: ItemNode, error: SourceError) -> AttachmentText:
    return _without_text(item, f"it could not be fetched. {error}", text_recipe(_kind(item)))


def _kind(item: ItemNode) -> str:
    kind = kind_of(item.title, item.media_type)
    assert kind is not None  # the rules let no other file through
    return kind


def _without_text(item: ItemNode, reason: str, recipe: int) -> AttachmentText:
    return AttachmentText(_attachment(item, reason, recipe), ())


def _attachment(item: ItemNode, unreadable: str | None, recipe: int) -> Attachment:
    return Attachment(
        attachment_id=item.node_id,
        filename=item.title,
        media_type=item.media_type,
        size=item.size,
        version=item.version,
        url=item.url,
        markdown="",
        unreadable=unreadable,
        recipe=recipe,
    )


def _item_summary(item: ItemNode) -> ItemSummary:
    return ItemSummary(
        kind=ChunkKind.ATTACHMENT,
        item_id=item.node_id,
        page_id=item.parent_id,
        version=item.version,
        filename=item.title,
        media_type=item.media_type,
        size=item.size,
        url=item.url,
    )


def _summary(work: Work) -> PageSummary:
    return PageSummary(
        page_id=work.page_id,
        content_type=ContentType(work.content_type),
        space_key=work.space_key,
        title=work.title,
        url=work.url,
        version=work.version,
        state=State(work.state),
        parent_id=work.parent_id,
        position=work.position,
        labels=None if work.labels is None else tuple(work.labels),
    )
