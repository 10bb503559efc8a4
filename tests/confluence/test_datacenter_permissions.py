"""What the simulated Data Center tells of permissions, over real HTTP."""

import httpx
import pytest

from tests.confluence.content import User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import listing, visiting_datacenter
from tests.confluence.permissions import ANONYMOUS
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site

OF_SPACE = "/rest/api/space/ENG/permissions"
REMOTE = "/rpc/json-rpc/confluenceservice-v2"
MEMBERS = "/rest/api/group/confluence-users/member"
EXPANDED = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"


@pytest.fixture
def site() -> Site:
    """An empty space, ENG, which visitors without login may view."""
    site = site_with_space()
    site.permissions.grant(site.space("ENG"), ("class", ANONYMOUS))
    return site


@pytest.fixture
def ada(site: Site) -> User:
    """Somebody who may view it by name."""
    ada = site.add_user("Ada")
    site.permissions.grant(site.space("ENG"), ("user", ada.account_id))
    return ada


def called(client: httpx.Client) -> httpx.Response:
    """The answer of the Remote API about the space."""
    call = {"jsonrpc": "2.0", "method": "getSpacePermissionSets", "params": ["ENG"], "id": 7}
    return client.post(REMOTE, json=call).raise_for_status()


def test_the_permissions_of_a_space_name_groups_and_keys_of_users(site: Site, ada: User) -> None:
    with visiting_datacenter(site) as client:
        told = client.get(OF_SPACE).json()

    readers = [one["subject"] for one in told if one["operation"]["operationKey"] == "read"]
    assert [one.get("name") or one["userKey"] for one in readers] == [
        "confluence-users",
        ada.user_key,
    ]
    assert {one["operation"]["operationKey"] for one in told} == {"administer", "create", "read"}
    assert {one["spaceKey"] for one in told} == {"ENG"}


@pytest.mark.parametrize("briefly", [False, True])
def test_what_visitors_may_do_is_told_in_two_ways(site: Site, briefly: bool) -> None:
    with visiting_datacenter(site, Edition(tells_anonymous_briefly=briefly)) as client:
        told = client.get(f"{OF_SPACE}/anonymous").json()

    operations = told["operations"] if briefly else [one["operation"] for one in told]
    assert {"operationKey": "read", "targetType": "space"} in operations


def test_the_remote_api_names_users_groups_and_nobody_for_visitors(site: Site, ada: User) -> None:
    with visiting_datacenter(site, Edition("8.5.4")) as client:
        sets = called(client).json()["result"]

    (viewing,) = [one["spacePermissions"] for one in sets if one["type"] == "VIEWSPACE"]
    assert [(one["userName"], one["groupName"]) for one in viewing] == [
        (None, None),
        (None, "confluence-users"),
        (ada.username, None),
    ]


@pytest.mark.parametrize(
    ("version", "of_space", "of_site", "within"),
    [
        ("7.19.16", 404, 404, 404),
        ("9.0.3", 404, 404, 200),
        ("9.1.0", 200, 404, 200),
        ("9.2.1", 200, 200, 200),
    ],
)
def test_rest_tells_permissions_in_newer_versions(
    site: Site, version: str, of_space: int, of_site: int, within: int
) -> None:
    paths = (OF_SPACE, "/rest/api/permissions", MEMBERS.replace("/member", "/groupmember"))

    with visiting_datacenter(site, Edition(version)) as client:
        statuses = [client.get(path).status_code for path in paths]

    assert statuses == [of_space, of_site, within]


def test_who_is_no_administrator_of_a_space_gets_a_failure(site: Site) -> None:
    site.permissions.untold.add(site.space("ENG").id)

    with visiting_datacenter(site) as client:
        statuses = [client.get(f"{OF_SPACE}{end}").status_code for end in ("", "/anonymous")]
        answer = called(client).json()

    assert statuses == [500, 500]
    assert "result" not in answer


def test_who_is_no_administrator_is_told_of_neither_groups_nor_the_site(site: Site) -> None:
    with visiting_datacenter(site, Edition(is_administrator=False)) as client:
        statuses = [client.get(path).status_code for path in (MEMBERS, "/rest/api/permissions")]

    assert statuses == [403, 403]


def test_visitors_are_told_nothing(site: Site) -> None:
    edition = Edition(open_spaces=frozenset({"ENG"}))

    with visiting_datacenter(site, edition, token=None) as client:
        paths = (OF_SPACE, MEMBERS, "/rest/api/permissions")
        statuses = [client.get(path).status_code for path in paths]
        answer = called(client).json()

    assert statuses == [500, 403, 403]
    assert "result" not in answer


def test_the_remote_api_may_be_off_or_want_the_password(site: Site) -> None:
    with visiting_datacenter(site, Edition("8.5.4", has_remote_api=False)) as client:
        off = client.post(REMOTE, json={})
    with visiting_datacenter(site, Edition("8.5.4", wants_password_again=True)) as client:
        page = client.post(REMOTE, json={})

    assert off.status_code == 403
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


def test_members_come_in_parts_and_with_their_state(site: Site, ada: User) -> None:
    site.set_status(ada, "inactive")

    with visiting_datacenter(site, Edition(most=1)) as client:
        people = listing(client, f"{MEMBERS}?expand=status")
        plain = listing(client, MEMBERS)

    assert [one["status"] for one in people] == ["current", "deactivated"]
    assert all("status" not in one for one in plain)


@pytest.mark.parametrize(("flattens", "count"), [(True, 2), (False, 1)])
def test_members_of_groups_within_are_members_or_not(
    site: Site, ada: User, flattens: bool, count: int
) -> None:
    outer = site.permissions.add_group("Outer", ada)
    site.permissions.nest(outer, site.permissions.add_group("Inner", site.crawler))

    with visiting_datacenter(site, Edition(flattens_groups=flattens)) as client:
        people = listing(client, "/rest/api/group/outer/member")
        groups = listing(client, "/rest/api/group/outer/groupmember")

    assert len(people) == count
    assert [one["name"] for one in groups] == ["Inner"]


@pytest.mark.parametrize("name", ["R/D", "R%2FD"])
def test_a_group_with_a_slash_in_its_name_is_not_found(site: Site, name: str) -> None:
    site.permissions.add_group("R/D")

    with visiting_datacenter(site) as client:
        assert client.get(f"/rest/api/group/{name}/member").status_code == 404


@pytest.mark.parametrize("version", ["7.19.16", "9.2.1"])
def test_restrictions_come_with_pages_without_those_that_they_inherit(
    site: Site, version: str
) -> None:
    pages = site.add_tree("ENG", {"Secret": {"Below": {}}})
    site.permissions.restrict(pages["Secret"], ("user", site.crawler.account_id))

    with visiting_datacenter(site, Edition(version)) as client:
        path = f"/rest/api/content/scan?spaceKey=ENG&expand={EXPANDED}"
        found = client.get(path).json()["results"]

    read = [one["restrictions"]["read"]["restrictions"] for one in found]
    assert [one["user"]["size"] for one in read] == [1, 0]
    assert [one["group"]["results"] for one in read] == [[], []]


def test_a_long_restriction_is_cut_off_in_listings_and_comes_in_parts_alone(site: Site) -> None:
    page = site.add_page("ENG", "Secret")
    people = [site.crawler, *(site.add_user(f"Person {number}") for number in range(220))]
    for person in people:
        known = site.permissions.restrictions.get(page.id, frozenset())
        site.permissions.restrict(page, *known, ("user", person.account_id))
    path = f"/rest/api/content/{page.id}"

    with visiting_datacenter(site, Edition(most=150)) as client:
        within = client.get(path, params={"expand": EXPANDED}).json()
        parts = [
            client.get(f"{path}/restriction/byOperation/read?limit=200&start={start}").json()
            for start in (0, 150)
        ]

    included = within["restrictions"]["read"]["restrictions"]["user"]
    assert (included["size"], included["limit"]) == (200, 200)
    assert [part["restrictions"]["user"]["size"] for part in parts] == [150, 71]


def test_what_is_restricted_is_hidden_from_others(site: Site, ada: User) -> None:
    page = site.add_page("ENG", "Secret")
    site.permissions.restrict(page, ("user", ada.account_id))

    with visiting_datacenter(site) as client:
        alone = client.get(f"/rest/api/content/{page.id}/restriction/byOperation/read")
        found = listing(client, "/rest/api/content/scan?spaceKey=ENG")

    assert alone.status_code == 404
    assert found == []
