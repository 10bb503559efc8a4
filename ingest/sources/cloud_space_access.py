"""Who may view a space of Confluence Cloud, by permissions or, where a site has them, by roles."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from index.principals import (
    ANONYMOUS,
    AUTHENTICATED,
    LICENSED,
    Principal,
    class_of_people,
    group,
    user,
)
from index.records import Space
from ingest.sources.cloud_access_json import (
    KnownPermissionJson,
    RoleAssignmentJson,
    RoleModeJson,
    SpacePermissionJson,
    SpaceRoleJson,
)
from ingest.sources.cloud_site import PAGE_SIZE, CloudSite
from ingest.sources.cloud_spaces import CloudSpaces
from ingest.sources.http import Forbidden, Listing, NotVisible, UnexpectedAnswer

logger = logging.getLogger(__name__)

READ_SPACE = "read/space"

_PART = {"limit": PAGE_SIZE}
_CLASSES = {each.name: each for each in (ANONYMOUS, AUTHENTICATED, LICENSED)} | {
    name: class_of_people(name) for name in ("all-product-admins", "jsm-project-admins")
}


class RoleMode(StrEnum):
    """How far a site has come from permissions to roles."""

    PRE_ROLES = "PRE_ROLES"
    TRANSITION = "ROLES_TRANSITION"
    ROLES = "ROLES"


class CloudSpaceAccess:
    """Reads who may view spaces; remembers the site's mode and its roles until told to `forget`."""

    def __init__(self, site: CloudSite, spaces: CloudSpaces) -> None:
        self._site = site
        self._spaces = spaces
        self._lock = asyncio.Lock()
        self._mode: RoleMode | None = None
        self._roles: Mapping[str, bool] | None = None

    def forget(self) -> None:
        """Asks for the mode and the roles anew next time."""
        self._mode = None
        self._roles = None

    async def readers(self, space: Space) -> frozenset[Principal]:
        """Everyone to whom the right to view is given."""
        space_id = await self._spaces.id_of(space.key)
        mode = await self._current_mode()
        if mode is RoleMode.ROLES:
            return await self._readers_by_role(space_id)
        return await self._readers_by_permission(space_id, mode)

    async def _readers_by_permission(self, space_id: str, mode: RoleMode) -> frozenset[Principal]:
        readers: set[Principal] = set()
        roles: set[str] = set()
        async for permission in self._site.client.listing(
            f"/api/v2/spaces/{space_id}/permissions", Listing[SpacePermissionJson], _PART
        ):
            operation, principal = permission.operation, permission.principal
            if (operation.key, operation.target_type) != ("read", "space") or not principal.id:
                continue
            if reader := _principal(principal.type, principal.id):
                readers.add(reader)
            elif principal.type.lower() == "role":
                roles.add(principal.id)
        if roles:
            readers |= await self._holders(space_id, roles, mode)
        return frozenset(readers)

    async def _holders(
        self, space_id: str, roles: Collection[str], mode: RoleMode
    ) -> frozenset[Principal]:
        """Who has one of these roles in a space, and with it what the role is permitted."""
        try:
            assignments = await self._assignments(space_id)
        except NotVisible as error:
            if mode is not RoleMode.PRE_ROLES or isinstance(error, Forbidden):
                raise
            # Sites without roles for spaces permit something to roles of other kinds.
            logger.info("a role lets nobody in: space=%s problem=%r", space_id, str(error))
            return frozenset()
        return _principals(each for each in assignments if each.role_id in roles)

    async def _readers_by_role(self, space_id: str) -> frozenset[Principal]:
        roles = await self._known_roles()
        assignments = await self._assignments(space_id)
        if unknown := {each.role_id for each in assignments} - roles.keys():
            raise UnexpectedAnswer(
                f"Confluence does not tell what the role {min(unknown)} permits, which somebody "
                f"has in space {space_id}. The next run asks again."
            )
        return _principals(each for each in assignments if roles[each.role_id])

    async def _assignments(self, space_id: str) -> list[RoleAssignmentJson]:
        path = f"/api/v2/spaces/{space_id}/role-assignments"
        listing = self._site.client.listing(path, Listing[RoleAssignmentJson], _PART)
        return [assignment async for assignment in listing]

    async def _current_mode(self) -> RoleMode:
        async with self._lock:
            if self._mode is None:
                self._mode = await self._ask_for_mode()
            return self._mode

    async def _ask_for_mode(self) -> RoleMode:
        try:
            answer = await self._site.client.listing_part(
                "/api/v2/space-role-mode", RoleModeJson, {}
            )
        except NotVisible as error:
            if isinstance(error, Forbidden):
                raise
            return RoleMode.PRE_ROLES
        try:
            return RoleMode(answer.mode or RoleMode.PRE_ROLES)
        except ValueError as error:
            raise UnexpectedAnswer(
                f"Confluence opens spaces in a way that is not known here ({answer.mode}). Update "
                "confluence-mcp."
            ) from error

    async def _known_roles(self) -> Mapping[str, bool]:
        """Whether each role lets one view a space, by its id."""
        async with self._lock:
            if self._roles is None:
                await self._refuse_other_names()
                listing = self._site.client.listing(
                    "/api/v2/space-roles", Listing[SpaceRoleJson], _PART
                )
                self._roles = {
                    role.id: READ_SPACE in role.space_permissions async for role in listing
                }
            return self._roles

    async def _refuse_other_names(self) -> None:
        listing = self._site.client.listing(
            "/api/v2/space-permissions", Listing[KnownPermissionJson], _PART
        )
        if READ_SPACE not in {permission.id async for permission in listing}:
            raise UnexpectedAnswer(
                f"Confluence has no permission {READ_SPACE}, so that nobody can tell which roles "
                "let one view a space. Update confluence-mcp."
            )


def _principals(assignments: Iterable[RoleAssignmentJson]) -> frozenset[Principal]:
    principals = (each.principal for each in assignments)
    named = (_principal(each.principal_type, each.principal_id) for each in principals)
    return frozenset(principal for principal in named if principal is not None)


def _principal(kind: str, name: str | None) -> Principal | None:
    """None for whatever is not known, to which nothing is granted."""
    match kind.lower():
        case "user" if name:
            return user(name)
        case "group" if name:
            return group(name)
        # Permissions name a class where others name a role: they have no kind for it.
        case "access_class" | "role" if name:
            return _CLASSES.get(name)
        case _:
            return None
