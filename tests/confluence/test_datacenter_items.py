"""Comments, attachments and the search of the simulated Data Center, over real HTTP."""

import pytest

from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import listing, visiting_datacenter
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site

SEARCH = "/rest/api/content/search"
NEWEST = "type in (comment, attachment) order by lastmodified desc"


@pytest.fixture
def site() -> Site:
    """An empty space."""
    return site_with_space()


def ids(results: list[Json]) -> list[object]:
    """The ids of results, in their order."""
    return [result["id"] for result in results]


def test_comments_come_by_place_and_depth(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    footer = site.comment(page.id, "<p>1</p>")
    reply = site.comment(page.id, "<p>2</p>", parent=footer.id)
    inline = site.comment(page.id, "<p>3</p>", selection="text")
    resolved = site.comment(page.id, "<p>4</p>", selection="other")
    site.resolve_comment(resolved.id)
    site.delete_comment(site.comment(page.id, "<p>5</p>").id)
    path = f"/rest/api/content/{page.id}/child/comment"

    with visiting_datacenter(site) as client:
        found = {
            query: ids(listing(client, f"{path}?{query}"))
            for query in ("", "depth=all", "location=inline", "location=footer&depth=all")
        }
        both = ids(listing(client, f"{path}?location=inline&location=resolved"))

    assert found == {
        "": [footer.id, inline.id, resolved.id],
        "depth=all": [footer.id, reply.id, inline.id, resolved.id],
        "location=inline": [inline.id],
        "location=footer&depth=all": [footer.id, reply.id],
    }
    assert both == [inline.id, resolved.id]


def test_a_comment_tells_its_place_parents_and_author_when_they_are_expanded(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    first = site.comment(page.id, "<p>1</p>", selection="text")
    reply = site.comment(page.id, "<p>2</p>", parent=first.id)
    expand = "body.storage,ancestors,history,container,extensions.inlineProperties"
    path = f"/rest/api/content/{page.id}/child/comment?depth=all"

    with visiting_datacenter(site) as client:
        bare, _ = listing(client, f"{path}&expand=")
        root, answer = listing(client, f"{path}&expand={expand},extensions.resolution")

    assert not {"version", "body", "ancestors", "history", "container"} & bare.keys()
    assert bare["extensions"] == {"location": "inline"}
    extensions = root["extensions"]
    assert isinstance(extensions, dict)
    assert extensions["inlineProperties"]["originalSelection"] == "text"
    assert extensions["resolution"] == {"status": "open"}
    assert answer["ancestors"] == [{"id": first.id, "type": "comment", "status": "current"}]
    assert answer["id"] == reply.id


def test_pages_bring_their_first_attachments_and_comments_along(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    comments = [site.comment(page.id, f"<p>{number}</p>") for number in range(26)]
    plan = site.attach(page.id, "plan.pdf", media_type="application/pdf", data=b"%PDF")
    expand = "children.attachment.version,descendants.comment"

    with visiting_datacenter(site) as client:
        answer = client.get(f"/rest/api/content?spaceKey=ENG&expand={expand}").json()

    (shown,) = answer["results"]
    children, descendants = shown["children"], shown["descendants"]
    (attachment,) = children["attachment"]["results"]
    assert attachment["id"] == plan.id
    assert attachment["version"]["number"] == 1
    assert attachment["extensions"] == {"mediaType": "application/pdf", "fileSize": 4}
    assert ids(descendants["comment"]["results"]) == [comment.id for comment in comments[:25]]
    assert "next" in descendants["comment"]["_links"]
    assert "next" not in children["attachment"]["_links"]
    assert "version" not in descendants["comment"]["results"][0]


def test_every_version_of_a_file_can_be_downloaded(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    plan = site.attach(page.id, "plan 1+2.txt", media_type="text/plain", data=b"old")
    site.replace_attachment(plan.id, b"new")
    path = f"/download/attachments/{page.id}/plan%201%2B2.txt"

    with visiting_datacenter(site) as client:
        answers = [client.get(f"{path}{query}") for query in ("", "?version=1", "?version=3")]

    assert [answer.content for answer in answers[:2]] == [b"new", b"old"]
    assert answers[0].headers["content-type"].startswith("text/plain")
    assert answers[2].status_code == 404


def test_who_may_not_have_a_file_is_led_to_the_login(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    site.attach(page.id, "plan.pdf", data=b"%PDF")

    with visiting_datacenter(site, token="wrong") as client:
        answer = client.get(f"/download/attachments/{page.id}/plan.pdf")
        page_for_login = client.get(answer.headers["location"].removeprefix("/confluence"))

    assert answer.status_code == 302
    assert "/confluence/login.action?os_destination=" in answer.headers["location"]
    assert page_for_login.status_code == 200
    assert "Log In" in page_for_login.text


def test_the_search_gives_what_was_changed_last(site: Site) -> None:
    site.add_space("OPS")
    pages = [site.add_page(key, f"In {key}") for key in ("ENG", "OPS")]
    plan = site.attach(pages[0].id, "plan.pdf")
    comment = site.comment(pages[1].id, "<p>1</p>")
    site.replace_attachment(plan.id, b"%PDF")
    hidden = site.add_page("OPS", "Hidden")
    site.comment(hidden.id, "<p>2</p>")
    site.hide(hidden.id)
    one_space = 'type in (page, comment) and space = "OPS" order by lastmodified asc'

    with visiting_datacenter(site) as client:
        newest = client.get(SEARCH, params={"cql": NEWEST, "expand": "container"}).json()
        some = client.get(SEARCH, params={"cql": one_space}).json()

    assert ids(newest["results"]) == [plan.id, comment.id]
    assert newest["results"][1]["container"]["id"] == pages[1].id
    assert ids(some["results"]) == [pages[1].id, comment.id]


def test_the_search_leaves_archived_spaces_out(site: Site) -> None:
    site.add_page("ENG", "Page")
    site.archive_space("ENG")

    with visiting_datacenter(site) as client:
        answer = client.get(SEARCH, params={"cql": "type = page"}).json()

    assert answer["results"] == []


def test_times_in_a_query_are_those_of_the_servers_zone(site: Site) -> None:
    page = site.add_page("ENG", "Page")
    when = page.created_at

    with visiting_datacenter(site) as client:
        found = [
            client.get(SEARCH, params={"cql": f'lastmodified >= "{text}"'}).json()["results"]
            for text in (f"{when:%Y-%m-%d} 19:00", f"{when:%Y-%m-%d} 19:01")
        ]

    assert [len(results) for results in found] == [1, 0]


@pytest.mark.parametrize("cql", ["", "type ~ page", 'title = "x"', "type in page"])
def test_queries_that_cannot_be_read_are_refused(site: Site, cql: str) -> None:
    with visiting_datacenter(site) as client:
        assert client.get(SEARCH, params={"cql": cql}).status_code == 400


def test_parts_of_a_search_are_never_larger_than_the_site_allows(site: Site) -> None:
    for number in range(7):
        site.add_page("ENG", f"Page {number}")

    with visiting_datacenter(site, Edition(most=3)) as client:
        first = client.get(SEARCH, params={"cql": "type = page", "limit": 200}).json()
        found = listing(client, f"{SEARCH}?cql=type+%3D+page&limit=200")

    assert (first["limit"], first["size"]) == (3, 3)
    assert len(found) == 7
