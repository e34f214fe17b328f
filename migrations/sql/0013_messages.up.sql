-- Telling people: deliveries of notices, broadcasts, support, news; and what the bot remembers.

ALTER TABLE users ADD COLUMN language_chosen boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN users.language_chosen IS 'by the person; then Telegram''s language no longer counts';
UPDATE users SET advertising_source = drawings_people.advertising_source
FROM drawings_people
WHERE users.id = drawings_people.user_id AND users.advertising_source IS NULL
  AND drawings_people.advertising_source IS NOT NULL;

-- --- notices on their way ------------------------------------------------------------------------

-- One row for each notice, recipient and channel. A notice for operators has many.
CREATE TABLE deliveries (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice_id    bigint      NOT NULL REFERENCES notices (id),
    user_id      bigint      NOT NULL REFERENCES users (id),
    channel      text        NOT NULL,
    state        text        NOT NULL DEFAULT 'pending'
                             CHECK (state IN ('pending', 'sent', 'muted', 'gone', 'failed')),
    step         integer     NOT NULL DEFAULT 0 CHECK (step >= 0),
    attempts     integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    doubts       integer     NOT NULL DEFAULT 0 CHECK (doubts >= 0),
    sent         jsonb       NOT NULL DEFAULT '[]',
    error        text,
    lease        uuid,
    lease_until  timestamptz,
    next_at      timestamptz NOT NULL DEFAULT now(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    UNIQUE (notice_id, user_id, channel)
) WITH (fillfactor = 80);
COMMENT ON COLUMN deliveries.step IS 'how many of its messages have arrived';
COMMENT ON COLUMN deliveries.doubts IS 'how often its next message was sent without an answer';
COMMENT ON COLUMN deliveries.sent IS 'the channel''s ids of those messages, a list a step';
CREATE INDEX deliveries_pending ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX deliveries_gone ON deliveries (user_id) WHERE state = 'gone';
CREATE INDEX deliveries_user ON deliveries (user_id, id DESC);

-- Who cannot be told anything through a channel, by the channel's own word.
CREATE TABLE unreachable (
    user_id  bigint      NOT NULL REFERENCES users (id),
    channel  text        NOT NULL,
    reason   text        NOT NULL CHECK (reason IN ('blocked', 'deactivated', 'not_found')),
    since    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, channel)
);

-- Only what differs from the default: everything on.
CREATE TABLE notification_preferences (
    user_id     bigint      NOT NULL REFERENCES users (id),
    topic       text        NOT NULL,
    enabled     boolean     NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, topic)
);

-- --- broadcasts ----------------------------------------------------------------------------------

CREATE TABLE broadcasts (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content      jsonb       NOT NULL,
    segment      jsonb       NOT NULL,
    state        text        NOT NULL DEFAULT 'draft' CHECK (state IN
                     ('draft', 'scheduled', 'running', 'paused', 'completed', 'canceled')),
    paid         boolean     NOT NULL DEFAULT false,
    schedule_at  timestamptz,
    recipients   integer     NOT NULL DEFAULT 0 CHECK (recipients >= 0),
    files        jsonb       NOT NULL DEFAULT '[]',
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    sent         integer     CHECK (sent >= 0),
    blocked      integer     CHECK (blocked >= 0),
    failed       integer     CHECK (failed >= 0),
    CHECK ((state = 'scheduled') <= (schedule_at IS NOT NULL)),
    CHECK ((state IN ('completed', 'canceled')) = (finished_at IS NOT NULL)),
    CHECK (sent IS NULL OR state IN ('completed', 'canceled')),
    CHECK (num_nulls(sent, blocked, failed) IN (0, 3))
);
COMMENT ON COLUMN broadcasts.recipients IS 'counted when it was made, fixed when it starts';
COMMENT ON COLUMN broadcasts.sent IS 'with blocked and failed: how it ended, null until that is certain';
COMMENT ON COLUMN broadcasts.files IS 'the channel''s own ids of its files, known after the first upload';
CREATE INDEX broadcasts_at_work ON broadcasts (id) WHERE state IN ('scheduled', 'running', 'paused');

CREATE TABLE broadcast_recipients (
    broadcast_id  bigint      NOT NULL REFERENCES broadcasts (id),
    user_id       bigint      NOT NULL REFERENCES users (id),
    state         text        NOT NULL DEFAULT 'pending' CHECK (state IN
                      ('pending', 'sending', 'sent', 'blocked', 'deactivated', 'failed')),
    attempts      integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    error         text,
    sent_at       timestamptz,
    PRIMARY KEY (broadcast_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX broadcast_recipients_open ON broadcast_recipients (broadcast_id, user_id)
    WHERE state IN ('pending', 'sending');

-- Whoever holds a channel's row sends its broadcasts: one process of the whole fleet.
CREATE TABLE broadcast_pumps (
    channel      text        PRIMARY KEY,
    lease        uuid,
    lease_until  timestamptz,
    not_before   timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
COMMENT ON COLUMN broadcast_pumps.not_before IS 'until then the channel wants to be left alone';

-- --- support and news ----------------------------------------------------------------------------

CREATE TABLE support_threads (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint      NOT NULL REFERENCES users (id),
    status      text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'closed')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz,
    closed_by   text,
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX support_threads_open ON support_threads (user_id) WHERE status <> 'closed';
CREATE INDEX support_threads_recent ON support_threads (updated_at DESC, id DESC);

CREATE TABLE support_messages (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread_id   bigint      NOT NULL REFERENCES support_threads (id),
    author      text        NOT NULL,
    body        text        NOT NULL,
    upload_ids  uuid[]      NOT NULL DEFAULT '{}',
    key         text        NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN support_messages.author IS 'person, or the operator as the audit log names him';
COMMENT ON COLUMN support_messages.key IS 'of the act that wrote it, so that it is written once';
CREATE INDEX support_messages_thread ON support_messages (thread_id, id);

CREATE TABLE news (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    language    text        CHECK (language IN ('uz', 'ru', 'en')),
    product     text,
    title       text        NOT NULL,
    body        text        NOT NULL,
    link        text,
    upload_id   uuid,
    pinned      boolean     NOT NULL DEFAULT false,
    active      boolean     NOT NULL DEFAULT true,
    publish_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN news.language IS 'null: for everybody';
CREATE INDEX news_recent ON news (publish_at DESC, id DESC);

-- --- what the bot remembers ----------------------------------------------------------------------

-- What people say to the bot, kept before Telegram may forget it; the first of a person's open ones
-- is the only one that can be claimed.
CREATE TABLE bot_updates (
    bot_id       bigint      NOT NULL,
    update_id    bigint      NOT NULL,
    person_id    bigint      NOT NULL,
    body         jsonb,
    attempts     integer     NOT NULL DEFAULT 0,
    lease        uuid,
    lease_until  timestamptz,
    not_before   timestamptz NOT NULL DEFAULT '-infinity',
    done         boolean     NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_id, update_id),
    CHECK (done OR body IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX bot_updates_open ON bot_updates (bot_id, person_id, update_id) WHERE NOT done;
CREATE INDEX bot_updates_age ON bot_updates (created_at);

-- What the next text of a person is for, and what he chose last.
CREATE TABLE bot_chats (
    user_id          bigint      PRIMARY KEY REFERENCES users (id),
    expecting        text,
    expecting_facts  jsonb       NOT NULL DEFAULT '{}',
    expecting_until  timestamptz,
    choices          jsonb       NOT NULL DEFAULT '{}',
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((expecting IS NULL) = (expecting_until IS NULL))
) WITH (fillfactor = 70);

-- A picture that a person is putting together, under its panel in the chat.
CREATE TABLE bot_drafts (
    id                 bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id            bigint      NOT NULL REFERENCES users (id),
    chat_id            bigint      NOT NULL,
    prompt_message_id  bigint,
    panel_message_id   bigint,
    media_group_id     text,
    prompt             text        NOT NULL DEFAULT '',
    upload_ids         uuid[]      NOT NULL DEFAULT '{}',
    model_key          text        NOT NULL,
    options            jsonb       NOT NULL DEFAULT '{}',
    order_id           uuid        REFERENCES orders (id),
    attempt            integer     NOT NULL DEFAULT 0,
    key                text        NOT NULL UNIQUE,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON COLUMN bot_drafts.key IS 'of the update that began it, so that it is begun once';
CREATE INDEX bot_drafts_album ON bot_drafts (user_id, media_group_id) WHERE media_group_id IS NOT NULL;
CREATE INDEX bot_drafts_order ON bot_drafts (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX bot_drafts_age ON bot_drafts (updated_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries, unreachable, notification_preferences, broadcasts,
    broadcast_recipients, broadcast_pumps, support_threads, support_messages, news, bot_updates,
    bot_chats, bot_drafts TO hamyon_app;
