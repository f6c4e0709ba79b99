//! What reconciliation with IM's history asks and keeps: how far each chat was read, what is known of a message besides
//! its MsgKey, and since when something may be missing.
//!
//! What is found goes through the same dedup keys as the webhooks, in the transaction that puts its job on the lane.

use crate::batch::{insert_inbox, insert_keys};
use crate::ingest::Arrival;
use crate::lane::{Job, Lane, NewJob, lane_id};
use crate::migrate::set_meta;
use crate::open::Store;
use crate::sql::{Error, Tx, execute, row, rows};
use desk::{Direction, Millis};
use std::collections::HashMap;
use std::time::Duration;

/// Since when what holds for this store, in ms; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Since {
    /// It was created.
    pub created: Millis,
    /// It was restored from a backup.
    pub restored: Millis,
    /// Webhooks of IM may be missing, and the chats were not read since.
    pub gap: Millis,
}

/// A customer's chats, as reconciliation sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chat {
    /// UserID of the living ghost.
    pub ghost: String,
    /// When the customer became known.
    pub known_since: Millis,
    /// Who wrote in the open conversation, and who has it.
    pub writers: Vec<String>,
    /// Agents, and up to when the history with them was taken in. An empty one stands for a look at all.
    pub read: Vec<(String, Millis)>,
}

impl Chat {
    /// Up to when the history with this agent was taken in.
    pub fn until(&self, agent: &str) -> Option<Millis> {
        self.read.iter().find(|(of, _)| of == agent).map(|(_, until)| *until)
    }
}

/// What an agent's message is known by: MsgTime in ms, MsgSeq and MsgRandom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// MsgTime.
    pub at: Millis,
    /// MsgSeq.
    pub seq: u32,
    /// MsgRandom.
    pub random: u32,
}

impl Store {
    /// Takes the turn to look at all chats, for one node at a time; false if it is another's, or not yet time.
    pub async fn take_round(&self, hold: Duration) -> Result<bool, Error> {
        let hold = hold.as_millis() as i64;
        self.write(move |tx| {
            Box::pin(async move {
                let taken = execute!(
                    tx,
                    "UPDATE meta SET value = CAST((SELECT now FROM clock) + $1 AS TEXT) \
                     WHERE key = 'reconcile_at' AND CAST(value AS BIGINT) <= (SELECT now FROM clock)",
                    hold
                )?;
                Ok(taken == 1)
            })
        })
        .await
    }

    /// Keeps the turn, or ends it: the next one begins after `pause`.
    pub async fn next_round(&self, pause: Duration) -> Result<(), Error> {
        let pause = pause.as_millis() as i64;
        self.write(move |tx| {
            Box::pin(async move {
                execute!(
                    tx,
                    "UPDATE meta SET value = CAST((SELECT now FROM clock) + $1 AS TEXT) WHERE key = 'reconcile_at'",
                    pause
                )?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps that webhooks may be missing from `now` on: every chat is looked at before an answer that comes later goes
    /// out.
    pub async fn record_gap(&self, now: Millis) -> Result<(), Error> {
        self.write(move |tx| Box::pin(async move { tx.record_gap(now).await })).await
    }
}

impl Tx<'_> {
    pub(crate) async fn record_gap(&mut self, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE meta SET value = CAST($1 AS TEXT) WHERE key = 'gap_at' AND CAST(value AS BIGINT) < $1",
            now
        )?;
        set_meta(self, "reconcile_at", "0").await
    }

    /// Since when what holds for this store.
    pub async fn since(&mut self) -> Result<Since, Error> {
        let rows = rows!(
            self,
            (String, String),
            "SELECT key, value FROM meta WHERE key IN ('created_at', 'restored_at', 'gap_at')"
        )?;
        let at = |key: &str| {
            let value = rows.iter().find(|(of, _)| of == key).and_then(|(_, value)| value.parse().ok());
            value.unwrap_or(0)
        };
        Ok(Since { created: at("created_at"), restored: at("restored_at"), gap: at("gap_at") })
    }

    /// Whether a customer's chats were looked at since webhooks may last have been missing, or need not be for what came at `at`.
    pub async fn is_looked_at(&mut self, account: &str, openid: &str, at: Millis) -> Result<bool, Error> {
        let row = row!(
            self,
            (Option<i64>, Option<i64>),
            "SELECT (SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'gap_at'), \
               (SELECT until FROM reconciled WHERE account = $1 AND openid = $2 AND agent = '')",
            account,
            openid
        )?;
        let (gap, until) = row.unwrap_or_default();
        let gap = gap.unwrap_or(0);
        Ok(at < gap || until.is_some_and(|until| until >= gap))
    }

    /// A customer's chats; `None` without a living ghost.
    pub async fn chat(&mut self, account: &str, openid: &str) -> Result<Option<Chat>, Error> {
        let found = row!(
            self,
            (String, i64, Option<String>),
            "SELECT g.user_id, c.created_at, c.conversation FROM customer c \
             JOIN ghost g ON g.account = c.account AND g.openid = c.openid AND g.generation = c.generation \
             WHERE c.account = $1 AND c.openid = $2 AND g.state = 'living'",
            account,
            openid
        )?;
        let Some((ghost, known_since, conversation)) = found else { return Ok(None) };
        let read = rows!(
            self,
            (String, i64),
            "SELECT agent, until FROM reconciled WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        let writers = rows!(
            self,
            (String,),
            "SELECT agent FROM conversation WHERE id = $3 \
             UNION SELECT author FROM message \
               WHERE account = $1 AND openid = $2 AND conversation = $3 AND author IS NOT NULL",
            account,
            openid,
            conversation.unwrap_or_default()
        )?;
        let writers = writers.into_iter().map(|(agent,)| agent).collect();
        Ok(Some(Chat { ghost, known_since, writers, read }))
    }

    /// Customers of an account whose conversation was closed after `after` (its time and id), in that order.
    pub async fn closed_after(
        &mut self,
        account: &str,
        after: (Millis, &str),
        most: i64,
    ) -> Result<Vec<(String, String, Millis)>, Error> {
        Ok(rows!(
            self,
            (String, String, i64),
            "SELECT id, openid, closed_at FROM conversation \
             WHERE account = $1 AND closed_at IS NOT NULL AND (closed_at, id) > ($2, $3) \
             ORDER BY closed_at, id LIMIT $4",
            account,
            after.0,
            after.1,
            most
        )?)
    }

    /// Keeps up to when the history with an agent was taken in; never goes back.
    pub async fn set_reconciled(
        &mut self,
        account: &str,
        openid: &str,
        agent: &str,
        until: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO reconciled (account, openid, agent, until) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account, openid, agent) DO UPDATE SET until = excluded.until \
             WHERE reconciled.until < excluded.until",
            account,
            openid,
            agent,
            until
        )?;
        Ok(())
    }

    /// Whether a webhook with this key is known.
    pub async fn is_keyed(&mut self, dedup_key: &str) -> Result<bool, Error> {
        Ok(row!(self, (String,), "SELECT key FROM dedup WHERE key = $1", dedup_key)?.is_some())
    }

    /// What is known of an agent's message: whether it is, under its MsgKey or by what else it is known by; whether this
    /// key is; and when the store was restored from a backup (0 for never).
    pub async fn heard(
        &mut self,
        account: &str,
        openid: &str,
        author: &str,
        msg_key: &str,
        said: Said,
        dedup_key: &str,
    ) -> Result<(bool, bool, Millis), Error> {
        let found = row!(
            self,
            (Option<String>, Option<String>, Option<String>),
            "SELECT (SELECT id FROM message WHERE account = $1 AND openid = $2 AND author = $3 AND said_at = $4 \
                 AND (source_key = $5 OR (msg_seq = $6 AND msg_random = $7)) LIMIT 1), \
               (SELECT key FROM dedup WHERE key = $8), (SELECT value FROM meta WHERE key = 'restored_at')",
            account,
            openid,
            author,
            said.at,
            msg_key,
            i64::from(said.seq),
            i64::from(said.random),
            dedup_key
        )?;
        let (known, keyed, restored_at) = found.unwrap_or_default();
        let restored_at = restored_at.and_then(|at| at.parse().ok()).unwrap_or(0);
        Ok((known.is_some(), keyed.is_some(), restored_at))
    }

    /// Whether something that an agent said after `at` has gone out to the customer.
    pub async fn answered_since(&mut self, account: &str, openid: &str, at: Millis) -> Result<bool, Error> {
        let found = row!(
            self,
            (String,),
            "SELECT m.id FROM message m JOIN delivery d ON d.message = m.id \
             WHERE m.account = $1 AND m.openid = $2 AND m.said_at > $3 AND m.direction = 'out' \
               AND d.state IN ('sent', 'unsure') LIMIT 1",
            account,
            openid,
            at
        )?;
        Ok(found.is_some())
    }

    /// Whether this store has a delivery with this id.
    pub async fn has_delivery(&mut self, id: &str) -> Result<bool, Error> {
        Ok(row!(self, (String,), "SELECT id FROM delivery WHERE id = $1", id)?.is_some())
    }

    /// Keeps webhooks that were made of the history under their dedup keys, those that are new, and tells which are.
    /// Their jobs are the caller's.
    pub async fn insert_found(&mut self, found: &[Arrival]) -> Result<Vec<bool>, Error> {
        let new = insert_keys(self, found).await?;
        let fresh: Vec<&Arrival> =
            found.iter().zip(&new).filter(|(_, new)| **new).map(|(it, _)| it).collect();
        insert_inbox(self, &fresh, &HashMap::new()).await?;
        Ok(new)
    }

    /// Puts jobs before the head of a lane that is held, in their order.
    pub async fn put_in_front(&mut self, lane: &Lane, head: &Job, jobs: &[NewJob]) -> Result<(), Error> {
        let count = jobs.len() as i64;
        let moved = execute!(
            self,
            "UPDATE lane SET head = head - $3 WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            lane.id.as_str(),
            lane.epoch,
            count
        )?;
        if moved != 1 {
            return Err(Error::LeaseLost);
        }
        for (job, position) in jobs.iter().zip(head.position - count..) {
            execute!(
                self,
                "INSERT INTO job (lane, position, kind, subject, note, tries, since, trace) VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
                lane.id.as_str(),
                position,
                job.kind,
                job.subject.as_str(),
                job.note.as_deref(),
                job.since,
                job.trace.as_deref()
            )?;
        }
        Ok(())
    }

    /// Whether an agent's message that came after `since` waits on the customer's lane.
    pub async fn waits_since(&mut self, account: &str, openid: &str, since: Millis) -> Result<bool, Error> {
        let found = row!(
            self,
            (String,),
            "SELECT lane FROM job WHERE lane = $1 AND kind = 'webhook' AND since >= $2 LIMIT 1",
            lane_id(account, openid, Direction::Out),
            since
        )?;
        Ok(found.is_some())
    }
}
