--
-- PostgreSQL database dump
--


-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: fuzzystrmatch; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA public;


--
-- Name: vector; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;


--
-- Name: procrastinate_job_event_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);


--
-- Name: procrastinate_job_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);


--
-- Name: procrastinate_job_to_defer_v1; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);


--
-- Name: folded(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.folded(word text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN (octet_length(word) = length(word)) THEN word ELSE NORMALIZE(replace(replace(replace(translate(regexp_replace(NORMALIZE(word, NFD), '([a-zA-Zα-ωΑ-Ω])[\u0300-\u036f]+|([еЕ])\u0308'::text, '\1\2'::text, 'g'::text), 'øØłŁđĐħŧı'::text, 'oOlLdDhti'::text), 'ß'::text, 'ss'::text), 'æ'::text, 'ae'::text), 'œ'::text, 'oe'::text), NFC) END;


--
-- Name: term_id(text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.term_id(configuration text, lexeme text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (((((('x'::text || "left"(md5(((configuration || ':'::text) || public.folded(lexeme))), 8)))::bit(32))::bigint % (1000000000)::bigint) + 1))::integer;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: vocabulary; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.vocabulary (
    word text NOT NULL COLLATE pg_catalog."C",
    folded text NOT NULL COLLATE pg_catalog."C",
    configuration text NOT NULL,
    term_id integer
);


--
-- Name: add_words(text[], text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.add_words(words text[], configurations text[]) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO public.vocabulary (word, folded, configuration, term_id)  SELECT given.word,
             public.folded(given.word) AS folded,
             given.configuration,
             public.term_id(given.configuration, stem.lexeme) AS term_id
            FROM (UNNEST(add_words.words, add_words.configurations) given(word, configuration)
              LEFT JOIN LATERAL ( SELECT unnest.lexeme
                    FROM unnest(to_tsvector((given.configuration)::regconfig, given.word)) unnest(lexeme, positions, weights)
                  LIMIT 1) stem ON (true))
           WHERE (NOT (EXISTS ( SELECT
                    FROM public.vocabulary known
                   WHERE ((known.folded = (public.folded(given.word) COLLATE "C")) AND (known.word = given.word) AND (known.configuration = given.configuration)))));
END;


--
-- Name: asking_accounts(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.asking_accounts() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (COALESCE(current_setting('confluence_mcp.asker'::text, true), ''::text) = ANY (ARRAY[''::text, 'everything'::text])) THEN NULL::integer[] ELSE (current_setting('confluence_mcp.asker'::text, true))::integer[] END;


--
-- Name: asks_for_everything(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.asks_for_everything() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE(current_setting('confluence_mcp.asker'::text, true), ''::text) = 'everything'::text);


--
-- Name: create_vector_tables(integer, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.create_vector_tables(model integer, dimension integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
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
            kind "char" NOT NULL DEFAULT ''b'',
            bits bit(%s) NOT NULL
        ) WITH (autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_insert_scale_factor = 0.02)',
        'chunk_bits_' || model, dimension);
    EXECUTE format(
        'CREATE INDEX %I ON %I (page_ref) INCLUDE (chunk_id, kind, bits)',
        'chunk_bits_page_' || model, 'chunk_bits_' || model);
    PERFORM grant_to_reader();
END $$;


--
-- Name: drop_vector_tables(integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.drop_vector_tables(model integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('DROP TABLE %I, %I', 'chunk_vector_' || model, 'chunk_bits_' || model);
END $$;


--
-- Name: far_words(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.far_words(asked text) RETURNS SETOF public.vocabulary
    LANGUAGE sql STABLE STRICT ROWS 10 PARALLEL SAFE
    BEGIN ATOMIC
 SELECT like_it.word,
     like_it.folded,
     like_it.configuration,
     like_it.term_id
    FROM (( SELECT vocabulary.word,
             vocabulary.folded,
             vocabulary.configuration,
             vocabulary.term_id
            FROM public.vocabulary
           WHERE ((vocabulary.folded >= "left"(far_words.asked, (length(far_words.asked) / 2))) AND (vocabulary.folded < ("left"(far_words.asked, (length(far_words.asked) / 2)) || chr(1114111))))
          LIMIT 5000)
         UNION ALL
         ( SELECT vocabulary.word,
             vocabulary.folded,
             vocabulary.configuration,
             vocabulary.term_id
            FROM public.vocabulary
           WHERE ((reverse(vocabulary.folded) >= "left"(reverse(far_words.asked), (length(far_words.asked) / 2))) AND (reverse(vocabulary.folded) < ("left"(reverse(far_words.asked), (length(far_words.asked) / 2)) || chr(1114111))))
          LIMIT 5000)) like_it
   WHERE (((length(like_it.folded) >= (length(far_words.asked) - 2)) AND (length(like_it.folded) <= (length(far_words.asked) + 2))) AND (public.levenshtein_less_equal(like_it.folded, far_words.asked, 2) <= 2));
END;


--
-- Name: grant_to_reader(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.grant_to_reader() RETURNS void
    LANGUAGE plpgsql
    AS $_$
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
END $_$;


--
-- Name: intern_audience(integer[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.intern_audience(guards integer[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    wanted int[] := (SELECT array_agg(DISTINCT id ORDER BY id) FROM unnest(guards) AS id);
    found int;
BEGIN
    IF wanted IS NULL THEN
        RETURN NULL;
    ELSIF cardinality(wanted) > 500 THEN
        wanted := ARRAY[0];
    END IF;
    SELECT id INTO found FROM audience WHERE guard_ids = wanted;
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;
    INSERT INTO audience (guard_ids) VALUES (wanted)
        ON CONFLICT DO NOTHING RETURNING id INTO found;
    IF found IS NULL THEN  -- another writer was first
        SELECT id INTO found FROM audience WHERE guard_ids = wanted;
    ELSE
        INSERT INTO audience_guard (guard_id, audience_id) SELECT unnest(wanted), found;
    END IF;
    RETURN found;
END $$;


--
-- Name: is_fresh(timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.is_fresh(checked_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((checked_at > (now() - (COALESCE(NULLIF(current_setting('confluence_mcp.access_max_age'::text, true), ''::text), '3 days'::text))::interval)), false);


--
-- Name: may_be_reader(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.may_be_reader() RETURNS boolean
    LANGUAGE sql STABLE
    RETURN COALESCE((SELECT pg_has_role(pg_roles.oid, CASE WHEN ((current_setting('server_version_num'::text))::integer >= 160000) THEN 'SET'::text ELSE 'MEMBER'::text END) AS pg_has_role FROM pg_roles WHERE (pg_roles.rolname = 'confluence_mcp_reader'::name)), false);


--
-- Name: mistyped(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.mistyped(word text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE STRICT ROWS 500 PARALLEL SAFE
    BEGIN ATOMIC
 WITH place AS (
          SELECT "left"(mistyped.word, n.n) AS before,
             substr(mistyped.word, (n.n + 1)) AS after
            FROM generate_series(0, length(mistyped.word)) n(n)
         ), letter AS (
          SELECT unnest(string_to_array(
                 CASE
                     WHEN (mistyped.word ~ '[а-я]'::text) THEN 'абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ'::text
                     WHEN (mistyped.word ~ '[α-ω]'::text) THEN 'αβγδεζηθικλμνξοπρσςτυφχψω'::text
                     WHEN (mistyped.word ~ '[a-z]'::text) THEN 'abcdefghijklmnopqrstuvwxyz'::text
                     ELSE NULL::text
                 END, NULL::text)) AS letter
         )
  SELECT (place.before || substr(place.after, 2))
    FROM place
   WHERE (place.after <> ''::text)
 UNION
  SELECT (((place.before || substr(place.after, 2, 1)) || "left"(place.after, 1)) || substr(place.after, 3))
    FROM place
   WHERE (length(place.after) > 1)
 UNION
  SELECT ((place.before || letter.letter) || substr(place.after, 2))
    FROM place,
     letter
   WHERE (place.after <> ''::text)
 UNION
  SELECT ((place.before || letter.letter) || place.after)
    FROM place,
     letter;
END;


--
-- Name: near_words(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.near_words(asked text) RETURNS TABLE(term_id integer, edits integer)
    LANGUAGE plpgsql STABLE STRICT ROWS 3 PARALLEL SAFE
    AS $$
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


--
-- Name: node_audience(integer, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.node_audience(site integer, node text) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    guards int[];
    is_known boolean;
BEGIN
    WITH RECURSIVE way AS (
        SELECT step.node_id, step.parent_id, step.restricted, ARRAY[step.node_id] AS path
        FROM node AS step WHERE step.site_id = node_audience.site AND step.node_id = node_audience.node
        UNION ALL
        SELECT above.node_id, above.parent_id, above.restricted, path || above.node_id
        FROM way CROSS JOIN LATERAL (
            SELECT step.node_id, step.parent_id, step.restricted FROM node AS step
            WHERE step.site_id = node_audience.site AND step.node_id = way.parent_id
              AND step.content_type NOT IN ('comment', 'attachment')
            LIMIT 1
        ) AS above
        WHERE above.node_id <> ALL(path)
    )
    SELECT array_agg(coalesce(guard.id, 0)) FILTER (WHERE restricted),
           coalesce(bool_and(restricted IS NOT NULL) AND bool_or(parent_id IS NULL), false)
    INTO guards, is_known
    FROM way LEFT JOIN guard ON guard.site_id = node_audience.site AND guard.kind = 'node'
         AND guard.external_id = way.node_id AND way.restricted;
    RETURN intern_audience(CASE WHEN is_known THEN guards ELSE ARRAY[0] END);
END $$;


--
-- Name: open_audiences(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.open_audiences() RETURNS SETOF integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    asker text := asking_accounts()::text || ' ';
    kept text := coalesce(current_setting('confluence_mcp.open_audiences', true), '');
    found int[];
BEGIN
    IF asks_for_everything() THEN
        RETURN QUERY SELECT id FROM audience;
    ELSIF starts_with(kept, asker) THEN
        RETURN QUERY SELECT unnest(substr(kept, length(asker) + 1)::int[]);
    ELSIF asker IS NOT NULL THEN
        found := ARRAY(
            SELECT audience.id FROM audience JOIN (
                SELECT audience_id, count(*) AS open FROM audience_guard
                WHERE guard_id IN (SELECT guard_id FROM open_guard WHERE kind = 'node')
                GROUP BY audience_id
            ) AS passed ON passed.audience_id = audience.id
                       AND passed.open = cardinality(audience.guard_ids));
        PERFORM set_config('confluence_mcp.open_audiences', asker || found::text, true);
        RETURN QUERY SELECT unnest(found);
    END IF;
END $$;


--
-- Name: open_spaces(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.open_spaces() RETURNS SETOF integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 PARALLEL RESTRICTED
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    asker text := asking_accounts()::text || ' ';
    kept text := coalesce(current_setting('confluence_mcp.open_spaces', true), '');
    found int[];
BEGIN
    IF asks_for_everything() THEN
        RETURN QUERY SELECT id FROM space;
    ELSIF starts_with(kept, asker) THEN
        RETURN QUERY SELECT unnest(substr(kept, length(asker) + 1)::int[]);
    ELSIF asker IS NOT NULL THEN
        found := ARRAY(
            SELECT space.id FROM space
            JOIN open_guard AS of_site ON of_site.kind = 'site' AND of_site.site_id = space.site_id
            JOIN open_guard AS of_space ON of_space.kind = 'space'
                 AND of_space.site_id = space.site_id AND of_space.external_id = space.key
            WHERE is_fresh(restrictions_at));
        PERFORM set_config('confluence_mcp.open_spaces', asker || found::text, true);
        RETURN QUERY SELECT unnest(found);
    END IF;
END $$;


--
-- Name: procrastinate_cancel_job_v1(bigint, boolean, boolean); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;


--
-- Name: procrastinate_defer_jobs_v1(public.procrastinate_job_to_defer_v1[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;


--
-- Name: procrastinate_defer_periodic_job_v2(character varying, character varying, character varying, character varying, integer, character varying, bigint, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;


--
-- Name: procrastinate_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);


--
-- Name: procrastinate_fetch_job_v2(character varying[], bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;


--
-- Name: procrastinate_finish_job_v1(bigint, public.procrastinate_job_status, boolean); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_notify_queue_abort_job_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_notify_queue_job_inserted_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_prune_stalled_workers_v1(double precision); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_register_worker_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_retry_job_v1(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_retry_job_v2(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;


--
-- Name: procrastinate_trigger_abort_requested_events_procedure_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_scheduled_events_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_insert_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_update_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_unlink_periodic_defers_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;


--
-- Name: procrastinate_unregister_worker_v1(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;


--
-- Name: procrastinate_update_heartbeat_v1(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;


--
-- Name: spoken(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.spoken(text text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ((' '::text || btrim(CASE WHEN (octet_length(text) = length(text)) THEN regexp_replace(lower(regexp_replace(text, '\]\([^)\s]*\)'::text, ' '::text, 'g'::text)), '[^a-z0-9]+'::text, ' '::text, 'g'::text) ELSE regexp_replace(regexp_replace(public.folded(lower(NORMALIZE(regexp_replace(text, '\]\([^)\s]*\)'::text, ' '::text, 'g'::text), NFKC))), '([\u0e00-\u0e7f\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f])'::text, ' \1 '::text, 'g'::text), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u05be\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f\u20a0-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u303d\u30a0\u30fb\ufe0f\U0001f000-\U0001faff]+'::text, ' '::text, 'g'::text) END)) || ' '::text);


--
-- Name: account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account (
    id integer NOT NULL,
    site_id integer NOT NULL,
    account_id text NOT NULL,
    username text,
    email text,
    is_active boolean NOT NULL,
    classes text[] NOT NULL,
    checked_at timestamp with time zone NOT NULL
);


--
-- Name: account_group; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account_group (
    site_id integer NOT NULL,
    group_id text NOT NULL,
    checked_at timestamp with time zone
);


--
-- Name: account_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: api_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_key (
    id integer NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    account text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);


--
-- Name: api_key_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.api_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: asking_account; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.asking_account AS
 SELECT id,
    site_id,
    account_id,
    classes
   FROM public.account
  WHERE ((id = ANY (public.asking_accounts())) AND is_active AND public.is_fresh(checked_at));


--
-- Name: membership; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.membership (
    site_id integer NOT NULL,
    group_id text NOT NULL,
    account_id text NOT NULL
);


--
-- Name: site; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.site (
    id integer NOT NULL,
    url text NOT NULL,
    account_id text,
    listed_at timestamp with time zone,
    swept_at timestamp with time zone,
    swept_items_at timestamp with time zone,
    items_run bigint DEFAULT 0 NOT NULL,
    has_comments boolean DEFAULT true NOT NULL
);


--
-- Name: asking_principal; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.asking_principal AS
 SELECT asking_account.site_id,
    ('user:'::text || asking_account.account_id) AS principal
   FROM public.asking_account
UNION ALL
 SELECT asking_account.site_id,
    ('group:'::text || membership.group_id) AS principal
   FROM ((public.asking_account
     JOIN public.membership USING (site_id, account_id))
     JOIN public.account_group USING (site_id, group_id))
  WHERE public.is_fresh(account_group.checked_at)
UNION ALL
 SELECT asking_account.site_id,
    ('class:'::text || class.class) AS principal
   FROM public.asking_account,
    LATERAL unnest(asking_account.classes) class(class)
UNION ALL
 SELECT site.id AS site_id,
    'class:everybody'::text AS principal
   FROM public.site
  WHERE (public.asking_accounts() IS NOT NULL);


--
-- Name: attachment; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attachment (
    page_ref bigint NOT NULL,
    attachment_id text NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    version integer NOT NULL,
    url text NOT NULL,
    markdown text NOT NULL,
    unreadable text,
    recipe integer NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05');


--
-- Name: audience; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audience (
    id integer NOT NULL,
    guard_ids integer[] NOT NULL
);


--
-- Name: audience_guard; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audience_guard (
    guard_id integer NOT NULL,
    audience_id integer NOT NULL
);


--
-- Name: audience_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.audience ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audience_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: chunk; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chunk (
    chunk_id bigint NOT NULL,
    page_ref bigint NOT NULL,
    kind text DEFAULT 'body'::text NOT NULL,
    item_id text DEFAULT ''::text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    "position" integer NOT NULL,
    heading_path text[] NOT NULL,
    anchor text NOT NULL,
    body text NOT NULL,
    text_hash bytea NOT NULL,
    CONSTRAINT chunk_kind_check CHECK ((kind = ANY (ARRAY['body'::text, 'comment'::text, 'attachment'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05');


--
-- Name: chunk_bits_1; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chunk_bits_1 (
    chunk_id bigint NOT NULL,
    page_ref bigint NOT NULL,
    kind "char" DEFAULT 'b'::"char" NOT NULL,
    bits bit(16) NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.02');


--
-- Name: chunk_chunk_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.chunk ALTER COLUMN chunk_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chunk_chunk_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: chunk_term; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chunk_term (
    chunk_id bigint NOT NULL,
    page_ref bigint NOT NULL,
    kind "char" DEFAULT 'b'::"char" NOT NULL,
    term_ids integer[] NOT NULL,
    weights public.sparsevec(1000000000) NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.02');


--
-- Name: chunk_vector_1; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chunk_vector_1 (
    chunk_id bigint NOT NULL,
    page_ref bigint NOT NULL,
    kind "char" DEFAULT 'b'::"char" NOT NULL,
    embedding public.halfvec(16) NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_cost_limit='2000');
ALTER TABLE ONLY public.chunk_vector_1 ALTER COLUMN embedding SET STORAGE PLAIN;


--
-- Name: comment; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.comment (
    page_ref bigint NOT NULL,
    comment_id text NOT NULL,
    parent_id text,
    selection text,
    resolution text,
    author text,
    created_at timestamp with time zone,
    version integer NOT NULL,
    url text NOT NULL,
    markdown text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05');


--
-- Name: page; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.page (
    page_ref bigint NOT NULL,
    site_id integer NOT NULL,
    space_id integer NOT NULL,
    page_id text NOT NULL,
    content_type text NOT NULL,
    state text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    version integer NOT NULL,
    ancestors text[] NOT NULL,
    "position" integer,
    labels text[] NOT NULL,
    author text,
    created_at timestamp with time zone,
    updated_at timestamp with time zone NOT NULL,
    language text NOT NULL,
    markdown text NOT NULL,
    outline jsonb NOT NULL,
    unreadable jsonb NOT NULL,
    chunk_count integer NOT NULL,
    comment_chunks integer DEFAULT 0 NOT NULL,
    attachment_chunks integer DEFAULT 0 NOT NULL,
    recipe integer NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    hidden_at timestamp with time zone,
    comment_stamp text DEFAULT ''::text NOT NULL,
    audience_id integer,
    CONSTRAINT page_content_type_check CHECK ((content_type = ANY (ARRAY['page'::text, 'blogpost'::text, 'folder'::text, 'whiteboard'::text, 'database'::text, 'embed'::text]))),
    CONSTRAINT page_state_check CHECK ((state = ANY (ARRAY['live'::text, 'archived'::text, 'tombstoned'::text])))
)
WITH (fillfactor='90', toast_tuple_target='512', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');


--
-- Name: common_language; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.common_language AS
 SELECT language
   FROM public.page
  WHERE (language <> ''::text)
  GROUP BY language
 HAVING ((100 * count(*)) >= ( SELECT count(*) AS count
           FROM public.page page_1));


--
-- Name: embedding_model; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.embedding_model (
    id integer NOT NULL,
    name text NOT NULL,
    dimension integer NOT NULL,
    active boolean DEFAULT true NOT NULL,
    has_hnsw boolean DEFAULT false NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT embedding_model_check CHECK (((NOT active) OR (retired_at IS NULL))),
    CONSTRAINT embedding_model_dimension_check CHECK (((dimension >= 1) AND (dimension <= 4000)))
);


--
-- Name: embedding_model_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.embedding_model ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.embedding_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: fresh_index; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fresh_index (
    name text NOT NULL,
    bytes bigint NOT NULL,
    row_count bigint NOT NULL,
    built_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: guard; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.guard (
    id integer NOT NULL,
    site_id integer,
    kind text NOT NULL,
    external_id text DEFAULT ''::text NOT NULL,
    checked_at timestamp with time zone,
    CONSTRAINT guard_kind_check CHECK ((kind = ANY (ARRAY['nobody'::text, 'site'::text, 'space'::text, 'node'::text])))
);


--
-- Name: guard_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.guard ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.guard_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: guard_principal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.guard_principal (
    principal text NOT NULL,
    guard_id integer NOT NULL
);


--
-- Name: lexicon; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lexicon (
    version integer NOT NULL,
    rebuilding integer,
    rebuilt_to bigint DEFAULT 0 NOT NULL
);


--
-- Name: node; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.node (
    site_id integer NOT NULL,
    node_id text NOT NULL,
    space_id integer NOT NULL,
    content_type text NOT NULL,
    parent_id text,
    title text NOT NULL,
    url text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    "position" integer,
    labels text[],
    media_type text,
    size bigint,
    first_run bigint NOT NULL,
    seen_run bigint NOT NULL,
    restricted boolean,
    restrictions_run bigint DEFAULT 0 NOT NULL,
    CONSTRAINT node_content_type_check CHECK ((content_type = ANY (ARRAY['page'::text, 'blogpost'::text, 'folder'::text, 'whiteboard'::text, 'database'::text, 'embed'::text, 'comment'::text, 'attachment'::text]))),
    CONSTRAINT node_state_check CHECK ((state = ANY (ARRAY['live'::text, 'archived'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.1', autovacuum_vacuum_cost_limit='1000');


--
-- Name: open_guard; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.open_guard AS
 SELECT DISTINCT guard.id AS guard_id,
    guard.site_id,
    guard.kind,
    guard.external_id
   FROM ((public.asking_principal
     JOIN public.guard_principal USING (principal))
     JOIN public.guard ON (((guard.id = guard_principal.guard_id) AND (guard.site_id = asking_principal.site_id))))
  WHERE public.is_fresh(guard.checked_at);


--
-- Name: space; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.space (
    id integer NOT NULL,
    site_id integer NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    swept_at timestamp with time zone,
    embedded_tokens bigint DEFAULT 0 NOT NULL,
    restrictions_at timestamp with time zone
);


--
-- Name: open_space; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.open_space AS
 SELECT id AS space_id,
    site_id,
    key,
    name,
    url
   FROM public.space
  WHERE (id IN ( SELECT public.open_spaces() AS open_spaces));


--
-- Name: page_failure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.page_failure (
    site_id integer NOT NULL,
    page_id text NOT NULL,
    space_id integer NOT NULL,
    title text NOT NULL,
    error text NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    failed_at timestamp with time zone DEFAULT now() NOT NULL,
    retry_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: page_hint; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.page_hint (
    page_id text NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: page_page_ref_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.page ALTER COLUMN page_ref ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.page_page_ref_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: procrastinate_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;


--
-- Name: procrastinate_periodic_defers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;


--
-- Name: procrastinate_workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: queue_schema; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.queue_schema (
    version text NOT NULL
);


--
-- Name: readable; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.readable (
    name text NOT NULL
);


--
-- Name: request_budget; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.request_budget (
    site_url text NOT NULL,
    allowed integer NOT NULL,
    answers integer DEFAULT 0 NOT NULL,
    paused_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    slowed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL
);


--
-- Name: request_slot; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.request_slot (
    holder uuid NOT NULL,
    site_url text NOT NULL,
    leased_until timestamp with time zone NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');


--
-- Name: sampled_page; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.sampled_page AS
 SELECT page_ref,
    chunk_count,
    comment_chunks,
    attachment_chunks
   FROM public.page
  WHERE (state <> 'tombstoned'::text)
  ORDER BY (hashint8(page_ref))
 LIMIT 400;


--
-- Name: schema_migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migration (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: search_configuration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.search_configuration (
    name text NOT NULL
);


--
-- Name: shown_page; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.shown_page AS
 SELECT page_ref,
    site_id,
    space_id,
    page_id,
    content_type,
    state,
    title,
    url,
    version,
    ancestors,
    "position",
    labels,
    author,
    created_at,
    updated_at,
    language,
    markdown,
    outline,
    unreadable,
    chunk_count,
    comment_chunks,
    attachment_chunks,
    recipe,
    stored_at,
    hidden_at,
    comment_stamp,
    audience_id
   FROM public.page
  WHERE ((state <> 'tombstoned'::text) AND (public.asks_for_everything() OR (((space_id IN ( SELECT public.open_spaces() AS open_spaces)) IS TRUE) AND ((audience_id IS NULL) OR (audience_id IN ( SELECT public.open_audiences() AS open_audiences))))));


--
-- Name: shown_attachment; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.shown_attachment AS
 SELECT attachment.page_ref,
    attachment.attachment_id,
    attachment.filename,
    attachment.media_type,
    attachment.size,
    attachment.version,
    attachment.url,
    attachment.markdown,
    attachment.unreadable,
    attachment.recipe
   FROM (public.attachment
     JOIN public.shown_page USING (page_ref));


--
-- Name: shown_chunk; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.shown_chunk AS
 SELECT chunk.chunk_id,
    chunk.page_ref,
    chunk.kind,
    chunk.item_id,
    chunk.url,
    chunk."position",
    chunk.heading_path,
    chunk.anchor,
    chunk.body,
    chunk.text_hash
   FROM (public.chunk
     JOIN public.shown_page USING (page_ref));


--
-- Name: shown_comment; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.shown_comment AS
 SELECT comment.page_ref,
    comment.comment_id,
    comment.parent_id,
    comment.selection,
    comment.resolution,
    comment.author,
    comment.created_at,
    comment.version,
    comment.url,
    comment.markdown
   FROM (public.comment
     JOIN public.shown_page USING (page_ref));


--
-- Name: shown_passage; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.shown_passage AS
 SELECT chunk.chunk_id,
    chunk.page_ref,
    page.page_id,
    page.title,
    page.url,
    space.key AS space_key,
    page.content_type,
    page.version,
    page.state,
    page.author,
    page.updated_at,
    chunk.kind,
    chunk.heading_path,
    chunk.anchor,
    chunk.url AS item_url,
    chunk.body,
    ( SELECT attachment.filename
           FROM public.attachment
          WHERE ((attachment.page_ref = chunk.page_ref) AND (attachment.attachment_id = chunk.item_id) AND (chunk.kind = 'attachment'::text))) AS attachment
   FROM ((public.chunk
     JOIN public.shown_page page USING (page_ref))
     JOIN public.space ON ((space.id = page.space_id)));


--
-- Name: site_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.site ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.site_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: space_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.space ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.space_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: sync_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sync_run (
    id bigint NOT NULL,
    site_id integer NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    succeeded boolean,
    report jsonb
);


--
-- Name: sync_run_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.sync_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: term; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.term (
    term_id integer NOT NULL,
    chunk_count integer NOT NULL
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');


--
-- Name: term_change; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.term_change (
    id bigint NOT NULL,
    term_ids integer[] NOT NULL,
    delta integer NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.2');


--
-- Name: term_change_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.term_change ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.term_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: procrastinate_events id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);


--
-- Name: procrastinate_jobs id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);


--
-- Name: procrastinate_periodic_defers id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);


--
-- Data for Name: account; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.account OVERRIDING SYSTEM VALUE VALUES
	(1, 1, 'acc-ada', 'ada', 'ada@example.com', true, '{all-licensed-users,authenticated-users}', '2026-11-23 03:09:23.667426+00'),
	(2, 1, 'acc-bob', 'bob', 'bob@example.com', true, '{all-licensed-users,authenticated-users}', '2026-11-23 03:09:23.667426+00'),
	(3, 1, 'acc-gus', 'gus', 'gus@example.com', true, '{authenticated-users}', '2026-11-23 03:09:23.667426+00'),
	(4, 1, 'acc-old', 'old', 'old@example.com', false, '{all-licensed-users,authenticated-users}', '2026-11-23 03:09:23.667426+00');


--
-- Data for Name: account_group; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.account_group VALUES
	(1, 'engineers', '2026-11-23 03:09:23.630668+00');


--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_key OVERRIDING SYSTEM VALUE VALUES
	(1, 'bot', '\x1bc2f4794810182a02fc25ac82b4a0d5f9838a01765a0fd1da45d6cb36ef08e5', NULL, '2026-11-23 03:09:37.758159+00', NULL, NULL),
	(2, 'ada', '\xc82e9d46e4b52dfb8e652b2c2756df4eb4811d16264d1693ffadb9b98dfd8527', 'acc-ada', '2026-11-23 03:09:37.787358+00', NULL, NULL);


--
-- Data for Name: attachment; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attachment VALUES
	(5, 'att7001', 'Timetable.md', 'text/markdown', 36, 1, 'https://wiki.example.com/wiki/download/attachments/103/Timetable.md', '# Stops

The wombat halt is closed.', NULL, 106);


--
-- Data for Name: audience; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audience OVERRIDING SYSTEM VALUE VALUES
	(1, '{2}');


--
-- Data for Name: audience_guard; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audience_guard VALUES
	(2, 1);


--
-- Data for Name: chunk; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.chunk OVERRIDING SYSTEM VALUE VALUES
	(1, 1, 'body', '', '', 0, '{}', '', 'The VPN uses WireGuard.

## Trouble

Error TB-4031 means that the certificate expired after 90 days.', '\x4f0c2a9752501278ef8ca2ba59d0d0dd109377a0d1596f308e66d763092c3f0a'),
	(2, 2, 'body', '', '', 0, '{}', '', 'Salaries of engineers are secret.', '\xb3fda932c3af4e25df76c90c7cf039a5534aecc50d4283af2772e5fc747e6fae'),
	(3, 3, 'body', '', '', 0, '{}', '', 'They were secret, too.', '\x15d41bd2149ec719d1f6b86dca36156f3a887bb460d917d4392d4fe90e7a12eb'),
	(4, 4, 'body', '', '', 0, '{}', '', 'Everybody has 30 days of vacation per year.', '\x8c23ff6a7211177b5445aa7b84729b7624afd34302cdfda3736586bb83f642bb'),
	(5, 5, 'body', '', '', 0, '{}', '', 'A train leaves every second Thursday.', '\x32ae690d4217705e269970a7d5b744287bb3361457715fc2ed3ed3846936625f'),
	(6, 5, 'attachment', 'att7001', 'https://wiki.example.com/wiki/download/attachments/103/Timetable.md', 0, '{Timetable.md,Stops}', '', 'The wombat halt is closed.', '\x9acec0cd5a8a204bd0e2f4b0904e5a0761e9177be1136000f57e677117f0e607'),
	(7, 5, 'comment', '9001', 'https://wiki.example.com/wiki/spaces/ENG/pages/103/Release+train?focusedCommentId=9001', 0, '{Comment}', '', '**Bob Noyce, 2026-03-02:**

Does the quokka service ride along?

**Ada Lovelace, 2026-03-02:**

Yes, since the spring.', '\xc19e56871b6bf1b2bf7a8d7d31500fcffb5202c515c730c86ad0bc0aef4383bd');


--
-- Data for Name: chunk_bits_1; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.chunk_bits_1 VALUES
	(1, 1, 'b', B'0100001011111011'),
	(2, 2, 'b', B'0100011000110000'),
	(3, 3, 'b', B'0110010000110001'),
	(4, 4, 'b', B'1001011100100000'),
	(5, 5, 'b', B'0001000101001101'),
	(6, 5, 'a', B'0001111101000100'),
	(7, 5, 'c', B'1111101011101111');


--
-- Data for Name: chunk_term; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.chunk_term VALUES
	(1, 1, 'b', '{109767995,119965519,195755838,221569673,275205542,305167565,327032600,355374172,380851841,615307000,769321207,797566707,864171553,901773547,918463405}', '{109767995:1.5492958,119965519:1.8181819,195755838:1.5492958,221569673:1.5492958,275205542:1.5492958,305167565:1.5492958,327032600:1.5492958,355374172:1.5492958,380851841:1.5492958,615307000:1.5492958,769321207:1.5492958,797566707:1.5492958,864171553:1.5492958,901773547:1.5492958,918463405:1.5492958}/1000000000'),
	(2, 2, 'b', '{82844854,391106522,815099128}', '{82844854:1.888412,391106522:1.6541353,815099128:1.6541353}/1000000000'),
	(3, 3, 'b', '{82844854,100496705,391106522}', '{82844854:1.663516,100496705:1.663516,391106522:1.663516}/1000000000'),
	(4, 4, 'b', '{48682292,196104865,243152979,489325553,610026758,901773547}', '{48682292:1.8703507,196104865:1.6266174,243152979:1.6266174,489325553:1.6266174,610026758:1.6266174,901773547:1.6266174}/1000000000'),
	(5, 5, 'b', '{192968143,286339908,302511589,370701146,482330286,621714434}', '{192968143:1.6266174,286339908:1.6266174,302511589:1.6266174,370701146:1.8703507,482330286:1.6266174,621714434:1.6266174}/1000000000'),
	(6, 5, 'a', '{50575347,286339908,370701146,400369838,499141068,584495954,755032402,932805859,940554057}', '{50575347:1.6087751,286339908:1.6087751,370701146:1.6087751,400369838:1.6087751,499141068:1.6087751,584495954:1.6087751,755032402:1.6087751,932805859:1.6087751,940554057:1.6087751}/1000000000'),
	(7, 5, 'c', '{12645758,36934124,109256216,112392723,137207645,205854048,209274976,233211396,257048594,267077502,279116610,286339908,338391021,370701146,567426317,764257718,977082157,998268014}', '{12645758:1.5017065,36934124:1.5017065,109256216:1.5017065,112392723:1.7849898,137207645:1.5017065,205854048:1.7849898,209274976:1.5017065,233211396:1.5017065,257048594:1.5017065,267077502:1.5017065,279116610:1.7849898,286339908:1.5017065,338391021:1.5017065,370701146:1.5017065,567426317:1.5017065,764257718:1.5017065,977082157:1.5017065,998268014:1.7849898}/1000000000');


--
-- Data for Name: chunk_vector_1; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.chunk_vector_1 VALUES
	(1, 1, 'b', '[0,0.3203125,0,0,0,0,0.48046875,0,0.3203125,0.48046875,0.16015625,0.16015625,0.48046875,0,0.16015625,0.16015625]'),
	(2, 2, 'b', '[0,0.35351562,0,0,0,0.35351562,0.35351562,0,0,0,0.35351562,0.70703125,0,0,0,0]'),
	(3, 3, 'b', '[0,0.33325195,0.33325195,0,0,0.6665039,0,0,0,0,0.33325195,0.33325195,0,0,0,0.33325195]'),
	(4, 4, 'b', '[0.24255371,0,0,0.24255371,0,0.48510742,0.24255371,0.24255371,0,0,0.72753906,0,0,0,0,0]'),
	(5, 5, 'b', '[0,0,0,0.8017578,0,0,0,0.26733398,0,0.26733398,0,0,0.26733398,0.26733398,0,0.26733398]'),
	(6, 5, 'a', '[0,0,0,0.2084961,0.6254883,0.2084961,0.6254883,0.2084961,0,0.2084961,0,0,0,0.2084961,0,0]'),
	(7, 5, 'c', '[0.33325195,0.16662598,0.33325195,0.16662598,0.16662598,0,0.5,0,0.33325195,0.33325195,0.33325195,0,0.16662598,0.16662598,0.16662598,0.16662598]');


--
-- Data for Name: comment; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.comment VALUES
	(5, '9001', NULL, NULL, NULL, 'Bob Noyce', '2026-03-02 10:00:00+00', 1, 'https://wiki.example.com/wiki/spaces/ENG/pages/103/Release+train?focusedCommentId=9001', 'Does the quokka service ride along?'),
	(5, '9002', '9001', NULL, NULL, 'Ada Lovelace', '2026-03-02 10:00:00+00', 1, 'https://wiki.example.com/wiki/spaces/ENG/pages/103/Release+train?focusedCommentId=9002', 'Yes, since the spring.');


--
-- Data for Name: embedding_model; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.embedding_model OVERRIDING SYSTEM VALUE VALUES
	(1, 'words', 16, true, false, '2026-11-23 03:09:22.689376+00', NULL);


--
-- Data for Name: fresh_index; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: guard; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.guard VALUES
	(0, NULL, 'nobody', '', 'infinity'),
	(1, 1, 'space', 'ENG', '2026-11-23 03:09:23.302045+00'),
	(2, 1, 'node', '101', '2026-11-23 03:09:23.429513+00'),
	(3, 1, 'space', 'PEOPLE', '2026-11-23 03:09:23.469983+00'),
	(4, 1, 'site', '', '2026-11-23 03:09:23.526244+00');


--
-- Data for Name: guard_principal; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.guard_principal VALUES
	('group:engineers', 1),
	('user:acc-ada', 2),
	('class:all-licensed-users', 3),
	('user:acc-gus', 3),
	('class:all-licensed-users', 4),
	('user:acc-gus', 4);


--
-- Data for Name: lexicon; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.lexicon VALUES
	(1, NULL, 0);


--
-- Data for Name: membership; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.membership VALUES
	(1, 'engineers', 'acc-bob'),
	(1, 'engineers', 'acc-old'),
	(1, 'engineers', 'acc-ada');


--
-- Data for Name: node; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.node VALUES
	(1, '9001', 1, 'comment', '103', '', '', 1, 'live', NULL, NULL, '', 0, 1, 1, NULL, 0),
	(1, '9002', 1, 'comment', '103', '', '', 1, 'live', NULL, NULL, '', 0, 1, 1, NULL, 0),
	(1, 'att7001', 1, 'attachment', '103', 'Timetable.md', 'https://wiki.example.com/wiki/download/attachments/103/Timetable.md', 1, 'live', NULL, NULL, 'text/markdown', 36, 1, 1, NULL, 0),
	(1, '100', 1, 'page', NULL, 'VPN', 'https://wiki.example.com/wiki/spaces/ENG/pages/100/VPN', 1, 'live', 0, '{network}', NULL, NULL, 1, 1, false, 1),
	(1, '101', 1, 'page', '100', 'Salaries', 'https://wiki.example.com/wiki/spaces/ENG/pages/101/Salaries', 1, 'live', 1, '{}', NULL, NULL, 1, 1, true, 1),
	(1, '102', 1, 'page', '101', 'Salaries of 2024', 'https://wiki.example.com/wiki/spaces/ENG/pages/102/Salaries+of+2024', 1, 'live', 2, '{}', NULL, NULL, 1, 1, false, 1),
	(1, '200', 2, 'page', NULL, 'Vacation', 'https://wiki.example.com/wiki/spaces/PEOPLE/pages/200/Vacation', 1, 'live', 4, '{}', NULL, NULL, 1, 1, false, 1),
	(1, '103', 1, 'page', NULL, 'Release train', 'https://wiki.example.com/wiki/spaces/ENG/pages/103/Release+train', 1, 'live', 3, '{}', NULL, NULL, 1, 1, false, 1);


--
-- Data for Name: page; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.page OVERRIDING SYSTEM VALUE VALUES
	(1, 1, 1, '100', 'page', 'live', 'VPN', 'https://wiki.example.com/wiki/spaces/ENG/pages/100/VPN', 1, '{}', 0, '{network}', 'Ada Lovelace', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', 'en', 'The VPN uses WireGuard.

## Trouble

Error TB-4031 means that the certificate expired after 90 days.', '[{"level": 2, "title": "Trouble", "anchor": "Trouble", "offset": 25}]', '[]', 1, 0, 0, 3, '2026-11-23 03:09:35.790507+00', NULL, '', NULL),
	(2, 1, 1, '101', 'page', 'live', 'Salaries', 'https://wiki.example.com/wiki/spaces/ENG/pages/101/Salaries', 1, '{100}', 1, '{}', 'Ada Lovelace', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', 'en', 'Salaries of engineers are secret.', '[]', '[]', 1, 0, 0, 3, '2026-11-23 03:09:35.970532+00', NULL, '', 1),
	(3, 1, 1, '102', 'page', 'live', 'Salaries of 2024', 'https://wiki.example.com/wiki/spaces/ENG/pages/102/Salaries+of+2024', 1, '{100,101}', 2, '{}', 'Ada Lovelace', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', 'en', 'They were secret, too.', '[]', '[]', 1, 0, 0, 3, '2026-11-23 03:09:36.056827+00', NULL, '', 1),
	(4, 1, 2, '200', 'page', 'live', 'Vacation', 'https://wiki.example.com/wiki/spaces/PEOPLE/pages/200/Vacation', 1, '{}', 4, '{}', 'Ada Lovelace', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', 'en', 'Everybody has 30 days of vacation per year.', '[]', '[]', 1, 0, 0, 3, '2026-11-23 03:09:36.15124+00', NULL, '', NULL),
	(5, 1, 1, '103', 'page', 'live', 'Release train', 'https://wiki.example.com/wiki/spaces/ENG/pages/103/Release+train', 1, '{}', 3, '{}', 'Ada Lovelace', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', 'en', 'A train leaves every second Thursday.', '[]', '[]', 3, 1, 1, 3, '2026-11-23 03:09:36.19561+00', NULL, '66215cf4db93c514cc3a99d08af1f787', NULL);


--
-- Data for Name: page_failure; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: page_hint; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: procrastinate_events; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: procrastinate_jobs; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: procrastinate_periodic_defers; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: procrastinate_workers; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: queue_schema; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.queue_schema VALUES
	('03.04.00_50_post_add_retry_failed_job_procedure.sql');


--
-- Data for Name: readable; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.readable VALUES
	('schema_migration'),
	('shown_page'),
	('shown_chunk'),
	('shown_comment'),
	('shown_attachment'),
	('open_space'),
	('common_language'),
	('account'),
	('api_key'),
	('embedding_model'),
	('search_configuration'),
	('term'),
	('chunk_term'),
	('vocabulary'),
	('sampled_page'),
	('shown_passage');


--
-- Data for Name: request_budget; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: request_slot; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: schema_migration; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schema_migration VALUES
	('0001_initial.sql', 'afde574b641643ef93fab394c9772aece1b1700852c62cd1012bc07920f7ac53', '2026-11-23 03:09:14.278575+00'),
	('0002_access.sql', '6e78408f080316ced79856d588755211f3be6e3f884f073e0b34778b248419c8', '2026-11-23 03:09:14.609346+00'),
	('0003_words.sql', '24add8a1e002e661bdc83ca4dcf15dfd49b7ff3612e78c4014639556ff57766e', '2026-11-23 03:09:14.924936+00'),
	('0004_places.sql', '11fadb17326ca8666879c6869aabec7a31495dbdd6dd9681be3ecac13fb37d5b', '2026-11-23 03:09:15.057638+00'),
	('0005_upkeep.sql', '00e1fac31302aa52e1b383cb6e122aa745b5446ac7fdb2b9a03b0925d8c9807e', '2026-11-23 03:09:15.413149+00');


--
-- Data for Name: search_configuration; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.search_configuration VALUES
	('english');


--
-- Data for Name: site; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.site OVERRIDING SYSTEM VALUE VALUES
	(1, 'https://wiki.example.com/wiki', 'reader', '2026-11-23 03:09:22.87904+00', '2026-11-23 03:09:22.879067+00', '2026-11-23 03:09:22.87904+00', 1, true);


--
-- Data for Name: space; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.space OVERRIDING SYSTEM VALUE VALUES
	(1, 1, 'ENG', 'ENG space', 'https://wiki.example.com/wiki/spaces/ENG', '2026-11-23 03:09:23.229294+00', 199, '2026-11-23 03:09:23.739349+00'),
	(2, 1, 'PEOPLE', 'PEOPLE space', 'https://wiki.example.com/wiki/spaces/PEOPLE', '2026-11-23 03:09:23.250437+00', 20, '2026-11-23 03:09:23.746703+00');


--
-- Data for Name: sync_run; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sync_run OVERRIDING SYSTEM VALUE VALUES
	(1, 1, '2026-11-23 03:09:22.784545+00', '2026-11-23 03:09:36.393105+00', true, '{"due": 5, "error": null, "moved": 0, "pages": 5, "chunks": 7, "failed": 0, "hidden": 0, "purged": 0, "spaces": 2, "stored": 5, "tokens": 219, "seconds": 13.566309468005784, "comments": 2, "embedded": 7, "problems": [], "requests": 0, "site_url": "https://wiki.example.com/wiki", "warnings": [], "succeeded": true, "unreadable": 0, "attachments": 1}');


--
-- Data for Name: term; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.term VALUES
	(12645758, 1),
	(932805859, 1),
	(196104865, 1),
	(82844854, 2),
	(100496705, 1),
	(112392723, 1),
	(302511589, 1),
	(267077502, 1),
	(50575347, 1),
	(0, 7),
	(380851841, 1),
	(338391021, 1),
	(195755838, 1),
	(901773547, 2),
	(119965519, 1),
	(482330286, 1),
	(109256216, 1),
	(755032402, 1),
	(286339908, 3),
	(275205542, 1),
	(233211396, 1),
	(36934124, 1),
	(940554057, 1),
	(615307000, 1),
	(998268014, 1),
	(864171553, 1),
	(400369838, 1),
	(370701146, 3),
	(621714434, 1),
	(257048594, 1),
	(109767995, 1),
	(221569673, 1),
	(137207645, 1),
	(769321207, 1),
	(489325553, 1),
	(610026758, 1),
	(797566707, 1),
	(205854048, 1),
	(499141068, 1),
	(567426317, 1),
	(192968143, 1),
	(48682292, 1),
	(279116610, 1),
	(391106522, 2),
	(918463405, 1),
	(355374172, 1),
	(209274976, 1),
	(305167565, 1),
	(977082157, 1),
	(815099128, 1),
	(584495954, 1),
	(327032600, 1),
	(243152979, 1),
	(764257718, 1);


--
-- Data for Name: term_change; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: vocabulary; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.vocabulary VALUES
	('after', 'after', 'english', NULL),
	('certificate', 'certificate', 'english', 864171553),
	('days', 'days', 'english', 901773547),
	('error', 'error', 'english', 797566707),
	('expired', 'expired', 'english', 109767995),
	('guard', 'guard', 'english', 195755838),
	('means', 'means', 'english', 918463405),
	('that', 'that', 'english', NULL),
	('the', 'the', 'english', NULL),
	('trouble', 'trouble', 'english', 769321207),
	('uses', 'uses', 'english', 380851841),
	('vpn', 'vpn', 'english', 119965519),
	('wire', 'wire', 'english', 221569673),
	('wireguard', 'wireguard', 'english', 275205542),
	('are', 'are', 'english', NULL),
	('engineers', 'engineers', 'english', 815099128),
	('salaries', 'salaries', 'english', 82844854),
	('secret', 'secret', 'english', 391106522),
	('they', 'they', 'english', NULL),
	('too', 'too', 'english', NULL),
	('were', 'were', 'english', NULL),
	('everybody', 'everybody', 'english', 610026758),
	('has', 'has', 'english', NULL),
	('per', 'per', 'english', 489325553),
	('vacation', 'vacation', 'english', 48682292),
	('year', 'year', 'english', 243152979),
	('ada', 'ada', 'english', 764257718),
	('along', 'along', 'english', 977082157),
	('bob', 'bob', 'english', 36934124),
	('closed', 'closed', 'english', 400369838),
	('comment', 'comment', 'english', 257048594),
	('does', 'does', 'english', NULL),
	('every', 'every', 'english', 192968143),
	('halt', 'halt', 'english', 940554057),
	('leaves', 'leaves', 'english', 302511589),
	('lovelace', 'lovelace', 'english', 338391021),
	('noyce', 'noyce', 'english', 233211396),
	('quokka', 'quokka', 'english', 137207645),
	('release', 'release', 'english', 286339908),
	('ride', 'ride', 'english', 12645758),
	('second', 'second', 'english', 482330286),
	('service', 'service', 'english', 209274976),
	('since', 'since', 'english', 267077502),
	('spring', 'spring', 'english', 567426317),
	('stops', 'stops', 'english', 755032402),
	('thursday', 'thursday', 'english', 621714434),
	('timetable', 'timetable', 'english', 584495954),
	('timetablemd', 'timetablemd', 'english', 932805859),
	('train', 'train', 'english', 370701146),
	('wombat', 'wombat', 'english', 50575347),
	('yes', 'yes', 'english', 109256216);


--
-- Name: account_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.account_id_seq', 4, true);


--
-- Name: api_key_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.api_key_id_seq', 2, true);


--
-- Name: audience_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audience_id_seq', 1, true);


--
-- Name: chunk_chunk_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.chunk_chunk_id_seq', 7, true);


--
-- Name: embedding_model_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.embedding_model_id_seq', 1, true);


--
-- Name: guard_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.guard_id_seq', 4, true);


--
-- Name: page_page_ref_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.page_page_ref_seq', 5, true);


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 1, false);


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 1, false);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, false);


--
-- Name: site_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.site_id_seq', 1, true);


--
-- Name: space_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.space_id_seq', 2, true);


--
-- Name: sync_run_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.sync_run_id_seq', 1, true);


--
-- Name: term_change_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.term_change_id_seq', 7, true);


--
-- Name: account_group account_group_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_group
    ADD CONSTRAINT account_group_pkey PRIMARY KEY (site_id, group_id);


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);


--
-- Name: account account_site_id_account_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_site_id_account_id_key UNIQUE (site_id, account_id);


--
-- Name: api_key api_key_key_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_key_hash_key UNIQUE (key_hash);


--
-- Name: api_key api_key_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_name_key UNIQUE (name);


--
-- Name: api_key api_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);


--
-- Name: attachment attachment_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_pkey PRIMARY KEY (page_ref, attachment_id);


--
-- Name: audience audience_guard_ids_excl; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience
    ADD CONSTRAINT audience_guard_ids_excl EXCLUDE USING hash (guard_ids WITH =);


--
-- Name: audience_guard audience_guard_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience_guard
    ADD CONSTRAINT audience_guard_pkey PRIMARY KEY (guard_id, audience_id);


--
-- Name: audience audience_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience
    ADD CONSTRAINT audience_pkey PRIMARY KEY (id);


--
-- Name: chunk_bits_1 chunk_bits_1_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_bits_1
    ADD CONSTRAINT chunk_bits_1_pkey PRIMARY KEY (chunk_id);


--
-- Name: chunk chunk_page_ref_kind_item_id_position_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk
    ADD CONSTRAINT chunk_page_ref_kind_item_id_position_key UNIQUE (page_ref, kind, item_id, "position") DEFERRABLE INITIALLY DEFERRED;


--
-- Name: chunk chunk_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk
    ADD CONSTRAINT chunk_pkey PRIMARY KEY (chunk_id);


--
-- Name: chunk_term chunk_term_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_term
    ADD CONSTRAINT chunk_term_pkey PRIMARY KEY (chunk_id);


--
-- Name: chunk_vector_1 chunk_vector_1_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_vector_1
    ADD CONSTRAINT chunk_vector_1_pkey PRIMARY KEY (chunk_id);


--
-- Name: comment comment_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_pkey PRIMARY KEY (page_ref, comment_id);


--
-- Name: embedding_model embedding_model_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.embedding_model
    ADD CONSTRAINT embedding_model_name_key UNIQUE (name);


--
-- Name: embedding_model embedding_model_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.embedding_model
    ADD CONSTRAINT embedding_model_pkey PRIMARY KEY (id);


--
-- Name: fresh_index fresh_index_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fresh_index
    ADD CONSTRAINT fresh_index_pkey PRIMARY KEY (name);


--
-- Name: guard guard_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guard
    ADD CONSTRAINT guard_pkey PRIMARY KEY (id);


--
-- Name: guard_principal guard_principal_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guard_principal
    ADD CONSTRAINT guard_principal_pkey PRIMARY KEY (principal, guard_id);


--
-- Name: guard guard_site_id_kind_external_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guard
    ADD CONSTRAINT guard_site_id_kind_external_id_key UNIQUE (site_id, kind, external_id);


--
-- Name: membership membership_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_pkey PRIMARY KEY (site_id, account_id, group_id);


--
-- Name: node node_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_pkey PRIMARY KEY (site_id, node_id);


--
-- Name: page_failure page_failure_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page_failure
    ADD CONSTRAINT page_failure_pkey PRIMARY KEY (site_id, page_id);


--
-- Name: page_hint page_hint_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page_hint
    ADD CONSTRAINT page_hint_pkey PRIMARY KEY (page_id);


--
-- Name: page page_page_id_site_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_page_id_site_id_key UNIQUE (page_id, site_id);


--
-- Name: page page_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_pkey PRIMARY KEY (page_ref);


--
-- Name: procrastinate_events procrastinate_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_jobs procrastinate_jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_unique; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);


--
-- Name: procrastinate_workers procrastinate_workers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);


--
-- Name: readable readable_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.readable
    ADD CONSTRAINT readable_pkey PRIMARY KEY (name);


--
-- Name: request_budget request_budget_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_budget
    ADD CONSTRAINT request_budget_pkey PRIMARY KEY (site_url);


--
-- Name: request_slot request_slot_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request_slot
    ADD CONSTRAINT request_slot_pkey PRIMARY KEY (holder);


--
-- Name: schema_migration schema_migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (name);


--
-- Name: search_configuration search_configuration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.search_configuration
    ADD CONSTRAINT search_configuration_pkey PRIMARY KEY (name);


--
-- Name: site site_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);


--
-- Name: site site_url_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_url_key UNIQUE (url);


--
-- Name: space space_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.space
    ADD CONSTRAINT space_pkey PRIMARY KEY (id);


--
-- Name: space space_site_id_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.space
    ADD CONSTRAINT space_site_id_key_key UNIQUE (site_id, key);


--
-- Name: sync_run sync_run_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT sync_run_pkey PRIMARY KEY (id);


--
-- Name: term_change term_change_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.term_change
    ADD CONSTRAINT term_change_pkey PRIMARY KEY (id);


--
-- Name: term term_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.term
    ADD CONSTRAINT term_pkey PRIMARY KEY (term_id);


--
-- Name: account_email; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_email ON public.account USING btree (lower((email COLLATE "C")));


--
-- Name: account_username; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_username ON public.account USING btree (lower((username COLLATE "C")));


--
-- Name: audience_guard_audience; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audience_guard_audience ON public.audience_guard USING btree (audience_id);


--
-- Name: chunk_bits_page_1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX chunk_bits_page_1 ON public.chunk_bits_1 USING btree (page_ref) INCLUDE (chunk_id, kind, bits);


--
-- Name: chunk_term_ids; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX chunk_term_ids ON public.chunk_term USING gin (term_ids) WITH (fastupdate=off);


--
-- Name: chunk_term_page; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX chunk_term_page ON public.chunk_term USING btree (page_ref);


--
-- Name: embedding_model_active; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX embedding_model_active ON public.embedding_model USING btree (active) WHERE active;


--
-- Name: embedding_model_built; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX embedding_model_built ON public.embedding_model USING btree ((true)) WHERE ((NOT active) AND (retired_at IS NULL));


--
-- Name: guard_principal_guard; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX guard_principal_guard ON public.guard_principal USING btree (guard_id);


--
-- Name: idx_procrastinate_jobs_worker_not_null; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));


--
-- Name: idx_procrastinate_workers_last_heartbeat; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);


--
-- Name: membership_group; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX membership_group ON public.membership USING btree (site_id, group_id);


--
-- Name: node_parent; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX node_parent ON public.node USING btree (parent_id);


--
-- Name: node_space; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX node_space ON public.node USING btree (space_id);


--
-- Name: page_ancestors; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_ancestors ON public.page USING gin (ancestors);


--
-- Name: page_audience; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_audience ON public.page USING btree (audience_id) WHERE (audience_id IS NOT NULL);


--
-- Name: page_by_lot; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_by_lot ON public.page USING btree (hashint8(page_ref)) INCLUDE (page_ref, chunk_count, comment_chunks, attachment_chunks) WHERE (state <> 'tombstoned'::text);


--
-- Name: page_hidden; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_hidden ON public.page USING btree (hidden_at) WHERE (state = 'tombstoned'::text);


--
-- Name: page_labels; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_labels ON public.page USING gin (labels);


--
-- Name: page_language; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_language ON public.page USING btree (language);


--
-- Name: page_of_space; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_of_space ON public.page USING btree (space_id) INCLUDE (page_ref, audience_id, chunk_count, comment_chunks, attachment_chunks) WHERE (state <> 'tombstoned'::text);


--
-- Name: page_space; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_space ON public.page USING btree (space_id);


--
-- Name: page_title; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_title ON public.page USING btree (lower(title));


--
-- Name: page_updated; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX page_updated ON public.page USING btree (updated_at);


--
-- Name: procrastinate_events_job_id_fkey_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);


--
-- Name: procrastinate_jobs_id_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));


--
-- Name: procrastinate_jobs_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);


--
-- Name: procrastinate_jobs_priority_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);


--
-- Name: procrastinate_jobs_queue_name_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);


--
-- Name: procrastinate_jobs_queueing_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);


--
-- Name: procrastinate_periodic_defers_job_id_fkey_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);


--
-- Name: request_slot_site; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX request_slot_site ON public.request_slot USING btree (site_url);


--
-- Name: vocabulary_backwards; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX vocabulary_backwards ON public.vocabulary USING btree (reverse(folded));


--
-- Name: vocabulary_folded; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX vocabulary_folded ON public.vocabulary USING btree (folded);


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_aborted_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_inserted_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_abort_requested_events_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_delete_jobs_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_scheduled_events_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_insert_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_update_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();


--
-- Name: account_group account_group_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_group
    ADD CONSTRAINT account_group_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: account account_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: attachment attachment_page_ref_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_page_ref_fkey FOREIGN KEY (page_ref) REFERENCES public.page(page_ref) ON DELETE CASCADE;


--
-- Name: audience_guard audience_guard_audience_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience_guard
    ADD CONSTRAINT audience_guard_audience_id_fkey FOREIGN KEY (audience_id) REFERENCES public.audience(id) ON DELETE CASCADE;


--
-- Name: audience_guard audience_guard_guard_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience_guard
    ADD CONSTRAINT audience_guard_guard_id_fkey FOREIGN KEY (guard_id) REFERENCES public.guard(id) ON DELETE CASCADE;


--
-- Name: chunk_bits_1 chunk_bits_1_chunk_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_bits_1
    ADD CONSTRAINT chunk_bits_1_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES public.chunk(chunk_id) ON DELETE CASCADE;


--
-- Name: chunk chunk_page_ref_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk
    ADD CONSTRAINT chunk_page_ref_fkey FOREIGN KEY (page_ref) REFERENCES public.page(page_ref) ON DELETE CASCADE;


--
-- Name: chunk_term chunk_term_chunk_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_term
    ADD CONSTRAINT chunk_term_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES public.chunk(chunk_id) ON DELETE CASCADE;


--
-- Name: chunk_vector_1 chunk_vector_1_chunk_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunk_vector_1
    ADD CONSTRAINT chunk_vector_1_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES public.chunk(chunk_id) ON DELETE CASCADE;


--
-- Name: comment comment_page_ref_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_page_ref_fkey FOREIGN KEY (page_ref) REFERENCES public.page(page_ref) ON DELETE CASCADE;


--
-- Name: guard_principal guard_principal_guard_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guard_principal
    ADD CONSTRAINT guard_principal_guard_id_fkey FOREIGN KEY (guard_id) REFERENCES public.guard(id) ON DELETE CASCADE;


--
-- Name: guard guard_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guard
    ADD CONSTRAINT guard_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: membership membership_site_id_group_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_site_id_group_id_fkey FOREIGN KEY (site_id, group_id) REFERENCES public.account_group(site_id, group_id) ON DELETE CASCADE;


--
-- Name: node node_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: node node_space_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_space_id_fkey FOREIGN KEY (space_id) REFERENCES public.space(id) ON DELETE CASCADE;


--
-- Name: page page_audience_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_audience_id_fkey FOREIGN KEY (audience_id) REFERENCES public.audience(id);


--
-- Name: page_failure page_failure_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page_failure
    ADD CONSTRAINT page_failure_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: page_failure page_failure_space_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page_failure
    ADD CONSTRAINT page_failure_space_id_fkey FOREIGN KEY (space_id) REFERENCES public.space(id) ON DELETE CASCADE;


--
-- Name: page page_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: page page_space_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_space_id_fkey FOREIGN KEY (space_id) REFERENCES public.space(id) ON DELETE CASCADE;


--
-- Name: procrastinate_events procrastinate_events_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;


--
-- Name: procrastinate_jobs procrastinate_jobs_worker_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);


--
-- Name: space space_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.space
    ADD CONSTRAINT space_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: sync_run sync_run_site_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT sync_run_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id) ON DELETE CASCADE;


--
-- Name: TABLE vocabulary; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.vocabulary TO confluence_mcp_reader;


--
-- Name: TABLE account; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.account TO confluence_mcp_reader;


--
-- Name: TABLE api_key; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.api_key TO confluence_mcp_reader;


--
-- Name: TABLE chunk_bits_1; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.chunk_bits_1 TO confluence_mcp_reader;


--
-- Name: TABLE chunk_term; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.chunk_term TO confluence_mcp_reader;


--
-- Name: TABLE chunk_vector_1; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.chunk_vector_1 TO confluence_mcp_reader;


--
-- Name: TABLE common_language; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.common_language TO confluence_mcp_reader;


--
-- Name: TABLE embedding_model; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.embedding_model TO confluence_mcp_reader;


--
-- Name: TABLE open_space; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.open_space TO confluence_mcp_reader;


--
-- Name: TABLE sampled_page; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.sampled_page TO confluence_mcp_reader;


--
-- Name: TABLE schema_migration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_migration TO confluence_mcp_reader;


--
-- Name: TABLE search_configuration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.search_configuration TO confluence_mcp_reader;


--
-- Name: TABLE shown_page; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.shown_page TO confluence_mcp_reader;


--
-- Name: TABLE shown_attachment; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.shown_attachment TO confluence_mcp_reader;


--
-- Name: TABLE shown_chunk; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.shown_chunk TO confluence_mcp_reader;


--
-- Name: TABLE shown_comment; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.shown_comment TO confluence_mcp_reader;


--
-- Name: TABLE shown_passage; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.shown_passage TO confluence_mcp_reader;


--
-- Name: TABLE term; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.term TO confluence_mcp_reader;


--
-- PostgreSQL database dump complete
--


