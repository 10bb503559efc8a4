"""Who may see what on a simulated site, decided by brute force from the rules of Confluence.

Nothing of the product is used here: tests hold the product against it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.confluence.content import Content, Ids, Space, User

GrantKind = Literal["user", "group", "class"]
RoleMode = Literal["PRE_ROLES", "ROLES_TRANSITION", "ROLES"]
Grant = tuple[GrantKind, str]

# Classes of people as Confluence Cloud names them.
ANONYMOUS, AUTHENTICATED = "anonymous-users", "authenticated-users"
LICENSED, ADMINS = "all-licensed-users", "all-product-admins"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people, and of groups within it. Cloud knows it by id, Data Center by name."""

    id: str
    name: str
    members: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Role:
    """A role that people have in a space; whether it is allowed to view."""

    id: str
    name: str
    kind: Literal["SYSTEM", "CUSTOM"]
    can_view: bool


@dataclass(slots=True)
class SpaceGrants:
    """Who may view a space, by permissions and by roles."""

    permissions: set[Grant] = field(default_factory=set[Grant])
    roles: set[tuple[Grant, str]] = field(default_factory=set[tuple[Grant, str]])


class Permissions:
    """Groups, permissions, roles and restrictions, and the verdict on each account and thing.

    At first everybody who is added may use the product and sees every space, by being a member of
    the group USERS. Guests use it too, but are in no class of licensed users.
    """

    USERS = "confluence-users"

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.groups: dict[str, Group] = {}
        self.site_groups: set[str] = set()
        self.guests: set[str] = set()
        self.is_site_open = False  # to visitors without an account
        self.role_mode: RoleMode = "PRE_ROLES"
        self.tells_role_mode = True
        self.roles: dict[str, Role] = {}
        self.spaces: dict[str, SpaceGrants] = {}
        self.restrictions: dict[str, frozenset[Grant]] = {}
        # What the API does not tell the crawler: ids of spaces, contents, groups and roles.
        self.untold: set[str] = set()
        self.users_group = self.add_group(self.USERS, grants_site=True)

    def add_group(self, name: str, *members: User, grants_site: bool = False) -> Group:
        """A new group; one that `grants_site` lets its members use the product."""
        number = self._ids.take()
        group = Group(f"{number:0>8}-8f2c-4c1d-9a57-0c0ffee00000", name, _ids_of(members))
        self.groups[group.id] = group
        if grants_site:
            self.site_groups.add(group.id)
        return group

    def join(self, group: Group, *members: User) -> None:
        """Makes people members of a group."""
        known = self.groups[group.id]
        self.groups[group.id] = replace(known, members=known.members | _ids_of(members))

    def leave(self, group: Group, *members: User) -> None:
        """Takes people out of a group."""
        known = self.groups[group.id]
        self.groups[group.id] = replace(known, members=known.members - _ids_of(members))

    def nest(self, outer: Group, inner: Group) -> None:
        """Makes a group a member of another one, as Data Center allows."""
        known = self.groups[outer.id]
        self.groups[outer.id] = replace(known, groups=known.groups | {inner.id})

    def rename_group(self, group: Group, name: str) -> None:
        """Gives a group another name."""
        self.groups[group.id] = replace(self.groups[group.id], name=name)

    def add_role(
        self, name: str, *, can_view: bool, kind: Literal["SYSTEM", "CUSTOM"] = "CUSTOM"
    ) -> Role:
        """A new role."""
        role = Role(f"{self._ids.take():0>8}-70e5-4a2d-9c1e-000000000000", name, kind, can_view)
        self.roles[role.id] = role
        return role

    def open_space(self, space: Space) -> None:
        """A space that is new: all users may view it."""
        self.spaces[space.id] = SpaceGrants({("group", self.users_group.id)})

    def grant(self, space: Space, *grants: Grant) -> None:
        """Lets others view a space, by permission."""
        self.spaces[space.id].permissions |= set(grants)

    def revoke(self, space: Space, *grants: Grant) -> None:
        """Takes permissions back."""
        self.spaces[space.id].permissions -= set(grants)

    def assign(self, space: Space, role: Role, *grants: Grant) -> None:
        """Gives people a role in a space."""
        self.spaces[space.id].roles |= {(grant, role.id) for grant in grants}

    def unassign(self, space: Space, role: Role, *grants: Grant) -> None:
        """Takes a role back."""
        self.spaces[space.id].roles -= {(grant, role.id) for grant in grants}

    def restrict(self, content: Content, *grants: Grant) -> None:
        """Lets only these people and groups view a content and all below it; nobody given: all."""
        self.restrictions[content.id] = frozenset(grants)

    # The verdict.

    def may_use(self, account: User) -> bool:
        """Whether somebody who has signed in may use the product."""
        if account.status != "active":
            return False
        return account.account_id in self.guests or any(
            self.is_member(account.account_id, group_id) for group_id in self.site_groups
        )

    def is_member(
        self, account_id: str, group_id: str, passed: frozenset[str] = frozenset()
    ) -> bool:
        """Whether an account is in a group, or in one within it."""
        group = self.groups.get(group_id)
        if group is None or group_id in passed:
            return False
        return account_id in group.members or any(
            self.is_member(account_id, inner, passed | {group_id}) for inner in group.groups
        )

    def may_view_space(self, account: User, space: Space) -> bool:
        """Whether the product and the space are open to an account."""
        grants = self.spaces[space.id]
        if not self.may_use(account):
            return False
        by_role = {grant for grant, role in grants.roles if self.roles[role].can_view}
        # On the way to roles, some people have one already and others still have permissions.
        given = {
            "PRE_ROLES": grants.permissions,
            "ROLES_TRANSITION": grants.permissions | by_role,
            "ROLES": by_role,
        }[self.role_mode]
        return any(self._is_among(account, grant) for grant in given)

    def may_view_content(self, account: User, chain: Iterable[Content]) -> bool:
        """Whether no restriction of a content or anything above it (`chain`) shuts one out."""
        return all(
            not (allowed := self.restrictions.get(node.id))
            or any(self._is_among(account, grant) for grant in allowed)
            for node in chain
        )

    def _is_among(self, account: User, grant: Grant) -> bool:
        kind, name = grant
        if kind == "user":
            return name == account.account_id
        if kind == "group":
            return self.is_member(account.account_id, name)
        verdicts: dict[str, Callable[[], bool]] = {
            ANONYMOUS: lambda: True,
            AUTHENTICATED: lambda: True,
            LICENSED: lambda: account.account_id not in self.guests,
        }
        return name in verdicts and verdicts[name]()


def _ids_of(members: Iterable[User]) -> frozenset[str]:
    return frozenset(member.account_id for member in members)
