"""The simulated Data Center, over real HTTP."""

import pytest

from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import listing, visiting_datacenter
from tests.confluence.samples import filled_site
from tests.confluence.site import Site

CURRENT_USER = "/rest/api/user/current"
SCAN = "/rest/api/content/scan?spaceKey=ENG"
PAGES = "/rest/api/content?spaceKey=ENG&type=page"


@pytest.fixture
def site() -> Site:
    """A space of twelve pages and two blog posts."""
    return filled_site({"ENG": 12}, blogposts=2)


def test_a_personal_token_signs_in(site: Site) -> None:
    with visiting_datacenter(site) as client:
        person = client.get(CURRENT_USER).json()

    assert person["type"] == "known"
    assert person["username"] == "indexer"
    assert len(person["userKey"]) == 32


@pytest.mark.parametrize("token", ["wrong", None])
def test_a_token_that_is_worth_nothing_makes_an_anonymous_visitor(
    site: Site, token: str | None
) -> None:
    with visiting_datacenter(site, token=token) as client:
        person, spaces = client.get(CURRENT_USER), client.get("/rest/api/space")

    assert (person.status_code, person.json()["type"]) == (200, "anonymous")
    assert (spaces.status_code, spaces.json()["results"]) == (200, [])


def test_an_anonymous_visitor_sees_open_spaces_only(site: Site) -> None:
    site.add_space("PUB")
    page = site.add_page("PUB", "Welcome")
    edition = Edition(open_spaces=frozenset({"PUB"}))

    with visiting_datacenter(site, edition, token="expired") as client:
        spaces = client.get("/rest/api/space").json()["results"]
        statuses = [
            client.get(f"/rest/api/content/{content_id}").status_code
            for content_id in (page.id, site.space("ENG").homepage_id)
        ]

    assert [space["key"] for space in spaces] == ["PUB"]
    assert statuses == [200, 404]


def test_a_closed_site_refuses_anonymous_visitors(site: Site) -> None:
    with visiting_datacenter(site, Edition(is_open=False), token="wrong") as client:
        assert client.get(CURRENT_USER).status_code == 403


@pytest.mark.parametrize(
    ("edition", "username", "password", "status"),
    [
        (Edition(), "indexer", TOKEN, 200),
        (Edition(), EMAIL, TOKEN, 401),
        (Edition(), "indexer", "wrong", 401),
        (Edition(takes_passwords=False), "indexer", TOKEN, 401),
    ],
)
def test_passwords_are_taken_or_refused(
    site: Site, edition: Edition, username: str, password: str, status: int
) -> None:
    with visiting_datacenter(site, edition, auth=(username, password)) as client:
        assert client.get(CURRENT_USER).status_code == status


def test_a_part_of_a_listing_is_never_larger_than_the_site_allows(site: Site) -> None:
    with visiting_datacenter(site, Edition(most=5)) as client:
        answer = client.get(f"{PAGES}&limit=200").json()

    assert (answer["start"], answer["limit"], answer["size"]) == (0, 5, 5)
    assert len(answer["results"]) == 5
    assert answer["_links"]["next"].startswith("/rest/api/content?")
    assert answer["_links"]["context"] == "/confluence"
    assert answer["_links"]["base"] == str(client.base_url).rstrip("/")


def test_links_of_a_listing_by_place_count_too_little_where_pages_are_hidden(site: Site) -> None:
    pages = [content.id for content in site.contents.values() if content.kind == "page"]
    for number in (6, 10, 11):
        site.hide(pages[number])

    with visiting_datacenter(site, Edition(most=7)) as client:
        first = client.get(PAGES).json()
        found = [str(one["id"]) for one in listing(client, PAGES)]

    assert first["size"] == 7
    assert "start=7" in first["_links"]["next"]
    assert len(found) > len(set(found))
    assert set(found) == set(pages) - {pages[6], pages[10], pages[11]}


def test_a_scan_gives_every_page_once(site: Site) -> None:
    with visiting_datacenter(site, Edition(most=5)) as client:
        first = client.get(SCAN).json()
        found = listing(client, SCAN)
        last = client.get(f"{SCAN}&cursor=content:false:{found[-1]['id']}").json()

    assert first["cursor"] == "content:false:null"
    assert first["nextCursor"] == f"content:false:{first['results'][-1]['id']}"
    assert [one["title"] for one in found] == [f"ENG page {number}" for number in range(12)]
    assert last["results"] == []
    assert "nextCursor" not in last
    assert "next" not in last["_links"]


def test_a_cursor_that_was_not_given_is_refused(site: Site) -> None:
    with visiting_datacenter(site) as client:
        assert client.get(f"{SCAN}&cursor=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("version", "status", "types"),
    [("7.17.5", 404, set[str]()), ("7.19.16", 200, {"page"}), ("8.5.4", 200, {"blogpost"})],
)
def test_old_versions_cannot_scan_blog_posts(
    site: Site, version: str, status: int, types: set[str]
) -> None:
    with visiting_datacenter(site, Edition(version)) as client:
        answer = client.get(f"{SCAN}&type=blogpost")

    assert answer.status_code == status
    assert {one["type"] for one in answer.json().get("results", [])} == types


def test_properties_are_shown_when_they_are_expanded(site: Site) -> None:
    page = next(content for content in site.contents.values() if content.parent_id)
    site.label(page.id, "howto")
    path = f"/rest/api/content/{page.id}"

    with visiting_datacenter(site) as client:
        usual = client.get(path).json()
        bare = client.get(path, params={"expand": ""}).json()
        rich = client.get(path, params={"expand": "body.storage,ancestors,metadata.labels"}).json()

    assert usual["history"]["createdBy"]["username"] == "indexer"
    assert usual["version"]["when"].endswith("+10:00")
    assert usual["space"]["key"] == "ENG"
    assert not {"history", "version", "space", "body", "ancestors"} & bare.keys()
    assert rich["body"]["storage"]["value"] == page.body
    assert [one["id"] for one in rich["ancestors"]] == [page.parent_id]
    assert [one["name"] for one in rich["metadata"]["labels"]["results"]] == ["howto"]


@pytest.mark.parametrize(
    ("version", "title", "webui"),
    [
        ("7.19.16", "Plans, more", "/display/ENG/Plans%2C+more"),
        ("7.19.16", "Plans & more", "/pages/viewpage.action?pageId={id}"),
        ("9.2.1", "Plans & more", "/spaces/ENG/pages/{id}/Plans+%26+more"),
    ],
)
def test_web_addresses_are_those_of_the_version(
    site: Site, version: str, title: str, webui: str
) -> None:
    page = site.add_page("ENG", title)

    with visiting_datacenter(site, Edition(version)) as client:
        links = client.get(f"/rest/api/content/{page.id}").json()["_links"]

    assert links["webui"] == webui.format(id=page.id)


@pytest.mark.parametrize("path", ["content/1", "space/NO", "user?key=1", "content?spaceKey=NO"])
def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    with visiting_datacenter(site) as client:
        answer = client.get(f"/rest/api/{path}")

    assert answer.status_code == answer.json()["statusCode"] == 404


def test_hidden_and_trashed_pages_are_not_found(site: Site) -> None:
    hidden, trashed = (content.id for content in list(site.contents.values())[10:12])
    site.hide(hidden)
    site.trash(trashed)

    with visiting_datacenter(site) as client:
        statuses = [
            client.get(f"/rest/api/content/{content_id}").status_code
            for content_id in (hidden, trashed)
        ]

    assert statuses == [404, 404]


def test_an_allowance_is_told_used_up_and_filled_up_again(site: Site) -> None:
    with visiting_datacenter(site, Edition(allowance=2)) as client:
        answers = [client.get(CURRENT_USER) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert answers[0].headers["X-RateLimit-Remaining"] == "1"
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"
    assert answers[2].headers["retry-after"] == "7"


def test_a_site_may_be_at_the_root_of_its_host(site: Site) -> None:
    with visiting_datacenter(site, Edition(context="")) as client:
        assert client.get(CURRENT_USER).status_code == 200
        assert len(listing(client, PAGES)) == 12
