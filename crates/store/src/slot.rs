//! Slots: the messages of customers that a passive reply may answer, each bound for good to what its reply carries.
//!
//! Every attempt of WeChat at one message finds the same row, on whichever node, and gets the same bytes: those kept with
//! the dedup key. Times are the database's, for WeChat's seconds do not stand still with anybody's clock.

use crate::AttemptId;
use crate::mailbox::Parked;
use crate::open::Store;
use crate::sql::{Error, Tx, execute, row, rows};
use desk::Millis;

/// A message that may be answered by a passive reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Attempts of WeChat that came, this one included.
    pub copies: i64,
    /// Milliseconds since the first of them.
    pub age: Millis,
    /// Whether its answer is decided.
    pub decided: bool,
}

/// A slot of which nobody has heard for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSlot {
    /// Its key.
    pub key: String,
    /// The account.
    pub account: String,
    /// The customer.
    pub openid: String,
    /// Whether its reply carries what waited.
    pub bound: bool,
    /// Attempts of WeChat that came.
    pub copies: i64,
    /// Those that were answered with the reply in time.
    pub writes: i64,
    /// Whether the last of them was.
    pub last_written: bool,
}

impl DueSlot {
    /// Whether its reply counts as delivered: the last attempt was answered in time, and it was not repeated after
    /// WeChat's last attempt, nor after as many timely answers as there are attempts.
    pub fn is_sent(&self) -> bool {
        self.last_written && self.copies <= ATTEMPTS && self.writes < ATTEMPTS
    }
}

type DueRow = (String, String, String, i64, i64, i64, i64);

fn due((key, account, openid, bound, copies, writes, written_copy): DueRow) -> DueSlot {
    let last_written = written_copy == copies;
    DueSlot { key, account, openid, bound: bound > 0, copies, writes, last_written }
}

/// WeChat makes so many attempts at one message.
pub const ATTEMPTS: i64 = 3;

impl Tx<'_> {
    /// Counts an attempt of WeChat at a message, the first of which opens the slot.
    pub async fn enter_slot(&mut self, key: &str, account: &str, openid: &str) -> Result<Slot, Error> {
        let found = row!(
            self,
            (i64, i64, i64),
            "INSERT INTO slot (key, account, openid, copies, opened_at, touched_at, bound, writes, written_copy) \
             SELECT $1, $2, $3, 1, now, now, 0, 0, 0 FROM clock WHERE true \
             ON CONFLICT (key) DO UPDATE SET copies = slot.copies + 1, touched_at = excluded.touched_at \
             RETURNING copies, touched_at - opened_at, CAST(CASE WHEN decided_at IS NULL THEN 0 ELSE 1 END AS BIGINT)",
            key,
            account,
            openid
        )?;
        let (copies, age, decided) = found.ok_or(Error::Unknown("slot"))?;
        Ok(Slot { copies, age, decided: decided != 0 })
    }

    /// Whether this message has a slot.
    pub async fn has_slot(&mut self, key: &str) -> Result<bool, Error> {
        Ok(row!(self, (String,), "SELECT key FROM slot WHERE key = $1", key)?.is_some())
    }

    /// Whether the answer of a slot is decided.
    pub async fn slot_decided(&mut self, key: &str) -> Result<bool, Error> {
        let found =
            row!(self, (String,), "SELECT key FROM slot WHERE key = $1 AND decided_at IS NOT NULL", key)?;
        Ok(found.is_some())
    }

    /// Whether a message of this customer is open that may still take an answer along: WeChat waits, or comes again.
    pub async fn slot_is_open(&mut self, account: &str, openid: &str, within: Millis) -> Result<bool, Error> {
        let found = row!(
            self,
            (String,),
            "SELECT key FROM slot WHERE settled_at IS NULL AND decided_at IS NULL AND account = $1 AND openid = $2 \
             AND touched_at > (SELECT now FROM clock) - $3 LIMIT 1",
            account,
            openid,
            within
        )?;
        Ok(found.is_some())
    }

    /// The passive reply that is kept with a dedup key, and when its first copy came; `None` if the key is not known.
    pub async fn kept_reply(&mut self, key: &str) -> Result<Option<(Millis, Option<Vec<u8>>)>, Error> {
        Ok(row!(self, (i64, Option<Vec<u8>>), "SELECT at, reply FROM dedup WHERE key = $1", key)?)
    }

    /// Decides the answer of a slot for good: these bytes, or the plain acknowledgement.
    pub async fn decide_slot(&mut self, key: &str, reply: Option<&[u8]>, bound: i64) -> Result<(), Error> {
        execute!(self, "UPDATE dedup SET reply = $2 WHERE key = $1", key, reply)?;
        execute!(
            self,
            "UPDATE slot SET decided_at = (SELECT now FROM clock), bound = $2, \
               settled_at = CASE WHEN $2 > 0 THEN NULL ELSE (SELECT now FROM clock) END \
             WHERE key = $1 AND decided_at IS NULL",
            key,
            bound
        )?;
        Ok(())
    }

    /// Binds what waits to a slot, and opens an attempt at its delivery.
    pub async fn bind(
        &mut self,
        key: &str,
        account: &str,
        openid: &str,
        parked: &Parked,
        attempt: &AttemptId,
        now: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE mailbox SET slot = $5 WHERE account = $1 AND openid = $2 AND position = $3 AND piece = $4",
            account,
            openid,
            parked.position,
            parked.piece,
            key
        )?;
        self.begin_attempt(attempt, &parked.delivery, 0, now).await
    }

    /// Cuts what waits after so many bytes; the rest stays at its place as a piece of its own.
    pub async fn cut_parked(
        &mut self,
        account: &str,
        openid: &str,
        parked: &Parked,
        at: usize,
    ) -> Result<(), Error> {
        let (head, rest) = parked.words.split_at(at);
        execute!(
            self,
            "INSERT INTO mailbox (account, openid, position, piece, message, delivery, words, parked_at, told) \
             SELECT account, openid, position, piece + 1, message, delivery, $5, parked_at, told FROM mailbox \
             WHERE account = $1 AND openid = $2 AND position = $3 AND piece = $4",
            account,
            openid,
            parked.position,
            parked.piece,
            rest
        )?;
        execute!(
            self,
            "UPDATE mailbox SET words = $5 WHERE account = $1 AND openid = $2 AND position = $3 AND piece = $4",
            account,
            openid,
            parked.position,
            parked.piece,
            head
        )?;
        Ok(())
    }

    /// The answer to this attempt of WeChat was written out in time.
    pub async fn slot_written(&mut self, key: &str, copy: i64) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE slot SET writes = writes + 1, touched_at = (SELECT now FROM clock), \
               written_copy = CASE WHEN written_copy < $2 THEN $2 ELSE written_copy END \
             WHERE key = $1 AND settled_at IS NULL",
            key,
            copy
        )?;
        Ok(())
    }

    /// Closes a slot. False if somebody did already, or an attempt came meanwhile.
    pub async fn settle_slot(&mut self, due: &DueSlot) -> Result<bool, Error> {
        let settled = execute!(
            self,
            "UPDATE slot SET settled_at = (SELECT now FROM clock), decided_at = COALESCE(decided_at, (SELECT now FROM clock)) \
             WHERE key = $1 AND settled_at IS NULL AND copies = $2 AND writes = $3",
            due.key.as_str(),
            due.copies,
            due.writes
        )?;
        Ok(settled == 1)
    }

    /// Replies to this customer that carry what waited and are not settled.
    pub async fn open_replies(&mut self, account: &str, openid: &str) -> Result<Vec<DueSlot>, Error> {
        let found = rows!(
            self,
            DueRow,
            "SELECT key, account, openid, bound, copies, writes, written_copy FROM slot \
             WHERE settled_at IS NULL AND account = $1 AND openid = $2 AND bound > 0",
            account,
            openid
        )?;
        Ok(found.into_iter().map(due).collect())
    }

    /// Takes out of the mailbox what a settled slot carried.
    pub async fn clear_bound(&mut self, key: &str) -> Result<(), Error> {
        execute!(self, "DELETE FROM mailbox WHERE slot = $1", key)?;
        Ok(())
    }

    /// What is left in the mailbox of a delivery: (bound to a reply, not bound).
    pub async fn left_of(&mut self, delivery: &str) -> Result<(i64, i64), Error> {
        let found = row!(
            self,
            (i64, i64),
            "SELECT COUNT(slot), COUNT(*) - COUNT(slot) FROM mailbox WHERE delivery = $1",
            delivery
        )?;
        Ok(found.unwrap_or_default())
    }
}

impl Store {
    /// Forgets slots that were settled more than `life` ms ago. Writes only if there are any.
    pub async fn purge_slots(&self, life: Millis, most: i64) -> Result<u64, Error> {
        let old = self.read(move |tx| {
            Box::pin(async move {
                let old = "SELECT key FROM slot WHERE settled_at < (SELECT now FROM clock) - $1 LIMIT 1";
                Ok(row!(tx, (String,), old, life)?.is_some())
            })
        });
        if !old.await? {
            return Ok(0);
        }
        self.write(move |tx| {
            Box::pin(async move {
                Ok(execute!(
                    tx,
                    "DELETE FROM slot WHERE key IN (SELECT key FROM slot \
                       WHERE settled_at < (SELECT now FROM clock) - $1 ORDER BY settled_at LIMIT $2)",
                    life,
                    most
                )?)
            })
        })
        .await
    }

    /// Slots of which nobody has heard for `quiet` ms.
    pub async fn due_slots(&self, quiet: Millis, most: i64) -> Result<Vec<DueSlot>, Error> {
        let found: Vec<DueRow> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        DueRow,
                        "SELECT key, account, openid, bound, copies, writes, written_copy FROM slot \
                         WHERE settled_at IS NULL AND touched_at < (SELECT now FROM clock) - $1 ORDER BY touched_at LIMIT $2",
                        quiet,
                        most
                    )?)
                })
            })
            .await?;
        Ok(found.into_iter().map(due).collect())
    }
}
