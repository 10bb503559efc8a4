"""From what the index gives to what goes over the wire. Pure."""

from index.records import State
from index.results import Hit, PageLink, StoredPage
from server.proving import Answer, Citation
from server.results import (
    AnswerCitation,
    AnswerResult,
    OutlineEntry,
    PageContent,
    PageRef,
    SearchHit,
    Unread,
)
from server.texts import excerpt, slice_markdown

EXCERPT = 600  # characters
# A page with very much of these still makes a result that clients do not cut.
OUTLINE, CHILDREN, UNREADABLE = 120, 50, 30


def search_hit(hit: Hit, query: str) -> SearchHit:
    """A hit with the stretch of its best passage that shares most words with the query."""
    page, passage = hit.page, hit.passages[0]
    return SearchHit(
        page_id=page.page_id,
        title=page.title,
        url=passage.url,
        space_key=page.space_key,
        content_type=page.content_type,
        heading_path=list(passage.heading_path),
        excerpt=excerpt(passage.body, query, EXCERPT),
        score=round(hit.score, 3),
        version=page.version,
        updated_at=page.updated_at,
        author=page.author,
        archived=page.state is State.ARCHIVED,
    )


def page_content(
    page: StoredPage, bounds: tuple[int, int], offset: int, max_tokens: int
) -> PageContent:
    """The part of a page within `bounds` from `offset` on, of at most `max_tokens`."""
    end = bounds[1]
    start = min(max(bounds[0], offset), end)
    markdown, following = slice_markdown(page.markdown[:end], start, max_tokens)
    info = page.info
    return PageContent(
        page_id=info.page_id,
        title=info.title,
        url=info.url,
        space_key=info.space_key,
        content_type=info.content_type,
        version=info.version,
        updated_at=info.updated_at,
        created_at=page.created_at,
        author=info.author,
        archived=info.state is State.ARCHIVED,
        labels=list(page.labels),
        ancestors=[_ref(link) for link in page.ancestors],
        children=[_ref(link) for link in page.children[:CHILDREN]],
        outline=[
            OutlineEntry(level=heading.level, title=heading.title, offset=heading.offset)
            for heading in page.outline[:OUTLINE]
        ],
        markdown=markdown,
        offset=start,
        next_offset=following,
        unreadable=[
            Unread(kind=item.kind, name=item.name, reason=item.reason)
            for item in page.unreadable[:UNREADABLE]
        ],
        notes=_notes(page, is_beyond=0 < end < offset),
    )


def _notes(page: StoredPage, *, is_beyond: bool) -> list[str]:
    notes = ["The offset is beyond the end: begin with offset=0."] if is_beyond else []
    shown = {
        "headings": (OUTLINE, len(page.outline)),
        "child pages": (CHILDREN, len(page.children)),
        "unreadable things": (UNREADABLE, len(page.unreadable)),
    }
    notes += [
        f"{some} of {all_} {what} are listed."
        for what, (some, all_) in shown.items()
        if all_ > some
    ]
    if len(page.children) > CHILDREN:
        notes.append(f"Search below this page with ancestor={page.info.page_id!r}.")
    return notes


def answer_result(answer: Answer) -> AnswerResult:
    """An answer with its citations."""
    return AnswerResult(
        status=answer.status.value,
        answer=answer.text,
        citations=[_citation(citation) for citation in answer.citations],
        nearest=[
            PageRef(page_id=hit.page.page_id, title=hit.page.title, url=hit.passages[0].url)
            for hit in answer.nearest
        ],
        notes=list(answer.notes),
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )


def _citation(citation: Citation) -> AnswerCitation:
    page, passage = citation.hit.page, citation.passage
    return AnswerCitation(
        n=citation.n,
        page_id=page.page_id,
        title=page.title,
        url=passage.url,
        space_key=page.space_key,
        heading_path=list(passage.heading_path),
        quote=citation.quote,
        version=page.version,
        updated_at=page.updated_at,
    )


def _ref(link: PageLink) -> PageRef:
    return PageRef(page_id=link.page_id, title=link.title, url=link.url)
