"""An index that was made before it knew who may read what: closed until that is known."""

import pytest
from pydantic import SecretStr

from index.access import CRAWLER, Asker
from index.database import Database
from index.database_connection import connect
from index.migrate import migrate, migrations
from index.settings import IndexSettings
from tests.index.guarded_wiki import ADA, GuardedWiki

pytestmark = pytest.mark.anyio

# As 0001 alone would have left it.
OLD_PAGE = """
INSERT INTO site (url) VALUES ('https://example.com/wiki');
INSERT INTO space (site_id, key, name, url) VALUES (1, 'ENG', 'ENG', '');
INSERT INTO embedding_model (name, dimension) VALUES ('given', 64);
SELECT create_vector_tables(1, 64);
INSERT INTO node (site_id, node_id, space_id, content_type, title, url, version, state, first_run,
                  seen_run)
SELECT 1, id, 1, 'page', id, '', 1, 'live', 1, 1 FROM unnest(ARRAY['1', '2']) AS id;
INSERT INTO page (site_id, space_id, page_id, content_type, state, title, url, version, ancestors,
                  labels, updated_at, language, markdown, outline, unreadable, chunk_count, recipe)
SELECT 1, 1, id, 'page', 'live', id, '', 1, '{}', '{}', now(), 'en', '', '[]', '[]', 0, 1
FROM unnest(ARRAY['1', '2']) AS id
"""


async def test_old_pages_are_closed_until_their_restrictions_are_known(
    index_settings: IndexSettings, empty_database_url: str
) -> None:
    known = migrations()
    async with await connect(empty_database_url) as connection:
        await migrate(connection, known[:1])
        await connection.execute(OLD_PAGE.encode())
        await migrate(connection, known)
    settings = index_settings.model_copy(update={"postgres_url": SecretStr(empty_database_url)})
    async with Database.open(settings, application_name="tests") as database:
        wiki = await GuardedWiki.open(database)
        ada = await wiki.person("ada")

        await wiki.open_space("ENG", ADA)
        before = await wiki.pages.shown(ada, ["1", "2"])
        crawled = await wiki.pages.shown(CRAWLER, ["1", "2"])
        await wiki.guards.record_restrictions(1, {"1": frozenset(), "2": None})
        await wiki.work_list.place()

        assert (before, crawled) == (frozenset(), {"1", "2"})
        assert await wiki.pages.shown(ada, ["1", "2"]) == {"1"}
        assert await wiki.pages.shown(Asker("nobody", ()), ["1", "2"]) == frozenset()
