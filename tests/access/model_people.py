"""People, groups, spaces and pages of a site, and what may happen to who sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ingest.sources.source import Deployment
from tests.confluence.content import Content, Space, User
from tests.confluence.permissions import (
    ANONYMOUS,
    AUTHENTICATED,
    LICENSED,
    Grant,
    Group,
    Role,
    RoleMode,
)
from tests.confluence.site import Children, Site

KEYS = ("ENG", "HR", "OPS")
CHILDREN: Sequence[Children] = ("lift", "orphan", "along")
MODES: Sequence[RoleMode] = ("PRE_ROLES", "ROLES_TRANSITION", "ROLES")
CLASSES = (ANONYMOUS, AUTHENTICATED, LICENSED)

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens; `number` decides to what."""

    name: str
    number: int


class Company:
    """A site with a few people in groups, of whom some are guests, private or gone.

    Each method changes something; `number` picks what of. `hints` are the pages whose place or
    restriction was touched, as webhooks would tell of them.
    """

    def __init__(self, site: Site, deployment: Deployment) -> None:
        self.site = site
        self.hints: set[str] = set()
        self._is_cloud = deployment is Deployment.CLOUD
        self._permissions = site.permissions
        self._settle()
        for key in KEYS:
            self._build(key)

    def do(self, step: Step) -> None:
        """Makes the change that a step names, where the site has something to change."""
        getattr(self, step.name)(step.number)

    def _settle(self) -> None:
        site, permissions = self.site, self._permissions
        ada = site.add_user("Ada", email="ada@example.com")
        bob = site.add_user("Bob", email="bob@example.com")
        eve = site.add_user("Eve")
        guest = site.add_user("Gus Guest", email="gus@example.com", account_type="customer")
        customer = site.add_user("Cus Tomer", email="cus@example.com", account_type="customer")
        gone = site.add_user("Old Timer", email="old@example.com", status="inactive")
        permissions.guests.add(guest.account_id)
        partners = permissions.add_group("Partners", customer, bob, grants_site=True)
        permissions.leave(permissions.users_group, bob)
        permissions.add_group("Staff", ada, gone, site.crawler)
        permissions.add_group("board members", bob, eve)
        permissions.add_group("Guests", guest)
        permissions.add_role("Reader", can_view=True, kind="SYSTEM")
        permissions.add_role("Commenter", can_view=False)
        permissions.add_role("Writer", can_view=True)
        if not self._is_cloud:
            permissions.nest(partners, self._group(2))

    def _build(self, key: str) -> None:
        """A space with a small tree, open to users and, whatever happens, to the crawler."""
        space = self.site.add_space(key)
        crawler: Grant = ("user", self.site.crawler.account_id)
        self._permissions.grant(space, crawler)
        self._permissions.assign(space, self._roles()[0], crawler)
        self._permissions.assign(space, self._roles()[0], ("group", self._group(0).id))
        top = self._page(key, None)
        below = self._page(key, top.id)
        self._page(key, below.id)

    # The tree.

    def add(self, number: int) -> None:
        """A page below another one, or at the top of a space."""
        parent = self._node(number) if number % 3 else None
        key = self._key_of(parent) if parent else _pick(KEYS, number)
        page = self._page(key, parent and parent.id)
        if number % 2:
            self.site.comment(page.id, f"<p>comment {number}</p>")
        if number % 5 == 0:
            self.site.attach(page.id, "n.txt", media_type="text/plain", data=b"file")

    def post(self, number: int) -> None:
        """A blog post."""
        self.site.add_blogpost(_pick(KEYS, number), self._title("Post"), "<p>everywhere</p>")

    def folder(self, number: int) -> None:
        """A folder or whiteboard above a page, where there are such."""
        if self._is_cloud:
            kind = _pick(("folder", "whiteboard", "database"), number)
            above = self._node(number)
            key = self._key_of(above)
            node = self.site.add_node(kind, key, self._title("Folder"), parent=above.id)
            self._page(key, node.id)

    def move(self, number: int) -> None:
        """Below another node of any space."""
        page, parent = self._node(number), self._node(number // 7)
        above = {one.id for one in self.site.ancestors(parent)} | {parent.id}
        if page.id not in above:
            self._touch(self.site.move(page.id, parent=parent.id))

    def leave_space(self, number: int) -> None:
        """To the top of another space."""
        page = self._node(number)
        key = next(key for key in KEYS if key != self._key_of(page))
        self._touch(self.site.move(page.id, space_key=key))

    def archive(self, number: int) -> None:
        """Into the archive."""
        self._touch(self.site.archive(self._node(number).id, children=_pick(CHILDREN, number)))

    def trash(self, number: int) -> None:
        """Into the trash."""
        self._touch(self.site.trash(self._node(number).id, children=_pick(CHILDREN, number)))

    def restore(self, number: int) -> None:
        """Back from either."""
        out = [c for c in self.site.contents.values() if c.status in ("archived", "trashed")]
        if out:
            self._touch(self.site.restore(_pick(out, number).id))

    def archive_space(self, number: int) -> None:
        """A space into the archive, or back."""
        space = self._space(number)
        if space.key != KEYS[0]:
            is_there = space.status == "current"
            change = self.site.archive_space if is_there else self.site.unarchive_space
            change(space.key)

    # Restrictions.

    def restrict(self, number: int) -> None:
        """To a few people and groups; the crawler is mostly one of them."""
        grants = {
            _pick(self._subjects(), number * step + step) for step in range(1, 2 + number % 3)
        }
        if number % 7:
            grants.add(("user", self.site.crawler.account_id))
        content = self._content(number // 3)
        self._permissions.restrict(content, *grants)
        self._touch(content)

    def widen(self, number: int) -> None:
        """One more may view what is restricted."""
        restricted = [c for c in self._contents() if self._permissions.restrictions.get(c.id)]
        if restricted:
            content = _pick(restricted, number)
            allowed = self._permissions.restrictions[content.id]
            self._permissions.restrict(content, *allowed, _pick(self._subjects(), number // 2))
            self._touch(content)

    def free(self, number: int) -> None:
        """No restriction any more."""
        restricted = [c for c in self._contents() if self._permissions.restrictions.get(c.id)]
        content = _pick(restricted or self._contents(), number)
        self._permissions.restrict(content)
        self._touch(content)

    def blind(self, number: int) -> None:
        """The crawler does not see a subtree any more, or sees it again."""
        content = self._content(number)
        if self.site.is_unhidden(self.site.crawler, content):
            self.site.hide(content.id, self.site.crawler)
        else:
            self.site.reveal(content.id)

    # Spaces.

    def grant(self, number: int) -> None:
        """A space to one more, or to a class of people."""
        names = CLASSES if self._is_cloud else (ANONYMOUS,)
        subjects = _classes(names) if number % 4 == 0 else self._subjects()
        self._permissions.grant(self._space(number), _pick(subjects, number // 3))

    def revoke(self, number: int) -> None:
        """A space from somebody; but the crawler keeps one."""
        space = self._space(number)
        granted = sorted(self._permissions.spaces[space.id].permissions)
        kept = {("user", self.site.crawler.account_id)} if space.key == KEYS[0] else set[Grant]()
        if rest := [grant for grant in granted if grant not in kept]:
            self._permissions.revoke(space, _pick(rest, number // 3))

    def mode(self, number: int) -> None:
        """From permissions to roles, or back."""
        if self._is_cloud:
            self._permissions.role_mode = _pick(MODES, number)

    def assign(self, number: int) -> None:
        """A role in a space."""
        subjects = _classes(CLASSES) if number % 4 == 0 else self._subjects()
        role = _pick(self._roles(), number)
        self._permissions.assign(self._space(number // 2), role, _pick(subjects, number // 5))

    def unassign(self, number: int) -> None:
        """A role taken back; but the crawler keeps one."""
        space = self._space(number)
        crawler: Grant = ("user", self.site.crawler.account_id)
        given = sorted(self._permissions.spaces[space.id].roles)
        if rest := [(who, role) for who, role in given if who != crawler]:
            who, role_id = _pick(rest, number)
            self._permissions.unassign(space, self._permissions.roles[role_id], who)

    def change_role(self, number: int) -> None:
        """A role loses or gets the right to view, but not the crawler's."""
        role = _pick(self._roles()[1:], number)
        self._permissions.roles[role.id] = replace(role, can_view=not role.can_view)

    # People.

    def join(self, number: int) -> None:
        """Somebody joins a group."""
        self._permissions.join(self._group(number // 2), self._person(number))

    def quit(self, number: int) -> None:
        """Somebody leaves a group."""
        group = self._group(number // 2)
        people = [one for one in self._people() if one.account_id in group.members]
        if people:
            self._permissions.leave(group, _pick(people, number))

    def nest(self, number: int) -> None:
        """A group within another, where there are such."""
        outer, inner = self._group(number), self._group(number // 3)
        if not self._is_cloud and outer.id != inner.id:
            self._permissions.nest(outer, inner)

    def rename_group(self, number: int) -> None:
        """Another name for a group."""
        self._permissions.rename_group(self._group(number), f"Team {number} {self.site.clock.now}")

    def deactivate(self, number: int) -> None:
        """An account is closed, or opened again."""
        person = self._person(number)
        is_active = self.site.users[person.account_id].status == "active"
        self.site.set_status(person, "inactive" if is_active else "active")

    def invite(self, number: int) -> None:
        """Somebody becomes a guest, or is one no more."""
        self._permissions.guests ^= {self._person(number).account_id}

    def keep_private(self, number: int) -> None:
        """Somebody hides their e-mail address."""
        person = self._person(number)
        self.site.users[person.account_id] = replace(person, email="")

    def new_person(self, number: int) -> None:
        """Somebody comes."""
        count = len(self.site.users)
        if count < 11:
            person = self.site.add_user(f"New {count}", email=f"new{count}@example.com")
            self._permissions.join(self._group(number), person)

    # What the site keeps to itself.

    def conceal(self, number: int) -> None:
        """The restriction of a content, or something about a space, group or role, is not told."""
        groups, roles = list(self._permissions.groups), list(self._permissions.roles)
        kinds = ([c.id for c in self._contents()], list(self.site.spaces), groups[1:], roles[1:])
        self._permissions.untold.add(_pick(_pick(kinds, number), number // 4))

    def tell(self, number: int) -> None:
        """All is told again."""
        del number
        self.hints |= self._permissions.untold & self.site.contents.keys()
        self._permissions.untold.clear()

    def _page(self, key: str, parent: str | None) -> Content:
        return self.site.add_page(key, self._title("Page"), "<p>everywhere</p>", parent=parent)

    def _title(self, kind: str) -> str:
        return f"{kind} {len(self.site.contents)} everywhere"

    def _touch(self, content: Content) -> None:
        self.hints.add(content.id)

    def _people(self) -> list[User]:
        return [one for one in self.site.users.values() if one.account_type != "app"]

    def _person(self, number: int) -> User:
        return _pick(self._people(), number)

    def _group(self, number: int) -> Group:
        return _pick(list(self._permissions.groups.values()), number)

    def _roles(self) -> list[Role]:
        return list(self._permissions.roles.values())

    def _subjects(self) -> list[Grant]:
        people: list[Grant] = [("user", one.account_id) for one in self._people()]
        return [*people, *(("group", group_id) for group_id in self._permissions.groups)]

    def _contents(self) -> list[Content]:
        return [c for c in self.site.contents.values() if c.status == "current"]

    def _content(self, number: int) -> Content:
        return _pick(self._contents(), number)

    def _node(self, number: int) -> Content:
        """Something in the tree below which there may be more."""
        nodes = [content for content in self._contents() if content.kind != "blogpost"]
        return _pick(nodes, number) if nodes else self._page(KEYS[0], None)

    def _space(self, number: int) -> Space:
        return self.site.space(_pick(KEYS, number))

    def _key_of(self, content: Content) -> str:
        return self.site.spaces[content.space_id].key


CHANGES = sorted(name for name in vars(Company) if not name.startswith("_") and name != "do")
# What an ingest sees at once that is told which pages were touched; other changes wait for a look.
HINTED = frozenset(
    {
        *("add", "post", "move", "leave_space", "archive", "trash", "restore"),
        *("restrict", "widen", "free"),
    }
)


def _classes(names: Sequence[str]) -> list[Grant]:
    return [("class", name) for name in names]


def _pick(things: Sequence[One], number: int) -> One:
    return things[number % len(things)]
