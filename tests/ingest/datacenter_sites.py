"""A source over a simulated Data Center, with a clock that only runs when the source waits."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import httpx

from index.errors import SourceError, SourceUnavailable
from index.principals import Principal, user
from index.records import Space
from ingest.sources.datacenter import DataCenterSource, PersonalToken
from ingest.sources.datacenter_access import DataCenterAccess
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.pace import Pace, in_parallel
from ingest.sources.source import ItemSummary, PageSummary, SourcePage
from tests.confluence.accounts import TOKEN
from tests.confluence.content import User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import serve_datacenter
from tests.confluence.faults import Faults
from tests.confluence.permissions import Grant, Group
from tests.confluence.site import Site
from tests.ingest.fake_time import FakeTime

AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Scene:
    """A site that is being served, what goes wrong there, and the client's time."""

    site: Site
    faults: Faults
    time: FakeTime
    base_url: str

    @asynccontextmanager
    async def source(
        self,
        token: str = TOKEN,
        *,
        auth: httpx.Auth | None = None,
        site_groups: frozenset[str] = frozenset(),
    ) -> AsyncGenerator[DataCenterSource]:
        """A source with these credentials."""
        pace = Pace(timing=self.time.timing())
        auth = auth or PersonalToken(token)
        async with DataCenterSource(
            self.base_url, auth, pace=pace, site_groups=site_groups
        ) as source:
            yield source


@contextmanager
def scene(site: Site, edition: Edition | None = None) -> Generator[Scene]:
    """The site, served on a loopback port."""
    faults = Faults()
    with serve_datacenter(site, faults, edition) as base_url:
        yield Scene(site, faults, FakeTime(), base_url)


@asynccontextmanager
async def reading(
    site: Site, edition: Edition | None = None, *site_groups: str
) -> AsyncGenerator[tuple[Scene, DataCenterAccess]]:
    """The permissions of a site that is being served."""
    with scene(site, edition) as served:
        async with served.source(site_groups=frozenset(site_groups)) as source:
            yield served, source.access


def of(*people: User) -> frozenset[Principal]:
    """These people by their keys."""
    return frozenset(user(person.user_key) for person in people)


def named(*allowed: User | Group) -> list[Grant]:
    """These people and groups as those to whom something is granted."""
    return [
        ("user", one.account_id) if isinstance(one, User) else ("group", one.id) for one in allowed
    ]


async def first_space(source: DataCenterSource) -> Space:
    """The first space of the site."""
    return (await source.spaces())[0]


async def swept(source: DataCenterSource) -> list[PageSummary]:
    """All summaries of the first space."""
    return [summary async for summary in source.sweep(await first_space(source))]


async def listed_items(source: DataCenterSource) -> list[ItemSummary]:
    """All comments and attachments of all spaces."""
    return [item async for item in source.items(await source.spaces())]


def some_page(site: Site) -> str:
    """A page somewhere in the tree."""
    return list(site.contents)[7]


async def fetched(
    source: DataCenterSource, summaries: Sequence[PageSummary]
) -> dict[str, SourcePage | SourceError]:
    """What asking for each of these pages gives, by page id; the errors that end nothing too."""
    jobs = (partial(_page_or_error, source, summary) for summary in summaries)
    async with aclosing(in_parallel(jobs, AT_ONCE)) as answers:
        return {page_id: answer async for page_id, answer in answers}


async def _page_or_error(
    source: DataCenterSource, summary: PageSummary
) -> tuple[str, SourcePage | SourceError]:
    try:
        return summary.page_id, await source.page(summary)
    except (NotVisible, UnexpectedAnswer, SourceUnavailable) as error:
        return summary.page_id, error
