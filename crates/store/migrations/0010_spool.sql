-- Webhooks that came in a crowd, as they came: one row for those of one commit, in the order of their arrival. They are
-- sorted into `inbox`, `dedup`, `customer`, `lane` and `job` afterwards, the oldest row first, and the row goes in the same commit.
-- `arrivals` is JSON; `webhooks` and `size` are how many they are, and the bytes of that JSON. `aside` says why one could not be
-- sorted: it is kept, and tried again at the next start.
CREATE TABLE spool (
    id BIGSERIAL PRIMARY KEY,
    webhooks BIGINT NOT NULL,
    size BIGINT NOT NULL,
    aside TEXT,
    arrivals TEXT NOT NULL
);
