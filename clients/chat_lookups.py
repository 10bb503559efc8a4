"""A tool call in words for the reader, and its result in words for the chat model."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from chat_filters import NO_FILTERS, ChatFilters
from chat_results import (
    ANSWER,
    READ,
    SEARCH,
    Answered,
    Attached,
    Found,
    PageName,
    Passage,
    Reply,
    Thread,
    WholePage,
)
from chat_sources import Source, Sources, link_to, renumbered

EXCERPT_CHARACTERS = 3_000
RESULT_CHARACTERS = 60_000
NOT_FOUND = "not_found"
FORGED_TAG = re.compile(r"<(?=[\s/]*page-text)", re.IGNORECASE)
SHOWN_CHARACTERS = 200
CUT = "\n(The rest was left out. Ask for a section, or for fewer results.)"


# Takes what a server says while it works, in words for people.
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from a tool: `structured` is its result, `text` the same for reading."""

    structured: Mapping[str, object] | None
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class LookUp:
    """A look-up that was made: what the model reads, and what the reader sees of it."""

    title: str
    for_model: str
    for_reader: str
    sources: tuple[Source, ...] = ()
    failed: bool = False


def title_of_call(
    tool: str, arguments: Mapping[str, object], sources: Sources, filters: ChatFilters = NO_FILTERS
) -> str:
    """What is being looked up, such as `Searching for “vacation carry-over” in PEOPLE`."""
    within = f" {filters.in_words()}" if filters else ""
    if tool == SEARCH:
        return f"Searching for “{_argument(arguments, 'query')}”{within}"
    if tool == READ:
        return f"Reading “{_page_asked_for(arguments, sources)}”"
    if tool == ANSWER:
        return f"Looking for the answer to “{_argument(arguments, 'question')}”{within}"
    return tool


def title_of_progress(said: str) -> str:
    """What a server says while it works, as a title; empty if it says nothing."""
    words = " ".join(said.split())
    return words if len(words) <= SHOWN_CHARACTERS else words[: SHOWN_CHARACTERS - 1] + "…"


def look_up(
    tool: str,
    arguments: Mapping[str, object],
    outcome: Outcome,
    sources: Sources,
    filters: ChatFilters = NO_FILTERS,
) -> LookUp:
    """Numbers what a tool returned and puts it into words."""
    title = title_of_call(tool, arguments, sources, filters)
    if outcome.is_error:
        reason = outcome.text.removeprefix(f"Error executing tool {tool}: ")
        return _failed(title, reason)
    try:
        if outcome.structured is not None and tool == SEARCH:
            return _searched(title, Found.model_validate(outcome.structured), sources)
        if outcome.structured is not None and tool == READ:
            page = WholePage.model_validate(outcome.structured)
            refusal = filters.refusal_of(tool, page)
            return _failed(title, refusal) if refusal else _read(page, sources)
        if outcome.structured is not None and tool == ANSWER:
            return _answered(title, Answered.model_validate(outcome.structured), sources)
    except ValidationError:
        # A server of another version: its text still serves the model, only without sources.
        pass
    return LookUp(title, _bounded(_page_text(outcome.text)), "")


def _failed(title: str, reason: str) -> LookUp:
    return LookUp(f"{title}: failed", f"The tool failed: {reason}", reason, failed=True)


def _searched(title: str, found: Found, sources: Sources) -> LookUp:
    numbered = [sources.add(hit) for hit in found.results]
    parts = [_for_model(source) for source in numbered]
    parts.extend(f"Note: {note}" for note in found.notes)
    if found.next_cursor:
        parts.append(f"There is more: call again with cursor={found.next_cursor!r}.")
    if not numbered:
        parts.insert(0, "Nothing was found.")
    title = f"{title}: {_counted(numbered, 'passage')}"
    return LookUp(title, _bounded("\n\n".join(parts)), _for_reader(numbered), tuple(numbered))


def _read(page: WholePage, sources: Sources) -> LookUp:
    source = sources.add(page)
    parts = [_head(source)]
    if page.outline:
        parts.append("Headings: " + " / ".join(line.title for line in page.outline))
    if page.children:
        parts.append("Child pages: " + _named(page.children))
    if page.attachments:
        parts.append("Attachments: " + "; ".join(map(_attached, page.attachments)))
    if page.text or not page.comments:
        parts.append(_page_text(page.text))
    parts.extend(map(_thread, page.comments))
    parts.extend(f"Not readable: {u.kind} {u.name}: {u.reason}" for u in page.unreadable)
    parts.extend(page.notes)
    if page.next_offset is not None:
        parts.append(f"The page goes on: call again with offset={page.next_offset}.")
    text = _bounded("\n\n".join(parts))
    return LookUp(f"Read “{source.place}”", text, _for_reader([source]), (source,))


def _answered(title: str, answered: Answered, sources: Sources) -> LookUp:
    mine = {citation.n: sources.add(citation) for citation in answered.citations}
    numbered = list(dict.fromkeys(mine.values()))
    parts = [f"Status: {answered.status or 'answered'}"]
    if answered.answer:
        numbers = {n: source.number for n, source in mine.items()}
        parts.append(_page_text(renumbered(answered.answer, numbers)))
    parts.extend(_for_model(source) for source in numbered)
    if answered.nearest:
        parts.append("Nearest pages: " + _named(answered.nearest))
    parts.extend(answered.notes)
    if answered.status == NOT_FOUND:
        title += ": the wiki does not say"
    else:
        found = "quote" if answered.answer else "passage"
        title += f": {_counted(numbered, found)}"
    return LookUp(title, _bounded("\n\n".join(parts)), _for_reader(numbered), tuple(numbered))


def _named(pages: tuple[PageName, ...]) -> str:
    return "; ".join(f"{page.title} (page {page.page_id})" for page in pages)


def _attached(file: Attached) -> str:
    return (
        f"{file.filename} (not readable: {file.unreadable})" if file.unreadable else file.filename
    )


def _thread(thread: Thread) -> str:
    """A comment with its answers, each in a frame of its own: nobody can speak as another."""
    about = f' on "{thread.selection}"' if thread.selection else ""
    state = f" ({thread.resolution})" if thread.resolution else ""
    replies = [_said("Reply", reply, "") for reply in thread.replies]
    return "\n".join([_said("Comment", thread, about + state), *replies])


def _said(what: str, reply: Reply, about: str) -> str:
    facts = ", ".join(fact for fact in (reply.author, reply.created_at) if fact)
    head = " ".join(f"{what} by {facts}{about}".split())
    return f"{FORGED_TAG.sub('&lt;', head)}\n{_page_text(reply.text)}"


def _for_model(source: Source) -> str:
    text = source.passage.text
    if len(text) > EXCERPT_CHARACTERS:
        text = text[:EXCERPT_CHARACTERS] + " …"
    return f"{_head(source)}\n{_page_text(text)}"


def _head(source: Source) -> str:
    passage: Passage = source.passage
    facts = (
        f"page {passage.page_id}" if passage.page_id else "",
        f"space {passage.space_key}" if passage.space_key else "",
        f"updated {passage.updated_at}" if passage.updated_at else "",
        "archived" if passage.archived else "",
    )
    known = ", ".join(fact for fact in facts if fact)
    return f"{source.marker} {source.place} ({known})\n{passage.url}"


def _page_text(text: str) -> str:
    # A page that closes the tag itself would have its next words read as ours.
    return f"<page-text>\n{FORGED_TAG.sub('&lt;', text)}\n</page-text>"


def _bounded(text: str) -> str:
    if len(text) <= RESULT_CHARACTERS:
        return text
    return text[:RESULT_CHARACTERS] + "\n</page-text>" + CUT


def _for_reader(sources: list[Source]) -> str:
    if not sources:
        return "Nothing was found."
    return "\n".join(f"- {s.number}: {link_to(s.passage, s.place)}" for s in sources)


def _counted(sources: list[Source], name: str) -> str:
    match len(sources):
        case 0:
            return "nothing found"
        case 1:
            return f"1 {name}"
        case several:
            return f"{several} {name}s"


def _page_asked_for(arguments: Mapping[str, object], sources: Sources) -> str:
    page = _argument(arguments, "page")
    parts = (
        sources.title_of(page) or _page_name(page),
        _argument(arguments, "attachment"),
        _argument(arguments, "section"),
    )
    return " › ".join(part for part in parts if part)


def _argument(arguments: Mapping[str, object], name: str) -> str:
    words = " ".join(str(arguments.get(name) or "").split())
    return words if len(words) <= 80 else words[:79] + "…"


def _page_name(page: str) -> str:
    """The title within `KEY:Title`; an id or an address as it is."""
    if page.isdigit():
        return f"page {page}"
    return page if "://" in page else page.rpartition(":")[2]
