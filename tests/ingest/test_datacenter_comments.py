"""Comments of a Data Center as they are read, and the bytes of its attachments."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO

import pytest

from index.errors import AuthenticationError
from ingest.sources.datacenter import DataCenterSource
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import PageSummary
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import connection_reset, failing
from tests.confluence.samples import filled_site
from tests.ingest.datacenter_sites import Scene, listed_items, scene, some_page, swept

pytestmark = pytest.mark.anyio

COMMENTS = "*/child/comment"
DOWNLOAD = "*/download/attachments/*"


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and a blog post that visitors may read, in parts of five."""
    edition = Edition(most=5, open_spaces=frozenset({"ENG"}))
    with scene(filled_site({"ENG": 12}, blogposts=1), edition) as served:
        yield served


async def summary_of(source: DataCenterSource, page_id: str) -> PageSummary:
    """The summary of a page in the first space."""
    return next(summary for summary in await swept(source) if summary.page_id == page_id)


@pytest.mark.parametrize(
    ("version", "address"),
    [
        ("7.19.16", "/pages/viewpage.action?pageId={page}&focusedCommentId={id}#comment-{id}"),
        ("9.2.1", "/spaces/ENG/pages/{page}/A+%26+B?focusedCommentId={id}#comment-{id}"),
    ],
)
async def test_comments_come_with_all_that_is_known_of_them(version: str, address: str) -> None:
    site = filled_site({"ENG": 1})
    ada = site.add_user("Ada")
    page = site.add_page("ENG", "A & B")
    first = site.comment(page.id, "<p>Why?</p>", selection="the text", author=ada)
    reply = site.comment(page.id, "<p>So.</p>", parent=first.id)
    site.edit_comment(reply.id, "<p>Because.</p>")

    with scene(site, Edition(version)) as served:
        async with served.source() as source:
            root, answer = await source.comments(await summary_of(source, page.id))

    assert root.comment_id == first.id
    assert (root.parent_id, root.selection, root.resolution) == (None, "the text", "open")
    assert (root.author, root.created_at, root.version) == (ada.user_key, first.created_at, 1)
    assert root.storage == "<p>Why?</p>"
    assert root.url == served.base_url + address.format(page=page.id, id=first.id)
    assert (answer.comment_id, answer.parent_id) == (reply.id, first.id)
    assert (answer.selection, answer.resolution) == (None, None)
    assert (answer.version, answer.storage) == (2, "<p>Because.</p>")


async def test_comments_of_every_place_and_state_come_oldest_first(small: Scene) -> None:
    site, page_id = small.site, some_page(small.site)
    inline = site.comment(page_id, "<p>1</p>", selection="a")
    footer = site.comment(page_id, "<p>2</p>")
    resolved = site.comment(page_id, "<p>3</p>", selection="b")
    deep = site.comment(page_id, "<p>4</p>", parent=resolved.id)
    deeper = site.comment(page_id, "<p>5</p>", parent=deep.id)
    reopened = site.comment(page_id, "<p>6</p>", selection="c")
    dangling = site.comment(page_id, "<p>7</p>", selection="d")
    deleted = site.comment(page_id, "<p>8</p>")
    for change, comment in (
        (site.resolve_comment, resolved),
        (site.reopen_comment, reopened),
        (site.dangle_comment, dangling),
    ):
        change(comment.id)
    site.delete_comment(deleted.id)

    async with small.source() as source:
        found = await source.comments(await summary_of(source, page_id))

    assert [(one.comment_id, one.parent_id, one.resolution) for one in found] == [
        (inline.id, None, "open"),
        (footer.id, None, None),
        (resolved.id, None, "resolved"),
        (deep.id, resolved.id, None),
        (deeper.id, deep.id, None),
        (reopened.id, None, "reopened"),
        (dangling.id, None, "dangling"),
    ]


async def test_a_long_thread_is_read_part_after_part() -> None:
    site = filled_site({"ENG": 1}, blogposts=1)
    post_id = list(site.contents)[1]
    comments = [site.comment(post_id, f"<p>{number}</p>") for number in range(130)]

    with scene(site, Edition(most=20)) as served:
        async with served.source() as source:
            found = await source.comments(await summary_of(source, post_id))

    assert [one.comment_id for one in found] == [comment.id for comment in comments]


async def test_comments_may_tell_little_of_themselves(small: Scene) -> None:
    page_id = some_page(small.site)
    bare: Json = {"id": "12", "version": {"number": 1}, "body": {"storage": {"value": "<p/>"}}}
    text: Json = {**bare, "id": "13", "extensions": {"resolution": "RESOLVED"}}
    old: Json = {
        **bare,
        "id": "9",
        "version": {"number": 1, "when": "2014-03-07T17:08:20.326+1100"},
        "extensions": {"inlineProperties": {}, "resolution": {"status": "Unheard Of"}},
    }
    small.faults.add(failing(200, body={"results": [old, text, bare]}), COMMENTS)

    async with small.source() as source:
        summary = await summary_of(source, page_id)
        first, closed, second = await source.comments(summary)

    assert (first.comment_id, closed.comment_id, second.comment_id) == ("12", "13", "9")
    assert closed.resolution == "resolved"
    assert first.created_at is first.author is first.parent_id is first.selection is None
    assert second.selection is second.resolution is None
    assert first.url == f"{summary.url}?focusedCommentId=12#comment-12"


async def test_comments_of_a_page_that_is_gone_are_not_simply_none(small: Scene) -> None:
    async with small.source() as source:
        summary = await summary_of(source, some_page(small.site))
        small.site.trash(summary.page_id)
        with pytest.raises(NotVisible, match="404"):
            await source.comments(summary)

    assert small.site.request_log.count(COMMENTS) == 3


async def test_a_token_that_expired_hides_no_comments() -> None:
    with scene(filled_site({"ENG": 3})) as served:
        async with served.source() as source:
            summary = (await swept(source))[0]
            served.site.revoke_token(TOKEN)
            with pytest.raises(AuthenticationError, match="expired"):
                await source.comments(summary)


@pytest.mark.parametrize(
    "name", ["plan.pdf", "Plan 1 & 2 + 3% äé #4?.txt", "a/b;c=d.txt", "日本.md"]
)
async def test_the_bytes_of_an_attachment_are_downloaded(small: Scene, name: str) -> None:
    plan = small.site.attach(some_page(small.site), name, data=b"first")

    async with small.source() as source:
        (item,) = await listed_items(source)
        small.site.replace_attachment(plan.id, b"second, and longer")
        old, new = BytesIO(), BytesIO(b"something that was there before")
        await source.download(item, old, 5)
        (item,) = await listed_items(source)
        await source.download(item, new, 100)

    assert old.getvalue() == b"first"
    assert new.getvalue() == b"second, and longer"


async def test_a_file_larger_than_allowed_is_not_taken(small: Scene) -> None:
    small.site.attach(some_page(small.site), "plan.pdf", data=b"x" * 101)

    async with small.source() as source:
        (item,) = await listed_items(source)
        with pytest.raises(UnexpectedAnswer, match="more than 100 bytes"):
            await source.download(item, BytesIO(), 100)


async def test_a_file_of_another_size_than_listed_is_not_taken(small: Scene) -> None:
    small.site.attach(some_page(small.site), "plan.pdf", data=b"%PDF-1.7")
    small.faults.add(failing(200, body="<html>Log in, dear</html>"), DOWNLOAD)

    async with small.source() as source:
        (item,) = await listed_items(source)
        with pytest.raises(UnexpectedAnswer, match="25 bytes instead of 8"):
            await source.download(item, BytesIO(), 100)


async def test_a_file_that_is_gone_is_not_visible(small: Scene) -> None:
    plan = small.site.attach(some_page(small.site), "plan.pdf", data=b"%PDF-1.7")

    async with small.source() as source:
        (item,) = await listed_items(source)
        small.site.delete_attachment(plan.id)
        file = BytesIO()
        with pytest.raises(NotVisible):
            await source.download(item, file, 100)

    assert file.getvalue() == b""


@pytest.mark.parametrize("context", ["", "/tools/wiki"])
async def test_the_login_in_place_of_a_file_is_an_expired_token(context: str) -> None:
    site = filled_site({"ENG": 1})
    site.attach(site.space("ENG").homepage_id or "", "plan.pdf", data=b"%PDF-1.7")

    with scene(site, Edition(context=context)) as served:
        async with served.source() as source:
            (item,) = await listed_items(source)
            site.revoke_token(TOKEN)
            with pytest.raises(AuthenticationError, match="expired"):
                await source.download(item, BytesIO(), 100)


async def test_a_download_that_breaks_off_is_tried_again(small: Scene) -> None:
    small.site.attach(some_page(small.site), "plan.pdf", data=b"%PDF-1.7" * 100)
    small.faults.add(connection_reset(after=20), DOWNLOAD, times=2)
    file = BytesIO()

    async with small.source() as source:
        (item,) = await listed_items(source)
        await source.download(item, file, 1000)

    assert file.getvalue() == b"%PDF-1.7" * 100


async def test_times_are_those_of_the_server_with_their_zone(small: Scene) -> None:
    page_id = some_page(small.site)
    comment = small.site.comment(page_id, "<p>1</p>")

    async with small.source() as source:
        (found,) = await source.comments(await summary_of(source, page_id))

    assert isinstance(found.created_at, datetime)
    assert found.created_at.astimezone(UTC) == comment.created_at
