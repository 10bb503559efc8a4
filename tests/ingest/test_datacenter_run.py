"""A Data Center goes into a real index, and what changes there follows it."""

from collections.abc import AsyncGenerator

import pytest

from index.access import CRAWLER
from index.database import Database
from index.errors import AuthenticationError, NotFound
from index.pages import Pages
from index.settings import IndexSettings
from ingest.report import Report
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import before
from tests.confluence.samples import filled_site
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import Scene, scene
from tests.ingest.wiki import take_in, with_endpoint
from tests.openai_endpoint import openai_endpoint

pytestmark = pytest.mark.anyio

ONE_PAGE = "*/rest/api/content/[0-9]*"
USERS = "*/rest/api/user"
EDITIONS = [
    Edition(most=10, open_spaces=frozenset({"HR"})),
    Edition("7.17.5", most=10, context="", open_spaces=frozenset({"HR"})),
]


class Wiki:
    """A Data Center, and the index that it goes into."""

    def __init__(self, scene: Scene, settings: IndexSettings, database: Database) -> None:
        self.scene = scene
        self._settings = settings
        self._pages = Pages(database)

    @property
    def site(self) -> Site:
        """The site, to be changed between runs."""
        return self.scene.site

    async def run(self, *, full: bool = False) -> Report:
        """One ingest."""
        async with self.scene.source() as source:
            return await take_in(self._settings, source, full=full)

    async def titles(self, *page_ids: str) -> list[str | None]:
        """The titles of pages as readers get them, None for those that are not shown."""
        return [await self._title(page_id) for page_id in page_ids]

    async def _title(self, page_id: str) -> str | None:
        try:
            return (await self._pages.page(CRAWLER, page_id)).info.title
        except NotFound:
            return None


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.version)
async def wiki(
    request: pytest.FixtureRequest, index_settings: IndexSettings, database: Database
) -> AsyncGenerator[Wiki]:
    """Two spaces of 25 and five pages with a blog post each; visitors may read one of them."""
    site = filled_site({"ENG": 25, "HR": 5}, blogposts=1)
    with scene(site, request.param) as served, openai_endpoint() as endpoint:
        yield Wiki(served, with_endpoint(index_settings, endpoint), database)


async def test_a_site_goes_in_and_a_second_run_fetches_nothing(
    wiki: Wiki, database: Database
) -> None:
    ada, grace = wiki.site.add_user("Ada Lovelace"), wiki.site.add_user("Grace")
    home = wiki.site.space("HR").homepage_id
    body = (
        f'<h1>Asking</h1><p><ac:link><ri:user ri:userkey="{grace.user_key}"/></ac:link> and '
        f'<ac:link><ri:user ri:username="{ada.username}"/></ac:link> answer. See '
        '<ac:link><ri:page ri:content-title="ENG page 3" ri:space-key="ENG"/></ac:link> and '
        '<ac:link><ri:attachment ri:filename="plan 1.pdf"/></ac:link>.</p>'
    )
    page = wiki.site.add_page("HR", "Leave", body, parent=home, author=ada)
    wiki.site.label(page.id, "policy")

    first = await wiki.run()
    wiki.site.request_log.clear()
    second = await wiki.run()

    stored = await Pages(database).page(CRAWLER, page.id)
    assert first.succeeded
    assert second.succeeded
    assert (first.spaces, first.pages, first.stored, first.failed) == (2, 33, 33, 0)
    assert (second.pages, second.stored, second.moved, second.hidden) == (33, 0, 0, 0)
    assert second.embedded == 0
    assert wiki.site.request_log.count(ONE_PAGE) == wiki.site.request_log.count(USERS) == 0
    assert stored.info.author == "Ada Lovelace"
    assert stored.labels == ("policy",)
    assert [ancestor.title for ancestor in stored.ancestors] == ["HR page 0"]
    base_url = wiki.scene.base_url
    assert "@Grace and @Ada Lovelace answer" in stored.markdown
    assert f"({base_url}/download/attachments/{page.id}/plan%201.pdf)" in stored.markdown
    assert f"[ENG page 3]({base_url}/" in stored.markdown
    assert stored.info.url.startswith(f"{base_url}/")


async def test_comments_and_attachments_go_in_and_follow_what_changes(
    wiki: Wiki, database: Database
) -> None:
    page_id, post_id = list(wiki.site.contents)[20], list(wiki.site.contents)[25]
    ada = wiki.site.add_user("Ada Lovelace")
    why = wiki.site.comment(page_id, "<p>Why twenty?</p>", selection="Section", author=ada)
    reply = wiki.site.comment(page_id, "<p>Because.</p>", parent=why.id)
    gone = wiki.site.comment(post_id, "<p>First!</p>")
    plan = wiki.site.attach(page_id, "plan 1.txt", media_type="text/plain", data=b"Dig a well.")
    await wiki.run()
    pages = Pages(database)
    before, old_plan = (
        await pages.page(CRAWLER, page_id),
        await pages.attachment(CRAWLER, page_id, plan.filename),
    )

    wiki.site.resolve_comment(why.id)
    wiki.site.edit_comment(reply.id, "<p>Because of nineteen.</p>")
    wiki.site.delete_comment(gone.id)
    wiki.site.replace_attachment(plan.id, b"Dig two wells.")
    second = await wiki.run(full=True)
    wiki.site.request_log.clear()
    third = await wiki.run()

    after, post = await pages.page(CRAWLER, page_id), await pages.page(CRAWLER, post_id)
    new_plan = await pages.attachment(CRAWLER, page_id, plan.filename)
    assert second.succeeded
    assert [(one.comment_id, one.parent_id, one.resolution) for one in before.comments] == [
        (why.id, None, "open"),
        (reply.id, why.id, None),
    ]
    assert before.comments[0].author == "Ada Lovelace"
    assert before.comments[0].selection == "Section"
    assert before.comments[0].url.startswith(f"{wiki.scene.base_url}/")
    assert (old_plan.markdown.strip(), new_plan.markdown.strip()) == (
        "Dig a well.",
        "Dig two wells.",
    )
    assert after.comments[0].resolution == "resolved"
    assert "of nineteen" in after.comments[1].markdown
    assert [file.attachment_id for file in after.attachments] == [plan.id]
    assert post.comments == ()
    assert third.stored == wiki.site.request_log.count(ONE_PAGE) == 0
    assert wiki.site.request_log.count("*/download/*") == 0


async def test_edits_moves_and_deletions_follow(wiki: Wiki) -> None:
    edited, trashed, moved, hidden = list(wiki.site.contents)[21:25]
    await wiki.run()

    wiki.site.edit(edited, "<p>Other</p>", title="Renamed")
    wiki.site.trash(trashed)
    wiki.site.move(moved, parent=wiki.site.space("ENG").homepage_id)
    wiki.site.hide(hidden)
    report = await wiki.run()

    assert (report.stored, report.hidden, report.failed) == (1, 2, 0)
    assert report.moved >= 1
    assert await wiki.titles(edited, trashed, moved, hidden) == [
        "Renamed",
        None,
        "ENG page 23",
        None,
    ]


async def test_a_page_that_becomes_visible_again_comes_back(wiki: Wiki) -> None:
    page_id = list(wiki.site.contents)[24]
    wiki.site.hide(page_id)
    await wiki.run()
    before_that = await wiki.titles(page_id)

    wiki.site.reveal(page_id)
    await wiki.run()

    assert before_that == [None]
    assert await wiki.titles(page_id) == ["ENG page 24"]


@pytest.mark.parametrize(
    ("path", "query"),
    [("*/rest/api/space", "*"), ("*/rest/api/content*", "*spaceKey=HR*")],
    ids=["spaces", "pages"],
)
async def test_a_token_that_expires_in_mid_run_hides_nothing(
    wiki: Wiki, path: str, query: str
) -> None:
    await wiki.run()
    page_ids = list(wiki.site.contents)
    wiki.site.may_view = lambda user, thing: bool(user.email) or thing.id != page_ids[28]

    wiki.scene.faults.add(before(lambda: wiki.site.revoke_token(TOKEN)), path, query=query)
    with pytest.raises(AuthenticationError, match="expired"):
        await wiki.run()

    assert None not in await wiki.titles(*page_ids)
