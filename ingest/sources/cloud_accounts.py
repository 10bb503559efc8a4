"""Who may use a Confluence Cloud site at all: groups, their members, guests and accounts."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

from index.principals import (
    ANONYMOUS,
    AUTHENTICATED,
    LICENSED,
    Account,
    Principal,
    class_of_people,
    group,
)
from ingest.sources.cloud_access_json import (
    AccountJson,
    AccountsJson,
    GroupJson,
    PartJson,
    PersonJson,
)
from ingest.sources.cloud_site import CloudSite
from ingest.sources.http import UnexpectedAnswer

Item = TypeVar("Item", PersonJson, GroupJson)

# Guests use the product without being in a group that says so; no space names this class.
GUESTS = class_of_people("guest-users")

ACCOUNTS_PER_REQUEST = 250
# The site refuses to give more members at once.
PART_SIZE = "200"


class CloudAccounts:
    """Reads groups and accounts, and remembers the members of groups for the classes of people."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site
        self._site_groups: frozenset[str] = frozenset()
        self._members: dict[str, Mapping[str, bool | None]] = {}

    async def site_readers(self) -> frozenset[Principal]:
        """The groups whose members may use the product, and guests; forgets all members."""
        self._site_groups = frozenset()
        self._members = {}
        listing = self._listing("/rest/api/group", PartJson[GroupJson], {"accessType": "user"})
        self._site_groups = frozenset([each.id async for each in listing if each.id])
        return frozenset((GUESTS, *map(group, self._site_groups)))

    async def members(self, group_id: str) -> frozenset[str]:
        """All members; Cloud counts those of groups within it itself."""
        self._members.pop(group_id, None)
        path = f"/rest/api/group/{quote(group_id, safe='')}/membersByGroupId"
        people = self._listing(path, PartJson[PersonJson], {}, has_total=True)
        members = {each.account_id: each.is_guest async for each in people if each.account_id}
        self._members[group_id] = members
        return frozenset(members)

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """Those of these accounts that the site knows."""
        found: dict[str, Account] = {}
        ids = sorted(set(account_ids))
        for start in range(0, len(ids), ACCOUNTS_PER_REQUEST):
            asked = ids[start : start + ACCOUNTS_PER_REQUEST]
            answer = await self._site.client.post(
                "/api/v2/users-bulk", AccountsJson, {"accountIds": asked}
            )
            accounts = (self._account(each) for each in answer.results if each.account_id in asked)
            found |= {account.account_id: account for account in accounts}
        return list(found.values())

    def _account(self, account: AccountJson) -> Account:
        is_active = account.account_status == "active"
        return Account(
            account_id=account.account_id,
            username=None,
            email=account.email or None,
            is_active=is_active,
            classes=self._classes(account) if is_active else frozenset(),
        )

    def _classes(self, account: AccountJson) -> frozenset[str]:
        groups = [self._members.get(each, {}) for each in self._site_groups]
        told = {each.get(account.account_id) for each in self._members.values()}
        told.add(account.is_external_collaborator)
        classes = [ANONYMOUS, AUTHENTICATED]
        if True in told:
            classes.append(GUESTS)
        elif False in told and any(account.account_id in each for each in groups):
            classes.append(LICENSED)
        return frozenset(each.name for each in classes)

    async def _listing(
        self,
        path: str,
        model: type[PartJson[Item]],
        parameters: Mapping[str, str],
        *,
        has_total: bool = False,
    ) -> AsyncIterator[Item]:
        """A list to its end; UnexpectedAnswer where less comes than the site says there is."""
        count = total = 0
        before: list[Item] = []
        while True:
            asked = {**parameters, "start": str(count), "limit": PART_SIZE}
            if has_total and not count:
                asked["shouldReturnTotalSize"] = "true"
            part = await self._site.client.listing_part(path, model, asked)
            for item in part.results:
                yield item
            is_last = part.is_last(count)
            count += len(part.results)
            total = max(total, part.total_size or 0)
            if is_last and count >= total:
                return
            if not part.results or part.results == before:
                raise UnexpectedAnswer(
                    f"Confluence cuts off GET {path}: {count} of {total or 'more'} came. The next "
                    "run asks again."
                )
            before = part.results
