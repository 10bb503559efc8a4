"""The words of a question as terms of the index: the first part of the search statement."""

from typing import LiteralString

# Gives `question_term` (term_id, factor), each term once: the factor says how much of the weight of
# a term counts. `configuration` (name, label) are those that the index was analysed with.
#
# Tables are looked into by LATERAL and OFFSET 0: how many words a question has is a guess to the
# planner, and a wrong one would have it read the whole vocabulary.
QUESTION_TERMS: LiteralString = """
configuration AS MATERIALIZED (
    SELECT name::regconfig AS name, name AS label FROM search_configuration
),
-- Stop words of the question's own language say nothing in the other languages either.
word AS MATERIALIZED (
    SELECT lexeme, folded(lexeme) COLLATE "C" AS folded, positions[1] AS place
    FROM unnest(to_tsvector('simple', %(query)s)) AS token
    WHERE EXISTS (
        SELECT FROM unnest(%(configurations)s::text[]) AS name
        WHERE to_tsvector(name::regconfig, token.lexeme) <> ''::tsvector)
),
word_term AS MATERIALIZED (
    SELECT word.lexeme, term_id(label, stem.lexeme) AS term_id
    FROM word, configuration, unnest(to_tsvector(name, word.lexeme)) AS stem
),
-- Words as people write them are looked for in other forms: of letters alone, the first ones.
plain_word AS MATERIALIZED (
    SELECT lexeme, folded, place FROM word
    WHERE length(lexeme) BETWEEN 3 AND 40 AND lexeme !~ '[\\u0001-\\u0060\\u007b-\\u007f]'
    ORDER BY place LIMIT 32
),
-- Accents that a stemmer misses: it knows `configuración`, but not `configuracion`.
accented AS MATERIALIZED (
    SELECT term_id FROM plain_word, LATERAL (
        SELECT term_id FROM vocabulary
        WHERE vocabulary.folded = plain_word.folded AND term_id IS NOT NULL LIMIT 20) AS form
),
-- Words that stand nowhere in what the asker is shown, for whether they stand in what is hidden
-- must not show in an answer; but a word in very many chunks is taken to be shown. Of fewer than
-- five letters every word is near some other: forgiving those costs more than it finds.
unknown AS MATERIALIZED (
    SELECT folded FROM (
        SELECT folded, place, array_agg(term_id) AS terms
        FROM plain_word JOIN word_term USING (lexeme)
        WHERE length(folded) >= 5 GROUP BY folded, place
    ) AS asked
    -- In this order, for only few chunks may be looked at.
    WHERE CASE
        WHEN coalesce((SELECT max(chunk_count) FROM term WHERE term_id = ANY(terms)), 0) > 2000
        THEN false
        ELSE (SELECT true FROM (
                  SELECT page_ref FROM chunk_term WHERE term_ids && terms LIMIT 1000
              ) AS having_it CROSS JOIN LATERAL (
                  SELECT FROM shown_page WHERE shown_page.page_ref = having_it.page_ref OFFSET 0
              ) AS page LIMIT 1) IS NULL
        END
    ORDER BY place LIMIT 5
),
near AS MATERIALIZED (
    SELECT term_id, CASE edits WHEN 1 THEN 0.8 ELSE 0.4 END AS factor
    FROM unknown, near_words(folded)
),
-- Words of languages that write compounds as one word.
compound_word AS MATERIALIZED (
    SELECT label, folded, folded(stem.lexeme) AS stem
    FROM (SELECT * FROM plain_word WHERE length(folded) >= 4 ORDER BY place LIMIT 10) AS few,
         configuration, unnest(to_tsvector(name, few.lexeme)) AS stem
    WHERE label = ANY(%(configurations)s::text[]) AND label IN (
        'danish', 'dutch', 'finnish', 'german', 'hungarian', 'norwegian', 'swedish')
),
link AS MATERIALIZED (
    SELECT unnest(ARRAY['', 'e', 'en', 'er', 'es', 'n', 's']) AS link
),
-- `Datensicherung` also finds `Sicherung der Daten`: cut where both parts are frequent words.
part AS MATERIALIZED (
    SELECT DISTINCT ON (label, cut.folded) head.term_id AS head, tail.term_id AS tail
    FROM (
        SELECT label, folded, left(folded, n) AS head, substr(folded, n + 1 + length(link)) AS tail
        FROM compound_word, generate_series(3, length(folded) - 3) AS n, link
        WHERE substr(folded, n + 1, length(link)) = link
    ) AS cut
    CROSS JOIN LATERAL (
        SELECT term_id, chunk_count FROM (
            SELECT DISTINCT term_id FROM vocabulary
            WHERE vocabulary.folded = cut.head AND configuration = label LIMIT 5) AS form
        JOIN term USING (term_id) WHERE chunk_count > 0 OFFSET 0) AS head
    CROSS JOIN LATERAL (
        SELECT term_id, chunk_count FROM (
            SELECT DISTINCT term_id FROM vocabulary
            WHERE vocabulary.folded = cut.tail AND configuration = label LIMIT 5) AS form
        JOIN term USING (term_id) WHERE chunk_count > 0 OFFSET 0) AS tail
    WHERE length(cut.tail) >= 3
    ORDER BY label, cut.folded, least(head.chunk_count, tail.chunk_count) DESC, head, tail
),
-- `Frist Kündigung` also finds `Kündigungsfrist`.
compound AS MATERIALIZED (
    SELECT form.term_id FROM (
        SELECT head.label, head.folded || link || tail.stem COLLATE "C" AS start
        FROM compound_word AS head JOIN compound_word AS tail USING (label), link
        WHERE head.folded <> tail.folded
    ) AS made CROSS JOIN LATERAL (
        SELECT term_id FROM vocabulary
        WHERE folded >= start AND folded < start || chr(1114111)
          AND configuration = label AND length(folded) <= length(start) + 4 LIMIT 5) AS form
),
question_term AS MATERIALIZED (
    SELECT term_id, max(factor)::float8 AS factor FROM (
        SELECT term_id, 1.0 AS factor FROM word_term
        UNION ALL SELECT term_id, 1.0 FROM accented
        UNION ALL SELECT term_id, factor FROM near
        UNION ALL SELECT unnest(ARRAY[head, tail]), 0.5 FROM part
        UNION ALL SELECT term_id, 0.8 FROM compound
    ) AS found WHERE term_id IS NOT NULL GROUP BY term_id
),
"""
