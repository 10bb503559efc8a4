-- Words as people write them: with accents or without, mistyped, in compounds, quoted.

-- The word without the marks on Latin and Greek letters, and on the Cyrillic yo, which people leave
-- out. Elsewhere a mark makes another letter or another vowel.
CREATE FUNCTION folded(word text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN CASE WHEN octet_length(word) = length(word) THEN word ELSE
        normalize(replace(replace(replace(translate(
            regexp_replace(
                normalize(word, NFD), '([a-zA-Zα-ωΑ-Ω])[\u0300-\u036f]+|([еЕ])\u0308', '\1\2', 'g'),
            'øØłŁđĐħŧı', 'oOlLdDhti'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), NFC) END;

-- A word's number is that of its folded form: accents are forgiven after stemming, which knows them.
CREATE OR REPLACE FUNCTION term_id(configuration text, lexeme text) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (('x' || left(md5(configuration || ':' || folded(lexeme)), 8))::bit(32)::bigint
            % 1000000000 + 1)::int;

-- Which way of reading words the terms in the index were made with; see index/vocabulary.py.
CREATE TABLE lexicon (
    version int NOT NULL,
    rebuilding int,
    rebuilt_to bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN lexicon.version IS 'of which all terms are';
COMMENT ON COLUMN lexicon.rebuilding IS 'the version that they are being brought to, up to that page';
INSERT INTO lexicon (version) SELECT CASE WHEN EXISTS (SELECT FROM chunk) THEN 0 ELSE 1 END;

-- Words of letters as they stand in pages, hidden ones too, so none of them may ever be shown.
-- Without a unique key: writers never wait for each other. What two add at once stands there twice.
CREATE TABLE vocabulary (
    word text COLLATE "C" NOT NULL,
    folded text COLLATE "C" NOT NULL,
    configuration text NOT NULL,
    term_id int
);
COMMENT ON COLUMN vocabulary.term_id IS 'NULL for a stop word';
CREATE INDEX vocabulary_folded ON vocabulary (folded);
CREATE INDEX vocabulary_backwards ON vocabulary (reverse(folded));

-- Adds the words that are new, each as the text search configuration beside it reads it.
CREATE FUNCTION add_words(words text[], configurations text[]) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO vocabulary (word, folded, configuration, term_id)
    SELECT given.word, folded(given.word), given.configuration,
           term_id(given.configuration, stem.lexeme)
    FROM unnest(words, configurations) AS given (word, configuration)
         LEFT JOIN LATERAL (
             SELECT lexeme FROM unnest(to_tsvector(given.configuration::regconfig, given.word))
             LIMIT 1
         ) AS stem ON true
    WHERE NOT EXISTS (
        SELECT FROM vocabulary AS known
        WHERE known.folded = folded(given.word) COLLATE "C" AND known.word = given.word
          AND known.configuration = given.configuration);
END;

-- All that one typing error makes of a word: a letter too few, another one, one too many, or two
-- that changed places.
CREATE FUNCTION mistyped(word text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT ROWS 500
BEGIN ATOMIC
    WITH place AS (
        SELECT left(word, n) AS before, substr(word, n + 1) AS after
        FROM generate_series(0, length(word)) AS n
    ),
    letter AS (
        SELECT unnest(string_to_array(CASE
            WHEN word ~ '[а-я]' THEN 'абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ'
            WHEN word ~ '[α-ω]' THEN 'αβγδεζηθικλμνξοπρσςτυφχψω'
            WHEN word ~ '[a-z]' THEN 'abcdefghijklmnopqrstuvwxyz' END, NULL)) AS letter
    )
    SELECT before || substr(after, 2) FROM place WHERE after <> ''
    UNION SELECT before || substr(after, 2, 1) || left(after, 1) || substr(after, 3)
    FROM place WHERE length(after) > 1
    UNION SELECT before || letter || substr(after, 2) FROM place, letter WHERE after <> ''
    UNION SELECT before || letter || after FROM place, letter;
END;

-- Words with up to two errors in one half, where Postgres has the extension that counts errors.
CREATE FUNCTION far_words(asked text) RETURNS SETOF vocabulary
    LANGUAGE sql STABLE PARALLEL SAFE STRICT ROWS 10
BEGIN ATOMIC
    SELECT * FROM vocabulary WHERE false;
END;
DO $do$
BEGIN
    CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
    CREATE OR REPLACE FUNCTION far_words(asked text) RETURNS SETOF vocabulary
        LANGUAGE sql STABLE PARALLEL SAFE STRICT ROWS 10
    BEGIN ATOMIC
        SELECT * FROM (
            (SELECT * FROM vocabulary
             WHERE folded >= left(asked, length(asked) / 2)
               AND folded < left(asked, length(asked) / 2) || chr(1114111) LIMIT 5000)
            UNION ALL
            (SELECT * FROM vocabulary
             WHERE reverse(folded) >= left(reverse(asked), length(asked) / 2)
               AND reverse(folded) < left(reverse(asked), length(asked) / 2) || chr(1114111)
             LIMIT 5000)
        ) AS like_it
        WHERE length(folded) BETWEEN length(asked) - 2 AND length(asked) + 2
          AND levenshtein_less_equal(folded, asked, 2) <= 2;
    END;
EXCEPTION
    WHEN insufficient_privilege OR undefined_file OR undefined_function OR feature_not_supported
    THEN RAISE NOTICE 'two typing errors in one word are not forgiven: %', SQLERRM;
END $do$;

-- What may be meant by a folded word that stands nowhere, as terms: those with one error, or if there
-- are none and the word is long, with two; of them the three that stand in most chunks.
CREATE FUNCTION near_words(asked text) RETURNS TABLE (term_id int, edits int)
    LANGUAGE plpgsql STABLE PARALLEL SAFE STRICT ROWS 3 AS $$
BEGIN
    RETURN QUERY
        SELECT near.term_id, 1 FROM (
            SELECT DISTINCT vocabulary.term_id
            FROM mistyped(asked) AS form JOIN vocabulary ON folded = form COLLATE "C"
        ) AS near JOIN term USING (term_id)
        WHERE chunk_count > 0 ORDER BY chunk_count DESC, near.term_id LIMIT 3;
    IF NOT FOUND AND length(asked) >= 8 THEN
        RETURN QUERY
            SELECT near.term_id, 2
            FROM (SELECT DISTINCT far.term_id FROM far_words(asked) AS far) AS near
            JOIN term USING (term_id)
            WHERE chunk_count > 0 ORDER BY chunk_count DESC, near.term_id LIMIT 3;
    END IF;
END $$;

-- A text as it is read aloud: ` word word word `, without case, accents, signs and the targets of
-- links. Han and kana are each a word. What stands in a text word for word is a part of this.
CREATE FUNCTION spoken(text text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN ' ' || btrim(CASE WHEN octet_length(text) = length(text) THEN
        regexp_replace(
            lower(regexp_replace(text, '\]\([^)\s]*\)', ' ', 'g')), '[^a-z0-9]+', ' ', 'g')
    ELSE
        regexp_replace(regexp_replace(
            folded(lower(normalize(regexp_replace(text, '\]\([^)\s]*\)', ' ', 'g'), NFKC))),
            '([\u0e00-\u0e7f\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff'
            '\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f])', ' \1 ', 'g'),
            '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u055a-\u055f\u0589'
            '\u05be\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f'
            '\u20a0-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u303d\u30a0\u30fb'
            '\ufe0f\U0001f000-\U0001faff]+', ' ', 'g')
    END) || ' ';

-- What the role that answers questions may read, besides the vectors of each model: added to by
-- whatever makes more of it.
CREATE TABLE readable (
    name text PRIMARY KEY
);
INSERT INTO readable VALUES
    ('schema_migration'), ('shown_page'), ('shown_chunk'), ('shown_comment'), ('shown_attachment'),
    ('open_space'), ('common_language'), ('account'), ('api_key'), ('embedding_model'),
    ('search_configuration'), ('term'), ('chunk_term'), ('vocabulary');

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
          AND (relname IN (SELECT name FROM readable)
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
