-- Models for sale, their options and versioned prices, and how their providers stand.

CREATE TABLE providers (
    name          text        PRIMARY KEY,
    paused_at     timestamptz,
    paused_by     text,
    pause_reason  text,
    failures      integer     NOT NULL DEFAULT 0,  -- outages in a row, counted by the breaker
    open_until    timestamptz,                     -- the breaker keeps work away until then
    last_error    text,
    last_error_at timestamptz,
    balance_micro_usd bigint,
    balance_at    timestamptz
);
INSERT INTO providers (name) VALUES ('wavespeed'), ('offline');

CREATE TABLE models (
    key            text     PRIMARY KEY CHECK (key ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    product        text     NOT NULL,
    engine         text     NOT NULL REFERENCES providers (name),
    name           text     NOT NULL,
    path_text      text     NOT NULL,            -- the provider's path without references
    path_edit      text     NOT NULL,            -- and with references
    max_references smallint NOT NULL CHECK (max_references >= 0),
    options        jsonb    NOT NULL,            -- {option: {"values": [...], "default": ...}}
    quality_stars  smallint NOT NULL CHECK (quality_stars BETWEEN 1 AND 5),
    duration_min_s integer  NOT NULL,
    duration_max_s integer  NOT NULL,
    deadline_s     integer  NOT NULL CHECK (deadline_s > 0),
    active         boolean  NOT NULL DEFAULT true,
    sort           integer  NOT NULL DEFAULT 0
);

-- A price is never changed: a new version ends the old one, and old orders keep theirs.
CREATE TABLE prices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_key  text        NOT NULL REFERENCES models (key),
    asset      text        NOT NULL REFERENCES assets (code),
    unit       text        NOT NULL CHECK (unit IN ('order', 'picture')),
    amount     bigint      NOT NULL CHECK (amount > 0),
    by_option  jsonb       NOT NULL DEFAULT '[]',  -- [{"when": {option: value}, "amount": n}], first match wins
    set_by     text        NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX prices_current ON prices (model_key) WHERE ended_at IS NULL;

INSERT INTO models (key, product, engine, name, path_text, path_edit, max_references, options,
    quality_stars, duration_min_s, duration_max_s, deadline_s, sort)
VALUES
    ('seedream-v4', 'images', 'wavespeed', 'Seedream v4',
        'bytedance/seedream-v4', 'bytedance/seedream-v4/edit', 10,
        '{"size": {"values": ["1024*1024", "1152*1536", "1280*1280", "1408*1408", "1536*1152", "1920*1080", "2048*2048", "2304*4096", "4096*2304", "4096*4096"], "default": "2048*2048"}}',
        4, 10, 30, 300, 10),
    ('nano-banana', 'images', 'wavespeed', 'Nano Banana',
        'google/nano-banana/text-to-image', 'google/nano-banana/edit', 10,
        '{"aspect_ratio": {"values": ["1:1", "3:2", "2:3", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"], "default": "1:1"}, "output_format": {"values": ["png", "jpeg"], "default": "png"}}',
        4, 10, 20, 300, 20),
    ('nano-banana-pro', 'images', 'wavespeed', 'Nano Banana Pro',
        'google/nano-banana-pro/text-to-image', 'google/nano-banana-pro/edit', 14,
        '{"aspect_ratio": {"values": ["1:1", "3:2", "2:3", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"], "default": "1:1"}, "resolution": {"values": ["1k", "2k", "4k"], "default": "1k"}, "output_format": {"values": ["png", "jpeg"], "default": "png"}}',
        5, 60, 120, 600, 30);

INSERT INTO prices (model_key, asset, unit, amount, by_option, set_by) VALUES
    ('seedream-v4', 'credit', 'picture', 27, '[]', 'migration'),
    ('nano-banana', 'credit', 'picture', 38, '[]', 'migration'),
    ('nano-banana-pro', 'credit', 'picture', 140, '[{"when": {"resolution": "4k"}, "amount": 240}]', 'migration');

GRANT SELECT, INSERT, UPDATE, DELETE ON providers, models, prices TO hamyon_app;
