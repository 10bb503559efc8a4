"""How far the index knows who may read what, for the operator."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

SPACES = """
SELECT site.url AS site_url, space.key,
       least(of_space.checked_at, timestamptz '9999-01-01') AS readers_at,
       least(restrictions_at, timestamptz '9999-01-01') AS restrictions_at,
       (SELECT least(checked_at, timestamptz '9999-01-01') FROM guard AS of_site
        WHERE of_site.kind = 'site' AND of_site.site_id = site.id) AS site_readers_at,
       (SELECT count(*) FROM node
        WHERE node.space_id = space.id AND restricted IS NULL
          AND content_type NOT IN ('comment', 'attachment')) AS unknown,
       (SELECT count(*) FROM node WHERE node.space_id = space.id AND restricted) AS restricted
FROM space JOIN site ON site.id = space.site_id
LEFT JOIN guard AS of_space ON of_space.kind = 'space'
     AND of_space.site_id = site.id AND of_space.external_id = space.key
WHERE EXISTS (SELECT FROM page WHERE page.space_id = space.id AND state <> 'tombstoned')
ORDER BY site.url, space.key
"""
COUNTS = """
SELECT (SELECT count(*) FROM account WHERE is_active),
       (SELECT count(*) FROM account WHERE is_active AND email IS NOT NULL),
       (SELECT count(*) FROM account_group),
       (SELECT count(*) FROM account_group WHERE checked_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class SpaceAccess:
    """Until when the readers of a space, of its site and its restrictions are known.

    Times are None where nobody could tell them: then the space is closed. Of its pages, folders
    and the like so many have restrictions that are `unknown`, which closes them and all below.
    """

    site_url: str
    key: str
    readers_at: datetime | None
    restrictions_at: datetime | None
    site_readers_at: datetime | None
    unknown: int
    restricted: int

    def is_open(self, since: datetime) -> bool:
        """Whether anybody at all may be shown it, if what is older than that is not believed."""
        known = (self.readers_at, self.restrictions_at, self.site_readers_at)
        return all(at is not None and at > since for at in known)


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """What is known of permissions: spaces, active accounts, and groups with their members."""

    spaces: list[SpaceAccess]
    accounts: int
    accounts_with_email: int
    groups: int
    unreadable_groups: int


async def read_access(connection: AsyncConnection[TupleRow]) -> AccessStatus:
    """Reads it all; times of what never gets too old are far in the future."""
    async with connection.cursor(row_factory=class_row(SpaceAccess)) as cursor:
        spaces = await (await cursor.execute(SPACES)).fetchall()
    row = await (await connection.execute(COUNTS)).fetchone()
    assert row is not None
    return AccessStatus(spaces, *row)
