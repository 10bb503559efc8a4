"""Confluence Cloud as a source: who may view a space, by permissions and by roles."""

from collections.abc import Iterator

import pytest

from index.errors import SourceUnavailable
from index.principals import ANONYMOUS, LICENSED, Principal, class_of_people, group, user
from ingest.sources.http import NotVisible, UnexpectedAnswer
from tests.confluence.faults import Json, failing, rewritten
from tests.confluence.samples import filled_site, site_with_space
from tests.ingest.cloud_sites import Scene, as_user, first_space, scene

pytestmark = pytest.mark.anyio


@pytest.fixture
def served() -> Iterator[Scene]:
    """An empty space."""
    with scene(site_with_space()) as one:
        yield one


async def readers(served: Scene) -> frozenset[Principal]:
    """Who may view the first space."""
    async with served.source() as source:
        return await source.access.space_readers(await first_space(source))


async def test_those_with_the_permission_to_view_are_the_readers_of_a_space(served: Scene) -> None:
    site = served.site
    ada, team = site.add_user("Ada"), site.permissions.add_group("Team")
    site.permissions.add_group("May export the space but not view it")
    site.permissions.grant(site.space("ENG"), as_user(ada), ("group", team.id))

    found = await readers(served)

    users = group(site.permissions.users_group.id)
    assert found == {users, user(ada.account_id), group(team.id)}


@pytest.mark.parametrize("name", ["anonymous-users", "authenticated-users", "all-licensed-users"])
async def test_a_permission_for_a_class_of_people_is_given_to_the_class(
    served: Scene, name: str
) -> None:
    served.site.permissions.grant(served.site.space("ENG"), ("class", name))

    assert class_of_people(name) in await readers(served)


@pytest.mark.parametrize(
    "principal",
    [
        {"type": "user", "id": None},
        {"type": "user"},
        {"type": "anonymous", "id": "anonymous-users"},
        {"type": "role", "id": "everybody"},
        {"type": "access_class", "id": "guest-users"},
        {"type": "app", "id": "1"},
    ],
)
async def test_a_permission_for_somebody_unheard_of_lets_nobody_in(
    served: Scene, principal: Json
) -> None:
    row = {"principal": principal, "operation": {"key": "read", "targetType": "space"}}
    served.spoil(rewritten(lambda answer: {**answer, "results": [row]}), "*/spaces/*/permissions")

    assert await readers(served) == frozenset()


async def test_all_permissions_of_a_space_are_read(served: Scene) -> None:
    site = served.site
    people = [site.add_user(f"Person {number}") for number in range(300)]
    site.permissions.grant(site.space("ENG"), *map(as_user, people))

    found = await readers(served)

    assert {user(person.account_id) for person in people} < found
    assert site.request_log.count("*/permissions") == 3


async def test_with_roles_only_those_count_that_let_one_view(served: Scene) -> None:
    site = served.site
    site.permissions.role_mode = "ROLES"
    space = site.space("ENG")
    reader = site.permissions.add_role("Reader", can_view=True, kind="SYSTEM")
    exporter = site.permissions.add_role("Exporter", can_view=False)
    ada, ben = site.add_user("Ada"), site.add_user("Ben")
    team = site.permissions.add_group("Team")
    crawler = as_user(site.crawler)
    site.permissions.assign(space, reader, crawler, as_user(ada), ("group", team.id))
    site.permissions.assign(space, reader, ("class", "anonymous-users"))
    site.permissions.assign(space, exporter, as_user(ben), ("class", "all-licensed-users"))

    found = await readers(served)

    people = {user(site.crawler.account_id), user(ada.account_id)}
    assert found == {*people, group(team.id), ANONYMOUS}


async def test_a_role_that_is_not_in_the_catalogue_closes_the_space(served: Scene) -> None:
    site = served.site
    site.permissions.role_mode = "ROLES"
    reader = site.permissions.add_role("Reader", can_view=True)
    unknown = site.permissions.add_role("Unknown", can_view=True)
    site.permissions.assign(site.space("ENG"), reader, as_user(site.crawler))
    site.permissions.assign(site.space("ENG"), unknown, as_user(site.add_user("Ada")))
    site.permissions.untold.add(unknown.id)

    with pytest.raises(UnexpectedAnswer, match="role"):
        await readers(served)


async def test_a_catalogue_without_the_permission_to_view_closes_the_space(served: Scene) -> None:
    site = served.site
    site.permissions.role_mode = "ROLES"
    reader = site.permissions.add_role("Reader", can_view=True)
    site.permissions.assign(site.space("ENG"), reader, as_user(site.crawler))
    other: Json = {"results": [{"id": "VIEW_CONTENT"}], "_links": {}}
    served.spoil(rewritten(lambda answer: {**answer, **other}), "*/space-permissions")

    with pytest.raises(UnexpectedAnswer, match="read/space"):
        await readers(served)


async def test_on_the_way_to_roles_permissions_and_roles_count(served: Scene) -> None:
    site = served.site
    site.permissions.role_mode = "ROLES_TRANSITION"
    ada, ben = site.add_user("Ada"), site.add_user("Ben")
    reader = site.permissions.add_role("Reader", can_view=True)
    exporter = site.permissions.add_role("Exporter", can_view=False)
    site.permissions.assign(
        site.space("ENG"), reader, as_user(ada), ("class", "all-licensed-users")
    )
    site.permissions.assign(site.space("ENG"), exporter, as_user(ben))

    found = await readers(served)

    assert found == {group(site.permissions.users_group.id), user(ada.account_id), LICENSED}


async def test_roles_and_their_mode_are_asked_for_once_a_round() -> None:
    site = filled_site({"ENG": 0, "HR": 0, "OPS": 0})
    site.permissions.role_mode = "ROLES"
    reader = site.permissions.add_role("Reader", can_view=True)
    for space in site.spaces.values():
        site.permissions.assign(space, reader, as_user(site.crawler))

    with scene(site) as served:
        async with served.source() as source:
            for _ in range(2):
                await source.access.site_readers()
                for space in await source.spaces():
                    await source.access.space_readers(space)

    counted = ("*/space-role-mode", "*/space-roles", "*/space-permissions", "*/role-assignments")
    assert [site.request_log.count(path) for path in counted] == [2, 2, 2, 6]


async def test_a_site_that_tells_no_mode_has_permissions(served: Scene) -> None:
    served.site.permissions.tells_role_mode = False

    assert await readers(served) == {group(served.site.permissions.users_group.id)}


@pytest.mark.parametrize("mode", [None, "PRE_ROLES"])
async def test_a_role_on_a_site_without_roles_lets_nobody_in(
    served: Scene, mode: str | None
) -> None:
    def with_role(answer: Json) -> Json:
        results = answer["results"]
        assert isinstance(results, list)
        row: Json = {
            "principal": {"type": "role", "id": "8f2c"},
            "operation": {"key": "read", "targetType": "space"},
        }
        return {**answer, "results": [*results, row]}

    served.spoil(rewritten(lambda _: {"mode": mode}), "*/space-role-mode")
    served.spoil(rewritten(with_role), "*/spaces/*/permissions")

    assert await readers(served) == {group(served.site.permissions.users_group.id)}


async def test_an_unheard_of_mode_closes_all_spaces(served: Scene) -> None:
    served.spoil(rewritten(lambda _: {"mode": "BADGES"}), "*/space-role-mode")

    with pytest.raises(UnexpectedAnswer, match="BADGES"):
        await readers(served)


async def test_a_mode_that_may_not_be_read_closes_all_spaces(served: Scene) -> None:
    served.spoil(failing(403), "*/space-role-mode")

    with pytest.raises(NotVisible):
        await readers(served)


async def test_a_single_doubt_about_the_mode_is_no_site_without_roles(served: Scene) -> None:
    site = served.site
    site.permissions.role_mode = "ROLES"
    reader = site.permissions.add_role("Reader", can_view=True)
    site.permissions.assign(site.space("ENG"), reader, as_user(site.crawler))
    served.faults.add(failing(404), path="*/space-role-mode", times=1)

    assert await readers(served) == {user(site.crawler.account_id)}


async def test_a_space_whose_permissions_are_not_told_raises(served: Scene) -> None:
    served.site.permissions.untold.add(served.site.space("ENG").id)

    with pytest.raises(NotVisible):
        await readers(served)


async def test_a_site_without_an_answer_is_not_a_refusal(served: Scene) -> None:
    served.spoil(failing(503), "*/spaces/*/permissions")

    with pytest.raises(SourceUnavailable):
        await readers(served)
