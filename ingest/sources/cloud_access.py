"""Who may read what on a Confluence Cloud site, as far as the account that reads it may know."""

from collections.abc import AsyncIterator, Collection, Sequence

from index.principals import Account, Principal
from index.records import ContentType, Space
from ingest.sources.cloud_accounts import CloudAccounts
from ingest.sources.cloud_restrictions import CloudRestrictions
from ingest.sources.cloud_site import CloudSite
from ingest.sources.cloud_space_access import CloudSpaceAccess
from ingest.sources.cloud_spaces import CloudSpaces


class CloudAccess:
    """The permissions of one Confluence Cloud site.

    People and groups go by their ids, never by names. A token that lacks a scope raises
    NotVisible, which names the scope.
    """

    def __init__(self, site: CloudSite, spaces: CloudSpaces) -> None:
        self._spaces = CloudSpaceAccess(site, spaces)
        self._restrictions = CloudRestrictions(site)
        self._accounts = CloudAccounts(site)

    @property
    def is_snapshot(self) -> bool:
        """A live site: what it tells gets old."""
        return False

    async def site_readers(self) -> frozenset[Principal]:
        """The groups whose members may use the product, and guests; begins a new round."""
        self._spaces.forget()
        return await self._accounts.site_readers()

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space, by permissions or by roles, as the site is set up."""
        return await self._spaces.readers(space)

    def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """The own restrictions of what is in a space, 200 a request; no long or doubtful ones.

        Raises SearchRefused, a NotVisible, where a search for pages is not allowed.
        """
        return self._restrictions.of_space(space)

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view one node by its own restriction, none if empty; asked anew."""
        del content_type
        return await self._restrictions.of_node(node_id)

    async def members(self, group_id: str) -> frozenset[str]:
        """The account ids of all members of a group."""
        return await self._accounts.members(group_id)

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """These accounts; those that the site does not tell of are left out."""
        return await self._accounts.accounts(account_ids)
