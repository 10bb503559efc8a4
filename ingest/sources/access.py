"""What a source tells of who may read what: the protocol that every source fulfils."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from index.principals import Account, Principal
from index.records import ContentType, Space


class AccessSource(Protocol):
    """The permissions to view of one site, as far as the account that reads it may know them.

    Methods raise as those of Source do: NotVisible (403, 404) and UnexpectedAnswer where something
    cannot be known, so that nobody is let in; SourceUnavailable where there was no answer, so that
    what was known before holds until it is too old. What is told must be complete: a list that was
    cut off raises. Only permissions to view count; nothing is inferred from others.
    """

    @property
    def is_snapshot(self) -> bool:
        """Whether this is how things once were, as in an export, and so never gets too old."""
        ...

    async def site_readers(self) -> frozenset[Principal]:
        """Who may use the product at all."""
        ...

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space; nobody if empty."""
        ...

    def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Who alone may view each page, blog post, folder and the like of a space, by its id.

        Its own restriction only, none if empty. Those that are not given are asked for one by one.
        """
        ...

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view one node by its own restriction, none if empty; asked anew."""
        ...

    async def members(self, group_id: str) -> frozenset[str]:
        """The account ids of all members of a group, those of groups within it too."""
        ...

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """These accounts; those that the site does not tell of are left out.

        Asked after `site_readers` and the members of the groups that it named.
        """
        ...
