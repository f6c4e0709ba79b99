-- Operations: the trace that a message belongs to, and what a purge needs to find old rows at a price that does not
-- grow with what stays.

-- The W3C `traceparent` of the webhook that caused the job, where traces are on and this one is sampled.
ALTER TABLE job ADD COLUMN trace TEXT;
-- Whether a job still needs a row is asked by the row's id.
CREATE INDEX job_subject ON job (subject);

-- The account whose retention counts for it; empty in rows from before, which go by the default.
ALTER TABLE attempt ADD COLUMN account TEXT NOT NULL DEFAULT '';
CREATE INDEX attempt_age ON attempt (account, started_at, id);
CREATE INDEX inbox_age ON inbox (account, received_at, id);
CREATE INDEX message_age ON message (account, created_at, id);
CREATE INDEX conversation_age ON conversation (account, closed_at, id) WHERE closed_at IS NOT NULL;
