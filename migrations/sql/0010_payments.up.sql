-- What is for sale, who paid for it, what was given back, and where vendors' books differ from ours.

CREATE TABLE packages (
    key    text    PRIMARY KEY CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    titles jsonb   NOT NULL,  -- {language: title}, in every language
    asset  text    NOT NULL REFERENCES assets (code),
    amount bigint  NOT NULL CHECK (amount > 0),
    bonus  bigint  NOT NULL DEFAULT 0 CHECK (bonus >= 0),
    prices jsonb   NOT NULL,  -- {gateway: amount in minor units of its currency}
    active boolean NOT NULL DEFAULT true,
    sort   integer NOT NULL DEFAULT 0
);

INSERT INTO packages (key, titles, asset, amount, bonus, prices, sort) VALUES
    ('credits_1000', '{"uz": "1000 kredit", "ru": "1000 кредитов", "en": "1000 credits"}',
        'credit', 1000, 0, '{"yookassa": 14900}', 10),
    ('credits_5000', '{"uz": "5000 kredit", "ru": "5000 кредитов", "en": "5000 credits"}',
        'credit', 5000, 250, '{"yookassa": 69900}', 20),
    ('credits_10000', '{"uz": "10 000 kredit", "ru": "10 000 кредитов", "en": "10,000 credits"}',
        'credit', 10000, 1000, '{"yookassa": 129900}', 30),
    ('revivals_5', '{"uz": "5 ta jonlantirish", "ru": "5 оживашек", "en": "5 revivals"}',
        'revival', 5, 0, '{"yookassa": 14900, "stars": 100}', 110),
    ('revivals_15', '{"uz": "15 ta jonlantirish", "ru": "15 оживашек", "en": "15 revivals"}',
        'revival', 15, 0, '{"yookassa": 39900, "stars": 270}', 120),
    ('revivals_50', '{"uz": "50 ta jonlantirish", "ru": "50 оживашек", "en": "50 revivals"}',
        'revival', 50, 5, '{"yookassa": 119900, "stars": 800}', 130);

-- One row a charge. The numbers of a purchase are frozen in it; what was paid and granted comes with
-- the charge. An invoice that is paid again becomes a row of its own, which names the first.
CREATE TABLE payments (
    id               uuid        PRIMARY KEY,
    user_id          bigint      NOT NULL REFERENCES users (id),  -- who gets what was bought
    gateway          text        NOT NULL,
    state            text        NOT NULL DEFAULT 'created'
                     CHECK (state IN ('created', 'pending', 'paid', 'canceled')),
    currency         text        NOT NULL,
    amount_minor     bigint      NOT NULL CHECK (amount_minor > 0),
    asset            text        NOT NULL REFERENCES assets (code),
    amount           bigint      NOT NULL CHECK (amount > 0),  -- the bonus is part of it
    rate_numerator   bigint,     -- bought at a rate; else both are null
    rate_denominator bigint,
    package_key      text        REFERENCES packages (key),
    quantity         integer     NOT NULL DEFAULT 1 CHECK (quantity > 0),
    title            text        NOT NULL,
    discount_id      bigint,
    invoice_id       uuid        REFERENCES payments (id),

    vendor_key       text        NOT NULL,  -- the idempotence key towards the vendor
    vendor_key_at    timestamptz NOT NULL,
    external_id      text,       -- the vendor's id of the charge
    url              text,
    vendor_at        timestamptz,           -- the time under which the vendor lists it
    check_at         timestamptz,           -- when to ask the vendor next; null: nothing to ask
    checks           integer     NOT NULL DEFAULT 0,
    cancel_reason    text,

    payer_id         bigint,     -- who really paid, where the vendor says so
    paid_minor       bigint      CHECK (paid_minor > 0),
    granted          bigint      CHECK (granted >= 0),
    paid_at          timestamptz,
    refunded_minor   bigint      NOT NULL DEFAULT 0,
    taken_back       bigint      NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_rate CHECK ((rate_numerator IS NULL) = (rate_denominator IS NULL)),
    CONSTRAINT payments_shape CHECK (
        CASE state
            WHEN 'paid' THEN external_id IS NOT NULL AND paid_minor IS NOT NULL
                AND granted IS NOT NULL AND paid_at IS NOT NULL AND vendor_at IS NOT NULL
                AND refunded_minor BETWEEN 0 AND paid_minor AND taken_back BETWEEN 0 AND granted
            ELSE paid_minor IS NULL AND granted IS NULL AND paid_at IS NULL
                AND refunded_minor = 0 AND taken_back = 0
        END)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX payments_external ON payments (gateway, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX payments_user ON payments (user_id, created_at DESC, id DESC);
CREATE INDEX payments_created ON payments (created_at DESC, id DESC);
CREATE INDEX payments_check ON payments (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX payments_vendor ON payments (gateway, vendor_at) WHERE state = 'paid';
CREATE INDEX payments_paid ON payments (paid_at) WHERE state = 'paid';

CREATE TABLE refunds (
    id            uuid        PRIMARY KEY,
    payment_id    uuid        NOT NULL REFERENCES payments (id),
    gateway       text        NOT NULL,
    origin        text        NOT NULL CHECK (origin IN ('operator', 'vendor')),
    state         text        NOT NULL CHECK (state IN ('sending', 'pending', 'done', 'failed')),
    amount_minor  bigint      NOT NULL CHECK (amount_minor > 0),
    taken         bigint      NOT NULL CHECK (taken >= 0),  -- of the granted amount, wallet and debt
    debt          bigint      NOT NULL CHECK (debt BETWEEN 0 AND taken),
    external_id   text,
    vendor_key    text        NOT NULL,
    vendor_key_at timestamptz NOT NULL,
    check_at      timestamptz,
    checks        integer     NOT NULL DEFAULT 0,
    actor         text        NOT NULL,
    reason        text,
    error         text,
    vendor_at     timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    CONSTRAINT refunds_ended CHECK ((state IN ('done', 'failed')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX refunds_external ON refunds (gateway, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX refunds_payment ON refunds (payment_id);
CREATE INDEX refunds_check ON refunds (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX refunds_vendor ON refunds (gateway, vendor_at) WHERE state = 'done';

-- A look through a vendor's books. Its items are staged page by page, so that a run that was cut goes
-- on where it was, and are compared with ours in the database.
CREATE TABLE reconcile_runs (
    id          uuid        PRIMARY KEY,
    gateway     text        NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    state       text        NOT NULL DEFAULT 'listing'
                CHECK (state IN ('listing', 'comparing', 'healing', 'done', 'failed')),
    heal        boolean     NOT NULL DEFAULT true,
    cursor      text,
    listed      bigint      NOT NULL DEFAULT 0,
    compared    bigint      NOT NULL DEFAULT 0,
    differences bigint      NOT NULL DEFAULT 0,
    healed      bigint      NOT NULL DEFAULT 0,
    error       text,
    started_by  text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT reconcile_window CHECK (since < until)
);
CREATE INDEX reconcile_runs_created ON reconcile_runs (created_at DESC);

CREATE TABLE reconcile_items (
    run_id       uuid        NOT NULL REFERENCES reconcile_runs (id),
    kind         text        NOT NULL CHECK (kind IN ('charge', 'refund')),
    external_id  text        NOT NULL,
    charge_id    text        NOT NULL,  -- a refund's payment; a charge's own id
    our_id       uuid,                  -- what of ours the vendor carries
    state        text        NOT NULL,
    amount_minor bigint      NOT NULL,
    currency     text        NOT NULL,
    payer_id     bigint,
    vendor_at    timestamptz NOT NULL,
    PRIMARY KEY (run_id, kind, external_id)
);

CREATE TABLE payment_mismatches (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway     text        NOT NULL,
    kind        text        NOT NULL,
    subject     text        NOT NULL,  -- the vendor's id of the charge or refund
    payment_id  uuid        REFERENCES payments (id),
    ours        jsonb,
    theirs      jsonb,
    run_id      uuid        REFERENCES reconcile_runs (id),  -- the last run that saw it
    state       text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'healed', 'resolved')),
    decision    text,
    note        text,
    resolved_by text,
    resolved_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (gateway, kind, subject)
);
CREATE INDEX payment_mismatches_open ON payment_mismatches (id DESC) WHERE state = 'open';
CREATE INDEX payment_mismatches_payment ON payment_mismatches (payment_id)
    WHERE payment_id IS NOT NULL;
CREATE INDEX payment_mismatches_run ON payment_mismatches (run_id) WHERE run_id IS NOT NULL;

-- The accounts that payments and rewards use, so that the first of them do not wait for each other.
INSERT INTO accounts (role, asset)
    SELECT role, code FROM assets, unnest(ARRAY[
        'sales:stars', 'sales:yookassa', 'bonus:referral', 'bonus:promo', 'bonus:daily',
        'bonus:welcome']) AS role
    WHERE code <> 'USD'
ON CONFLICT DO NOTHING;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    packages, payments, refunds, reconcile_runs, reconcile_items, payment_mismatches TO hamyon_app;
