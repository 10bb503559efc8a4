"""Fetches many pages at once, and gives up when the site no longer answers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial

from index.errors import SourceUnavailable
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.pace import in_parallel
from ingest.sources.source import FetchFailure, PageSummary, SourcePage

UNANSWERED_IN_A_ROW = 5

FetchOne = Callable[[PageSummary], Awaitable[SourcePage]]


async def fetched(
    pages: Iterable[PageSummary], fetch_one: FetchOne, most: int
) -> AsyncGenerator[SourcePage | FetchFailure]:
    """The pages in the order of their answers, `most` at a time.

    A page that cannot be read is a FetchFailure; several in a row without any answer from
    Confluence raise SourceUnavailable.
    """
    unanswered = 0
    jobs = (partial(_page_or_failure, fetch_one, page) for page in pages)
    async with aclosing(in_parallel(jobs, most)) as answers:
        async for answer in answers:
            if isinstance(answer, FetchFailure) and isinstance(answer.error, SourceUnavailable):
                unanswered += 1
                if unanswered == UNANSWERED_IN_A_ROW:
                    raise answer.error
            else:
                unanswered = 0
            yield answer


async def _page_or_failure(fetch_one: FetchOne, page: PageSummary) -> SourcePage | FetchFailure:
    try:
        return await fetch_one(page)
    except (NotVisible, UnexpectedAnswer, SourceUnavailable) as error:
        return FetchFailure(page.page_id, error)
