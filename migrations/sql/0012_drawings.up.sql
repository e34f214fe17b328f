-- People as drawings know them.

CREATE TABLE drawings_people (
    user_id             bigint      PRIMARY KEY REFERENCES users (id),
    advertising_source  text,       -- of the first registration, never overwritten
    generation_count    integer     NOT NULL DEFAULT 0 CHECK (generation_count >= 0),
    first_generation_at timestamptz,
    last_generation_at  timestamptz,
    registered_at       timestamptz NOT NULL DEFAULT now(),
    last_activity_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);

GRANT SELECT, INSERT, UPDATE, DELETE ON drawings_people TO hamyon_app;
