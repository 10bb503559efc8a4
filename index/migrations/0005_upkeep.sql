-- What keeps the index in shape, and changes its embedding model.

-- Of the models that are not active one may be being built, which a later process goes on with;
-- the others are retired, and their tables are dropped as soon as no search holds them.
ALTER TABLE embedding_model ADD retired_at timestamptz, ADD CHECK (NOT active OR retired_at IS NULL);
COMMENT ON COLUMN embedding_model.active IS 'pages and questions are embedded by it';
COMMENT ON COLUMN embedding_model.retired_at IS 'when another model took its place';
CREATE UNIQUE INDEX embedding_model_built ON embedding_model ((true))
    WHERE NOT active AND retired_at IS NULL;

CREATE TABLE fresh_index (
    name text PRIMARY KEY,
    bytes bigint NOT NULL,
    row_count bigint NOT NULL,
    built_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fresh_index IS 'how large indexes were when they had just been rebuilt';

-- Index-only scans of what may be shown read the heap again where a page of it changed since the
-- last VACUUM.
ALTER TABLE page SET (autovacuum_vacuum_scale_factor = 0.02,
                      autovacuum_vacuum_insert_scale_factor = 0.02,
                      autovacuum_analyze_scale_factor = 0.05);
-- By itself a fifth of a million chunks would be dead before anything is done about it.
ALTER TABLE chunk SET (autovacuum_vacuum_scale_factor = 0.05,
                       autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE comment SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE attachment SET (autovacuum_vacuum_scale_factor = 0.05);
-- Each sweep writes every row once.
ALTER TABLE node SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_limit = 1000);
-- A few common words are written again and again, and each question reads their rows.
ALTER TABLE term SET (autovacuum_vacuum_scale_factor = 0.05);
-- Filled and emptied all the time: what counts is how many dead rows there are, not their share.
ALTER TABLE term_change SET (autovacuum_vacuum_scale_factor = 0,
                             autovacuum_vacuum_threshold = 1000,
                             autovacuum_vacuum_insert_scale_factor = 0.2);
ALTER TABLE request_slot SET (autovacuum_vacuum_scale_factor = 0,
                              autovacuum_vacuum_threshold = 500);

-- Graphs are built by themselves now, beside those who read and write.
DROP FUNCTION create_hnsw;
