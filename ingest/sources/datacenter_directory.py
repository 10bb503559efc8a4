"""Groups and accounts of a Confluence Server or Data Center."""

import logging
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from ingest.sources.datacenter_access_json import AccountJson
from ingest.sources.datacenter_json import GroupJson
from ingest.sources.datacenter_listing import by_start
from ingest.sources.http import Forbidden, Listing, NotVisible, SiteClient
from ingest.sources.pace import in_parallel

logger = logging.getLogger(__name__)

_WITH_STATUS = {"expand": "status"}


@dataclass(frozen=True, slots=True)
class GroupContents:
    """User keys of the members of a group, and names of the groups in it, in lower case."""

    user_keys: frozenset[str]
    groups: frozenset[str]


class Directory:
    """Asks for each group once until `forget`, and for accounts that no group brought along."""

    def __init__(self, site: SiteClient, most: int) -> None:
        self._site = site
        self._most = most
        self._tells_groups_within = True
        self._groups: dict[str, GroupContents] = {}
        self._accounts: dict[str, AccountJson] = {}

    def forget(self) -> None:
        """Everything is to be asked anew."""
        self._tells_groups_within = True
        self._groups.clear()
        self._accounts.clear()

    async def members(self, name: str) -> frozenset[str]:
        """User keys of all members of a group, those of groups within it too."""
        members: set[str] = set()
        waiting, seen = [name.lower()], set[str]()
        while waiting:
            group = waiting.pop()
            if group not in seen:
                seen.add(group)
                contents = await self._contents(group)
                members |= contents.user_keys
                waiting += contents.groups
        return frozenset(members)

    async def accounts(self, user_keys: Collection[str]) -> list[AccountJson]:
        """The accounts of these keys; those that the site does not tell are left out."""
        unknown = {key for key in user_keys if key not in self._accounts}
        jobs = (partial(self._learn, key) for key in unknown)
        async with aclosing(in_parallel(jobs, self._most)) as learned:
            async for _ in learned:
                pass
        return [self._accounts[key] for key in user_keys if key in self._accounts]

    async def user_key(self, username: str) -> str | None:
        """The key of the user of a name; None if there is none."""
        try:
            return (await self._account({"username": username})).user_key
        except Forbidden:
            raise
        except NotVisible:
            return None

    async def _learn(self, user_key: str) -> None:
        try:
            account = await self._account({"key": user_key})
        except Forbidden:
            raise
        except NotVisible as error:
            logger.info("an account is not told: problem=%r", str(error))
            return
        if account.user_key == user_key:
            self._accounts[user_key] = account

    async def _account(self, identified: dict[str, str]) -> AccountJson:
        return await self._site.get("/rest/api/user", AccountJson, {**_WITH_STATUS, **identified})

    async def _contents(self, name: str) -> GroupContents:
        if name not in self._groups:
            self._groups[name] = await self._read(name)
        return self._groups[name]

    async def _read(self, name: str) -> GroupContents:
        # Tomcat refuses both in a path by default, in whatever way they are written.
        if "/" in name or "\\" in name:
            raise NotVisible(
                f"Confluence cannot be asked who is in the group {name}, because its name has a "
                "slash. Grant to a group without one, or rename it in the user directory."
            )
        path = f"/rest/api/group/{quote(name, safe='')}"
        try:
            return GroupContents(await self._people_in(path), await self._groups_within(path))
        except Forbidden as error:
            raise NotVisible(
                f"Confluence does not tell who is in the group {name}. Make the account a "
                f"Confluence administrator. {error}"
            ) from error

    async def _people_in(self, path: str) -> frozenset[str]:
        listing = by_start(self._site, f"{path}/member", Listing[AccountJson], _WITH_STATUS)
        keys: set[str] = set()
        async for account in listing:
            if account.user_key:
                keys.add(account.user_key)
                self._accounts[account.user_key] = account
        return frozenset(keys)

    async def _groups_within(self, path: str) -> frozenset[str]:
        """Names of groups in a group; old versions only tell their people, among its members."""
        if not self._tells_groups_within:
            return frozenset()
        listing = by_start(self._site, f"{path}/groupmember", Listing[GroupJson], {})
        try:
            return frozenset({one.name.lower() async for one in listing if one.name})
        except Forbidden:
            raise
        except NotVisible as error:
            self._tells_groups_within = False
            logger.info("groups within groups are not told: problem=%r", str(error))
            return frozenset()
