"""Who may view a space by its export, and what an operator makes public."""

from pathlib import Path

import pytest

from index.errors import SourceError
from index.principals import ANONYMOUS, AUTHENTICATED, Principal, group, user
from index.records import ContentType
from ingest.sources.export import ExportSource
from ingest.sources.refusals import NotVisible
from tests.ingest.export_readers import OPS, PEOPLE, STAFF, told
from tests.ingest.exports import (
    SITE,
    allowed,
    collection,
    entity,
    page,
    restriction,
    space_permission,
    user_subject,
    write_folder,
)
from tests.ingest.exports import user as exported_user

pytestmark = pytest.mark.anyio

LEADS = allowed("1", "50", groupName="leads")


async def readers(tmp_path: Path, *permissions: str) -> frozenset[Principal]:
    """Who may view a space with these permissions."""
    return (await told(tmp_path, OPS, PEOPLE, *permissions)).space


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (space_permission("1", group="Ops Team"), group("ops team")),
        (space_permission("1", user_subject("key-ada")), user("key-ada")),
        (space_permission("1", userName="ada"), user("key-ada")),
        (space_permission("1", userName="ADA"), user("key-ada")),
        (space_permission("1", allUsersSubject="anonymous-users"), ANONYMOUS),
        (space_permission("1", allUsersSubject="authenticated-users"), AUTHENTICATED),
        (space_permission("1"), ANONYMOUS),
        (space_permission("1", '<property name="group"/>'), ANONYMOUS),
    ],
)
async def test_each_way_to_name_a_reader_of_a_space_is_understood(
    tmp_path: Path, permission: str, expected: Principal
) -> None:
    assert await readers(tmp_path, permission) == {expected}


@pytest.mark.parametrize(
    "permission",
    [
        space_permission("1", type="EDITSPACE", group="editors"),
        space_permission("1", type="SETSPACEPERMISSIONS", userName="ada"),
        space_permission("1", type="COMMENT"),
        space_permission("1", type=""),
        entity("SpacePermission", "1", {"type": "VIEWSPACE", "group": "everyone"}),
        space_permission("1", space_id="8", group="neighbours"),
    ],
)
async def test_only_permissions_to_view_the_space_count(tmp_path: Path, permission: str) -> None:
    assert await readers(tmp_path, STAFF, permission) == {group("staff")}


@pytest.mark.parametrize(
    "damaged",
    [
        space_permission("1", user_subject("")),
        space_permission("1", '<property name="userSubject" class="ConfluenceUserImpl"/>'),
        space_permission("1", '<property name="group"><name>staff</name></property>'),
        space_permission("1", group=" "),
        space_permission("1", user_subject("key-ada"), group="admins"),
        space_permission("1", group="admins", allUsersSubject="anonymous-users"),
        space_permission("1", allUsersSubject="everybody"),
        space_permission("1", allUsersSubject="all-product-admins"),
        space_permission("1", subjectGroup="a-field-of-a-later-version"),
        space_permission("1", collection("subjects", "Subject", "5")),
    ],
)
async def test_a_damaged_permission_opens_a_space_to_nobody(tmp_path: Path, damaged: str) -> None:
    assert await readers(tmp_path, STAFF, damaged) == {group("staff")}


@pytest.mark.parametrize(
    "unknown", [space_permission("1", userName="eve"), space_permission("1", user_subject("eve"))]
)
async def test_a_name_that_nobody_has_grants_nothing(tmp_path: Path, unknown: str) -> None:
    assert await readers(tmp_path, unknown) == frozenset()


async def test_a_name_that_two_users_have_grants_nothing(tmp_path: Path) -> None:
    twin = exported_user("key-new-ada", name="ada", lowerName="ada")

    assert await readers(tmp_path, twin, space_permission("1", userName="ada")) == frozenset()


async def test_a_space_that_tells_of_no_permission_at_all_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(NotVisible, match=r"OPS.*--public"):
        await told(tmp_path, OPS, page("11", "Runbook"))


async def test_a_space_that_nobody_may_view_is_open_to_nobody(tmp_path: Path) -> None:
    assert await readers(tmp_path, space_permission("1", type="EDITSPACE")) == frozenset()


async def test_permissions_that_only_their_space_lists_are_found(tmp_path: Path) -> None:
    ops = entity(
        "Space",
        "7",
        {"key": "OPS", "name": "Operations"},
        collection("permissions", "SpacePermission", "1", "2"),
    )
    mine = entity("SpacePermission", "1", {"type": "VIEWSPACE", "group": "staff"})
    others = space_permission("2", space_id="8", group="neighbours")

    answer = await told(tmp_path, mine, others, ops)

    assert answer.space == {group("staff")}


async def test_what_is_public_may_be_read_by_everybody(tmp_path: Path) -> None:
    limit = restriction("50", "11", allowed("1", "50", groupName="leads"))
    path = write_folder(tmp_path, OPS, page("11", "Runbook"), limit, restriction("51", None, LEADS))

    async with ExportSource(path, SITE, is_public=True) as source:
        (ops,) = await source.spaces()
        access = source.access
        everybody = await access.site_readers()
        listing = [one async for one in access.restrictions(ops)]

        assert {str(one) for one in everybody} == {"class:everybody"}
        assert await access.space_readers(ops) == everybody
        assert listing == []
        assert await access.restriction("11", ContentType.PAGE) == frozenset()
        assert await access.accounts(["key-ada"]) == []
        assert access.is_snapshot


async def test_an_export_never_gets_too_old(tmp_path: Path) -> None:
    assert ExportSource(tmp_path, SITE).access.is_snapshot


async def test_an_export_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    access = ExportSource(tmp_path / "absent", SITE).access

    with pytest.raises(SourceError, match="absent"):
        await access.site_readers()
