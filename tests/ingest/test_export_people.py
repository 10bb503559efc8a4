"""Who is meant by the keys and names in an export, with a directory and without."""

from pathlib import Path

import pytest

from index.principals import ANONYMOUS, AUTHENTICATED, user
from ingest.sources.directory import Directory, DirectoryAccount
from ingest.sources.export import ExportSource
from ingest.sources.refusals import NotVisible
from tests.ingest.export_readers import ADA, OPS, PEOPLE, STAFF, told
from tests.ingest.exports import (
    SITE,
    entity,
    space,
    space_permission,
    user_subject,
    write_folder,
)
from tests.ingest.exports import user as exported_user

pytestmark = pytest.mark.anyio


async def accounts(
    tmp_path: Path, *ids: str, users: str = PEOPLE, directory: Directory | None = None
) -> dict[str, tuple[str | None, str | None, bool]]:
    """User name, e-mail and activity of accounts by id."""
    path = write_folder(tmp_path / "people", OPS, users)
    async with ExportSource(path, SITE, directory=directory) as source:
        found = await source.access.accounts(ids)
    for account in found:
        assert account.classes == {ANONYMOUS.name, AUTHENTICATED.name}
    return {one.account_id: (one.username, one.email, one.is_active) for one in found}


async def test_without_a_directory_the_users_of_the_export_are_active(tmp_path: Path) -> None:
    answer = await told(tmp_path, OPS, STAFF, PEOPLE)
    found = await accounts(tmp_path, "key-ada", "key-bob", "key-eve")

    assert answer.site == {AUTHENTICATED, user("key-ada"), user("key-bob")}
    assert found == {"key-ada": ("Ada", "ada@example.com", True), "key-bob": ("bob", None, True)}


async def test_without_a_directory_groups_let_nobody_in_and_say_why(tmp_path: Path) -> None:
    async with ExportSource(write_folder(tmp_path, OPS, STAFF), SITE) as source:
        with pytest.raises(NotVisible, match="CONFLUENCE_DIRECTORY"):
            await source.access.members("staff")


async def test_on_a_cloud_people_go_by_their_account_ids(tmp_path: Path) -> None:
    users = [
        exported_user("ff80", name="ada@example.com", atlassianAccountId="557058:ada"),
        exported_user("712020:bob", name="712020:bob", atlassianAccountId="712020:bob"),
    ]
    permissions = [
        space_permission("1", user_subject("ff80")),
        space_permission("2", user_subject("712020:bob")),
    ]

    answer = await told(tmp_path, OPS, *users, *permissions)

    assert answer.space == {user("557058:ada"), user("712020:bob")}
    assert answer.site == {AUTHENTICATED, user("557058:ada"), user("712020:bob")}


async def test_a_key_that_is_the_account_id_of_somebody_else_is_nobodys(tmp_path: Path) -> None:
    users = [
        exported_user("one", atlassianAccountId="two"),
        exported_user("two", atlassianAccountId="three"),
    ]

    answer = await told(tmp_path, OPS, *users, space_permission("1", user_subject("two")))

    assert answer.space == frozenset()


async def test_a_deactivated_login_of_a_whole_site_is_heeded(tmp_path: Path) -> None:
    logins = [
        entity("InternalUser", "1", {"name": "Ada", "lowerName": "ada", "active": "false"}),
        entity("InternalUser", "2", {"name": "bob", "active": "true"}),
    ]

    answer = await told(tmp_path, OPS, STAFF, PEOPLE, *logins)
    found = await accounts(tmp_path, "key-ada", "key-bob", users=PEOPLE + "".join(logins))

    assert answer.site == {AUTHENTICATED, user("key-bob")}
    assert {key: is_active for key, (_, _, is_active) in found.items()} == {
        "key-ada": False,
        "key-bob": True,
    }


async def test_what_several_exports_tell_of_a_user_is_put_together(tmp_path: Path) -> None:
    write_folder(
        tmp_path / "a", OPS, exported_user("k", name="ada", atlassianAccountId="557058:ada")
    )
    write_folder(
        tmp_path / "b",
        space("7", "HR", "People"),
        exported_user("k", email="ada@example.com"),
        space_permission("1", user_subject("k")),
    )

    async with ExportSource(tmp_path, SITE) as source:
        people, _ = await source.spaces()
        allowed_in = await source.access.space_readers(people)
        (account,) = await source.access.accounts(["557058:ada"])

    assert allowed_in == {user("557058:ada")}
    assert (account.username, account.email) == ("ada", "ada@example.com")


def listed(*accounts: tuple[str, str | None], **groups: set[str]) -> Directory:
    """A directory of active accounts by id and user name."""
    return Directory(
        [DirectoryAccount(account_id, name, None, True) for account_id, name in accounts],
        {name: frozenset(members) for name, members in groups.items()},
    )


async def test_a_directory_has_the_members_of_groups(tmp_path: Path) -> None:
    directory = listed(("key-ada", None), ("key-bob", None), staff={"key-ada"}, leads=set())
    path = write_folder(tmp_path, OPS, STAFF, PEOPLE)

    async with ExportSource(path, SITE, directory=directory) as source:
        assert await source.access.members("staff") == {"key-ada"}
        assert await source.access.members("leads") == frozenset()
        with pytest.raises(NotVisible, match="CONFLUENCE_DIRECTORY"):
            await source.access.members("others")


async def test_with_a_directory_only_its_accounts_are_anybody(tmp_path: Path) -> None:
    directory = Directory(
        [
            DirectoryAccount("key-ada", None, "new-ada@example.com", True),
            DirectoryAccount("key-carl", "carl", None, False),
        ],
        {},
    )
    users = [space_permission("1", user_subject("key-ada")), space_permission("2", userName="bob")]

    answer = await told(tmp_path, OPS, PEOPLE, *users, directory=directory)
    found = await accounts(tmp_path, "key-ada", "key-bob", "key-carl", directory=directory)

    assert answer.site == {AUTHENTICATED, user("key-ada")}
    assert answer.space == {user("key-ada")}
    assert found == {
        "key-ada": ("Ada", "new-ada@example.com", True),
        "key-carl": ("carl", None, False),
    }


async def test_a_directory_may_know_people_by_their_user_names(tmp_path: Path) -> None:
    directory = listed(("557058:ada", "ADA"))
    permission = space_permission("1", user_subject("key-ada"))

    answer = await told(tmp_path, OPS, PEOPLE, permission, directory=directory)

    assert answer.space == {user("557058:ada")}


@pytest.mark.parametrize(
    "permission",
    [space_permission("1", userName="Grace"), space_permission("1", user_subject("grace-id"))],
)
async def test_who_is_no_user_of_an_old_export_may_be_in_the_directory(
    tmp_path: Path, permission: str
) -> None:
    directory = listed(("grace-id", "grace"))

    answer = await told(tmp_path, OPS, permission, directory=directory)

    assert answer.space == {user("grace-id")}


@pytest.mark.parametrize(
    ("users", "directory"),
    [
        # Who had the name then is not who has it now: the directory knows her by another.
        (ADA, listed(("key-ada", "ada.lovelace"), ("key-new", "ada"))),
        # Two users share the name.
        (ADA + exported_user("key-new", lowerName="ada"), listed(("557058:ada", "ada"))),
        # The key says one account, the account id another.
        (
            exported_user("key-ada", name="ada", atlassianAccountId="557058:ada"),
            listed(("key-ada", None), ("557058:ada", None)),
        ),
    ],
)
async def test_nobody_is_taken_for_somebody_of_the_same_name(
    tmp_path: Path, users: str, directory: Directory
) -> None:
    named = space_permission("1", userName="ada")

    answer = await told(tmp_path, OPS, users, named, directory=directory)

    assert answer.space <= {user("key-ada")}
    assert user("key-new") not in answer.space
    assert user("557058:ada") not in answer.space


async def test_an_account_that_an_id_fits_is_not_given_to_its_namesake(tmp_path: Path) -> None:
    users = [
        exported_user("k1", name="ada.byron"),
        exported_user("k2", name="ada"),
    ]
    grants = [space_permission("1", user_subject("k2"))]

    answer = await told(tmp_path, OPS, *users, *grants, directory=listed(("k1", "ada")))

    assert answer.space == frozenset()
