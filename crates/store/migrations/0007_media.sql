-- Media: one row per file, whose bytes are in the media store under (account, id). A row is there before its bytes are, so
-- that nothing is kept of which no row tells.

-- What a delivery carries beside its words, as JSON (desk::content); null for plain text.
ALTER TABLE delivery ADD COLUMN content TEXT;

-- `state`: wanted (being fetched, its lane waits), late (fetched beside the lane, which went on with words), kept, lost.
-- `source` says where it is to be fetched, as JSON; empty once it is kept. `first_try_at` and `next_try_at` belong to the
-- fetch. `wechat_id` is the media_id of its last upload as `wechat_kind`, good until `wechat_until`.
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    delivery TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    content_type TEXT NOT NULL DEFAULT '',
    size BIGINT NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT '',
    width BIGINT NOT NULL DEFAULT 0,
    height BIGINT NOT NULL DEFAULT 0,
    seconds BIGINT NOT NULL DEFAULT 0,
    tries BIGINT NOT NULL DEFAULT 0,
    first_try_at BIGINT,
    next_try_at BIGINT,
    wechat_kind TEXT,
    wechat_id TEXT,
    wechat_until BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX media_of ON media (delivery);
CREATE INDEX media_customer ON media (account, openid);
CREATE INDEX media_age ON media (account, created_at, id);
CREATE INDEX media_late ON media (next_try_at, id) WHERE state = 'late';
CREATE INDEX media_uploaded ON media (account, sha256, wechat_kind) WHERE wechat_id IS NOT NULL;
