"""The simulated Confluence Cloud: comments and attachments over HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.content import Content
from tests.confluence.samples import site_with_space
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.confluence.visiting import listing, visiting


@pytest.fixture
def site() -> Site:
    """A space with one page."""
    site = site_with_space()
    site.add_page("ENG", "Page")
    return site


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A visitor of that site."""
    with visiting(site) as client:
        yield client


def only_page(site: Site) -> Content:
    """The page."""
    return next(iter(site.contents.values()))


def ids(client: httpx.Client, path: str) -> list[object]:
    """The ids of a listing."""
    return [result["id"] for result in listing(client, path)]


def test_the_site_lists_replies_and_a_page_only_first_comments(
    site: Site, client: httpx.Client
) -> None:
    page = only_page(site)
    footer, inline = site.comment(page.id, "a"), site.comment(page.id, "b", selection="text")
    reply = site.comment(page.id, "c", parent=footer.id)
    answer = site.comment(page.id, "d", parent=inline.id)

    assert ids(client, "/api/v2/footer-comments") == [footer.id, reply.id]
    assert ids(client, "/api/v2/inline-comments") == [inline.id, answer.id]
    assert ids(client, f"/api/v2/pages/{page.id}/footer-comments") == [footer.id]
    assert ids(client, f"/api/v2/pages/{page.id}/inline-comments") == [inline.id]
    assert ids(client, f"/api/v2/footer-comments/{footer.id}/children") == [reply.id]
    assert ids(client, f"/api/v2/inline-comments/{inline.id}/children") == [answer.id]


def test_children_are_asked_for_at_the_kind_of_their_thread(
    site: Site, client: httpx.Client
) -> None:
    footer = site.comment(only_page(site).id, "a")

    assert client.get(f"/api/v2/inline-comments/{footer.id}/children").status_code == 404
    assert client.get("/api/v2/footer-comments/1/children").status_code == 404


def test_an_edit_of_a_comment_makes_it_the_last_modified(site: Site, client: httpx.Client) -> None:
    first, second = (site.comment(only_page(site).id, body) for body in "ab")
    site.edit_comment(first.id, "c")
    page_version = only_page(site).version.number

    assert ids(client, "/api/v2/footer-comments?sort=-modified-date") == [first.id, second.id]
    assert ids(client, "/api/v2/footer-comments?sort=created-date") == [first.id, second.id]
    assert page_version == 1


def test_bodies_come_when_they_are_asked_for(site: Site, client: httpx.Client) -> None:
    site.comment(only_page(site).id, "<p>Hello</p>")

    (bare,) = listing(client, "/api/v2/footer-comments")
    (whole,) = listing(client, "/api/v2/footer-comments?body-format=storage")

    assert bare["body"] == {}
    assert whole["body"] == {"storage": {"representation": "storage", "value": "<p>Hello</p>"}}
    assert client.get("/api/v2/footer-comments?body-format=view").status_code == 400


def test_inline_comments_are_filtered_by_resolution(site: Site, client: httpx.Client) -> None:
    page = only_page(site)
    still_open, resolved = (site.comment(page.id, "a", selection=text) for text in "ab")
    site.resolve_comment(resolved.id)
    path = f"/api/v2/pages/{page.id}/inline-comments"

    assert ids(client, f"{path}?resolution-status=resolved") == [resolved.id]
    assert ids(client, f"{path}?resolution-status=open,reopened") == [still_open.id]
    assert len(ids(client, path)) == 2
    assert site.comments[resolved.id].version.number == 1


def test_what_hangs_on_hidden_or_trashed_content_is_hidden(
    site: Site, client: httpx.Client
) -> None:
    hidden, trashed = site.add_page("ENG", "Hidden"), site.add_page("ENG", "Trashed")
    comments = [site.comment(content.id, "a") for content in (hidden, trashed)]
    attachments = [site.attach(content.id, "plan.txt") for content in (hidden, trashed)]
    site.hide(hidden.id)
    site.trash(trashed.id)

    assert ids(client, "/api/v2/footer-comments") == []
    assert ids(client, "/api/v2/attachments?status=current,archived,trashed") == []
    for comment in comments:
        path = f"/api/v2/footer-comments/{comment.id}/children"
        assert client.get(path).status_code == 404
    for attachment in attachments:
        assert client.get(download_path(attachment.container_id, attachment.id)).status_code == 404


def test_hidden_from_one_account_is_not_hidden_from_another(site: Site) -> None:
    ada = site.add_user("Ada", email="ada@example.com")
    token = site.issue_token(ada)
    page = only_page(site)
    site.comment(page.id, "a")
    site.hide(page.id, ada)

    with visiting(site, auth=("ada@example.com", token)) as client:
        assert ids(client, "/api/v2/footer-comments") == []
    with visiting(site) as client:
        assert len(ids(client, "/api/v2/footer-comments")) == 1


def test_attachments_are_listed_by_status(site: Site, client: httpx.Client) -> None:
    kept, gone = site.attach(only_page(site).id, "a.txt"), site.attach(only_page(site).id, "b.txt")
    site.delete_attachment(gone.id)

    assert ids(client, "/api/v2/attachments") == [kept.id]
    assert ids(client, "/api/v2/attachments?status=trashed") == [gone.id]
    assert ids(client, "/api/v2/attachments?filename=a.txt") == [kept.id]


def test_a_replaced_file_is_the_last_modified(site: Site, client: httpx.Client) -> None:
    first, second = (site.attach(only_page(site).id, f"{name}.txt") for name in "ab")
    site.replace_attachment(first.id, b"12345")

    newest, oldest = listing(client, "/api/v2/attachments?sort=-modified-date")

    assert (newest["id"], newest["fileSize"]) == (first.id, 5)
    assert oldest["id"] == second.id
    assert ids(client, "/api/v2/attachments?sort=created-date") == [first.id, second.id]


def download_path(content_id: str, attachment_id: str) -> str:
    """Where the bytes of an attachment are asked for."""
    return f"/rest/api/content/{content_id}/child/attachment/{attachment_id}/download"


def test_bytes_are_on_another_host_that_takes_no_credentials(site: Site) -> None:
    page = only_page(site)
    plan = site.attach(page.id, "plan.txt", media_type="text/plain", data=b"one")
    site.replace_attachment(plan.id, b"two")

    with serve(site) as base_url, httpx.Client(base_url=base_url) as client:
        asked = client.get(download_path(page.id, plan.id), auth=(EMAIL, TOKEN))
        place = httpx.URL(asked.headers["location"])
        first = client.get(f"{download_path(page.id, plan.id)}?version=1", auth=(EMAIL, TOKEN))
        served = client.get(place)
        served_first = client.get(first.headers["location"])
        with_credentials = client.get(place, auth=(EMAIL, TOKEN))
        without_token = client.get(place.copy_with(query=None))

    assert asked.status_code == 302
    assert place.host != httpx.URL(base_url).host
    assert served.content == b"two"
    assert served.headers["content-type"].startswith("text/plain")
    assert served_first.content == b"one"
    assert with_credentials.status_code == 400
    assert without_token.status_code == 403


def test_bytes_are_asked_for_at_the_page_that_has_them(site: Site, client: httpx.Client) -> None:
    other = site.add_page("ENG", "Other")
    plan = site.attach(only_page(site).id, "plan.txt")

    assert client.get(download_path(other.id, plan.id)).status_code == 404
    assert client.get(download_path(only_page(site).id, "att1")).status_code == 404


def test_items_are_purged_with_their_page(site: Site, client: httpx.Client) -> None:
    page = only_page(site)
    site.comment(page.id, "a")
    site.attach(page.id, "plan.txt")
    site.purge(page.id)

    assert ids(client, "/api/v2/footer-comments") == ids(client, "/api/v2/attachments") == []
