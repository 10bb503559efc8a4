"""What an operator makes public on purpose, such as an export of published documentation."""

from collections.abc import AsyncIterator, Collection, Sequence

from index.principals import EVERYBODY, Account, Principal
from index.records import ContentType, Space


class PublicAccess:
    """What an operator has made public: everybody who asks may read all of it."""

    @property
    def is_snapshot(self) -> bool:
        """It is so until somebody says otherwise."""
        return True

    async def site_readers(self) -> frozenset[Principal]:
        """Everybody."""
        return frozenset({EVERYBODY})

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Everybody."""
        return frozenset({EVERYBODY})

    async def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """None: each is asked for by itself."""
        for nothing in ():
            yield nothing

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """None."""
        return frozenset()

    async def members(self, group_id: str) -> frozenset[str]:
        """Nobody: there are no groups."""
        return frozenset()

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """None."""
        return []
