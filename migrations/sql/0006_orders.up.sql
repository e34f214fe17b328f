-- Paid requests and their provider calls.

CREATE TABLE orders (
    id              uuid        PRIMARY KEY,
    -- No foreign keys: order_open, the only writer, has just locked the person and read the price; a
    -- key on the price or the asset would even lock one hot row in every submit.
    user_id         bigint      NOT NULL,
    product         text        NOT NULL,
    model_key       text        NOT NULL,
    engine          text        NOT NULL,   -- the engine that really works on it
    state           text        NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'review', 'completed', 'failed', 'canceled')),
    input           jsonb       NOT NULL,   -- prompt, options, references
    asset           text        NOT NULL,
    price           bigint      NOT NULL CHECK (price >= 0),
    price_id        bigint      NOT NULL,
    charged         bigint      CHECK (charged BETWEEN 0 AND price),
    trial           boolean     NOT NULL DEFAULT false CHECK (NOT trial OR price = 0),
    deliver         jsonb,
    caller          text        NOT NULL,
    priority        integer     NOT NULL,
    error_code      text,
    error_message   text,
    error_retryable boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    deadline_at     timestamptz NOT NULL,
    review_until    timestamptz,
    settled_at      timestamptz,
    CHECK ((settled_at IS NULL) = (charged IS NULL)),
    CHECK (settled_at IS NOT NULL OR state IN ('queued', 'running', 'review')),
    CHECK ((state = 'review') = (review_until IS NOT NULL AND settled_at IS NULL))
) WITH (fillfactor = 85);
CREATE INDEX orders_of_user ON orders (user_id, id DESC);
-- One small index for everything that asks about open orders: limits, places in the queue, deadlines.
-- Each further one would be written at every submit and at every step.
CREATE INDEX orders_open ON orders (user_id) WHERE state IN ('queued', 'running');
CREATE INDEX orders_review ON orders (review_until) WHERE state = 'review';
CREATE INDEX orders_settled ON orders (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE jobs (
    id              uuid        PRIMARY KEY,
    order_id        uuid        NOT NULL,   -- written by order_open together with its order
    ordinal         smallint    NOT NULL,
    engine          text        NOT NULL,
    provider_path   text        NOT NULL,
    state           text        NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'submitting', 'running', 'succeeded', 'refused', 'failed',
            'canceled', 'uncertain')),
    provider_job_id text,
    lease           uuid,
    lease_until     timestamptz,
    -- Which queue entry goes on with the job: an older one is void, so that an entry which runs twice
    -- (the queue is at-least-once) starts no second chain.
    step            integer     NOT NULL DEFAULT 0,
    attempts        integer     NOT NULL DEFAULT 0,  -- submissions that surely were not accepted
    fetches         integer     NOT NULL DEFAULT 0,  -- times that its outputs could not be fetched
    submitted_at    timestamptz,
    polled_at       timestamptz,
    outputs         jsonb       NOT NULL DEFAULT '[]',
    cost_micro_usd  bigint,
    error_code      text,
    error_message   text,
    error_retryable boolean     NOT NULL DEFAULT false,
    finished_at     timestamptz,
    UNIQUE (order_id, ordinal)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX jobs_provider_job ON jobs (engine, provider_job_id)
    WHERE provider_job_id IS NOT NULL;
CREATE INDEX jobs_open ON jobs (order_id)
    WHERE state IN ('queued', 'submitting', 'running', 'uncertain');

-- Opens an order in the caller's transaction: the limit, the hold, the order, its jobs, their queue
-- entries. One round trip, because every submit pays for each (docs/decisions). Returns what is
-- still available, null for a free order.
CREATE FUNCTION order_open(
    p_order_id uuid, p_user_id bigint, p_product text, p_model_key text, p_engine text,
    p_provider_paths text[], p_job_ids uuid[], p_input jsonb, p_asset text, p_price bigint,
    p_price_id bigint, p_trial boolean, p_deliver jsonb, p_caller text, p_deadline_s integer,
    p_active_max integer
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    -- A later order of one person yields to other people's first ones for this long, so age wins.
    c_yield_s   CONSTANT integer := 60;
    v_blocked   timestamptz;
    v_active    uuid[];
    v_priority  integer;
    v_available bigint;
BEGIN
    -- The lock on the person makes two submits of one person take turns at the limit.
    SELECT blocked_at INTO v_blocked FROM users WHERE id = p_user_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse('user_not_found');
    END IF;
    IF v_blocked IS NOT NULL THEN
        PERFORM refuse('user_blocked');
    END IF;
    SELECT array_agg(id ORDER BY id) INTO v_active
    FROM orders WHERE user_id = p_user_id AND state IN ('queued', 'running');
    IF coalesce(cardinality(v_active), 0) >= p_active_max THEN
        PERFORM refuse('too_many_active', jsonb_build_object('limit', p_active_max, 'active', v_active));
    END IF;
    PERFORM 1 FROM prices WHERE id = p_price_id AND ended_at IS NULL;
    IF NOT FOUND THEN
        PERFORM refuse('price_changed');
    END IF;
    IF p_price > 0 THEN
        v_available := ledger_open_hold(p_user_id, p_asset, p_price, 'order:' || p_order_id);
    END IF;
    v_priority := -(extract(epoch FROM now())::integer - 1767225600)
        - c_yield_s * coalesce(cardinality(v_active), 0);
    INSERT INTO orders (id, user_id, product, model_key, engine, input, asset, price, price_id, trial,
        deliver, caller, priority, deadline_at)
    VALUES (p_order_id, p_user_id, p_product, p_model_key, p_engine, p_input, p_asset, p_price,
        p_price_id, p_trial, p_deliver, p_caller, v_priority,
        now() + make_interval(secs => p_deadline_s));
    INSERT INTO jobs (id, order_id, ordinal, engine, provider_path)
    SELECT job_id, p_order_id, ordinal, p_engine, provider_path
    FROM unnest(p_job_ids, p_provider_paths) WITH ORDINALITY AS job (job_id, provider_path, ordinal);
    INSERT INTO pgqueuer (priority, status, entrypoint, payload)
    SELECT v_priority, 'queued', 'advance', convert_to(job_id || ':0', 'UTF8')
    FROM unnest(p_job_ids) AS job_id;
    RETURN v_available;
END
$$;

-- Takes a job for one worker: a lease, and 'submitting' when it was queued and may be sent. No row: it
-- is done, or the queue entry p_step is void, or it was asked about within p_quiet_s. With held_s
-- another worker holds it for so long. The order is locked before the job.
CREATE FUNCTION job_claim(
    p_job_id uuid, p_lease uuid, p_lease_s double precision, p_step integer,
    p_quiet_s double precision
) RETURNS TABLE (
    job jobs, "order" orders, was text, held_s double precision, sendable boolean
)
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_job   jobs;
    v_order orders;
BEGIN
    SELECT o.* INTO v_order FROM orders o
    WHERE o.id = (SELECT j.order_id FROM jobs j WHERE j.id = p_job_id) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT j.* INTO STRICT v_job FROM jobs j WHERE j.id = p_job_id FOR NO KEY UPDATE;
    was := v_job.state;
    IF v_job.state IN ('succeeded', 'refused', 'failed', 'canceled') OR v_job.step <> p_step
        OR v_job.polled_at > clock_timestamp() - make_interval(secs => p_quiet_s) THEN
        RETURN;
    END IF;
    IF v_job.lease_until > clock_timestamp() THEN
        held_s := extract(epoch FROM v_job.lease_until - clock_timestamp());
        job := v_job;
        "order" := v_order;
        RETURN NEXT;
        RETURN;
    END IF;
    -- Nothing is sent any more for an order that ended, is in review, or is past its deadline.
    sendable := v_order.state IN ('queued', 'running') AND v_order.deadline_at > clock_timestamp();
    IF v_job.state = 'queued' AND sendable AND v_order.state = 'queued' THEN
        UPDATE orders o SET state = 'running', started_at = now() WHERE o.id = v_order.id;
    END IF;
    UPDATE jobs j SET lease = p_lease,
        lease_until = clock_timestamp() + make_interval(secs => p_lease_s),
        state = CASE WHEN j.state = 'queued' AND sendable THEN 'submitting' ELSE j.state END
    WHERE j.id = p_job_id RETURNING j.* INTO v_job;
    job := v_job;
    "order" := v_order;
    RETURN NEXT;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON orders, jobs TO hamyon_app;
