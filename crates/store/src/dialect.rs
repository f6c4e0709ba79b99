//! Every place where SQLite and PostgreSQL differ, and nothing else.

use crate::sql::Text;

/// The column type for raw bytes in the migrations, which are written for PostgreSQL.
pub(crate) const TYPES_IN_MIGRATIONS: [(&str, &str); 2] = [("BYTEA", "BLOB"), ("BIGSERIAL", "INTEGER")];

/// The database's own clock as a one-row view, so that leases use it with the same statements everywhere.
pub(crate) const CLOCK_VIEW: Text = Text {
    sqlite: "CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
    postgres: "CREATE VIEW clock AS SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now",
};

/// The rows of the spool are short-lived and large: PostgreSQL would press each of them, which costs more than to write them.
pub(crate) const SPOOL_AS_IT_IS: Text = Text {
    sqlite: "DELETE FROM spool",
    postgres: "ALTER TABLE spool ALTER COLUMN arrivals SET STORAGE EXTERNAL",
};

macro_rules! head_columns {
    () => {
        "j.position, j.kind, j.subject, j.note, j.tries, j.since, j.trace, i.received_at, i.query, i.body"
    };
}

macro_rules! head_tables {
    () => {
        "job j ON j.lane = l.id AND j.position = l.head LEFT JOIN inbox i ON i.id = j.subject AND j.kind IN ('push', 'webhook')"
    };
}

/// Takes lanes that are ready, past those that another node is taking at this moment: first those of one direction, then
/// the others. Each direction is a range of the index of its own, so that neither costs more for what waits in the other.
/// $1 holder, $2 lease in ms, $3 how many, $4 the direction that goes first, $5 the other.
pub(crate) const CLAIM: Text = Text {
    sqlite: "UPDATE lane SET holder = $1, epoch = epoch + 1, ready_at = (SELECT now FROM clock) + $2 \
             WHERE id IN (SELECT id FROM ( \
               SELECT id FROM (SELECT id FROM lane WHERE direction = $4 AND ready_at <= (SELECT now FROM clock) ORDER BY ready_at LIMIT $3) \
               UNION ALL \
               SELECT id FROM (SELECT id FROM lane WHERE direction = $5 AND ready_at <= (SELECT now FROM clock) ORDER BY ready_at LIMIT $3) \
             ) LIMIT $3) \
             RETURNING id, account, openid, direction, epoch",
    // With the jobs at their heads (see HEADS): one way to the server and back less.
    postgres: concat!(
        "WITH claimed AS (UPDATE lane SET holder = $1, epoch = epoch + 1, ready_at = (SELECT now FROM clock) + $2 \
           WHERE id = ANY (( \
             ARRAY(SELECT id FROM lane WHERE direction = $4 AND ready_at <= (SELECT now FROM clock) ORDER BY ready_at LIMIT $3 \
               FOR UPDATE SKIP LOCKED) || \
             ARRAY(SELECT id FROM lane WHERE direction = $5 AND ready_at <= (SELECT now FROM clock) ORDER BY ready_at LIMIT $3 \
               FOR UPDATE SKIP LOCKED))[1:$3::int]) \
           RETURNING id, account, openid, direction, epoch, head) \
         SELECT l.id, l.account, l.openid, l.direction, l.epoch, ",
        head_columns!(),
        " FROM claimed l LEFT JOIN ",
        head_tables!()
    ),
};

macro_rules! fence {
    () => {
        "SELECT account FROM lane WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL"
    };
    (locked) => {
        concat!(fence!(), " FOR UPDATE")
    };
}

/// $1 lane, $2 epoch: whether it is still held under it, and on PostgreSQL, where others write too, that it stays so until the
/// transaction ends.
pub(crate) const FENCE: Text = Text { sqlite: fence!(), postgres: fence!(locked) };

/// Inside the fence ($1, $2), turns the job at position $3 into one of kind $4 about $5, if it is still about $6: an
/// earlier try may have been kept although nobody said so.
pub(crate) const BECOME_JOB: Text = Text {
    sqlite: concat!(
        "UPDATE job SET kind = $4, subject = $5, tries = 0 WHERE lane = $1 AND position = $3 AND subject = $6 AND EXISTS (",
        fence!(),
        ")"
    ),
    postgres: concat!(
        "WITH fence AS (",
        fence!(locked),
        ") UPDATE job SET kind = $4, subject = $5, tries = 0 FROM fence WHERE lane = $1 AND position = $3 AND subject = $6"
    ),
};

macro_rules! finish {
    () => {
        "UPDATE lane SET head = $3, \
           holder = CASE WHEN $3 < tail THEN holder ELSE NULL END, \
           ready_at = CASE WHEN $3 < tail THEN ready_at ELSE NULL END \
         WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL RETURNING tail - head"
    };
}

/// Inside the fence ($1, $2), moves the lane's head to $3 and lets the lane go if nothing is there; on PostgreSQL with the
/// job before it. Gives how many are left.
pub(crate) const FINISH: Text = Text {
    sqlite: finish!(),
    // The lane before its job, as everywhere.
    postgres: concat!(
        "WITH done AS (",
        finish!(),
        " AS left_over), gone AS (DELETE FROM job WHERE lane = $1 AND position = $3 - 1 AND EXISTS (SELECT 1 FROM done)) \
         SELECT left_over FROM done"
    ),
};

/// PostgreSQL's way of ending one in one statement: $1 delivery, $2 now, $3 state, $4 detail, $5 reason, $6 IM's key.
pub(crate) const END_ATTEMPT: &str = "WITH tried AS (UPDATE attempt SET ended_at = $2, outcome = $3, detail = $4 \
       WHERE delivery = $1 AND ended_at IS NULL) \
     UPDATE delivery SET state = $3, reason = $5, msg_key = COALESCE($6, msg_key), changed_at = $2 WHERE id = $1";

macro_rules! loads {
    ($agents:literal) => {
        concat!(
            "SELECT a.value, (SELECT COUNT(*) FROM (SELECT 1 FROM conversation c \
               WHERE c.account = $1 AND c.agent = a.value AND c.closed_at IS NULL LIMIT $3) AS counted) FROM ",
            $agents
        )
    };
}

/// $1 account, $2 agents: how many open conversations each has, counted up to $3.
pub(crate) const LOADS: Text =
    Text { sqlite: loads!("json_each($2) AS a"), postgres: loads!("UNNEST($2::text[]) AS a (value)") };

/// The jobs at the heads of these lanes, with the webhooks that they are about: lane, and what [`HEAD`] gives.
pub(crate) const HEADS: &str = concat!(
    "SELECT l.id, ",
    head_columns!(),
    " FROM lane l JOIN ",
    head_tables!(),
    " WHERE l.id IN (SELECT value FROM json_each($1))"
);

/// The job at the head of lane $1 alike.
pub(crate) const HEAD: &str =
    concat!("SELECT ", head_columns!(), " FROM lane l JOIN ", head_tables!(), " WHERE l.id = $1");

macro_rules! standing {
    ($n:literal, $from:literal, $conversation:literal) => {
        concat!(
            "SELECT ", $n, ", c.msg_seq, c.last_act, c.windows, v.agent, v.waiting_since, g.user_id, g.state, \
               (SELECT m.delivery FROM mailbox m WHERE m.account = c.account AND m.openid = c.openid AND m.slot IS NULL LIMIT 1), \
               (SELECT value FROM meta WHERE key = 'restored_at') \
             FROM ", $from, " \
             LEFT JOIN conversation v ON v.id = ", $conversation, " \
             LEFT JOIN ghost g ON g.account = c.account AND g.openid = c.openid AND g.generation = c.generation \
               AND g.state <> 'retired'"
        )
    };
}

/// What a customer's message meets. SQLite: $1 account, $2 openid, $3 conversation, $4 a number that comes back.
/// PostgreSQL: columns of them, without the number: it is the row's.
pub(crate) const STANDING: Text = Text {
    sqlite: concat!(standing!("$4", "customer c", "$3"), " WHERE c.account = $1 AND c.openid = $2"),
    postgres: standing!(
        "new.n",
        "UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS new (a, o, v, n) \
         JOIN customer c ON c.account = new.a AND c.openid = new.o",
        "new.v"
    ),
};

/// PostgreSQL's way of locking customers in the order of the rows: account, openid.
pub(crate) const LOCK_CUSTOMERS: &str = "SELECT c.msg_seq FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS new (a, o, n) \
     JOIN customer c ON c.account = new.a AND c.openid = new.o ORDER BY new.n FOR UPDATE OF c";

/// PostgreSQL's way of the statements below for many: what is inside the fence of its lane, locked in the order of the rows,
/// which have a `lane`, an `epoch` and a number `n`.
macro_rules! fenced {
    ($rows:literal) => {
        concat!(
            "WITH new AS (SELECT * FROM ",
            $rows,
            "), \
             fence AS (SELECT new.*, l.account AS of FROM new JOIN lane l ON l.id = new.lane \
               AND l.epoch = new.epoch AND l.holder IS NOT NULL ORDER BY new.n FOR UPDATE OF l), "
        )
    };
}

/// PostgreSQL's way of taking in messages: lane, epoch, position, webhook, account, openid, number, windows, their end,
/// conversation, came at, message, kind, source's key, delivery, words, ghost, agent, attempt (null where no call begins);
/// then now. Gives the lanes of those taken.
pub(crate) const TAKE_IN: &str = concat!(
    fenced!(
        "UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], \
           $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], \
           $17::text[], $18::text[], $19::text[]) WITH ORDINALITY AS new (lane, epoch, position, inbox, account, openid, msg_seq, \
           windows, until, conversation, at, message, kind, source_key, delivery, body, ghost, agent, attempt, n)"
    ),
    "turned AS (UPDATE job SET kind = 'relay', subject = fence.message, tries = 0 FROM fence \
       WHERE job.lane = fence.lane AND job.position = fence.position AND job.subject = fence.inbox RETURNING fence.*), \
     numbered AS (UPDATE customer SET msg_seq = turned.msg_seq, windows = turned.windows, window_until = turned.until FROM turned \
       WHERE customer.account = turned.account AND customer.openid = turned.openid), \
     waits AS (UPDATE conversation SET waiting_since = turned.at FROM turned \
       WHERE conversation.id = turned.conversation AND waiting_since IS NULL), \
     kept AS (INSERT INTO message (id, account, openid, direction, kind, conversation, source_key, inbox, created_at) \
       SELECT message, account, openid, 'in', kind, conversation, source_key, inbox, at FROM turned), \
     part AS (INSERT INTO delivery (id, message, part, state, body, sender, recipient, msg_seq, tries, first_try_at, changed_at) \
       SELECT delivery, message, 0, CASE WHEN attempt IS NULL THEN 'waiting' ELSE 'sending' END, body, ghost, agent, msg_seq, \
         CASE WHEN attempt IS NULL THEN 0 ELSE 1 END, CASE WHEN attempt IS NULL THEN NULL ELSE $20::bigint END, $20 FROM turned), \
     tried AS (INSERT INTO attempt (id, delivery, epoch, started_at, account) \
       SELECT attempt, delivery, epoch, $20, account FROM turned WHERE attempt IS NOT NULL) \
     SELECT lane FROM turned"
);

/// PostgreSQL's way of beginning attempts: lane, epoch, attempt, delivery, now. Gives the attempts that may go on.
pub(crate) const BEGIN_ATTEMPTS: &str = concat!(
    fenced!(
        "UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY AS new (lane, epoch, attempt, \
           delivery, at, n)"
    ),
    "part AS (UPDATE delivery SET state = 'sending', tries = tries + 1, first_try_at = COALESCE(first_try_at, fence.at), \
       changed_at = fence.at FROM fence WHERE delivery.id = fence.delivery) \
     INSERT INTO attempt (id, delivery, epoch, started_at, account) SELECT attempt, delivery, epoch, at, of FROM fence RETURNING id"
);

/// SQLite's way of beginning one inside the fence ($1, $2): $3 attempt, $4 delivery, $5 now.
pub(crate) const BEGIN_ONE: &str = concat!(
    "INSERT INTO attempt (id, delivery, epoch, started_at, account) SELECT $3, $4, $2, $5, account FROM (",
    fence!(),
    ")"
);

/// PostgreSQL's way of ending the last parts of messages as sent: lane, epoch, position, tries, delivery, its state, detail,
/// IM's key, now. Gives the lanes of those that ended so, with the jobs that are left there.
pub(crate) const DELIVERED: &str = concat!(
    fenced!(
        "UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[]) \
           WITH ORDINALITY AS new (lane, epoch, position, tries, delivery, was, detail, msg_key, at, n)"
    ),
    "done AS (UPDATE delivery d SET state = 'sent', reason = NULL, msg_key = COALESCE(fence.msg_key, d.msg_key), \
         changed_at = fence.at \
       FROM fence JOIN job j ON j.lane = fence.lane AND j.position = fence.position AND j.tries = fence.tries \
       WHERE d.id = fence.delivery AND d.state = fence.was AND NOT EXISTS ( \
         SELECT 1 FROM delivery o WHERE o.message = d.message AND o.id <> d.id AND o.state <> 'sent') RETURNING fence.*), \
     tried AS (UPDATE attempt SET ended_at = done.at, outcome = 'sent', detail = done.detail FROM done \
       WHERE attempt.delivery = done.delivery AND ended_at IS NULL), \
     gone AS (DELETE FROM job USING done WHERE job.lane = done.lane AND job.position = done.position) \
     UPDATE lane SET head = done.position + 1, \
       holder = CASE WHEN done.position + 1 < tail THEN holder ELSE NULL END, \
       ready_at = CASE WHEN done.position + 1 < tail THEN ready_at ELSE NULL END \
     FROM done WHERE lane.id = done.lane RETURNING lane.id, tail - head"
);

/// SQLite's way of ending one of them inside the fence ($1, $2): $3 position, $4 tries, $5 delivery, $6 its state, $7 IM's key,
/// $8 now.
pub(crate) const SENT_ONE: &str = concat!(
    "UPDATE delivery SET state = 'sent', reason = NULL, msg_key = COALESCE($7, msg_key), changed_at = $8 \
     WHERE id = $5 AND state = $6 AND EXISTS (",
    fence!(),
    ") AND EXISTS (SELECT 1 FROM job WHERE lane = $1 AND position = $3 AND tries = $4) AND NOT EXISTS ( \
       SELECT 1 FROM delivery o WHERE o.message = delivery.message AND o.id <> $5 AND o.state <> 'sent')"
);

macro_rules! wake_lanes {
    ($of:literal) => {
        concat!(
            "UPDATE lane SET ready_at = (SELECT now FROM clock) WHERE id IN (SELECT id FROM lane WHERE id ",
            $of,
            ") AND holder IS NULL AND ready_at > (SELECT now FROM clock)"
        )
    };
}

/// id: makes lanes ready that were put off and are held by nobody. On PostgreSQL in the order of their ids, past those
/// that somebody has in hand.
pub(crate) const WAKE_LANES: Text = Text {
    sqlite: wake_lanes!("IN (SELECT value FROM json_each($1))"),
    postgres: wake_lanes!("= ANY ($1::text[]) ORDER BY id FOR UPDATE SKIP LOCKED"),
};

macro_rules! draw {
    ($most:literal, $least:literal, $from:literal) => {
        concat!(
            "INSERT INTO bucket (name, paid_until, drawn, level) SELECT $1, (SELECT now FROM clock) * 1000, 0, 0 ", $from, " \
             ON CONFLICT (name) DO UPDATE SET \
               level = excluded.paid_until - ", $most, "(bucket.paid_until, excluded.paid_until - $3), \
               drawn = ", draw!(@calls $most, $least), ", \
               paid_until = ", $most, "(bucket.paid_until, excluded.paid_until - $3) + $2 * ", draw!(@calls $most, $least), " \
             RETURNING drawn, level"
        )
    };
    // What is waited for, on credit; or what is left over; whichever is more.
    (@calls $most:literal, $least:literal) => {
        concat!(
            $most, "(0, ",
              $least, "($6, (excluded.paid_until - ", $most, "(bucket.paid_until, excluded.paid_until - $3) - $4 + $5) / $2), ",
              $least, "($7, (excluded.paid_until - ", $most, "(bucket.paid_until, excluded.paid_until - $3) - $4) / $2))"
        )
    };
}

/// Draws calls from a bucket. $1 name, $2 cost, $3 depth, $4 reserve, $5 credit (all in µs), $6 calls that are waited for, $7
/// calls that may be wanted soon. The moment that is tried to be inserted is now.
///
/// PostgreSQL does not sync it: what a crash forgets are draws of the last moment, and a server takes longer to be back.
pub(crate) const DRAW: Text = Text {
    sqlite: draw!("MAX", "MIN", "WHERE true"),
    postgres: draw!(
        "GREATEST",
        "LEAST",
        "FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unsynced"
    ),
};

// The statements of the ingest batch: ROWS stands for the rows on SQLite (see `with_rows`), and there is one array per column on
// PostgreSQL.

/// key, inbox, at, reply.
pub(crate) const INSERT_DEDUP: Text = Text {
    sqlite: "INSERT INTO dedup (key, inbox, at, reply) SELECT * FROM ROWS WHERE column1 IS NOT NULL \
             ON CONFLICT (key) DO NOTHING RETURNING key",
    postgres: "INSERT INTO dedup (key, inbox, at, reply) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bytea[]) \
               ON CONFLICT (key) DO NOTHING RETURNING key",
};

/// key.
pub(crate) const SELECT_DEDUP: Text = Text {
    sqlite: "SELECT key, reply FROM dedup WHERE key IN (SELECT value FROM json_each($1))",
    postgres: "SELECT key, reply FROM dedup WHERE key = ANY ($1::text[])",
};

/// key, reply.
pub(crate) const SET_REPLY: Text = Text {
    sqlite: "UPDATE dedup SET reply = new.column2 FROM ROWS AS new WHERE dedup.key = new.column1",
    postgres: "UPDATE dedup SET reply = new.reply FROM UNNEST($1::text[], $2::bytea[]) AS new (key, reply) \
               WHERE dedup.key = new.key",
};

/// user_id: whose ghosts these are.
pub(crate) const SELECT_GHOSTS: Text = Text {
    sqlite: "SELECT user_id, account, openid FROM ghost WHERE user_id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT user_id, account, openid FROM ghost WHERE user_id = ANY ($1::text[])",
};

macro_rules! upsert_customer {
    ($rows:literal, $idle:literal) => {
        concat!(
            "INSERT INTO customer (account, openid, subscribed, conversation, conversation_at, generation, msg_seq, created_at, event_at) ",
            $rows,
            " ON CONFLICT (account, openid) DO UPDATE SET \
              subscribed = CASE \
                WHEN excluded.event_at > 0 AND excluded.event_at < customer.event_at THEN customer.subscribed \
                WHEN excluded.event_at < 0 AND customer.subscribed = 0 AND -excluded.event_at < customer.event_at THEN 0 \
                ELSE excluded.subscribed END, \
              event_at = CASE WHEN excluded.event_at > customer.event_at AND excluded.event_at > 0 \
                THEN excluded.event_at ELSE customer.event_at END, \
              conversation = CASE \
                WHEN excluded.subscribed = 0 AND excluded.event_at < customer.event_at THEN customer.conversation \
                WHEN excluded.subscribed = 0 THEN NULL \
                WHEN excluded.conversation IS NULL THEN customer.conversation \
                WHEN customer.conversation IS NULL THEN excluded.conversation \
                WHEN customer.conversation_at < excluded.conversation_at - ", $idle, " THEN excluded.conversation \
                ELSE customer.conversation END, \
              conversation_at = CASE \
                WHEN excluded.conversation IS NULL THEN customer.conversation_at \
                WHEN customer.conversation_at > excluded.conversation_at THEN customer.conversation_at \
                ELSE excluded.conversation_at END \
              RETURNING account, openid, conversation, event_at"
        )
    };
}

/// account, openid, subscribed, conversation (a candidate, or null), at, CreateTime in ms (of a follow or unfollow; that
/// of a message with a minus sign); then the idle time in ms.
///
/// WeChat keeps no order: what was said before an unfollow and comes after it does not make a follower, and an unfollow
/// that comes after a newer follow does nothing. What has the same second as the last of them is taken for later.
///
/// A candidate becomes the conversation only where none is open, or the open one has been idle: one
/// conditional update, so that two quick messages open one conversation.
pub(crate) const UPSERT_CUSTOMER: Text = Text {
    sqlite: upsert_customer!(
        "SELECT column1, column2, column3, column4, column5, 0, 0, column5, column6 FROM ROWS WHERE column1 IS NOT NULL",
        "LAST"
    ),
    postgres: upsert_customer!(
        "SELECT a, o, s, c, t, 0, 0, t, e \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[]) AS new (a, o, s, c, t, e)",
        "$7"
    ),
};

macro_rules! extend_lanes {
    ($rows:literal) => {
        concat!(
            "INSERT INTO lane (id, account, openid, direction, head, tail, ready_at, epoch) ",
            $rows,
            " ON CONFLICT (id) DO UPDATE SET tail = lane.tail + excluded.tail, \
              ready_at = COALESCE(lane.ready_at, excluded.ready_at) RETURNING id, tail"
        )
    };
}

/// id, account, openid, direction, number of new jobs.
pub(crate) const EXTEND_LANES: Text = Text {
    sqlite: extend_lanes!(
        "SELECT column1, column2, column3, column4, 0, column5, (SELECT now FROM clock), 0 \
         FROM ROWS WHERE column1 IS NOT NULL"
    ),
    postgres: extend_lanes!(
        "SELECT i, a, o, d, 0, n, (SELECT now FROM clock), 0 \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS new (i, a, o, d, n)"
    ),
};

/// id, source, account, kind, received_at, query, body.
pub(crate) const INSERT_INBOX: Text = Text {
    sqlite: "INSERT INTO inbox (id, source, account, kind, received_at, query, body) \
             SELECT * FROM ROWS WHERE column1 IS NOT NULL",
    postgres: "INSERT INTO inbox (id, source, account, kind, received_at, query, body) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bytea[])",
};

/// lane, position, kind, subject, note, since, trace.
pub(crate) const INSERT_JOBS: Text = Text {
    sqlite: "INSERT INTO job (lane, position, kind, subject, note, tries, since, trace) \
             SELECT column1, column2, column3, column4, column5, 0, column6, column7 FROM ROWS WHERE column1 IS NOT NULL",
    postgres: "INSERT INTO job (lane, position, kind, subject, note, tries, since, trace) \
               SELECT l, p, k, s, n, 0, t, tr \
               FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[]) AS new (l, p, k, s, n, t, tr)",
};

/// account, openid, at; then the idle time in ms: those who are in a conversation then.
pub(crate) const TALKING: Text = Text {
    sqlite: "SELECT c.account, c.openid FROM ROWS AS new \
             JOIN customer c ON c.account = new.column1 AND c.openid = new.column2 \
             WHERE c.conversation IS NOT NULL AND c.conversation_at >= new.column3 - LAST",
    postgres: "SELECT c.account, c.openid FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS new (a, o, t) \
               JOIN customer c ON c.account = new.a AND c.openid = new.o \
               WHERE c.conversation IS NOT NULL AND c.conversation_at >= new.t - $4",
};

/// ids: what these rows of the spool hold, in their order.
pub(crate) const SPOOLED: Text = Text {
    sqlite: "SELECT arrivals FROM spool WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
    postgres: "SELECT arrivals FROM spool WHERE id = ANY ($1::bigint[]) ORDER BY id",
};

/// ids: these rows of the spool go.
pub(crate) const SORTED: Text = Text {
    sqlite: "DELETE FROM spool WHERE id IN (SELECT value FROM json_each($1)) RETURNING id",
    postgres: "DELETE FROM spool WHERE id = ANY ($1::bigint[]) RETURNING id",
};

// The statements of `accounts import`, on the same plan.

/// openid; then account and now: a customer's row for each follower who has none.
pub(crate) const ADD_FOLLOWERS: Text = Text {
    sqlite: "INSERT INTO customer (account, openid, subscribed, conversation_at, generation, msg_seq, created_at) \
             SELECT $2, value, 1, 0, 0, 0, $3 FROM json_each($1) WHERE true ON CONFLICT (account, openid) DO NOTHING",
    postgres: "INSERT INTO customer (account, openid, subscribed, conversation_at, generation, msg_seq, created_at) \
               SELECT $2, o, 1, 0, 0, 0, $3 FROM UNNEST($1::text[]) AS new (o) ON CONFLICT (account, openid) DO NOTHING",
};

macro_rules! select_followers {
    ($of:literal, $lock:literal) => {
        concat!(
            "SELECT c.openid, c.subscribed, c.generation, g.user_id, g.state, g.changed_at FROM customer c \
             LEFT JOIN ghost g ON g.account = c.account AND g.openid = c.openid AND g.generation = c.generation \
             WHERE c.account = $2 AND c.openid ",
            $of,
            " ORDER BY c.openid",
            $lock
        )
    };
}

/// openid; then account: their rows and newest ghosts, locked where the engine locks rows.
pub(crate) const SELECT_FOLLOWERS: Text = Text {
    sqlite: select_followers!("IN (SELECT value FROM json_each($1))", ""),
    postgres: select_followers!("= ANY ($1::text[])", " FOR UPDATE OF c"),
};

/// openid, generation, user_id; then account and now.
pub(crate) const PLAN_GHOSTS: Text = Text {
    sqlite: "INSERT INTO ghost (user_id, account, openid, generation, state, changed_at) \
             SELECT value ->> 2, $2, value ->> 0, value ->> 1, 'planned', $3 FROM json_each($1) WHERE true \
             ON CONFLICT DO NOTHING RETURNING openid",
    postgres: "INSERT INTO ghost (user_id, account, openid, generation, state, changed_at) \
               SELECT u, $4, o, g, 'planned', $5 FROM UNNEST($1::text[], $2::bigint[], $3::text[]) AS new (o, g, u) \
               ON CONFLICT DO NOTHING RETURNING openid",
};

/// openid, generation; then account. The rows are there: as an upsert, because SQLite finds each by its key then, and
/// goes through all customers for each in an `UPDATE … FROM`.
pub(crate) const SET_GENERATIONS: Text = Text {
    sqlite: "INSERT INTO customer (account, openid, subscribed, conversation_at, generation, msg_seq, created_at) \
             SELECT $2, value ->> 0, 1, 0, value ->> 1, 0, 0 FROM json_each($1) WHERE true \
             ON CONFLICT (account, openid) DO UPDATE SET generation = excluded.generation",
    postgres: "UPDATE customer SET generation = new.g FROM UNNEST($1::text[], $2::bigint[]) AS new (o, g) \
               WHERE customer.account = $3 AND customer.openid = new.o",
};

/// user_id; then now: whoever is still planned lives.
pub(crate) const GHOSTS_LIVE: Text = Text {
    sqlite: "UPDATE ghost SET state = 'living', changed_at = $2 \
             WHERE state = 'planned' AND user_id IN (SELECT value FROM json_each($1))",
    postgres: "UPDATE ghost SET state = 'living', changed_at = $2 WHERE state = 'planned' AND user_id = ANY ($1::text[])",
};

/// A kind of rows that grow old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// What webhooks brought.
    Inbox,
    /// Messages, with their deliveries and attempts.
    Messages,
    /// Conversations that are closed.
    Conversations,
    /// The record of calls.
    Attempts,
}

impl Old {
    /// Every kind, in the order in which a sweep goes through them.
    pub const ALL: [Old; 4] = [Old::Inbox, Old::Attempts, Old::Messages, Old::Conversations];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Old::Inbox => "inbox",
            Old::Messages => "messages",
            Old::Conversations => "conversations",
            Old::Attempts => "attempts",
        }
    }

    /// $1 account, $2 before, then $3 and $4 the time and id of the last row looked at, $5 how many: id, time.
    pub(crate) fn candidates(self) -> &'static str {
        match self {
            Old::Inbox => {
                "SELECT id, received_at FROM inbox WHERE account = $1 AND received_at < $2 \
                 AND (received_at, id) > ($3, $4) ORDER BY received_at, id LIMIT $5"
            }
            Old::Messages => {
                "SELECT id, created_at FROM message WHERE account = $1 AND created_at < $2 \
                 AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5"
            }
            Old::Conversations => {
                "SELECT id, closed_at FROM conversation WHERE account = $1 AND closed_at IS NOT NULL \
                 AND closed_at < $2 AND (closed_at, id) > ($3, $4) ORDER BY closed_at, id LIMIT $5"
            }
            Old::Attempts => {
                "SELECT id, started_at FROM attempt WHERE account = $1 AND started_at < $2 \
                 AND (started_at, id) > ($3, $4) ORDER BY started_at, id LIMIT $5"
            }
        }
    }

    /// $1 account: the next one, or null.
    pub(crate) fn next_account(self) -> &'static str {
        match self {
            Old::Inbox => "SELECT MIN(account) FROM inbox WHERE account > $1",
            Old::Messages => "SELECT MIN(account) FROM message WHERE account > $1",
            Old::Conversations => {
                "SELECT MIN(account) FROM conversation WHERE account > $1 AND closed_at IS NOT NULL"
            }
            Old::Attempts => "SELECT MIN(account) FROM attempt WHERE account > $1",
        }
    }
}

macro_rules! by_ids {
    ($before:literal, $after:literal) => {
        Text {
            sqlite: concat!($before, "IN (SELECT value FROM json_each($1))", $after),
            postgres: concat!($before, "= ANY ($1::text[])", $after),
        }
    };
}

// Each of these takes $1 ids and $2 a number, and answers the ids that it is about.

/// $2: the time before which unreadable ones may go.
pub(crate) const PURGE_INBOX: Text = by_ids!(
    "DELETE FROM inbox WHERE id ",
    " AND (kind <> 'unreadable' OR received_at < $2) \
     AND NOT EXISTS (SELECT 1 FROM job WHERE job.subject = inbox.id) RETURNING id"
);

/// The record of a call counts as long as its delivery may be tried again.
pub(crate) const PURGE_ATTEMPTS: Text = by_ids!(
    "DELETE FROM attempt WHERE id ",
    " AND $2 > 0 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.id = attempt.delivery \
     AND d.state NOT IN ('sent', 'failed', 'unsure')) RETURNING id"
);

pub(crate) const PURGE_CONVERSATIONS: Text =
    by_ids!("DELETE FROM conversation WHERE id ", " AND closed_at < $2 RETURNING id");

pub(crate) const PURGEABLE_MESSAGES: Text = by_ids!(
    "SELECT id FROM message WHERE id ",
    " AND $2 > 0 AND NOT EXISTS (SELECT 1 FROM job WHERE job.subject = message.id) \
     AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message = message.id \
       AND d.state NOT IN ('sent', 'failed', 'unsure'))"
);

pub(crate) const PURGE_ATTEMPTS_OF: Text = by_ids!(
    "DELETE FROM attempt WHERE id IN (SELECT a.id FROM delivery d, attempt a WHERE a.delivery = d.id AND d.message ",
    " LIMIT $2) RETURNING id"
);

pub(crate) const PURGE_DELIVERIES_OF: Text =
    by_ids!("DELETE FROM delivery WHERE message ", " AND $2 > 0 RETURNING id");

pub(crate) const PURGE_MESSAGES: Text = by_ids!("DELETE FROM message WHERE id ", " AND $2 > 0 RETURNING id");

// A customer is erased: $1 ids.

pub(crate) const ERASE_INBOX: Text = by_ids!("DELETE FROM inbox WHERE id ", "");

pub(crate) const ERASE_DEDUP: Text = by_ids!("DELETE FROM dedup WHERE key ", "");

pub(crate) const ERASE_DEDUP_OF: Text = by_ids!("DELETE FROM dedup WHERE inbox ", "");
