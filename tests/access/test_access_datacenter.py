"""What is different about who may view what on Data Center, from the site to calls over HTTP."""

import pytest

from ingest.sources.source import Deployment
from tests.access.asked_wiki import Doors, page_or_none
from tests.access.door import ACCOUNT
from tests.access.office import opened_office
from tests.confluence.datacenter.edition import Edition

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("flattens_groups", [True, False])
async def test_members_of_a_group_within_a_group_are_let_in(
    open_doors: Doors, flattens_groups: bool
) -> None:
    edition = Edition(flattens_groups=flattens_groups)
    async with opened_office(open_doors, Deployment.DATACENTER, edition) as office:
        permissions = office.site.permissions
        middle = permissions.add_group("Middle")
        outer = permissions.add_group("Outer", office.cem)
        permissions.nest(outer, middle)
        permissions.nest(middle, office.staff)
        permissions.nest(office.staff, outer)
        office.restrict(office.page("Page"), outer)
        office.restrict(office.page("Middle"), middle)
        stranger = office.site.add_user("Dan", email="dan@example.com")

        await office.wiki.run()

        assert await office.shown(office.bob, office.cem) == 2 * [["Middle", "Page"]]
        assert await office.shown(stranger) == [[]]


@pytest.mark.parametrize("flattens_groups", [True, False])
async def test_a_group_within_a_group_that_is_not_told_closes_both(
    open_doors: Doors, flattens_groups: bool
) -> None:
    edition = Edition(flattens_groups=flattens_groups)
    async with opened_office(open_doors, Deployment.DATACENTER, edition) as office:
        permissions = office.site.permissions
        outer = permissions.add_group("Outer", office.cem)
        permissions.nest(outer, office.staff)
        permissions.untold.add(office.staff.id)
        office.restrict(office.page("Page"), outer)

        await office.wiki.run()

        assert await office.shown(office.bob, office.cem) == [[], []]


async def test_somebody_is_known_by_user_name_or_key_in_upper_and_lower_case(
    open_doors: Doors,
) -> None:
    async with opened_office(open_doors, Deployment.DATACENTER) as office:
        page = office.page("Page")
        office.restrict(page, office.bob)
        await office.wiki.run()

        known: list[bool] = []
        for name in ("bob", "BOB", office.bob.user_key, "cem", office.bob.email, ""):
            client = await open_doors.by_account.client(**{ACCOUNT: name})
            known.append(await page_or_none(client, page.id) is not None)

    assert known == [True, True, True, False, False, False]


async def test_groups_are_the_same_in_upper_and_lower_case(open_doors: Doors) -> None:
    async with opened_office(open_doors, Deployment.DATACENTER) as office:
        office.restrict(office.page("Page"), office.staff)
        await office.wiki.run()

        office.site.permissions.rename_group(office.staff, office.staff.name.upper())
        await office.wiki.run()

        assert await office.shown(office.bob, office.cem) == [["Page"], []]
