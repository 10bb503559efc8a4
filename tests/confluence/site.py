"""The state of a simulated Confluence site and the ways in which people change it.

Knows nothing of HTTP: a personality (tests.confluence.cloud) reads the state and answers requests.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from tests.confluence.content import (
    Content,
    ContentKind,
    ContentStatus,
    Ids,
    Label,
    Space,
    User,
    Version,
)
from tests.confluence.items import Items
from tests.confluence.page_tree import PageTree
from tests.confluence.request_log import RequestLog

Children = Literal["lift", "orphan", "along"]
Tree = Mapping[str, "Tree"]


class Site(Items, PageTree):
    """A Confluence site.

    Every change moves `clock` one second on. `may_view` decides what an account sees; by default
    what `permissions` allow, except what `hide` has hidden.
    """

    cloud_id = "35273b54-3f06-40d2-880f-dd28cf8daafa"

    def __init__(self) -> None:
        # Ids soon cross a power of ten, so that sorting them as text is noticed.
        Items.__init__(self, Ids(first=99_980, step=3))
        PageTree.__init__(self)
        self.request_log = RequestLog()
        self.spaces: dict[str, Space] = {}
        self.labels: dict[tuple[str, str], Label] = {}
        self.cursor_epoch = 0
        self.may_view: Callable[[User, Space | Content], bool] = self.is_allowed

    def add_space(
        self, key: str, name: str = "", *, kind: str = "global", description: str = ""
    ) -> Space:
        """Add a space without a homepage."""
        space = Space(
            id=self._ids.take(),
            key=key,
            name=name or key,
            kind=kind,
            status="current",
            author_id=self.crawler.account_id,
            homepage_id=None,
            created_at=self.clock.tick(),
            description=description,
        )
        self.spaces[space.id] = space
        self.permissions.open_space(space)
        return space

    def is_allowed(self, user: User, thing: Space | Content) -> bool:
        """Whether a space, or a content in its space and below its ancestors, is open to a user.

        Which spaces visitors without an account see is left to whoever asks.
        """
        if not self.is_unhidden(user, thing):
            return False
        user = self.users.get(user.account_id, user)
        space = thing if isinstance(thing, Space) else self.spaces.get(thing.space_id)
        if user.account_id and not (space and self.permissions.may_view_space(user, space)):
            return False
        if isinstance(thing, Space):
            return True
        return self.permissions.may_view_content(user, [*self.ancestors(thing), thing])

    def space(self, key: str) -> Space:
        """The space with a key, as it is now."""
        return next(space for space in self.spaces.values() if space.key == key)

    def archive_space(self, key: str) -> None:
        """Archive a space; its pages stay current."""
        self._put_space(replace(self.space(key), status="archived"))

    def unarchive_space(self, key: str) -> None:
        """Bring an archived space back."""
        self._put_space(replace(self.space(key), status="current"))

    def set_homepage(self, key: str, page_id: str) -> None:
        """Make a page the homepage of a space."""
        self._put_space(replace(self.space(key), homepage_id=page_id))

    def delete_space(self, key: str) -> None:
        """Remove a space with all that is in it, for good."""
        space = self.space(key)
        for content in [c for c in self.contents.values() if c.space_id == space.id]:
            self.purge(content.id)
        del self.spaces[space.id]

    def add_page(
        self,
        space_key: str,
        title: str,
        body: str = "",
        *,
        parent: str | None = None,
        status: ContentStatus = "current",
        author: User | None = None,
    ) -> Content:
        """Add a page as the last child of `parent`, or as the last root of the space."""
        return self._add("page", space_key, title, body, parent, status, author)

    def add_blogpost(
        self,
        space_key: str,
        title: str,
        body: str = "",
        *,
        status: ContentStatus = "current",
        author: User | None = None,
    ) -> Content:
        """Add a blog post."""
        return self._add("blogpost", space_key, title, body, None, status, author)

    def add_node(
        self, kind: ContentKind, space_key: str, title: str, *, parent: str | None = None
    ) -> Content:
        """Add a folder, whiteboard, database or embed: a node of the tree without a body."""
        return self._add(kind, space_key, title, "", parent, "current", None)

    def add_tree(
        self, space_key: str, tree: Tree, *, parent: str | None = None
    ) -> dict[str, Content]:
        """Add pages nested as `{"Handbook": {"Leave": {}}}` and give them by title."""
        added: dict[str, Content] = {}
        for title, below in tree.items():
            page = self.add_page(space_key, title, f"<p>About {title}.</p>", parent=parent)
            added[title] = page
            added |= self.add_tree(space_key, below, parent=page.id)
        return added

    def edit(
        self,
        content_id: str,
        body: str | None = None,
        *,
        title: str | None = None,
        author: User | None = None,
        message: str = "",
        minor_edit: bool = False,
    ) -> Content:
        """Publish a new version."""
        content = self.content(content_id)
        version = Version(
            number=content.version.number + 1,
            created_at=self.clock.tick(),
            author_id=(author or self.crawler).account_id,
            title=content.title if title is None else title,
            body=content.body if body is None else body,
            message=message,
            minor_edit=minor_edit,
        )
        return self.put(replace(content, versions=(*content.versions, version)))

    def rename(self, content_id: str, title: str) -> Content:
        """Give another title, which is a new version."""
        return self.edit(content_id, title=title)

    def move(
        self, content_id: str, *, parent: str | None = None, space_key: str | None = None
    ) -> Content:
        """Put below a parent, or at the root of its own or another space, with all descendants.

        That is no new version.
        """
        self.clock.tick()
        content = self.content(content_id)
        space_id = self.space(space_key).id if space_key else content.space_id
        if parent is not None:
            space_id = self.content(parent).space_id
        for node in list(self.descendants(content_id)):
            self.put(replace(node, space_id=space_id))
        position = self.next_position(parent, space_id)
        return self.put(replace(content, parent_id=parent, space_id=space_id, position=position))

    def publish(self, content_id: str) -> Content:
        """Turn a draft into a current page."""
        self.clock.tick()
        return self.put(replace(self.content(content_id), status="current"))

    def archive(self, content_id: str, *, children: Children = "lift") -> Content:
        """Archive a page; children are lifted to the parent, orphaned, or taken along."""
        return self._take_out(content_id, "archived", children)

    def trash(self, content_id: str, *, children: Children = "lift") -> Content:
        """Move to the trash; children are lifted to the parent, orphaned, or taken along."""
        return self._take_out(content_id, "trashed", children)

    def restore(self, content_id: str) -> Content:
        """Bring back from the archive or the trash, with the same id."""
        self.clock.tick()
        content = self.content(content_id)
        parent = content.parent_id if content.parent_id in self.contents else None
        return self.put(replace(content, status="current", parent_id=parent))

    def purge(self, content_id: str) -> None:
        """Remove for good: nothing is left of it."""
        self.clock.tick()
        del self.contents[content_id]
        self.purge_items(content_id)

    def label(self, content_id: str, *names: str, prefix: str = "global") -> Content:
        """Add labels; no new version."""
        self.clock.tick()
        content = self.content(content_id)
        new = [self._label(name, prefix) for name in names]
        kept = tuple(label for label in content.labels if label not in new)
        return self.put(replace(content, labels=(*kept, *new)))

    def unlabel(self, content_id: str, *names: str) -> Content:
        """Take labels away; no new version."""
        self.clock.tick()
        content = self.content(content_id)
        kept = tuple(label for label in content.labels if label.name not in names)
        return self.put(replace(content, labels=kept))

    def expire_cursors(self) -> None:
        """Make every cursor handed out so far worthless."""
        self.cursor_epoch += 1

    def _add(
        self,
        kind: ContentKind,
        space_key: str,
        title: str,
        body: str,
        parent: str | None,
        status: ContentStatus,
        author: User | None,
    ) -> Content:
        space_id = self.space(space_key).id
        author_id = (author or self.crawler).account_id
        now = self.clock.tick()
        content = Content(
            id=self._ids.take(),
            kind=kind,
            status=status,
            space_id=space_id,
            parent_id=parent,
            position=None if kind == "blogpost" else self.next_position(parent, space_id),
            author_id=author_id,
            created_at=now,
            versions=(Version(1, now, author_id, title, body),),
        )
        return self.put(content)

    def _take_out(self, content_id: str, status: ContentStatus, children: Children) -> Content:
        self.clock.tick()
        content = self.content(content_id)
        if children == "along":
            for node in list(self.descendants(content_id)):
                self.put(replace(node, status=status))
        else:
            parent = content.parent_id if children == "lift" else None
            for child in self.children(content_id):
                self.put(replace(child, parent_id=parent))
        return self.put(replace(content, status=status))

    def _label(self, name: str, prefix: str) -> Label:
        known = self.labels.get((prefix, name))
        if known is None:
            known = self.labels[prefix, name] = Label(self._ids.take(), name, prefix)
        return known

    def _put_space(self, space: Space) -> None:
        self.clock.tick()
        self.spaces[space.id] = space
