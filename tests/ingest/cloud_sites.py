"""A source over a simulated site, with a clock that only runs when the source waits."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import httpx

from index.principals import Principal, group, user
from index.records import Space
from ingest.sources.cloud import CloudSource
from ingest.sources.pace import Pace, Timing
from ingest.sources.source import PageSummary, SourcePage
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.content import Content, User
from tests.confluence.faults import Fault, Faults
from tests.confluence.permissions import Grant
from tests.confluence.server import serve
from tests.confluence.site import Site


@dataclass(slots=True)
class FakeTime:
    """Time that passes by sleeping only; `slept` has every wait."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list[float])

    async def sleep(self, seconds: float) -> None:
        """Moves on at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def timing(self, dice: float = 0.0) -> Timing:
        """For a client: the same dice each time."""
        return Timing(now=lambda: self.now, sleep=self.sleep, dice=lambda: dice)


@dataclass(frozen=True, slots=True)
class Scene:
    """A site that is being served, what goes wrong there, and the client's time."""

    site: Site
    faults: Faults
    time: FakeTime
    base_url: str

    @asynccontextmanager
    async def source(
        self, token: str = TOKEN, username: str = EMAIL
    ) -> AsyncGenerator[CloudSource]:
        """A source with these credentials."""
        pace = Pace(timing=self.time.timing())
        auth = httpx.BasicAuth(username, token)
        async with CloudSource(self.base_url, auth, pace=pace) as source:
            yield source

    def spoil(self, fault: Fault, path: str, query: str = "*") -> None:
        """Lets every request that fits these patterns go wrong."""
        self.faults.add(fault, path, query=query, times=None)


@contextmanager
def scene(site: Site) -> Generator[Scene]:
    """The site, served on a loopback port."""
    faults = Faults()
    with serve(site, faults) as base_url:
        yield Scene(site, faults, FakeTime(), base_url)


def as_user(account: User) -> Grant:
    """What is granted to one person."""
    return "user", account.account_id


def restricted(served: Scene, content: Content, *grants: Grant) -> frozenset[Principal]:
    """Restricts a content to these and the crawler, which would not see it otherwise."""
    grants = (*grants, as_user(served.site.crawler))
    served.site.permissions.restrict(content, *grants)
    return frozenset(user(name) if kind == "user" else group(name) for kind, name in grants)


async def first_space(source: CloudSource) -> Space:
    """The first space of the site."""
    return (await source.spaces())[0]


async def swept(source: CloudSource) -> list[PageSummary]:
    """All summaries of the first space."""
    return [summary async for summary in source.sweep(await first_space(source))]


async def swept_page(source: CloudSource, page_id: str) -> PageSummary:
    """The summary of one page of the first space."""
    return next(summary for summary in await swept(source) if summary.page_id == page_id)


async def bulk(source: CloudSource) -> dict[str, frozenset[Principal]]:
    """What is told at once of the first space; nothing is told twice."""
    told = [own async for own in source.access.restrictions(await first_space(source))]
    assert len(dict(told)) == len(told)
    return dict(told)


async def pages_of(source: CloudSource, summaries: list[PageSummary]) -> dict[str, SourcePage]:
    """These pages with their bodies, by id, asked for all at once."""
    pages = await asyncio.gather(*(source.page(summary) for summary in summaries))
    return {page.summary.page_id: page for page in pages}


async def crowd(pace: Pace, requests: int) -> int:
    """How many of these requests, all wanted now, run at the same time."""
    running = most = 0

    async def request() -> None:
        nonlocal running, most
        async with pace.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(request() for _ in range(requests)))
    return most
