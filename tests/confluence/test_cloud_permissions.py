"""The simulated Confluence Cloud: permissions, roles, restrictions, groups and their members."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import TypeAdapter

from tests.confluence.content import Content, User
from tests.confluence.faults import Json
from tests.confluence.permissions import LICENSED, Grant
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site
from tests.confluence.visiting import listing, titles, visiting

READ = "restrictions.read.restrictions"
OBJECT = TypeAdapter(dict[str, Json])


@pytest.fixture
def site() -> Site:
    """An empty space."""
    return site_with_space()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A visitor of that site."""
    with visiting(site) as client:
        yield client


def as_user(account: User) -> Grant:
    """A grant to one person."""
    return "user", account.account_id


def restrict_to_many(site: Site, count: int) -> Content:
    """A page for so many people, the crawler among them."""
    page = site.add_page("ENG", "Page")
    people = [site.add_user(f"Person {number}") for number in range(count - 1)]
    site.permissions.restrict(page, as_user(site.crawler), *map(as_user, people))
    return page


def restriction(client: httpx.Client, content: Content, **parameters: int) -> dict[str, Json]:
    """The users and groups that one content is restricted to, as told by itself."""
    path = f"/rest/api/content/{content.id}/restriction/byOperation/read"
    answer = client.get(path, params=parameters).raise_for_status().json()
    return OBJECT.validate_python(
        {kind: answer["restrictions"][kind] for kind in ("user", "group")}
    )


def test_a_restriction_shuts_out_the_crawler_from_all_below(
    site: Site, client: httpx.Client
) -> None:
    pages = site.add_tree("ENG", {"Open": {}, "Closed": {"Below": {}}})
    ada = site.add_user("Ada")
    site.permissions.restrict(pages["Closed"], as_user(ada))

    shut = titles(listing(client, "/api/v2/pages"))
    site.permissions.restrict(pages["Closed"], ("group", site.permissions.users_group.id))
    opened = titles(listing(client, "/api/v2/pages"))

    assert (shut, opened) == (["Open"], ["Open", "Closed", "Below"])


def test_a_space_is_shown_to_those_only_who_may_view_it(site: Site, client: httpx.Client) -> None:
    space = site.space("ENG")
    site.permissions.revoke(space, ("group", site.permissions.users_group.id))

    assert listing(client, "/api/v2/spaces") == []
    assert client.get(f"/api/v2/spaces/{space.id}/permissions").status_code == 404


def test_permissions_of_all_kinds_are_listed_part_by_part(site: Site, client: httpx.Client) -> None:
    space, ada = site.space("ENG"), site.add_user("Ada")
    site.permissions.grant(space, as_user(ada), ("class", LICENSED))

    rows = listing(client, f"/api/v2/spaces/{space.id}/permissions?limit=2")

    view = {"key": "read", "targetType": "space"}
    found = [
        TypeAdapter(Json).validate_python(r["principal"]) for r in rows if r["operation"] == view
    ]
    viewers = [(principal["type"], principal["id"]) for principal in found]
    users = site.permissions.users_group.id
    assert sorted(viewers) == [("group", users), ("role", LICENSED), ("user", ada.account_id)]
    assert len(rows) > len(viewers)


@pytest.mark.parametrize(
    "path", ["/space-roles", "/space-permissions", "/spaces/{}/role-assignments"]
)
def test_a_site_without_roles_tells_of_none(site: Site, client: httpx.Client, path: str) -> None:
    asked = f"/api/v2{path.format(site.space('ENG').id)}"

    before = client.get(asked).status_code
    site.permissions.role_mode = "ROLES_TRANSITION"

    assert (before, client.get(asked).status_code) == (404, 200)


def test_the_mode_of_roles_is_told_or_not(site: Site, client: httpx.Client) -> None:
    told = client.get("/api/v2/space-role-mode").json()
    site.permissions.tells_role_mode = False

    assert told == {"mode": "PRE_ROLES"}
    assert client.get("/api/v2/space-role-mode").status_code == 404


def test_with_roles_old_permissions_let_nobody_in(site: Site, client: httpx.Client) -> None:
    space = site.space("ENG")
    site.permissions.role_mode = "ROLES"
    before = listing(client, "/api/v2/spaces")

    reader = site.permissions.add_role("Reader", can_view=True)
    site.permissions.assign(space, reader, as_user(site.crawler))

    given = listing(client, f"/api/v2/spaces/{space.id}/role-assignments")
    assert before == []
    assert [each["roleId"] for each in given] == [reader.id]
    assert len(listing(client, "/api/v2/spaces")) == 1


@pytest.mark.parametrize(("asked", "given"), [({}, 100), ({"limit": 500}, 200), ({"limit": 7}, 7)])
def test_restrictions_come_part_by_part(
    site: Site, client: httpx.Client, asked: dict[str, int], given: int
) -> None:
    page = restrict_to_many(site, 230)

    first = restriction(client, page, **asked)["user"]
    last = restriction(client, page, start=200, **asked)["user"]

    assert (first["size"], first["limit"]) == (given, given)
    assert last["size"] == min(30, given)


def test_only_the_own_restriction_is_told(site: Site, client: httpx.Client) -> None:
    pages = site.add_tree("ENG", {"Closed": {"Below": {}}})
    site.permissions.restrict(pages["Closed"], as_user(site.crawler))

    below = restriction(client, pages["Below"])

    assert (below["user"]["results"], below["group"]["results"]) == ([], [])


def test_restrictions_of_what_is_hidden_or_not_told_are_missing(
    site: Site, client: httpx.Client
) -> None:
    hidden, untold = site.add_page("ENG", "Hidden"), site.add_page("ENG", "Untold")
    site.permissions.restrict(hidden, as_user(site.add_user("Ada")))
    site.permissions.untold.add(untold.id)

    for page in (hidden, untold):
        path = f"/rest/api/content/{page.id}/restriction/byOperation/read"
        assert client.get(path).status_code == 404


def test_a_search_tells_the_first_hundred_names_only(site: Site, client: httpx.Client) -> None:
    restrict_to_many(site, 130)
    asked = {"cql": "type = page", "expand": f"{READ}.user,{READ}.group"}

    (page,) = client.get("/rest/api/content/search", params=asked).json()["results"]

    users = page["restrictions"]["read"]["restrictions"]["user"]
    assert (len(users["results"]), users["size"], users["limit"]) == (100, 100, 100)


def test_groups_are_listed_by_name_and_by_what_they_grant(site: Site, client: httpx.Client) -> None:
    for name in ("Zoo", "Ants"):
        site.permissions.add_group(name)

    every = client.get("/rest/api/group").json()["results"]
    first = client.get("/rest/api/group?limit=1").json()
    users = client.get("/rest/api/group?accessType=user").json()["results"]

    assert [each["name"] for each in every] == ["Ants", "Zoo", "confluence-users"]
    assert "start=1" in first["_links"]["next"]
    assert [each["name"] for each in users] == ["confluence-users"]


def test_members_of_groups_are_told_but_200_at_once_at_most(
    site: Site, client: httpx.Client
) -> None:
    guest = site.add_user("Guest")
    site.permissions.guests.add(guest.account_id)
    team = site.permissions.add_group("Team", site.crawler, guest)
    path = f"/rest/api/group/{team.id}/membersByGroupId"

    shown = client.get(path).json()["results"]

    assert [(each["email"], each["isGuest"]) for each in shown] == [
        (site.crawler.email, False),
        (None, True),
    ]
    assert client.get(path, params={"limit": 201}).status_code == 400
    site.permissions.untold.add(team.id)
    assert client.get(path).status_code == 403
    assert client.get("/rest/api/group/8f2c/membersByGroupId").status_code == 404
