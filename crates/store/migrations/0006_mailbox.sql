-- The mailbox: answers that wait for their customer's next message, and the passive replies that carry them.

-- One row per delivery that waits, in the customer's order; a delivery that does not fit into one passive reply is cut,
-- and its rows are told apart by `piece`. `slot` is the reply that the row is bound to. `told`: whether the agent has
-- heard that it waits.
CREATE TABLE mailbox (
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    position BIGINT NOT NULL,
    piece BIGINT NOT NULL,
    message TEXT NOT NULL,
    delivery TEXT NOT NULL,
    words TEXT NOT NULL,
    parked_at BIGINT NOT NULL,
    told BIGINT NOT NULL,
    slot TEXT,
    PRIMARY KEY (account, openid, position, piece)
);
CREATE UNIQUE INDEX mailbox_delivery ON mailbox (delivery, piece);
CREATE INDEX mailbox_message ON mailbox (message);
CREATE INDEX mailbox_age ON mailbox (account, parked_at) WHERE slot IS NULL;
CREATE INDEX mailbox_untold ON mailbox (parked_at) WHERE told = 0 AND slot IS NULL;
CREATE INDEX mailbox_slot ON mailbox (slot) WHERE slot IS NOT NULL;

-- One row per message of a customer that may be answered by a passive reply, under its dedup key; the reply itself is
-- kept there. Times are the database's, as those of leases are. `copies` counts the attempts of WeChat that came,
-- `writes` those that were answered with the reply in time; `written_copy` is the last of these.
CREATE TABLE slot (
    key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    copies BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    decided_at BIGINT,
    bound BIGINT NOT NULL,
    writes BIGINT NOT NULL,
    written_copy BIGINT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX slot_unsettled ON slot (touched_at) WHERE settled_at IS NULL;
CREATE INDEX slot_age ON slot (settled_at) WHERE settled_at IS NOT NULL;

-- Accounts that turned out not to be allowed to call custom/send (48001), and when that may be tried again.
CREATE TABLE passive (
    account TEXT PRIMARY KEY,
    since BIGINT NOT NULL,
    probe_at BIGINT NOT NULL
);
