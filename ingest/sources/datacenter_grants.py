"""Who may use a Confluence Server or Data Center, and view its spaces."""

import logging
from collections.abc import Iterable
from http import HTTPStatus

import httpx

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from index.principals import ANONYMOUS, Principal, group, user
from ingest.sources.datacenter_access_json import (
    AnonymousJson,
    GrantJson,
    GrantsJson,
    RemoteAnswerJson,
    RemotePermissionJson,
    SubjectJson,
)
from ingest.sources.datacenter_contents import quoted_key
from ingest.sources.datacenter_directory import Directory
from ingest.sources.http import Forbidden, NotVisible, SiteClient, UnexpectedAnswer
from ingest.sources.refusals import PassingFailure, Request

logger = logging.getLogger(__name__)

FAILURE_TRIES = 3
USE = ("use", "application")
VIEW = ("read", "space")

_REMOTE_API = "/rpc/json-rpc/confluenceservice-v2"
_REMOTE_VIEW = "VIEWSPACE"


class Failed(Forbidden):
    """Confluence answered 500, as it does to those who may not know."""


class PermissionClient(SiteClient):
    """Takes 500 for a refusal: so permissions are kept from accounts that may not know them."""

    async def _failure(self, request: Request, response: httpx.Response, attempt: int) -> Exception:
        failure = await super()._failure(request, response, attempt)
        if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
            return failure
        error = Failed(f"Confluence answered 500 to {request.name}.")
        return PassingFailure(error, tries=FAILURE_TRIES)


class Grants:
    """Reads permissions. `site_groups` may use Confluence where it does not tell who may."""

    def __init__(
        self, site: SiteClient, directory: Directory, site_groups: frozenset[str] = frozenset()
    ) -> None:
        self._site = site
        self._directory = directory
        self._site_groups = frozenset(group(name.lower()) for name in site_groups)
        self._has_rest = True
        self._why_not_remote = ""

    def forget(self) -> None:
        """Everything is to be asked anew."""
        self._has_rest = True
        self._why_not_remote = ""

    async def site_readers(self) -> frozenset[Principal]:
        """Who may use the site, as it tells from 9.2 on; else the groups that were given.

        Not visitors, nor people without a licence: with the permission to come in, they still do
        not have what is granted to the groups that they are in.
        """
        try:
            told = await self._site.get("/rest/api/permissions", GrantsJson)
        except (NotVisible, UnexpectedAnswer) as error:
            if self._site_groups:
                logger.info(
                    "the groups of CONFLUENCE_SITE_GROUPS are taken: problem=%r", str(error)
                )
                return self._site_groups
            raise NotVisible(
                "Confluence does not tell who may use it; from 9.2 on it tells Confluence "
                "administrators. Set CONFLUENCE_SITE_GROUPS to the groups that may, such as "
                f"confluence-users. {error}"
            ) from error
        return _granted(told.root, USE)

    async def space_readers(self, space_key: str) -> frozenset[Principal]:
        """Who may view a space."""
        if not self._has_rest:
            return await self._by_remote_api(space_key)
        try:
            return await self._by_rest(space_key)
        except Forbidden as error:
            raise _unknown_readers(space_key, error) from error
        except NotVisible as error:
            logger.info("the Remote API is asked instead: problem=%r", str(error))
        readers = await self._by_remote_api(space_key)
        self._has_rest = False
        return readers

    async def _by_rest(self, space_key: str) -> frozenset[Principal]:
        path = f"/rest/api/space/{quoted_key(space_key)}/permissions"
        readers = _granted((await self._site.get(path, GrantsJson)).root, VIEW)
        anonymous = await self._site.get(f"{path}/anonymous", AnonymousJson)
        is_open = VIEW in [operation.pair for operation in anonymous.operations]
        return readers | {ANONYMOUS} if is_open else readers

    async def _by_remote_api(self, space_key: str) -> frozenset[Principal]:
        answer = await self._remote_answer(space_key)
        if answer.result is None:
            why = answer.error.message if answer.error else "without a reason"
            raise _unknown_readers(space_key, SourceError(f"The Remote API refused: {why}."))
        readers: set[Principal] = set()
        for permissions in answer.result:
            if permissions.type == _REMOTE_VIEW:
                for permission in permissions.space_permissions:
                    readers |= await self._named(permission)
        return frozenset(readers)

    async def _remote_answer(self, space_key: str) -> RemoteAnswerJson:
        if self._why_not_remote:
            raise NotVisible(self._why_not_remote)
        call = {"jsonrpc": "2.0", "method": "getSpacePermissionSets", "params": [space_key]}
        try:
            return await self._site.post(_REMOTE_API, RemoteAnswerJson, {**call, "id": "1"})
        except (AuthenticationError, SourceUnavailable):
            raise
        except Failed as error:
            raise _unknown_readers(space_key, error) from error
        except SourceError as error:
            self._why_not_remote = (
                "Confluence before 9.1 tells who may view a space by its Remote API only, which "
                "does not answer. An administrator can turn it on (General Configuration, Remote "
                "API) and let the account use it without a secure administrator session. "
                f"{error}"
            )
            raise NotVisible(self._why_not_remote) from error

    async def _named(self, permission: RemotePermissionJson) -> set[Principal]:
        if permission.group_name:
            return {group(permission.group_name.lower())}
        if permission.user_name:
            key = await self._directory.user_key(permission.user_name)
            return {user(key)} if key else set()
        is_anonymous = permission.group_name is None and permission.user_name is None
        return {ANONYMOUS} if is_anonymous else set()


def _granted(told: Iterable[GrantJson], operation: tuple[str, str]) -> frozenset[Principal]:
    subjects = [grant.subject for grant in told if grant.operation.pair == operation]
    found = {_principal(subject) for subject in subjects if subject}
    return frozenset(principal for principal in found if principal)


def _principal(subject: SubjectJson) -> Principal | None:
    if subject.type == "group":
        return group(subject.name.lower()) if subject.name else None
    return user(subject.user_key) if subject.user_key else None


def _unknown_readers(space_key: str, error: SourceError) -> NotVisible:
    return NotVisible(
        f"Confluence does not tell who may view the space {space_key}. Make the account an "
        f"administrator of that space (it need not be one of Confluence). {error}"
    )
