-- Reply windows: what a customer's actions allow, and what was used of it.

-- The account of a customer's windows (`desk::window`), as JSON; and, for the sweep that warns agents, when the last of
-- the windows ends (null: none) and the end of which was warned of.
ALTER TABLE customer ADD COLUMN windows TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN window_until BIGINT;
ALTER TABLE customer ADD COLUMN window_warned BIGINT NOT NULL DEFAULT 0;
CREATE INDEX customer_window ON customer (account, window_until) WHERE window_until IS NOT NULL;
