"""The spaces of a Confluence Cloud site: pages know them by id, people by key."""

from collections.abc import Mapping, Sequence, Set
from urllib.parse import quote

from index.records import Space
from ingest.sources.cloud_json import SpaceJson
from ingest.sources.cloud_site import PAGE_SIZE, CloudSite
from ingest.sources.http import Listing, NotVisible

IDS_PER_REQUEST = 250


class CloudSpaces:
    """Reads the current spaces, and remembers them until they are read again."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site
        self._ids: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    async def listed(self) -> Sequence[Space]:
        """All current spaces of every type, after a look at who asks."""
        await self._site.identity()
        found: dict[str, Space] = {}
        ids: dict[str, str] = {}
        async for space in self._site.client.listing(
            "/api/v2/spaces", Listing[SpaceJson], {"status": "current", "limit": PAGE_SIZE}
        ):
            ids[space.key] = space.id
            url = self._site.web_url(space.links.webui, f"/spaces/{quote(space.key)}")
            found[space.key] = Space(space.key, space.name or space.key, url)
        self._ids = ids
        self._keys = {space_id: key for key, space_id in ids.items()}
        return list(found.values())

    async def id_of(self, key: str) -> str:
        """The id of a space; raises NotVisible when it is not among the current ones."""
        if key not in self._ids:
            await self.listed()
        if key not in self._ids:
            raise NotVisible(f"The space {key} is gone, or the account may not see it.")
        return self._ids[key]

    async def keys(self) -> Mapping[str, str]:
        """Keys of the current spaces by id."""
        if not self._keys:
            await self.listed()
        return self._keys

    async def keys_of(self, space_ids: Set[str]) -> Mapping[str, str]:
        """Keys by id of those that are current, also where the last listing lacked them."""
        keys = {space_id: self._keys[space_id] for space_id in space_ids if space_id in self._keys}
        left = sorted(space_id for space_id in space_ids - keys.keys() if space_id)
        for start in range(0, len(left), IDS_PER_REQUEST):
            parameters = {
                "ids": ",".join(left[start : start + IDS_PER_REQUEST]),
                "status": "current",
                "limit": PAGE_SIZE,
            }
            listing = self._site.client.listing("/api/v2/spaces", Listing[SpaceJson], parameters)
            keys |= {space.id: space.key async for space in listing}
        return keys
