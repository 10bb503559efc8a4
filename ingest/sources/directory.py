"""The accounts and groups that an operator names, for what a site or an export does not tell."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from index.principals import Account, Principal
from index.records import ContentType, Space
from ingest.sources.access import AccessSource


@dataclass(frozen=True, slots=True)
class DirectoryAccount:
    """A person as the operator names it; ids are Confluence's account ids, keys or user names."""

    account_id: str
    username: str | None
    email: str | None
    is_active: bool


class Directory:
    """All accounts that may use the site, and who is in which group.

    Groups go by their names in lower case. No two accounts have an id or user name in common.
    """

    def __init__(
        self,
        accounts: Iterable[DirectoryAccount],
        groups: Mapping[str, frozenset[str]],
    ) -> None:
        self.accounts: Mapping[str, DirectoryAccount] = {one.account_id: one for one in accounts}
        self.groups = groups
        self._by_username = {
            one.username.lower(): one for one in self.accounts.values() if one.username
        }

    def of_id(self, account_id: str) -> DirectoryAccount | None:
        """The account of that id."""
        return self.accounts.get(account_id)

    def of_username(self, username: str) -> DirectoryAccount | None:
        """The account with that user name, upper and lower case alike."""
        return self._by_username.get(username.lower())


class WithDirectory:
    """The permissions of a live site, with e-mails from a directory where the site tells none.

    The directory says nothing of who is active there, or in a group: the site knows better.
    """

    def __init__(self, access: AccessSource, directory: Directory) -> None:
        self._access = access
        self._directory = directory

    @property
    def is_snapshot(self) -> bool:
        """As the site."""
        return self._access.is_snapshot

    async def site_readers(self) -> frozenset[Principal]:
        """Who may use the product at all."""
        return await self._access.site_readers()

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space."""
        return await self._access.space_readers(space)

    def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Who alone may view each page, blog post, folder and the like of a space."""
        return self._access.restrictions(space)

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view one node by its own restriction."""
        return await self._access.restriction(node_id, content_type)

    async def members(self, group_id: str) -> frozenset[str]:
        """The account ids of all members of a group."""
        return await self._access.members(group_id)

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """These accounts, with the e-mails that only the directory knows."""
        return [self._completed(account) for account in await self._access.accounts(account_ids)]

    def _completed(self, account: Account) -> Account:
        if account.email is not None:
            return account
        known = self._directory.of_id(account.account_id)
        if known is None and account.username:
            known = self._directory.of_username(account.username)
        return replace(account, email=known.email) if known and known.is_active else account
