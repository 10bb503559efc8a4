"""Tool results as text for a model: compact Markdown with page text fenced. Pure."""

from collections.abc import Iterable

from index.language import clean
from server.links import unlinked_quote
from server.results import (
    AnswerCitation,
    AnswerResult,
    AttachmentRef,
    CommentReply,
    CommentThread,
    OutlineEntry,
    PageContent,
    PageCopy,
    PageRef,
    SearchHit,
    SearchResults,
)
from server.texts import NOTICE, fenced, one_line, unforged

HEADINGS = 40  # of the outline, in the text of a page that is shown in part
OLD = 2  # years without a change after which a page says how long that is


def search_text(results: SearchResults) -> str:
    """Hits as a numbered list."""
    if not results.results:
        return "\n".join(["Nothing found.", *map(one_line, results.notes)])
    hits = [_hit(number, hit) for number, hit in enumerate(results.results, start=1)]
    more = f'More pages: call again with cursor="{results.next_cursor}".'
    tail = [more] if results.next_cursor else []
    return "\n\n".join([NOTICE, *hits, *tail, *map(one_line, results.notes)])


def _hit(number: int, hit: SearchHit) -> str:
    facts = [*_kind(hit), f"space {one_line(hit.space_key)}", f"page_id {hit.page_id}"]
    facts += [_age(hit)]
    facts += [f"author {one_line(hit.author)}"] if hit.author else []
    facts += _standing(hit)
    text = [fenced(hit.excerpt)] if hit.excerpt else []
    return "\n".join(
        [
            f"{number}. {_path(hit)} ({', '.join(facts)})",
            one_line(hit.url),
            *_listed("Copies, older or archived", map(_copy, hit.copies)),
            *text,
        ]
    )


def _copy(copy: PageCopy) -> str:
    facts = [f"space {copy.space_key}", f"page_id {copy.page_id}", f"updated {_day(copy)}"]
    return f"{copy.title} ({', '.join([*facts, *_standing(copy)])})"


def _path(item: SearchHit | AnswerCitation) -> str:
    return one_line(" > ".join((item.title, *item.heading_path)))


def _kind(hit: SearchHit) -> list[str]:
    """Where a hit was found, and what it is, unless it is the text of a page."""
    kind = [] if hit.content_type == "page" else [hit.content_type]
    return [*_place(hit), *kind]


def _place(item: SearchHit | AnswerCitation) -> list[str]:
    match item.found_in:
        case "attachment":
            return [f"in attachment {one_line(item.attachment or '')}"]
        case "comment":
            return ["in a comment"]
        case "body":
            return []


def _day(item: SearchHit | PageContent | AnswerCitation | PageCopy) -> str:
    return item.updated_at.date().isoformat()


def _age(item: SearchHit | PageContent | AnswerCitation) -> str:
    """When it was updated, and how long ago that is where it is years."""
    if item.age_years < OLD:
        return f"updated {_day(item)}"
    return f"last updated {_day(item)}, {item.age_years} years ago"


def _standing(item: SearchHit | AnswerCitation | PageCopy) -> list[str]:
    return ["archived"] if item.archived else []


def page_text(page: PageContent) -> str:
    """A page with its facts first and how to read on last."""
    is_part = page.offset > 0 or page.next_offset is not None
    facts = [
        f"# {one_line(page.title)}",
        one_line(page.url),
        *_listed("Attachment", [page.attachment] if page.attachment else ()),
        f"{'' if page.content_type == 'page' else f'{page.content_type}, '}"
        f"space {one_line(page.space_key)}, page_id {page.page_id}, version {page.version}, "
        f"{_age(page)}{f', author {one_line(page.author)}' if page.author else ''}"
        f"{', archived' if page.archived else ''}",
        *_listed("Labels", page.labels),
        *_listed("Under", (f"{ref.title}{_other_kind(ref)}" for ref in page.ancestors)),
        *_listed("Child pages", (_ref(ref) for ref in page.children)),
        *_listed("Attachments", map(_file, page.attachments)),
        *_listed("Not readable", (f"{item.kind} {item.name}" for item in page.unreadable)),
        *_listed("Headings", _headings(page.outline) if is_part else ()),
    ]
    tail = [one_line(note) for note in page.notes]
    if page.next_offset is not None:
        tail.append(
            "There is more: call get_page again with the same arguments and "
            f"offset={page.next_offset}."
        )
    # Behind the end of a page there is nothing of it, only comments.
    text = [fenced(page.markdown.rstrip("\n"))] if page.markdown or not page.comments else []
    return "\n\n".join(["\n".join(facts), NOTICE, *text, *map(_thread, page.comments), *tail])


def _file(attachment: AttachmentRef) -> str:
    reason = f", not readable: {attachment.unreadable}" if attachment.unreadable else ""
    return f"{attachment.filename} ({attachment.media_type}, {_size(attachment.size)}{reason})"


def _size(number: int) -> str:
    if number >= 1_000_000:
        return f"{number / 1_000_000:.1f} MB"
    return f"{number / 1_000:.0f} kB" if number >= 1_000 else f"{number} bytes"


def _thread(thread: CommentThread) -> str:
    """A comment with its answers, each in tags of its own: nobody can speak as another."""
    facts = [f"on “{one_line(thread.selection)}”"] if thread.selection else []
    facts += [one_line(thread.resolution)] if thread.resolution else []
    replies = [_comment("Reply", reply, []) for reply in thread.replies]
    return "\n".join([_comment("Comment", thread, facts), *replies])


def _comment(what: str, comment: CommentReply, facts: list[str]) -> str:
    who = [f"by {one_line(comment.author)}"] if comment.author else []
    when = [comment.created_at.date().isoformat()] if comment.created_at else []
    head = ", ".join([" ".join([what, *who]), *when, *facts])
    return f"{head}\n{one_line(comment.url)}\n{fenced(comment.markdown.strip())}"


def _headings(outline: list[OutlineEntry]) -> list[str]:
    """Titles of the headings, the deepest levels left out while there are too many."""
    level = 6
    while level > 1 and sum(entry.level <= level for entry in outline) > HEADINGS:
        level -= 1
    return [entry.title for entry in outline if entry.level <= level][:HEADINGS]


def _ref(ref: PageRef) -> str:
    return f"{ref.title} ({ref.page_id}){_other_kind(ref)}"


def _other_kind(ref: PageRef) -> str:
    return "" if ref.content_type in ("page", "blogpost") else f" [{ref.content_type}]"


def _listed(name: str, items: Iterable[str]) -> list[str]:
    text = "; ".join(map(one_line, items))
    return [f"{name}: {text}"] if text else []


def answer_text(answer: AnswerResult) -> str:
    """The answer, then its sources with their quotes."""
    head = {
        "answered": unforged(answer.answer),
        "not_found": "The wiki does not answer this.",
        "passages_only": "The passages that fit best:",
    }[answer.status]
    sources = [
        f"[{c.n}] {_source(c)}\n{one_line(c.url)}\n{fenced(c.quote)}" for c in answer.citations
    ]
    nearest = _listed("Nearest pages", (unlinked_quote(_ref(one)) for one in answer.nearest))
    notice = [NOTICE] if sources or nearest else []
    return "\n\n".join([head, *notice, *sources, *nearest, *map(one_line, answer.notes)])


def _source(citation: AnswerCitation) -> str:
    """What a citation is of; its names may be made to look like links."""
    facts = [*_place(citation), f"page_id {citation.page_id}", _age(citation)]
    return unlinked_quote(f"{_path(citation)} ({', '.join([*facts, *_standing(citation)])})")


def answer_for_person(answer: AnswerResult) -> str:
    """The answer for a terminal: no tags, sources indented under their numbers."""
    sources = [
        f"[{c.n}] {_path(c)} ({', '.join([*_place(c), c.space_key, _day(c), *_standing(c)])})\n"
        f"    {c.url}\n" + "\n".join(f"    | {line}" for line in clean(c.quote).splitlines())
        for c in answer.citations
    ]
    head = clean(answer.answer) or "\n".join(answer.notes) or "The wiki does not answer this."
    return "\n\n".join([head, *sources, *_listed("Nearest pages", map(_ref, answer.nearest))])
