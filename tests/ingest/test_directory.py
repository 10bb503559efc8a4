"""The file in which an operator names accounts and groups, and what it adds to a live site."""

import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path

import pytest

from index.errors import ConfigurationError
from index.principals import Account, Principal, group
from index.records import ContentType, Space
from ingest.sources.directory import Directory, DirectoryAccount, WithDirectory
from ingest.sources.directory_file import read_directory

pytestmark = pytest.mark.anyio

ADA = {"id": "a1", "username": "ada", "email": "ada@example.com", "active": True}
BOB = {"id": "b2", "active": False}


def written(tmp_path: Path, text: str) -> Path:
    """A file with that text."""
    path = tmp_path / "directory.json"
    path.write_text(text, encoding="utf-8")
    return path


def directory_of(tmp_path: Path, accounts: object, groups: object | None = None) -> Directory:
    """What is read from a file with these accounts and groups."""
    content = {"accounts": accounts} | ({} if groups is None else {"groups": groups})
    return read_directory(written(tmp_path, json.dumps(content, indent=1)))


def test_accounts_and_members_are_read(tmp_path: Path) -> None:
    directory = directory_of(tmp_path, [ADA, BOB], {"Ops Team": ["a1", "b2"], "empty": []})

    assert directory.accounts == {
        "a1": DirectoryAccount("a1", "ada", "ada@example.com", True),
        "b2": DirectoryAccount("b2", None, None, False),
    }
    assert directory.groups == {"ops team": {"a1", "b2"}, "empty": frozenset()}


@pytest.mark.parametrize("member", ["a1", "A1", "ada", " Ada ", "ADA@example.com"])
def test_members_go_by_id_user_name_or_email(tmp_path: Path, member: str) -> None:
    assert directory_of(tmp_path, [ADA, BOB], {"ops": [member]}).groups == {"ops": {"a1"}}


def test_groups_may_stand_before_accounts(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"groups": {"ops": ["ada"]}, "accounts": [ADA]}))

    assert read_directory(path).groups == {"ops": {"a1"}}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_without_anybody_is_read(tmp_path: Path, mark: str) -> None:
    directory = read_directory(written(tmp_path, mark + ' {"accounts" : [ ] , "groups": { } }\n'))

    assert (directory.accounts, directory.groups) == ({}, {})


def test_people_may_share_an_email(tmp_path: Path) -> None:
    shared = BOB | {"email": "ADA@example.com"}

    assert directory_of(tmp_path, [ADA, shared], {"ops": ["a1"]}).groups == {"ops": {"a1"}}


ACCOUNTS = '{"accounts": [\n  {"id": "a1", "username": "ada", "email": "x@y", "active": true},\n'


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "{ is expected"),
        ("[]", 1, "{ is expected"),
        ('{\n "accounts": {}}', 2, "[ is expected"),
        ('{"accounts": [],\n "groups": []}', 2, "{ is expected"),
        ("{}", 1, "accounts are missing"),
        ('{"groups": {}}', 1, "accounts are missing"),
        ('{"accounts": []\n, "people": []}', 2, "people is neither accounts nor groups"),
        ('{"accounts": [],\n\n"accounts": []}', 3, "accounts is there twice"),
        ('{"accounts": []}\n{}', 2, "something follows"),
        ('{"accounts": []\n', 2, "} is expected"),
        ('{"accounts": [],\n}', 2, "Expecting value"),
        ("{\n3: []}", 2, "a name is not in quotation marks"),
        ('{"accounts"\n []}', 2, ": is expected"),
        (ACCOUNTS + "  {]}", 3, "Expecting property name"),
        (ACCOUNTS + "  ]}", 3, "Expecting value"),
        (ACCOUNTS + '  {"id": "b2", "active": true, "id": "b3"}]}', 3, "a name is there twice"),
        (ACCOUNTS + '  "b2"]}', 3, "the account"),
        (ACCOUNTS + '  {"active": true}]}', 3, "the account id: Field required"),
        (ACCOUNTS + '  {"id": " ", "active": true}]}', 3, "the account id"),
        (ACCOUNTS + '  {"id": 7, "active": true}]}', 3, "the account id: Input should be"),
        (ACCOUNTS + '  {"id": "b2"}]}', 3, "the account active: Field required"),
        (ACCOUNTS + '  {"id": "b2", "active": "yes"}]}', 3, "the account active"),
        (ACCOUNTS + '  {"id": "b2", "active": 1}]}', 3, "the account active"),
        (ACCOUNTS + '  {"id": "b2", "active": true, "mail": "x"}]}', 3, "the account mail: Extra"),
        (ACCOUNTS + '  {"id": "A1", "active": true}]}', 3, "the account in line 2 has this id"),
        (
            ACCOUNTS + '\n{"id": "b2", "username": "Ada", "active": true}]}',
            4,
            "the account in line 2 has this id or user name",
        ),
        (ACCOUNTS + '{"id": "ada", "active": true}]}', 3, "the account in line 2 has this id"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_directory(written(tmp_path, text))

    assert f"line {line}: {problem}" in str(caught.value)
    assert "directory.json" in str(caught.value)
    assert "CONFLUENCE_DIRECTORY" in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "line", "problem"),
    [
        ('{"ops": ["a1",\n"eve@example.com"]}', 3, "member 2 of the group ops: no account has"),
        ('{"ops": [\n\n7]}', 4, "member 1 of the group ops: no account has"),
        ('{"ops": [""]}', 2, "member 1 of the group ops: no account has"),
        ('{"ops": ["a1", "ada"]}', 2, "member 2 of the group ops is there twice"),
        ('{"ops": ["shared@example.com"]}', 2, "member 1 of the group ops: several accounts have"),
        ('{"ops": "a1"}', 2, "[ is expected"),
        ('{"ops": [], \n"OPS": []}', 3, "the group ops is there twice"),
        ('{"ops": [], \n"ops": []}', 3, "the group ops is there twice"),
        ('{" ": []}', 2, "a group has no name"),
    ],
)
def test_a_wrong_group_is_named_with_its_line(
    tmp_path: Path, groups: str, line: int, problem: str
) -> None:
    twin = {"id": "c3", "email": "shared@example.com", "active": True}
    accounts = json.dumps([ADA, BOB | {"email": "shared@example.com"}, twin])
    path = written(tmp_path, f'{{"accounts": {accounts},\n"groups": {groups}}}')

    with pytest.raises(ConfigurationError, match=re.escape(f"line {line}: {problem}")) as caught:
        read_directory(path)

    assert "eve@example.com" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_directory(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b'{"accounts": [{"id": "\xff"}]}', '{"accounts": []}'.encode("utf-16")]
)
def test_text_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "directory.json").write_bytes(content)

    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_directory(tmp_path / "directory.json")


def test_values_nested_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 1"):
        read_directory(written(tmp_path, '{"accounts": [' + "[" * 200_000))


def test_a_directory_of_a_large_company_is_read(tmp_path: Path) -> None:
    accounts = [
        {"id": f"id-{n}", "username": f"user{n}", "email": f"user{n}@example.com", "active": True}
        for n in range(50_000)
    ]
    groups = {
        f"team {team}": [f"USER{n}@example.com" for n in range(team, 50_000, 100)]
        for team in range(100)
    }

    directory = directory_of(
        tmp_path, accounts, groups | {"all": [f"id-{n}" for n in range(50_000)]}
    )

    assert len(directory.accounts) == len(directory.groups["all"]) == 50_000
    assert directory.groups["team 7"] == {f"id-{n}" for n in range(7, 50_000, 100)}


class Site:
    """The permissions of a site where accounts are as given."""

    def __init__(self, *accounts: Account) -> None:
        self._accounts = accounts

    @property
    def is_snapshot(self) -> bool:
        return False

    async def site_readers(self) -> frozenset[Principal]:
        return frozenset({group("users")})

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        return frozenset({group(space.key)})

    async def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        yield space.key, frozenset({group("listed")})

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        return frozenset({group(f"{node_id} {content_type}")})

    async def members(self, group_id: str) -> frozenset[str]:
        return frozenset({f"member of {group_id}"})

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        return [account for account in self._accounts if account.account_id in account_ids]


def account(
    account_id: str, username: str | None, email: str | None, *, is_active: bool = True
) -> Account:
    """An account of the site."""
    return Account(account_id, username, email, is_active, frozenset({"all-licensed-users"}))


async def emails(tmp_path: Path, *accounts: Account) -> Mapping[str, str | None]:
    """The e-mails of accounts of a site, with a directory of three people."""
    carl = {"id": "carl", "email": "carl@example.com", "active": True}
    bob = BOB | {"email": "bob@example.com"}
    site = WithDirectory(Site(*accounts), directory_of(tmp_path, [ADA, bob, carl]))
    found = await site.accounts([one.account_id for one in accounts])
    assert [(one.is_active, one.classes, one.username) for one in found] == [
        (one.is_active, one.classes, one.username) for one in accounts
    ]
    return {one.account_id: one.email for one in found}


@pytest.mark.parametrize(
    ("told", "email"),
    [
        (account("a1", None, None), "ada@example.com"),
        (account("key", "ADA", None), "ada@example.com"),
        (account("a1", None, None, is_active=False), "ada@example.com"),
        (account("a1", None, "ada@site.example"), "ada@site.example"),
        (account("a1", "carl", None), "ada@example.com"),
        (account("b2", None, None), None),
        (account("unlisted", "unlisted", None), None),
    ],
)
async def test_a_directory_adds_the_emails_that_a_live_site_hides(
    tmp_path: Path, told: Account, email: str | None
) -> None:
    assert await emails(tmp_path, told) == {told.account_id: email}


async def test_a_directory_changes_nothing_else_of_a_live_site(tmp_path: Path) -> None:
    directory = directory_of(tmp_path, [ADA], {"users": ["ada"]})
    site = WithDirectory(Site(), directory)
    eng = Space("ENG", "Engineering", "https://example.com/ENG")

    assert not site.is_snapshot
    assert await site.site_readers() == {group("users")}
    assert await site.space_readers(eng) == {group("ENG")}
    assert [one async for one in site.restrictions(eng)] == [("ENG", {group("listed")})]
    assert await site.restriction("7", ContentType.FOLDER) == {group("7 folder")}
    assert await site.members("users") == {"member of users"}
    assert await site.accounts(["a1"]) == []
