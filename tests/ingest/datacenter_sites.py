"""A source over a simulated Data Center, with a clock that only runs when the source waits."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx

from index.records import Space
from ingest.sources.datacenter import DataCenterSource, PersonalToken
from ingest.sources.pace import Pace
from ingest.sources.source import FetchFailure, PageSummary, SourcePage
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import serve_datacenter
from tests.confluence.faults import Faults
from tests.confluence.site import Site
from tests.ingest.cloud_sites import FakeTime


@dataclass(frozen=True, slots=True)
class Scene:
    """A site that is being served, what goes wrong there, and the client's time."""

    site: Site
    faults: Faults
    time: FakeTime
    base_url: str

    @asynccontextmanager
    async def source(
        self, token: str = TOKEN, *, auth: httpx.Auth | None = None
    ) -> AsyncGenerator[DataCenterSource]:
        """A source with these credentials."""
        pace = Pace(timing=self.time.timing())
        auth = auth or PersonalToken(token)
        async with DataCenterSource(self.base_url, auth, pace=pace) as source:
            yield source


@contextmanager
def scene(site: Site, edition: Edition | None = None) -> Generator[Scene]:
    """The site, served on a loopback port."""
    faults = Faults()
    with serve_datacenter(site, faults, edition) as base_url:
        yield Scene(site, faults, FakeTime(), base_url)


async def first_space(source: DataCenterSource) -> Space:
    """The first space of the site."""
    return (await source.spaces())[0]


async def swept(source: DataCenterSource) -> list[PageSummary]:
    """All summaries of the first space."""
    return [summary async for summary in source.sweep(await first_space(source))]


async def fetched(
    source: DataCenterSource, summaries: Sequence[PageSummary]
) -> dict[str, SourcePage | FetchFailure]:
    """The answers for these pages of the first space, by page id."""
    answers: dict[str, SourcePage | FetchFailure] = {}
    async for answer in source.fetch(await first_space(source), summaries):
        is_failure = isinstance(answer, FetchFailure)
        answers[answer.page_id if is_failure else answer.summary.page_id] = answer
    return answers
