-- Uploaded pictures, and the submit of the images product.

-- The bytes lie in storage once, by their hash; every owner has a row of his own.
CREATE TABLE uploads (
    id           uuid        PRIMARY KEY,
    user_id      bigint      NOT NULL REFERENCES users (id),
    content_hash text        NOT NULL,
    mime         text        NOT NULL,
    width        integer     NOT NULL,
    height       integer     NOT NULL,
    bytes        bigint      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz             -- null: an order uses it
);
CREATE UNIQUE INDEX uploads_owner ON uploads (user_id, content_hash);
CREATE INDEX uploads_hash ON uploads (content_hash);
CREATE INDEX uploads_expiry ON uploads (expires_at) WHERE expires_at IS NOT NULL;

-- One submit in one round trip: the key, the pictures, the trial, the order. Returns the facts of the
-- answer; a repetition gets the first one's.
CREATE FUNCTION images_submit(
    p_caller text, p_route text, p_key text, p_input_hash bytea,
    p_order_id uuid, p_job_id uuid, p_user_id bigint, p_model_key text, p_engine text,
    p_provider_path text, p_input jsonb, p_upload_ids uuid[], p_asset text, p_price bigint,
    p_price_id bigint, p_trial_limit integer, p_deliver jsonb, p_deadline_s integer,
    p_active_max integer, p_position integer
) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_answer    jsonb := idempotency_claim(p_caller, p_user_id, p_route, p_key, p_input_hash);
    v_trial     boolean := false;
    v_available bigint;
    v_found     integer;
BEGIN
    IF v_answer IS NOT NULL THEN
        RETURN v_answer || '{"replayed": true}';
    END IF;
    IF cardinality(p_upload_ids) > 0 THEN
        UPDATE uploads SET expires_at = NULL
        WHERE id = ANY (p_upload_ids) AND user_id = p_user_id
          AND (expires_at IS NULL OR expires_at > now());
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found <> cardinality(p_upload_ids) THEN
            PERFORM refuse('upload_not_found');
        END IF;
    END IF;
    -- The person first: of nobody order_open says so, and submits of one person take turns here.
    PERFORM 1 FROM users WHERE id = p_user_id FOR NO KEY UPDATE;
    IF FOUND AND p_trial_limit > 0 THEN
        v_trial := trial_reserve(p_user_id, 'images', p_order_id, p_trial_limit);
    END IF;
    v_available := order_open(p_order_id, p_user_id, 'images', p_model_key, p_engine,
        ARRAY[p_provider_path], ARRAY[p_job_id], p_input, p_asset,
        CASE WHEN v_trial THEN 0 ELSE p_price END, p_price_id, v_trial, p_deliver, p_caller,
        p_deadline_s, p_active_max);
    v_answer := jsonb_build_object('id', p_order_id, 'trial_used', v_trial,
        'balance', v_available, 'created_at', now(), 'asset', p_asset, 'position', p_position,
        'amount', CASE WHEN v_trial THEN 0 ELSE p_price END);
    IF p_key IS NOT NULL THEN
        PERFORM idempotency_answer(p_caller, p_user_id, p_route, p_key, v_answer);
    END IF;
    RETURN v_answer;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON uploads TO hamyon_app;
