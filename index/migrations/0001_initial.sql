-- What is known about the wiki. `page_id` is always Confluence's own id; `page_ref` is the index's
-- own number of a page, unique across sites. Everything narrow and hot is apart from everything
-- wide, so that a scan of words or vectors reads nothing else.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE site (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL UNIQUE
);

CREATE TABLE space (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id int NOT NULL REFERENCES site ON DELETE CASCADE,
    key text NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    swept_at timestamptz,
    UNIQUE (site_id, key)
);

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
    content_type text NOT NULL CHECK (content_type IN ('page', 'blogpost')),
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
    recipe int NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (page_id, site_id)
) WITH (fillfactor = 90, toast_tuple_target = 512);
COMMENT ON TABLE page IS 'long text is kept apart (toast_tuple_target), for every search reads rows';
COMMENT ON COLUMN page.ancestors IS 'page ids from the root down to the parent';
COMMENT ON COLUMN page.recipe IS 'version of conversion and chunking that made markdown and chunks';
CREATE INDEX page_shown ON page (page_ref) INCLUDE (chunk_count) WHERE state <> 'tombstoned';
CREATE INDEX page_space ON page (space_id);
CREATE INDEX page_title ON page (lower(title));
CREATE INDEX page_labels ON page USING gin (labels);
CREATE INDEX page_ancestors ON page USING gin (ancestors);
CREATE INDEX page_updated ON page (updated_at);

CREATE TABLE chunk (
    chunk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_ref bigint NOT NULL REFERENCES page ON DELETE CASCADE,
    kind text NOT NULL DEFAULT 'body' CHECK (kind IN ('body', 'comment', 'attachment')),
    position int NOT NULL,
    heading_path text[] NOT NULL,
    anchor text NOT NULL,
    body text NOT NULL,
    text_hash bytea NOT NULL,
    UNIQUE (page_ref, position) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN chunk.text_hash IS 'SHA-256 of the text that was embedded and indexed';

-- Words. `weights` holds the term frequency part of BM25 by term; the inverse document frequency
-- comes with the query, so it may drift without touching a row here.
CREATE TABLE chunk_term (
    chunk_id bigint PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
    page_ref bigint NOT NULL,
    space_id int NOT NULL,
    audience_id int,
    term_ids int[] NOT NULL,
    weights sparsevec(1000000000) NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
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
            bits bit(%s) NOT NULL
        ) WITH (autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_insert_scale_factor = 0.02)',
        'chunk_bits_' || model, dimension);
    EXECUTE format(
        'CREATE INDEX %I ON %I (page_ref) INCLUDE (chunk_id, space_id, audience_id, bits)',
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
    attempts int NOT NULL DEFAULT 1,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site_id, page_id)
);
