"""Confluence Cloud as a source: folders and the other nodes of the tree without a body."""

from collections.abc import Iterator

import pytest

from index.errors import SourceError, SourceUnavailable
from index.records import ContentType, State
from tests.confluence.content import Content, ContentKind
from tests.confluence.faults import (
    Fault,
    Json,
    connection_reset,
    failing,
    rate_limited,
    rewritten,
)
from tests.confluence.samples import filled_site, site_with_space
from tests.ingest.cloud_sites import Scene, scene, swept

pytestmark = pytest.mark.anyio

SEARCH = "*/rest/api/content/search"
NODES: tuple[ContentKind, ...] = ("folder", "whiteboard", "database", "embed")


@pytest.fixture
def served() -> Iterator[Scene]:
    """An empty space."""
    with scene(site_with_space()) as one:
        yield one


def nested(served: Scene, *kinds: ContentKind) -> list[Content]:
    """Nodes, each below the one before, and a page below the last."""
    nodes: list[Content] = []
    for kind in kinds:
        parent = nodes[-1].id if nodes else None
        nodes.append(served.site.add_node(kind, "ENG", f"A {kind}", parent=parent))
    served.site.add_page("ENG", "Page", parent=nodes[-1].id if nodes else None)
    return nodes


def changed_first_result(change: Json) -> Fault:
    """A fault that changes the first thing that a search finds."""

    def changed(answer: Json) -> Json:
        results = answer["results"]
        assert isinstance(results, list)
        return {**answer, "results": [{**results[0], **change}, *results[1:]]}

    return rewritten(changed)


async def parents(served: Scene) -> dict[str, str | None]:
    """Parents by id of all that a sweep gives, which is given once."""
    async with served.source() as source:
        summaries = await swept(source)
    found = {summary.page_id: summary.parent_id for summary in summaries}
    assert len(found) == len(summaries)
    return found


async def test_folders_and_their_like_are_swept_with_title_and_place(served: Scene) -> None:
    nodes = nested(served, *NODES)

    async with served.source() as source:
        found = {summary.page_id: summary for summary in await swept(source)}

    assert len(found) == 5
    for node, parent in zip(nodes, [None, *nodes], strict=False):
        summary = found[node.id]
        assert summary.content_type is ContentType(node.kind)
        assert summary.title == node.title
        assert summary.space_key == "ENG"
        assert summary.parent_id == (parent and parent.id)
        assert summary.position == node.position
        assert summary.state is State.LIVE
        assert summary.version == 1
        assert summary.url == f"{served.base_url}/spaces/ENG/{node.kind}/{node.id}"


async def test_nodes_that_hold_nothing_are_found(served: Scene) -> None:
    board = served.site.add_node("whiteboard", "ENG", "Ideas")
    served.site.add_space("HR")
    served.site.add_node("whiteboard", "HR", "Elsewhere")

    assert list(await parents(served)) == [board.id]


async def test_nodes_in_the_trash_or_hidden_are_left_out(served: Scene) -> None:
    shown, trashed, hidden = (served.site.add_node("folder", "ENG", name) for name in "ABC")
    served.site.trash(trashed.id)
    served.site.hide(hidden.id)

    assert list(await parents(served)) == [shown.id]


async def test_an_unchanged_site_costs_a_request_per_250_pages_and_one_search() -> None:
    site = filled_site({"ENG": 500})
    folder = site.add_node("folder", "ENG", "Plans")
    site.add_page("ENG", "Plan", parent=folder.id)

    with scene(site) as served:
        async with served.source() as source:
            await source.spaces()
            site.request_log.clear()
            await swept(source)

    asked = [entry.path for entry in site.request_log.entries]
    assert sum("/pages" in path for path in asked) == 3
    assert sum(path.endswith("/content/search") for path in asked) == 1
    assert not any("/folders/" in path for path in asked)


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_where_a_search_is_refused_parents_are_asked_for_one_by_one(
    served: Scene, status: int
) -> None:
    nodes = nested(served, *NODES)
    served.site.add_node("whiteboard", "ENG", "Nobody names this one")
    served.faults.add(failing(status), SEARCH, times=None)

    found = await parents(served)

    assert len(found) == 5
    assert [found[node.id] for node in nodes] == [None, *(node.id for node in nodes[:-1])]


async def test_what_the_search_does_not_know_yet_is_found_from_below(served: Scene) -> None:
    outer, inner = nested(served, "folder", "folder")
    served.site.unindexed |= {outer.id, inner.id}

    found = await parents(served)

    assert found[inner.id] == outer.id
    assert found[outer.id] is None


async def test_a_parent_that_the_search_does_not_tell_is_asked_for(served: Scene) -> None:
    (folder,) = nested(served, "folder")
    served.faults.add(changed_first_result({"ancestors": None}), SEARCH)

    found = await parents(served)

    assert found[folder.id] is None
    assert served.site.request_log.count(f"*/folders/{folder.id}") == 1


@pytest.mark.parametrize("change", [{"status": "trashed"}, {"space": {"key": "HR"}}])
async def test_what_the_search_finds_out_of_place_is_asked_for(served: Scene, change: Json) -> None:
    (folder,) = nested(served, "folder")
    served.faults.add(changed_first_result(change), SEARCH)

    assert folder.id in await parents(served)
    assert served.site.request_log.count(f"*/folders/{folder.id}") == 1


async def test_a_parent_that_is_hidden_is_left_out(served: Scene) -> None:
    (folder,) = nested(served, "folder")
    served.faults.add(failing(400), SEARCH)
    served.faults.add(failing(404), "*/folders/*")

    found = await parents(served)

    assert list(found.values()) == [folder.id]


async def test_folders_in_a_circle_are_given_once(served: Scene) -> None:
    outer, inner = nested(served, "folder", "folder")
    served.site.move(outer.id, parent=inner.id)
    served.faults.add(failing(400), SEARCH)

    found = await parents(served)

    assert (found[outer.id], found[inner.id]) == (inner.id, outer.id)


async def test_a_token_without_scopes_for_folders_still_sweeps_the_pages(
    served: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    nested(served, *NODES)
    scopes = {"read:space:confluence", "read:page:confluence", "read:user:confluence"}
    token = served.site.issue_token(served.site.crawler, scopes=scopes)

    async with served.source(token) as source:
        summaries = await swept(source)

    assert [summary.content_type for summary in summaries] == [ContentType.PAGE]
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any("read:embed:confluence" in warning for warning in warnings)


async def test_hundreds_of_folders_are_searched_page_after_page(served: Scene) -> None:
    for number in range(450):
        served.site.add_node("folder", "ENG", f"Folder {number}")
    scopes = {f"{scope}:confluence" for scope in ("read:space", "read:page", "read:user", "search")}
    token = served.site.issue_token(served.site.crawler, scopes=scopes)

    async with served.source(token) as source:
        summaries = await swept(source)

    assert len(summaries) == 450
    assert served.site.request_log.count(SEARCH) == 3


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_search_that_is_cut_short_never_ends_normally(served: Scene, status: int) -> None:
    for number in range(250):
        served.site.add_node("folder", "ENG", f"Folder {number}")
    served.faults.add(failing(status), SEARCH, query="*cursor=*", times=None)

    async with served.source() as source:
        with pytest.raises(SourceError, match=str(status)):
            await swept(source)


async def test_a_search_that_goes_round_in_circles_is_an_error(served: Scene) -> None:
    links: Json = {"next": "/rest/api/content/search?cql=x&cursor=again"}
    folder: Json = {"id": "7", "type": "folder", "status": "current", "ancestors": []}
    answer: Json = {"results": [folder], "_links": links}
    served.faults.add(failing(200, body=answer), SEARCH, times=None)

    async with served.source() as source:
        with pytest.raises(SourceError, match="circles"):
            await swept(source)


async def test_a_search_is_tried_again_when_the_site_is_busy(served: Scene) -> None:
    (folder,) = nested(served, "folder")
    served.faults.add(rate_limited(retry_after=3), SEARCH)
    served.faults.add(failing(502), SEARCH)
    served.faults.add(connection_reset(), SEARCH)

    assert folder.id in await parents(served)


async def test_a_sweep_fails_where_the_site_does_not_answer_for_folders(served: Scene) -> None:
    nested(served, "folder")
    served.faults.add(failing(503), SEARCH, times=None)

    async with served.source() as source:
        with pytest.raises(SourceUnavailable, match="503"):
            await swept(source)
