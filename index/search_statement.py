"""The search statement: both legs over what may be shown, and their fusion, in one trip."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncRawCursor, sql
from psycopg.rows import Row

from index.models import EmbeddingModel
from index.phrases import PHRASED
from index.question_terms import QUESTION_TERMS

# Up to so many permitted chunks an index-only scan of binary-quantised vectors, with exact order
# after it, takes no more time than the graph, and misses almost nothing; above it the graph is
# walked. A scan takes longer with each chunk, a walk with each that it passes in vain: they took
# the same where 3,500 of 10,000 chunks were permitted, 16,000 of 100,000, 90,000 of 1,000,000.
SCAN_SHARE, SCAN_POWER, SCAN_LIMIT = 5.5, 0.7, 100_000
LEG = 200  # chunks that each leg hands to the fusion
RERANK = 2_000  # chunks that the scan of bits hands to exact distances
# Chunks that the walk through the graph hands to exact order. How well it knows its way is up to
# `hnsw.ef_search` in index/database.py.
WALK = 300
# Chunks that the words of a question may touch, rarest words first. Where that leaves words out
# and no more than half as many chunks are permitted, those are all scored instead.
REACH = 10_000
# Chunks that the rarest word may touch, in whatever order they are stored, where even that one is
# in more than the words together may touch; and as many again that have all the words.
COMMON = 5_000
MAX_TERMS = 96  # of those that the index knows, and of those that it does not know yet

# Words of which each is in more chunks than this tell little, and looking them up would take ever
# longer: of these, the chunks that the walk found are scored.
EVERYWHERE = 50_000

_PLACEHOLDER = re.compile(rb"%\((\w+)\)s")

# Of a page, written down once: a search looks at no other.
_PASSES: LiteralString = """(
    (%(spaces)s::text[] IS NULL OR (space_id IN (SELECT space_id FROM asked_space)) IS TRUE)
    AND (%(labels)s::text[] IS NULL OR labels @> %(labels)s::text[])
    AND (%(content_types)s::text[] IS NULL OR content_type = ANY(%(content_types)s::text[]))
    AND (%(author)s::text IS NULL OR strpos(lower(author), lower(%(author)s::text)) > 0)
    AND (%(ancestor)s::text IS NULL OR page_id = %(ancestor)s::text
         OR ancestors @> ARRAY[%(ancestor)s::text])
    AND (%(updated_after)s::timestamptz IS NULL OR updated_at > %(updated_after)s::timestamptz)
)"""
# Whether a chunk is on a page that may be shown to the asker and passes the filters, asked for one
# chunk after another. A scalar subquery stays where it is: a join would be planned for any number.
_MAY_SHOW: LiteralString = """coalesce((
    SELECT true FROM shown_page AS page
    WHERE page.page_ref = chunk.page_ref AND {passes}), false)"""
_OF_KINDS: LiteralString = (
    """(%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]::"char"[]))"""
)
_ASKED_CHUNKS: LiteralString = """
    CASE WHEN %(kinds)s::text[] IS NULL THEN chunk_count ELSE
        comment_chunks * ('comment' = ANY(%(kinds)s::text[]))::int
        + attachment_chunks * ('attachment' = ANY(%(kinds)s::text[]))::int
        + (chunk_count - comment_chunks - attachment_chunks)
          * ('body' = ANY(%(kinds)s::text[]))::int
    END"""

_STATEMENT: LiteralString = """
WITH
-- Worked out once: in a plan for any values, what is made of a parameter is made anew for each row.
asked AS MATERIALIZED (
    SELECT vector, binary_quantize(vector)::bit({dimension}) AS bits
    FROM (SELECT %(vector)s::halfvec({dimension}) AS vector) AS given
),
{question_terms}
{phrased}
asked_space AS MATERIALIZED (
    SELECT space_id FROM open_space
    WHERE %(spaces)s::text[] IS NULL OR lower(key) = ANY(%(spaces)s::text[])
),
total AS MATERIALIZED (
    SELECT coalesce((SELECT chunk_count FROM term WHERE term_id = 0), 0) AS chunks
),
-- In which way chunks are found: among those that have a phrase, or by what is permitted, which a
-- sample tells where it is not plain.
route AS MATERIALIZED (
    SELECT CASE
        WHEN is_asked THEN 'phrased'
        WHEN {is_scanned} THEN 'few'
        WHEN asks_for_everything() AND num_nonnulls(%(spaces)s::text[], %(labels)s::text[],
             %(content_types)s::text[], %(kinds)s::text[], %(author)s::text, %(ancestor)s::text,
             %(updated_after)s::timestamptz) = 0 THEN 'many'
        WHEN (
            SELECT total.chunks * sum(CASE WHEN {may_show} THEN {asked_chunks} ELSE 0 END)
                   > least({scan_limit}, {scan_share} * power(total.chunks, {scan_power}))
                     * sum(chunk_count)
            FROM sampled_page AS chunk) THEN 'many'
        ELSE 'few' END AS way,
        CASE
        WHEN %(labels)s::text[] IS NOT NULL THEN 'label'
        WHEN %(ancestor)s::text IS NOT NULL THEN 'ancestor'
        WHEN num_nonnulls(%(content_types)s::text[], %(author)s::text,
                          %(updated_after)s::timestamptz) > 0 THEN 'page'
        ELSE 'space' END AS filter
    FROM total, phrasing
),
-- All pages that may be shown to the asker and pass the filters, where they are not many.
permitted AS MATERIALIZED (
    SELECT page_ref, chunk_count FROM (
        -- Each arm as its index has it: by space alone, what an index of pages holds is enough.
        SELECT page_ref, {asked_chunks} AS chunk_count
        FROM asked_space, LATERAL (
            SELECT page_ref, chunk_count, comment_chunks, attachment_chunks FROM shown_page
            WHERE shown_page.space_id = asked_space.space_id OFFSET 0) AS page
        WHERE (SELECT way = 'few' AND filter = 'space' FROM route)
        UNION ALL
        SELECT page_ref, {asked_chunks}
        FROM asked_space, LATERAL (
            SELECT * FROM shown_page WHERE shown_page.space_id = asked_space.space_id AND {passes}
            OFFSET 0) AS page
        WHERE (SELECT way = 'few' AND filter = 'page' FROM route)
        UNION ALL
        SELECT page_ref, {asked_chunks} FROM shown_page AS page
        WHERE (SELECT way = 'few' AND filter = 'label' FROM route)
          AND labels @> %(labels)s::text[] AND {passes}
        UNION ALL
        SELECT page_ref, {asked_chunks} FROM shown_page AS page
        WHERE (SELECT way = 'few' AND filter = 'ancestor' FROM route)
          AND (page_id = %(ancestor)s::text OR ancestors @> ARRAY[%(ancestor)s::text])
          AND {passes}
    ) AS page WHERE chunk_count > 0
),
size AS MATERIALIZED (SELECT coalesce(sum(chunk_count), 0) AS chunks FROM permitted),
term_count AS MATERIALIZED (
    -- A subquery, since a join would be planned for far more words and read the whole table.
    SELECT term_id, factor, greatest(coalesce((
        SELECT chunk_count FROM term WHERE term.term_id = question_term.term_id), 0), 0) AS n
    FROM question_term
),
rarity AS MATERIALIZED (
    SELECT term_id, factor, n, row_number() OVER rarest AS rank, sum(n) OVER rarest AS reach
    FROM term_count WINDOW rarest AS (PARTITION BY n = 0 ORDER BY n, term_id)
),
question AS MATERIALIZED (
    SELECT ('{{' || string_agg(
                term_id || ':' || factor * ln(
                    1 + (greatest(total.chunks, n) - n + 0.5) / (n + 0.5)), ','
                ORDER BY term_id
            ) || '}}/1000000000')::sparsevec AS weights,
           array_agg(term_id) AS terms,
           array_agg(term_id) FILTER (WHERE rank = 1 OR reach <= {reach}) AS rare,
           min(n) FILTER (WHERE n > 0) AS fewest
    FROM rarity, total WHERE rank <= {max_terms}
),
-- And of which chunks the words are scored where many are permitted.
reading AS MATERIALIZED (
    SELECT way,
           CASE WHEN way <> 'many' THEN 'none'
                WHEN fewest > {everywhere} THEN 'met'
                WHEN fewest > greatest({common}, {reach}) THEN 'some'
                ELSE 'all' END AS scored,
           way = 'few' AND 2 * size.chunks <= {reach} AND cardinality(rare) < cardinality(terms)
               AS is_whole
    FROM question, size, route
),
-- The lexical leg over few chunks. Those of few pages are read page by page, where the rarest words
-- would leave others out. OFFSET 0 keeps it so: how many pages pass the filters is a guess to the
-- planner, and a wrong one would have it read whole tables.
looked_up AS MATERIALIZED (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM chunk_term
    WHERE (SELECT way = 'few' AND NOT is_whole FROM reading)
      AND term_ids && (SELECT rare FROM question)
      -- A filter on what the words find: a join might read page by page.
      AND (CASE WHEN page_ref IN (SELECT page_ref FROM permitted) THEN {of_kinds} END) IS TRUE
    ORDER BY score DESC LIMIT {leg}
),
read AS MATERIALIZED (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM permitted, LATERAL (
        SELECT chunk_id, term_ids, weights FROM chunk_term
        WHERE chunk_term.page_ref = permitted.page_ref AND {of_kinds}
        OFFSET 0) AS of_page
    WHERE (SELECT is_whole FROM reading) AND term_ids && (SELECT terms FROM question)
    ORDER BY score DESC LIMIT {leg}
),
walked AS MATERIALIZED (
    SELECT chunk_id, page_ref, embedding <#> (SELECT vector FROM asked) AS distance
    FROM {vectors} AS chunk
    WHERE (SELECT way = 'many' FROM route) AND {of_kinds} AND {may_show}
    ORDER BY embedding <#> (SELECT vector FROM asked) LIMIT {walk}
),
-- And over many: scored first, then asked for in that order until there are enough. Of words that
-- are everywhere, some of the chunks that have all of them, and some that have the rarest.
together AS MATERIALIZED (
    SELECT array_agg(DISTINCT term_id(label, stem.lexeme)) AS term_ids
    FROM word, configuration, unnest(to_tsvector(name, word.lexeme)) AS stem
    WHERE (SELECT scored = 'some' FROM reading) GROUP BY label
),
common AS MATERIALIZED (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM together, LATERAL (
        SELECT chunk_id, page_ref, weights FROM chunk_term
        WHERE chunk_term.term_ids @> together.term_ids AND {of_kinds} LIMIT {common}) AS of_words
    UNION
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) FROM (
        SELECT chunk_id, page_ref, weights FROM chunk_term
        WHERE (SELECT scored = 'some' FROM reading)
          AND term_ids && (SELECT rare FROM question) AND {of_kinds} LIMIT {common}) AS of_word
),
met AS (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM walked, LATERAL (
        SELECT term_ids, weights FROM chunk_term
        WHERE chunk_term.chunk_id = walked.chunk_id OFFSET 0) AS of_chunk
    WHERE (SELECT scored = 'met' FROM reading) AND term_ids && (SELECT terms FROM question)
),
ranked AS (
    SELECT chunk_id, page_ref, -(weights <#> (SELECT weights FROM question)) AS score
    FROM chunk_term
    WHERE (SELECT scored = 'all' FROM reading)
      AND term_ids && (SELECT rare FROM question) AND {of_kinds}
    UNION ALL
    SELECT * FROM common
    UNION ALL
    SELECT * FROM met
),
picked AS MATERIALIZED (
    SELECT chunk_id, page_ref, score
    FROM (SELECT * FROM ranked ORDER BY score DESC OFFSET 0) AS chunk
    WHERE {may_show} LIMIT {leg}
),
-- And over those that have the phrases.
quoting AS MATERIALIZED (SELECT chunk_id, page_ref FROM phrased AS chunk WHERE {may_show}),
worded AS MATERIALIZED (
    SELECT chunk_id, page_ref, score FROM quoting, LATERAL (
        SELECT -(weights <#> (SELECT weights FROM question)) AS score FROM chunk_term
        WHERE chunk_term.chunk_id = quoting.chunk_id AND {of_kinds} OFFSET 0) AS of_chunk
    ORDER BY score DESC LIMIT {leg}
),
lexical AS (
    SELECT * FROM looked_up UNION ALL SELECT * FROM read UNION ALL SELECT * FROM picked
    UNION ALL SELECT * FROM worded
),
candidate AS MATERIALIZED (
    SELECT chunk_id, permitted.page_ref FROM permitted, LATERAL (
        SELECT chunk_id, bits FROM {bits} AS chunk_bits
        WHERE chunk_bits.page_ref = permitted.page_ref AND {of_kinds}
        OFFSET 0) AS of_page
    ORDER BY bits <~> (SELECT bits FROM asked)
    LIMIT {rerank}
),
scanned AS MATERIALIZED (
    SELECT chunk_id, page_ref, distance
    FROM (SELECT * FROM candidate UNION ALL SELECT * FROM quoting) AS near, LATERAL (
        SELECT embedding <#> (SELECT vector FROM asked) AS distance
        FROM {vectors} AS chunk_vector
        WHERE chunk_vector.chunk_id = near.chunk_id AND chunk_vector.page_ref = near.page_ref
          AND {of_kinds} OFFSET 0) AS of_chunk
    ORDER BY distance LIMIT {leg}
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
SELECT shown.total, shown.page_ref, passage.page_id, passage.title, passage.url,
       passage.space_key, passage.content_type, passage.version, passage.state, passage.author,
       passage.updated_at, shown.score AS page_score, best.chunk_id, passage.kind,
       passage.heading_path, passage.anchor, passage.item_url, passage.body, best.score,
       passage.attachment, (SELECT way FROM route) AS way
FROM shown JOIN best USING (page_ref)
CROSS JOIN LATERAL (
    SELECT * FROM shown_passage
    WHERE shown_passage.chunk_id = best.chunk_id AND shown_passage.page_ref = best.page_ref
    OFFSET 0) AS passage
WHERE best.rank <= %(passages)s
ORDER BY shown.score DESC, shown.page_ref, best.rank
"""


@dataclass(frozen=True, slots=True)
class SearchStatement:
    """The statement with numbered placeholders, and the name of the value for each.

    psycopg takes named ones apart anew in each call where a statement is this long.
    """

    text: bytes
    names: Sequence[str]

    async def run(self, cursor: AsyncRawCursor[Row], values: Mapping[str, object]) -> None:
        """Runs it with the values by name; prepared, since planning takes as long as running."""
        await cursor.execute(self.text, [values[name] for name in self.names], prepare=True)


def search_statement(
    model: EmbeddingModel,
    *,
    scan_limit: int = SCAN_LIMIT,
    reach: int = REACH,
    rerank: int = RERANK,
    walk: int = WALK,
    common: int = COMMON,
    everywhere: int = EVERYWHERE,
) -> SearchStatement:
    """The statement over the vectors of one model; without a graph they are scanned always.

    Parameters: `query` (text prepared by `searchable`), `configurations` (of the languages that
    the query may be in), `phrases` and `phrase_words` (by `phrase_values`), `vector` (HalfVector),
    `dense_share`, `limit`, `offset`, `passages`, and the filters `spaces` and `labels` (both in
    lower case), `content_types`, `kinds` (of chunks), `author`, `ancestor`, `updated_after`, each
    NULL for no limit.
    """
    passes = sql.SQL(_PASSES)
    composed = sql.SQL(_STATEMENT).format(
        question_terms=sql.SQL(QUESTION_TERMS),
        phrased=sql.SQL(PHRASED),
        passes=passes,
        may_show=sql.SQL(_MAY_SHOW).format(passes=passes),
        of_kinds=sql.SQL(_OF_KINDS),
        asked_chunks=sql.SQL(_ASKED_CHUNKS),
        vectors=model.vectors,
        bits=model.bits,
        dimension=sql.Literal(model.dimension),
        is_scanned=sql.Literal(not model.has_hnsw),
        scan_limit=sql.Literal(scan_limit),
        scan_share=sql.Literal(SCAN_SHARE),
        scan_power=sql.Literal(SCAN_POWER),
        leg=sql.Literal(LEG),
        rerank=sql.Literal(rerank),
        walk=sql.Literal(walk),
        reach=sql.Literal(reach),
        common=sql.Literal(common),
        everywhere=sql.Literal(everywhere),
        max_terms=sql.Literal(MAX_TERMS),
    )
    return _numbered(composed.as_bytes())


def _numbered(statement: bytes) -> SearchStatement:
    names = list(dict.fromkeys(name.decode() for name in _PLACEHOLDER.findall(statement)))
    numbers = {name: b"$%d" % number for number, name in enumerate(names, start=1)}
    text = _PLACEHOLDER.sub(lambda match: numbers[match[1].decode()], statement)
    return SearchStatement(text, names)
