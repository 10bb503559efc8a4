"""What goes on record with a page: how it was seen when it was fetched, which comments came."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from index.chunk_write import PageChangedMeanwhile
from index.database import Database
from index.embeddings import Vector
from index.nodes import Node, Nodes
from index.records import Chunk, ContentType, State
from tests.index.small_wiki import PAGE, SITE, SmallWiki, with_body

pytestmark = pytest.mark.anyio

LISTED = Node(
    node_id="1",
    content_type=ContentType.PAGE,
    parent_id=None,
    title="Page",
    url=f"{SITE}/pages/1",
    version=1,
    state=State.LIVE,
    position=3,
    labels=("old",),
)
FETCHED = replace(LISTED, title="Newer", version=2, position=None, labels=("new",))
RECORD = """
SELECT node.title, node.version, node.position, node.labels, comment_stamp
FROM node LEFT JOIN page USING (site_id) WHERE node_id = '1'
"""


async def test_a_page_and_how_it_was_seen_are_recorded_together(database: Database) -> None:
    wiki, space_id = await _listed(database)
    chunk = Chunk(0, (), "", "alpha")
    vectors = await wiki.vectors("Newer", [chunk])

    await _write(wiki, space_id, vectors)

    assert await _record(database) == ("Newer", 2, 3, ["new"], "stamp")


async def test_a_page_that_cannot_be_written_leaves_the_record_as_it_was(
    database: Database,
) -> None:
    wiki, space_id = await _listed(database)

    with pytest.raises(PageChangedMeanwhile):
        await _write(wiki, space_id, {})

    assert await _record(database) == ("Page", 1, 3, ["old"], None)


async def _listed(database: Database) -> tuple[SmallWiki, int]:
    wiki = await SmallWiki.open(database)
    space_id = await wiki.space()
    await Nodes(database, wiki.store.site_id).saw(1, space_id, [LISTED])
    return wiki, space_id


async def _write(wiki: SmallWiki, space_id: int, vectors: Mapping[bytes, Vector]) -> None:
    update = with_body(replace(PAGE, title="Newer", version=2), Chunk(0, (), "", "alpha"))
    await wiki.store.write(space_id, update, vectors, recipe=1, seen=FETCHED, comment_stamp="stamp")


async def _record(database: Database) -> tuple[object, ...] | None:
    async with database.pool.connection() as connection:
        return await (await connection.execute(RECORD)).fetchone()
