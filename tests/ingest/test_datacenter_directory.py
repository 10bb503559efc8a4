"""Groups and accounts of a simulated Data Center, as the source tells them."""

import pytest

from index.errors import SourceError
from index.principals import ANONYMOUS, AUTHENTICATED, LICENSED
from index.records import Space
from ingest.sources.http import NotVisible
from tests.confluence.content import User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import Json, failing, rewritten
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import reading

pytestmark = pytest.mark.anyio

ENG = Space("ENG", "Engineering", "")


@pytest.fixture
def site() -> Site:
    """An empty space, ENG."""
    return site_with_space()


# Groups.


@pytest.mark.parametrize("version", ["7.19.16", "8.5.4", "10.0.3"])
async def test_a_group_of_many_is_told_whole(site: Site, version: str) -> None:
    people = [site.add_user(f"Person {number}") for number in range(55)]
    site.permissions.add_group("Crowd & Co", *people)

    async with reading(site, Edition(version, most=20)) as (_, access):
        members = await access.members("crowd & co")

    assert members == {person.user_key for person in people}


@pytest.mark.parametrize(
    ("version", "flattens"), [("7.19.16", True), ("8.5.4", True), ("8.5.4", False)]
)
async def test_members_of_groups_within_a_group_are_its_members(
    site: Site, version: str, flattens: bool
) -> None:
    ada, blaise, carl = (site.add_user(name) for name in ("Ada", "Blaise", "Carl"))
    permissions = site.permissions
    outer, middle, inner = (
        permissions.add_group(name, person)
        for name, person in (("Outer", ada), ("Middle", blaise), ("Inner", carl))
    )
    permissions.nest(outer, middle)
    permissions.nest(middle, inner)
    permissions.nest(inner, outer)

    async with reading(site, Edition(version, flattens_groups=flattens)) as (_, access):
        members = await access.members("outer")

    assert members == {person.user_key for person in (ada, blaise, carl)}


async def test_where_groups_within_are_not_told_nobody_is_added_by_guess(site: Site) -> None:
    ada, blaise = site.add_user("Ada"), site.add_user("Blaise")
    outer = site.permissions.add_group("Outer", ada)
    site.permissions.nest(outer, site.permissions.add_group("Inner", blaise))

    async with reading(site, Edition("7.19.16", flattens_groups=False)) as (_, access):
        assert await access.members("outer") == {ada.user_key}


async def test_each_group_is_asked_for_once(site: Site) -> None:
    outer, other = site.permissions.add_group("Outer"), site.permissions.add_group("Other")
    inner = site.permissions.add_group("Inner")
    site.permissions.nest(outer, inner)
    site.permissions.nest(other, inner)

    async with reading(site) as (_, access):
        for name in ("outer", "other", "inner"):
            await access.members(name)

    assert site.request_log.count("*/rest/api/group/*/member") == 3
    assert site.request_log.count("*/rest/api/group/*/groupmember") == 3


async def test_that_groups_within_are_not_told_is_learnt_once(site: Site) -> None:
    site.permissions.add_group("Other")

    async with reading(site, Edition("7.19.16")) as (_, access):
        await access.members("confluence-users")
        asked = site.request_log.count("*/groupmember")
        await access.members("other")

    assert site.request_log.count("*/groupmember") == asked


@pytest.mark.parametrize("name", ["R/D", "R\\D"])
async def test_a_group_with_a_slash_in_its_name_cannot_be_asked(site: Site, name: str) -> None:
    site.permissions.add_group(name, site.crawler)

    async with reading(site) as (_, access):
        with pytest.raises(NotVisible, match="its name has a slash"):
            await access.members(name.lower())

    assert site.request_log.count("*/rest/api/group/*") == 0


async def test_a_group_within_that_cannot_be_asked_leaves_the_outer_one_unknown(
    site: Site,
) -> None:
    outer = site.permissions.add_group("Outer", site.crawler)
    site.permissions.nest(outer, site.permissions.add_group("R/D"))

    async with reading(site) as (_, access):
        with pytest.raises(NotVisible, match="r/d"):
            await access.members("outer")


async def test_groups_are_told_to_administrators_only(site: Site) -> None:
    async with reading(site, Edition(is_administrator=False)) as (_, access):
        with pytest.raises(NotVisible, match="Make the account a Confluence administrator"):
            await access.members("confluence-users")


@pytest.mark.parametrize("name", ["untold", "no such group"])
async def test_a_group_that_is_not_told_is_unknown(site: Site, name: str) -> None:
    site.permissions.untold.add(site.permissions.add_group("Untold").id)

    async with reading(site) as (_, access):
        with pytest.raises(NotVisible):
            await access.members(name)


async def test_a_group_that_breaks_off_is_unknown(site: Site) -> None:
    site.permissions.add_group("Crowd", *(site.add_user(f"Person {n}") for n in range(50)))

    async with reading(site, Edition(most=20)) as (served, access):
        served.faults.add(failing(403), "*/member", query="*start=10&*", times=None)
        served.faults.add(failing(403), "*/member", query="*start=10", times=None)
        with pytest.raises(SourceError):
            await access.members("crowd")


# Accounts.


async def test_accounts_come_with_their_groups(site: Site) -> None:
    ada = site.add_user("Ada Lovelace", email="ada@example.com")
    left = site.set_status(site.add_user("Left"), "inactive")

    async with reading(site) as (_, access):
        await access.site_readers()
        members = await access.members("confluence-users")
        site.request_log.clear()
        accounts = {one.account_id: one for one in await access.accounts(members)}

    assert site.request_log.entries == []
    assert accounts.keys() == {one.user_key for one in (ada, left, site.crawler)}
    assert accounts[ada.user_key].is_active
    assert accounts[ada.user_key].username == "ada"
    assert accounts[ada.user_key].email is None
    assert not accounts[left.user_key].is_active


async def test_other_accounts_are_asked_for_one_by_one(site: Site) -> None:
    ada, gone = site.add_user("Ada"), User("gone", "", "")

    async with reading(site) as (_, access):
        accounts = await access.accounts([ada.user_key, gone.user_key, ada.user_key])

    assert [one.account_id for one in accounts] == [ada.user_key]
    assert site.request_log.count("*/rest/api/user") == 2


async def test_who_may_use_the_site_counts_as_licensed(site: Site) -> None:
    guest = site.add_user("Guest", account_type="customer")
    stranger = site.add_user("Stranger", account_type="customer")
    site.permissions.guests.add(guest.account_id)
    keys = [site.crawler.user_key, guest.user_key, stranger.user_key]

    async with reading(site) as (_, access):
        await access.site_readers()
        await access.members("confluence-users")
        classes = [one.classes for one in await access.accounts(keys)]

    signed_in = {ANONYMOUS.name, AUTHENTICATED.name}
    assert classes == [signed_in | {LICENSED.name}, signed_in | {LICENSED.name}, signed_in]


async def test_people_who_may_not_be_looked_at_are_unknown(site: Site) -> None:
    async with reading(site) as (served, access):
        served.faults.add(failing(403), "*/rest/api/user", times=None)
        with pytest.raises(NotVisible):
            await access.accounts([site.crawler.user_key])


async def test_an_account_of_unknown_state_grants_nothing(site: Site) -> None:
    def stateless(answer: Json) -> Json:
        return {name: value for name, value in answer.items() if name != "status"}

    async with reading(site) as (served, access):
        served.faults.add(rewritten(stateless), "*/rest/api/user")
        (account,) = await access.accounts([site.crawler.user_key])

    assert not account.is_active


async def test_each_round_reads_groups_and_accounts_anew(site: Site) -> None:
    ada = site.add_user("Ada")
    async with reading(site) as (_, access):
        await access.site_readers()
        await access.members("confluence-users")
        site.permissions.leave(site.permissions.users_group, ada)
        site.set_status(ada, "inactive")
        await access.site_readers()
        members = await access.members("confluence-users")
        (account,) = await access.accounts([ada.user_key])

    assert members == {site.crawler.user_key}
    assert not account.is_active


async def test_a_live_site_is_no_snapshot(site: Site) -> None:
    async with reading(site) as (_, access):
        assert not access.is_snapshot
