"""Who may read what on a Confluence Server or Data Center."""

from collections.abc import AsyncIterator, Collection, Sequence

from index.principals import (
    ANONYMOUS,
    AUTHENTICATED,
    LICENSED,
    Account,
    Principal,
    PrincipalKind,
    user,
)
from index.records import ContentType, Space
from ingest.sources.datacenter_access_json import AccountJson
from ingest.sources.datacenter_directory import Directory
from ingest.sources.datacenter_grants import Grants
from ingest.sources.datacenter_identity import Identity
from ingest.sources.datacenter_restrictions import Restrictions


class DataCenterAccess:
    """The permissions to view; principals are user keys and names of groups in lower case.

    Members of confluence-administrators, before whom Confluence may keep nothing, are granted no
    more than others.
    """

    def __init__(
        self,
        grants: Grants,
        restrictions: Restrictions,
        directory: Directory,
        identity: Identity,
    ) -> None:
        self._grants = grants
        self._restrictions = restrictions
        self._directory = directory
        self._identity = identity
        self._site_readers: frozenset[Principal] = frozenset()
        self._members: dict[str, frozenset[str]] = {}

    @property
    def is_snapshot(self) -> bool:
        """A live site."""
        return False

    async def site_readers(self) -> frozenset[Principal]:
        """Who may use Confluence; what was learnt of groups and accounts is forgotten."""
        self._site_readers, self._members = frozenset(), {}
        self._directory.forget()
        self._grants.forget()
        async with self._identity.known_when_refused():
            self._site_readers = await self._grants.site_readers()
        return self._site_readers

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space; NotVisible says which right the account lacks."""
        async with self._identity.known_when_refused():
            return await self._grants.space_readers(space.key)

    async def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Who alone may view each page and blog post, but those whose lists were cut off."""
        await self._identity.user_key()
        async for page_id, allowed in self._restrictions.of_space(space):
            yield page_id, allowed
        await self._identity.user_key()

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view one page or blog post."""
        del content_type
        async with self._identity.known_when_refused():
            return await self._restrictions.of_node(node_id)

    async def members(self, group_id: str) -> frozenset[str]:
        """User keys of the members of a group, those of groups within it too."""
        async with self._identity.known_when_refused():
            members = await self._directory.members(group_id)
        self._members[group_id.lower()] = members
        return members

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """These accounts, without their e-mail addresses, which REST does not tell."""
        asked = list(dict.fromkeys(account_ids))
        async with self._identity.known_when_refused():
            told = await self._directory.accounts(asked)
        if len(told) < len(asked):
            await self._identity.user_key()
        return [self._account(one, key) for one in told if (key := one.user_key)]

    def _account(self, told: AccountJson, user_key: str) -> Account:
        classes = {ANONYMOUS.name, AUTHENTICATED.name}
        if self._may_use(user_key):
            classes.add(LICENSED.name)
        return Account(user_key, told.username, None, told.is_active, frozenset(classes))

    def _may_use(self, user_key: str) -> bool:
        groups = [one.name for one in self._site_readers if one.kind is PrincipalKind.GROUP]
        return user(user_key) in self._site_readers or any(
            user_key in self._members.get(name, ()) for name in groups
        )
