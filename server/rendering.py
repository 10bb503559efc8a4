"""Tool results as text for a model: compact Markdown with page text fenced. Pure."""

from collections.abc import Iterable

from index.language import clean
from server.results import (
    AnswerCitation,
    AnswerResult,
    OutlineEntry,
    PageContent,
    PageRef,
    SearchHit,
    SearchResults,
)
from server.texts import NOTICE, fenced, one_line

HEADINGS = 40  # of the outline, in the text of a page that is shown in part


def search_text(results: SearchResults) -> str:
    """Hits as a numbered list."""
    if not results.results:
        return "\n".join(["Nothing found.", *results.notes])
    hits = [_hit(number, hit) for number, hit in enumerate(results.results, start=1)]
    more = f'More pages: call again with cursor="{results.next_cursor}".'
    tail = [more] if results.next_cursor else []
    return "\n\n".join([NOTICE, *hits, *tail, *results.notes])


def _hit(number: int, hit: SearchHit) -> str:
    facts = [f"space {hit.space_key}", f"page_id {hit.page_id}", f"updated {_day(hit)}"]
    facts += [f"author {one_line(hit.author)}"] if hit.author else []
    facts += ["archived"] if hit.archived else []
    return (
        f"{number}. {_path(hit)} ({', '.join(facts)})\n{one_line(hit.url)}\n{fenced(hit.excerpt)}"
    )


def _path(item: SearchHit | AnswerCitation) -> str:
    return one_line(" > ".join((item.title, *item.heading_path)))


def _day(item: SearchHit | PageContent | AnswerCitation) -> str:
    return item.updated_at.date().isoformat()


def page_text(page: PageContent) -> str:
    """A page with its facts first and how to read on last."""
    is_part = page.offset > 0 or page.next_offset is not None
    facts = [
        f"# {one_line(page.title)}",
        one_line(page.url),
        f"space {page.space_key}, page_id {page.page_id}, version {page.version}, "
        f"updated {_day(page)}{f', author {one_line(page.author)}' if page.author else ''}"
        f"{', archived' if page.archived else ''}",
        *_listed("Labels", page.labels),
        *_listed("Under", (ref.title for ref in page.ancestors)),
        *_listed("Child pages", (_ref(ref) for ref in page.children)),
        *_listed("Not readable", (f"{item.kind} {item.name}" for item in page.unreadable)),
        *_listed("Headings", _headings(page.outline) if is_part else ()),
    ]
    tail = list(page.notes)
    if page.next_offset is not None:
        tail.append(
            "There is more: call get_page again with the same arguments and "
            f"offset={page.next_offset}."
        )
    return "\n\n".join(["\n".join(facts), NOTICE, fenced(page.markdown.rstrip("\n")), *tail])


def _headings(outline: list[OutlineEntry]) -> list[str]:
    """Titles of the headings, the deepest levels left out while there are too many."""
    level = 6
    while level > 1 and sum(entry.level <= level for entry in outline) > HEADINGS:
        level -= 1
    return [entry.title for entry in outline if entry.level <= level][:HEADINGS]


def _ref(ref: PageRef) -> str:
    return f"{ref.title} ({ref.page_id})"


def _listed(name: str, items: Iterable[str]) -> list[str]:
    text = "; ".join(map(one_line, items))
    return [f"{name}: {text}"] if text else []


def answer_text(answer: AnswerResult) -> str:
    """The answer, then its sources with their quotes."""
    head = {
        "answered": answer.answer,
        "not_found": "The wiki does not answer this.",
        "passages_only": "The passages that fit best:",
    }[answer.status]
    sources = [
        f"[{c.n}] {_path(c)} (page_id {c.page_id}, updated {_day(c)})\n"
        f"{one_line(c.url)}\n{fenced(c.quote)}"
        for c in answer.citations
    ]
    nearest = _listed("Nearest pages", map(_ref, answer.nearest))
    notice = [NOTICE] if sources or nearest else []
    return "\n\n".join([head, *notice, *sources, *nearest, *answer.notes])


def answer_for_person(answer: AnswerResult) -> str:
    """The answer for a terminal: no tags, sources indented under their numbers."""
    sources = [
        f"[{c.n}] {_path(c)} ({c.space_key}, {_day(c)})\n    {c.url}\n"
        + "\n".join(f"    | {line}" for line in clean(c.quote).splitlines())
        for c in answer.citations
    ]
    head = answer.answer or "\n".join(answer.notes) or "The wiki does not answer this."
    return "\n\n".join([head, *sources, *_listed("Nearest pages", map(_ref, answer.nearest))])
