"""Confluence Cloud as a source: who alone may view pages, blog posts, folders and the like."""

from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter

from index.errors import SourceUnavailable
from index.principals import Principal, user
from index.records import ContentType
from ingest.sources.http import NotVisible, UnexpectedAnswer
from tests.confluence.content import Content, ContentKind
from tests.confluence.faults import Fault, Json, failing, rate_limited, rewritten
from tests.confluence.permissions import Grant
from tests.confluence.samples import filled_site, site_with_space
from tests.ingest.cloud_sites import Scene, as_user, bulk, restricted, scene

pytestmark = pytest.mark.anyio

SEARCH = "*/rest/api/content/search"
RESTRICTION = "*/restriction/byOperation/read"
NODES: tuple[ContentKind, ...] = ("folder", "whiteboard", "database", "embed")


@pytest.fixture
def served() -> Iterator[Scene]:
    """An empty space."""
    with scene(site_with_space()) as one:
        yield one


async def alone(served: Scene, content: Content) -> frozenset[Principal]:
    """The restriction of one content, asked for by itself."""
    async with served.source() as source:
        return await source.access.restriction(content.id, ContentType(content.kind))


def with_names(restriction: Json, kind: str, change: Json) -> Json:
    """A restriction with another list of users or groups."""
    lists = TypeAdapter(dict[str, Json]).validate_python(restriction["restrictions"])
    return {**restriction, "restrictions": {**lists, kind: {**lists[kind], **change}}}


def changed_names(kind: str, change: Json) -> Fault:
    """A fault that changes the list of users or groups of a restriction."""
    return rewritten(lambda answer: with_names(answer, kind, change))


def changed_names_found(kind: str, change: Json) -> Fault:
    """A fault that changes them in all that a search finds."""

    def changed(answer: Json) -> Json:
        results = TypeAdapter(list[Json]).validate_python(answer["results"])
        for result in results:
            restrictions = TypeAdapter(dict[str, Json]).validate_python(result["restrictions"])
            read = with_names(restrictions["read"], kind, change)
            result["restrictions"] = {**restrictions, "read": read}
        return {**answer, "results": results}

    return rewritten(changed)


def clamped_names(**most: int) -> Fault:
    """A fault that shortens the lists of users and groups of a restriction and says so."""

    def changed(answer: Json) -> Json:
        lists = TypeAdapter(dict[str, Json]).validate_python(answer["restrictions"])
        for kind, limit in most.items():
            names = TypeAdapter(list[Json]).validate_python(lists[kind]["results"])[:limit]
            change: Json = {"results": names, "limit": limit, "size": len(names)}
            answer = with_names(answer, kind, change)
        return answer

    return rewritten(changed)


async def test_own_restrictions_are_told_at_once_for_everything_in_a_space(served: Scene) -> None:
    site = served.site
    team = site.permissions.add_group("Team")
    pages = site.add_tree("ENG", {"Open": {}, "Closed": {"Below": {}}})
    post = site.add_blogpost("ENG", "Post")
    nodes = [site.add_node(kind, "ENG", kind) for kind in NODES]
    archived = site.add_page("ENG", "Archived", status="archived")
    site.add_space("HR")
    site.add_page("HR", "Elsewhere")
    closed = [pages["Closed"], post, *nodes, archived]
    expected = {each.id: restricted(served, each, ("group", team.id)) for each in closed}

    async with served.source() as source:
        told = await bulk(source)

    assert told == {**expected, pages["Open"].id: frozenset(), pages["Below"].id: frozenset()}


async def test_a_space_costs_a_request_per_200_pages_and_one_for_all_the_rest() -> None:
    site = filled_site({"ENG": 500}, blogposts=20)
    for kind in NODES:
        site.add_node(kind, "ENG", kind)

    with scene(site) as served:
        async with served.source() as source:
            await source.spaces()
            site.request_log.clear()
            told = await bulk(source)

    assert len(told) == 524
    assert site.request_log.count(SEARCH) == 4
    assert site.request_log.count("*/restriction/*") == 0


async def test_what_the_crawler_may_not_see_is_not_told(served: Scene) -> None:
    site = served.site
    pages = site.add_tree("ENG", {"Closed": {"Below": {}}})
    site.permissions.restrict(pages["Closed"], as_user(site.add_user("Ada")))

    async with served.source() as source:
        assert await bulk(source) == {}
        for page in pages.values():
            with pytest.raises(NotVisible):
                await source.access.restriction(page.id, ContentType.PAGE)


@pytest.mark.parametrize("count", [99, 100, 250, 401])
@pytest.mark.parametrize("kind", ["user", "group"])
async def test_restrictions_to_many_are_read_to_the_end(
    served: Scene, kind: str, count: int
) -> None:
    site = served.site
    page = site.add_page("ENG", "Page")
    grants: list[Grant] = [as_user(site.add_user(f"{n}")) for n in range(count - 1)]
    if kind == "group":
        grants = [("group", site.permissions.add_group(f"{n}").id) for n in range(count)]
    expected = restricted(served, page, *grants)

    async with served.source() as source:
        told = await bulk(source)
        found = await source.access.restriction(page.id, ContentType.PAGE)

    assert told == ({page.id: expected} if count < 100 else {})
    assert found == expected
    assert site.request_log.count(RESTRICTION) == 1 + count // 200


async def test_long_lists_of_people_and_groups_are_read_side_by_side(served: Scene) -> None:
    site = served.site
    page = site.add_page("ENG", "Page")
    people = [as_user(site.add_user(f"{n}")) for n in range(450)]
    groups: list[Grant] = [("group", site.permissions.add_group(f"{n}").id) for n in range(210)]

    expected = restricted(served, page, *people, *groups)

    assert await alone(served, page) == expected


async def test_a_site_that_gives_fewer_names_at_once_is_read_to_the_end(served: Scene) -> None:
    site = served.site
    page = site.add_page("ENG", "Page")
    people = [as_user(site.add_user(f"{n}")) for n in range(120)]
    groups: list[Grant] = [("group", site.permissions.add_group(f"{n}").id) for n in range(120)]
    expected = restricted(served, page, *people, *groups)
    served.spoil(clamped_names(user=50, group=80), RESTRICTION)

    assert await alone(served, page) == expected


async def test_an_empty_restriction_is_open_to_everybody(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    served.site.permissions.restrict(page)

    async with served.source() as source:
        assert await bulk(source) == {page.id: frozenset()}
    assert await alone(served, page) == frozenset()


async def test_a_restriction_that_is_not_told_raises(served: Scene) -> None:
    page, other = served.site.add_page("ENG", "Page"), served.site.add_page("ENG", "Other")
    served.site.permissions.untold.add(page.id)

    async with served.source() as source:
        assert await bulk(source) == {other.id: frozenset()}
        with pytest.raises(NotVisible):
            await source.access.restriction(page.id, ContentType.PAGE)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("user", {"size": 3}),
        ("group", {"size": 1}),
        ("user", {"_links": {"next": "/rest/api/content/1?start=100"}}),
        ("user", {"results": [None], "size": 1}),
        ("user", {"results": [{"type": "unknown"}], "size": 1}),
        ("group", {"results": [{"type": "group", "name": "team"}], "size": 1}),
    ],
)
async def test_names_that_are_kept_back_are_not_taken_for_nobody(
    served: Scene, kind: str, change: Json
) -> None:
    page = served.site.add_page("ENG", "Page")
    served.spoil(changed_names(kind, change), RESTRICTION)
    served.spoil(changed_names_found(kind, change), SEARCH)

    async with served.source() as source:
        assert await bulk(source) == {}
    with pytest.raises(UnexpectedAnswer):
        await alone(served, page)


@pytest.mark.parametrize("lists", [None, {}, {"user": {"results": [], "limit": 100}}])
async def test_a_restriction_without_its_lists_raises(served: Scene, lists: Json | None) -> None:
    page = served.site.add_page("ENG", "Page")
    served.spoil(rewritten(lambda answer: {**answer, "restrictions": lists}), RESTRICTION)

    with pytest.raises(UnexpectedAnswer):
        await alone(served, page)


async def test_people_who_are_no_more_do_not_let_others_in(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    gone: Grant = ("user", "712020:gone")
    expected = restricted(served, page, gone) - {user("712020:gone")}

    assert await alone(served, page) == expected


async def test_an_answer_about_editing_is_not_taken_for_one_about_viewing(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    served.spoil(rewritten(lambda answer: {**answer, "operation": "update"}), RESTRICTION)

    with pytest.raises(UnexpectedAnswer):
        await alone(served, page)


async def test_a_site_that_tells_the_same_names_for_ever_raises(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    crawler = {"type": "known", "accountId": served.site.crawler.account_id}
    same: Json = {"results": [crawler], "size": 1, "limit": 1}
    served.spoil(changed_names("user", same), RESTRICTION)

    with pytest.raises(UnexpectedAnswer):
        await alone(served, page)


async def test_where_folders_cannot_be_found_pages_are_told_all_the_same(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    served.site.add_node("folder", "ENG", "Folder")
    served.spoil(failing(400), SEARCH, "*folder*")

    async with served.source() as source:
        assert await bulk(source) == {page.id: frozenset()}


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_where_pages_cannot_be_found_that_is_told(served: Scene, status: int) -> None:
    served.site.add_page("ENG", "Page")
    served.spoil(failing(status), SEARCH)

    async with served.source() as source:
        with pytest.raises(NotVisible, match="search"):
            await bulk(source)


async def test_a_bulk_that_breaks_off_raises() -> None:
    with scene(filled_site({"ENG": 250})) as served:
        served.spoil(failing(503), SEARCH, "*cursor*")

        async with served.source() as source:
            with pytest.raises(SourceUnavailable):
                await bulk(source)


async def test_a_site_that_is_busy_is_waited_for(served: Scene) -> None:
    page = served.site.add_page("ENG", "Page")
    served.faults.add(rate_limited(retry_after=2), path=SEARCH, times=1)

    async with served.source() as source:
        assert await bulk(source) == {page.id: frozenset()}
