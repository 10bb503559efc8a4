"""The search statement: both legs over what may be shown, and their fusion, in one trip."""

from typing import LiteralString

from psycopg import sql

from index.models import EmbeddingModel

# Up to this many permitted chunks an index-only scan of binary-quantised vectors with exact
# re-ranking is as fast as the graph and misses almost nothing; above it the graph is walked.
SCAN_LIMIT = 60_000
LEG = 200  # chunks that each leg hands to the fusion
RERANK = 2_000  # chunks that the scan of bits hands to exact distances
# Chunks that the walk through the graph hands to exact order. It meets the best of them late where
# it went astray, or where the nearest topics are hidden from the asker: of 500,000 chunks, half of
# them hidden, a walk for the leg alone finds 89 % of the best ten, this one 98 %.
WALK = 1_000
# Chunks that the words of a question may touch, rarest words first. Where that leaves words out
# and fewer chunks than this are permitted, those are all scored instead.
REACH = 10_000
MAX_TERMS = 96  # of those that the index knows, and of those that it does not know yet

_STATEMENT: LiteralString = """
WITH
configuration AS MATERIALIZED (
    SELECT name::regconfig AS name, name AS label FROM search_configuration
),
-- Pages that may be shown to the asker and pass the filters: both legs look at no others.
permitted AS MATERIALIZED (
    SELECT page_ref, asked.chunk_count FROM shown_page AS page CROSS JOIN LATERAL (
        SELECT CASE WHEN %(kinds)s::text[] IS NULL THEN page.chunk_count ELSE
            comment_chunks * ('comment' = ANY(%(kinds)s::text[]))::int
            + attachment_chunks * ('attachment' = ANY(%(kinds)s::text[]))::int
            + (page.chunk_count - comment_chunks - attachment_chunks)
              * ('body' = ANY(%(kinds)s::text[]))::int
        END) AS asked (chunk_count)
    WHERE asked.chunk_count > 0
      AND (%(spaces)s::text[] IS NULL OR space_id = ANY(ARRAY(
           SELECT space_id FROM open_space WHERE lower(key) = ANY(%(spaces)s::text[]))))
      AND (%(labels)s::text[] IS NULL OR labels @> %(labels)s::text[])
      AND (%(content_types)s::text[] IS NULL OR content_type = ANY(%(content_types)s::text[]))
      AND (%(author)s::text IS NULL OR strpos(lower(author), lower(%(author)s::text)) > 0)
      AND (%(ancestor)s::text IS NULL OR page_id = %(ancestor)s::text
           OR ancestors @> ARRAY[%(ancestor)s::text])
      AND (%(updated_after)s::timestamptz IS NULL OR updated_at > %(updated_after)s::timestamptz)
),
size AS MATERIALIZED (SELECT coalesce(sum(chunk_count), 0) AS chunks FROM permitted),
total AS MATERIALIZED (
    SELECT coalesce((SELECT chunk_count FROM term WHERE term_id = 0), 0) AS chunks
),
-- Stop words of the question's own language say nothing in the other languages either.
word AS MATERIALIZED (
    SELECT lexeme FROM unnest(to_tsvector('simple', %(query)s)) AS token
    WHERE EXISTS (
        SELECT FROM unnest(%(configurations)s::text[]) AS name
        WHERE to_tsvector(name::regconfig, token.lexeme) <> ''::tsvector)
),
question_term AS MATERIALIZED (
    SELECT DISTINCT term_id(label, stem.lexeme) AS term_id
    FROM word, configuration, unnest(to_tsvector(name, word.lexeme)) AS stem
),
term_count AS MATERIALIZED (
    -- A subquery, since a join would be planned for far more words and read the whole table.
    SELECT term_id, greatest(coalesce((
        SELECT chunk_count FROM term WHERE term.term_id = question_term.term_id), 0), 0) AS n
    FROM question_term
),
rarity AS MATERIALIZED (
    SELECT term_id, n, row_number() OVER rarest AS rank, sum(n) OVER rarest AS reach
    FROM term_count WINDOW rarest AS (PARTITION BY n = 0 ORDER BY n, term_id)
),
question AS MATERIALIZED (
    SELECT ('{{' || string_agg(
                term_id || ':' || ln(1 + (greatest(total.chunks, n) - n + 0.5) / (n + 0.5)), ','
                ORDER BY term_id
            ) || '}}/1000000000')::sparsevec AS weights,
           array_agg(term_id) AS terms,
           array_agg(term_id) FILTER (WHERE rank = 1 OR reach <= {reach}) AS rare
    FROM rarity, total WHERE rank <= {max_terms}
),
reading AS MATERIALIZED (
    SELECT chunks <= {reach} AND cardinality(rare) < cardinality(terms) AS is_whole
    FROM question, size
),
looked_up AS MATERIALIZED (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM chunk_term
    WHERE (SELECT NOT is_whole FROM reading)
      AND term_ids && (SELECT rare FROM question)
      AND page_ref IN (SELECT page_ref FROM permitted)
      AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]::"char"[]))
    ORDER BY score DESC LIMIT {leg}
),
-- Few permitted chunks are read page by page. OFFSET 0 keeps it so: how many pages pass the
-- filters is a guess to the planner, and a wrong one would have it read whole tables.
read AS MATERIALIZED (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM permitted, LATERAL (
        SELECT chunk_id, term_ids, weights FROM chunk_term
        WHERE chunk_term.page_ref = permitted.page_ref
          AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]::"char"[]))
        OFFSET 0) AS of_page
    WHERE (SELECT is_whole FROM reading) AND term_ids && (SELECT terms FROM question)
    ORDER BY score DESC LIMIT {leg}
),
lexical AS (SELECT * FROM looked_up UNION ALL SELECT * FROM read),
candidate AS MATERIALIZED (
    SELECT chunk_id FROM permitted, LATERAL (
        SELECT chunk_id, bits FROM {bits} AS chunk_bits
        WHERE chunk_bits.page_ref = permitted.page_ref
          AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]::"char"[]))
        OFFSET 0) AS of_page
    WHERE (SELECT chunks FROM size) <= {scan_limit}
    ORDER BY bits <~> binary_quantize(%(vector)s::halfvec({dimension}))::bit({dimension})
    LIMIT {rerank}
),
scanned AS MATERIALIZED (
    SELECT chunk_id, page_ref, distance FROM candidate, LATERAL (
        SELECT page_ref, embedding <#> %(vector)s::halfvec({dimension}) AS distance
        FROM {vectors} AS chunk_vector
        WHERE chunk_vector.chunk_id = candidate.chunk_id OFFSET 0) AS of_chunk
    ORDER BY distance LIMIT {leg}
),
walked AS MATERIALIZED (
    SELECT chunk_id, page_ref, embedding <#> %(vector)s::halfvec({dimension}) AS distance
    FROM {vectors}
    -- A filter on the walk through the graph, whose selectivity nobody guesses: a join would lose
    -- the order of the walk, and where few seem to be left, the whole table would be sorted.
    WHERE (SELECT chunks FROM size) > {scan_limit}
      AND (CASE WHEN page_ref IN (SELECT page_ref FROM permitted)
           THEN %(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]::"char"[]) END) IS TRUE
    ORDER BY embedding <#> %(vector)s::halfvec({dimension}) LIMIT {walk}
),
dense AS (
    SELECT chunk_id, page_ref, -distance AS score FROM scanned
    -- Plus 0, for the planner takes what was walked to be in order.
    UNION ALL (SELECT chunk_id, page_ref, -distance FROM walked ORDER BY distance + 0 LIMIT {leg})
),
-- Fusion: a convex combination of normalised scores, for pages by their best chunk in each leg.
-- Of the vector leg the last chunk scores 0, for all of the wiki is somehow near; of the lexical
-- leg what has none of the words does.
leg AS MATERIALIZED (
    SELECT 'dense' AS leg, chunk_id, page_ref, %(dense_share)s::float8 * coalesce(
        (score - min(score) OVER ()) / nullif(max(score) OVER () - min(score) OVER (), 0), 1
        ) AS score
    FROM dense
    UNION ALL
    SELECT 'lexical', chunk_id, page_ref,
           (1 - %(dense_share)s::float8) * score / max(score) OVER ()
    FROM lexical
),
page_score AS MATERIALIZED (
    SELECT page_ref, sum(score) AS score FROM (
        SELECT page_ref, max(score) AS score FROM leg GROUP BY page_ref, leg
    ) AS best_of_leg GROUP BY page_ref
),
chunk_score AS (
    SELECT chunk_id, page_ref, sum(score) AS score FROM leg GROUP BY chunk_id, page_ref
),
shown AS MATERIALIZED (
    SELECT page_ref, score, (SELECT count(*) FROM page_score) AS total
    FROM page_score ORDER BY score DESC, page_ref LIMIT %(limit)s OFFSET %(offset)s
),
best AS (
    SELECT chunk_score.*, row_number() OVER (
        PARTITION BY page_ref ORDER BY chunk_score.score DESC, chunk_id) AS rank
    FROM shown JOIN chunk_score USING (page_ref)
)
SELECT shown.total, shown.page_ref, page.page_id, page.title, page.url, space.key AS space_key,
       page.content_type, page.version, page.state, page.author, page.updated_at,
       shown.score AS page_score, chunk.chunk_id, chunk.kind, chunk.heading_path, chunk.anchor,
       chunk.url AS item_url, chunk.body, best.score,
       (SELECT filename FROM shown_attachment AS attachment
        WHERE attachment.page_ref = shown.page_ref
          AND attachment_id = chunk.item_id AND chunk.kind = 'attachment') AS attachment
FROM shown JOIN best USING (page_ref)
CROSS JOIN LATERAL (
    SELECT * FROM shown_page WHERE shown_page.page_ref = shown.page_ref OFFSET 0) AS page
JOIN open_space AS space USING (space_id)
CROSS JOIN LATERAL (
    SELECT * FROM shown_chunk WHERE shown_chunk.chunk_id = best.chunk_id OFFSET 0) AS chunk
WHERE best.rank <= %(passages)s
ORDER BY shown.score DESC, shown.page_ref, best.rank
"""


def search_statement(
    model: EmbeddingModel,
    *,
    scan_limit: int = SCAN_LIMIT,
    reach: int = REACH,
    walk: int = WALK,
) -> sql.Composed:
    """The statement over the vectors of one model.

    Parameters: `query` (text prepared by `searchable`), `configurations` (of the languages that
    the query may be in), `vector` (HalfVector), `dense_share`, `limit`, `offset`, `passages`, and
    the filters `spaces` and `labels` (both in lower case), `content_types`, `kinds` (of chunks),
    `author`, `ancestor`, `updated_after`, each NULL for no limit.
    """
    return sql.SQL(_STATEMENT).format(
        vectors=model.vectors,
        bits=model.bits,
        dimension=sql.Literal(model.dimension),
        scan_limit=sql.Literal(scan_limit),
        leg=sql.Literal(LEG),
        rerank=sql.Literal(RERANK),
        walk=sql.Literal(walk),
        reach=sql.Literal(reach),
        max_terms=sql.Literal(MAX_TERMS),
    )
