"""Who alone may view pages of a simulated Data Center, as the source tells it."""

from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from index.errors import AuthenticationError
from index.principals import Principal, group
from index.records import ContentType, Space
from ingest.sources.datacenter_access import DataCenterAccess
from ingest.sources.http import NotVisible, UnexpectedAnswer
from tests.confluence.content import User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import Fault, Json, rewritten
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import named, of, reading, scene

pytestmark = pytest.mark.anyio

ENG = Space("ENG", "Engineering", "")
READ = "*/restriction/byOperation/read"
OLD, NEW = ["7.17.5", "7.19.16", "8.5.4", "9.0.3"], ["9.1.0", "9.2.1", "10.0.3"]


@pytest.fixture
def site() -> Site:
    """An empty space, ENG."""
    return site_with_space()


async def bulk(access: DataCenterAccess) -> dict[str, frozenset[Principal]]:
    """The restrictions that come with a listing of the space."""
    return {page_id: allowed async for page_id, allowed in access.restrictions(ENG)}


@pytest.mark.parametrize("version", [*OLD, *NEW])
async def test_restrictions_come_with_the_listing(site: Site, version: str) -> None:
    ada = site.add_user("Ada")
    staff = site.permissions.add_group("Staff", site.crawler)
    pages = site.add_tree("ENG", {"Top": {"Secret": {"Below": {}}, "Group": {}}})
    post = site.add_blogpost("ENG", "News")
    site.permissions.restrict(pages["Secret"], *named(ada, site.crawler))
    site.permissions.restrict(pages["Group"], *named(staff))
    site.permissions.restrict(post, *named(site.crawler))

    async with reading(site, Edition(version)) as (_, access):
        told = await bulk(access)

    assert told == {
        pages["Top"].id: frozenset(),
        pages["Secret"].id: of(ada, site.crawler),
        pages["Below"].id: frozenset(),
        pages["Group"].id: {group("staff")},
        post.id: of(site.crawler),
    }
    assert site.request_log.count(READ) == 0


@pytest.mark.parametrize(("version", "most"), [("7.19.16", 50), ("9.2.1", 50), ("10.0.3", 7)])
async def test_no_page_costs_a_request_of_its_own(site: Site, version: str, most: int) -> None:
    for number in range(120):
        site.add_page("ENG", f"Page {number}")

    async with reading(site, Edition(version, most=most)) as (_, access):
        told = await bulk(access)

    assert len(told) == 120
    assert site.request_log.count("*/rest/api/content*") <= 120 // most + 3


async def test_a_restriction_with_a_long_list_is_left_out_and_told_alone(site: Site) -> None:
    page = site.add_page("ENG", "Secret")
    people = [site.crawler, *(site.add_user(f"Person {number}") for number in range(230))]
    crowd = [site.permissions.add_group(f"Crowd {number}") for number in range(120)]
    site.permissions.restrict(page, *named(*people, *crowd))

    async with reading(site) as (_, access):
        told = await bulk(access)
        allowed = await access.restriction(page.id, ContentType.PAGE)

    assert told == {}
    assert allowed == of(*people) | {group(one.name.lower()) for one in crowd}


@pytest.mark.parametrize("count", [99, 100, 101, 200])
async def test_a_list_that_is_exactly_as_long_as_a_part_is_whole(site: Site, count: int) -> None:
    page = site.add_page("ENG", "Secret")
    people = [site.crawler, *(site.add_user(f"Person {number}") for number in range(count - 1))]
    site.permissions.restrict(page, *named(*people))

    async with reading(site) as (_, access):
        told = await bulk(access)
        allowed = await access.restriction(page.id, ContentType.PAGE)

    assert allowed == of(*people)
    assert told.get(page.id, allowed) == allowed


async def test_a_page_whose_restriction_is_not_told_is_closed(site: Site) -> None:
    secret, plain = site.add_page("ENG", "Secret"), site.add_page("ENG", "Plain")
    site.permissions.untold.add(secret.id)

    async with reading(site) as (_, access):
        told = await bulk(access)
        with pytest.raises(NotVisible):
            await access.restriction(secret.id, ContentType.PAGE)

    assert told == {plain.id: frozenset()}


async def test_a_page_that_is_hidden_is_closed(site: Site) -> None:
    page, ada = site.add_page("ENG", "Secret"), site.add_user("Ada")
    site.add_page("ENG", "Plain")
    site.permissions.restrict(page, *named(ada))

    async with reading(site) as (_, access):
        told = await bulk(access)
        with pytest.raises(NotVisible):
            await access.restriction(page.id, ContentType.PAGE)

    assert page.id not in told


async def test_people_who_are_gone_keep_a_page_restricted(site: Site) -> None:
    page = site.add_page("ENG", "Secret")
    site.permissions.restrict(page, ("user", "gone"))
    site.may_view = lambda person, thing: True

    async with reading(site) as (_, access):
        told = await bulk(access)
        alone = await access.restriction(page.id, ContentType.PAGE)

    assert told[page.id] == alone == of(User("gone", "", ""))


def restricted_to(subjects: Sequence[Json], size: int) -> Fault:
    """Every restriction names these as its people and nobody else, and counts so many."""
    people: Json = {"results": subjects, "start": 0, "limit": 200, "size": size}
    no_groups: Json = {"results": (), "start": 0, "limit": 200, "size": 0}
    read: Json = {"operation": "read", "restrictions": {"user": people, "group": no_groups}}

    def change(answer: Json) -> Json:
        results = TypeAdapter(list[dict[str, object]]).validate_python(answer.get("results", []))
        if "operation" in answer:
            return read
        return {**answer, "results": [{**one, "restrictions": {"read": read}} for one in results]}

    return rewritten(change)


async def test_a_restriction_to_nobody_known_is_not_taken_for_none(site: Site) -> None:
    page = site.add_page("ENG", "Secret")

    async with reading(site) as (served, access):
        served.faults.add(restricted_to([{"type": "unknown"}], 1), "*/content/*", times=None)
        told = await bulk(access)
        with pytest.raises(UnexpectedAnswer, match="names nobody"):
            await access.restriction(page.id, ContentType.PAGE)

    assert told == {}


async def test_an_empty_list_that_counts_people_is_not_taken_for_none(site: Site) -> None:
    page = site.add_page("ENG", "Secret")

    async with reading(site) as (served, access):
        served.faults.add(restricted_to([], 1), "*/content/*", times=None)
        told = await bulk(access)
        with pytest.raises(UnexpectedAnswer, match="read to its end"):
            await access.restriction(page.id, ContentType.PAGE)

    assert told == {}


async def test_a_list_that_goes_round_in_circles_is_an_error(site: Site) -> None:
    page = site.add_page("ENG", "Secret")
    people = [site.crawler, *(site.add_user(f"Person {number}") for number in range(150))]
    site.permissions.restrict(page, *named(*people))
    first: list[Json] = []

    def always_the_first(answer: Json) -> Json:
        first.append(answer)
        return first[0]

    async with reading(site) as (served, access):
        served.faults.add(rewritten(always_the_first), READ, times=None)
        with pytest.raises(UnexpectedAnswer, match="read to its end"):
            await access.restriction(page.id, ContentType.PAGE)

    assert len(first) == 2


async def test_a_token_that_is_worth_nothing_lists_no_restrictions(site: Site) -> None:
    site.add_page("ENG", "Plain")

    with scene(site, Edition(open_spaces=frozenset({"ENG"}))) as served:
        async with served.source("expired") as source:
            with pytest.raises(AuthenticationError, match="anonymous visitor"):
                await bulk(source.access)
