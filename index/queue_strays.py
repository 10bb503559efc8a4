"""Pages that one job wrote while another found them gone."""

from index.database import Database

# A sweep forgets what is gone, and finds nothing of it again.
STRAYS = """
SELECT page_id FROM page
WHERE site_id = %(site_id)s AND state <> 'tombstoned' AND NOT EXISTS (
    SELECT FROM node WHERE node.site_id = page.site_id AND node.node_id = page.page_id)
"""


async def strays(database: Database, site_id: int) -> list[str]:
    """Pages of a site that are shown, but that no listing shows any more."""
    async with database.pool.connection() as connection:
        rows = await connection.execute(STRAYS, {"site_id": site_id})
        return [page_id async for (page_id,) in rows]
