"""One page from its source to what the index stores: body, comments, attachments. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from index.language import language_of
from index.records import (
    Attachment,
    Chunk,
    ChunkKind,
    Comment,
    ContentType,
    Page,
    State,
    Unreadable,
)
from index.work import Work
from ingest.body.blocks import Block
from ingest.chunking import split
from ingest.fetch import AttachmentText, Fetched
from ingest.sources.source import Deployment, SourceComment
from ingest.storage_format import LinkContext, convert

# Raised whenever conversion or chunking change what comes out: pages stored by an older recipe are
# fetched and converted anew by the next run.
RECIPE = 3
# Tokens of a chunk with its title and heading path; see docs/tuning.md.
CHUNK_TOKENS = 256

# Of others the short form of an address does not always open.
_PLAIN_TITLE = re.compile(r"[\w ,()-][\w .,()-]*")
_FENCE = re.compile(r"^(`{3,}+|~{3,}+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LANGUAGE_SAMPLE = 6_000
_SELECTION = 80  # characters of what an inline comment points at, in its heading
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What pages refer to but do not contain.

    `ancestors` are by page id, `user_names` by account id, user key or user name. `now` dates what
    Confluence gives no date of.
    """

    now: datetime
    site_url: str
    deployment: Deployment
    attachment_url: Callable[[str, str], str]
    ancestors: Mapping[str, tuple[str, ...]]
    user_names: Mapping[str, str]

    def links_of(self, work: Work, title: str) -> LinkContext:
        """What links in the texts of one page, of that title now, lead to."""
        return LinkContext(
            space_key=work.space_key,
            page_url=partial(page_address, self.site_url),
            attachment_url=lambda filename: self.attachment_url(work.page_id, filename),
            user_name=self.user_names.get,
            page_title=title,
            deployment=self.deployment,
            jira_url=_jira_url(self.site_url, self.deployment),
        )


def page_address(site_url: str, space_key: str, title: str) -> str:
    """Where a page of that title opens, whether there is one or not.

    Not the address of a page that is there: a link must not tell a reader which titles lead to
    pages that others may see.
    """
    if _PLAIN_TITLE.fullmatch(title):
        return f"{site_url}/display/{quote(space_key)}/{quote_plus(title)}"
    query = urlencode({"spaceKey": space_key, "title": title})
    return f"{site_url}/pages/viewpage.action?{query}"


@dataclass(frozen=True, slots=True)
class Converted:
    """A page in Markdown with its chunks; parts that were not fetched are None or empty."""

    fetched: Fetched
    page: Page | None
    comments: Sequence[Comment] | None
    attachments: Sequence[Attachment]
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class Cut:
    """How texts are cut: at most `limit` tokens a chunk, as `count_tokens` counts."""

    limit: int
    count_tokens: Callable[[str], int]

    def chunks(self, title: str, blocks: Sequence[Block]) -> tuple[Chunk, ...]:
        """The chunks of one text."""
        return split(title, blocks, limit=self.limit, count_tokens=self.count_tokens)


def convert_page(fetched: Fetched, around: Surroundings, cut: Cut) -> Converted:
    """All that was fetched of a page."""
    work = fetched.work
    title = fetched.page.summary.title if fetched.page else work.title
    links = around.links_of(work, title)
    page, chunks = _body(fetched, around, links, cut)
    comments, of_comments = _comments(title, fetched.comments, around, links, cut)
    attachments = [_with_text(one) for one in fetched.attachments]
    for one in fetched.attachments:
        chunks += _attachment_chunks(title, one, cut)
    return Converted(fetched, page, comments, attachments, [*chunks, *of_comments])


def _body(
    fetched: Fetched, around: Surroundings, links: LinkContext, cut: Cut
) -> tuple[Page | None, list[Chunk]]:
    work, source_page = fetched.work, fetched.page
    ancestors = around.ancestors.get(work.page_id, ())
    if source_page is None:
        is_due = work.body and not ContentType(work.content_type).has_body
        page = _page_without_body(work, ancestors, around.now) if is_due else None
        return page, [] if page is None else list(cut.chunks(page.title, ()))
    conversion = convert(source_page.storage, links)
    author = around.user_names.get(source_page.author) if source_page.author else None
    markdown = conversion.markdown
    summary = source_page.summary
    page = Page(
        page_id=work.page_id,
        content_type=summary.content_type,
        space_key=work.space_key,
        title=summary.title,
        url=summary.url,
        version=summary.version,
        state=summary.state,
        ancestors=ancestors,
        position=summary.position,
        labels=page_labels(source_page.labels),
        author=author,
        created_at=source_page.created_at,
        updated_at=source_page.updated_at,
        language=page_language(summary.title, markdown),
        markdown=markdown,
        outline=conversion.outline,
        unreadable=conversion.unreadable,
    )
    return page, list(cut.chunks(page.title, conversion.blocks))


def _page_without_body(work: Work, ancestors: tuple[str, ...], now: datetime) -> Page:
    """A folder, or what Confluence gives no text of: to be found by its title and place."""
    content_type = ContentType(work.content_type)
    reason = "Confluence gives its title and place only"
    return Page(
        page_id=work.page_id,
        content_type=content_type,
        space_key=work.space_key,
        title=work.title,
        url=work.url,
        version=work.version,
        state=State(work.state),
        ancestors=ancestors,
        position=work.position,
        labels=page_labels(work.labels or ()),
        author=None,
        created_at=None,
        updated_at=now,
        language=language_of(work.title),
        markdown="",
        outline=(),
        unreadable=(
            ()
            if content_type is ContentType.FOLDER
            else (Unreadable(content_type.value, work.title, reason),)
        ),
    )


def page_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Labels as the index keeps them: in lower case, each once, sorted."""
    return tuple(sorted({name.lower() for name in names}))


def _comments(
    title: str,
    source_comments: Sequence[SourceComment] | None,
    around: Surroundings,
    links: LinkContext,
    cut: Cut,
) -> tuple[list[Comment] | None, list[Chunk]]:
    if source_comments is None:
        return None, []
    comments: list[Comment] = []
    threads: dict[str, list[Block]] = {}
    roots: dict[str, Comment] = {}
    for source_comment in source_comments:
        conversion = convert(source_comment.storage, links)
        comment = _comment(source_comment, conversion.markdown, around.user_names)
        comments.append(comment)
        root = roots.get(comment.parent_id or "", comment)
        roots[comment.comment_id] = root
        thread = threads.setdefault(root.comment_id, [_thread_heading(root)])
        thread += [Block("text", _byline(comment)), *map(_as_text, conversion.blocks)]
    chunks = [
        replace(chunk, kind=ChunkKind.COMMENT, item_id=root_id, url=roots[root_id].url, anchor="")
        for root_id, blocks in threads.items()
        for chunk in cut.chunks(title, blocks)
    ]
    return comments, chunks


def _comment(source: SourceComment, markdown: str, user_names: Mapping[str, str]) -> Comment:
    return Comment(
        comment_id=source.comment_id,
        parent_id=source.parent_id,
        selection=source.selection,
        resolution=source.resolution,
        author=user_names.get(source.author) if source.author else None,
        created_at=source.created_at,
        version=source.version,
        url=source.url,
        markdown=markdown,
    )


def _thread_heading(root: Comment) -> Block:
    title = "Resolved comment" if root.resolution == "resolved" else "Comment"
    if root.selection:
        selection = " ".join(root.selection.split())
        cut = selection[:_SELECTION] + ("…" if len(selection) > _SELECTION else "")
        title = f"{title} on “{cut}”"
    return _heading(1, title)


def _byline(comment: Comment) -> str:
    facts = [comment.author or "unknown user"]
    facts += [f"{comment.created_at:%Y-%m-%d}"] if comment.created_at else []
    return f"**{', '.join(facts)}:**"


def _attachment_chunks(title: str, one: AttachmentText, cut: Cut) -> list[Chunk]:
    attachment = one.attachment
    blocks = [_heading(1, attachment.filename), *map(_deeper, one.blocks)]
    return [
        replace(
            chunk,
            kind=ChunkKind.ATTACHMENT,
            item_id=attachment.attachment_id,
            url=attachment.url,
            anchor="",
            heading_path=chunk.heading_path or (attachment.filename,),
        )
        for chunk in cut.chunks(title, blocks)
    ]


def _with_text(one: AttachmentText) -> Attachment:
    return replace(one.attachment, markdown="\n\n".join(block.markdown for block in one.blocks))


def _heading(level: int, title: str) -> Block:
    return Block("heading", f"{'#' * level} {title}", level, title)


def _as_text(block: Block) -> Block:
    """A heading within a comment does not head what follows the comment."""
    return Block("text", f"**{block.title}**") if block.kind == "heading" else block


def _deeper(block: Block) -> Block:
    """A heading of a file, below the name of the file."""
    if block.kind != "heading":
        return block
    return replace(block, level=min(block.level + 1, _DEEPEST))


def page_language(title: str, markdown: str) -> str:
    """The language of a page's prose; code says nothing about it."""
    prose = _FENCE.sub(" ", markdown[: 4 * _LANGUAGE_SAMPLE])
    return language_of(f"{title}\n{prose[:_LANGUAGE_SAMPLE]}")


def _jira_url(site_url: str, deployment: Deployment) -> str | None:
    """Where Jira's issues are opened, without the key; only Cloud's sites say so."""
    parts = urlsplit(site_url)
    return f"{parts.scheme}://{parts.netloc}/browse" if deployment is Deployment.CLOUD else None
