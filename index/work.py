"""What is to be done: pages that the index does not hold as the sweeps have seen them."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from psycopg.rows import class_row

from index.database import Database
from index.nodes import ITEM_KINDS, ItemNode


@dataclass(frozen=True, slots=True)
class Recipes:
    """Versions of what makes text: of bodies and comments, and those that attachments may bear.

    Of the latter, positive ones are of attachments that were read, of at most `largest` bytes.
    """

    recipe: int
    attachment_recipes: list[int]
    largest: int


@dataclass(frozen=True, slots=True)
class Work:
    """A page that the index does not hold as the site shows it, and what of it is out of date.

    `comment_stamp` names the comments that the site shows now, and `attachment_ids` those
    attachments to read anew.
    """

    page_id: str
    space_id: int
    space_key: str
    content_type: str
    title: str
    url: str
    version: int
    state: str
    parent_id: str | None
    position: int | None
    labels: list[str] | None
    body: bool
    comments: bool
    comment_stamp: str
    attachment_ids: list[str]
    attachments_gone: bool


# The pages of a site whose body, comments or attachments differ from what was seen. A page that
# failed before waits until it is due, unless it has changed since.
WORK = """
SELECT page_id, space_id, space.key AS space_key, content_type, title, work.url, version, state,
       parent_id, position, labels, body, comments, comment_stamp, attachment_ids, attachments_gone
FROM (
    SELECT node.node_id AS page_id, node.space_id, node.content_type, node.title, node.url,
           node.version, node.state, node.parent_id, node.position, node.labels,
           %(anew)s OR node.node_id = ANY(%(again)s::text[])
           OR page.page_ref IS NULL OR page.version <> node.version OR page.title <> node.title
           OR page.space_id <> node.space_id OR page.recipe <> %(recipe)s
           OR page.content_type <> node.content_type AS body,
           comment_seen.stamp AS comment_stamp,
           %(anew)s OR page.title <> node.title OR page.recipe <> %(recipe)s
           OR comment_seen.stamp <> coalesce(page.comment_stamp, '') AS comments,
           attachment_seen.ids AS attachment_ids,
           attachment_gone.any AS attachments_gone
    FROM node
    LEFT JOIN page ON page.site_id = node.site_id AND page.page_id = node.node_id
          AND page.page_id > %(after)s
    CROSS JOIN LATERAL (
        SELECT coalesce(md5(string_agg(item.node_id || ':' || item.version, ','
                                       ORDER BY item.node_id)), '') AS stamp
        FROM node AS item
        WHERE item.parent_id = node.node_id AND item.site_id = node.site_id
          AND item.content_type = 'comment'
    ) AS comment_seen
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(item.node_id ORDER BY item.node_id), '{}') AS ids
        FROM node AS item LEFT JOIN attachment
          ON attachment.page_ref = page.page_ref AND attachment.attachment_id = item.node_id
        WHERE item.parent_id = node.node_id AND item.site_id = node.site_id
          AND item.content_type = 'attachment'
          AND (%(anew)s OR attachment.page_ref IS NULL OR attachment.version <> item.version
               OR attachment.filename <> item.title OR page.title <> node.title
               OR attachment.recipe <> ALL(%(attachment_recipes)s::int[])
               OR attachment.recipe > 0 AND item.size > %(largest)s)
    ) AS attachment_seen
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM attachment
            WHERE attachment.page_ref = page.page_ref AND NOT EXISTS (
                SELECT FROM node AS item
                WHERE item.site_id = node.site_id AND item.node_id = attachment.attachment_id
                  AND item.parent_id = node.node_id)) AS any
    ) AS attachment_gone
    WHERE node.site_id = %(site_id)s AND node.node_id > %(after)s
      AND node.content_type <> ALL(%(item_kinds)s::text[])
      AND (%(page_ids)s::text[] IS NULL OR node.node_id = ANY(%(page_ids)s::text[]))
      AND (%(space_ids)s::int[] IS NULL OR node.space_id = ANY(%(space_ids)s::int[]))
      AND (%(anew)s OR node.node_id = ANY(%(again)s::text[]) OR NOT EXISTS (
           SELECT FROM page_failure AS failure
           WHERE failure.site_id = node.site_id AND failure.page_id = node.node_id
             AND failure.version = node.version AND failure.retry_at > now()))
    ORDER BY node.node_id
) AS work JOIN space ON space.id = space_id
WHERE body OR comments OR attachments_gone OR cardinality(attachment_ids) > 0
ORDER BY page_id LIMIT %(limit)s
"""
BODIES_DUE = """
SELECT count(*) FROM node
LEFT JOIN page ON page.site_id = node.site_id AND page.page_id = node.node_id
WHERE node.site_id = %(site_id)s AND node.content_type <> ALL(%(item_kinds)s::text[])
  AND node.space_id = ANY(%(space_ids)s::int[])
  AND (%(anew)s OR page.page_ref IS NULL OR page.version <> node.version
       OR page.recipe <> %(recipe)s)
"""
ITEMS = """
SELECT node_id, content_type, parent_id, title, url, version, media_type, size FROM node
WHERE site_id = %(site_id)s AND parent_id = ANY(%(page_ids)s::text[])
  AND content_type = 'attachment'
"""
# Upwards from some nodes; a circle or a gap ends the way. LIMIT 1 keeps the planner from hashing
# the whole tree for a few of its nodes.
ANCESTORS = """
WITH RECURSIVE way AS (
    SELECT node_id AS page_id, parent_id, 0 AS height, ARRAY[node_id] AS path
    FROM node WHERE site_id = %(site_id)s AND node_id = ANY(%(page_ids)s::text[])
    UNION ALL
    SELECT way.page_id, above.parent_id, height + 1, path || above.node_id
    FROM way CROSS JOIN LATERAL (
        SELECT node_id, parent_id FROM node
        WHERE site_id = %(site_id)s AND node_id = way.parent_id
          AND content_type <> ALL(%(item_kinds)s::text[])
        LIMIT 1
    ) AS above
    WHERE above.node_id <> ALL(path)
)
SELECT page_id, ARRAY(
    SELECT ancestor FROM unnest(path[2:]) WITH ORDINALITY AS up (ancestor, height)
    ORDER BY up.height DESC)
FROM (SELECT DISTINCT ON (page_id) page_id, path FROM way ORDER BY page_id, height DESC) AS longest
"""
LOCK_PLACES = "SELECT pg_advisory_xact_lock(hashtextextended('confluence-mcp places', 0))"
# Downwards from the roots, all ways at once, with the guards that are passed on the way. A circle,
# which moves in the midst of a sweep may seem to make, hangs at the root, and is closed like all
# whose way is not known. What moved to another space is to be converted anew: its links may differ.
PLACE = """
WITH RECURSIVE tree AS MATERIALIZED (
    SELECT node_id, parent_id, restricted IS NOT NULL AS is_known,
           CASE WHEN restricted THEN ARRAY[coalesce(guard.id, 0)] ELSE '{}' END AS guards
    FROM node LEFT JOIN guard ON restricted AND guard.site_id = node.site_id
         AND guard.kind = 'node' AND guard.external_id = node_id
    WHERE node.site_id = %(site_id)s AND content_type <> ALL(%(item_kinds)s::text[])
),
way AS (
    SELECT node_id, ARRAY[]::text[] AS ancestors, is_known AND parent_id IS NULL AS is_known, guards
    FROM tree
    WHERE NOT EXISTS (SELECT FROM tree AS parent WHERE parent.node_id = tree.parent_id)
    UNION ALL
    SELECT tree.node_id, way.ancestors || way.node_id, way.is_known AND tree.is_known,
           way.guards || tree.guards
    FROM way JOIN tree ON parent_id = way.node_id
),
place AS MATERIALIZED (
    SELECT node_id, ancestors, CASE WHEN is_known THEN guards ELSE ARRAY[0] END AS guards FROM way
    UNION ALL
    SELECT node_id, ARRAY[]::text[], ARRAY[0] FROM tree
    WHERE NOT EXISTS (SELECT FROM way WHERE way.node_id = tree.node_id)
),
of_guards AS MATERIALIZED (
    SELECT guards, intern_audience(guards) AS audience_id
    FROM (SELECT DISTINCT guards FROM place WHERE guards <> '{}') AS found
),
placed AS (  -- what was hidden comes back with the text that it has now
    UPDATE page SET ancestors = place.ancestors, position = node.position, url = node.url,
        state = CASE WHEN page.hidden_at IS NOT NULL AND page.version <> node.version
                     THEN page.state ELSE node.state END,
        hidden_at = CASE WHEN page.version <> node.version THEN page.hidden_at END,
        labels = coalesce(node.labels, page.labels),
        space_id = node.space_id, audience_id = of_guards.audience_id,
        recipe = CASE WHEN page.space_id = node.space_id THEN page.recipe ELSE 0 END
    FROM place JOIN node ON node.site_id = %(site_id)s AND node.node_id = place.node_id
    LEFT JOIN of_guards USING (guards)
    WHERE page.site_id = %(site_id)s AND page.page_id = place.node_id
      AND (page.ancestors, page.url, page.state, page.labels, page.position, page.space_id,
           page.audience_id)
          IS DISTINCT FROM
          (place.ancestors, node.url,
           CASE WHEN page.hidden_at IS NOT NULL AND page.version <> node.version
                THEN page.state ELSE node.state END,
           coalesce(node.labels, page.labels), node.position, node.space_id, of_guards.audience_id)
    RETURNING page.page_id
)
SELECT count(*), count(pg_notify('confluence_mcp_page', page_id)) FROM placed
"""


class WorkList:
    """Compares the pages of one site with its nodes."""

    def __init__(self, database: Database, site_id: int) -> None:
        self._database = database
        self._site_id = site_id

    async def next(
        self,
        recipes: Recipes,
        *,
        limit: int,
        after: str = "",
        anew: bool = False,
        again: Collection[str] = (),
        page_ids: Collection[str] | None = None,
        space_ids: Collection[int] | None = None,
    ) -> list[Work]:
        """Pages to bring in line, by id; with `anew` every page, as if nothing was stored.

        Bodies of the pages `again` are fetched even if they look unchanged.
        """
        values = {
            "site_id": self._site_id,
            "item_kinds": ITEM_KINDS,
            "after": after,
            "limit": limit,
            "anew": anew,
            "again": list(again),
            "page_ids": None if page_ids is None else list(page_ids),
            "space_ids": None if space_ids is None else list(space_ids),
        } | asdict(recipes)
        async with (
            self._database.pool.connection() as connection,
            connection.cursor(row_factory=class_row(Work)) as cursor,
        ):
            await cursor.execute(WORK, values)
            return await cursor.fetchall()

    async def bodies_due(
        self, recipes: Recipes, space_ids: Collection[int], *, anew: bool = False
    ) -> int:
        """How many bodies are to be fetched, about: enough to tell how long it will take."""
        values = {
            "site_id": self._site_id,
            "item_kinds": ITEM_KINDS,
            "space_ids": list(space_ids),
            "anew": anew,
            "recipe": recipes.recipe,
        }
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(BODIES_DUE, values)).fetchone()
        return row[0] if row else 0

    async def attachments(self, page_ids: Collection[str]) -> dict[str, list[ItemNode]]:
        """The attachments that the site shows, by page id."""
        values = {"site_id": self._site_id, "page_ids": list(page_ids)}
        found: dict[str, list[ItemNode]] = {}
        async with (
            self._database.pool.connection() as connection,
            connection.cursor(row_factory=class_row(ItemNode)) as cursor,
        ):
            await cursor.execute(ITEMS, values)
            async for item in cursor:
                found.setdefault(item.parent_id, []).append(item)
        return found

    async def ancestors(self, page_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Node ids from the root down to the parent, by page id; a circle or a gap ends a path."""
        values = {
            "site_id": self._site_id,
            "page_ids": list(page_ids),
            "item_kinds": ITEM_KINDS,
        }
        async with self._database.pool.connection() as connection:
            rows = await connection.execute(ANCESTORS, values)
            return {row[0]: tuple(row[1]) async for row in rows}

    async def place(self) -> int:
        """Brings place, address, state, labels and audience of stored pages in line; how many."""
        values = {"site_id": self._site_id, "item_kinds": ITEM_KINDS}
        async with self._database.pool.connection() as connection:
            await connection.execute(LOCK_PLACES)
            row = await (await connection.execute(PLACE, values)).fetchone()
        return row[0] if row else 0
