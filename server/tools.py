"""The three tools. Their docstrings and field descriptions are written for a model."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from inspect import signature
from time import monotonic
from typing import Annotated, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from index.access import Asker
from index.errors import BadRequest, NotFound
from index.language import clean
from index.pages import Pages
from index.records import Attachment, ContentType
from index.results import Filters, StoredPage
from server.calls import ANSWER, Call, one_call
from server.client_log import ClientLog
from server.deps import Deps
from server.explaining import explained
from server.llm import Message
from server.named_pages import SeveralPages, chosen, chosen_before, named_page
from server.paging import cursor_at, fingerprint, offset_of
from server.progress import STEPS
from server.proving import Answer
from server.references import page_reference
from server.rendering import answer_text, page_text, search_text
from server.resource_links import page_links
from server.results import AnswerResult, PageContent, SearchResults
from server.sections import section_bounds
from server.texts import one_line
from server.wire import (
    answer_result,
    attachment_content,
    copies_note,
    page_content,
    search_hit,
)

SEARCH, READ = "search_confluence", "get_page"
SHOWN = 40  # attachments that an error names

READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

Query = Annotated[
    str,
    Field(
        description="A question or keywords, in any language. Error codes, ticket keys, host "
        "names and other identifiers are found as written."
    ),
]
Spaces = Annotated[list[str] | None, Field(description="Only these spaces: ENG, ~jdoe.")]
Labels = Annotated[list[str] | None, Field(description="Only pages with all these labels.")]
Kind = Literal["page", "blogpost", "folder", "whiteboard", "database", "embed"]
ContentTypes = Annotated[list[Kind] | None, Field(description="Only these kinds.")]
Author = Annotated[str | None, Field(description="Only pages by this person: a part of the name.")]
Ancestor = Annotated[
    str | None, Field(description="Only this page and the pages below it: id, URL or KEY:Title.")
]
UpdatedAfter = Annotated[date | None, Field(description="Only pages changed since 2026-01-31.")]


class Turn(BaseModel):
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=8_000)


def register_tools(mcp: MCPServer[Deps]) -> None:
    """Puts the tools on the server."""
    mcp.tool(title="Search Confluence", annotations=READ_ONLY)(search_confluence)
    mcp.tool(title="Read a Confluence page", annotations=READ_ONLY)(get_page)
    mcp.tool(title="Answer from Confluence", annotations=READ_ONLY)(answer_question)


async def search_confluence(
    ctx: Context[Deps],
    query: Query,
    spaces: Spaces = None,
    labels: Labels = None,
    content_types: ContentTypes = None,
    author: Author = None,
    ancestor: Ancestor = None,
    updated_after: UpdatedAfter = None,
    limit: Annotated[int, Field(ge=1, le=25, description="How many pages at once.")] = 8,
    cursor: Annotated[
        str | None,
        Field(description="`next_cursor` of this same search, for more pages."),
    ] = None,
) -> Annotated[CallToolResult, SearchResults]:
    """Find pages of the company's Confluence wiki by meaning and by words.

    Use it first, whenever something may be written in the wiki. Gives the best passage of each
    page, its comments and files; it always ranks something, so judge whether a passage fits. Read
    more with get_page. For a question that wants one answer, answer_question may be quicker.
    """
    deps = ctx.request_context.lifespan_context
    log = ClientLog(ctx.request_context)
    async with _tool_call(deps, log, SEARCH, query) as call:
        above = await _above(deps.pages, call, ancestor)
        filters = _filters(spaces, labels, content_types, author, above, updated_after)
        search = fingerprint(call.asker, query, filters)
        offset = offset_of(cursor or None, search)
        found = await deps.searcher.search(call.asker, query, filters, limit=limit, offset=offset)
        call.gives(page.page_id for hit in found.hits for page in (hit.page, *hit.copies))
        results = SearchResults(
            results=[search_hit(hit, query) for hit in found.hits],
            next_cursor=cursor_at(found.following, search) if found.following else None,
            notes=[
                *_ignored(ctx, search_confluence),
                *found.notes,
                *copies_note(found.hits),
                *call.notes,
            ],
        )
    await log.tell("info", f"gave {len(found.hits)} of {found.total} pages that may fit")
    await log.notes(results.notes)
    found_pages = [(hit.page_id, hit.title) for hit in results.results]
    return _result(search_text(results), results, found_pages)


async def get_page(
    ctx: Context[Deps],
    page: Annotated[
        str,
        Field(description="Page id, any Confluence URL, tiny link, KEY:Title (ENG:VPN) or title."),
    ],
    section: Annotated[
        str | None,
        Field(description="Only what is below this heading of `outline`."),
    ] = None,
    offset: Annotated[int, Field(ge=0, description="`next_offset` of the part before.")] = 0,
    max_tokens: Annotated[int, Field(ge=200, le=16_000, description="Size of one part.")] = 6_000,
    attachment: Annotated[
        str | None, Field(description="File name, to read this attachment instead.")
    ] = None,
) -> Annotated[CallToolResult, PageContent] | InputRequiredResult:
    """Read a page of the wiki, or a file attached to it, as Markdown, whole or in parts.

    Use it after search_confluence, or when a page is known. Long pages come in parts: go on with
    `next_offset`, or ask for one `section`. Comments follow at the end. Also lists attachments,
    child pages and what could not be read.
    """
    part = _Part(section or None, offset, max_tokens, attachment or None)
    try:
        return await _read(ctx, chosen_before(ctx) or page, part)
    except ToolError as error:
        if not isinstance(error.__cause__, SeveralPages):
            raise
        choice = await chosen(ctx, error.__cause__)
        if choice is None:
            raise
    return choice if isinstance(choice, InputRequiredResult) else await _read(ctx, choice, part)


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a page is to be read."""

    section: str | None
    offset: int
    max_tokens: int
    attachment: str | None


async def _read(ctx: Context[Deps], page: str, part: _Part) -> CallToolResult:
    deps = ctx.request_context.lifespan_context
    log = ClientLog(ctx.request_context)
    async with _tool_call(deps, log, READ, page) as call:
        reference = page_reference(page)
        stored = await named_page(deps.pages, call, reference)
        call.gives([stored.info.page_id])
        if part.attachment and part.section:
            raise BadRequest("An attachment has no sections: leave `section` out.")
        file, notes = None, _ignored(ctx, get_page)
        if part.attachment:
            file = await _attachment(deps.pages, call.asker, stored, part.attachment)
        elif reference.attachment and not part.section:
            try:
                file = await _attachment(deps.pages, call.asker, stored, reference.attachment)
            except BadRequest as error:  # the address leads to the page, too
                notes.append(str(error))
        if file is None:
            bounds = section_bounds(stored, part.section)
            content = page_content(stored, bounds, part.offset, part.max_tokens)
        else:
            content = attachment_content(stored, file, part.offset, part.max_tokens)
        content.notes.extend((*notes, *call.notes))
    await log.tell("info", f"gave page_id {content.page_id}, version {stored.info.version}")
    await log.notes(content.notes)
    return _result(page_text(content), content, [(content.page_id, content.title)])


async def answer_question(
    ctx: Context[Deps],
    question: Annotated[
        str, Field(description="One question, complete in itself, in any language.")
    ],
    history: Annotated[
        list[Turn] | None,
        Field(max_length=20, description="Earlier turns, oldest first, if it follows on them."),
    ] = None,
    spaces: Spaces = None,
    labels: Labels = None,
    content_types: ContentTypes = None,
    author: Author = None,
    ancestor: Ancestor = None,
    updated_after: UpdatedAfter = None,
) -> Annotated[CallToolResult, AnswerResult]:
    """Answer a question from the wiki, with a checked quote for every citation.

    Use it for questions of fact or procedure. `status` is `answered` (text with [n] markers and
    citations), `not_found` (the wiki does not say: do not guess, but the nearest pages may help)
    or `passages_only` (no chat model is configured: read the quotes and answer yourself).
    """
    deps = ctx.request_context.lifespan_context
    log = ClientLog(ctx.request_context)

    async def progress(step: float, message: str) -> None:
        await ctx.report_progress(step, STEPS, message)
        await log.tell("debug", message)

    async with _tool_call(deps, log, ANSWER, question) as call:
        above = await _above(deps.pages, call, ancestor)
        filters = _filters(spaces, labels, content_types, author, above, updated_after)
        turns = [Message(turn.role, clean(turn.content)) for turn in history or []]
        answer = await deps.answerer.answer(
            call.asker, clean(question), history=turns, filters=filters, progress=progress
        )
        call.gives(one.hit.page.page_id for one in answer.citations)
        call.gives(hit.page.page_id for hit in answer.nearest)
        result = answer_result(answer)
        result.notes.extend((*_ignored(ctx, answer_question), *call.notes))
    await log.tell("info", _cost(answer))
    await log.notes(result.notes)
    cited = [(one.page_id, one.title) for one in (*result.citations, *result.nearest)]
    return _result(answer_text(result), result, cited)


@asynccontextmanager
async def _tool_call(deps: Deps, log: ClientLog, tool: str, question: str) -> AsyncGenerator[Call]:
    """A call whose failure becomes a text that helps a model, or its person, to go on."""
    began = monotonic()
    try:
        async with one_call(deps, tool, question) as call:
            yield call
        await log.tell("info", f"{tool} took {monotonic() - began:.2f} s")
    except Exception as error:
        # It may name titles, headings and files, in which anything can be written.
        text = one_line(explained(error))
        is_theirs = isinstance(error, BadRequest | NotFound)
        await log.tell("warning" if is_theirs else "error", f"{tool} failed: {text}")
        raise ToolError(text) from error


def _cost(answer: Answer) -> str:
    """What became of a question, and what it cost."""
    return (
        f"{answer.status}, {len(answer.citations)} citations, {answer.tokens_in} tokens read and "
        f"{answer.tokens_out} written, {answer.seconds_searching:.2f} s searching, "
        f"{answer.seconds_answering:.2f} s answering"
    )


def _ignored(ctx: Context[Deps], tool: Callable[..., object]) -> list[str]:
    """Says so when a call has arguments that the tool does not know: a filter may be among them."""
    given: Mapping[str, object] = (ctx.request_context.params or {}).get("arguments") or {}
    known = [name for name in signature(tool).parameters if name != "ctx"]
    unknown = ", ".join(name for name in given if name not in known)
    return [f"Ignored: {unknown}. The arguments are {', '.join(known)}."] if unknown else []


def _result(
    text: str, structured: BaseModel, pages: Iterable[tuple[str, str]] = ()
) -> CallToolResult:
    """A result with links to its pages, for the person at the client: the model has their ids."""
    return CallToolResult(
        content=[TextContent(type="text", text=text), *page_links(pages)],
        structured_content=structured.model_dump(mode="json"),
    )


async def _above(pages: Pages, call: Call, ancestor: str | None) -> str | None:
    """The id of the page that a search stays below."""
    return (
        (await named_page(pages, call, page_reference(ancestor))).info.page_id if ancestor else None
    )


def _filters(
    spaces: list[str] | None,
    labels: list[str] | None,
    content_types: list[Kind] | None,
    author: str | None,
    above: str | None,
    updated_after: date | None,
) -> Filters:
    return Filters(
        spaces=_names(spaces),
        labels=_names(labels),
        content_types=tuple(ContentType(name) for name in content_types or ()),
        author=clean(author or "").strip() or None,
        ancestor=above,
        updated_after=datetime.combine(updated_after, time(), UTC) if updated_after else None,
    )


def _names(given: list[str] | None) -> tuple[str, ...]:
    """Without the empty ones that clients send for no limit."""
    names = (clean(name).strip() for name in given or ())
    return tuple(name for name in names if name)


async def _attachment(pages: Pages, asker: Asker, page: StoredPage, filename: str) -> Attachment:
    """The named attachment of a page with its text; upper and lower case are alike."""
    wanted = clean(filename).strip().casefold()
    found = next((one for one in page.attachments if one.filename.casefold() == wanted), None)
    if found is None:
        names = "; ".join(one.filename for one in page.attachments[:SHOWN]) or "none"
        more = "; ..." if len(page.attachments) > SHOWN else ""
        raise BadRequest(
            f"No attachment {filename[:200]!r} on {page.info.title!r}. Attachments: {names}{more}."
        )
    attachment = await pages.attachment(asker, page.info.page_id, found.filename)
    if attachment.unreadable is not None and not attachment.markdown:
        raise BadRequest(
            f"{found.filename} cannot be read: {attachment.unreadable.rstrip('.')}. "
            f"A person opens it at {found.url}"
        )
    return attachment
