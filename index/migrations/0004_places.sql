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
WHERE state <> 'tombstoned' ORDER BY hashint8(page_ref) LIMIT 400;

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

INSERT INTO readable VALUES ('sampled_page'), ('shown_passage');
SELECT grant_to_reader();
