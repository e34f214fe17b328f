-- The application's role, keys of idempotency, and the inbox of outside events.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hamyon_app') THEN
        CREATE ROLE hamyon_app NOLOGIN;
    END IF;
EXCEPTION
    -- Roles belong to the cluster: another database's migration may have won the race.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'hamyon_app', 'MEMBER') THEN
        EXECUTE format('GRANT hamyon_app TO %I', current_user);
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO hamyon_app;

-- A refusal that Python turns into a typed error: SQLSTATE HM000, the code as message, facts as detail.
CREATE FUNCTION refuse(p_code text, p_facts jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'HM000', MESSAGE = p_code, DETAIL = p_facts::text;
END
$$;

CREATE TABLE idempotency_keys (
    caller     text        NOT NULL,
    user_id    bigint      NOT NULL,
    route      text        NOT NULL,
    key        text        NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    input_hash bytea       NOT NULL,
    answer     jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, user_id, route, key)
) WITH (fillfactor = 70);  -- room for the answer, which comes after the key

-- Claims a key: NULL for the first caller, the first answer for a repetition, a refusal for another
-- input. A null key claims nothing. VOLATILE, so that the second statement sees the winner of a race.
CREATE FUNCTION idempotency_claim(
    p_caller text, p_user_id bigint, p_route text, p_key text, p_input_hash bytea
) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_first idempotency_keys;
BEGIN
    IF p_key IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO idempotency_keys (caller, user_id, route, key, input_hash)
    VALUES (p_caller, p_user_id, p_route, p_key, p_input_hash)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT v_first FROM idempotency_keys
    WHERE caller = p_caller AND user_id = p_user_id AND route = p_route AND key = p_key;
    -- A key without an answer was committed by a use case that forgot to give one: never run it again.
    IF v_first.input_hash <> p_input_hash OR v_first.answer IS NULL THEN
        PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
    END IF;
    RETURN v_first.answer;
END
$$;

CREATE FUNCTION idempotency_answer(
    p_caller text, p_user_id bigint, p_route text, p_key text, p_answer jsonb
) RETURNS void
    LANGUAGE sql VOLATILE AS $$
    UPDATE idempotency_keys SET answer = p_answer
    WHERE caller = p_caller AND user_id = p_user_id AND route = p_route AND key = p_key;
$$;

-- What vendors told us, as it came. Stored before it is answered, handled afterwards.
CREATE TABLE inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    event_key   text        NOT NULL,
    subject     text        NOT NULL,  -- what of ours it is about
    body        bytea       NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    handled_at  timestamptz,
    UNIQUE (source, event_key)
);
CREATE INDEX inbox_subject ON inbox (source, subject);
CREATE INDEX inbox_unhandled ON inbox (source, id) WHERE handled_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys, inbox TO hamyon_app;
