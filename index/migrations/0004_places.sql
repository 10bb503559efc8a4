-- Which pages lie where: what a search may look at, found without reading all pages.

-- Of a space, with all that the rule and the sizes of legs need.
DROP INDEX page_shown;
CREATE INDEX page_of_space ON page (space_id)
    INCLUDE (page_ref, audience_id, chunk_count, comment_chunks, attachment_chunks)
    WHERE state <> 'tombstoned';
-- Pages in an order that has nothing to do with what they are: the first ones are a sample.
CREATE INDEX page_by_lot ON page (hashint8(page_ref))
    INCLUDE (page_ref, chunk_count, comment_chunks, attachment_chunks)
    WHERE state <> 'tombstoned';

-- In which languages questions may be asked is counted again and again.
CREATE INDEX page_language ON page (language);

-- A sample of all pages, without anything that they say: from it a search estimates how many chunks
-- there are that it may look at.
CREATE VIEW sampled_page AS
SELECT page_ref, chunk_count, comment_chunks, attachment_chunks FROM page
WHERE state <> 'tombstoned' ORDER BY hashint8(page_ref) LIMIT 1000;

-- As before, but whoever asks for everything is not compared with lists of everything.
CREATE OR REPLACE VIEW shown_page AS
SELECT page.* FROM page
WHERE state <> 'tombstoned'
  AND (asks_for_everything()
       OR ((space_id IN (SELECT open_spaces())) IS TRUE
           AND (audience_id IS NULL OR audience_id IN (SELECT open_audiences()))));

-- A chunk with what its hit says of its page, for which the rule is asked once.
CREATE VIEW shown_passage AS
SELECT chunk_id, page_ref, page.page_id, page.title, page.url, space.key AS space_key,
       page.content_type, page.version, page.state, page.author, page.updated_at,
       chunk.kind, chunk.heading_path, chunk.anchor, chunk.url AS item_url, chunk.body,
       (SELECT filename FROM attachment
        WHERE attachment.page_ref = chunk.page_ref AND attachment_id = chunk.item_id
          AND chunk.kind = 'attachment') AS attachment
FROM chunk JOIN shown_page AS page USING (page_ref) JOIN space ON space.id = page.space_id;

-- Gives the role, where there is one, what it lacks.
CREATE OR REPLACE FUNCTION grant_to_reader() RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    relation regclass;
BEGIN
    IF to_regrole('confluence_mcp_reader') IS NULL THEN
        RETURN;
    END IF;
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'shown_page'::regclass)
          AND (relname IN ('schema_migration', 'shown_page', 'shown_chunk', 'shown_comment',
                           'shown_attachment', 'shown_passage', 'sampled_page', 'open_space',
                           'common_language', 'account',
                           'api_key', 'embedding_model', 'search_configuration', 'term',
                           'chunk_term', 'vocabulary')
               OR relname ~ '^chunk_(vector|bits)_[0-9]+$')
          AND NOT has_table_privilege('confluence_mcp_reader', oid, 'SELECT')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO confluence_mcp_reader', relation);
    END LOOP;
    IF NOT has_schema_privilege('confluence_mcp_reader', current_schema(), 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO confluence_mcp_reader', current_schema());
    END IF;
    IF NOT may_be_reader() THEN
        BEGIN
            GRANT confluence_mcp_reader TO CURRENT_USER;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'confluence_mcp_reader is not granted: %', SQLERRM;
        END;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'confluence_mcp_reader lacks rights: %', SQLERRM;
END $$;
SELECT grant_to_reader();
