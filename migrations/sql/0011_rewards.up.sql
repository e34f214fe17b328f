-- Bonuses for invited people, promo codes, the daily bonus, and the one-time discount.

-- What somebody got because of another one's act or payment. The key is the ledger's, too.
CREATE TABLE bonuses (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text        NOT NULL UNIQUE,
    kind         text        NOT NULL
                 CHECK (kind IN ('referral', 'referral_join', 'referral_first', 'promo_percent')),
    user_id      bigint      NOT NULL REFERENCES users (id),  -- who gets it
    from_user_id bigint      REFERENCES users (id),           -- who was invited
    payment_id   uuid,
    asset        text        NOT NULL REFERENCES assets (code),
    amount       bigint      NOT NULL CHECK (amount >= 0),    -- after the day's cap: may be nothing
    taken_back   bigint      NOT NULL DEFAULT 0,
    state        text        NOT NULL CHECK (state IN ('held', 'granted', 'canceled')),
    day          date        NOT NULL,  -- in TIMEZONE, for the day's cap
    due_at       timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bonuses_taken CHECK (taken_back BETWEEN 0 AND amount)
) WITH (fillfactor = 80);
CREATE INDEX bonuses_user ON bonuses (user_id, day);
CREATE INDEX bonuses_from ON bonuses (from_user_id) WHERE from_user_id IS NOT NULL;
CREATE INDEX bonuses_payment ON bonuses (payment_id) WHERE payment_id IS NOT NULL;
-- The audit of what changed looks at a span of time.
CREATE INDEX bonuses_created ON bonuses USING brin (created_at);
CREATE INDEX bonuses_due ON bonuses (due_at) WHERE state = 'held';

-- What a refund took of a bonus, so that a refund which fails gives exactly that back.
CREATE TABLE bonus_takings (
    refund_id uuid    NOT NULL,
    bonus_id  bigint  NOT NULL REFERENCES bonuses (id),
    amount    bigint  NOT NULL CHECK (amount > 0),
    posted    boolean NOT NULL,               -- false: it was still held, nothing moved
    undone    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (refund_id, bonus_id)
);

CREATE TABLE promo_codes (
    code           text        PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),  -- normalised
    shown          text        NOT NULL,  -- as its author wrote it
    asset          text        REFERENCES assets (code),
    amount         bigint      CHECK (amount > 0),
    percent        integer     CHECK (percent BETWEEN 1 AND 1000),
    total_limit    integer     CHECK (total_limit > 0),
    per_user_limit integer     NOT NULL DEFAULT 1 CHECK (per_user_limit > 0),
    valid_from     timestamptz,
    valid_until    timestamptz,
    products       text[],     -- null: all of them
    active         boolean     NOT NULL DEFAULT true,
    uses           integer     NOT NULL DEFAULT 0,
    created_by     text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT promo_codes_reward CHECK (
        (percent IS NULL AND asset IS NOT NULL AND amount IS NOT NULL)
        OR (percent IS NOT NULL AND asset IS NULL AND amount IS NULL)),
    CONSTRAINT promo_codes_uses CHECK (uses >= 0 AND (total_limit IS NULL OR uses <= total_limit))
);

CREATE TABLE promo_uses (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code       text        NOT NULL REFERENCES promo_codes (code),
    user_id    bigint      NOT NULL REFERENCES users (id),
    use        integer     NOT NULL CHECK (use > 0),
    asset      text,
    amount     bigint,
    percent    integer,    -- waits for the next payment ...
    payment_id uuid,       -- ... which was this one
    used_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (code, user_id, use)
);
CREATE INDEX promo_uses_waiting ON promo_uses (user_id, id)
    WHERE percent IS NOT NULL AND payment_id IS NULL;
CREATE INDEX promo_uses_used ON promo_uses USING brin (used_at);
CREATE INDEX promo_uses_code ON promo_uses (code, id DESC);

-- Wrong tries, counted here and not in memory: the limit holds whatever else is lost.
CREATE TABLE promo_guards (
    user_id       bigint        PRIMARY KEY REFERENCES users (id),
    wrong_at      timestamptz[] NOT NULL DEFAULT '{}',  -- the latest, of the last minutes
    blocked_until timestamptz
);

CREATE TABLE daily_bonuses (
    user_id    bigint      NOT NULL REFERENCES users (id),
    product    text        NOT NULL,
    day        date        NOT NULL,  -- in TIMEZONE
    streak     integer     NOT NULL CHECK (streak > 0),
    asset      text        NOT NULL REFERENCES assets (code),
    amount     bigint      NOT NULL CHECK (amount >= 0),
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, product, day)
);

CREATE INDEX daily_bonuses_claimed ON daily_bonuses USING brin (claimed_at);

-- One discount a person and product, used by the first payment that succeeds with it.
CREATE TABLE discounts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint      NOT NULL REFERENCES users (id),
    product    text        NOT NULL,
    percent    integer     NOT NULL CHECK (percent BETWEEN 1 AND 99),
    offered_at timestamptz NOT NULL DEFAULT now(),
    used_by    uuid,       -- a payment
    used_at    timestamptz,
    UNIQUE (user_id, product)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    bonuses, bonus_takings, promo_codes, promo_uses, promo_guards, daily_bonuses, discounts
TO hamyon_app;
