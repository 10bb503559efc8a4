"""Who may read what on the simulated Cloud, and how it refuses."""

import re

import httpx
import pytest

from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.content import Content, Space, User
from tests.confluence.samples import filled_site, site_with_space
from tests.confluence.server import serve
from tests.confluence.visiting import listing, titles, visiting


def test_hidden_pages_are_missing_with_all_that_is_below_them() -> None:
    site = site_with_space()
    pages = site.add_tree("ENG", {"Open": {}, "Secret": {"Below": {}}})
    site.hide(pages["Secret"].id)

    with visiting(site) as client:
        hidden = client.get(f"/api/v2/pages/{pages['Below'].id}")
        found = titles(listing(client, "/api/v2/pages"))
        site.reveal(pages["Secret"].id)
        revealed = titles(listing(client, "/api/v2/pages"))

    assert hidden.status_code == 404
    assert found == ["Open"]
    assert revealed == ["Open", "Secret", "Below"]


def test_each_account_sees_what_the_site_lets_it_see() -> None:
    site = site_with_space()
    site.add_page("ENG", "Open")
    site.add_page("ENG", "For Ada")
    ada = site.add_user("Ada", email="ada@example.com")

    def may_view(user: User, thing: Space | Content) -> bool:
        return user == ada or isinstance(thing, Space) or thing.title == "Open"

    site.may_view = may_view

    with visiting(site) as client, visiting(site, auth=(ada.email, site.issue_token(ada))) as hers:
        assert titles(listing(client, "/api/v2/pages")) == ["Open"]
        assert titles(listing(hers, "/api/v2/pages")) == ["Open", "For Ada"]


def test_an_unknown_or_hidden_space_has_no_pages_to_list() -> None:
    site = site_with_space()
    site.hide(site.space("ENG").id)

    with visiting(site) as client:
        assert client.get("/api/v2/spaces/1/pages").status_code == 404
        assert client.get(f"/api/v2/spaces/{site.space('ENG').id}/pages").status_code == 404
        assert listing(client, "/api/v2/spaces") == []


def test_users_are_looked_up_in_bulk_and_unknown_ones_are_left_out() -> None:
    site = site_with_space()
    ada = site.add_user("Ada Lovelace")
    gone = site.add_user("Gone Person", status="closed")

    with visiting(site) as client:
        wanted = {"accountIds": [ada.account_id, gone.account_id, "712020:unknown"]}
        found = client.post("/api/v2/users-bulk", json=wanted).json()["results"]
        too_many = client.post("/api/v2/users-bulk", json={"accountIds": ["1"] * 251})
        nobody = client.post("/api/v2/users-bulk", json={})

    assert [user["displayName"] for user in found] == ["Ada Lovelace", "Former user"]
    assert (too_many.status_code, nobody.status_code) == (400, 400)


def test_the_current_user_is_the_one_of_the_token() -> None:
    site = site_with_space()

    with visiting(site) as client:
        current = client.get("/rest/api/user/current").json()

    assert (current["type"], current["accountId"]) == ("known", site.crawler.account_id)


@pytest.mark.parametrize(
    "path", ["content", "content/123", "content/123/label", "space", "space/ENG/content"]
)
def test_removed_endpoints_of_v1_are_gone(path: str) -> None:
    with visiting(site_with_space()) as client:
        answer = client.get(f"/rest/api/{path}")

    assert answer.status_code == 410
    assert "removed" in answer.json()["message"]


@pytest.mark.parametrize(
    "auth", [None, (EMAIL, "wrong"), ("other@example.com", TOKEN), (EMAIL, "")]
)
def test_missing_or_wrong_credentials_are_refused_in_json(auth: tuple[str, str] | None) -> None:
    with visiting(site_with_space(), auth=auth) as client:
        answer = client.get("/api/v2/spaces")

    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "Unauthorized"}


def test_a_revoked_token_is_refused() -> None:
    site = site_with_space()
    with visiting(site) as client:
        site.revoke_token(TOKEN)

        assert client.get("/api/v2/spaces").status_code == 401


def test_a_token_with_scopes_works_through_the_gateway_only() -> None:
    site = filled_site({"ENG": 3})
    token = site.issue_token(site.crawler, scopes={"read:page:confluence"})
    with visiting(site, auth=(EMAIL, token)) as client:
        gateway = client.base_url.join(f"/ex/confluence/{site.cloud_id}/wiki")

        directly = client.get("/api/v2/pages")
        through = client.get(f"{gateway}/api/v2/pages?limit=2")
        bearer = httpx.get(f"{gateway}/api/v2/pages", headers={"Authorization": f"Bearer {token}"})
        other_scope = client.get(f"{gateway}/api/v2/spaces")
        following = through.json()["_links"]["next"]
        rest = client.get(client.base_url.join(f"/ex/confluence/{site.cloud_id}{following}"))

    assert directly.status_code == 401
    assert bearer.status_code == 200
    assert other_scope.json() == {"code": 401, "message": "Unauthorized; scope does not match"}
    assert following.startswith("/wiki/")
    assert titles(rest.json()["results"]) == ["ENG page 2"]


def test_the_cloud_id_is_told_to_everybody() -> None:
    site = site_with_space()
    with visiting(site, auth=None) as client:
        told = client.get(client.base_url.join("/_edge/tenant_info"))

    assert told.json() == {"cloudId": site.cloud_id}


def test_an_unknown_path_is_not_found() -> None:
    with visiting(site_with_space()) as client:
        assert client.get("/api/v2/nothing").status_code == 404


def test_a_site_can_be_served_again_and_again_even_if_nobody_comes() -> None:
    site = site_with_space()

    addresses: list[str] = []
    for _ in range(3):
        with serve(site) as base_url:
            addresses.append(base_url)

    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/wiki", address) for address in addresses)
