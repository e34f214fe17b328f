-- The double-entry ledger. Only its functions write; the application may read and execute.

CREATE TABLE assets (
    code  text     PRIMARY KEY,
    scale smallint NOT NULL CHECK (scale BETWEEN 0 AND 9)
);
INSERT INTO assets (code, scale) VALUES ('credit', 0), ('revival', 0), ('token', 0), ('USD', 6);

-- A person's wallet and debt keep running balances. System accounts (user_id null) keep none and are
-- never locked: every transfer touches one, and a lock on it would make all transfers queue.
CREATE TABLE accounts (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint,
    role    text   NOT NULL,
    asset   text   NOT NULL REFERENCES assets (code),
    posted  bigint NOT NULL DEFAULT 0,
    held    bigint NOT NULL DEFAULT 0,
    CONSTRAINT accounts_shape CHECK (
        CASE
            WHEN user_id IS NULL THEN posted = 0 AND held = 0 AND role NOT IN ('wallet', 'debt')
            WHEN role = 'wallet' THEN held >= 0 AND posted - held >= 0
            WHEN role = 'debt' THEN held = 0 AND posted <= 0
            ELSE false
        END)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX accounts_of_user ON accounts (user_id, asset, role) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_of_system ON accounts (role, asset) WHERE user_id IS NULL;

CREATE TABLE transfers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text        NOT NULL,
    key        text        NOT NULL UNIQUE,
    input_hash bytea       NOT NULL,
    actor      text        NOT NULL,
    reason     text,
    reference  text,
    reverses   bigint      REFERENCES transfers (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX transfers_reverses ON transfers (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX transfers_reference ON transfers (reference) WHERE reference IS NOT NULL;
CREATE INDEX transfers_created ON transfers (created_at);

CREATE TABLE ledger_entries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id   bigint NOT NULL REFERENCES transfers (id),
    -- No foreign key: it would lock the one row of a system account in every transfer.
    account_id    bigint NOT NULL,
    amount        bigint NOT NULL CHECK (amount <> 0),
    balance_after bigint
);
CREATE INDEX ledger_entries_account ON ledger_entries (account_id, id);
CREATE INDEX ledger_entries_transfer ON ledger_entries (transfer_id);

CREATE TABLE holds (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint      NOT NULL REFERENCES accounts (id),
    amount     bigint      NOT NULL CHECK (amount > 0),
    captured   bigint      NOT NULL DEFAULT 0,
    state      text        NOT NULL DEFAULT 'open',
    key        text        NOT NULL UNIQUE,
    -- What the first caller was told; whoever repeats the key is told the same.
    available_after bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at  timestamptz,
    CONSTRAINT holds_shape CHECK (
        CASE state
            WHEN 'open' THEN captured = 0 AND closed_at IS NULL
            WHEN 'captured' THEN captured > 0 AND captured <= amount AND closed_at IS NOT NULL
            WHEN 'released' THEN captured = 0 AND closed_at IS NOT NULL
            ELSE false
        END)
) WITH (fillfactor = 80);
CREATE INDEX holds_open ON holds (account_id) WHERE state = 'open';
CREATE INDEX holds_closed ON holds (closed_at) WHERE state <> 'open';

-- The ledger's public face for the audits of other slices.
CREATE VIEW hold_outcomes AS
    SELECT h.key, h.state, h.amount, h.captured, h.created_at, a.user_id, a.asset
    FROM holds h JOIN accounts a ON a.id = h.account_id;
CREATE VIEW transfer_totals AS
    SELECT t.key, t.kind, t.reference, t.created_at, a.user_id, a.role, a.asset, e.amount
    FROM transfers t
    JOIN ledger_entries e ON e.transfer_id = t.id
    JOIN accounts a ON a.id = e.account_id;

-- Invariants --------------------------------------------------------------------------------------

CREATE FUNCTION ledger_forbid() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % is forbidden: the ledger only grows', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER transfers_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid();
CREATE TRIGGER ledger_entries_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid();

-- The asset is looked up a line at a time: a join could be planned as a scan of all accounts.
CREATE FUNCTION ledger_check_balanced() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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
CREATE CONSTRAINT TRIGGER transfers_balanced AFTER INSERT ON transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_balanced();
CREATE CONSTRAINT TRIGGER ledger_entries_balanced AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_balanced();

-- Inner functions: not executable by the application. They run inside the operations below, with
-- their role, search_path and planner settings.
--
-- How locks work: a person's wallet of an asset stands for that wallet and the debt behind it. Whoever
-- changes either holds the wallet's row; an operation makes every account it needs first, and then
-- locks its wallets by ascending id.

-- The account of a person or of the system, made when it is missing.
CREATE FUNCTION ledger_account(p_user_id bigint, p_role text, p_asset text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE AS $$
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

-- Locks the wallets of the people behind some accounts, by ascending id. System accounts are passed by.
CREATE FUNCTION ledger_lock(p_accounts bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
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

-- No amount and no balance passes 2^53 - 1: the largest integer that every reader of JSON keeps exact,
-- and far enough from the end of bigint that no sum here overflows.
CREATE FUNCTION ledger_check_amount(p_amount bigint, p_least bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF p_amount IS NULL OR p_amount < p_least THEN
        PERFORM refuse('invalid_amount', jsonb_build_object('amount', p_amount, 'least', p_least));
    ELSIF p_amount > 9007199254740991 THEN
        PERFORM refuse('amount_too_large', jsonb_build_object('limit', 9007199254740991));
    END IF;
END
$$;

-- Writes one transfer whose wallets the caller has locked. False: the key was there already and the
-- same input stands behind it. p_accounts and p_amounts run side by side.
CREATE FUNCTION ledger_write(
    p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text,
    p_reverses bigint, p_accounts bigint[], p_amounts bigint[]
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
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

-- Pays a person's debt with all that is available in the wallet, which is locked.
CREATE FUNCTION ledger_pay_debt(p_user_id bigint, p_asset text, p_cause text) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
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

-- Looks the key up, checks every line against its account, writes, and pays off debt with what came in.
-- The wallets are locked. False: this key and this input were there before.
CREATE FUNCTION ledger_apply(
    p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text,
    p_reverses bigint, p_accounts bigint[], p_amounts bigint[]
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
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

-- The operations -----------------------------------------------------------------------------------
-- pg_temp stands last in their search_path: left out, it would be searched first, and a temporary
-- table of the application could stand in for one of ours. Sequential scans are off because a plan
-- made while a table was small is kept for as long as the session lives.

-- Sets aside what an order may cost. Returns what was still available afterwards. The same key again:
-- the same hold and the same answer, nothing more is held.
CREATE FUNCTION ledger_open_hold(
    p_user_id bigint, p_asset text, p_amount bigint, p_key text
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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

-- Ends a hold: takes p_amount (0 takes nothing) to a system account and gives the rest back, which pays
-- off debt first. True: this call ended it. False: this very call had ended it before. Another input
-- under the same transfer's key is a mismatch; a hold that ended in another way is closed.
CREATE FUNCTION ledger_capture(
    p_key text, p_amount bigint, p_kind text, p_to_role text, p_transfer_key text, p_reference text
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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

-- Posts one transfer. The four arrays run side by side; a null user is the system. What comes into a
-- wallet pays off debt first. True: posted now. False: the key was posted before with this input.
CREATE FUNCTION ledger_post(
    p_kind text, p_key text, p_hash bytea, p_actor text, p_reason text, p_reference text,
    p_users bigint[], p_roles text[], p_assets text[], p_amounts bigint[]
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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

-- Takes p_amount back: from the wallet what is available, the rest as a debt. Returns the debt it made.
-- The same key again: the debt that it made then.
CREATE FUNCTION ledger_claw_back(
    p_user_id bigint, p_asset text, p_amount bigint, p_kind text, p_to_role text, p_key text,
    p_actor text, p_reason text, p_reference text
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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

-- Undoes a transfer whole, once. Refused when a wallet no longer has what it would give back. A debt
-- that was paid off since comes back to the wallet, for that is where the payment came from.
CREATE FUNCTION ledger_reverse(
    p_of_key text, p_key text, p_kind text, p_actor text, p_reason text
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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

REVOKE ALL ON FUNCTION
    ledger_account, ledger_lock, ledger_check_amount, ledger_write, ledger_pay_debt, ledger_apply,
    ledger_open_hold, ledger_capture, ledger_post, ledger_claw_back, ledger_reverse
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger_open_hold, ledger_capture, ledger_post, ledger_claw_back, ledger_reverse
TO hamyon_app;
GRANT SELECT ON assets, accounts, transfers, ledger_entries, holds, hold_outcomes, transfer_totals
TO hamyon_app;
