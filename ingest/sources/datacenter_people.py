"""Names of the people of a Confluence Server or Data Center."""

import logging
import re
from collections.abc import Collection
from contextlib import aclosing
from functools import partial

from index.errors import AuthenticationError, SourceError
from ingest.sources.datacenter_json import PersonJson
from ingest.sources.http import Forbidden, NotVisible, SiteClient
from ingest.sources.pace import in_parallel

logger = logging.getLogger(__name__)

_USER_KEY = re.compile(r"[0-9a-f]{32}")


class People:
    """Looks up each person once, `most` at a time, and nobody where that is forbidden."""

    def __init__(self, site: SiteClient, most: int) -> None:
        self._site = site
        self._most = most
        self._names: dict[str, str | None] = {}
        self._is_forbidden = False
        self._has_warned = False

    async def names(self, user_ids: Collection[str]) -> dict[str, str]:
        """Display names by user key or user name; those that stay unknown are left out."""
        unknown = [user_id for user_id in user_ids if user_id not in self._names]
        jobs = (partial(self._learn, user_id) for user_id in dict.fromkeys(unknown))
        async with aclosing(in_parallel(jobs, self._most)) as learned:
            async for _ in learned:
                pass
        names = {user_id: self._names.get(user_id) for user_id in user_ids}
        return {user_id: name for user_id, name in names.items() if name}

    async def _learn(self, user_id: str) -> None:
        if self._is_forbidden:
            return
        try:
            self._names[user_id] = await self._name(user_id)
        except AuthenticationError:
            raise
        except SourceError as error:
            self._is_forbidden = isinstance(error, Forbidden)
            self._names[user_id] = None
            if not self._has_warned:
                logger.warning("names of users stay unknown: problem=%r", str(error))
            self._has_warned = True

    async def _name(self, user_id: str) -> str | None:
        """Asks by what the id looks like, then by the other."""
        parameters = ["key", "username"] if _USER_KEY.fullmatch(user_id) else ["username", "key"]
        for parameter in parameters:
            try:
                person = await self._site.get("/rest/api/user", PersonJson, {parameter: user_id})
            except Forbidden:
                raise
            except NotVisible:
                continue
            return person.display_name
        return None
