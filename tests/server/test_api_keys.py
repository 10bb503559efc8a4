"""Keys for machines, in a real database and on the command line."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from index.api_keys import ApiKeys
from index.database import Database
from index.errors import BadRequest, NotFound
from index.settings import IndexSettings
from tests.command import Command

pytestmark = pytest.mark.anyio

DONE, FAILED, MISUSED = 0, 1, 2


async def run(database: Database, statement: str) -> Sequence[tuple[object, ...]]:
    """What a statement gives."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def test_a_key_is_found_by_itself_alone(database: Database) -> None:
    keys = ApiKeys(database)
    key = await keys.create("ci", "712020:ada")

    found = await keys.find(key)
    last = "A" if key[-1] != "A" else "B"
    near = ["", key[:-1], key + "x", key.lower(), key[5:], key.replace("cmcp", "CMCP"),
            key[:-1] + last, f" {key}", f"{key}\n", "ci"]  # fmt: skip
    others = [await keys.find(other) for other in near]

    assert found is not None
    assert (found.name, found.account, found.is_valid) == ("ci", "712020:ada", True)
    assert others == [None] * 10


async def test_keys_are_long_random_and_kept_as_hashes(database: Database) -> None:
    keys = ApiKeys(database)

    made = [await keys.create(f"key-{number}", None) for number in range(20)]

    kept = repr(await run(database, "SELECT * FROM api_key"))
    assert len(set(made)) == 20
    assert all(re.fullmatch(r"cmcp_[A-Za-z0-9_-]{43}", key) for key in made)
    assert not any(key in kept or key[5:] in kept for key in made)


async def test_a_key_of_a_service_is_of_nobody(database: Database) -> None:
    keys = ApiKeys(database)

    found = await keys.find(await keys.create("bot", None))

    assert found is not None
    assert found.account is None


async def test_a_revoked_key_is_found_no_more(database: Database) -> None:
    keys = ApiKeys(database)
    key, other = await keys.create("ci", None), await keys.create("cd", None)
    before = await keys.find(key)
    assert before is not None

    await keys.revoke("ci")
    await keys.revoke("ci")

    assert await keys.find(key) is None
    assert await keys.still(before) is None
    assert await keys.find(other) is not None
    assert [one.is_valid for one in await keys.list()] == [True, False]


async def test_a_key_ends_with_its_last_day(database: Database) -> None:
    keys = ApiKeys(database)
    key = await keys.create("ci", None, days=1)
    before = await keys.find(key)
    assert before is not None

    await run(database, "UPDATE api_key SET expires_at = now()")

    assert await keys.find(key) is None
    assert await keys.still(before) is None
    assert (await keys.list())[0].summary().endswith(f"expired {before.created_at:%Y-%m-%d}")


async def test_a_name_is_used_once_even_after_its_key_was_revoked(database: Database) -> None:
    keys = ApiKeys(database)
    await keys.create("ci", None)
    await keys.revoke("ci")

    with pytest.raises(BadRequest, match="There is a key named ci already"):
        await keys.create("ci", "ada")


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "-a", "é", "a" * 65, "a;b", "../a", "\0"])
async def test_a_name_is_plain(database: Database, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a key"):
        await ApiKeys(database).create(name, None)

    assert await ApiKeys(database).list() == []


async def test_of_two_at_once_one_gets_the_name(database: Database) -> None:
    keys = ApiKeys(database)

    made = await asyncio.gather(
        *[keys.create("ci", None) for _ in range(4)], return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in made) == ["BadRequest"] * 3 + ["str"]


async def test_a_name_that_no_key_has_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound, match="There is no key named ci"):
        await ApiKeys(database).revoke("ci")


async def test_whoever_answers_questions_finds_keys_but_makes_none(
    database: Database, index_settings: IndexSettings
) -> None:
    key = await ApiKeys(database).create("ci", None)

    async with Database.open(
        index_settings, application_name="tests reading", for_askers=True
    ) as reading:
        found = await ApiKeys(reading).find(key)
        with pytest.raises(psycopg.errors.ActiveSqlTransaction):
            await run(reading, "SET TRANSACTION READ WRITE")
        for change in ("INSERT INTO api_key (name, key_hash) VALUES ('x', '')",
                       "UPDATE api_key SET revoked_at = NULL", "DELETE FROM api_key"):  # fmt: skip
            with pytest.raises((psycopg.errors.InsufficientPrivilege,
                                psycopg.errors.ReadOnlySqlTransaction)):  # fmt: skip
                await run(reading, change)

    assert found is not None


def test_a_key_is_made_shown_and_revoked_on_the_command_line(
    tmp_path: Path, database_url: str
) -> None:
    command = Command(tmp_path, {"POSTGRES_URL": database_url})

    made = command.run("token", "create", "ci", "--user", "ada@example.com", "--days", "30")
    listed, as_json = command.run("token", "list"), command.run("token", "list", "--json")
    revoked, after = command.run("token", "revoke", "ci"), command.run("token", "list")

    assert made.returncode == DONE
    assert re.fullmatch(r"cmcp_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert "knows no active account ada@example.com yet" in made.stderr
    assert re.fullmatch(
        r"ci: for ada@example.com, made [0-9-]{10}, holds until [0-9-]{10}\n", listed.stdout
    )
    (entry,) = json.loads(as_json.stdout)
    assert (entry["name"], entry["account"], entry["is_valid"]) == ("ci", "ada@example.com", True)
    assert made.stdout.strip() not in listed.stdout + as_json.stdout
    assert (revoked.returncode, revoked.stdout) == (DONE, "")
    assert "revoked" in after.stdout


def test_where_there_are_no_keys_it_says_how_to_make_one(tmp_path: Path, database_url: str) -> None:
    listed = Command(tmp_path, {"POSTGRES_URL": database_url}).run("token", "list")

    assert (listed.returncode, listed.stdout) == (DONE, "")
    assert listed.stderr == "There are no keys: `confluence-mcp token create` makes one.\n"


def test_a_key_of_a_service_comes_with_a_warning(tmp_path: Path, database_url: str) -> None:
    command = Command(tmp_path, {"POSTGRES_URL": database_url})

    made, listed = command.run("token", "create", "bot", "--service"), command.run("token", "list")

    assert made.returncode == DONE
    assert made.stderr == "Whoever has the key bot reads all that is indexed.\n"
    assert listed.stdout.startswith("bot: reads all that is indexed, made ")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["create", "taken", "--service"], MISUSED, "There is a key named taken already"),
        (["create", "a b", "--service"], MISUSED, "cannot be the name of a key"),
        (["create", "ci"], MISUSED, "--user"),
        (["create", "ci", "--user", "ada", "--service"], MISUSED, "not allowed with"),
        (["create", "ci", "--user", " "], MISUSED, "--user"),
        (["create", "ci", "--service", "--days", "0"], MISUSED, "--days"),
        (["create", "--service"], MISUSED, "NAME"),
        (["revoke", "other"], FAILED, "There is no key named other"),
        ([], MISUSED, "ACTION"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, database_url: str, arguments: list[str], code: int, named: str
) -> None:
    command = Command(tmp_path, {"POSTGRES_URL": database_url})
    command.run("token", "create", "taken", "--service")

    done = command.run("token", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr
