"""The parts of Confluence Cloud's JSON that tell who may read: permissions, groups, accounts."""

from typing import Generic, TypeVar

from ingest.sources.http import Listing, WireModel

Item = TypeVar("Item")


class PartJson(Listing[Item], Generic[Item]):
    """A part of a list of REST v1, from an offset on. `total_size` is 0 where it is not told."""

    size: int | None = None
    limit: int | None = None
    total_size: int | None = None

    def is_last(self, start: int = 0) -> bool:
        """Whether nothing comes after it, the part from `start` on.

        Where the limit is not told, only nothing is the end.
        """
        is_short = not self.results or (self.limit is not None and len(self.results) < self.limit)
        # What `size` counts, this part or the whole, is not said.
        is_all = self.size is None or self.size <= start + len(self.results)
        return is_short and is_all and self.links.next is None


class RoleModeJson(WireModel):
    """Whether spaces are opened by permissions or by roles; not told where there are no roles."""

    mode: str | None = None


class PermissionPrincipalJson(WireModel):
    """Who has a permission in a space."""

    type: str
    id: str | None = None


class OperationJson(WireModel):
    """What a permission allows, and on what."""

    key: str
    target_type: str


class SpacePermissionJson(WireModel):
    """A permission in a space."""

    principal: PermissionPrincipalJson
    operation: OperationJson


class RolePrincipalJson(WireModel):
    """Who has a role in a space."""

    principal_type: str
    principal_id: str | None = None


class RoleAssignmentJson(WireModel):
    """A role that somebody has in a space."""

    principal: RolePrincipalJson
    role_id: str


class SpaceRoleJson(WireModel):
    """A role, and the ids of the permissions that it is made of."""

    id: str
    space_permissions: list[str]


class KnownPermissionJson(WireModel):
    """A permission that roles may have."""

    id: str


class PersonJson(WireModel):
    """An account in a list; the id is missing where it cannot be told any more."""

    account_id: str | None = None
    is_guest: bool | None = None


class GroupJson(WireModel):
    """A group in a list."""

    id: str | None = None


class SubjectsJson(WireModel):
    """The people and groups that a restriction names."""

    user: PartJson[PersonJson | None] | None = None
    group: PartJson[GroupJson | None] | None = None


class RestrictionJson(WireModel):
    """A restriction of a content to some people and groups."""

    operation: str
    restrictions: SubjectsJson | None = None


class RestrictionsJson(WireModel):
    """The restrictions of a content that was found."""

    read: RestrictionJson | None = None


class AccountJson(WireModel):
    """An account; an e-mail that is kept private is empty."""

    account_id: str
    email: str | None = None
    account_status: str | None = None
    is_external_collaborator: bool | None = None


class AccountsJson(WireModel):
    """The accounts that were found."""

    results: list[AccountJson]
