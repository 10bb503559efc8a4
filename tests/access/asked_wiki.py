"""A simulated site, its index, and people who ask for everything there is over HTTP."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from mcp import Client

from index.database import Database
from index.settings import IndexSettings
from index.store import forget_site
from ingest.report import Report
from ingest.run import ingest_once
from ingest.sources.source import Deployment
from ingest.sync import Plan
from server.results import PageContent, PageRef, SearchResults
from tests.access.door import ACCOUNT, Door, door
from tests.access.verdicts import Verdicts
from tests.confluence.content import Content, User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import Faults
from tests.confluence.site import Site
from tests.ingest import cloud_sites, datacenter_sites
from tests.server.asking import answered, text_of
from tests.server.signing import Issuer

EVERYWHERE = "everywhere"  # a word of every title that the tests draw
MISSING = "9099099099"
LOOK = Plan()


@dataclass(frozen=True, slots=True)
class Doors:
    """Two servers over one index: one knows callers by account, the other by e-mail address."""

    settings: IndexSettings
    database: Database
    by_account: Door
    by_email: Door


@asynccontextmanager
async def doors(settings: IndexSettings, issuer: Issuer) -> AsyncGenerator[Doors]:
    """Both, over the index that the settings name."""
    clients = AsyncExitStack()
    async with (
        Database.open(settings, application_name="tests") as database,
        door(settings, issuer, ACCOUNT, clients) as by_account,
        door(settings, issuer, "email", clients) as by_email,
        clients,
    ):
        yield Doors(settings, database, by_account, by_email)


@dataclass(frozen=True, slots=True)
class View:
    """What somebody is shown: pages that are read by id, with those they name, and pages found."""

    read: Mapping[str, PageContent]
    found: frozenset[str]

    @property
    def named(self) -> frozenset[str]:
        """Pages that are named as being above or below another."""
        refs: list[PageRef] = [
            ref for page in self.read.values() for ref in (*page.ancestors, *page.children)
        ]
        return frozenset(ref.page_id for ref in refs)

    def below(self) -> dict[str, set[str]]:
        """The children that each page names."""
        return {
            page_id: {ref.page_id for ref in page.children} for page_id, page in self.read.items()
        }


@dataclass(frozen=True, slots=True)
class AskedWiki:
    """A site on its way into an index, and the doors at which people ask for it."""

    scene: cloud_sites.Scene | datacenter_sites.Scene
    doors: Doors

    @property
    def site(self) -> Site:
        """The site, to be changed between runs."""
        return self.scene.site

    @property
    def faults(self) -> Faults:
        """What goes wrong at the site."""
        return self.scene.faults

    @property
    def deployment(self) -> Deployment:
        """Which kind of Confluence it is."""
        is_cloud = isinstance(self.scene, cloud_sites.Scene)
        return Deployment.CLOUD if is_cloud else Deployment.DATACENTER

    async def run(self, plan: Plan = LOOK) -> Report:
        """One ingest by the site's clock."""
        async with self.scene.source() as source:
            return await ingest_once(
                self.doors.settings, source, plan, now=lambda: self.site.clock.now
            )

    async def hinted(self, *page_ids: str) -> Report:
        """A quick ingest that was told of these pages."""
        return await self.run(replace(LOOK, quick=True, hinted=frozenset(page_ids)))

    async def client(self, user: User, *, by_email: bool = False) -> Client:
        """A client of somebody, who signs in as the company's identity provider knows them."""
        if by_email:
            email = user.email or f"{user.username}@example.com"
            return await self.doors.by_email.client(email=email, email_verified=True)
        return await self.doors.by_account.client(**{ACCOUNT: self.account_of(user)})

    def account_of(self, user: User) -> str:
        """The id of an account, as the index knows it."""
        return user.account_id if self.deployment is Deployment.CLOUD else user.user_key

    def verdicts(self) -> Verdicts:
        """Who may read what now."""
        return Verdicts(self.site, self.deployment)

    async def view(self, client: Client) -> View:
        """Everything that a client is shown."""
        read: dict[str, PageContent] = {}
        for content_id in [*self.site.contents, MISSING]:
            page = await page_or_none(client, content_id)
            if page is not None:
                read[content_id] = page
        return View(read, await everything_found(client))

    async def reads(self, user: User, *contents: Content) -> list[bool]:
        """Whether somebody gets each of these pages."""
        client = await self.client(user)
        return [await page_or_none(client, one.id) is not None for one in contents]

    async def shown(self, user: User) -> list[str]:
        """Titles of all that somebody gets by id; a search must find just these."""
        view = await self.view(await self.client(user))
        assert view.found == view.read.keys()
        assert view.named <= view.read.keys()
        return sorted(page.title for page in view.read.values())


async def page_or_none(client: Client, page: str) -> PageContent | None:
    """A page, or None where there is none for whoever asks."""
    result = await client.call_tool("get_page", {"page": page})
    if result.is_error:
        assert f"No page {page} in the index." in text_of(result)
        return None
    return PageContent.model_validate(result.structured_content)


async def everything_found(client: Client, query: str = EVERYWHERE) -> frozenset[str]:
    """Ids of all pages that a search gives, part after part, none of them twice."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        result = await answered(client, "search_confluence", query=query, limit=25, cursor=cursor)
        part = SearchResults.model_validate(result.structured_content)
        found += [hit.page_id for hit in part.results]
        cursor = part.next_cursor
    assert len(set(found)) == len(found)
    return frozenset(found)


@asynccontextmanager
async def asked_wiki(
    site: Site,
    doors: Doors,
    deployment: Deployment = Deployment.CLOUD,
    edition: Edition | None = None,
) -> AsyncGenerator[AskedWiki]:
    """The site, served on a loopback port, and an index in which there is nothing yet."""
    await forget_site(doors.database, None)
    served = (
        cloud_sites.scene(site)
        if deployment is Deployment.CLOUD
        else datacenter_sites.scene(site, edition)
    )
    with served as scene:
        yield AskedWiki(scene, doors)
