"""How far the index knows who may read what, for the operator."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

SPACES = """
SELECT site.url AS site_url, space.key,
       coalesce(of_site.checked_at > %(since)s AND of_space.checked_at > %(since)s
                AND restrictions_at > %(since)s, false) AS is_open,
       (SELECT count(*) FROM node
        WHERE node.space_id = space.id AND restricted IS NULL
          AND content_type NOT IN ('comment', 'attachment')) AS unknown,
       (SELECT count(*) FROM node WHERE node.space_id = space.id AND restricted) AS restricted
FROM space JOIN site ON site.id = space.site_id
LEFT JOIN guard AS of_site ON of_site.kind = 'site' AND of_site.site_id = site.id
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
    """A space, and whether it `is_open` to anybody: all readers of it and of its site are known.

    Of its pages, folders and the like so many are `restricted`, and of so many that is `unknown`,
    which closes them and all below.
    """

    site_url: str
    key: str
    is_open: bool
    unknown: int
    restricted: int


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """What is known of permissions: spaces, active accounts, and groups with their members."""

    spaces: list[SpaceAccess]
    accounts: int
    accounts_with_email: int
    groups: int
    unreadable_groups: int


async def read_access(connection: AsyncConnection[TupleRow], since: datetime) -> AccessStatus:
    """Reads it all; what was read before `since` is not known any more."""
    async with connection.cursor(row_factory=class_row(SpaceAccess)) as cursor:
        spaces = await (await cursor.execute(SPACES, {"since": since})).fetchall()
    row = await (await connection.execute(COUNTS)).fetchone()
    assert row is not None
    return AccessStatus(spaces, *row)
