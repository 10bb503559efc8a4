"""Confluence Cloud as a source: groups, their members, guests and accounts."""

from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter

from index.principals import class_of_people, group
from ingest.sources.http import NotVisible, UnexpectedAnswer
from tests.confluence.content import User
from tests.confluence.faults import Fault, Json, rewritten
from tests.confluence.samples import site_with_space
from tests.ingest.cloud_sites import Scene, scene

pytestmark = pytest.mark.anyio

MEMBERS = "*/membersByGroupId"
GUESTS = class_of_people("guest-users")


@pytest.fixture
def served() -> Iterator[Scene]:
    """An empty space."""
    with scene(site_with_space()) as one:
        yield one


async def classes(served: Scene, *accounts: User) -> list[frozenset[str]]:
    """The classes of accounts, after the site groups and their members were read."""
    ids = [account.account_id for account in accounts]
    async with served.source() as source:
        for reader in await source.access.site_readers():
            if reader.kind == "group":
                await source.access.members(reader.name)
        found = {each.account_id: each.classes for each in await source.access.accounts(ids)}
    return [found[account_id] for account_id in ids]


def changed_results(name: str, value: object) -> Fault:
    """A fault that changes one field of everybody in an answer."""

    def changed(answer: Json) -> Json:
        results = TypeAdapter(list[Json]).validate_python(answer["results"])
        return {**answer, "results": [{**result, name: value} for result in results]}

    return rewritten(changed)


async def test_groups_that_let_their_members_in_and_guests_use_the_site(served: Scene) -> None:
    permissions = served.site.permissions
    staff = permissions.add_group("Staff", grants_site=True)
    permissions.add_group("Team")

    async with served.source() as source:
        found = await source.access.site_readers()

    assert found == {GUESTS, group(staff.id), group(permissions.users_group.id)}


async def test_hundreds_of_groups_are_read_to_the_end(served: Scene) -> None:
    permissions = served.site.permissions
    groups = [permissions.add_group(f"G{n}", grants_site=True) for n in range(450)]

    async with served.source() as source:
        found = await source.access.site_readers()

    assert {group(each.id) for each in groups} < found


@pytest.mark.parametrize("count", [0, 199, 200, 201, 450])
async def test_all_members_of_a_group_are_read(served: Scene, count: int) -> None:
    people = [served.site.add_user(f"Person {number}") for number in range(count)]
    team = served.site.permissions.add_group("Team / ÄÖ?#", *people)

    async with served.source() as source:
        members = await source.access.members(team.id)

    assert members == {person.account_id for person in people}
    assert served.site.request_log.count(MEMBERS) == 1 + count // 200


async def test_a_site_that_gives_fewer_members_at_once_is_read_to_the_end(served: Scene) -> None:
    people = [served.site.add_user(f"Person {number}") for number in range(120)]
    team = served.site.permissions.add_group("Team", *people)

    def shorter(answer: Json) -> Json:
        results = TypeAdapter(list[Json]).validate_python(answer["results"])[:50]
        return {**answer, "results": results, "size": len(results), "_links": {}}

    served.spoil(rewritten(shorter), MEMBERS)

    async with served.source() as source:
        assert len(await source.access.members(team.id)) == 120


@pytest.mark.parametrize("change", [{"results": [], "size": 0}, {"size": 5}])
async def test_a_list_of_members_that_is_cut_off_raises(served: Scene, change: Json) -> None:
    people = [served.site.add_user(f"Person {number}") for number in range(3)]
    team = served.site.permissions.add_group("Team", *people)
    served.spoil(rewritten(lambda answer: {**answer, **change}), MEMBERS)

    async with served.source() as source:
        with pytest.raises(UnexpectedAnswer, match="cuts off"):
            await source.access.members(team.id)


async def test_a_list_of_members_without_end_raises(served: Scene) -> None:
    team = served.site.permissions.add_group("Team", served.site.add_user("Ada"))
    served.spoil(rewritten(lambda answer: {**answer, "limit": 1}), MEMBERS)
    served.spoil(rewritten(lambda answer: {**answer, "totalSize": 9}), MEMBERS)

    async with served.source() as source:
        with pytest.raises(UnexpectedAnswer, match="cuts off"):
            await source.access.members(team.id)


@pytest.mark.parametrize("group_id", ["8f2c", "../user/current", "a/b", "%2e%2e"])
async def test_an_unknown_group_raises(served: Scene, group_id: str) -> None:
    async with served.source() as source:
        with pytest.raises(NotVisible):
            await source.access.members(group_id)


async def test_a_group_whose_members_are_not_told_raises(served: Scene) -> None:
    team = served.site.permissions.add_group("Team")
    served.site.permissions.untold.add(team.id)

    async with served.source() as source:
        with pytest.raises(NotVisible):
            await source.access.members(team.id)


async def test_accounts_are_told_with_their_address_where_it_is_shown(served: Scene) -> None:
    shown = served.site.add_user("Ada", email="ada@example.com")
    private = served.site.add_user("Ben")
    ids = [shown.account_id, private.account_id, "712020:unknown"]

    async with served.source() as source:
        accounts = {each.account_id: each for each in await source.access.accounts(ids)}

    assert set(accounts) == {shown.account_id, private.account_id}
    assert accounts[shown.account_id].email == "ada@example.com"
    assert accounts[private.account_id].email is None
    assert all(account.is_active and account.username is None for account in accounts.values())


async def test_accounts_are_asked_for_250_at_a_time(served: Scene) -> None:
    ids = [served.site.add_user(f"Person {number}").account_id for number in range(501)]

    async with served.source() as source:
        accounts = await source.access.accounts(ids)
        assert await source.access.accounts([]) == []

    assert sorted(account.account_id for account in accounts) == sorted(ids)
    assert served.site.request_log.count("*/users-bulk") == 3


@pytest.mark.parametrize("status", ["inactive", "closed", "unknown"])
async def test_accounts_that_are_not_active_count_to_nobody(served: Scene, status: str) -> None:
    ada = served.site.add_user("Ada")
    served.spoil(changed_results("accountStatus", status), "*/users-bulk")

    async with served.source() as source:
        (account,) = await source.access.accounts([ada.account_id])

    assert not account.is_active
    assert account.classes == frozenset()


async def test_members_of_site_groups_count_as_licensed_but_guests_and_others_do_not(
    served: Scene,
) -> None:
    site = served.site
    member, guest = site.add_user("Ada"), site.add_user("Guest")
    outside = site.add_user("Customer", account_type="customer")
    site.permissions.guests.add(guest.account_id)
    site.permissions.add_group("Team", outside)
    everybody = {"anonymous-users", "authenticated-users"}

    found = await classes(served, member, guest, outside)

    assert found == [everybody | {"all-licensed-users"}, everybody | {"guest-users"}, everybody]


async def test_nobody_is_licensed_by_members_that_are_not_told(served: Scene) -> None:
    ada = served.site.add_user("Ada")

    async with served.source() as source:
        await source.access.site_readers()
        (account,) = await source.access.accounts([ada.account_id])

    assert "all-licensed-users" not in account.classes


async def test_a_new_round_forgets_who_was_licensed(served: Scene) -> None:
    site = served.site
    ada = site.add_user("Ada")

    async with served.source() as source:
        await source.access.site_readers()
        await source.access.members(site.permissions.users_group.id)
        await source.access.site_readers()
        (account,) = await source.access.accounts([ada.account_id])

    assert "all-licensed-users" not in account.classes


async def test_who_is_no_guest_any_more_counts_as_licensed(served: Scene) -> None:
    ada = served.site.add_user("Ada")
    served.site.permissions.guests.add(ada.account_id)
    (before,) = await classes(served, ada)

    served.site.permissions.guests.clear()

    (after,) = await classes(served, ada)
    assert ("guest-users" in before, "all-licensed-users" in before) == (True, False)
    assert ("guest-users" in after, "all-licensed-users" in after) == (False, True)


@pytest.mark.parametrize(
    ("in_group", "in_bulk", "expected"),
    [
        (True, False, "guest-users"),
        (False, True, "guest-users"),
        (None, False, "all-licensed-users"),
        (False, None, "all-licensed-users"),
        (None, None, None),
    ],
)
async def test_whoever_may_be_a_guest_does_not_count_as_licensed(
    served: Scene, in_group: bool | None, in_bulk: bool | None, expected: str | None
) -> None:
    ada = served.site.add_user("Ada")
    served.spoil(changed_results("isGuest", in_group), MEMBERS)
    served.spoil(changed_results("isExternalCollaborator", in_bulk), "*/users-bulk")

    (found,) = await classes(served, ada)

    assert found - {"anonymous-users", "authenticated-users"} == ({expected} if expected else set())
