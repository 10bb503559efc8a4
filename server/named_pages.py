"""The page that a caller names, and a person's word where several have that name."""

import asyncio
from collections.abc import Sequence

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import (
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import is_version_at_least

from index.errors import NotFound
from index.pages import Pages
from index.results import PageInfo, StoredPage
from server.calls import Call
from server.deps import Deps
from server.references import PageReference
from server.texts import one_line

# From here on a call ends with the question and is made again with the answer.
ASKS_BY_RESULT = "2026-07-28"
PATIENCE = 120  # seconds that a person has to choose, while the call waits
QUESTION = "page"
CHOICE = "page_id"


class SeveralPages(NotFound):
    """A title is that of several pages; `found` are these."""

    def __init__(self, title: str, found: Sequence[PageInfo]) -> None:
        names = "; ".join(f"{info.space_key}:{info.title} ({_facts(info)})" for info in found)
        super().__init__(f"Several pages are called {title!r}: {names}. Give the page_id.")
        self.title = title
        self.found = tuple(found)


def _facts(info: PageInfo) -> str:
    day = info.updated_at.date().isoformat()
    return f"page_id {info.page_id}, {info.content_type}, updated {day}"


async def named_page(pages: Pages, call: Call, reference: PageReference) -> StoredPage:
    """The page, if the caller may read it; raises NotFound or SeveralPages."""
    asker = call.asker
    if reference.page_id is not None:
        return await pages.page(asker, reference.page_id)
    title = reference.title or ""
    found = await pages.pages_of_title(asker, title, reference.space_key)
    if not found and reference.whole:
        title = reference.whole
        found = await pages.pages_of_title(asker, title, None)
    if not found:
        raise NotFound(f"No page {title[:200]!r} in the index: find it with search_confluence.")
    if len(found) > 1:
        call.gives(info.page_id for info in found)
        raise SeveralPages(title, found)
    return await pages.page(asker, found[0].page_id)


async def chosen(ctx: Context[Deps], several: SeveralPages) -> str | InputRequiredResult | None:
    """The id of the page that the person in front of the client means.

    A client of the newer protocol is given the question as a result and calls again. None where
    the client cannot ask, or the person has not chosen.
    """
    if not _can_ask(ctx.client_capabilities):
        return None
    message, schema = _question(several)
    if is_version_at_least(ctx.protocol_version or "", ASKS_BY_RESULT):
        if QUESTION in (ctx.input_responses or {}):
            return None
        params = ElicitRequestFormParams(message=message, requested_schema=schema)
        return InputRequiredResult(input_requests={QUESTION: ElicitRequest(params=params)})
    try:
        async with asyncio.timeout(PATIENCE):
            return _choice(await ctx.session.elicit_form(message, schema, ctx.request_id))
    except (MCPError, TimeoutError):  # over HTTP without sessions nobody can be asked
        return None


def chosen_before(ctx: Context[Deps]) -> str | None:
    """The id that comes with a call which was made again for the answer."""
    answer = (ctx.input_responses or {}).get(QUESTION)
    return _choice(answer) if isinstance(answer, ElicitResult) else None


def _can_ask(capabilities: ClientCapabilities | None) -> bool:
    asks = capabilities and capabilities.elicitation
    # Before there were kinds of questions, an empty capability meant forms.
    return bool(asks) and (asks.form is not None or asks.url is None)


def _question(several: SeveralPages) -> tuple[str, dict[str, object]]:
    """What to ask, and the form of the answer."""
    choices = [
        {
            "const": info.page_id,
            "title": one_line(f"{info.space_key}: {info.title} ({_facts(info)})"),
        }
        for info in several.found
    ]
    schema: dict[str, object] = {
        "type": "object",
        "properties": {CHOICE: {"type": "string", "title": "Page", "oneOf": choices}},
        "required": [CHOICE],
    }
    return f"Several pages are called “{one_line(several.title)[:200]}”. Which one?", schema


def _choice(answer: ElicitResult) -> str | None:
    value = (answer.content or {}).get(CHOICE)
    return value if answer.action == "accept" and isinstance(value, str) else None
