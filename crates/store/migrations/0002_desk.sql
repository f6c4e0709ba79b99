-- The desk: who serves whom, and what was said about it.

-- When the customer wrote what nobody has answered yet; and the agents who were told whose conversation it is, as `,a,,b,`.
ALTER TABLE conversation ADD COLUMN waiting_since BIGINT;
ALTER TABLE conversation ADD COLUMN told TEXT NOT NULL DEFAULT '';
CREATE INDEX conversation_waiting ON conversation (account, agent, waiting_since)
    WHERE waiting_since IS NOT NULL AND closed_at IS NULL;
CREATE INDEX conversation_living ON conversation (id) WHERE closed_at IS NULL;

-- One row per account. Its lock lets one conversation at a time be given away; `turn` counts them.
CREATE TABLE desk (
    account TEXT PRIMARY KEY,
    turn BIGINT NOT NULL
);

-- The turn at which an agent was last given a conversation.
CREATE TABLE agent (
    account TEXT NOT NULL,
    agent TEXT NOT NULL,
    turn BIGINT NOT NULL,
    PRIMARY KEY (account, agent)
);

-- CreateTime (ms) of the newest follow or unfollow, so that what was said before it does not undo it; negative before
-- the first.
ALTER TABLE customer ADD COLUMN event_at BIGINT NOT NULL DEFAULT 0;

-- A token belongs to WeChat's app, whatever the account is called here.
ALTER TABLE token RENAME COLUMN account TO app_id;
DELETE FROM token;
