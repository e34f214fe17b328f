-- What runs by the clock and must be remembered, and the indexes of operators' statistics.

-- One row a finished run: the audits say from when they may go on, daily runs happen once a day.
CREATE TABLE operation_runs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL,
    day        date        NOT NULL,  -- in TIMEZONE
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    findings   integer     NOT NULL DEFAULT 0,
    outcome    jsonb       NOT NULL
);
CREATE INDEX operation_runs_name ON operation_runs (name, id DESC);

-- Orders come in the order of time, so a block range index finds a span of it and costs a submit
-- next to nothing.
CREATE INDEX orders_created ON orders USING brin (created_at) WITH (autosummarize = on);
CREATE INDEX login_sessions_of_user ON login_sessions (user_id, created_at DESC);

GRANT SELECT, INSERT, DELETE ON operation_runs TO hamyon_app;
