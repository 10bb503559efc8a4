"""Names of the people on a Confluence Cloud site."""

import logging
from collections.abc import Collection, Mapping

from index.errors import SourceError
from ingest.sources.cloud_json import UsersJson
from ingest.sources.cloud_site import CloudSite

logger = logging.getLogger(__name__)

USERS_PER_REQUEST = 250


class CloudPeople:
    """Display names by account id, each asked for once."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site
        self._names: dict[str, str | None] = {}
        self._has_warned = False

    async def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Those that are known; empty where the token may not read users."""
        unknown = [user_id for user_id in user_ids if user_id not in self._names]
        for start in range(0, len(unknown), USERS_PER_REQUEST):
            if not await self._learn(unknown[start : start + USERS_PER_REQUEST]):
                break
        names = {user_id: self._names.get(user_id) for user_id in user_ids}
        return {user_id: name for user_id, name in names.items() if name}

    async def _learn(self, user_ids: list[str]) -> bool:
        try:
            answer = await self._site.client.post(
                "/api/v2/users-bulk", UsersJson, {"accountIds": user_ids}
            )
        except SourceError as error:
            if not self._has_warned:
                logger.warning("names of users stay unknown: problem=%r", str(error))
            self._has_warned = True
            return False
        self._names |= dict.fromkeys(user_ids)
        self._names |= {
            user.account_id: user.display_name or user.public_name for user in answer.results
        }
        return True
