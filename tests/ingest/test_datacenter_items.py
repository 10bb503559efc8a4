"""Comments and attachments of a Data Center: as they are listed."""

import json
from collections.abc import Iterator

import pytest

from index.errors import AuthenticationError, SourceError
from index.records import ChunkKind
from ingest.sources.datacenter import DataCenterSource
from ingest.sources.http import NotVisible
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import before, connection_reset, failing, rewritten, truncated
from tests.confluence.samples import filled_site
from tests.ingest.datacenter_sites import Scene, listed_items, scene, some_page

pytestmark = pytest.mark.anyio

VERSIONS = ["7.17.5", "7.19.16", "8.5.4", "9.2.1"]
LISTINGS = "*/rest/api/content*"
COMMENTS = "*/child/comment"
ATTACHMENTS = "*/child/attachment"
SEARCH = "*/rest/api/content/search"


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and a blog post that visitors may read, in parts of five."""
    edition = Edition(most=5, open_spaces=frozenset({"ENG"}))
    with scene(filled_site({"ENG": 12}, blogposts=1), edition) as served:
        yield served


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_comment_and_attachment_is_listed_once(version: str) -> None:
    site = filled_site({"ENG": 30, "HR": 3}, blogposts=2)
    expected: set[tuple[str, str]] = set()
    for content in list(site.contents.values()):
        footer = site.comment(content.id, "<p>1</p>")
        reply = site.comment(content.id, "<p>2</p>", parent=footer.id)
        deep = site.comment(content.id, "<p>3</p>", parent=reply.id)
        closed = site.comment(content.id, "<p>4</p>", selection="About")
        site.resolve_comment(closed.id)
        plan = site.attach(content.id, "plan.pdf", data=b"%PDF")
        expected |= {(one.id, content.id) for one in (footer, reply, deep, closed, plan)}
        site.delete_comment(site.comment(content.id, "<p>6</p>").id)
        site.delete_attachment(site.attach(content.id, "old.pdf").id)

    with scene(site, Edition(version, most=10)) as served:
        async with served.source() as source:
            found = await listed_items(source)

    assert len(found) == len(expected)
    assert {(item.item_id, item.page_id) for item in found} == expected
    assert sum(item.kind is ChunkKind.ATTACHMENT for item in found) == 37
    assert site.request_log.count(COMMENTS) == site.request_log.count(ATTACHMENTS) == 0
    assert site.request_log.count(SEARCH) == 0


@pytest.mark.parametrize("others", [0, 40])
async def test_a_comment_has_another_version_whenever_it_changes(small: Scene, others: int) -> None:
    site, page_id = small.site, some_page(small.site)
    comment = site.comment(page_id, "<p>1</p>", selection="About")
    for _ in range(others):  # so many do not come along with a page
        site.comment(page_id, "<p>2</p>")

    async def version(source: DataCenterSource) -> int:
        (found,) = [item for item in await listed_items(source) if item.item_id == comment.id]
        return found.version

    async with small.source() as source:
        versions = [await version(source), await version(source)]
        for change in (site.resolve_comment, site.reopen_comment, site.dangle_comment):
            change(comment.id)
            versions.append(await version(source))
        site.edit_comment(comment.id, "<p>edited</p>")
        versions.append(await version(source))
        told = [item async for item in source.changed_items(site.clock.now)]

    assert versions[0] == versions[1]
    assert len(set(versions)) == 5
    assert [(item.item_id, item.version) for item in told] == [(comment.id, versions[-1])]


async def test_an_attachment_tells_its_name_type_size_version_and_address(small: Scene) -> None:
    page_id = some_page(small.site)
    plan = small.site.attach(page_id, "plan 1 & 2.pdf", media_type="application/pdf", data=b"%PDF")
    small.site.replace_attachment(plan.id, b"%PDF-1.7")

    async with small.source() as source:
        (item,) = await listed_items(source)

    assert item.kind is ChunkKind.ATTACHMENT
    assert (item.item_id, item.page_id, item.version) == (plan.id, page_id, 2)
    assert (item.filename, item.media_type, item.size) == ("plan 1 & 2.pdf", "application/pdf", 8)
    assert item.url.startswith(f"{small.base_url}/pages/viewpage.action?pageId={page_id}&preview=")


async def test_an_attachment_without_address_is_opened_by_its_name(small: Scene) -> None:
    page_id = some_page(small.site)
    small.site.attach(page_id, "plan 1/2.pdf")
    small.faults.add(rewritten(_without_item_links), LISTINGS, times=None)

    async with small.source() as source:
        (item,) = await listed_items(source)

    assert item.url == f"{small.base_url}/download/attachments/{page_id}/plan%201%2F2.pdf"
    assert item.url == source.attachment_url(page_id, "plan 1/2.pdf")


def _without_item_links(answer: Json) -> Json:
    copy = json.loads(json.dumps(answer))
    for result in copy.get("results", []):
        for item in result.get("children", {}).get("attachment", {}).get("results", []):
            del item["_links"], item["metadata"]
    return copy


@pytest.mark.parametrize("count", [24, 25, 26, 230])
async def test_more_items_than_come_with_a_page_are_listed_as_well(count: int) -> None:
    site = filled_site({"ENG": 3})
    page_id = list(site.contents)[1]
    first = site.comment(page_id, "<p>0</p>")
    comments = [site.comment(page_id, "<p>1</p>", parent=first.id) for _ in range(count - 1)]
    files = [site.attach(page_id, f"{number}.txt") for number in range(count)]

    with scene(site) as served:
        async with served.source() as source:
            found = [item.item_id for item in await listed_items(source)]

    assert sorted(found) == sorted(one.id for one in (first, *comments, *files))


@pytest.mark.parametrize("left_out", [("children",), ("descendants",), ("children", "descendants")])
async def test_pages_are_asked_one_by_one_where_they_bring_nothing_along(
    small: Scene, left_out: tuple[str, ...]
) -> None:
    page_id = some_page(small.site)
    comment = small.site.comment(page_id, "<p>1</p>", selection="x")
    small.site.resolve_comment(comment.id)
    reply = small.site.comment(page_id, "<p>2</p>", parent=comment.id)
    plan = small.site.attach(page_id, "plan.pdf")

    def leave_out(answer: Json) -> Json:
        copy = json.loads(json.dumps(answer))
        for result in copy["results"]:
            for name in left_out:
                del result[name]
        return copy

    small.faults.add(rewritten(leave_out), "*/content", times=None)
    small.faults.add(rewritten(leave_out), "*/content/scan", times=None)
    async with small.source() as source:
        found = {item.item_id for item in await listed_items(source)}

    assert found == {comment.id, reply.id, plan.id}
    asked = small.site.request_log.count("*/child/*")
    assert asked == 13 * len(left_out)


async def test_items_of_pages_that_cannot_be_seen_are_not_listed(small: Scene) -> None:
    pages = list(small.site.contents)[8:12]
    items = [small.site.comment(page_id, "<p>1</p>").id for page_id in pages]
    items += [small.site.attach(page_id, "plan.pdf").id for page_id in pages]
    small.site.hide(pages[0])
    small.site.trash(pages[1])

    async with small.source() as source:
        found = {item.item_id for item in await listed_items(source)}

    assert found == {items[2], items[3], items[6], items[7]}


async def test_only_the_given_spaces_are_looked_at() -> None:
    site = filled_site({"ENG": 2, "HR": 2, "OPS": 2})
    by_space = {key: site.space(key).homepage_id or "" for key in ("ENG", "HR", "OPS")}
    comments = {key: site.comment(page_id, "<p>1</p>").id for key, page_id in by_space.items()}

    with scene(site) as served:
        async with served.source() as source:
            spaces = [space for space in await source.spaces() if space.key != "HR"]
            found = {item.item_id async for item in source.items(spaces)}
            none = [item async for item in source.items([])]

    assert found == {comments["ENG"], comments["OPS"]}
    assert none == []


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize("query", ["*cursor=*", "*type=blogpost*"])
async def test_a_listing_that_breaks_off_never_ends_normally(
    small: Scene, status: int, query: str
) -> None:
    small.site.attach(some_page(small.site), "plan.pdf")
    small.faults.add(failing(status), LISTINGS, query=query, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match=str(status)):
            await listed_items(source)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize("path", [COMMENTS, ATTACHMENTS])
async def test_a_list_of_one_page_that_breaks_off_never_ends_normally(
    small: Scene, status: int, path: str
) -> None:
    for number in range(30):
        small.site.attach(some_page(small.site), f"{number}.txt")
        small.site.comment(some_page(small.site), "<p>1</p>")
    small.faults.add(failing(status), path, after=2, times=None)

    async with small.source() as source:
        with pytest.raises(SourceError, match=str(status)):
            await listed_items(source)


async def test_what_passes_is_not_believed(small: Scene) -> None:
    for number in range(30):
        small.site.attach(some_page(small.site), f"{number}.txt")
    small.faults.add(failing(404), ATTACHMENTS, times=2)
    small.faults.add(truncated(), ATTACHMENTS, after=2, times=1)
    small.faults.add(connection_reset(), "*/scan", after=1, times=2)
    small.faults.add(failing(503), "*/content", times=3)

    async with small.source() as source:
        assert len(await listed_items(source)) == 30


@pytest.mark.parametrize("after", [0, 2])
async def test_a_token_that_expires_during_the_listing_is_noticed(small: Scene, after: int) -> None:
    page_id = some_page(small.site)
    small.site.comment(page_id, "<p>1</p>")
    small.site.may_view = lambda user, thing: bool(user.email) or thing.id != page_id
    small.faults.add(before(lambda: small.site.revoke_token(TOKEN)), "*/scan", after=after)

    async with small.source() as source:
        with pytest.raises(AuthenticationError, match="expired"):
            await listed_items(source)


async def test_a_token_that_expired_before_lists_nothing(small: Scene) -> None:
    async with small.source() as source:
        spaces = await source.spaces()
        small.site.revoke_token(TOKEN)
        with pytest.raises(AuthenticationError, match="expired"):
            await anext(source.items(spaces))

    assert small.site.request_log.count(LISTINGS) == 0


async def test_a_space_that_is_gone_has_not_simply_no_items(small: Scene) -> None:
    async with small.source() as source:
        spaces = await source.spaces()
        small.site.hide(small.site.space("ENG").id)
        with pytest.raises(NotVisible, match="ENG is gone"):
            await anext(source.items(spaces))
