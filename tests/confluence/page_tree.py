"""The pages of a simulated site, how they lie below one another, and who sees them."""

from collections.abc import Iterator

from tests.confluence.content import Content, Space, User


class PageTree:
    """Pages, blog posts and other nodes by id; no search finds those that are `unindexed`."""

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}
        self.unindexed: set[str] = set()
        self._positions: dict[tuple[str, str | None], int] = {}
        self._hidden: set[tuple[str | None, str]] = set()

    def content(self, content_id: str) -> Content:
        """The page, blog post or node with an id, as it is now."""
        return self.contents[content_id]

    def ancestors(self, content: Content) -> list[Content]:
        """From the top of the tree down to the parent; ends early where an ancestor is gone."""
        chain: list[Content] = []
        parent = self.contents.get(content.parent_id or "")
        while parent is not None and parent not in chain:
            chain.append(parent)
            parent = self.contents.get(parent.parent_id or "")
        return chain[::-1]

    def children(self, content_id: str) -> list[Content]:
        """The direct children, whatever their status."""
        return [c for c in list(self.contents.values()) if c.parent_id == content_id]

    def descendants(self, content_id: str) -> Iterator[Content]:
        """Everything below, whatever its status."""
        for child in self.children(content_id):
            yield child
            yield from self.descendants(child.id)

    def hide(self, node_id: str, *users: User) -> None:
        """Hide a space or content with its descendants from users, or from everybody."""
        accounts = [user.account_id for user in users] or [None]
        self._hidden |= {(account, node_id) for account in accounts}

    def reveal(self, node_id: str) -> None:
        """Undo every `hide` of this space or content."""
        self._hidden = {entry for entry in self._hidden if entry[1] != node_id}

    def is_unhidden(self, user: User, thing: Space | Content) -> bool:
        """Whether neither it nor anything above it is hidden from the user."""
        chain = [thing.id]
        if self._hidden and isinstance(thing, Content):
            chain += [thing.space_id, *(node.id for node in self.ancestors(thing))]
        return not any(
            (account, node) in self._hidden for node in chain for account in (None, user.account_id)
        )

    def put(self, content: Content) -> Content:
        """Keep a content in place of what its id stood for."""
        self.contents[content.id] = content
        return content

    def next_position(self, parent: str | None, space_id: str) -> int:
        """The place after the last child of a parent, or after the last root of a space."""
        position = self._positions.get((space_id, parent), 0)
        self._positions[space_id, parent] = position + 1
        return position
