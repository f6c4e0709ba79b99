-- `accounts import`: where the import of an account's followers stands, so that it goes on after an interruption.
-- `next_openid` begins the page that was not finished; empty for the first one.
CREATE TABLE import (
    account TEXT PRIMARY KEY,
    next_openid TEXT NOT NULL,
    followers BIGINT NOT NULL,
    imported BIGINT NOT NULL,
    present BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    finished_at BIGINT
);

-- What the operator asks for: few rows of large tables.
CREATE INDEX inbox_unreadable ON inbox (received_at, id) WHERE kind = 'unreadable';
CREATE INDEX delivery_ended ON delivery (changed_at, id) WHERE state IN ('failed', 'unsure');
