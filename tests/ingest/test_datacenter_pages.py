"""Pages of a Data Center with bodies, and the people who are named in them."""

from collections.abc import Iterator

import pytest

from index.errors import SourceUnavailable
from index.records import ContentType
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import SourcePage
from tests.confluence.datacenter.answers import Json
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import failing, rewritten, truncated
from tests.confluence.samples import filled_site
from tests.ingest.datacenter_sites import Scene, fetched, scene, swept

pytestmark = pytest.mark.anyio

ONE_PAGE = "*/rest/api/content/[0-9]*"
USERS = "*/rest/api/user"
VERSIONS = ["7.17.5", "7.19.16", "8.5.4", "9.2.1"]


@pytest.fixture
def small() -> Iterator[Scene]:
    """A space of twelve pages and two blog posts, in parts of five."""
    with scene(filled_site({"ENG": 12}, blogposts=2), Edition(most=5)) as served:
        yield served


@pytest.mark.parametrize("version", VERSIONS)
async def test_pages_and_blog_posts_come_with_body_labels_author_and_times(version: str) -> None:
    site = filled_site({"ENG": 2}, blogposts=1)
    ada = site.add_user("Ada")
    page = site.add_page("ENG", "Runbook", "<p>Restart.</p>", author=ada)
    post = site.add_blogpost("ENG", "News", "<p>We moved.</p>")
    site.edit(page.id, "<p>Restart twice.</p>")
    site.label(page.id, "on-call", "howto")
    site.label(page.id, "mine", prefix="my")
    site.label(post.id, "news")

    with scene(site, Edition(version)) as served:
        async with served.source() as source:
            summaries = await swept(source)
            answers = await fetched(source, summaries)

    assert set(answers) == {summary.page_id for summary in summaries}
    got = answers[page.id]
    assert isinstance(got, SourcePage)
    assert got.summary in summaries
    assert got.storage == "<p>Restart twice.</p>"
    assert got.labels == got.summary.labels == ("howto", "on-call")
    assert got.author == ada.user_key
    assert got.created_at == page.created_at
    assert got.updated_at == site.content(page.id).version.created_at
    blog = answers[post.id]
    assert isinstance(blog, SourcePage)
    assert blog.summary.content_type is ContentType.BLOGPOST
    assert blog.labels == ("news",)


@pytest.mark.parametrize("count", [199, 200, 320])
async def test_labels_beyond_those_that_come_with_a_page_are_read_as_well(count: int) -> None:
    site = filled_site({"ENG": 1})
    page = site.add_page("ENG", "Everything")
    names = [f"label-{number}" for number in range(count)]
    site.label(page.id, *names)
    site.label(page.id, "mine", prefix="my")

    with scene(site) as served:
        async with served.source() as source:
            summaries = [s for s in await swept(source) if s.page_id == page.id]
            answer = (await fetched(source, summaries))[page.id]

    assert isinstance(answer, SourcePage)
    assert sorted(answer.labels) == sorted(names)


async def test_an_author_without_key_is_known_by_name_and_times_may_have_no_colon(
    small: Scene,
) -> None:
    history: Json = {
        "createdBy": {"type": "known", "username": "grace", "displayName": "Grace"},
        "createdDate": "2014-03-07T17:08:20.326+1100",
    }
    small.faults.add(rewritten(lambda answer: {**answer, "history": history}), ONE_PAGE)

    async with small.source() as source:
        (answer,) = (await fetched(source, (await swept(source))[:1])).values()

    assert isinstance(answer, SourcePage)
    assert answer.author == "grace"
    assert answer.created_at is not None
    assert answer.created_at.isoformat() == "2014-03-07T17:08:20.326000+11:00"


async def test_a_page_of_an_anonymous_author_has_none(small: Scene) -> None:
    small.faults.add(rewritten(_without_author), ONE_PAGE)

    async with small.source() as source:
        (answer,) = (await fetched(source, (await swept(source))[:1])).values()

    assert isinstance(answer, SourcePage)
    assert answer.author is None


def _without_author(answer: Json) -> Json:
    history = answer["history"]
    assert isinstance(history, dict)
    anonymous = {"type": "anonymous", "displayName": "Anonymous"}
    return {**answer, "history": {**history, "createdBy": anonymous}}


async def test_a_page_that_vanishes_between_sweep_and_fetch_is_a_failure(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.site.hide(summaries[11].page_id)
        small.site.trash(summaries[10].page_id)
        answers = await fetched(source, summaries)

    for summary in summaries[10:12]:
        failure = answers[summary.page_id]
        assert isinstance(failure, NotVisible)
        assert "404" in str(failure)
    assert sum(isinstance(answer, SourcePage) for answer in answers.values()) == 12


async def test_a_page_that_left_its_space_since_the_sweep_is_a_failure(small: Scene) -> None:
    small.site.add_space("HR")

    async with small.source() as source:
        summaries = await swept(source)
        small.site.move(summaries[11].page_id, space_key="HR")
        answers = await fetched(source, summaries)

    assert isinstance(answers[summaries[11].page_id], NotVisible)


async def test_an_edit_since_the_sweep_is_told_by_the_fetched_version(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        small.site.edit(summaries[0].page_id, title="Renamed")
        answer = (await fetched(source, summaries))[summaries[0].page_id]

    assert isinstance(answer, SourcePage)
    assert answer.summary.version == 2
    assert answer.summary.title == "Renamed"


async def test_pages_that_come_in_another_shape_are_failures(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        bodiless, broken = summaries[3].page_id, summaries[4].page_id
        small.faults.add(rewritten(lambda answer: {**answer, "body": {}}), f"*/{bodiless}")
        small.faults.add(truncated(), f"*/{broken}", times=None)
        answers = await fetched(source, summaries)

    for page_id in (bodiless, broken):
        failure = answers[page_id]
        assert isinstance(failure, UnexpectedAnswer)
        assert "cannot be read" in str(failure)


async def test_one_page_that_always_breaks_the_server_holds_up_no_other(small: Scene) -> None:
    async with small.source() as source:
        summaries = await swept(source)
        broken = summaries[3].page_id
        small.faults.add(failing(500), f"*/content/{broken}", times=None)
        answers = await fetched(source, summaries)

    assert isinstance(answers.pop(broken), SourceUnavailable)
    assert all(isinstance(answer, SourcePage) for answer in answers.values())


async def test_people_are_found_by_key_and_by_name_and_asked_for_once(small: Scene) -> None:
    users = [small.site.add_user(f"Person {number}") for number in range(60)]
    user_ids = [user.user_key if number % 2 else user.username for number, user in enumerate(users)]
    # A name that looks like a key, and a key of another length.
    odd = small.site.add_user("0" * 32)

    async with small.source() as source:
        names = await source.user_names([*user_ids, odd.username, "nobody", user_ids[0]])
        requests = small.site.request_log.count(USERS)
        again = await source.user_names([user_ids[0], "nobody"])

    assert names == {
        **{user_id: user.name for user_id, user in zip(user_ids, users, strict=True)},
        odd.username: odd.name,
    }
    assert requests == 60 + 2 + 2
    assert again == {user_ids[0]: "Person 0"}
    assert small.site.request_log.count(USERS) == requests
    assert small.site.request_log.most_in_flight <= 8


async def test_nobody_is_asked_for_any_more_where_people_may_not_be_seen(
    small: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    small.faults.add(failing(403), USERS, times=None)

    async with small.source() as source:
        assert await source.user_names(["a"]) == {}
        requests = small.site.request_log.count(USERS)
        assert await source.user_names([f"user-{number}" for number in range(50)]) == {}

    assert small.site.request_log.count(USERS) == requests == 4
    assert [r.levelname for r in caplog.records if "names of users" in r.message] == ["WARNING"]


async def test_a_person_whom_the_server_cannot_show_stays_unknown(small: Scene) -> None:
    ada = small.site.add_user("Ada")
    small.faults.add(failing(500), USERS, query="*broken*", times=None)

    async with small.source() as source:
        names = await source.user_names(["broken", ada.user_key])

    assert names == {ada.user_key: "Ada"}
