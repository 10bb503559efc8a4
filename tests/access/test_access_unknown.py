"""What a site does not tell, or has not told lately, and whoever is not known: all is closed."""

from dataclasses import replace
from typing import LiteralString

import pytest

from tests.access.asked_wiki import LOOK, everything_found, page_or_none
from tests.access.door import open_app
from tests.access.office import Office
from tests.confluence.accounts import EMAIL
from tests.confluence.faults import failing

pytestmark = pytest.mark.anyio

AGED = {
    "the guard of the site": "UPDATE guard SET checked_at = now() - interval '4 days' "
    "WHERE kind = 'site'",
    "the guard of the space": "UPDATE guard SET checked_at = now() - interval '4 days' "
    "WHERE kind = 'space'",
    "the guard of the page": "UPDATE guard SET checked_at = now() - interval '4 days' "
    "WHERE kind = 'node'",
    "all restrictions": "UPDATE space SET restrictions_at = now() - interval '4 days'",
    "the members of groups": "UPDATE account_group SET checked_at = now() - interval '4 days'",
    "the account": "UPDATE account SET checked_at = now() - interval '4 days'",
}


async def test_a_space_whose_permissions_are_not_told_is_closed(any_office: Office) -> None:
    office = any_office
    office.site.add_space("HR")
    office.page("Page", key="HR")
    office.page("Open")
    await office.wiki.run()

    office.site.permissions.untold.add(office.site.space("HR").id)
    report = await office.wiki.run()

    assert await office.shown(office.ada) == [["Open"]]
    assert any("the spaces HR cannot be told" in warning for warning in report.warnings)


async def test_a_restriction_that_is_not_told_closes_all_below(any_office: Office) -> None:
    office = any_office
    top = office.page("Top")
    page = office.page("Page", top)
    office.page("Below", page)
    await office.wiki.run()

    office.site.permissions.untold.add(page.id)
    report = await office.wiki.run()

    assert await office.shown(office.ada) == [["Top"]]
    assert any(f"the pages {page.id} cannot be told" in warning for warning in report.warnings)


async def test_a_group_whose_members_are_not_told_lets_nobody_in(any_office: Office) -> None:
    office = any_office
    office.restrict(office.page("Page"), office.staff, office.cem)
    await office.wiki.run()
    before = await office.shown(office.bob, office.cem)

    office.site.permissions.untold.add(office.staff.id)
    report = await office.wiki.run()

    assert before == [["Page"], ["Page"]]
    assert await office.shown(office.bob, office.cem) == [[], ["Page"]]
    assert any("the groups" in warning for warning in report.warnings)


@pytest.mark.parametrize("statement", AGED.values(), ids=AGED.keys())
async def test_permissions_that_are_too_old_are_believed_no_more(
    any_office: Office, statement: LiteralString
) -> None:
    office = any_office
    office.restrict(office.page("Page"), office.staff)
    await office.wiki.run()
    before = await office.shown(office.bob)

    async with office.wiki.doors.database.pool.connection() as connection:
        await connection.execute(statement)
    old = await office.shown(office.bob)
    await office.wiki.run()

    assert (before, old) == ([["Page"]], [[]])
    assert await office.shown(office.bob) == [["Page"]]


async def test_without_permissions_nobody_is_shown_anything_but_the_crawler(
    any_office: Office,
) -> None:
    office = any_office
    page = office.page("Page")
    await office.wiki.run(replace(LOOK, has_access=False))

    nobody = await office.shown(office.ada, office.site.crawler)
    async with open_app(office.wiki.doors.settings) as client:
        read = await page_or_none(client, page.id)
        found = await everything_found(client)

    assert nobody == [[], []]
    assert read is not None
    assert found == {page.id}


async def test_a_site_that_tells_nothing_any_more_keeps_what_was_known(any_office: Office) -> None:
    office = any_office
    office.restrict(office.page("Page"), office.staff)
    await office.wiki.run()

    for path in ("*restriction*", "*permissions*", "*group*", "*users-bulk", "*/content/search"):
        office.wiki.faults.add(failing(503), path, times=None)
    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [["Page"], []]


async def test_an_address_leads_to_its_account_in_upper_and_lower_case(office: Office) -> None:
    page = office.page("Page")
    await office.wiki.run()

    door = office.wiki.doors.by_email
    client = await door.client(email="BOB@Example.com", email_verified=True)

    assert await page_or_none(client, page.id) is not None


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "bob@example.com"},
        {"email": "bob@example.com", "email_verified": False},
        {"email": "bob@example.com", "email_verified": "true"},
        {"email": "bob@example.org", "email_verified": True},
        {"email": "", "email_verified": True},
        {"email": "Bob", "email_verified": True},
        {"email_verified": True},
        {"confluence_account": "bob@example.com"},
    ],
)
async def test_whoever_cannot_prove_an_address_is_nobody(
    office: Office, claims: dict[str, str | bool]
) -> None:
    page = office.page("Page")
    await office.wiki.run()

    client = await office.wiki.doors.by_email.client(**claims)

    assert await page_or_none(client, page.id) is None
    assert await everything_found(client) == frozenset()


async def test_an_address_that_is_kept_private_leads_nowhere(office: Office) -> None:
    eve = office.site.add_user("Eve")
    page = office.page("Page")
    await office.wiki.run()

    by_email = await office.wiki.client(eve, by_email=True)

    assert await page_or_none(by_email, page.id) is None
    assert await office.shown(eve) == [["Page"]]


async def test_an_address_that_two_accounts_share_leads_nowhere(office: Office) -> None:
    office.site.add_user("Bob Again", email=office.bob.email)
    page = office.page("Page")
    await office.wiki.run()

    client = await office.wiki.client(office.bob, by_email=True)

    assert await page_or_none(client, page.id) is None


async def test_an_account_that_was_closed_leaves_its_address_to_another(office: Office) -> None:
    office.site.set_status(office.bob, "closed")
    heir = office.site.add_user("Bob Again", email=office.bob.email)
    page = office.page("Page")
    office.restrict(office.page("Old", page), office.bob)
    office.restrict(office.page("New", page), heir)
    await office.wiki.run()

    client = await office.wiki.client(heir, by_email=True)

    shown = await office.wiki.view(client)
    assert sorted(page.title for page in shown.read.values()) == ["New", "Page"]


async def test_the_account_of_the_crawler_is_an_asker_like_others(office: Office) -> None:
    office.page("Page")
    await office.wiki.run()

    client = await office.wiki.doors.by_email.client(email=EMAIL, email_verified=True)

    assert len(await everything_found(client)) == 1
