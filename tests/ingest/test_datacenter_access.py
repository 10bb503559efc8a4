"""Who may use a simulated Data Center and view its spaces, as the source tells it."""

import pytest

from index.errors import AuthenticationError, SourceUnavailable
from index.principals import ANONYMOUS, group
from index.records import Space
from ingest.sources.http import NotVisible
from tests.confluence.datacenter.edition import Edition
from tests.confluence.faults import Json, failing, rewritten
from tests.confluence.permissions import ANONYMOUS as ANYBODY
from tests.confluence.samples import site_with_space
from tests.confluence.site import Site
from tests.ingest.datacenter_sites import named, of, reading, scene

pytestmark = pytest.mark.anyio

ENG = Space("ENG", "Engineering", "")
USERS = group("confluence-users")
REST = "*/rest/api/space/*/permissions*"
GLOBAL = "*/rest/api/permissions"
REMOTE = "*/rpc/json-rpc/*"
OLD, NEW = ["7.17.5", "7.19.16", "8.5.4", "9.0.3"], ["9.1.0", "9.2.1", "10.0.3"]


@pytest.fixture
def site() -> Site:
    """An empty space, ENG."""
    return site_with_space()


# Who may use the site.


@pytest.mark.parametrize("version", ["9.2.1", "10.0.3"])
async def test_the_site_tells_who_may_use_it(site: Site, version: str) -> None:
    guest = site.add_user("Guest")
    site.permissions.guests.add(guest.account_id)
    site.permissions.is_site_open = True

    async with reading(site, Edition(version), "others") as (_, access):
        readers = await access.site_readers()

    assert readers == {USERS, *of(guest)}


@pytest.mark.parametrize("version", [*OLD, "9.1.0"])
async def test_where_the_site_does_not_tell_the_operator_names_groups(
    site: Site, version: str
) -> None:
    async with reading(site, Edition(version), "Confluence-Users", "staff") as (_, access):
        readers = await access.site_readers()

    assert readers == {USERS, group("staff")}


@pytest.mark.parametrize(
    "edition", [Edition("8.5.4"), Edition("9.2.1", is_administrator=False)], ids=["old", "refused"]
)
async def test_nobody_is_let_in_when_nobody_tells_who_may_use_the_site(
    site: Site, edition: Edition
) -> None:
    async with reading(site, edition) as (_, access):
        with pytest.raises(NotVisible, match="Set CONFLUENCE_SITE_GROUPS"):
            await access.site_readers()


async def test_a_site_that_fails_to_tell_who_may_use_it_is_asked_three_times(site: Site) -> None:
    async with reading(site, None, "staff") as (served, access):
        served.faults.add(failing(500), GLOBAL, times=None)
        readers = await access.site_readers()

    assert readers == {group("staff")}
    assert site.request_log.count(GLOBAL) == 3


async def test_a_site_that_is_down_is_no_refusal(site: Site) -> None:
    async with reading(site, None, "staff") as (served, access):
        served.faults.add(failing(503), times=None)
        with pytest.raises(SourceUnavailable):
            await access.site_readers()
        with pytest.raises(SourceUnavailable):
            await access.space_readers(ENG)


# Who may view a space.


@pytest.mark.parametrize("version", [*OLD, *NEW])
async def test_a_space_is_open_to_those_who_may_view_it(site: Site, version: str) -> None:
    ada, blaise = site.add_user("Ada"), site.add_user("Blaise", email="b.p@example.com")
    staff = site.permissions.add_group("Staff Of-All")
    site.permissions.revoke(site.space("ENG"), ("group", site.permissions.users_group.id))
    site.permissions.grant(
        site.space("ENG"),
        *named(ada, blaise, site.crawler, staff),
    )

    async with reading(site, Edition(version)) as (_, access):
        readers = await access.space_readers(ENG)

    assert readers == {*of(ada, blaise, site.crawler), group("staff of-all")}


@pytest.mark.parametrize("version", [*OLD, *NEW])
async def test_a_space_that_nobody_may_view_is_open_to_nobody(site: Site, version: str) -> None:
    site.permissions.revoke(site.space("ENG"), ("group", site.permissions.users_group.id))
    site.may_view = lambda person, thing: person == site.crawler

    async with reading(site, Edition(version)) as (_, access):
        assert await access.space_readers(ENG) == frozenset()


@pytest.mark.parametrize(
    "edition",
    [Edition("7.19.16"), Edition("9.2.1"), Edition("9.2.1", tells_anonymous_briefly=True)],
    ids=["remote", "list", "brief"],
)
async def test_a_space_may_be_open_to_visitors(site: Site, edition: Edition) -> None:
    site.permissions.grant(site.space("ENG"), ("class", ANYBODY))

    async with reading(site, edition) as (_, access):
        assert await access.space_readers(ENG) == {USERS, ANONYMOUS}


async def test_visitors_who_may_only_comment_may_not_view(site: Site) -> None:
    site.permissions.grant(site.space("ENG"), ("class", ANYBODY))

    def without_reading(answer: Json) -> Json:
        operations = answer["operations"]
        assert isinstance(operations, list)
        return {"operations": operations[:1]}

    async with reading(site, Edition(tells_anonymous_briefly=True)) as (served, access):
        served.faults.add(rewritten(without_reading), "*/permissions/anonymous")
        assert await access.space_readers(ENG) == {USERS}


@pytest.mark.parametrize("version", [*OLD, *NEW])
async def test_who_may_view_a_space_is_told_to_its_administrators_only(
    site: Site, version: str
) -> None:
    site.permissions.untold.add(site.space("ENG").id)

    async with reading(site, Edition(version)) as (_, access):
        with pytest.raises(NotVisible, match=r"administrator of that space"):
            await access.space_readers(ENG)


async def test_a_failure_of_the_site_is_taken_for_a_refusal_after_three_tries(site: Site) -> None:
    site.permissions.untold.add(site.space("ENG").id)

    async with reading(site) as (_, access):
        with pytest.raises(NotVisible):
            await access.space_readers(ENG)

    assert site.request_log.count(REST) == 3
    assert site.request_log.count(REMOTE) == 0


async def test_a_failure_that_passes_is_none(site: Site) -> None:
    async with reading(site) as (served, access):
        served.faults.add(failing(500), REST, times=2)
        assert await access.space_readers(ENG) == {USERS}


@pytest.mark.parametrize(
    "edition",
    [
        Edition("8.5.4", has_remote_api=False),
        Edition("8.5.4", wants_password_again=True),
    ],
    ids=["off", "password"],
)
async def test_a_remote_api_that_does_not_answer_is_given_up_for_all_spaces(
    site: Site, edition: Edition
) -> None:
    site.add_space("HR")

    async with reading(site, edition) as (_, access):
        with pytest.raises(NotVisible, match="An administrator can turn it on"):
            await access.space_readers(ENG)
        asked = site.request_log.count(REMOTE)
        with pytest.raises(NotVisible, match="An administrator can turn it on"):
            await access.space_readers(Space("HR", "HR", ""))

    assert site.request_log.count(REMOTE) == asked <= 5


async def test_a_remote_api_is_asked_again_in_the_next_round(site: Site) -> None:
    async with reading(site, Edition("8.5.4"), "staff") as (served, access):
        served.faults.add(failing(403), REMOTE, times=4)
        with pytest.raises(NotVisible):
            await access.space_readers(ENG)
        await access.site_readers()

        assert await access.space_readers(ENG) == {USERS}


async def test_that_rest_knows_no_permissions_is_learnt_once(site: Site) -> None:
    site.add_space("HR")

    async with reading(site, Edition("8.5.4")) as (_, access):
        for key in ("ENG", "HR"):
            await access.space_readers(Space(key, key, ""))

    assert site.request_log.count(REST) == 1
    assert site.request_log.count(REMOTE) == 2


async def test_a_space_costs_two_requests(site: Site) -> None:
    async with reading(site) as (_, access):
        await access.space_readers(ENG)

    assert len(site.request_log.entries) == site.request_log.count(REST) == 2


async def test_a_name_that_the_remote_api_tells_of_someone_gone_grants_nothing(site: Site) -> None:
    site.permissions.grant(site.space("ENG"), ("user", "gone"))

    async with reading(site, Edition("8.5.4")) as (_, access):
        assert await access.space_readers(ENG) == {USERS}


async def test_a_name_that_cannot_be_looked_up_closes_the_space(site: Site) -> None:
    ada = site.add_user("Ada")
    site.permissions.grant(site.space("ENG"), *named(ada))

    async with reading(site, Edition("8.5.4")) as (served, access):
        served.faults.add(failing(403), "*/rest/api/user", times=None)
        with pytest.raises(NotVisible):
            await access.space_readers(ENG)


async def test_people_before_whom_nothing_is_kept_are_not_let_in_by_that(site: Site) -> None:
    async with reading(site) as (_, access):
        site_readers = await access.site_readers()
        space_readers = await access.space_readers(ENG)

    assert group("confluence-administrators") not in site_readers | space_readers


@pytest.mark.parametrize("version", ["8.5.4", "9.2.1"])
async def test_an_expired_token_ends_all_instead_of_closing_a_space(
    site: Site, version: str
) -> None:
    edition = Edition(version, open_spaces=frozenset({"ENG"}))
    with scene(site, edition) as served:
        async with served.source("expired") as source:
            for ask in (
                source.access.site_readers(),
                source.access.space_readers(ENG),
                source.access.members("confluence-users"),
                source.access.accounts([site.crawler.user_key]),
            ):
                with pytest.raises(AuthenticationError, match="anonymous visitor"):
                    await ask
