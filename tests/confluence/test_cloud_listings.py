"""What the simulated Cloud lists, page by page, over real HTTP."""

import pytest

from tests.confluence.samples import filled_site, site_with_space
from tests.confluence.visiting import listing, titles, visiting


def test_a_sweep_gives_every_page_once_in_the_order_of_numeric_ids() -> None:
    site = filled_site({"ENG": 60, "HR": 5})
    path = f"/api/v2/spaces/{site.space('ENG').id}/pages"

    with visiting(site) as client:
        found = listing(client, f"{path}?limit=25&status=current,archived")

    ids = [int(str(page["id"])) for page in found]
    assert titles(found) == [f"ENG page {number}" for number in range(60)]
    assert ids == sorted(ids)
    assert len(str(ids[0])) < len(str(ids[-1]))
    assert site.request_log.count("*/pages", status=200) == 3


def test_the_next_link_is_in_the_header_and_in_the_body_and_relative_to_the_host() -> None:
    site = filled_site({"ENG": 3})

    with visiting(site) as client:
        answer = client.get("/api/v2/pages?limit=2")
        last = client.get(client.base_url.join(answer.json()["_links"]["next"]))

    links = answer.json()["_links"]
    assert links["next"].startswith("/wiki/api/v2/pages?limit=2&cursor=")
    assert links["base"] == str(client.base_url).rstrip("/")
    assert answer.links["next"]["url"] == links["next"]
    assert "next" not in last.json()["_links"]
    assert "next" not in last.links


def test_a_listing_of_exactly_one_page_has_no_next_link() -> None:
    with visiting(filled_site({"ENG": 25})) as client:
        answer = client.get("/api/v2/pages")

    assert len(answer.json()["results"]) == 25
    assert "next" not in answer.json()["_links"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "/api/v2/blogposts?cursor={cursor}",
        "/api/v2/pages?sort=-modified-date&cursor={cursor}",
        "/api/v2/pages?status=current&cursor={cursor}",
        "/api/v2/pages?cursor=nonsense",
    ],
)
def test_a_cursor_is_refused_by_any_other_query(elsewhere: str) -> None:
    with visiting(filled_site({"ENG": 5})) as client:
        following = client.get("/api/v2/pages?limit=2").json()["_links"]["next"]
        cursor = following.partition("cursor=")[2]

        answer = client.get(elsewhere.format(cursor=cursor))

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "INVALID_REQUEST_PARAMETER"


def test_a_cursor_may_go_on_with_another_limit() -> None:
    with visiting(filled_site({"ENG": 5})) as client:
        following = client.get("/api/v2/pages?limit=2").json()["_links"]["next"]
        answer = client.get(client.base_url.join(following.replace("limit=2", "limit=250")))

    assert titles(answer.json()["results"]) == ["ENG page 2", "ENG page 3", "ENG page 4"]


def test_expired_cursors_are_refused() -> None:
    site = filled_site({"ENG": 5})
    with visiting(site) as client:
        following = client.get("/api/v2/pages?limit=2").json()["_links"]["next"]
        site.expire_cursors()

        answer = client.get(client.base_url.join(following))

    assert answer.status_code == 400


def test_pages_purged_during_a_sweep_make_no_other_page_go_missing() -> None:
    site = filled_site({"ENG": 6})
    first = next(iter(site.contents))
    with visiting(site) as client:
        answer = client.get("/api/v2/pages?limit=3").json()
        site.purge(first)
        rest = listing(client, str(client.base_url.join(answer["_links"]["next"])))

    assert titles(answer["results"] + rest) == [f"ENG page {number}" for number in range(6)]


@pytest.mark.parametrize("limit", ["0", "251", "-1", "many"])
def test_a_limit_outside_1_to_250_is_refused(limit: str) -> None:
    with visiting(site_with_space()) as client:
        assert client.get(f"/api/v2/pages?limit={limit}").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["body-format=view", "sort=size", "status=gone", "space-id=ENG", "id=" + "1," * 251],
)
def test_a_wrong_parameter_is_refused(query: str) -> None:
    with visiting(site_with_space()) as client:
        assert client.get(f"/api/v2/pages?{query}").status_code == 400


def test_bodies_come_only_when_asked_for() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave", "<p>30 days</p>")

    with visiting(site) as client:
        bare = client.get(f"/api/v2/pages/{page.id}").json()
        listed = client.get("/api/v2/pages?body-format=storage").json()["results"][0]
        single = client.get(f"/api/v2/pages/{page.id}?body-format=export_view").json()

    assert bare["body"] == {}
    assert listed["body"] == {"storage": {"representation": "storage", "value": "<p>30 days</p>"}}
    assert single["body"]["export_view"]["value"] == "<p>30 days</p>"


def test_listings_leave_out_trash_and_drafts_unless_told_otherwise() -> None:
    site = site_with_space()
    pages = site.add_tree("ENG", {"Current": {}, "Archived": {}, "Trashed": {}})
    site.archive(pages["Archived"].id)
    site.trash(pages["Trashed"].id)
    site.add_page("ENG", "Draft", status="draft")
    site.trash(site.add_blogpost("ENG", "Old news").id)
    site.add_blogpost("ENG", "News")

    with visiting(site) as client:
        default = titles(listing(client, "/api/v2/pages"))
        trashed = titles(listing(client, "/api/v2/pages?status=trashed"))
        posts = titles(listing(client, f"/api/v2/spaces/{site.space('ENG').id}/blogposts"))

    assert default == ["Current", "Archived"]
    assert trashed == ["Trashed"]
    assert posts == ["News"]


def test_pages_sort_by_their_last_change() -> None:
    site = site_with_space()
    pages = site.add_tree("ENG", {"A": {}, "B": {}, "C": {}})
    site.edit(pages["B"].id, "<p>changed</p>")

    with visiting(site) as client:
        found = listing(client, "/api/v2/pages?sort=-modified-date&limit=1")

    assert titles(found) == ["B", "C", "A"]


def test_blog_posts_are_listed_for_the_site_and_by_space() -> None:
    site = filled_site({"ENG": 1, "HR": 1}, blogposts=2)

    with visiting(site) as client:
        everywhere = listing(client, "/api/v2/blogposts?sort=-created-date&limit=1")
        by_space = listing(client, f"/api/v2/blogposts?space-id={site.space('HR').id}")

    assert titles(everywhere) == ["HR news 1", "HR news 0", "ENG news 1", "ENG news 0"]
    assert titles(by_space) == ["HR news 0", "HR news 1"]


def test_pages_are_fetched_in_bulk_by_their_ids() -> None:
    site = filled_site({"ENG": 4})
    wanted = list(site.contents)[1:3]

    with visiting(site) as client:
        found = listing(client, f"/api/v2/pages?id={','.join(wanted)},1&body-format=storage")

    assert [page["id"] for page in found] == wanted


def test_spaces_are_found_by_key_and_by_status() -> None:
    site = site_with_space()
    site.add_space("OLD", kind="personal")
    site.archive_space("OLD")

    with visiting(site) as client:
        everything = listing(client, "/api/v2/spaces")
        by_key = listing(client, "/api/v2/spaces?keys=OLD,NONE")
        current = listing(client, "/api/v2/spaces?status=current")
        personal = listing(client, "/api/v2/spaces?type=personal")

    assert [space["key"] for space in everything] == ["ENG", "OLD"]
    assert [space["key"] for space in by_key] == ["OLD"]
    assert [space["key"] for space in current] == ["ENG"]
    assert [space["key"] for space in personal] == ["OLD"]


def test_attachments_are_listed_with_their_page() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Plan")
    attachment = site.attach(page.id, "plan.pdf", media_type="application/pdf", data=bytes(1234))

    with visiting(site) as client:
        found = listing(client, f"/api/v2/pages/{page.id}/attachments?filename=plan.pdf")

    assert [(item["id"], item["pageId"]) for item in found] == [(attachment.id, page.id)]
    assert attachment.id.startswith("att")
