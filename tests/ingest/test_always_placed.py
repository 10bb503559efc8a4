"""The tree of a site comes out right however deep, wide or torn it is."""

from typing import LiteralString

import pytest

from index.database import Database
from index.work import Recipes, WorkList

pytestmark = pytest.mark.anyio

RECIPES = Recipes(1, [1], 1)
SITE = "INSERT INTO site (url) VALUES ('https://wiki.example.com') RETURNING id"
SPACE = """
INSERT INTO space (site_id, key, name, url) SELECT id, 'ENG', 'ENG', 'u' FROM site RETURNING id
"""
# Of so many nodes each one lies below the one whose number is a `width` of its own.
NODES = """
INSERT INTO node (site_id, node_id, space_id, content_type, parent_id, title, url, version, state,
                  first_run, seen_run)
SELECT site.id, n::text, space.id, 'page', CASE WHEN n >= %(width)s THEN (n / %(width)s)::text END,
       'Title ' || n, 'u', 1, 'live', 1, 1
FROM site, space, generate_series(1, %(count)s) AS n
"""
CHAIN = """
INSERT INTO node (site_id, node_id, space_id, content_type, parent_id, title, url, version, state,
                  first_run, seen_run)
SELECT site.id, n::text, space.id, 'page', CASE WHEN n > 1 THEN (n - 1)::text END,
       'Title ' || n, 'u', 1, 'live', 1, 1
FROM site, space, generate_series(1, %(count)s) AS n
"""
ITEMS = """
INSERT INTO node (site_id, node_id, space_id, content_type, parent_id, title, url, version, state,
                  first_run, seen_run)
SELECT site_id, kind || node_id, space_id, kind, node_id, 'a.txt', 'u', 1, 'live', 1, 1
FROM node, unnest(ARRAY['comment', 'attachment']) AS kind WHERE node_id::int % 2 = 0
"""
PAGES = """
INSERT INTO page (site_id, space_id, page_id, content_type, state, title, url, version, ancestors,
                  labels, updated_at, language, markdown, outline, unreadable, chunk_count, recipe,
                  comment_stamp)
SELECT site_id, space_id, node_id, content_type, 'live', title, url, version, '{}', '{}', now(),
       'en', '', '[]', '[]', 0, 1,
       coalesce((SELECT md5(string_agg(item.node_id || ':' || item.version, ','
                                       ORDER BY item.node_id)) FROM node AS item
                 WHERE item.parent_id = node.node_id AND item.content_type = 'comment'), '')
FROM node WHERE content_type = 'page'
"""
READ = """
INSERT INTO attachment (page_ref, attachment_id, filename, media_type, size, version, url, markdown,
                        recipe)
SELECT page_ref, node_id, node.title, '', 0, 1, 'u', '', 1
FROM node JOIN page ON page_id = parent_id WHERE node.content_type = 'attachment'
"""
TORN = "UPDATE node SET parent_id = %(parent)s WHERE node_id = %(node)s"
ANCESTORS = "SELECT page_id, ancestors FROM page ORDER BY page_id::int"


async def filled(database: Database, nodes: LiteralString, **values: int) -> WorkList:
    """A site with these nodes, all of which are stored."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(SITE)).fetchone()
        await connection.execute(SPACE)
        await connection.execute(nodes, values)
        await connection.execute(ITEMS)
        await connection.execute(PAGES)
        await connection.execute(READ)
    assert row
    return WorkList(database, row[0])


async def ancestors(database: Database) -> dict[str, list[str]]:
    """The ancestors of each page, by id."""
    async with database.pool.connection() as connection:
        rows = await connection.execute(ANCESTORS)
        return {row[0]: row[1] async for row in rows}


async def test_a_thousand_levels_are_placed(database: Database) -> None:
    work_list = await filled(database, CHAIN, count=1000)

    moved = await work_list.place()

    paths = await ancestors(database)
    assert moved == 1000
    assert paths["1000"] == [str(n) for n in range(1, 1000)]
    assert (await work_list.ancestors(["1000"]))["1000"] == tuple(paths["1000"])
    assert await work_list.place() == 0
    assert await work_list.next(RECIPES, limit=10) == []


async def test_pages_that_seem_to_lie_in_a_circle_are_placed_at_the_root(
    database: Database,
) -> None:
    work_list = await filled(database, NODES, count=6, width=2)
    await work_list.place()
    async with database.pool.connection() as connection:
        await connection.execute(TORN, {"node": "1", "parent": "4"})
        await connection.execute("UPDATE page SET state = 'tombstoned' WHERE page_id = '4'")

    await work_list.place()

    paths = await ancestors(database)
    assert {page_id: len(path) for page_id, path in paths.items()} == dict.fromkeys(paths, 0)
    async with database.pool.connection() as connection:
        rows = await connection.execute("SELECT page_id FROM page WHERE state <> 'live'")
        assert await rows.fetchall() == []
