"""From what the index gives to what goes over the wire."""

from collections.abc import Sequence
from datetime import UTC, datetime

from index.records import Attachment, State
from index.results import Hit, PageInfo, PageLink, StoredPage
from server.comments import Talk, fitting, threads
from server.proving import Answer, Citation
from server.results import (
    AnswerCitation,
    AnswerResult,
    AttachmentRef,
    OutlineEntry,
    PageContent,
    PageCopy,
    PageRef,
    SearchHit,
    Unread,
)
from server.texts import estimated_tokens, excerpt, slice_markdown

EXCERPT = 600  # characters
# A page with very much of these still makes a result that clients do not cut.
OUTLINE, CHILDREN, UNREADABLE, ATTACHMENTS = 120, 50, 30, 30
COPIES = 5


def search_hit(hit: Hit, query: str) -> SearchHit:
    """A hit with the stretch of its best passage that shares most words with the query."""
    page, passage = hit.page, hit.passages[0]
    return SearchHit(
        page_id=page.page_id,
        title=page.title,
        url=passage.url,
        space_key=page.space_key,
        content_type=page.content_type,
        found_in=passage.kind.value,
        attachment=passage.attachment,
        heading_path=list(passage.heading_path),
        excerpt=excerpt(passage.body, query, EXCERPT),
        score=round(hit.score, 3),
        version=page.version,
        updated_at=page.updated_at,
        author=page.author,
        archived=page.state is State.ARCHIVED,
        age_years=_age_years(page),
        copies=[_copy(other) for other in hit.copies[:COPIES]],
    )


def copies_note(hits: Sequence[Hit]) -> list[str]:
    """Says so where not all copies of a page are listed."""
    left = [hit for hit in hits if len(hit.copies) > COPIES]
    return [
        f"{COPIES} of {len(hit.copies)} copies of page {hit.page.page_id} are listed."
        for hit in left
    ]


def _copy(page: PageInfo) -> PageCopy:
    return PageCopy(
        page_id=page.page_id,
        title=page.title,
        url=page.url,
        space_key=page.space_key,
        updated_at=page.updated_at,
        archived=page.state is State.ARCHIVED,
    )


def _age_years(page: PageInfo) -> int:
    """Whole years since the page was changed."""
    then, now = page.updated_at.astimezone(UTC), datetime.now(UTC)
    has_had_its_day = (now.month, now.day) >= (then.month, then.day)
    return max(0, now.year - then.year - (not has_had_its_day))


def page_content(
    page: StoredPage, bounds: tuple[int, int], offset: int, max_tokens: int
) -> PageContent:
    """The part of a page within `bounds` from `offset` on, of at most `max_tokens`.

    Behind the end of a whole page come its comments: offsets there count threads.
    """
    end = bounds[1]
    start = min(max(bounds[0], offset), end)
    markdown, following = slice_markdown(page.markdown[:end], start, max_tokens)
    behind = max(0, offset - end)
    is_end = following is None and bounds == (0, len(page.markdown))
    talk = _talk(page, behind, markdown, max_tokens) if is_end else Talk()
    if talk.following is not None:
        following = end + talk.following
    content = _part(page, page.info.url, markdown, start + behind, following)
    content.outline = [
        OutlineEntry(level=heading.level, title=heading.title, offset=heading.offset)
        for heading in page.outline[:OUTLINE]
    ]
    content.children = [_ref(link) for link in page.children[:CHILDREN]]
    content.comments = list(talk.threads)
    content.attachments = [_attachment(one) for one in page.attachments[:ATTACHMENTS]]
    unreadable = _unreadable(page)
    content.unreadable = unreadable[:UNREADABLE]
    if behind and end and not talk.threads:
        content.notes.append("The offset is beyond the end: begin with offset=0.")
    content.notes += _notes(page, len(unreadable), talk)
    return content


def page_beginning(page: StoredPage, max_tokens: int) -> PageContent:
    """The first part of a page for somebody who has not called get_page."""
    content = page_content(page, (0, len(page.markdown)), 0, max_tokens)
    if content.next_offset is not None:
        content.notes.append(
            f"This is the beginning: get_page(page={content.page_id!r}, "
            f"offset={content.next_offset}) reads on."
        )
        content.next_offset = None
    return content


def attachment_content(
    page: StoredPage, attachment: Attachment, offset: int, max_tokens: int
) -> PageContent:
    """The part of an attachment's text from `offset` on, of at most `max_tokens`."""
    start = min(offset, len(attachment.markdown))
    markdown, following = slice_markdown(attachment.markdown, start, max_tokens)
    content = _part(page, attachment.url, markdown, start, following)
    content.attachment = attachment.filename
    if attachment.unreadable is not None:
        content.notes.append(f"Not all of the file is here: {attachment.unreadable.rstrip('.')}.")
    if start < offset:
        content.notes.append("The offset is beyond the end: begin with offset=0.")
    return content


def _part(
    page: StoredPage, url: str, markdown: str, offset: int, following: int | None
) -> PageContent:
    info = page.info
    return PageContent(
        page_id=info.page_id,
        title=info.title,
        url=url,
        space_key=info.space_key,
        content_type=info.content_type,
        version=info.version,
        updated_at=info.updated_at,
        created_at=page.created_at,
        author=info.author,
        archived=info.state is State.ARCHIVED,
        age_years=_age_years(info),
        labels=list(page.labels),
        ancestors=[_ref(link) for link in page.ancestors],
        markdown=markdown,
        offset=offset,
        next_offset=following,
    )


def _talk(page: StoredPage, first: int, markdown: str, max_tokens: int) -> Talk:
    """Threads in what the page's own text leaves of a part; one at least where it has none."""
    room = max_tokens - estimated_tokens(markdown)
    return fitting(threads(page.comments), first, room, at_least=0 if markdown else 1)


def _attachment(attachment: Attachment) -> AttachmentRef:
    return AttachmentRef(
        filename=attachment.filename,
        media_type=attachment.media_type,
        size=attachment.size,
        url=attachment.url,
        unreadable=attachment.unreadable,
    )


def _unreadable(page: StoredPage) -> list[Unread]:
    """What of the page cannot be read, files that hang on it included.

    Where the body names such a file, the file itself knows better whether it was read.
    """
    files = {one.filename for one in page.attachments}
    found = [
        Unread(kind=one.kind, name=one.name, reason=one.reason)
        for one in page.unreadable
        if one.kind != "attachment" or one.name not in files
    ]
    return found + [
        Unread(kind="attachment", name=one.filename, reason=one.unreadable)
        for one in page.attachments
        if one.unreadable is not None
    ]


def _notes(page: StoredPage, unreadable: int, talk: Talk) -> list[str]:
    shown = {
        "headings": (OUTLINE, len(page.outline)),
        "child pages": (CHILDREN, len(page.children)),
        "attachments": (ATTACHMENTS, len(page.attachments)),
        "unreadable things": (UNREADABLE, unreadable),
    }
    notes = [
        f"{some} of {all_} {what} are listed."
        for what, (some, all_) in shown.items()
        if all_ > some
    ]
    if len(page.children) > CHILDREN:
        notes.append(f"Search below this page with ancestor={page.info.page_id!r}.")
    if not page.info.content_type.has_body:
        notes.append(f"This {page.info.content_type} has no text here, only its title and place.")
    if talk.is_cut:
        notes.append("Long comments, and threads of many replies, are cut: their URLs open them.")
    return notes


def answer_result(answer: Answer) -> AnswerResult:
    """An answer with its citations."""
    return AnswerResult(
        status=answer.status.value,
        answer=answer.text,
        citations=[_citation(citation) for citation in answer.citations],
        nearest=[
            PageRef(
                page_id=hit.page.page_id,
                title=hit.page.title,
                url=hit.passages[0].url,
                content_type=hit.page.content_type,
            )
            for hit in answer.nearest
        ],
        notes=list(answer.notes),
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        seconds_searching=answer.seconds_searching,
        seconds_answering=answer.seconds_answering,
    )


def _citation(citation: Citation) -> AnswerCitation:
    page, passage = citation.hit.page, citation.passage
    return AnswerCitation(
        n=citation.n,
        page_id=page.page_id,
        title=page.title,
        url=passage.url,
        space_key=page.space_key,
        found_in=passage.kind.value,
        attachment=passage.attachment,
        heading_path=list(passage.heading_path),
        quote=citation.quote,
        version=page.version,
        updated_at=page.updated_at,
        archived=page.state is State.ARCHIVED,
        age_years=_age_years(page),
    )


def _ref(link: PageLink) -> PageRef:
    return PageRef(
        page_id=link.page_id, title=link.title, url=link.url, content_type=link.content_type
    )
