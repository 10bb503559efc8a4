"""What a simulated Data Center tells of permissions, against who may really view what there."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

import pytest

from index.principals import Account, Principal, PrincipalKind, class_of_people, group, user
from index.records import Space
from ingest.sources.datacenter_access import DataCenterAccess
from tests.confluence.content import Content, User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.permissions import ANONYMOUS, Grant, Group
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import scene

pytestmark = pytest.mark.anyio

KEYS = ("ENG", "HR", "OPS")
SITE_GROUPS = frozenset({"confluence-users", "Partners"})

Readers = frozenset[Principal]


@dataclass(frozen=True, slots=True)
class Told:
    """All that a source tells of permissions."""

    site: Readers
    spaces: dict[str, Readers]
    nodes: dict[str, Readers]
    members: dict[str, frozenset[str]]
    accounts: dict[str, Account]

    def may_view(self, user_key: str, space_key: str, chain: Iterable[Content]) -> bool:
        """Whether every layer lets an account pass; a node of which nothing is told does not."""
        account = self.accounts.get(user_key)
        if account is None or not account.is_active:
            return False
        principals = {user(user_key), *(class_of_people(name) for name in account.classes)}
        principals |= {group(name) for name, keys in self.members.items() if user_key in keys}
        layers = [self.site, self.spaces[space_key]]
        layers += [self.nodes[node.id] for node in chain if self.nodes[node.id]]
        return all(principals & layer for layer in layers)


async def all_told(site: Site, access: DataCenterAccess) -> Told:
    """The source asked for everything, in the order of an ingest."""
    site_readers = await access.site_readers()
    spaces: dict[str, Readers] = {}
    nodes: dict[str, Readers] = {}
    for key in KEYS:
        space = Space(key, key, "")
        spaces[key] = await access.space_readers(space)
        nodes |= {node_id: allowed async for node_id, allowed in access.restrictions(space)}
    named = site_readers.union(*spaces.values(), *nodes.values())
    groups = [principal.name for principal in named if principal.kind is PrincipalKind.GROUP]
    members = {name: await access.members(name) for name in groups}
    accounts = await access.accounts([person.user_key for person in site.users.values()])
    known = {account.account_id: account for account in accounts}
    return Told(site_readers, spaces, nodes, members, known)


def random_site(dice: Random) -> Site:
    """A few people, groups, spaces and pages, granted and restricted at random."""
    site = Site()
    people = [site.add_user(f"Person {number}", account_type=_kind(number)) for number in range(8)]
    groups = [_random_group(site, name, people, dice) for name in ("Partners", "Staff", "Board")]
    site.permissions.site_groups.add(groups[0].id)
    for outer in groups:
        site.permissions.nest(outer, dice.choice(groups))
    site.set_status(people[0], "inactive")
    site.permissions.guests |= {people[1].account_id, people[7].account_id}
    subjects: list[Grant] = [("user", one.account_id) for one in people]
    every_group = (*groups, site.permissions.users_group)
    subjects.extend(("group", one.id) for one in every_group)
    for key in KEYS:
        _fill(site, key, subjects, dice)
    site.may_view = lambda person, thing: True
    return site


def _kind(number: int) -> Literal["atlassian", "customer"]:
    return "customer" if number > 5 else "atlassian"


def _random_group(site: Site, name: str, people: list[User], dice: Random) -> Group:
    return site.permissions.add_group(name, *dice.sample(people, 3))


def _fill(site: Site, key: str, subjects: list[Grant], dice: Random) -> None:
    space = site.add_space(key)
    if dice.random() < 0.7:
        site.permissions.revoke(space, ("group", site.permissions.users_group.id))
    if dice.random() < 0.3:
        site.permissions.grant(space, ("class", ANONYMOUS))
    site.permissions.grant(space, *dice.sample(subjects, 3))
    pages: list[Content] = [site.add_blogpost(key, "News")]
    for number in range(12):
        parents = [None, *(page.id for page in pages if page.kind == "page")]
        pages.append(site.add_page(key, f"Page {number}", parent=dice.choice(parents)))
    for page in dice.sample(pages, 4):
        site.permissions.restrict(page, *dice.sample(subjects, dice.randint(1, 3)))


@pytest.mark.parametrize(
    ("version", "flattens", "is_exact"),
    [
        ("7.19.16", True, False),  # of guests nothing is told before 9.2
        ("7.19.16", False, False),
        ("9.0.3", False, False),
        ("9.2.1", True, True),
        ("9.2.1", False, True),
        ("10.0.3", False, True),
    ],
)
@pytest.mark.parametrize("seed", range(2))
async def test_people_may_view_what_they_are_told_to_and_no_more(
    version: str, flattens: bool, is_exact: bool, seed: int
) -> None:
    site = random_site(Random(seed))
    permissions = site.permissions

    with scene(site, Edition(version, flattens_groups=flattens)) as served:
        async with served.source(site_groups=SITE_GROUPS) as source:
            told = await all_told(site, source.access)

    verdicts: list[tuple[bool, bool]] = []
    for person in site.users.values():
        for page in site.contents.values():
            space, chain = site.spaces[page.space_id], [*site.ancestors(page), page]
            may_view = permissions.may_view_space(person, space)
            may_view = may_view and permissions.may_view_content(person, chain)
            verdicts.append((told.may_view(person.user_key, space.key, chain), may_view))
    assert [pair for pair in verdicts if pair == (True, False)] == []
    assert not is_exact or [pair for pair in verdicts if pair == (False, True)] == []
    assert (True, True) in verdicts
    assert (False, False) in verdicts
