-- The spine: what arrived, what is to be done, what was sent.
-- One text for both engines: text ids, bigint milliseconds, raw bodies as bytes (BYTEA, on SQLite BLOB).

-- What a webhook brought, as it was after decryption. `query` is kept where the body could not be read.
CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    query TEXT,
    body BYTEA NOT NULL
);

-- One row per webhook that counts once, with the answer that its repeats get. Purged after 48 hours.
CREATE TABLE dedup (
    key TEXT PRIMARY KEY,
    inbox TEXT NOT NULL,
    at BIGINT NOT NULL,
    reply BYTEA
);
CREATE INDEX dedup_at ON dedup (at);

-- One row per person and account. `conversation` is the open one, decided when a webhook is stored.
CREATE TABLE customer (
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    subscribed BIGINT NOT NULL,
    conversation TEXT,
    conversation_at BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    msg_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, openid)
);

-- The IM accounts that stand for customers: planned, living, retired.
CREATE TABLE ghost (
    user_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    generation BIGINT NOT NULL,
    state TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
-- Whether IM tells UserIDs apart by case is not documented, so no two of ours differ by case alone.
CREATE UNIQUE INDEX ghost_case ON ghost (lower(user_id));
CREATE UNIQUE INDEX ghost_generation ON ghost (account, openid, generation);

CREATE TABLE conversation (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    agent TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT
);
CREATE INDEX conversation_open ON conversation (account, openid) WHERE closed_at IS NULL;
CREATE INDEX conversation_load ON conversation (account, agent) WHERE closed_at IS NULL;

-- (account, customer, direction), for life. `ready_at` is when somebody may claim it: null when there is
-- nothing to do, the end of the lease while it is held, the next try while its head waits.
CREATE TABLE lane (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    direction TEXT NOT NULL,
    head BIGINT NOT NULL,
    tail BIGINT NOT NULL,
    ready_at BIGINT,
    holder TEXT,
    epoch BIGINT NOT NULL
);
CREATE INDEX lane_ready ON lane (ready_at) WHERE ready_at IS NOT NULL;

-- What is still to be done; a finished job's row is gone.
CREATE TABLE job (
    lane TEXT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    note TEXT,
    tries BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (lane, position)
);

CREATE TABLE message (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    conversation TEXT,
    author TEXT,
    source_key TEXT,
    inbox TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX message_of ON message (account, openid, id);

CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    message TEXT NOT NULL,
    part BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    body TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    msg_seq BIGINT,
    msg_key TEXT,
    tries BIGINT NOT NULL,
    first_try_at BIGINT,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX delivery_part ON delivery (message, part);

-- One row per call that may have an effect, committed before the call; the outcome after it.
CREATE TABLE attempt (
    id TEXT PRIMARY KEY,
    delivery TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome TEXT,
    detail TEXT
);
CREATE INDEX attempt_of ON attempt (delivery);

-- One access_token per account, shared by all nodes; `refresh_until` is the lock of who fetches the next.
CREATE TABLE token (
    account TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    refresher TEXT,
    refresh_until BIGINT NOT NULL
);
