-- Trials: one row a use. A person has as many slots a product as the limit says, and the unique index
-- makes two reservations of one slot impossible.

CREATE TABLE trial_uses (
    order_id    uuid        PRIMARY KEY,
    user_id     bigint      NOT NULL REFERENCES users (id),
    product     text        NOT NULL,
    slot        smallint    NOT NULL CHECK (slot > 0),
    state       text        NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'used', 'returned')),
    reserved_at timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
CREATE UNIQUE INDEX trial_uses_slot ON trial_uses (user_id, product, slot) WHERE state <> 'returned';

CREATE FUNCTION trial_reserve(p_user_id bigint, p_product text, p_order_id uuid, p_limit integer)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
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

GRANT SELECT, INSERT, UPDATE, DELETE ON trial_uses TO hamyon_app;
