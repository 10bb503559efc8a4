"""Keys with which programs call the HTTP server: made, shown and revoked on the command line."""

import json
import sys
from contextlib import AbstractAsyncContextManager

from index.access import Askers
from index.api_keys import ApiKeys
from index.database import Database
from index.settings import IndexSettings


async def create(name: str, account: str | None, *, days: int | None) -> int:
    """Prints a new key, this once; without an account it reads all that is indexed."""
    async with _open_index() as database:
        key = await ApiKeys(database).create(name, account, days=days)
        if account is None:
            print(f"Whoever has the key {name} reads all that is indexed.", file=sys.stderr)
        elif not (await Askers(database).named(account, name)).accounts:
            print(
                f"The index knows no active account {account} yet: until it does, the key shows "
                "public pages only.",
                file=sys.stderr,
            )
    print(key)
    return 0


async def show_all(*, as_json: bool) -> int:
    """Prints the names of all keys, whose they are and how long they hold."""
    async with _open_index() as database:
        keys = await ApiKeys(database).list()
    if as_json:
        print(json.dumps([key.to_json() for key in keys]))
        return 0
    for key in keys:
        print(key.summary())
    if not keys:
        print("There are no keys: `confluence-mcp token create` makes one.", file=sys.stderr)
    return 0


async def revoke(name: str) -> int:
    """Ends a key with the next call."""
    async with _open_index() as database:
        await ApiKeys(database).revoke(name)
    print(f"{name} is revoked.", file=sys.stderr)
    return 0


def _open_index() -> AbstractAsyncContextManager[Database]:
    return Database.open(
        IndexSettings.load(), application_name="confluence-mcp token", may_be_pooled=True
    )
