CREATE TYPE public.pgqueuer_status AS ENUM (
    'queued',
    'picked',
    'successful',
    'exception',
    'canceled',
    'deleted',
    'failed'
);

CREATE FUNCTION public.idempotency_answer(p_caller text, p_user_id bigint, p_route text, p_key text, p_answer jsonb) RETURNS void
    LANGUAGE sql
    AS $$
    UPDATE idempotency_keys SET answer = p_answer
    WHERE caller = p_caller AND user_id = p_user_id AND route = p_route AND key = p_key;
$$;

CREATE FUNCTION public.idempotency_claim(p_caller text, p_user_id bigint, p_route text, p_key text, p_input_hash bytea) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.images_submit(p_caller text, p_route text, p_key text, p_input_hash bytea, p_order_id uuid, p_job_id uuid, p_user_id bigint, p_model_key text, p_engine text, p_provider_path text, p_input jsonb, p_upload_ids uuid[], p_asset text, p_price bigint, p_price_id bigint, p_trial_limit integer, p_deliver jsonb, p_deadline_s integer, p_active_max integer, p_position integer) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
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

CREATE TABLE public.jobs (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    ordinal smallint NOT NULL,
    engine text NOT NULL,
    provider_path text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    provider_job_id text,
    lease uuid,
    lease_until timestamp with time zone,
    step integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    fetches integer DEFAULT 0 NOT NULL,
    submitted_at timestamp with time zone,
    polled_at timestamp with time zone,
    outputs jsonb DEFAULT '[]'::jsonb NOT NULL,
    cost_micro_usd bigint,
    error_code text,
    error_message text,
    error_retryable boolean DEFAULT false NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'submitting'::text, 'running'::text, 'succeeded'::text, 'refused'::text, 'failed'::text, 'canceled'::text, 'uncertain'::text])))
)
WITH (fillfactor='85');

CREATE TABLE public.orders (
    id uuid NOT NULL,
    user_id bigint NOT NULL,
    product text NOT NULL,
    model_key text NOT NULL,
    engine text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    input jsonb NOT NULL,
    asset text NOT NULL,
    price bigint NOT NULL,
    price_id bigint NOT NULL,
    charged bigint,
    trial boolean DEFAULT false NOT NULL,
    deliver jsonb,
    caller text NOT NULL,
    priority integer NOT NULL,
    error_code text,
    error_message text,
    error_retryable boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline_at timestamp with time zone NOT NULL,
    review_until timestamp with time zone,
    settled_at timestamp with time zone,
    CONSTRAINT orders_check CHECK (((charged >= 0) AND (charged <= price))),
    CONSTRAINT orders_check1 CHECK (((NOT trial) OR (price = 0))),
    CONSTRAINT orders_check2 CHECK (((settled_at IS NULL) = (charged IS NULL))),
    CONSTRAINT orders_check3 CHECK (((settled_at IS NOT NULL) OR (state = ANY (ARRAY['queued'::text, 'running'::text, 'review'::text])))),
    CONSTRAINT orders_check4 CHECK (((state = 'review'::text) = ((review_until IS NOT NULL) AND (settled_at IS NULL)))),
    CONSTRAINT orders_price_check CHECK ((price >= 0)),
    CONSTRAINT orders_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'review'::text, 'completed'::text, 'failed'::text, 'canceled'::text])))
)
WITH (fillfactor='85');

CREATE FUNCTION public.job_claim(p_job_id uuid, p_lease uuid, p_lease_s double precision, p_step integer, p_quiet_s double precision) RETURNS TABLE(job public.jobs, "order" public.orders, was text, held_s double precision, sendable boolean)
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.ledger_account(p_user_id bigint, p_role text, p_asset text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_id bigint;
BEGIN
    FOR attempt IN 1..2 LOOP
        IF p_user_id IS NULL THEN
            SELECT id INTO v_id FROM accounts
            WHERE user_id IS NULL AND role = p_role AND asset = p_asset;
        ELSE
            SELECT id INTO v_id FROM accounts
            WHERE user_id = p_user_id AND asset = p_asset AND role = p_role;
        END IF;
        EXIT WHEN FOUND;
        INSERT INTO accounts (user_id, role, asset) VALUES (p_user_id, p_role, p_asset)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN v_id;
END
$$;

CREATE FUNCTION public.ledger_apply(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_reverses bigint, p_accounts bigint[], p_amounts bigint[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_hash    bytea;
    v_account accounts;
    v_users   bigint[] := '{}';
    v_assets  text[] := '{}';
BEGIN
    SELECT input_hash INTO v_hash FROM transfers WHERE key = p_key;
    IF FOUND THEN
        IF v_hash <> p_hash THEN
            PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
        END IF;
        RETURN false;
    END IF;
    FOR i IN 1..cardinality(p_accounts) LOOP
        SELECT * INTO STRICT v_account FROM accounts WHERE id = p_accounts[i];
        CONTINUE WHEN v_account.user_id IS NULL;
        IF v_account.role = 'wallet' AND v_account.posted - v_account.held + p_amounts[i] < 0 THEN
            PERFORM refuse('insufficient_funds', jsonb_build_object('asset', v_account.asset,
                'needed', -p_amounts[i], 'balance', v_account.posted - v_account.held));
        ELSIF v_account.role = 'debt' AND v_account.posted + p_amounts[i] > 0 THEN
            PERFORM refuse('invalid_transfer', jsonb_build_object('problem', 'more_than_owed'));
        END IF;
        PERFORM ledger_check_amount(abs(v_account.posted + p_amounts[i]), 0);
        v_users := v_users || v_account.user_id;
        v_assets := v_assets || v_account.asset;
    END LOOP;
    IF NOT ledger_write(p_kind, p_key, p_hash, p_actor, p_reason, p_reference, p_reverses,
        p_accounts, p_amounts) THEN
        RETURN false;
    END IF;
    FOR i IN 1..cardinality(v_users) LOOP
        PERFORM ledger_pay_debt(v_users[i], v_assets[i],
            p_key || ':' || v_users[i] || ':' || v_assets[i]);
    END LOOP;
    RETURN true;
END
$$;

CREATE FUNCTION public.ledger_capture(p_key text, p_amount bigint, p_kind text, p_to_role text, p_transfer_key text, p_reference text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_hash    bytea := sha256(convert_to(
        jsonb_build_array('capture', p_key, p_amount, p_kind, p_to_role)::text, 'UTF8'));
    v_first   bytea;
    v_hold    holds;
    v_user_id bigint;
    v_asset   text;
    v_to      bigint;
BEGIN
    PERFORM ledger_check_amount(p_amount, 0);
    SELECT * INTO v_hold FROM holds WHERE key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse('hold_not_found', jsonb_build_object('key', p_key));
    END IF;
    IF v_hold.state <> 'open' THEN
        IF p_amount > 0 THEN
            SELECT input_hash INTO v_first FROM transfers WHERE key = p_transfer_key;
            IF v_first <> v_hash THEN
                PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_transfer_key));
            END IF;
        END IF;
        IF v_hold.captured <> p_amount OR (p_amount > 0 AND v_first IS NULL) THEN
            PERFORM refuse('hold_closed', jsonb_build_object('key', p_key, 'captured', v_hold.captured));
        END IF;
        RETURN false;
    END IF;
    IF p_amount > v_hold.amount THEN
        PERFORM refuse('hold_exceeded', jsonb_build_object('key', p_key, 'held', v_hold.amount));
    END IF;
    SELECT user_id, asset INTO STRICT v_user_id, v_asset FROM accounts WHERE id = v_hold.account_id;
    IF p_amount > 0 THEN
        v_to := ledger_account(NULL, p_to_role, v_asset);
    END IF;
    -- This locks the wallet.
    UPDATE accounts SET held = held - v_hold.amount WHERE id = v_hold.account_id;
    UPDATE holds SET captured = p_amount, closed_at = now(),
        state = CASE WHEN p_amount > 0 THEN 'captured' ELSE 'released' END
    WHERE id = v_hold.id;
    IF p_amount > 0 AND NOT ledger_write(p_kind, p_transfer_key, v_hash, 'system', NULL, p_reference,
        NULL, ARRAY[v_hold.account_id, v_to], ARRAY[-p_amount, p_amount]) THEN
        RAISE EXCEPTION 'the hold % was captured before it was closed', p_key;
    END IF;
    IF p_amount < v_hold.amount THEN
        PERFORM ledger_pay_debt(v_user_id, v_asset, 'release:' || p_key);
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION public.ledger_check_amount(p_amount bigint, p_least bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF p_amount IS NULL OR p_amount < p_least THEN
        PERFORM refuse('invalid_amount', jsonb_build_object('amount', p_amount, 'least', p_least));
    ELSIF p_amount > 9007199254740991 THEN
        PERFORM refuse('amount_too_large', jsonb_build_object('limit', 9007199254740991));
    END IF;
END
$$;

CREATE FUNCTION public.ledger_check_balanced() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_transfer bigint := CASE TG_TABLE_NAME WHEN 'transfers' THEN NEW.id ELSE NULL END;
    v_count    bigint;
    v_uneven   bigint;
BEGIN
    IF v_transfer IS NULL THEN
        v_transfer := NEW.transfer_id;
    END IF;
    SELECT coalesce(sum(n), 0), count(*) FILTER (WHERE total <> 0 OR asset IS NULL)
    INTO v_count, v_uneven
    FROM (
        SELECT asset, count(*) AS n, sum(amount) AS total
        FROM (
            SELECT e.amount, (SELECT a.asset FROM accounts a WHERE a.id = e.account_id) AS asset
            FROM ledger_entries e WHERE e.transfer_id = v_transfer
        ) line GROUP BY asset
    ) per_asset;
    IF v_count < 2 OR v_uneven > 0 THEN
        RAISE EXCEPTION 'transfer % does not balance', v_transfer USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.ledger_claw_back(p_user_id bigint, p_asset text, p_amount bigint, p_kind text, p_to_role text, p_key text, p_actor text, p_reason text, p_reference text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_hash   bytea := sha256(convert_to(jsonb_build_array(
        'claw_back', p_user_id, p_asset, p_amount, p_kind, p_to_role)::text, 'UTF8'));
    v_to     bigint;
    v_wallet bigint;
    v_debt   bigint;
    v_first  transfers;
    v_taken  bigint;
    v_ids    bigint[];
    v_sums   bigint[];
BEGIN
    PERFORM ledger_check_amount(p_amount, 1);
    v_to := ledger_account(NULL, p_to_role, p_asset);
    v_wallet := ledger_account(p_user_id, 'wallet', p_asset);
    v_debt := ledger_account(p_user_id, 'debt', p_asset);
    PERFORM ledger_lock(ARRAY[v_wallet]);
    SELECT * INTO v_first FROM transfers WHERE key = p_key;
    IF FOUND THEN
        IF v_first.input_hash <> v_hash THEN
            PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
        END IF;
        RETURN coalesce((SELECT -sum(amount) FROM ledger_entries
            WHERE transfer_id = v_first.id AND account_id = v_debt), 0);
    END IF;
    SELECT least(p_amount, posted - held) INTO STRICT v_taken FROM accounts WHERE id = v_wallet;
    v_ids := ARRAY[v_to];
    v_sums := ARRAY[p_amount];
    IF v_taken > 0 THEN
        v_ids := v_ids || v_wallet;
        v_sums := v_sums || -v_taken;
    END IF;
    IF v_taken < p_amount THEN
        v_ids := v_ids || v_debt;
        v_sums := v_sums || (v_taken - p_amount);
    END IF;
    PERFORM ledger_apply(p_kind, p_key, v_hash, p_actor, p_reason, p_reference, NULL, v_ids, v_sums);
    RETURN p_amount - v_taken;
END
$$;

CREATE FUNCTION public.ledger_forbid() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION '% of % is forbidden: the ledger only grows', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION public.ledger_lock(p_accounts bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_id      bigint;
    v_account accounts;
    v_wallets bigint[] := '{}';
BEGIN
    FOREACH v_id IN ARRAY p_accounts LOOP
        SELECT * INTO STRICT v_account FROM accounts WHERE id = v_id;
        IF v_account.role = 'wallet' THEN
            v_wallets := v_wallets || v_id;
        ELSIF v_account.user_id IS NOT NULL THEN
            v_wallets := v_wallets || ledger_account(v_account.user_id, 'wallet', v_account.asset);
        END IF;
    END LOOP;
    PERFORM 1 FROM accounts WHERE id = ANY (v_wallets) ORDER BY id FOR NO KEY UPDATE;
END
$$;

CREATE FUNCTION public.ledger_open_hold(p_user_id bigint, p_asset text, p_amount bigint, p_key text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_wallet accounts;
    v_hold   holds;
    v_after  bigint;
BEGIN
    PERFORM ledger_check_amount(p_amount, 1);
    SELECT * INTO v_wallet FROM accounts
    WHERE user_id = p_user_id AND asset = p_asset AND role = 'wallet' FOR NO KEY UPDATE;
    SELECT * INTO v_hold FROM holds WHERE key = p_key;
    IF FOUND THEN
        IF v_hold.account_id IS DISTINCT FROM v_wallet.id OR v_hold.amount <> p_amount THEN
            PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
        END IF;
        RETURN v_hold.available_after;
    END IF;
    v_after := v_wallet.posted - v_wallet.held - p_amount;
    IF v_wallet.id IS NULL OR v_after < 0 THEN
        PERFORM refuse('insufficient_funds', jsonb_build_object('asset', p_asset, 'needed', p_amount,
            'balance', coalesce(v_wallet.posted - v_wallet.held, 0)));
    END IF;
    INSERT INTO holds (account_id, amount, key, available_after)
    VALUES (v_wallet.id, p_amount, p_key, v_after)
    ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        -- Another wallet took the key while this one was locked: keys are unique over people.
        PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
    END IF;
    UPDATE accounts SET held = held + p_amount WHERE id = v_wallet.id;
    RETURN v_after;
END
$$;

CREATE FUNCTION public.ledger_pay_debt(p_user_id bigint, p_asset text, p_cause text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_wallet accounts;
    v_debt   accounts;
    v_paid   bigint;
BEGIN
    SELECT * INTO v_debt FROM accounts
    WHERE user_id = p_user_id AND asset = p_asset AND role = 'debt';
    IF NOT FOUND OR v_debt.posted = 0 THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT v_wallet FROM accounts
    WHERE user_id = p_user_id AND asset = p_asset AND role = 'wallet';
    v_paid := least(-v_debt.posted, v_wallet.posted - v_wallet.held);
    IF v_paid > 0 AND NOT ledger_write('debt', 'debt:' || p_cause,
        sha256(convert_to(p_cause, 'UTF8')), 'system', NULL, p_cause, NULL,
        ARRAY[v_wallet.id, v_debt.id], ARRAY[-v_paid, v_paid]) THEN
        RAISE EXCEPTION 'the debt behind % was paid before its cause', p_cause;
    END IF;
END
$$;

CREATE FUNCTION public.ledger_post(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_users bigint[], p_roles text[], p_assets text[], p_amounts bigint[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_problem  text;
    v_large    boolean;
    v_accounts bigint[] := '{}';
    v_amounts  bigint[] := '{}';
    v_line     record;
BEGIN
    SELECT CASE
            WHEN count(*) < 2 THEN 'too_few_lines'
            WHEN bool_or(r IS NULL OR a IS NULL OR n IS NULL OR n = 0) THEN 'empty_line'
            WHEN bool_or((u IS NULL) = (r IN ('wallet', 'debt'))) THEN 'unknown_role'
            WHEN count(DISTINCT (u, r, a)) < count(*) THEN 'account_twice'
            WHEN (SELECT bool_or(total <> 0) FROM (
                    SELECT sum(n) AS total FROM unnest(p_assets, p_amounts) AS line (a, n) GROUP BY a
                ) per_asset) THEN 'unbalanced'
        END, bool_or(n NOT BETWEEN -9007199254740991 AND 9007199254740991)
    INTO v_problem, v_large
    FROM unnest(p_users, p_roles, p_assets, p_amounts) AS line (u, r, a, n);
    IF v_large THEN
        PERFORM refuse('amount_too_large', jsonb_build_object('limit', 9007199254740991));
    ELSIF v_problem IS NOT NULL THEN
        PERFORM refuse('invalid_transfer', jsonb_build_object('problem', v_problem));
    END IF;
    -- Accounts are made in one order, whatever the order of the lines.
    FOR v_line IN
        SELECT u, r, a, n FROM unnest(p_users, p_roles, p_assets, p_amounts) AS line (u, r, a, n)
        ORDER BY u NULLS FIRST, a, r DESC
    LOOP
        v_accounts := v_accounts || ledger_account(v_line.u, v_line.r, v_line.a);
        v_amounts := v_amounts || v_line.n;
    END LOOP;
    PERFORM ledger_lock(v_accounts);
    RETURN ledger_apply(p_kind, p_key, p_hash, p_actor, p_reason, p_reference, NULL,
        v_accounts, v_amounts);
END
$$;

CREATE FUNCTION public.ledger_reverse(p_of_key text, p_key text, p_kind text, p_actor text, p_reason text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_of       transfers;
    v_by       text;
    v_account  accounts;
    v_over     bigint;
    v_accounts bigint[];
    v_amounts  bigint[];
BEGIN
    SELECT * INTO v_of FROM transfers WHERE key = p_of_key;
    IF NOT FOUND THEN
        PERFORM refuse('transfer_not_found', jsonb_build_object('key', p_of_key));
    END IF;
    SELECT array_agg(account_id ORDER BY id), array_agg(-amount ORDER BY id)
    INTO v_accounts, v_amounts FROM ledger_entries WHERE transfer_id = v_of.id;
    -- The wallets are locked before the look: two reversals of one transfer queue here.
    PERFORM ledger_lock(v_accounts);
    SELECT key INTO v_by FROM transfers WHERE reverses = v_of.id;
    IF FOUND AND v_by <> p_key THEN
        PERFORM refuse('already_reversed', jsonb_build_object('key', p_of_key, 'by', v_by));
    END IF;
    FOR i IN 1..cardinality(v_accounts) LOOP
        SELECT * INTO STRICT v_account FROM accounts WHERE id = v_accounts[i];
        v_over := v_account.posted + v_amounts[i];
        IF v_account.role = 'debt' AND v_over > 0 THEN
            v_accounts := v_accounts
                || ARRAY[v_account.id, ledger_account(v_account.user_id, 'wallet', v_account.asset)];
            v_amounts := v_amounts || ARRAY[-v_over, v_over];
        END IF;
    END LOOP;
    SELECT array_agg(id ORDER BY id), array_agg(n ORDER BY id) INTO v_accounts, v_amounts
    FROM (
        SELECT id, sum(n)::bigint AS n FROM unnest(v_accounts, v_amounts) AS line (id, n)
        GROUP BY id HAVING sum(n) <> 0
    ) merged;
    IF v_by IS NULL AND v_accounts IS NULL THEN
        PERFORM refuse('invalid_transfer', jsonb_build_object('problem', 'nothing_to_undo'));
    END IF;
    RETURN ledger_apply(p_kind, p_key,
        sha256(convert_to(jsonb_build_array('reverse', p_of_key, p_kind)::text, 'UTF8')),
        p_actor, p_reason, v_of.reference, v_of.id, v_accounts, v_amounts);
END
$$;

CREATE FUNCTION public.ledger_write(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_reverses bigint, p_accounts bigint[], p_amounts bigint[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_transfer bigint;
    v_hash     bytea;
    v_after    bigint;
    v_own      boolean;
BEGIN
    INSERT INTO transfers (kind, key, input_hash, actor, reason, reference, reverses)
    VALUES (p_kind, p_key, p_hash, p_actor, p_reason, p_reference, p_reverses)
    ON CONFLICT DO NOTHING RETURNING id INTO v_transfer;
    IF v_transfer IS NULL THEN
        SELECT input_hash INTO v_hash FROM transfers WHERE key = p_key;
        IF NOT FOUND THEN
            -- Not the key but the transfer to be undone was taken: another reversal won, and there
            -- was no wallet at which the two could have queued.
            PERFORM refuse('already_reversed', (
                SELECT jsonb_build_object('key', o.key, 'by', r.key)
                FROM transfers r JOIN transfers o ON o.id = r.reverses
                WHERE r.reverses = p_reverses));
        END IF;
        IF v_hash <> p_hash THEN
            PERFORM refuse('idempotency_mismatch', jsonb_build_object('key', p_key));
        END IF;
        RETURN false;
    END IF;
    FOR i IN 1..cardinality(p_accounts) LOOP
        UPDATE accounts SET posted = posted + p_amounts[i]
        WHERE id = p_accounts[i] AND user_id IS NOT NULL RETURNING posted INTO v_after;
        v_own := FOUND;
        INSERT INTO ledger_entries (transfer_id, account_id, amount, balance_after)
        VALUES (v_transfer, p_accounts[i], p_amounts[i], CASE WHEN v_own THEN v_after END);
    END LOOP;
    RETURN true;
END
$$;

CREATE FUNCTION public.order_open(p_order_id uuid, p_user_id bigint, p_product text, p_model_key text, p_engine text, p_provider_paths text[], p_job_ids uuid[], p_input jsonb, p_asset text, p_price bigint, p_price_id bigint, p_trial boolean, p_deliver jsonb, p_caller text, p_deadline_s integer, p_active_max integer) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.queue_add(p_entrypoint text, p_payload text, p_priority integer DEFAULT 0, p_delay interval DEFAULT '00:00:00'::interval, p_dedupe_key text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO pgqueuer (priority, status, entrypoint, payload, execute_after, dedupe_key)
    VALUES (p_priority, 'queued', p_entrypoint, convert_to(p_payload, 'UTF8'), now() + p_delay,
        p_dedupe_key)
    ON CONFLICT DO NOTHING;
$$;

CREATE FUNCTION public.refuse(p_code text, p_facts jsonb DEFAULT '{}'::jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'HM000', MESSAGE = p_code, DETAIL = p_facts::text;
END
$$;

CREATE FUNCTION public.trial_reserve(p_user_id bigint, p_product text, p_order_id uuid, p_limit integer) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_taken integer;
BEGIN
    SELECT count(*) INTO v_taken FROM trial_uses
    WHERE user_id = p_user_id AND product = p_product AND state <> 'returned';
    IF v_taken >= p_limit THEN
        RETURN false;
    END IF;
    FOR v_slot IN 1..p_limit LOOP
        INSERT INTO trial_uses (order_id, user_id, product, slot)
        VALUES (p_order_id, p_user_id, p_product, v_slot) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;

CREATE FUNCTION public.user_standing(p_user_id bigint) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN blocked_at IS NULL THEN 'active' ELSE 'blocked' END
    FROM users WHERE id = p_user_id;
$$;

CREATE TABLE public.accounts (
    id bigint NOT NULL,
    user_id bigint,
    role text NOT NULL,
    asset text NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    CONSTRAINT accounts_shape CHECK (
CASE
    WHEN (user_id IS NULL) THEN ((posted = 0) AND (held = 0) AND (role <> ALL (ARRAY['wallet'::text, 'debt'::text])))
    WHEN (role = 'wallet'::text) THEN ((held >= 0) AND ((posted - held) >= 0))
    WHEN (role = 'debt'::text) THEN ((held = 0) AND (posted <= 0))
    ELSE false
END)
)
WITH (fillfactor='80');

ALTER TABLE public.accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.assets (
    code text NOT NULL,
    scale smallint NOT NULL,
    CONSTRAINT assets_scale_check CHECK (((scale >= 0) AND (scale <= 9)))
);

CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    before jsonb,
    after jsonb,
    reason text,
    address text,
    request_id text
);

ALTER TABLE public.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.bonus_takings (
    refund_id uuid NOT NULL,
    bonus_id bigint NOT NULL,
    amount bigint NOT NULL,
    posted boolean NOT NULL,
    undone boolean DEFAULT false NOT NULL,
    CONSTRAINT bonus_takings_amount_check CHECK ((amount > 0))
);

CREATE TABLE public.bonuses (
    id bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    user_id bigint NOT NULL,
    from_user_id bigint,
    payment_id uuid,
    asset text NOT NULL,
    amount bigint NOT NULL,
    taken_back bigint DEFAULT 0 NOT NULL,
    state text NOT NULL,
    day date NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT bonuses_amount_check CHECK ((amount >= 0)),
    CONSTRAINT bonuses_kind_check CHECK ((kind = ANY (ARRAY['referral'::text, 'referral_join'::text, 'referral_first'::text, 'promo_percent'::text]))),
    CONSTRAINT bonuses_state_check CHECK ((state = ANY (ARRAY['held'::text, 'granted'::text, 'canceled'::text]))),
    CONSTRAINT bonuses_taken CHECK (((taken_back >= 0) AND (taken_back <= amount)))
)
WITH (fillfactor='80');

ALTER TABLE public.bonuses ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.bonuses_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.bot_chats (
    user_id bigint NOT NULL,
    expecting text,
    expecting_facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    expecting_until timestamp with time zone,
    choices jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT bot_chats_check CHECK (((expecting IS NULL) = (expecting_until IS NULL)))
)
WITH (fillfactor='70');

CREATE TABLE public.bot_drafts (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    chat_id bigint NOT NULL,
    prompt_message_id bigint,
    panel_message_id bigint,
    media_group_id text,
    prompt text DEFAULT ''::text NOT NULL,
    upload_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    model_key text NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    order_id uuid,
    attempt integer DEFAULT 0 NOT NULL,
    key text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='70');

COMMENT ON COLUMN public.bot_drafts.key IS 'of the update that began it, so that it is begun once';

ALTER TABLE public.bot_drafts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.bot_drafts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.bot_updates (
    bot_id bigint NOT NULL,
    update_id bigint NOT NULL,
    person_id bigint NOT NULL,
    body jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    lease uuid,
    lease_until timestamp with time zone,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    done boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT bot_updates_check CHECK ((done OR (body IS NOT NULL)))
)
WITH (fillfactor='70');

CREATE TABLE public.broadcast_pumps (
    channel text NOT NULL,
    lease uuid,
    lease_until timestamp with time zone,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

COMMENT ON COLUMN public.broadcast_pumps.not_before IS 'until then the channel wants to be left alone';

CREATE TABLE public.broadcast_recipients (
    broadcast_id bigint NOT NULL,
    user_id bigint NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    error text,
    sent_at timestamp with time zone,
    CONSTRAINT broadcast_recipients_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT broadcast_recipients_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'blocked'::text, 'deactivated'::text, 'failed'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.broadcasts (
    id bigint NOT NULL,
    content jsonb NOT NULL,
    segment jsonb NOT NULL,
    state text DEFAULT 'draft'::text NOT NULL,
    paid boolean DEFAULT false NOT NULL,
    schedule_at timestamp with time zone,
    recipients integer DEFAULT 0 NOT NULL,
    files jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    sent integer,
    blocked integer,
    failed integer,
    CONSTRAINT broadcasts_blocked_check CHECK ((blocked >= 0)),
    CONSTRAINT broadcasts_check CHECK (((state = 'scheduled'::text) <= (schedule_at IS NOT NULL))),
    CONSTRAINT broadcasts_check1 CHECK (((state = ANY (ARRAY['completed'::text, 'canceled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT broadcasts_check2 CHECK (((sent IS NULL) OR (state = ANY (ARRAY['completed'::text, 'canceled'::text])))),
    CONSTRAINT broadcasts_check3 CHECK ((num_nulls(sent, blocked, failed) = ANY (ARRAY[0, 3]))),
    CONSTRAINT broadcasts_failed_check CHECK ((failed >= 0)),
    CONSTRAINT broadcasts_recipients_check CHECK ((recipients >= 0)),
    CONSTRAINT broadcasts_sent_check CHECK ((sent >= 0)),
    CONSTRAINT broadcasts_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'scheduled'::text, 'running'::text, 'paused'::text, 'completed'::text, 'canceled'::text])))
);

COMMENT ON COLUMN public.broadcasts.recipients IS 'counted when it was made, fixed when it starts';

COMMENT ON COLUMN public.broadcasts.files IS 'the channel''s own ids of its files, known after the first upload';

COMMENT ON COLUMN public.broadcasts.sent IS 'with blocked and failed: how it ended, null until that is certain';

ALTER TABLE public.broadcasts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.broadcasts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.daily_bonuses (
    user_id bigint NOT NULL,
    product text NOT NULL,
    day date NOT NULL,
    streak integer NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT daily_bonuses_amount_check CHECK ((amount >= 0)),
    CONSTRAINT daily_bonuses_streak_check CHECK ((streak > 0))
);

CREATE TABLE public.deliveries (
    id bigint NOT NULL,
    notice_id bigint NOT NULL,
    user_id bigint NOT NULL,
    channel text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    step integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    doubts integer DEFAULT 0 NOT NULL,
    sent jsonb DEFAULT '[]'::jsonb NOT NULL,
    error text,
    lease uuid,
    lease_until timestamp with time zone,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT deliveries_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT deliveries_check CHECK (((state = 'pending'::text) = (ended_at IS NULL))),
    CONSTRAINT deliveries_doubts_check CHECK ((doubts >= 0)),
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'muted'::text, 'gone'::text, 'failed'::text]))),
    CONSTRAINT deliveries_step_check CHECK ((step >= 0))
)
WITH (fillfactor='80');

COMMENT ON COLUMN public.deliveries.step IS 'how many of its messages have arrived';

COMMENT ON COLUMN public.deliveries.doubts IS 'how often its next message was sent without an answer';

COMMENT ON COLUMN public.deliveries.sent IS 'the channel''s ids of those messages, a list a step';

ALTER TABLE public.deliveries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.discounts (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    product text NOT NULL,
    percent integer NOT NULL,
    offered_at timestamp with time zone DEFAULT now() NOT NULL,
    used_by uuid,
    used_at timestamp with time zone,
    CONSTRAINT discounts_percent_check CHECK (((percent >= 1) AND (percent <= 99)))
);

ALTER TABLE public.discounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.discounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.drawings_people (
    user_id bigint NOT NULL,
    advertising_source text,
    generation_count integer DEFAULT 0 NOT NULL,
    first_generation_at timestamp with time zone,
    last_generation_at timestamp with time zone,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    last_activity_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT drawings_people_generation_count_check CHECK ((generation_count >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.holds (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    captured bigint DEFAULT 0 NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    key text NOT NULL,
    available_after bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT holds_amount_check CHECK ((amount > 0)),
    CONSTRAINT holds_shape CHECK (
CASE state
    WHEN 'open'::text THEN ((captured = 0) AND (closed_at IS NULL))
    WHEN 'captured'::text THEN ((captured > 0) AND (captured <= amount) AND (closed_at IS NOT NULL))
    WHEN 'released'::text THEN ((captured = 0) AND (closed_at IS NOT NULL))
    ELSE false
END)
)
WITH (fillfactor='80');

CREATE VIEW public.hold_outcomes AS
 SELECT h.key,
    h.state,
    h.amount,
    h.captured,
    h.created_at,
    a.user_id,
    a.asset
   FROM (public.holds h
     JOIN public.accounts a ON ((a.id = h.account_id)));

ALTER TABLE public.holds ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.holds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_keys (
    caller text NOT NULL,
    user_id bigint NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    input_hash bytea NOT NULL,
    answer jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200)))
)
WITH (fillfactor='70');

CREATE TABLE public.inbox (
    id bigint NOT NULL,
    source text NOT NULL,
    event_key text NOT NULL,
    subject text NOT NULL,
    body bytea NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    handled_at timestamp with time zone
);

ALTER TABLE public.inbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ledger_entries (
    id bigint NOT NULL,
    transfer_id bigint NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint,
    CONSTRAINT ledger_entries_amount_check CHECK ((amount <> 0))
);

ALTER TABLE public.ledger_entries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.login_sessions (
    id uuid NOT NULL,
    user_id bigint NOT NULL,
    origin text NOT NULL,
    address text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT login_sessions_origin_check CHECK ((origin = ANY (ARRAY['miniapp'::text, 'widget'::text])))
);

CREATE TABLE public.models (
    key text NOT NULL,
    product text NOT NULL,
    engine text NOT NULL,
    name text NOT NULL,
    path_text text NOT NULL,
    path_edit text NOT NULL,
    max_references smallint NOT NULL,
    options jsonb NOT NULL,
    quality_stars smallint NOT NULL,
    duration_min_s integer NOT NULL,
    duration_max_s integer NOT NULL,
    deadline_s integer NOT NULL,
    active boolean DEFAULT true NOT NULL,
    sort integer DEFAULT 0 NOT NULL,
    CONSTRAINT models_deadline_s_check CHECK ((deadline_s > 0)),
    CONSTRAINT models_key_check CHECK ((key ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT models_max_references_check CHECK ((max_references >= 0)),
    CONSTRAINT models_quality_stars_check CHECK (((quality_stars >= 1) AND (quality_stars <= 5)))
);

CREATE TABLE public.news (
    id bigint NOT NULL,
    language text,
    product text,
    title text NOT NULL,
    body text NOT NULL,
    link text,
    upload_id uuid,
    pinned boolean DEFAULT false NOT NULL,
    active boolean DEFAULT true NOT NULL,
    publish_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT news_language_check CHECK ((language = ANY (ARRAY['uz'::text, 'ru'::text, 'en'::text])))
);

COMMENT ON COLUMN public.news.language IS 'null: for everybody';

ALTER TABLE public.news ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.news_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.notices (
    id bigint NOT NULL,
    key text NOT NULL,
    user_id bigint,
    kind text NOT NULL,
    facts jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone
);

ALTER TABLE public.notices ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notices_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.notification_preferences (
    user_id bigint NOT NULL,
    topic text NOT NULL,
    enabled boolean NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.operation_runs (
    id bigint NOT NULL,
    name text NOT NULL,
    day date NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    findings integer DEFAULT 0 NOT NULL,
    outcome jsonb NOT NULL
);

ALTER TABLE public.operation_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.operation_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.packages (
    key text NOT NULL,
    titles jsonb NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL,
    bonus bigint DEFAULT 0 NOT NULL,
    prices jsonb NOT NULL,
    active boolean DEFAULT true NOT NULL,
    sort integer DEFAULT 0 NOT NULL,
    CONSTRAINT packages_amount_check CHECK ((amount > 0)),
    CONSTRAINT packages_bonus_check CHECK ((bonus >= 0)),
    CONSTRAINT packages_key_check CHECK ((key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text))
);

CREATE TABLE public.payment_mismatches (
    id bigint NOT NULL,
    gateway text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    payment_id uuid,
    ours jsonb,
    theirs jsonb,
    run_id uuid,
    state text DEFAULT 'open'::text NOT NULL,
    decision text,
    note text,
    resolved_by text,
    resolved_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payment_mismatches_state_check CHECK ((state = ANY (ARRAY['open'::text, 'healed'::text, 'resolved'::text])))
);

ALTER TABLE public.payment_mismatches ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.payment_mismatches_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.payments (
    id uuid NOT NULL,
    user_id bigint NOT NULL,
    gateway text NOT NULL,
    state text DEFAULT 'created'::text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL,
    rate_numerator bigint,
    rate_denominator bigint,
    package_key text,
    quantity integer DEFAULT 1 NOT NULL,
    title text NOT NULL,
    discount_id bigint,
    invoice_id uuid,
    vendor_key text NOT NULL,
    vendor_key_at timestamp with time zone NOT NULL,
    external_id text,
    url text,
    vendor_at timestamp with time zone,
    check_at timestamp with time zone,
    checks integer DEFAULT 0 NOT NULL,
    cancel_reason text,
    payer_id bigint,
    paid_minor bigint,
    granted bigint,
    paid_at timestamp with time zone,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    taken_back bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payments_amount_check CHECK ((amount > 0)),
    CONSTRAINT payments_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payments_granted_check CHECK ((granted >= 0)),
    CONSTRAINT payments_paid_minor_check CHECK ((paid_minor > 0)),
    CONSTRAINT payments_quantity_check CHECK ((quantity > 0)),
    CONSTRAINT payments_rate CHECK (((rate_numerator IS NULL) = (rate_denominator IS NULL))),
    CONSTRAINT payments_shape CHECK (
CASE state
    WHEN 'paid'::text THEN ((external_id IS NOT NULL) AND (paid_minor IS NOT NULL) AND (granted IS NOT NULL) AND (paid_at IS NOT NULL) AND (vendor_at IS NOT NULL) AND ((refunded_minor >= 0) AND (refunded_minor <= paid_minor)) AND ((taken_back >= 0) AND (taken_back <= granted)))
    ELSE ((paid_minor IS NULL) AND (granted IS NULL) AND (paid_at IS NULL) AND (refunded_minor = 0) AND (taken_back = 0))
END),
    CONSTRAINT payments_state_check CHECK ((state = ANY (ARRAY['created'::text, 'pending'::text, 'paid'::text, 'canceled'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.pgqueuer (
    id bigint NOT NULL,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    execute_after timestamp with time zone DEFAULT now() NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    slot bigint
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_analyze_threshold='500', autovacuum_vacuum_cost_limit='10000', autovacuum_vacuum_cost_delay='0', fillfactor='70');

CREATE SEQUENCE public.pgqueuer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.pgqueuer_id_seq OWNED BY public.pgqueuer.id;

CREATE TABLE public.pgqueuer_log (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    job_id bigint NOT NULL,
    status public.pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
)
WITH (autovacuum_vacuum_scale_factor='0.95', autovacuum_vacuum_threshold='1000000', autovacuum_analyze_scale_factor='0.05', autovacuum_analyze_threshold='10000');

ALTER TABLE public.pgqueuer_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.pgqueuer_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.pgqueuer_schedules (
    id bigint NOT NULL,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    next_run timestamp with time zone DEFAULT now() NOT NULL,
    last_run timestamp with time zone,
    status public.pgqueuer_status DEFAULT 'queued'::public.pgqueuer_status
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_analyze_threshold='500', autovacuum_vacuum_cost_limit='10000', autovacuum_vacuum_cost_delay='0', fillfactor='70');

CREATE SEQUENCE public.pgqueuer_schedules_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.pgqueuer_schedules_id_seq OWNED BY public.pgqueuer_schedules.id;

CREATE TABLE public.pgqueuer_statistics (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT date_trunc('sec'::text, now()) NOT NULL,
    count bigint NOT NULL,
    priority integer NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.95', autovacuum_vacuum_threshold='1000000', autovacuum_analyze_scale_factor='0.05', autovacuum_analyze_threshold='10000');

CREATE SEQUENCE public.pgqueuer_statistics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.pgqueuer_statistics_id_seq OWNED BY public.pgqueuer_statistics.id;

CREATE TABLE public.prices (
    id bigint NOT NULL,
    model_key text NOT NULL,
    asset text NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL,
    by_option jsonb DEFAULT '[]'::jsonb NOT NULL,
    set_by text NOT NULL,
    valid_from timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT prices_amount_check CHECK ((amount > 0)),
    CONSTRAINT prices_unit_check CHECK ((unit = ANY (ARRAY['order'::text, 'picture'::text])))
);

ALTER TABLE public.prices ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.prices_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.promo_codes (
    code text NOT NULL,
    shown text NOT NULL,
    asset text,
    amount bigint,
    percent integer,
    total_limit integer,
    per_user_limit integer DEFAULT 1 NOT NULL,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    products text[],
    active boolean DEFAULT true NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT promo_codes_amount_check CHECK ((amount > 0)),
    CONSTRAINT promo_codes_code_check CHECK (((length(code) >= 1) AND (length(code) <= 64))),
    CONSTRAINT promo_codes_per_user_limit_check CHECK ((per_user_limit > 0)),
    CONSTRAINT promo_codes_percent_check CHECK (((percent >= 1) AND (percent <= 1000))),
    CONSTRAINT promo_codes_reward CHECK ((((percent IS NULL) AND (asset IS NOT NULL) AND (amount IS NOT NULL)) OR ((percent IS NOT NULL) AND (asset IS NULL) AND (amount IS NULL)))),
    CONSTRAINT promo_codes_total_limit_check CHECK ((total_limit > 0)),
    CONSTRAINT promo_codes_uses CHECK (((uses >= 0) AND ((total_limit IS NULL) OR (uses <= total_limit))))
);

CREATE TABLE public.promo_guards (
    user_id bigint NOT NULL,
    wrong_at timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    blocked_until timestamp with time zone
);

CREATE TABLE public.promo_uses (
    id bigint NOT NULL,
    code text NOT NULL,
    user_id bigint NOT NULL,
    use integer NOT NULL,
    asset text,
    amount bigint,
    percent integer,
    payment_id uuid,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT promo_uses_use_check CHECK ((use > 0))
);

ALTER TABLE public.promo_uses ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.promo_uses_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.providers (
    name text NOT NULL,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    failures integer DEFAULT 0 NOT NULL,
    open_until timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    balance_micro_usd bigint,
    balance_at timestamp with time zone
);

CREATE TABLE public.reconcile_items (
    run_id uuid NOT NULL,
    kind text NOT NULL,
    external_id text NOT NULL,
    charge_id text NOT NULL,
    our_id uuid,
    state text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    payer_id bigint,
    vendor_at timestamp with time zone NOT NULL,
    CONSTRAINT reconcile_items_kind_check CHECK ((kind = ANY (ARRAY['charge'::text, 'refund'::text])))
);

CREATE TABLE public.reconcile_runs (
    id uuid NOT NULL,
    gateway text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    state text DEFAULT 'listing'::text NOT NULL,
    heal boolean DEFAULT true NOT NULL,
    cursor text,
    listed bigint DEFAULT 0 NOT NULL,
    compared bigint DEFAULT 0 NOT NULL,
    differences bigint DEFAULT 0 NOT NULL,
    healed bigint DEFAULT 0 NOT NULL,
    error text,
    started_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT reconcile_runs_state_check CHECK ((state = ANY (ARRAY['listing'::text, 'comparing'::text, 'healing'::text, 'done'::text, 'failed'::text]))),
    CONSTRAINT reconcile_window CHECK ((since < until))
);

CREATE TABLE public.refresh_tokens (
    token_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);

CREATE TABLE public.refunds (
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    gateway text NOT NULL,
    origin text NOT NULL,
    state text NOT NULL,
    amount_minor bigint NOT NULL,
    taken bigint NOT NULL,
    debt bigint NOT NULL,
    external_id text,
    vendor_key text NOT NULL,
    vendor_key_at timestamp with time zone NOT NULL,
    check_at timestamp with time zone,
    checks integer DEFAULT 0 NOT NULL,
    actor text NOT NULL,
    reason text,
    error text,
    vendor_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT refunds_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT refunds_check CHECK (((debt >= 0) AND (debt <= taken))),
    CONSTRAINT refunds_ended CHECK (((state = ANY (ARRAY['done'::text, 'failed'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT refunds_origin_check CHECK ((origin = ANY (ARRAY['operator'::text, 'vendor'::text]))),
    CONSTRAINT refunds_state_check CHECK ((state = ANY (ARRAY['sending'::text, 'pending'::text, 'done'::text, 'failed'::text]))),
    CONSTRAINT refunds_taken_check CHECK ((taken >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.roles (
    user_id bigint NOT NULL,
    role text NOT NULL,
    granted_by text NOT NULL,
    granted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT roles_role_check CHECK ((role = ANY (ARRAY['support'::text, 'finance'::text, 'admin'::text, 'owner'::text])))
);

CREATE TABLE public.service_keys (
    id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT service_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);

CREATE TABLE public.spent_proofs (
    proof_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.support_messages (
    id bigint NOT NULL,
    thread_id bigint NOT NULL,
    author text NOT NULL,
    body text NOT NULL,
    upload_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    key text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN public.support_messages.author IS 'person, or the operator as the audit log names him';

COMMENT ON COLUMN public.support_messages.key IS 'of the act that wrote it, so that it is written once';

ALTER TABLE public.support_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.support_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.support_threads (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    closed_by text,
    CONSTRAINT support_threads_check CHECK (((status = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT support_threads_status_check CHECK ((status = ANY (ARRAY['open'::text, 'answered'::text, 'closed'::text])))
)
WITH (fillfactor='80');

ALTER TABLE public.support_threads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.support_threads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.transfers (
    id bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    input_hash bytea NOT NULL,
    actor text NOT NULL,
    reason text,
    reference text,
    reverses bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE VIEW public.transfer_totals AS
 SELECT t.key,
    t.kind,
    t.reference,
    t.created_at,
    a.user_id,
    a.role,
    a.asset,
    e.amount
   FROM ((public.transfers t
     JOIN public.ledger_entries e ON ((e.transfer_id = t.id)))
     JOIN public.accounts a ON ((a.id = e.account_id)));

ALTER TABLE public.transfers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.transfers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.trial_uses (
    order_id uuid NOT NULL,
    user_id bigint NOT NULL,
    product text NOT NULL,
    slot smallint NOT NULL,
    state text DEFAULT 'reserved'::text NOT NULL,
    reserved_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT trial_uses_slot_check CHECK ((slot > 0)),
    CONSTRAINT trial_uses_state_check CHECK ((state = ANY (ARRAY['reserved'::text, 'used'::text, 'returned'::text])))
);

CREATE TABLE public.unreachable (
    user_id bigint NOT NULL,
    channel text NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT unreachable_reason_check CHECK ((reason = ANY (ARRAY['blocked'::text, 'deactivated'::text, 'not_found'::text])))
);

CREATE TABLE public.uploads (
    id uuid NOT NULL,
    user_id bigint NOT NULL,
    content_hash text NOT NULL,
    mime text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    bytes bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone
);

CREATE TABLE public.users (
    id bigint NOT NULL,
    username text,
    first_name text,
    last_name text,
    language text DEFAULT 'en'::text NOT NULL,
    referrer_id bigint,
    advertising_source text,
    blocked_at timestamp with time zone,
    blocked_reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    language_chosen boolean DEFAULT false NOT NULL,
    CONSTRAINT users_check CHECK ((referrer_id <> id)),
    CONSTRAINT users_id_check CHECK ((id > 0)),
    CONSTRAINT users_language_check CHECK ((language = ANY (ARRAY['uz'::text, 'ru'::text, 'en'::text])))
);

COMMENT ON COLUMN public.users.language_chosen IS 'by the person; then Telegram''s language no longer counts';

ALTER TABLE ONLY public.pgqueuer ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_id_seq'::regclass);

ALTER TABLE ONLY public.pgqueuer_schedules ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_schedules_id_seq'::regclass);

ALTER TABLE ONLY public.pgqueuer_statistics ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_statistics_id_seq'::regclass);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bonus_takings
    ADD CONSTRAINT bonus_takings_pkey PRIMARY KEY (refund_id, bonus_id);

ALTER TABLE ONLY public.bonuses
    ADD CONSTRAINT bonuses_key_key UNIQUE (key);

ALTER TABLE ONLY public.bonuses
    ADD CONSTRAINT bonuses_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bot_chats
    ADD CONSTRAINT bot_chats_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.bot_drafts
    ADD CONSTRAINT bot_drafts_key_key UNIQUE (key);

ALTER TABLE ONLY public.bot_drafts
    ADD CONSTRAINT bot_drafts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bot_updates
    ADD CONSTRAINT bot_updates_pkey PRIMARY KEY (bot_id, update_id);

ALTER TABLE ONLY public.broadcast_pumps
    ADD CONSTRAINT broadcast_pumps_pkey PRIMARY KEY (channel);

ALTER TABLE ONLY public.broadcast_recipients
    ADD CONSTRAINT broadcast_recipients_pkey PRIMARY KEY (broadcast_id, user_id);

ALTER TABLE ONLY public.broadcasts
    ADD CONSTRAINT broadcasts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.daily_bonuses
    ADD CONSTRAINT daily_bonuses_pkey PRIMARY KEY (user_id, product, day);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_notice_id_user_id_channel_key UNIQUE (notice_id, user_id, channel);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.discounts
    ADD CONSTRAINT discounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.discounts
    ADD CONSTRAINT discounts_user_id_product_key UNIQUE (user_id, product);

ALTER TABLE ONLY public.drawings_people
    ADD CONSTRAINT drawings_people_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_key_key UNIQUE (key);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, user_id, route, key);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_source_event_key_key UNIQUE (source, event_key);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_order_id_ordinal_key UNIQUE (order_id, ordinal);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.login_sessions
    ADD CONSTRAINT login_sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.news
    ADD CONSTRAINT news_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_key_key UNIQUE (key);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_pkey PRIMARY KEY (user_id, topic);

ALTER TABLE ONLY public.operation_runs
    ADD CONSTRAINT operation_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.payment_mismatches
    ADD CONSTRAINT payment_mismatches_gateway_kind_subject_key UNIQUE (gateway, kind, subject);

ALTER TABLE ONLY public.payment_mismatches
    ADD CONSTRAINT payment_mismatches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pgqueuer_log
    ADD CONSTRAINT pgqueuer_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pgqueuer
    ADD CONSTRAINT pgqueuer_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_expression_entrypoint_key UNIQUE (expression, entrypoint);

ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pgqueuer_statistics
    ADD CONSTRAINT pgqueuer_statistics_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.prices
    ADD CONSTRAINT prices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.promo_codes
    ADD CONSTRAINT promo_codes_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.promo_guards
    ADD CONSTRAINT promo_guards_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.promo_uses
    ADD CONSTRAINT promo_uses_code_user_id_use_key UNIQUE (code, user_id, use);

ALTER TABLE ONLY public.promo_uses
    ADD CONSTRAINT promo_uses_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.providers
    ADD CONSTRAINT providers_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.reconcile_items
    ADD CONSTRAINT reconcile_items_pkey PRIMARY KEY (run_id, kind, external_id);

ALTER TABLE ONLY public.reconcile_runs
    ADD CONSTRAINT reconcile_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.spent_proofs
    ADD CONSTRAINT spent_proofs_pkey PRIMARY KEY (proof_hash);

ALTER TABLE ONLY public.support_messages
    ADD CONSTRAINT support_messages_key_key UNIQUE (key);

ALTER TABLE ONLY public.support_messages
    ADD CONSTRAINT support_messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.support_threads
    ADD CONSTRAINT support_threads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_key_key UNIQUE (key);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.trial_uses
    ADD CONSTRAINT trial_uses_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY public.unreachable
    ADD CONSTRAINT unreachable_pkey PRIMARY KEY (user_id, channel);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX accounts_of_system ON public.accounts USING btree (role, asset) WHERE (user_id IS NULL);

CREATE UNIQUE INDEX accounts_of_user ON public.accounts USING btree (user_id, asset, role) WHERE (user_id IS NOT NULL);

CREATE INDEX audit_log_action ON public.audit_log USING btree (action, id DESC);

CREATE INDEX audit_log_actor ON public.audit_log USING btree (actor, id DESC);

CREATE INDEX audit_log_subject ON public.audit_log USING btree (subject, id DESC);

CREATE INDEX bonuses_created ON public.bonuses USING brin (created_at);

CREATE INDEX bonuses_due ON public.bonuses USING btree (due_at) WHERE (state = 'held'::text);

CREATE INDEX bonuses_from ON public.bonuses USING btree (from_user_id) WHERE (from_user_id IS NOT NULL);

CREATE INDEX bonuses_payment ON public.bonuses USING btree (payment_id) WHERE (payment_id IS NOT NULL);

CREATE INDEX bonuses_user ON public.bonuses USING btree (user_id, day);

CREATE INDEX bot_drafts_age ON public.bot_drafts USING btree (updated_at);

CREATE INDEX bot_drafts_album ON public.bot_drafts USING btree (user_id, media_group_id) WHERE (media_group_id IS NOT NULL);

CREATE INDEX bot_drafts_order ON public.bot_drafts USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX bot_updates_age ON public.bot_updates USING btree (created_at);

CREATE INDEX bot_updates_open ON public.bot_updates USING btree (bot_id, person_id, update_id) WHERE (NOT done);

CREATE INDEX broadcast_recipients_open ON public.broadcast_recipients USING btree (broadcast_id, user_id) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));

CREATE INDEX broadcasts_at_work ON public.broadcasts USING btree (id) WHERE (state = ANY (ARRAY['scheduled'::text, 'running'::text, 'paused'::text]));

CREATE INDEX daily_bonuses_claimed ON public.daily_bonuses USING brin (claimed_at);

CREATE INDEX deliveries_gone ON public.deliveries USING btree (user_id) WHERE (state = 'gone'::text);

CREATE INDEX deliveries_pending ON public.deliveries USING btree (next_at) WHERE (state = 'pending'::text);

CREATE INDEX deliveries_user ON public.deliveries USING btree (user_id, id DESC);

CREATE INDEX holds_closed ON public.holds USING btree (closed_at) WHERE (state <> 'open'::text);

CREATE INDEX holds_open ON public.holds USING btree (account_id) WHERE (state = 'open'::text);

CREATE INDEX inbox_subject ON public.inbox USING btree (source, subject);

CREATE INDEX inbox_unhandled ON public.inbox USING btree (source, id) WHERE (handled_at IS NULL);

CREATE INDEX jobs_open ON public.jobs USING btree (order_id) WHERE (state = ANY (ARRAY['queued'::text, 'submitting'::text, 'running'::text, 'uncertain'::text]));

CREATE UNIQUE INDEX jobs_provider_job ON public.jobs USING btree (engine, provider_job_id) WHERE (provider_job_id IS NOT NULL);

CREATE INDEX ledger_entries_account ON public.ledger_entries USING btree (account_id, id);

CREATE INDEX ledger_entries_transfer ON public.ledger_entries USING btree (transfer_id);

CREATE INDEX login_sessions_of_user ON public.login_sessions USING btree (user_id, created_at DESC);

CREATE INDEX login_sessions_user ON public.login_sessions USING btree (user_id) WHERE (ended_at IS NULL);

CREATE INDEX news_recent ON public.news USING btree (publish_at DESC, id DESC);

CREATE INDEX notices_unsent ON public.notices USING btree (id) WHERE (sent_at IS NULL);

CREATE INDEX operation_runs_name ON public.operation_runs USING btree (name, id DESC);

CREATE INDEX orders_created ON public.orders USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX orders_of_user ON public.orders USING btree (user_id, id DESC);

CREATE INDEX orders_open ON public.orders USING btree (user_id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX orders_review ON public.orders USING btree (review_until) WHERE (state = 'review'::text);

CREATE INDEX orders_settled ON public.orders USING btree (settled_at) WHERE (settled_at IS NOT NULL);

CREATE INDEX payment_mismatches_open ON public.payment_mismatches USING btree (id DESC) WHERE (state = 'open'::text);

CREATE INDEX payment_mismatches_payment ON public.payment_mismatches USING btree (payment_id) WHERE (payment_id IS NOT NULL);

CREATE INDEX payment_mismatches_run ON public.payment_mismatches USING btree (run_id) WHERE (run_id IS NOT NULL);

CREATE INDEX payments_check ON public.payments USING btree (check_at) WHERE (check_at IS NOT NULL);

CREATE INDEX payments_created ON public.payments USING btree (created_at DESC, id DESC);

CREATE UNIQUE INDEX payments_external ON public.payments USING btree (gateway, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX payments_paid ON public.payments USING btree (paid_at) WHERE (state = 'paid'::text);

CREATE INDEX payments_user ON public.payments USING btree (user_id, created_at DESC, id DESC);

CREATE INDEX payments_vendor ON public.payments USING btree (gateway, vendor_at) WHERE (state = 'paid'::text);

CREATE INDEX pgqueuer_ep_ea_idx ON public.pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::public.pgqueuer_status);

CREATE INDEX pgqueuer_ep_prio_id_idx ON public.pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::public.pgqueuer_status);

CREATE INDEX pgqueuer_log_created ON public.pgqueuer_log USING btree (created);

CREATE INDEX pgqueuer_log_job_id_status ON public.pgqueuer_log USING btree (job_id, created DESC);

CREATE INDEX pgqueuer_log_not_aggregated ON public.pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);

CREATE INDEX pgqueuer_log_status ON public.pgqueuer_log USING btree (status);

CREATE INDEX pgqueuer_picked_heartbeat_idx ON public.pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::public.pgqueuer_status);

CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON public.pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::public.pgqueuer_status) AND (slot IS NOT NULL));

CREATE INDEX pgqueuer_priority_id_id1_idx ON public.pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::public.pgqueuer_status);

CREATE INDEX pgqueuer_queue_manager_id_idx ON public.pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);

CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON public.pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);

CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON public.pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::public.pgqueuer_status, 'picked'::public.pgqueuer_status])) AND (dedupe_key IS NOT NULL));

CREATE INDEX pgqueuer_updated_id_id1_idx ON public.pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::public.pgqueuer_status);

CREATE UNIQUE INDEX prices_current ON public.prices USING btree (model_key) WHERE (ended_at IS NULL);

CREATE INDEX promo_uses_code ON public.promo_uses USING btree (code, id DESC);

CREATE INDEX promo_uses_used ON public.promo_uses USING brin (used_at);

CREATE INDEX promo_uses_waiting ON public.promo_uses USING btree (user_id, id) WHERE ((percent IS NOT NULL) AND (payment_id IS NULL));

CREATE INDEX reconcile_runs_created ON public.reconcile_runs USING btree (created_at DESC);

CREATE INDEX refresh_tokens_expiry ON public.refresh_tokens USING btree (expires_at);

CREATE INDEX refresh_tokens_session ON public.refresh_tokens USING btree (session_id);

CREATE INDEX refunds_check ON public.refunds USING btree (check_at) WHERE (check_at IS NOT NULL);

CREATE UNIQUE INDEX refunds_external ON public.refunds USING btree (gateway, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX refunds_payment ON public.refunds USING btree (payment_id);

CREATE INDEX refunds_vendor ON public.refunds USING btree (gateway, vendor_at) WHERE (state = 'done'::text);

CREATE INDEX service_keys_name ON public.service_keys USING btree (name);

CREATE INDEX support_messages_thread ON public.support_messages USING btree (thread_id, id);

CREATE UNIQUE INDEX support_threads_open ON public.support_threads USING btree (user_id) WHERE (status <> 'closed'::text);

CREATE INDEX support_threads_recent ON public.support_threads USING btree (updated_at DESC, id DESC);

CREATE INDEX transfers_created ON public.transfers USING btree (created_at);

CREATE INDEX transfers_reference ON public.transfers USING btree (reference) WHERE (reference IS NOT NULL);

CREATE UNIQUE INDEX transfers_reverses ON public.transfers USING btree (reverses) WHERE (reverses IS NOT NULL);

CREATE UNIQUE INDEX trial_uses_slot ON public.trial_uses USING btree (user_id, product, slot) WHERE (state <> 'returned'::text);

CREATE INDEX uploads_expiry ON public.uploads USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX uploads_hash ON public.uploads USING btree (content_hash);

CREATE UNIQUE INDEX uploads_owner ON public.uploads USING btree (user_id, content_hash);

CREATE INDEX users_created ON public.users USING btree (created_at);

CREATE INDEX users_referrer ON public.users USING btree (referrer_id) WHERE (referrer_id IS NOT NULL);

CREATE INDEX users_seen ON public.users USING btree (seen_at);

CREATE INDEX users_username ON public.users USING btree (lower(username) text_pattern_ops);

CREATE CONSTRAINT TRIGGER ledger_entries_balanced AFTER INSERT ON public.ledger_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.ledger_check_balanced();

CREATE TRIGGER ledger_entries_frozen BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_forbid();

CREATE CONSTRAINT TRIGGER transfers_balanced AFTER INSERT ON public.transfers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.ledger_check_balanced();

CREATE TRIGGER transfers_frozen BEFORE DELETE OR UPDATE OR TRUNCATE ON public.transfers FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_forbid();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.bonus_takings
    ADD CONSTRAINT bonus_takings_bonus_id_fkey FOREIGN KEY (bonus_id) REFERENCES public.bonuses(id);

ALTER TABLE ONLY public.bonuses
    ADD CONSTRAINT bonuses_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.bonuses
    ADD CONSTRAINT bonuses_from_user_id_fkey FOREIGN KEY (from_user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.bonuses
    ADD CONSTRAINT bonuses_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.bot_chats
    ADD CONSTRAINT bot_chats_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.bot_drafts
    ADD CONSTRAINT bot_drafts_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.bot_drafts
    ADD CONSTRAINT bot_drafts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.broadcast_recipients
    ADD CONSTRAINT broadcast_recipients_broadcast_id_fkey FOREIGN KEY (broadcast_id) REFERENCES public.broadcasts(id);

ALTER TABLE ONLY public.broadcast_recipients
    ADD CONSTRAINT broadcast_recipients_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.daily_bonuses
    ADD CONSTRAINT daily_bonuses_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.daily_bonuses
    ADD CONSTRAINT daily_bonuses_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notices(id);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.discounts
    ADD CONSTRAINT discounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.drawings_people
    ADD CONSTRAINT drawings_people_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_transfer_id_fkey FOREIGN KEY (transfer_id) REFERENCES public.transfers(id);

ALTER TABLE ONLY public.login_sessions
    ADD CONSTRAINT login_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_engine_fkey FOREIGN KEY (engine) REFERENCES public.providers(name);

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.payment_mismatches
    ADD CONSTRAINT payment_mismatches_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.payment_mismatches
    ADD CONSTRAINT payment_mismatches_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.reconcile_runs(id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_package_key_fkey FOREIGN KEY (package_key) REFERENCES public.packages(key);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.prices
    ADD CONSTRAINT prices_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.prices
    ADD CONSTRAINT prices_model_key_fkey FOREIGN KEY (model_key) REFERENCES public.models(key);

ALTER TABLE ONLY public.promo_codes
    ADD CONSTRAINT promo_codes_asset_fkey FOREIGN KEY (asset) REFERENCES public.assets(code);

ALTER TABLE ONLY public.promo_guards
    ADD CONSTRAINT promo_guards_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.promo_uses
    ADD CONSTRAINT promo_uses_code_fkey FOREIGN KEY (code) REFERENCES public.promo_codes(code);

ALTER TABLE ONLY public.promo_uses
    ADD CONSTRAINT promo_uses_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.reconcile_items
    ADD CONSTRAINT reconcile_items_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.reconcile_runs(id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.login_sessions(id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.support_messages
    ADD CONSTRAINT support_messages_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.support_threads(id);

ALTER TABLE ONLY public.support_threads
    ADD CONSTRAINT support_threads_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_reverses_fkey FOREIGN KEY (reverses) REFERENCES public.transfers(id);

ALTER TABLE ONLY public.trial_uses
    ADD CONSTRAINT trial_uses_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.unreachable
    ADD CONSTRAINT unreachable_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_referrer_id_fkey FOREIGN KEY (referrer_id) REFERENCES public.users(id);

GRANT USAGE ON SCHEMA public TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.orders TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_account(p_user_id bigint, p_role text, p_asset text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.ledger_apply(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_reverses bigint, p_accounts bigint[], p_amounts bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.ledger_capture(p_key text, p_amount bigint, p_kind text, p_to_role text, p_transfer_key text, p_reference text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_capture(p_key text, p_amount bigint, p_kind text, p_to_role text, p_transfer_key text, p_reference text) TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_check_amount(p_amount bigint, p_least bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.ledger_claw_back(p_user_id bigint, p_asset text, p_amount bigint, p_kind text, p_to_role text, p_key text, p_actor text, p_reason text, p_reference text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_claw_back(p_user_id bigint, p_asset text, p_amount bigint, p_kind text, p_to_role text, p_key text, p_actor text, p_reason text, p_reference text) TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_lock(p_accounts bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.ledger_open_hold(p_user_id bigint, p_asset text, p_amount bigint, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_open_hold(p_user_id bigint, p_asset text, p_amount bigint, p_key text) TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_pay_debt(p_user_id bigint, p_asset text, p_cause text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.ledger_post(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_users bigint[], p_roles text[], p_assets text[], p_amounts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_post(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_users bigint[], p_roles text[], p_assets text[], p_amounts bigint[]) TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_reverse(p_of_key text, p_key text, p_kind text, p_actor text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_reverse(p_of_key text, p_key text, p_kind text, p_actor text, p_reason text) TO hamyon_app;

REVOKE ALL ON FUNCTION public.ledger_write(p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text, p_reverses bigint, p_accounts bigint[], p_amounts bigint[]) FROM PUBLIC;

GRANT SELECT ON TABLE public.accounts TO hamyon_app;

GRANT SELECT ON TABLE public.assets TO hamyon_app;

GRANT SELECT,INSERT ON TABLE public.audit_log TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bonus_takings TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bonuses TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bot_chats TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bot_drafts TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bot_updates TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.broadcast_pumps TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.broadcast_recipients TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.broadcasts TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.daily_bonuses TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.deliveries TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.discounts TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.drawings_people TO hamyon_app;

GRANT SELECT ON TABLE public.holds TO hamyon_app;

GRANT SELECT ON TABLE public.hold_outcomes TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inbox TO hamyon_app;

GRANT SELECT,USAGE ON SEQUENCE public.inbox_id_seq TO hamyon_app;

GRANT SELECT ON TABLE public.ledger_entries TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.login_sessions TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.models TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.news TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notices TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_preferences TO hamyon_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.operation_runs TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.packages TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_mismatches TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO hamyon_app;

GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE public.pgqueuer TO hamyon_app;

GRANT SELECT,USAGE ON SEQUENCE public.pgqueuer_id_seq TO hamyon_app;

GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE public.pgqueuer_log TO hamyon_app;

GRANT SELECT,USAGE ON SEQUENCE public.pgqueuer_log_id_seq TO hamyon_app;

GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE public.pgqueuer_schedules TO hamyon_app;

GRANT SELECT,USAGE ON SEQUENCE public.pgqueuer_schedules_id_seq TO hamyon_app;

GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE public.pgqueuer_statistics TO hamyon_app;

GRANT SELECT,USAGE ON SEQUENCE public.pgqueuer_statistics_id_seq TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.prices TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.promo_codes TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.promo_guards TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.promo_uses TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.providers TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reconcile_items TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reconcile_runs TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refresh_tokens TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refunds TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.roles TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_keys TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.spent_proofs TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.support_messages TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.support_threads TO hamyon_app;

GRANT SELECT ON TABLE public.transfers TO hamyon_app;

GRANT SELECT ON TABLE public.transfer_totals TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.trial_uses TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.unreachable TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.uploads TO hamyon_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO hamyon_app;
