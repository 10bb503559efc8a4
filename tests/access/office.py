"""A small site for tests of one case each: a space, three people in two groups, few words."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingest.sources.source import Deployment
from tests.access.asked_wiki import EVERYWHERE, AskedWiki, Doors, asked_wiki
from tests.confluence.content import Content, User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.permissions import Grant, Group
from tests.confluence.site import Site


@dataclass(frozen=True, slots=True)
class Office:
    """Ada is in both groups, Bob in `staff` only and Cem in `legal` only; all may use the site."""

    wiki: AskedWiki
    ada: User
    bob: User
    cem: User
    staff: Group
    legal: Group

    @property
    def site(self) -> Site:
        """The site, to be changed between runs."""
        return self.wiki.site

    def page(
        self, title: str, parent: Content | None = None, *, key: str = "ENG", body: str = ""
    ) -> Content:
        """A page with a word that all pages have, and a text of its own."""
        text = f"<p>{EVERYWHERE} {body}</p>"
        return self.site.add_page(key, title, text, parent=parent and parent.id)

    def restrict(self, content: Content, *who: User | Group) -> None:
        """Lets these alone view it, and the crawler."""
        grants = [grant_to(one) for one in (*who, self.site.crawler)]
        self.site.permissions.restrict(content, *grants)

    def add_space(self, key: str, *who: User | Group) -> None:
        """A space that these alone may view, and the crawler."""
        space = self.site.add_space(key)
        permissions = self.site.permissions
        permissions.revoke(space, ("group", permissions.users_group.id))
        permissions.grant(space, *(grant_to(one) for one in (*who, self.site.crawler)))

    async def shown(self, *people: User) -> list[list[str]]:
        """What each of these people is shown, by titles in order."""
        return [await self.wiki.shown(person) for person in people]


def grant_to(one: User | Group) -> Grant:
    """What is granted to a person or a group."""
    return ("user", one.account_id) if isinstance(one, User) else ("group", one.id)


@asynccontextmanager
async def opened_office(
    doors: Doors, deployment: Deployment, edition: Edition | None = None
) -> AsyncGenerator[Office]:
    """The office, before its first ingest."""
    site = Site()
    site.add_space("ENG", "Engineering")
    ada, bob, cem = (
        site.add_user(name, email=f"{name.lower()}@example.com") for name in ("Ada", "Bob", "Cem")
    )
    staff = site.permissions.add_group("Staff", ada, bob)
    legal = site.permissions.add_group("Legal Team", ada, cem)
    async with asked_wiki(site, doors, deployment, edition) as wiki:
        yield Office(wiki, ada, bob, cem, staff, legal)
