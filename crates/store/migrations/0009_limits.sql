-- Limits that hold over all nodes.

-- Calls that may still be made, one row per limit. `paid_until` is the moment (µs, by the database's clock) up to which
-- calls have been given away; what lies between it and now is what is left. `drawn` and `level` are what the last draw
-- gave and found.
CREATE TABLE bucket (
    name TEXT PRIMARY KEY,
    paid_until BIGINT NOT NULL,
    drawn BIGINT NOT NULL,
    level BIGINT NOT NULL
);

-- Calls to WeChat that have to rest, one row per account. `until` is on the business clock, `probed` is 1 while
-- somebody tries whether it is over.
CREATE TABLE pause (
    account TEXT PRIMARY KEY,
    until BIGINT NOT NULL,
    why TEXT NOT NULL,
    strikes BIGINT NOT NULL,
    probed BIGINT NOT NULL
);

-- Answers are claimed before what goes to agents, both at the price of what is ready.
DROP INDEX lane_ready;
CREATE INDEX lane_ready ON lane (direction, ready_at) WHERE ready_at IS NOT NULL;
