"""How the simulated Cloud shows pages, and how changes to the site show in it."""

import re
from datetime import datetime

from tests.confluence.samples import site_with_space
from tests.confluence.visiting import listing, titles, visiting


def test_a_draft_is_given_only_when_it_is_asked_for() -> None:
    site = site_with_space()
    draft = site.add_page("ENG", "Draft", status="draft")

    with visiting(site) as client:
        default = client.get(f"/api/v2/pages/{draft.id}")
        wanted = client.get(f"/api/v2/pages/{draft.id}?get-draft=true")

    assert default.status_code == 404
    assert wanted.json()["status"] == "draft"


def test_roots_have_a_null_parent_and_children_name_theirs() -> None:
    site = site_with_space()
    folder = site.add_node("folder", "ENG", "Plans")
    page = site.add_page("ENG", "2027", parent=folder.id)
    root = site.add_page("ENG", "Root")

    with visiting(site) as client:
        below = client.get(f"/api/v2/pages/{page.id}").json()
        top = client.get(f"/api/v2/pages/{root.id}").json()
        roots = listing(client, f"/api/v2/spaces/{site.space('ENG').id}/pages?depth=root")

    assert (below["parentId"], below["parentType"]) == (folder.id, "folder")
    assert (top["parentId"], top["parentType"]) == (None, None)
    assert titles(roots) == ["Root"]


def test_a_move_shows_in_parent_position_and_space_but_not_in_the_version() -> None:
    site = site_with_space()
    site.add_space("HR")
    pages = site.add_tree("ENG", {"Handbook": {"Leave": {"Parental": {}}}})
    home = site.add_page("HR", "Home")

    site.move(pages["Leave"].id, parent=home.id)

    moved, below = site.content(pages["Leave"].id), site.content(pages["Parental"].id)
    assert (moved.parent_id, moved.space_id) == (home.id, site.space("HR").id)
    assert (below.parent_id, below.space_id) == (moved.id, site.space("HR").id)
    assert moved.version.number == 1


def test_children_of_a_trashed_page_are_lifted_or_orphaned_or_trashed_with_it() -> None:
    site = site_with_space()
    pages = site.add_tree("ENG", {"Home": {"A": {"AA": {}}, "B": {"BB": {}}, "C": {"CC": {}}}})

    site.trash(pages["A"].id)
    site.trash(pages["B"].id, children="orphan")
    site.trash(pages["C"].id, children="along")

    assert site.content(pages["AA"].id).parent_id == pages["Home"].id
    assert site.content(pages["BB"].id).parent_id is None
    assert site.content(pages["CC"].id).status == "trashed"


def test_a_trashed_page_keeps_its_id_and_a_purged_one_is_gone() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave")
    with visiting(site) as client:
        site.trash(page.id)
        trashed = client.get(f"/api/v2/pages/{page.id}").json()
        site.restore(page.id)
        restored = client.get(f"/api/v2/pages/{page.id}").json()
        site.purge(page.id)
        purged = client.get(f"/api/v2/pages/{page.id}")

    assert (trashed["status"], restored["status"]) == ("trashed", "current")
    assert purged.status_code == 404
    assert purged.json()["errors"][0]["code"] == "NOT_FOUND"


def test_an_edit_is_a_new_version_and_old_ones_stay_readable() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave", "<p>old</p>")
    site.edit(page.id, "<p>new</p>", message="More days", minor_edit=True)
    site.rename(page.id, "Holidays")

    with visiting(site) as client:
        now = client.get(f"/api/v2/pages/{page.id}").json()
        first = client.get(f"/api/v2/pages/{page.id}?version=1&body-format=storage").json()
        history = listing(client, f"/api/v2/pages/{page.id}/versions")
        never = client.get(f"/api/v2/pages/{page.id}?version=9")

    assert (now["title"], now["version"]["number"]) == ("Holidays", 3)
    assert (first["title"], first["status"]) == ("Leave", "historical")
    assert first["body"]["storage"]["value"] == "<p>old</p>"
    assert [version["number"] for version in history] == [3, 2, 1]
    assert history[1]["message"] == "More days"
    assert never.status_code == 404


def test_times_are_in_utc_with_milliseconds() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave")

    with visiting(site) as client:
        shown = client.get(f"/api/v2/pages/{page.id}").json()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown["createdAt"])
    assert datetime.fromisoformat(shown["createdAt"]) == page.created_at


def test_links_lead_to_the_page_in_the_browser() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave & travel")
    post = site.add_blogpost("ENG", "Hello")

    with visiting(site) as client:
        links = client.get(f"/api/v2/pages/{page.id}").json()["_links"]
        blog = client.get(f"/api/v2/blogposts/{post.id}").json()["_links"]["webui"]

    assert links["webui"] == f"/spaces/ENG/pages/{page.id}/Leave+%26+travel"
    assert re.fullmatch(r"/x/[\w-]+", links["tinyui"])
    assert blog == f"/spaces/ENG/blog/2026/03/02/{post.id}/Hello"


def test_included_labels_stop_at_50_and_say_where_the_rest_is() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave")
    names = [f"label-{number:02}" for number in range(53)]
    site.label(page.id, *names)

    with visiting(site) as client:
        included = client.get(f"/api/v2/pages/{page.id}?include-labels=true").json()["labels"]
        rest = client.get(
            client.base_url.join(included["_links"]["self"]),
            params={"cursor": included["meta"]["cursor"]},
        ).json()["results"]

    assert included["meta"]["hasMore"] is True
    assert [label["name"] for label in included["results"] + rest] == names


def test_few_included_labels_are_all_there() -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Leave")
    site.label(page.id, "howto", "hr")
    site.unlabel(page.id, "hr")

    with visiting(site) as client:
        included = client.get(f"/api/v2/pages/{page.id}?include-labels=true").json()["labels"]

    assert [label["name"] for label in included["results"]] == ["howto"]
    assert included["meta"] == {"hasMore": False}


def test_ancestors_run_from_the_top_and_a_limit_keeps_the_nearest() -> None:
    site = site_with_space()
    pages = site.add_tree("ENG", {"A": {"B": {"C": {"D": {}}}}})
    path = f"/api/v2/pages/{pages['D'].id}/ancestors"

    with visiting(site) as client:
        chain = client.get(path).json()
        nearest = client.get(f"{path}?limit=2").json()

    assert [node["id"] for node in chain["results"]] == [pages[title].id for title in "ABC"]
    assert [node["id"] for node in nearest["results"]] == [pages[title].id for title in "BC"]
    assert "next" not in nearest["_links"]


def test_direct_children_may_be_drafts_and_folders() -> None:
    site = site_with_space()
    parent = site.add_page("ENG", "Home")
    site.add_page("ENG", "Draft", parent=parent.id, status="draft")
    site.add_node("folder", "ENG", "Plans", parent=parent.id)
    site.trash(site.add_page("ENG", "Old", parent=parent.id).id)

    with visiting(site) as client:
        children = listing(client, f"/api/v2/pages/{parent.id}/direct-children")

    found = [(child["title"], child["type"], child["status"]) for child in children]
    assert found == [("Draft", "page", "draft"), ("Plans", "folder", "current")]
