-- People, their roles and sign-ins, the keys of services, what operators did, and what to tell whom.

CREATE TABLE users (
    id                 bigint      PRIMARY KEY CHECK (id > 0),  -- the Telegram id
    username           text,
    first_name         text,
    last_name          text,
    language           text        NOT NULL DEFAULT 'en' CHECK (language IN ('uz', 'ru', 'en')),
    referrer_id        bigint      REFERENCES users (id) CHECK (referrer_id <> id),
    advertising_source text,
    blocked_at         timestamptz,
    blocked_reason     text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    seen_at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX users_created ON users (created_at);
CREATE INDEX users_seen ON users (seen_at);
CREATE INDEX users_username ON users (lower(username) text_pattern_ops);
CREATE INDEX users_referrer ON users (referrer_id) WHERE referrer_id IS NOT NULL;

-- The slice's public face for one-trip reads of others: active, blocked, or null for nobody.
CREATE FUNCTION user_standing(p_user_id bigint) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN blocked_at IS NULL THEN 'active' ELSE 'blocked' END
    FROM users WHERE id = p_user_id;
$$;

CREATE TABLE roles (
    user_id    bigint      PRIMARY KEY REFERENCES users (id),
    role       text        NOT NULL CHECK (role IN ('support', 'finance', 'admin', 'owner')),
    granted_by text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE service_keys (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    secret_hash bytea       NOT NULL UNIQUE,
    scopes      text[]      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX service_keys_name ON service_keys (name);

CREATE TABLE login_sessions (
    id         uuid        PRIMARY KEY,
    user_id    bigint      NOT NULL REFERENCES users (id),
    origin     text        NOT NULL CHECK (origin IN ('miniapp', 'widget')),
    address    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    end_reason text
);
CREATE INDEX login_sessions_user ON login_sessions (user_id) WHERE ended_at IS NULL;

-- One row a refresh token; presenting a used one ends the session (the family).
CREATE TABLE refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES login_sessions (id),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- Login Widget proofs are good for one sign-in.
CREATE TABLE spent_proofs (
    proof_hash bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text        NOT NULL,
    action     text        NOT NULL,
    subject    text        NOT NULL,
    before     jsonb,
    after      jsonb,
    reason     text,
    address    text,
    request_id text
);
CREATE INDEX audit_log_actor ON audit_log (actor, id DESC);
CREATE INDEX audit_log_action ON audit_log (action, id DESC);
CREATE INDEX audit_log_subject ON audit_log (subject, id DESC);

-- What must be told. Written in the transaction that made it true; sent later by messages.
CREATE TABLE notices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        text        NOT NULL UNIQUE,
    user_id    bigint,  -- null: the operators
    kind       text        NOT NULL,
    facts      jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX notices_unsent ON notices (id) WHERE sent_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, roles, service_keys, login_sessions, refresh_tokens, spent_proofs, notices TO hamyon_app;
-- What was done stays written down.
GRANT SELECT, INSERT ON audit_log TO hamyon_app;
