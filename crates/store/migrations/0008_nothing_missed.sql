-- Nothing missed: how far IM's history was read, and what a message of IM is known by besides its MsgKey.

-- Up to when (ms) the history between an agent and the customer's ghost has been taken in. The row without an agent is
-- the last look into the chats of all agents, which a known gap asks for.
CREATE TABLE reconciled (
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    agent TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (account, openid, agent)
);

-- IM's MsgTime (ms), MsgSeq and MsgRandom of an agent's message: what the history shows of it.
ALTER TABLE message ADD COLUMN said_at BIGINT;
ALTER TABLE message ADD COLUMN msg_seq BIGINT;
ALTER TABLE message ADD COLUMN msg_random BIGINT;
CREATE INDEX message_said ON message (account, openid, said_at) WHERE said_at IS NOT NULL;

-- When the next round may begin, by the database's clock; since when webhooks of IM may be missing; how often and when
-- a gateway last showed that it serves this database.
INSERT INTO meta (key, value) VALUES ('reconcile_at', '0'), ('gap_at', '0'), ('beats', '0'), ('beat_at', '0'), ('restored_at', '0');

-- Customers who were erased, as digests: the generation of their last ghost, whose UserID is never used again.
CREATE TABLE erased (
    digest TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- The last tap or scan of a customer without an open conversation, as a line for whoever opens the next one.
ALTER TABLE customer ADD COLUMN last_act TEXT;
