"""Suggestions while a person fills in a prompt or the address of a resource."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from mcp.server.context import ServerRequestContext
from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from index.errors import NotFound
from server.calls import SUGGEST, Call, one_call
from server.client_prompts import PERIODS
from server.deps import Deps
from server.explaining import explained
from server.resource_links import PAGE_URI, SPACE_URI, TITLE_URI

logger = logging.getLogger(__name__)

MOST = 20
SPACE, TITLE, PAGE, PAGE_ID, SINCE = "space", "title", "page", "page_id", "since"
# What the arguments of prompts and the parts of addresses stand for.
ARGUMENTS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("space_changes", "space"): SPACE,
        ("space_changes", "since"): SINCE,
        ("compare_pages", "first"): PAGE,
        ("compare_pages", "second"): PAGE,
        ("brief_me", "topic"): TITLE,
        ("brief_me", "space"): SPACE,
        ("find_owner", "topic"): TITLE,
        ("find_owner", "space"): SPACE,
        (SPACE_URI, "key"): SPACE,
        (TITLE_URI, "key"): SPACE,
        (TITLE_URI, "title"): TITLE,
        (PAGE_URI, "page_id"): PAGE_ID,
    }
)


async def complete(
    ctx: ServerRequestContext[Deps], params: CompleteRequestParams
) -> CompleteResult:
    """What the asker may see that fits what is typed; nothing where that cannot be told."""
    ref, argument = params.ref, params.argument
    name = ref.name if isinstance(ref, PromptReference) else ref.uri
    values: Sequence[str] = ()
    if (kind := ARGUMENTS.get((name, argument.name))) is not None:
        others = (params.context and params.context.arguments) or {}
        try:
            async with one_call(ctx.lifespan_context, SUGGEST, argument.value) as call:
                values = await _suggested(ctx.lifespan_context, call, kind, argument.value, others)
        except Exception as error:
            # Nobody is helped by an error in a list of suggestions.
            logger.info("no suggestions: %s", explained(error))
    values = list(dict.fromkeys(values))
    has_more = len(values) >= MOST
    return CompleteResult(completion=Completion(values=values[:MOST], has_more=has_more))


async def _suggested(
    deps: Deps, call: Call, kind: str, typed: str, others: Mapping[str, str]
) -> Sequence[str]:
    if kind == SINCE:
        return [day for day in _days(datetime.now(UTC)) if day.startswith(typed.strip())]
    if kind == SPACE:
        spaces = await deps.catalogue.spaces_of_text(call.asker, typed, MOST)
        return [space.key for space in spaces]
    return await _pages(deps, call, kind, typed, others)


async def _pages(
    deps: Deps, call: Call, kind: str, typed: str, others: Mapping[str, str]
) -> Sequence[str]:
    key = others.get("key") or others.get("space") or None
    if key is not None:
        key = (await deps.catalogue.space(call.asker, key)).key
    elif kind == PAGE and (start := typed.partition(":"))[1]:
        with suppress(NotFound):  # or it is a title with a colon
            key = (await deps.catalogue.space(call.asker, start[0])).key
            typed = start[2]
    found = await deps.catalogue.titles(call.asker, typed, space_key=key, limit=MOST)
    call.gives(info.page_id for info in found)
    match kind:
        case "page_id":
            return [info.page_id for info in found]
        case "page":
            return [f"{info.space_key}:{info.title}" for info in found]
        case _:
            return [info.title for info in found]


def _days(now: datetime) -> list[str]:
    """Spans in words, then the days on which they begin."""
    begin = [(now - timedelta(days=days)).date().isoformat() for days in PERIODS.values()]
    return [*PERIODS, *begin]
