"""Confluence Cloud as a source: who may read what, all permissions together."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeVar

import pytest

from index.principals import class_of_people, group, user
from index.records import ContentType
from ingest.sources.cloud import CloudSource
from ingest.sources.http import NotVisible
from tests.confluence.content import AccountType, Content, ContentKind, User
from tests.confluence.permissions import ANONYMOUS, AUTHENTICATED, LICENSED, Grant, RoleMode
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site
from tests.ingest.cloud_sites import Scene, as_user, bulk, first_space, restricted, scene

pytestmark = pytest.mark.anyio

T = TypeVar("T")


@pytest.fixture
def served() -> Iterator[Scene]:
    """An empty space."""
    with scene(site_with_space()) as one:
        yield one


async def test_a_group_goes_by_its_id_whatever_its_name(served: Scene) -> None:
    site = served.site
    ada = site.add_user("Ada")
    team, page = site.permissions.add_group("Team", ada), site.add_page("ENG", "Page")
    site.permissions.grant(site.space("ENG"), ("group", team.id))
    before = restricted(served, page, ("group", team.id))

    site.permissions.rename_group(team, "Crew")
    site.permissions.add_group("Team", site.add_user("Ben"))

    async with served.source() as source:
        assert group(team.id) in await source.access.space_readers(await first_space(source))
        assert await bulk(source) == {page.id: before}
        assert await source.access.members(team.id) == {ada.account_id}


@pytest.mark.parametrize(
    ("lacking", "asks"),
    [
        ("read:space.permission", "roles"),
        ("read:configuration", "mode"),
        ("read:group", "groups"),
        ("read:group", "members"),
        ("read:content-details", "restriction"),
        ("search", "restrictions"),
    ],
)
async def test_a_scope_that_lacks_is_named(served: Scene, lacking: str, asks: str) -> None:
    site = served.site
    page = site.add_page("ENG", "Page")
    site.permissions.role_mode = "ROLES"
    reader = site.permissions.add_role("Reader", can_view=True)
    site.permissions.assign(site.space("ENG"), reader, as_user(site.crawler))
    names = ("space", "page", "user", "space.permission", "configuration", "group")
    every = {"search", *(f"read:{name}" for name in (*names, "content-details"))} - {lacking}
    token = site.issue_token(site.crawler, scopes={f"{name}:confluence" for name in every})

    async with served.source(token) as source:
        space = await first_space(source)
        with pytest.raises(NotVisible, match=rf"\({lacking}:confluence\)"):
            match asks:
                case "roles" | "mode":
                    await source.access.space_readers(space)
                case "groups":
                    await source.access.site_readers()
                case "members":
                    await source.access.members(site.permissions.users_group.id)
                case "restriction":
                    await source.access.restriction(page.id, ContentType.PAGE)
                case _:
                    await bulk(source)


async def test_a_live_site_is_no_snapshot(served: Scene) -> None:
    async with served.source() as source:
        assert not source.access.is_snapshot


class Draw:
    """A site drawn at random, whose pages the crawler sees all."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.site = Site()
        self.permissions = self.site.permissions
        self.people = [self._person(number) for number in range(8)]
        self.groups = [
            self.permissions.add_group(f"Group {number}", *self._some(self.people))
            for number in range(4)
        ]
        self.permissions.site_groups |= {group.id for group in self._some(self.groups)}
        modes: tuple[RoleMode, ...] = ("PRE_ROLES", "ROLES_TRANSITION", "ROLES")
        self.permissions.role_mode = self.dice.choice(modes)
        self._fill()

    def _person(self, number: int) -> User:
        kind: AccountType = self.dice.choice(("atlassian", "atlassian", "app", "customer"))
        person = self.site.add_user(f"Person {number}", account_type=kind)
        if self.dice.random() < 0.25:
            self.permissions.leave(self.permissions.users_group, person)
        if self.dice.random() < 0.25:
            self.permissions.guests.add(person.account_id)
        if self.dice.random() < 0.2:
            self.site.set_status(person, self.dice.choice(("inactive", "closed", "unknown")))
        return person

    def _fill(self) -> None:
        roles = [
            self.permissions.add_role("Reader", can_view=True, kind="SYSTEM"),
            self.permissions.add_role("Exporter", can_view=False),
        ]
        for key in ("ENG", "HR"):
            space = self.site.add_space(key)
            if self.dice.random() < 0.7:
                self.permissions.revoke(space, ("group", self.permissions.users_group.id))
            self.permissions.grant(space, as_user(self.site.crawler), *self._grants())
            self.permissions.grant(space, *self._classes())
            self.permissions.assign(space, roles[0], as_user(self.site.crawler), *self._grants())
            for role in roles:
                self.permissions.assign(space, role, *self._grants(), *self._classes())
            nodes: list[Content] = []
            for number in range(8):
                kind: ContentKind = self.dice.choice(("page", "page", "folder", "whiteboard"))
                parent = self.dice.choice([None, *nodes])
                nodes.append(
                    self.site.add_node(kind, key, f"{key} {number}", parent=parent and parent.id)
                )
            nodes.append(self.site.add_blogpost(key, "Post"))
            for node in self._some(nodes):
                self.permissions.restrict(node, as_user(self.site.crawler), *self._grants())

    def _grants(self) -> list[Grant]:
        groups: list[Grant] = [("group", group.id) for group in self._some(self.groups)]
        return [*map(as_user, self._some(self.people)), *groups]

    def _classes(self) -> list[Grant]:
        names = (ANONYMOUS, AUTHENTICATED, LICENSED)
        return [("class", name) for name in names if self.dice.random() < 0.2]

    def _some(self, things: Sequence[T]) -> list[T]:
        return [thing for thing in things if self.dice.random() < 0.4]


async def told(source: CloudSource, drawn: Draw) -> set[tuple[str, str]]:
    """Who may view what, by account and content id, as the rule makes of all that is told."""
    access, pairs = source.access, set[tuple[str, str]]()
    site_readers = await access.site_readers()
    members = {name: await access.members(name) for name in drawn.permissions.groups}
    accounts = await access.accounts([person.account_id for person in drawn.people])
    principals = {
        account.account_id: {
            user(account.account_id),
            *map(class_of_people, account.classes),
            *(group(name) for name, people in members.items() if account.account_id in people),
        }
        for account in accounts
        if account.is_active
    }
    for space in await source.spaces():
        readers = await access.space_readers(space)
        restrictions = {id: who async for id, who in access.restrictions(space)}
        for content in drawn.site.contents.values():
            if content.id in restrictions:
                chain = [content, *drawn.site.ancestors(content)]
                guards = [site_readers, readers, *filter(None, (restrictions[c.id] for c in chain))]
                pairs |= {
                    (account_id, content.id)
                    for account_id, own in principals.items()
                    if all(own & guard for guard in guards)
                }
    return pairs


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_told_makes_the_verdict_of_the_site_on_everybody(seed: int) -> None:
    drawn = Draw(seed)

    with scene(drawn.site) as served:
        async with served.source() as source:
            pairs = await told(source, drawn)

    assert pairs == {
        (person.account_id, content.id)
        for person in drawn.people
        for content in drawn.site.contents.values()
        if drawn.site.is_allowed(person, content)
    }
