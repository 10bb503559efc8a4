"""A small wiki with people: guards, groups and accounts as an ingest would record them."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from index.access import Asker, Askers
from index.database import Database
from index.errors import NotFound
from index.guards import Guards
from index.nodes import Node, Nodes
from index.pages import Pages
from index.principals import AUTHENTICATED, Account, Principal, user
from index.records import ContentType, State
from index.search import Searcher
from index.work import WorkList
from tests.index.small_wiki import SITE, SmallWiki, page

RUN = 1


@dataclass(frozen=True, slots=True)
class GuardedWiki:
    """Pages that are stored and seen by a sweep, with who may read them.

    At first every active account may use the site; no space is open to anybody.
    """

    wiki: SmallWiki
    reader: Database
    nodes: Nodes
    guards: Guards
    work_list: WorkList
    pages: Pages
    askers: Askers

    @classmethod
    async def open(cls, database: Database, site: str = SITE) -> "GuardedWiki":
        """An index of one site without pages."""
        wiki = await SmallWiki.open(database, site=site)
        site_id = wiki.store.site_id
        guards = Guards(database, site_id)
        await guards.record_site(frozenset({AUTHENTICATED}))
        return cls(
            wiki,
            database,
            Nodes(database, site_id),
            guards,
            WorkList(database, site_id),
            Pages(database),
            Askers(database),
        )

    def read_by(self, reader: Database) -> "GuardedWiki":
        """The same, read over other connections."""
        searcher = Searcher(reader, self.wiki.chosen)
        return replace(
            self,
            reader=reader,
            wiki=replace(self.wiki, searcher=searcher),
            pages=Pages(reader),
            askers=Askers(reader),
        )

    async def open_space(self, key: str, *readers: Principal) -> int:
        """Lets these read a space, whose restrictions are all known."""
        space_id = await self.wiki.space(key)
        await self.guards.record_space(key, frozenset(readers))
        await self.guards.finish_space(RUN, space_id)
        return space_id

    async def put(
        self,
        page_id: str,
        parent: str | None = None,
        *,
        space: str = "ENG",
        only: Collection[Principal] | None = (),
        kind: ContentType = ContentType.PAGE,
        text: str = "alpha",
    ) -> None:
        """A page as a sweep sees it and then stores it; `only` None: restrictions not known."""
        await self.see(page_id, parent, space=space, kind=kind)
        if only is not None:
            await self.guards.record_restrictions(RUN, {page_id: frozenset(only)})
        await self.wiki.put(
            page(page_id, f"Page {page_id}", space_key=space, content_type=kind), text
        )
        await self.work_list.place()

    async def see(
        self,
        page_id: str,
        parent: str | None = None,
        *,
        space: str = "ENG",
        kind: ContentType = ContentType.PAGE,
    ) -> None:
        """A line of a sweep."""
        node = node_of(page_id, parent, kind)
        await self.nodes.saw(RUN, await self.wiki.space(space), [node])

    async def restrict(self, page_id: str, *only: Principal) -> None:
        """Lets only these read a page and all below it; nobody named: everybody."""
        await self.guards.record_restrictions(RUN, {page_id: frozenset(only)})
        await self.work_list.place()

    async def person(self, account_id: str, *classes: str, is_active: bool = True) -> Asker:
        """Someone with an account."""
        email = f"{account_id}@example.com"
        known = frozenset({AUTHENTICATED.name, *classes})
        await self.guards.record_accounts([Account(account_id, None, email, is_active, known)])
        return await self.askers.by_account_id(account_id, account_id)

    async def may_read(self, asker: Asker, page_id: str) -> bool:
        """Whether a page is shown to somebody by itself, and by a search: both, or neither."""
        try:
            await self.pages.page(asker, page_id)
        except NotFound:
            is_shown = False
        else:
            is_shown = True
        assert (page_id in await self.found(asker)) == is_shown
        return is_shown

    async def readable(self, asker: Asker, *page_ids: str) -> list[str]:
        """Those of the pages that are shown to somebody."""
        return [page_id for page_id in page_ids if await self.may_read(asker, page_id)]

    async def found(self, asker: Asker, query: str = "alpha") -> set[str]:
        """Ids of all pages that a search finds."""
        result = await self.wiki.searcher.search(asker, query, limit=50)
        assert result.total == len(result.hits)
        return {hit.page.page_id for hit in result.hits}


ADA, BOB = user("ada"), user("bob")


def node_of(page_id: str, parent: str | None, kind: ContentType = ContentType.PAGE) -> Node:
    """A page as a listing shows it."""
    url = f"{SITE}/pages/{page_id}"
    return Node(page_id, kind, parent, f"Page {page_id}", url, 1, State.LIVE, None, None)
