"""Prompts that a person picks in their client; what the wiki has for them is in them already.

A prompt that only told a model which tools to call would cost a round for each of them, and some
clients run prompts without tools. So each brings the first passages or lists, bounded and fenced,
and names the tool to go on with.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Annotated

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import Field

from index.catalogue import Change
from index.errors import BadRequest, NotFound
from index.records import Space
from index.results import Filters, Hit, PageInfo, StoredPage
from server.calls import Call, one_call
from server.deps import Deps
from server.explaining import explained
from server.icons import ANSWER_ICON, CHANGES_ICON, COMPARE_ICON, OWNER_ICON
from server.listings import authors_text, changes_text
from server.named_pages import named_page
from server.references import page_reference
from server.rendering import page_text, search_text
from server.results import SearchResults
from server.texts import NOTICE, one_line
from server.wire import page_beginning, search_hit

GET = "prompts/get"
LISTED = 60  # changed pages
HITS = 6
COMPARED = 6_000  # tokens of each of two pages
LONGEST = 300  # characters of a topic
# In the words that are suggested.
PERIODS: Mapping[str, int] = MappingProxyType(
    {"7 days": 7, "14 days": 14, "30 days": 30, "90 days": 90, "365 days": 365}
)
STYLE = "Cite each page by title and URL. Answer in the language of our conversation."

SpaceKey = Annotated[str, Field(description="Key of the space, such as ENG.")]
OneSpace = Annotated[str, Field(description="Key of the only space to look in; empty: all.")]
Since = Annotated[str, Field(description="A day, 2026-01-31, or a span, 30 days; 7 days if empty.")]
OnePage = Annotated[str, Field(description="KEY:Title (ENG:VPN), page id or address.")]
Topic = Annotated[str, Field(description="A topic, system, process or title, in any language.")]


def register_prompts(mcp: MCPServer[Deps]) -> None:
    """Puts the prompts on the server."""
    mcp.prompt(
        title="What changed in a space",
        description="Summarises what changed in a Confluence space since a date.",
        icons=[CHANGES_ICON],
    )(space_changes)
    mcp.prompt(
        title="Compare two pages",
        description="Tells where two Confluence pages agree, differ and contradict each other.",
        icons=[COMPARE_ICON],
    )(compare_pages)
    mcp.prompt(
        title="Brief me on a topic",
        description="A one-page briefing on what Confluence says about a topic.",
        icons=[ANSWER_ICON],
    )(brief_me)
    mcp.prompt(
        title="Find the owner",
        description="Finds who owns, or knows most about, a system, process or topic.",
        icons=[OWNER_ICON],
    )(find_owner)


async def space_changes(ctx: Context[Deps], space: SpaceKey, since: Since = "") -> str:
    """The pages of a space that changed, with what to make of them."""
    deps = ctx.request_context.lifespan_context
    async with _prompt_call(deps, f"{space} {since}") as call:
        begin = begin_of(since, datetime.now(UTC))
        there = await deps.catalogue.space(call.asker, space)
        changes = await deps.catalogue.changed(
            call.asker, space_key=there.key, since=begin, limit=LISTED + 1
        )
        call.gives(change.page.page_id for change in changes[:LISTED])
        return _changes(there, begin, changes, call)


def _changes(space: Space, begin: datetime, changes: Sequence[Change], call: Call) -> str:
    name = f"the Confluence space {one_line(space.name)} ({one_line(space.key)})"
    day = begin.date().isoformat()
    if not changes:
        return _joined(
            f"Tell me that no page that I may read has changed in {name} since {day}, and ask "
            "whether I want to look further back.",
            *call.notes,
        )
    more = "the newest are listed, there are more" if len(changes) > LISTED else "newest first"
    return _joined(
        f"Summarise for me what changed in {name} since {day}.",
        f"{min(len(changes), LISTED)} pages ({more}). Each is named with whoever changed it last.",
        NOTICE,
        changes_text(changes[:LISTED], begin),
        "Read with get_page those that seem to matter most, ten at first. They say what holds now, "
        "not what was edited: do not guess what a page said before. Then group by subject, put "
        "first what concerns most people, tell new pages from changed ones, and say which you "
        f"have not read. {STYLE}",
        *call.notes,
    )


async def compare_pages(ctx: Context[Deps], first: OnePage, second: OnePage) -> str:
    """Two pages with what to compare in them."""
    deps = ctx.request_context.lifespan_context
    async with _prompt_call(deps, f"{first} {second}") as call:
        pages = [
            await named_page(deps.pages, call, page_reference(name)) for name in (first, second)
        ]
        if pages[0].info.page_id == pages[1].info.page_id:
            raise BadRequest(f"Both are the same page, {pages[0].info.title!r}: name two.")
        call.gives(page.info.page_id for page in pages)
        return _joined(
            "Compare these two Confluence pages for me.",
            *(f"Page {n}\n\n{_beginning(page)}" for n, page in enumerate(pages, start=1)),
            "Say in one sentence how they relate. Then list what both say, what only one of them "
            "says, and what contradicts; of a contradiction give both wordings and both dates. "
            f"End with which one to rely on, and why, or that this cannot be told. {STYLE}",
            *call.notes,
        )


def _beginning(page: StoredPage) -> str:
    content = page_beginning(page, COMPARED)
    content.children, content.attachments, content.comments = [], [], []
    return page_text(content)


async def brief_me(ctx: Context[Deps], topic: Topic, space: OneSpace = "") -> str:
    """The best passages on a topic with what a briefing should have."""
    deps = ctx.request_context.lifespan_context
    async with _prompt_call(deps, topic) as call:
        found = await _found(deps, call, [topic], space)
        return _joined(
            f"Brief me on “{_said(topic)}” from our Confluence{_in(space)}, on one page.",
            search_text(found.results),
            "Read with get_page the two or three pages that matter most, and search_confluence "
            "again where something is missing. Then give: what it is, in two sentences; what "
            "holds today; what was decided, and when; who is responsible; open questions and "
            f"contradictions; what to read first. Say what the wiki does not tell. {STYLE}",
            *call.notes,
        )


async def find_owner(ctx: Context[Deps], topic: Topic, space: OneSpace = "") -> str:
    """Passages that may name an owner, and who writes about it."""
    deps = ctx.request_context.lifespan_context
    async with _prompt_call(deps, topic) as call:
        asked = f"Who owns {topic}? Responsible team, contact, maintainer, on call"
        found = await _found(deps, call, [topic, asked], space)
        authors = authors_text(found.pages)
        return _joined(
            f"Find out who owns “{_said(topic)}”, from our Confluence{_in(space)}.",
            search_text(found.results),
            f"Who changed these pages last: {authors}." if authors else "",
            "Look for a sentence that names an owner, a responsible team or a contact: it says "
            "more than authorship. Where there is none, search_confluence with other words (owner, "
            "contact, on call, RACI) and look at the pages above with get_page. Answer with a name "
            "or team, how sure that is, the sentence with its page and date, and, where only "
            f"authorship speaks for somebody, say so. Mention pages that are years old. {STYLE}",
            *call.notes,
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What searches found, and whose pages these are."""

    results: SearchResults
    pages: tuple[PageInfo, ...]


async def _found(deps: Deps, call: Call, queries: Sequence[str], space: str) -> _Found:
    """The best passages of the searches, each page once."""
    key = (await deps.catalogue.space(call.asker, space)).key if space.strip() else None
    filters = Filters(spaces=(key,) if key else ())
    hits: dict[str, Hit] = {}
    notes: dict[str, None] = {}
    for query in queries:
        found = await deps.searcher.search(call.asker, query[: 2 * LONGEST], filters, limit=HITS)
        for hit in found.hits:
            hits.setdefault(hit.page.page_id, hit)
        notes |= dict.fromkeys(found.notes)
    call.gives(hits)
    shown = [search_hit(hit, queries[-1]) for hit in hits.values()]
    return _Found(
        SearchResults(results=shown, notes=list(notes)), tuple(hit.page for hit in hits.values())
    )


def _said(topic: str) -> str:
    return one_line(topic)[:LONGEST]


def _in(space: str) -> str:
    return f", space {one_line(space)[:LONGEST]}" if space.strip() else ""


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def begin_of(since: str, now: datetime) -> datetime:
    """When a span that ends now begins, or the day that is given; raises BadRequest."""
    text = since.strip() or "7 days"
    if match := re.fullmatch(r"([0-9]{1,4})\s*(?:d|days?)?", text, re.IGNORECASE):
        return now - timedelta(days=int(match[1]))
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as error:
        raise BadRequest(
            f"{text[:100]!r} is no day or span: give a day, 2026-01-31, or a span, 30 days."
        ) from error


@asynccontextmanager
async def _prompt_call(deps: Deps, asked: str) -> AsyncGenerator[Call]:
    """A call whose failure becomes an error that the person at the client can read."""
    try:
        async with one_call(deps, GET, asked) as call:
            yield call
    except (BadRequest, NotFound) as error:
        raise MCPError(INVALID_PARAMS, one_line(str(error))) from error
    except Exception as error:
        raise MCPError(INTERNAL_ERROR, one_line(explained(error))) from error
