-- What is known about the wiki. `page_id` is always Confluence's own id; `page_ref` is the index's
-- own number of a page, unique across sites. Everything narrow and hot is apart from everything
-- wide, so that a scan of words or vectors reads nothing else.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE site (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL UNIQUE,
    account_id text,
    listed_at timestamptz,
    swept_at timestamptz,
    swept_items_at timestamptz,
    items_run bigint NOT NULL DEFAULT 0,
    has_comments boolean NOT NULL DEFAULT true
);
COMMENT ON COLUMN site.account_id IS 'who the site was last read as';
COMMENT ON COLUMN site.listed_at IS 'up to when changes are known: the start of the last listing';
COMMENT ON COLUMN site.swept_at IS 'the start of the last sweep over all spaces';
COMMENT ON COLUMN site.swept_items_at IS
    'the start of the last complete listing of comments, attachments and labels';
COMMENT ON COLUMN site.items_run IS 'the run of that listing';
COMMENT ON COLUMN site.has_comments IS 'whether that listing was also of comments';

CREATE TABLE space (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    key text NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    swept_at timestamptz,
    embedded_tokens bigint NOT NULL DEFAULT 0,
    UNIQUE (site_id, key)
);
COMMENT ON COLUMN space.embedded_tokens IS 'about so many were sent to the embedding model so far';

-- What the sweeps have seen of a site, without any text: the tree with all that can be an ancestor,
-- and the comments and attachments. Pages are brought in line with it.
CREATE TABLE node (
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    node_id text NOT NULL,
    space_id int NOT NULL REFERENCES space ON DELETE CASCADE,
    content_type text NOT NULL CHECK (content_type IN (
        'page', 'blogpost', 'folder', 'whiteboard', 'database', 'embed', 'comment', 'attachment')),
    parent_id text,
    title text NOT NULL,
    url text NOT NULL,
    version int NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'archived')),
    position int,
    labels text[],
    media_type text,
    size bigint,
    first_run bigint NOT NULL,
    seen_run bigint NOT NULL,
    PRIMARY KEY (site_id, node_id)
) WITH (fillfactor = 80);
COMMENT ON COLUMN node.parent_id IS 'of a comment or an attachment: its page';
COMMENT ON COLUMN node.title IS 'of an attachment: its file name';
COMMENT ON COLUMN node.labels IS 'NULL when no listing told them yet';
CREATE INDEX node_parent ON node (parent_id);
CREATE INDEX node_space ON node (space_id);
CREATE INDEX node_title ON node (md5(title));

-- An interned set of access guards, shared by all pages that have the same; NULL on a page means
-- nothing beyond its space.
CREATE TABLE audience (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signature bytea NOT NULL UNIQUE
);

CREATE TABLE page (
    page_ref bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    space_id int NOT NULL REFERENCES space ON DELETE CASCADE,
    audience_id int REFERENCES audience,
    page_id text NOT NULL,
    content_type text NOT NULL CHECK (content_type IN (
        'page', 'blogpost', 'folder', 'whiteboard', 'database', 'embed')),
    state text NOT NULL CHECK (state IN ('live', 'archived', 'tombstoned')),
    title text NOT NULL,
    url text NOT NULL,
    version int NOT NULL,
    ancestors text[] NOT NULL,
    position int,
    labels text[] NOT NULL,
    author text,
    created_at timestamptz,
    updated_at timestamptz NOT NULL,
    language text NOT NULL,
    markdown text NOT NULL,
    outline jsonb NOT NULL,
    unreadable jsonb NOT NULL,
    chunk_count int NOT NULL,
    comment_chunks int NOT NULL DEFAULT 0,
    attachment_chunks int NOT NULL DEFAULT 0,
    recipe int NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    hidden_at timestamptz,
    comment_stamp text NOT NULL DEFAULT '',
    UNIQUE (page_id, site_id)
) WITH (fillfactor = 90, toast_tuple_target = 512);
COMMENT ON TABLE page IS 'long text is kept apart (toast_tuple_target), for every search reads rows';
COMMENT ON COLUMN page.ancestors IS 'page ids from the root down to the parent';
COMMENT ON COLUMN page.comment_stamp IS 'which comments the site showed when they were taken in';
COMMENT ON COLUMN page.chunk_count IS 'of all kinds, of which so many are of comments, of attachments';
COMMENT ON COLUMN page.recipe IS 'version of conversion and chunking that made markdown and chunks';
CREATE INDEX page_shown ON page (page_ref) INCLUDE (chunk_count, comment_chunks, attachment_chunks)
    WHERE state <> 'tombstoned';
CREATE INDEX page_space ON page (space_id);
CREATE INDEX page_title ON page (lower(title));
CREATE INDEX page_labels ON page USING gin (labels);
CREATE INDEX page_ancestors ON page USING gin (ancestors);
CREATE INDEX page_updated ON page (updated_at);
CREATE INDEX page_hidden ON page (hidden_at) WHERE state = 'tombstoned';

CREATE TABLE comment (
    page_ref bigint NOT NULL REFERENCES page ON DELETE CASCADE,
    comment_id text NOT NULL,
    parent_id text,
    selection text,
    resolution text,
    author text,
    created_at timestamptz,
    version int NOT NULL,
    url text NOT NULL,
    markdown text NOT NULL,
    PRIMARY KEY (page_ref, comment_id)
);
COMMENT ON COLUMN comment.selection IS 'what an inline comment points at; NULL for a footer comment';

CREATE TABLE attachment (
    page_ref bigint NOT NULL REFERENCES page ON DELETE CASCADE,
    attachment_id text NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    version int NOT NULL,
    url text NOT NULL,
    markdown text NOT NULL,
    unreadable text,
    recipe int NOT NULL,
    PRIMARY KEY (page_ref, attachment_id)
);
COMMENT ON COLUMN attachment.unreadable IS 'why its text, or a part of it, is not here; NULL for all of it';

CREATE TABLE chunk (
    chunk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_ref bigint NOT NULL REFERENCES page ON DELETE CASCADE,
    kind text NOT NULL DEFAULT 'body' CHECK (kind IN ('body', 'comment', 'attachment')),
    item_id text NOT NULL DEFAULT '',
    url text NOT NULL DEFAULT '',
    position int NOT NULL,
    heading_path text[] NOT NULL,
    anchor text NOT NULL,
    body text NOT NULL,
    text_hash bytea NOT NULL,
    UNIQUE (page_ref, kind, item_id, position) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN chunk.item_id IS 'the first comment of a thread, or the attachment; empty for the body';
COMMENT ON COLUMN chunk.url IS 'opens the comment or attachment; empty where the page and anchor do';
COMMENT ON COLUMN chunk.text_hash IS 'SHA-256 of the text that was embedded and indexed';

-- Words. `weights` holds the term frequency part of BM25 by term; the inverse document frequency
-- comes with the query, so it may drift without touching a row here.
CREATE TABLE chunk_term (
    chunk_id bigint PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
    page_ref bigint NOT NULL,
    space_id int NOT NULL,
    audience_id int,
    kind "char" NOT NULL DEFAULT 'b',
    term_ids int[] NOT NULL,
    weights sparsevec(1000000000) NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
COMMENT ON COLUMN chunk_term.kind IS 'the first letter of chunk.kind, here and beside the vectors';
CREATE INDEX chunk_term_ids ON chunk_term USING gin (term_ids) WITH (fastupdate = off);
CREATE INDEX chunk_term_page ON chunk_term (page_ref);

CREATE TABLE term (
    term_id int PRIMARY KEY,
    chunk_count int NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE term IS 'in how many chunks each term stands; term 0 stands for any, in all';

-- Changes of term.chunk_count that wait to be folded in, one row for each chunk written: writers of
-- different pages never wait for each other on a common word.
CREATE TABLE term_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term_ids int[] NOT NULL,
    delta int NOT NULL
);

-- The text search configurations that pages were analysed with; a question is analysed with each.
CREATE TABLE search_configuration (
    name text PRIMARY KEY
);

-- A word's number: the same in every process, version and byte order.
CREATE FUNCTION term_id(configuration text, lexeme text) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (('x' || left(md5(configuration || ':' || lexeme), 8))::bit(32)::bigint % 1000000000
            + 1)::int;

-- Vectors: one pair of tables for each embedding model. Nothing that changes may live under HNSW.
CREATE TABLE embedding_model (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dimension int NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
    active boolean NOT NULL DEFAULT true,
    has_hnsw boolean NOT NULL DEFAULT false,
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX embedding_model_active ON embedding_model (active) WHERE active;

CREATE FUNCTION create_vector_tables(model int, dimension int) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE %I (
            chunk_id bigint PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
            page_ref bigint NOT NULL,
            kind "char" NOT NULL DEFAULT ''b'',
            embedding halfvec(%s) NOT NULL
        ) WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_cost_limit = 2000)',
        'chunk_vector_' || model, dimension);
    EXECUTE format(
        'ALTER TABLE %I ALTER embedding SET STORAGE PLAIN', 'chunk_vector_' || model);
    EXECUTE format(
        'CREATE TABLE %I (
            chunk_id bigint PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
            page_ref bigint NOT NULL,
            space_id int NOT NULL,
            audience_id int,
            kind "char" NOT NULL DEFAULT ''b'',
            bits bit(%s) NOT NULL
        ) WITH (autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_insert_scale_factor = 0.02)',
        'chunk_bits_' || model, dimension);
    EXECUTE format(
        'CREATE INDEX %I ON %I (page_ref) INCLUDE (chunk_id, space_id, audience_id, kind, bits)',
        'chunk_bits_page_' || model, 'chunk_bits_' || model);
END $$;

CREATE FUNCTION create_hnsw(model int) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE INDEX %I ON %I USING hnsw (embedding halfvec_ip_ops)
         WITH (m = 16, ef_construction = 64)',
        'chunk_vector_hnsw_' || model, 'chunk_vector_' || model);
    UPDATE embedding_model SET has_hnsw = true WHERE id = model;
END $$;

CREATE FUNCTION drop_vector_tables(model int) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE %I, %I', 'chunk_vector_' || model, 'chunk_bits_' || model);
END $$;

-- What happened: one row for each run, one for each page that a run could not take in.
CREATE TABLE sync_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    succeeded boolean,
    report jsonb
);

CREATE TABLE page_failure (
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    page_id text NOT NULL,
    space_id int NOT NULL REFERENCES space ON DELETE CASCADE,
    title text NOT NULL,
    error text NOT NULL,
    version int NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 1,
    failed_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site_id, page_id)
);

-- Pages that a webhook named, until an ingest has looked at them.
CREATE TABLE page_hint (
    page_id text PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);

-- How many requests a site gets at once from all processes together, and which are under way.
-- What a crash of the server leaves of it is nothing, which is enough to begin anew.
CREATE UNLOGGED TABLE request_budget (
    site_url text PRIMARY KEY,
    allowed int NOT NULL,
    answers int NOT NULL DEFAULT 0,
    paused_until timestamptz NOT NULL DEFAULT 'epoch',
    slowed_at timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON COLUMN request_budget.answers IS 'good ones since allowed was last changed';

CREATE UNLOGGED TABLE request_slot (
    holder uuid PRIMARY KEY,
    site_url text NOT NULL,
    leased_until timestamptz NOT NULL
);
CREATE INDEX request_slot_site ON request_slot (site_url);
