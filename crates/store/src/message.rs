//! Messages, their deliveries, and the attempts at them.
//!
//! A delivery is one part of a message on its way to one side. Its attempt row is committed before the call
//! that may have an effect, its outcome after it; an attempt without an outcome tells whoever takes over that
//! a call may have been under way.

use crate::dialect;
use crate::lane::{Job, Lane};
use crate::reconcile::Said;
use crate::sql::{Conn, Error, Tx, execute, row, rows};
use crate::{AttemptId, DeliveryId, MessageId};
use desk::{Content, DeliveryState, Direction, Millis, Reason};

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// Its id.
    pub id: &'a MessageId,
    /// The account.
    pub account: &'a str,
    /// The customer.
    pub openid: &'a str,
    /// Which way it goes.
    pub direction: Direction,
    /// `text`, `image`, …, or `notice`.
    pub kind: &'a str,
    /// The conversation it belongs to.
    pub conversation: Option<&'a str>,
    /// The agent who wrote it.
    pub author: Option<&'a str>,
    /// `MsgId` or `MsgKey`.
    pub source_key: Option<&'a str>,
    /// What an agent's message is known by besides.
    pub said: Option<Said>,
    /// The webhook that brought it.
    pub inbox: Option<&'a str>,
    /// When it was taken in.
    pub created_at: Millis,
}

/// A message, as far as jobs ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `text`, `image`, …, or `notice`.
    pub kind: String,
    /// The conversation it belongs to.
    pub conversation: Option<String>,
    /// The agent who wrote it.
    pub author: Option<String>,
}

/// One part of a message on its way to one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// The words to be delivered, or those that stand in for what it carries.
    pub body: String,
    /// What it carries beside them; none for plain text.
    pub content: Option<Content>,
    /// Who sends it: a ghost, or empty towards WeChat.
    pub sender: String,
    /// Who gets it: an agent, or the customer's openid.
    pub recipient: String,
    /// `MsgSeq` towards IM.
    pub msg_seq: Option<u32>,
    /// Attempts so far.
    pub tries: u32,
    /// When the first attempt began.
    pub first_try_at: Option<Millis>,
    /// When it came to the state that it is in.
    pub changed_at: Millis,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The state that the delivery is in now.
    pub state: DeliveryState,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// What the other side said, for the log: a code, never a text of a person.
    pub detail: &'a str,
    /// The key that IM gave.
    pub msg_key: Option<&'a str>,
}

impl Tx<'_> {
    /// Stores a message.
    pub async fn insert_message(&mut self, new: NewMessage<'_>) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO message (id, account, openid, direction, kind, conversation, author, source_key, inbox, created_at, \
               said_at, msg_seq, msg_random) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            new.id.as_str(),
            new.account,
            new.openid,
            new.direction.as_str(),
            new.kind,
            new.conversation,
            new.author,
            new.source_key,
            new.inbox,
            new.created_at,
            new.said.map(|said| said.at),
            new.said.map(|said| i64::from(said.seq)),
            new.said.map(|said| i64::from(said.random))
        )?;
        Ok(())
    }

    /// A message.
    pub async fn message(&mut self, id: &str) -> Result<Option<Message>, Error> {
        type Row = (String, Option<String>, Option<String>);
        let row = row!(self, Row, "SELECT kind, conversation, author FROM message WHERE id = $1", id)?;
        Ok(row.map(|(kind, conversation, author)| Message { kind, conversation, author }))
    }

    /// Stores one part of a message, not tried yet (or, with a reason, failed from the start).
    #[expect(clippy::too_many_arguments, reason = "one call per column, in the order of the columns")]
    pub async fn insert_delivery(
        &mut self,
        id: &DeliveryId,
        message: &MessageId,
        part: i64,
        body: &str,
        sender: &str,
        recipient: &str,
        msg_seq: Option<u32>,
        failed: Option<Reason>,
        now: Millis,
    ) -> Result<(), Error> {
        let state = if failed.is_some() { DeliveryState::Failed } else { DeliveryState::Waiting };
        execute!(
            self,
            "INSERT INTO delivery (id, message, part, state, reason, body, sender, recipient, msg_seq, tries, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)",
            id.as_str(),
            message.as_str(),
            part,
            state.as_str(),
            failed.map(Reason::as_str),
            body,
            sender,
            recipient,
            msg_seq.map(i64::from),
            now
        )?;
        Ok(())
    }

    /// The parts of a message, in order.
    pub async fn deliveries(&mut self, message: &str) -> Result<Vec<Delivery>, Error> {
        type Row = (
            String,
            String,
            Option<String>,
            String,
            String,
            String,
            Option<i64>,
            i64,
            Option<i64>,
            i64,
            Option<String>,
        );
        let rows = rows!(
            self,
            Row,
            "SELECT id, state, reason, body, sender, recipient, msg_seq, tries, first_try_at, changed_at, content \
             FROM delivery WHERE message = $1 ORDER BY part",
            message
        )?;
        let delivery = |row: Row| {
            let (id, state, reason, body, sender, recipient, msg_seq, tries, first, changed_at, content) =
                row;
            Ok(Delivery {
                id,
                state: DeliveryState::parse(&state).ok_or(Error::Unknown("state of a delivery"))?,
                reason: reason.as_deref().map(Reason::read),
                body,
                content: content.as_deref().and_then(Content::read),
                sender,
                recipient,
                msg_seq: msg_seq.and_then(|seq| u32::try_from(seq).ok()),
                tries: u32::try_from(tries).unwrap_or(u32::MAX),
                first_try_at: first,
                changed_at,
            })
        };
        rows.into_iter().map(delivery).collect()
    }

    /// Opens an attempt: from this commit on, the call may be under way.
    pub async fn begin_attempt(
        &mut self,
        id: &AttemptId,
        delivery: &str,
        epoch: i64,
        now: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO attempt (id, delivery, epoch, started_at, account) VALUES ($1, $2, $3, $4, COALESCE(\
               (SELECT m.account FROM message m, delivery d WHERE d.id = $2 AND m.id = d.message), ''))",
            id.as_str(),
            delivery,
            epoch,
            now
        )?;
        self.sending(delivery, now).await
    }

    /// The delivery's side of it.
    pub(crate) async fn sending(&mut self, delivery: &str, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET state = 'sending', tries = tries + 1, first_try_at = COALESCE(first_try_at, $2), \
             changed_at = $2 WHERE id = $1",
            delivery,
            now
        )?;
        Ok(())
    }

    /// When the delivery's open attempt began; `None` if no call is under way.
    pub async fn attempt_began(&mut self, delivery: &str) -> Result<Option<Millis>, Error> {
        let row = row!(
            self,
            (Option<i64>,),
            "SELECT MIN(started_at) FROM attempt WHERE delivery = $1 AND ended_at IS NULL",
            delivery
        )?;
        Ok(row.and_then(|(began,)| began))
    }

    /// Closes the delivery's open attempts and records where it stands now.
    pub async fn end_attempt(
        &mut self,
        delivery: &str,
        outcome: Outcome<'_>,
        now: Millis,
    ) -> Result<(), Error> {
        if let Conn::Postgres(conn) = &mut self.conn {
            let ended = sqlx::query(dialect::END_ATTEMPT)
                .bind(delivery)
                .bind(now)
                .bind(outcome.state.as_str())
                .bind(outcome.detail)
                .bind(outcome.reason.map(Reason::as_str))
                .bind(outcome.msg_key);
            ended.execute(&mut **conn).await?;
            return Ok(());
        }
        self.close_attempts(delivery, outcome.state, outcome.detail, now).await?;
        execute!(
            self,
            "UPDATE delivery SET state = $2, reason = $3, msg_key = COALESCE($4, msg_key), changed_at = $5 WHERE id = $1",
            delivery,
            outcome.state.as_str(),
            outcome.reason.map(Reason::as_str),
            outcome.msg_key,
            now
        )?;
        Ok(())
    }

    /// The attempts' side of it.
    pub(crate) async fn close_attempts(
        &mut self,
        delivery: &str,
        state: DeliveryState,
        detail: &str,
        now: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE attempt SET ended_at = $2, outcome = $3, detail = $4 WHERE delivery = $1 AND ended_at IS NULL",
            delivery,
            now,
            state.as_str(),
            detail
        )?;
        Ok(())
    }

    /// How many parts of its message are not sent, if a job is still as it was read and its delivery in this state: `None`
    /// after a commit that was kept although its answer was lost.
    pub async fn still_open(
        &mut self,
        lane: &Lane,
        job: &Job,
        delivery: &str,
        state: DeliveryState,
    ) -> Result<Option<i64>, Error> {
        let row = row!(
            self,
            (i64,),
            "SELECT (SELECT COUNT(*) FROM delivery o WHERE o.message = d.message AND o.state <> 'sent') \
             FROM job j, delivery d \
             WHERE j.lane = $1 AND j.position = $2 AND j.tries = $3 AND d.id = $4 AND d.state = $5",
            lane.id.as_str(),
            job.position,
            job.tries,
            delivery,
            state.as_str()
        )?;
        Ok(row.map(|(unsent,)| unsent))
    }

    /// How many attempts at a delivery ended with this detail.
    pub async fn attempts_with(&mut self, delivery: &str, detail: &str) -> Result<u32, Error> {
        let row = row!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM attempt WHERE delivery = $1 AND detail = $2",
            delivery,
            detail
        )?;
        Ok(row.map_or(0, |(count,)| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    /// Lets another ghost send what is left of a message.
    pub async fn change_sender(&mut self, message: &str, sender: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET sender = $2 WHERE message = $1 AND state = 'waiting'",
            message,
            sender
        )?;
        Ok(())
    }

    /// Sends what is left of a message to another agent.
    pub async fn change_recipient(&mut self, message: &str, recipient: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET recipient = $2 WHERE message = $1 AND state = 'waiting'",
            message,
            recipient
        )?;
        Ok(())
    }

    /// The last words of the customer in a conversation, the oldest first.
    pub async fn recent_words(&mut self, conversation: &str, most: i64) -> Result<Vec<String>, Error> {
        let rows = rows!(
            self,
            (String,),
            "SELECT d.body FROM conversation c \
             JOIN message m ON m.account = c.account AND m.openid = c.openid AND m.conversation = c.id AND m.direction = 'in' \
             JOIN delivery d ON d.message = m.id \
             WHERE c.id = $1 ORDER BY m.id DESC, d.part DESC LIMIT $2",
            conversation,
            most
        )?;
        Ok(rows.into_iter().rev().map(|(body,)| body).collect())
    }

    /// Fails what is left of a message after one of its parts failed or is unsure.
    pub async fn fail_rest(&mut self, message: &str, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET state = 'failed', reason = $2, changed_at = $3 WHERE message = $1 AND state = 'waiting'",
            message,
            Reason::EarlierPart.as_str(),
            now
        )?;
        Ok(())
    }
}
