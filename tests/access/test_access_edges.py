"""Cases at the edges of who may view what, each from the site to calls over HTTP."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.access.asked_wiki import LOOK, page_or_none
from tests.access.office import Office, grant_to
from tests.confluence.content import ContentKind
from tests.confluence.faults import before, failing
from tests.confluence.permissions import ANONYMOUS, AUTHENTICATED, LICENSED, Grant
from tests.server.asking import refused, titles

pytestmark = pytest.mark.anyio


def users(office: Office) -> Grant:
    """What is granted to everybody at the site."""
    return "group", office.site.permissions.users_group.id


# How blog posts are listed on Cloud and on Data Center, which follow pages.
BLOG_POSTS = ("*/spaces/*/blogposts", "*"), ("*/content", "*type=blogpost*")


def once_pages_are_listed(office: Office, action: Callable[[], object]) -> None:
    """Lets something happen in the midst of the next run: permissions are read after listings."""
    for path, query in BLOG_POSTS:
        office.wiki.faults.add(before(action), path, query=query)


async def test_restrictions_to_disjoint_groups_let_in_whoever_is_in_both(
    any_office: Office,
) -> None:
    office = any_office
    top = office.page("Top")
    page = office.page("Page", office.page("Middle", top))
    office.restrict(top, office.staff)
    office.restrict(page, office.legal)

    await office.wiki.run()

    assert await office.shown(office.ada, office.bob, office.cem) == [
        ["Middle", "Page", "Top"],
        ["Middle", "Top"],
        [],
    ]


@pytest.mark.parametrize("kind", ["folder", "whiteboard", "database", "embed"])
async def test_a_restriction_of_a_node_without_a_body_holds_below_it(
    office: Office, kind: ContentKind
) -> None:
    top = office.page("Top")
    node = office.site.add_node(kind, "ENG", "Node", parent=top.id)
    office.page("Below", office.page("Page", node))
    office.restrict(node, office.legal)

    await office.wiki.run()

    everything = ["Below", "Node", "Page", "Top"]
    assert await office.shown(office.cem, office.bob) == [everything, ["Top"]]


async def test_a_restriction_opens_no_space_to_those_it_names(any_office: Office) -> None:
    office = any_office
    office.add_space("HR", office.legal)
    office.restrict(office.page("Salaries", key="HR"), office.bob, office.cem)
    office.page("Open")

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [["Open"], ["Open", "Salaries"]]


async def test_an_empty_restriction_restricts_nobody(any_office: Office) -> None:
    office = any_office
    office.site.permissions.restrict(office.page("Page"))

    await office.wiki.run()

    assert await office.shown(office.bob) == [["Page"]]


@pytest.mark.parametrize("kind", ["page", "folder"])
async def test_a_restriction_to_hundreds_of_people_lets_in_each_and_nobody_else(
    any_office: Office, kind: str
) -> None:
    office = any_office
    is_folder = kind == "folder" and office.wiki.deployment == "cloud"
    top = office.site.add_node("folder", "ENG", "Top") if is_folder else office.page("Top")
    office.page("Page", top)
    many = [office.site.add_user(f"Person {number}") for number in range(430)]
    office.restrict(top, *many)

    await office.wiki.run()

    some = [many[0], many[199], many[200], many[201], many[399], many[-1]]
    assert await office.shown(*some) == 6 * [["Page", "Top"]]
    assert await office.shown(office.ada) == [[]]


async def test_a_group_keeps_what_is_open_to_it_when_it_is_renamed(any_office: Office) -> None:
    office = any_office
    office.restrict(office.page("Page"), office.staff)
    await office.wiki.run()

    office.site.permissions.rename_group(office.staff, "Everyone Here")
    other = office.site.permissions.add_group("Staff", office.cem)
    await office.wiki.run()

    assert other.id != office.staff.id
    assert await office.shown(office.bob, office.cem) == [["Page"], []]


async def test_nobody_in_no_group_is_let_in_by_being_named(any_office: Office) -> None:
    office = any_office
    permissions = office.site.permissions
    office.restrict(office.page("Page"), office.bob)
    permissions.grant(office.site.space("ENG"), grant_to(office.bob))
    permissions.leave(permissions.users_group, office.bob)
    permissions.leave(office.staff, office.bob)

    await office.wiki.run()

    assert await office.shown(office.bob) == [[]]


async def test_a_guest_in_no_group_sees_the_space_that_names_them(any_office: Office) -> None:
    office = any_office
    guest = office.site.add_user("Gus", email="gus@example.com", account_type="customer")
    office.site.permissions.guests.add(guest.account_id)
    office.add_space("PARTNERS", guest)
    office.page("Hello", key="PARTNERS")
    office.page("Open")

    await office.wiki.run()

    assert await office.shown(guest, office.bob) == [["Hello"], ["Open"]]


async def test_a_space_that_is_open_to_visitors_keeps_its_restricted_pages(
    any_office: Office,
) -> None:
    office = any_office
    permissions = office.site.permissions
    permissions.is_site_open = True
    space = office.site.space("ENG")
    permissions.revoke(space, users(office))
    permissions.grant(space, ("class", ANONYMOUS))
    top = office.page("Top")
    office.restrict(office.page("Page", top), office.legal)

    await office.wiki.run()

    stranger = office.site.add_user("Stranger", email="stranger@elsewhere.example")
    assert await office.shown(office.bob, office.cem) == [["Top"], ["Page", "Top"]]
    assert await office.shown(stranger) == [[]]


async def test_comments_and_files_are_as_hidden_as_what_their_page_is_below(
    any_office: Office,
) -> None:
    office = any_office
    top = office.page("Top")
    page = office.page("Page", office.page("Middle", top))
    office.site.comment(page.id, "<p>quokka</p>")
    office.site.attach(page.id, "wombat.txt", media_type="text/plain", data=b"numbat")
    office.restrict(top, office.legal)

    await office.wiki.run()

    cem, bob = await office.wiki.client(office.cem), await office.wiki.client(office.bob)
    for word in ("quokka", "wombat", "numbat"):
        assert (await titles(cem, word))[0] == "Page"
        assert await titles(bob, word) == []
    refusal = await refused(bob, "get_page", page=page.id, attachment="wombat.txt")
    assert refusal == await refused(bob, "get_page", page=page.id, attachment="none.txt")
    read = await page_or_none(cem, page.id)
    assert read is not None
    assert (len(read.comments), len(read.attachments)) == (1, 1)


@pytest.mark.parametrize("is_hinted", [True, False])
async def test_a_page_that_moves_takes_on_the_restrictions_above_it(
    any_office: Office, is_hinted: bool
) -> None:
    office = any_office
    closed, wide = office.page("Closed"), office.page("Open")
    page = office.page("Page", wide)
    office.page("Below", page)
    office.restrict(closed, office.legal)
    await office.wiki.run()

    office.site.move(page.id, parent=closed.id)
    await (office.wiki.hinted(page.id) if is_hinted else office.wiki.run())
    within = await office.shown(office.bob, office.cem)
    office.site.move(page.id, parent=wide.id)
    await (office.wiki.hinted(page.id) if is_hinted else office.wiki.run())

    everything = ["Below", "Closed", "Open", "Page"]
    assert within == [["Open"], everything]
    assert await office.shown(office.bob, office.cem) == [["Below", "Open", "Page"], everything]


@pytest.mark.parametrize("is_hinted", [True, False])
async def test_a_page_that_moves_to_another_space_is_open_to_its_readers(
    any_office: Office, is_hinted: bool
) -> None:
    office = any_office
    office.add_space("HR", office.legal)
    office.page("Home", key="HR")
    page = office.page("Page")
    office.page("Below", page)
    office.page("Open")
    await office.wiki.run()

    office.site.move(page.id, space_key="HR")
    await (office.wiki.hinted(page.id) if is_hinted else office.wiki.run())

    assert await office.shown(office.bob) == [["Open"]]
    assert await office.shown(office.cem) == [["Below", "Home", "Open", "Page"]]


@pytest.mark.parametrize("is_hinted", [True, False])
async def test_a_subtree_that_the_crawler_may_not_view_any_more_is_hidden(
    any_office: Office, is_hinted: bool
) -> None:
    office = any_office
    top = office.page("Top")
    page = office.page("Page", top)
    office.page("Below", page)
    await office.wiki.run()

    office.site.permissions.restrict(page, grant_to(office.bob))
    await (office.wiki.hinted(page.id) if is_hinted else office.wiki.run())

    assert await office.shown(office.bob, office.ada) == [["Top"], ["Top"]]


async def test_so_large_a_subtree_that_its_loss_is_doubted_is_closed_all_the_same(
    any_office: Office,
) -> None:
    office = any_office
    top = office.page("Top")
    for number in range(30):
        office.page(f"Page {number}", top)
    office.page("Open")
    await office.wiki.run()

    office.site.permissions.restrict(top, grant_to(office.bob))
    report = await office.wiki.run()

    assert report.hidden == 0
    assert await office.shown(office.bob, office.ada) == [["Open"], ["Open"]]


async def test_so_many_spaces_that_their_loss_is_doubted_are_closed_all_the_same(
    any_office: Office,
) -> None:
    office = any_office
    office.add_space("HR", office.legal)
    for number in range(30):
        office.page(f"Page {number}", key="HR")
    office.page("Open")
    await office.wiki.run()

    space = office.site.space("HR")
    office.site.permissions.revoke(space, grant_to(office.site.crawler), grant_to(office.legal))
    report = await office.wiki.run()

    assert report.hidden == 0
    assert await office.shown(office.cem, office.bob) == [["Open"], ["Open"]]


async def test_an_archived_space_is_shown_to_nobody(any_office: Office) -> None:
    office = any_office
    office.site.add_space("OLD")
    office.page("Past", key="OLD")
    office.page("Present")
    await office.wiki.run()

    office.site.archive_space("OLD")
    await office.wiki.run()

    assert await office.shown(office.ada) == [["Present"]]


async def test_an_account_that_is_closed_sees_nothing(any_office: Office) -> None:
    office = any_office
    office.restrict(office.page("Page"), office.bob)
    await office.wiki.run()
    before = await office.shown(office.bob)

    office.site.set_status(office.bob, "inactive")
    await office.wiki.run()
    closed = await office.shown(office.bob)
    office.site.set_status(office.bob, "active")
    await office.wiki.run()

    assert (before, closed) == ([["Page"]], [[]])
    assert await office.shown(office.bob) == [["Page"]]


@pytest.mark.parametrize("mode", ["ROLES", "ROLES_TRANSITION"])
async def test_a_role_without_the_right_to_view_lets_nobody_in(office: Office, mode: str) -> None:
    permissions, space = office.site.permissions, office.site.space("ENG")
    permissions.role_mode = "ROLES" if mode == "ROLES" else "ROLES_TRANSITION"
    permissions.revoke(space, users(office))
    reader = permissions.add_role("Reader", can_view=True)
    commenter = permissions.add_role("Commenter", can_view=False)
    permissions.assign(space, reader, grant_to(office.legal), grant_to(office.site.crawler))
    permissions.assign(space, commenter, grant_to(office.staff), ("class", LICENSED))
    office.page("Page")

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [[], ["Page"]]


async def test_with_roles_what_was_permitted_before_lets_nobody_in(office: Office) -> None:
    permissions, space = office.site.permissions, office.site.space("ENG")
    permissions.role_mode = "ROLES"
    reader = permissions.add_role("Reader", can_view=True)
    permissions.assign(space, reader, grant_to(office.legal), grant_to(office.site.crawler))
    office.page("Page")

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [[], ["Page"]]


async def test_a_role_that_nobody_tells_of_closes_its_space(office: Office) -> None:
    permissions, space = office.site.permissions, office.site.space("ENG")
    permissions.role_mode = "ROLES"
    reader = permissions.add_role("Reader", can_view=True)
    other = permissions.add_role("Other", can_view=True)
    permissions.assign(space, reader, grant_to(office.legal), grant_to(office.site.crawler))
    permissions.assign(space, other, grant_to(office.staff))
    permissions.untold.add(other.id)
    office.page("Page")

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [[], []]


async def test_what_is_open_to_the_licensed_is_closed_to_guests(office: Office) -> None:
    permissions = office.site.permissions
    guest = office.site.add_user("Gus", account_type="customer")
    permissions.guests.add(guest.account_id)
    guests = permissions.add_group("Guests", guest)
    for key, name in (("ALL", AUTHENTICATED), ("PAID", LICENSED)):
        office.add_space(key)
        permissions.grant(office.site.space(key), ("class", name))
        office.page(key.title(), key=key)
    office.add_space("GUESTS", guests)
    office.page("Guests", key="GUESTS")

    await office.wiki.run()

    assert await office.shown(guest, office.bob) == [["All", "Guests"], ["All", "Paid"]]


async def test_a_blog_post_has_a_restriction_of_its_own(any_office: Office) -> None:
    office = any_office
    post = office.site.add_blogpost("ENG", "News", "<p>everywhere</p>")
    office.restrict(post, office.legal)

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [[], ["News"]]


async def test_drafts_and_what_is_in_the_trash_are_shown_to_nobody(any_office: Office) -> None:
    office = any_office
    office.site.add_page("ENG", "Draft", "<p>everywhere</p>", status="draft")
    page = office.page("Trashed")
    office.page("Page")
    await office.wiki.run()

    office.site.trash(page.id)
    await office.wiki.run()

    assert await office.shown(office.ada) == [["Page"]]


async def test_whoever_administers_the_site_sees_no_more_than_others(any_office: Office) -> None:
    office = any_office
    office.site.permissions.add_group("confluence-administrators", office.bob)
    office.add_space("HR", office.legal)
    office.page("Salaries", key="HR")
    office.restrict(office.page("Page"), office.legal)

    await office.wiki.run()

    assert await office.shown(office.bob, office.cem) == [[], ["Page", "Salaries"]]


async def test_what_somebody_else_alone_may_edit_is_open(any_office: Office) -> None:
    office = any_office
    office.page("Page")  # editing anything is restricted to the crawler on simulated sites

    await office.wiki.run()

    assert await office.shown(office.bob) == [["Page"]]


@pytest.mark.parametrize("way", ["group", "space"])
async def test_whoever_is_let_in_while_a_run_looks_sees_nothing_that_went_meanwhile(
    any_office: Office, way: str
) -> None:
    office, permissions = any_office, any_office.site.permissions
    office.add_space("HR", office.legal)
    secret = office.page("Secret", key="HR")
    office.page("Rest", key="HR")

    def tidy_up_and_let_in() -> None:
        office.site.trash(secret.id)
        if way == "group":
            permissions.join(office.legal, office.bob)
        else:
            permissions.grant(office.site.space("HR"), grant_to(office.bob))

    once_pages_are_listed(office, tidy_up_and_let_in)
    plan = replace(LOOK, only=frozenset({"hr"}))
    await office.wiki.run(plan)
    meanwhile = await office.shown(office.bob)
    await office.wiki.run(plan)

    assert meanwhile == [[]]
    assert await office.shown(office.bob, office.cem) == [["Rest"], ["Rest"]]


@pytest.mark.parametrize("is_lifted", [True, False])
async def test_what_left_a_page_that_is_opened_while_a_run_looks_stays_closed(
    any_office: Office, *, is_lifted: bool
) -> None:
    office = any_office
    top, other = office.page("Top"), office.page("Other")
    gone, moved = office.page("Gone", top), office.page("Moved", top)
    office.page("Rest", top)
    office.restrict(top, office.legal)
    office.restrict(other, office.legal)
    await office.wiki.run()

    def tidy_up_and_open() -> None:
        office.site.trash(gone.id)
        office.site.move(moved.id, parent=other.id)
        if is_lifted:
            office.site.permissions.restrict(top)
        else:
            office.restrict(top, office.legal, office.bob)

    once_pages_are_listed(office, tidy_up_and_open)
    await office.wiki.run()
    meanwhile = await office.shown(office.bob)
    await office.wiki.run()

    assert meanwhile == [["Rest", "Top"]]
    assert await office.shown(office.bob, office.cem) == [
        ["Rest", "Top"],
        ["Moved", "Other", "Rest", "Top"],
    ]


async def test_what_is_opened_stays_closed_where_nobody_can_tell_what_is_below_it(
    any_office: Office,
) -> None:
    office = any_office
    top = office.page("Top")
    office.page("Page", top)
    office.restrict(top, office.legal)
    await office.wiki.run()
    office.site.permissions.restrict(top)

    # The first listing is the sweep.
    for path, query in (("*/spaces/*/pages", "*"), ("*/content/scan", "*expand=*ancestors*")):
        office.wiki.faults.add(failing(500), path, query=query, after=1, times=None)
    report = await office.wiki.run()
    office.wiki.faults.clear()
    doubted = await office.shown(office.bob, office.cem)
    await office.wiki.run()

    assert any("below opened pages" in warning for warning in report.warnings)
    assert doubted == [[], []]
    assert await office.shown(office.bob) == [["Page", "Top"]]
