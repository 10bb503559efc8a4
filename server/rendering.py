"""Tool results as text for a model: compact Markdown with page text fenced. Pure."""

from collections.abc import Iterable

from server.results import AnswerResult, PageContent, PageRef, SearchHit, SearchResults
from server.texts import NOTICE, fenced


def search_text(results: SearchResults) -> str:
    """Hits as a numbered list."""
    if not results.results:
        return "\n".join(["Nothing found.", *results.notes])
    hits = [_hit(number, hit) for number, hit in enumerate(results.results, start=1)]
    more = f'More pages: call again with cursor="{results.next_cursor}".'
    tail = [more] if results.next_cursor else []
    return "\n\n".join([NOTICE, *hits, *tail, *results.notes])


def _hit(number: int, hit: SearchHit) -> str:
    path = " > ".join((hit.title, *hit.heading_path))
    facts = [f"space {hit.space_key}", f"page_id {hit.page_id}", f"updated {_day(hit)}"]
    facts += [f"by {hit.author}"] if hit.author else []
    facts += ["archived"] if hit.archived else []
    return f"{number}. {path} ({', '.join(facts)})\n{hit.url}\n{fenced(hit.excerpt)}"


def _day(item: SearchHit | PageContent) -> str:
    return item.updated_at.date().isoformat()


def page_text(page: PageContent) -> str:
    """A page with its facts first and how to read on last."""
    facts = [
        f"# {page.title}",
        f"{page.url}",
        f"space {page.space_key}, page_id {page.page_id}, version {page.version}, "
        f"updated {_day(page)}{f' by {page.author}' if page.author else ''}"
        f"{', archived' if page.archived else ''}",
        *_listed("Labels", page.labels),
        *_listed("Under", (ref.title for ref in page.ancestors)),
        *_listed("Child pages", (_ref(ref) for ref in page.children)),
        *_listed("Not readable", (f"{item.kind} {item.name}" for item in page.unreadable)),
    ]
    tail = list(page.notes)
    if page.next_offset is not None:
        tail.append(f"The page goes on: call get_page again with offset={page.next_offset}.")
    return "\n\n".join(["\n".join(facts), NOTICE, fenced(page.markdown), *tail])


def _ref(ref: PageRef) -> str:
    return f"{ref.title} ({ref.page_id})"


def _listed(name: str, items: Iterable[str]) -> list[str]:
    text = "; ".join(items)
    return [f"{name}: {text}"] if text else []


def answer_text(answer: AnswerResult) -> str:
    """The answer, then its sources with their quotes."""
    head = {
        "answered": answer.answer,
        "not_found": "The wiki does not answer this.",
        "passages_only": "The passages that fit best:",
    }[answer.status]
    sources = [
        f"[{c.n}] {' > '.join((c.title, *c.heading_path))} "
        f"(updated {c.updated_at.date().isoformat()})\n{c.url}\n{fenced(c.quote)}"
        for c in answer.citations
    ]
    nearest = _listed("Nearest pages", (_ref(ref) for ref in answer.nearest))
    notice = [NOTICE] if sources else []
    return "\n\n".join([head, *notice, *sources, *nearest, *answer.notes])


def answer_for_person(answer: AnswerResult) -> str:
    """The answer for a terminal: no tags, sources indented under their numbers."""
    sources = [
        f"[{c.n}] {' > '.join((c.title, *c.heading_path))} ({c.space_key}, "
        f"{c.updated_at.date().isoformat()})\n    {c.url}\n"
        + "\n".join(f"    | {line}" for line in c.quote.splitlines())
        for c in answer.citations
    ]
    head = answer.answer or "\n".join(answer.notes) or "The wiki does not answer this."
    return "\n\n".join([head, *sources, *_listed("Nearest pages", map(_ref, answer.nearest))])
