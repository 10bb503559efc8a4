"""The simulated Confluence Cloud: search with CQL, folders and their like, kinds of content."""

import json
from collections.abc import Iterator

import httpx
import pytest
from pydantic import TypeAdapter

from tests.confluence.content import ContentKind
from tests.confluence.faults import Json
from tests.confluence.samples import filled_site, site_with_space
from tests.confluence.site import Site
from tests.confluence.visiting import visiting

NODES: tuple[ContentKind, ...] = ("folder", "whiteboard", "database", "embed")


@pytest.fixture
def site() -> Site:
    """An empty space."""
    return site_with_space()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A visitor of that site."""
    with visiting(site) as client:
        yield client


def found(client: httpx.Client, cql: str, **parameters: str) -> list[Json]:
    """The first results of a search."""
    answer = client.get("/rest/api/content/search", params={"cql": cql, **parameters})
    results = answer.raise_for_status().json()["results"]
    return TypeAdapter(list[Json]).validate_python(results)


def test_a_search_finds_kinds_in_a_space(site: Site, client: httpx.Client) -> None:
    site.add_space("HR")
    page, post = site.add_page("ENG", "Page"), site.add_blogpost("ENG", "Post")
    folder = site.add_node("folder", "ENG", "Folder")
    site.add_page("HR", "Elsewhere")
    comment = site.comment(page.id, "<p>Hello</p>")

    posts_and_pages = found(client, 'space = "ENG" and type in (page, blogpost)')
    folders = found(client, 'type=folder and space="ENG"')
    (one,) = found(client, "type = comment", expand="container,version")

    assert [result["id"] for result in posts_and_pages] == [page.id, post.id]
    assert [result["id"] for result in folders] == [folder.id]
    assert one["id"] == comment.id
    assert TypeAdapter(Json).validate_python(one["container"])["id"] == page.id


@pytest.mark.parametrize(
    "cql", ["", "type in (page, slide)", "title ~ x", 'type = page or space="A"']
)
def test_other_queries_are_refused(client: httpx.Client, cql: str) -> None:
    answer = client.get("/rest/api/content/search", params={"cql": cql})

    assert answer.status_code == 400
    assert answer.json()["statusCode"] == 400


def test_archived_content_is_found_only_when_it_is_asked_for(
    site: Site, client: httpx.Client
) -> None:
    site.add_page("ENG", "Old", status="archived")
    context = json.dumps({"spaceKey": "ENG", "contentStatuses": ["current", "archived"]})

    assert found(client, "type = page") == []
    assert len(found(client, "type = page", cqlcontext=context)) == 1


def test_the_index_lags_behind_and_shows_nothing_hidden(site: Site, client: httpx.Client) -> None:
    new, hidden, trashed = (site.add_page("ENG", title) for title in "abc")
    site.unindexed.add(new.id)
    site.hide(hidden.id)
    site.trash(trashed.id)

    assert found(client, "type = page") == []


def test_only_what_is_expanded_is_told(site: Site, client: httpx.Client) -> None:
    folder = site.add_node("folder", "ENG", "Folder")
    page = site.add_page("ENG", "Page", parent=folder.id)
    site.label(page.id, "howto")

    (bare,) = found(client, "type = page")
    (whole,) = found(client, "type = page", expand="ancestors,metadata.labels,space,version")

    assert not {"ancestors", "metadata", "space", "version"} & bare.keys()
    assert TypeAdapter(list[Json]).validate_python(whole["ancestors"])[-1]["id"] == folder.id
    assert "howto" in json.dumps(whole["metadata"])


def test_a_search_goes_on_below_the_wiki_and_gives_200_expanded_results_at_most() -> None:
    with visiting(filled_site({"ENG": 450})) as client:
        path = "/rest/api/content/search?cql=type=page&expand=version&limit=1000"
        sizes: list[int] = []
        while path:
            answer = client.get(path).raise_for_status().json()
            sizes.append(answer["size"])
            path = answer["_links"].get("next")
            assert path is None or path.startswith("/rest/api/content/search?")

    assert sizes == [200, 200, 50]


@pytest.mark.parametrize("kind", NODES)
def test_a_node_is_given_by_its_kind(site: Site, client: httpx.Client, kind: ContentKind) -> None:
    outer = site.add_node("folder", "ENG", "Outer")
    node = site.add_node(kind, "ENG", "Inner", parent=outer.id)
    others = [other for other in NODES if other != kind]

    answer = client.get(f"/api/v2/{kind}s/{node.id}").raise_for_status().json()

    assert (answer["title"], answer["parentId"], answer["parentType"]) == (
        "Inner",
        outer.id,
        "folder",
    )
    for other in others:
        assert client.get(f"/api/v2/{other}s/{node.id}").status_code == 404


def test_kinds_are_told_for_what_can_be_seen(site: Site, client: httpx.Client) -> None:
    page, post = site.add_page("ENG", "Page"), site.add_blogpost("ENG", "Post")
    hidden, trashed = site.add_page("ENG", "Hidden"), site.add_page("ENG", "Trashed")
    footer, inline = site.comment(page.id, "a"), site.comment(page.id, "b", selection="text")
    plan = site.attach(post.id, "plan.txt")
    site.hide(hidden.id)
    site.trash(trashed.id)
    expected = {
        page.id: "page",
        post.id: "blogpost",
        hidden.id: None,
        trashed.id: "page",
        footer.id: "footer-comment",
        inline.id: "inline-comment",
        plan.id: "attachment",
        "1": None,
    }

    path = "/api/v2/content/convert-ids-to-types"
    answer = client.post(path, json={"contentIds": list(expected)})
    too_many = client.post(path, json={"contentIds": [str(number) for number in range(101)]})

    assert answer.json() == {"results": expected}
    assert too_many.status_code == 400


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/api/v2/footer-comments", "read:comment"),
        ("/api/v2/attachments", "read:attachment"),
        ("/api/v2/whiteboards/1", "read:whiteboard"),
        ("/rest/api/content/search?cql=type=page", "search"),
    ],
)
def test_each_path_takes_its_scope(site: Site, path: str, scope: str) -> None:
    tokens = [
        site.issue_token(site.crawler, scopes=scopes)
        for scopes in (set[str](), {f"{scope}:confluence"})
    ]

    with visiting(site, auth=None) as client:
        wiki = client.base_url.copy_with(path=f"/ex/confluence/{site.cloud_id}/wiki")
        statuses = [
            client.get(f"{wiki}{path}", headers={"Authorization": f"Bearer {token}"}).status_code
            for token in tokens
        ]

    assert statuses[0] == 401
    assert statuses[1] in (200, 404)
