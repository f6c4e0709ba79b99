//! The mailbox: answers that wait for their customer's next message, in the customer's order. `slot.rs` has the passive
//! replies that carry them.
//!
//! Whoever changes a customer's mailbox holds the lock of the customer's row ([`Tx::lock_customer`]), so that an answer
//! leaves in one way only: bound to a reply, or sent by the lane, or given up.

use crate::message::Delivery;
use crate::open::Store;
use crate::sql::{Error, Tx, execute, row, rows};
use desk::{DeliveryState, Millis, Reason};

/// A row of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its place in the customer's order.
    pub position: i64,
    /// Which piece of the delivery.
    pub piece: i64,
    /// The message.
    pub message: String,
    /// The delivery.
    pub delivery: String,
    /// What is still to be delivered of it.
    pub words: String,
    /// Whether the agent has heard that it waits.
    pub told: bool,
}

type Row = (i64, i64, String, String, String, i64);

fn parked((position, piece, message, delivery, words, told): Row) -> Parked {
    Parked { position, piece, message, delivery, words, told: told != 0 }
}

/// A message of which something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// The account.
    pub account: String,
    /// The customer.
    pub openid: String,
    /// The message.
    pub message: String,
    /// Since when.
    pub parked_at: Millis,
    /// The beginning of what waits.
    pub words: String,
}

type MessageRow = (String, String, String, Millis, String);

fn parked_message((account, openid, message, parked_at, words): MessageRow) -> ParkedMessage {
    ParkedMessage { account, openid, message, parked_at, words }
}

impl Tx<'_> {
    /// Whether answers wait for this customer.
    pub async fn has_parked(&mut self, account: &str, openid: &str) -> Result<bool, Error> {
        let found = row!(
            self,
            (String,),
            "SELECT delivery FROM mailbox WHERE account = $1 AND openid = $2 AND slot IS NULL LIMIT 1",
            account,
            openid
        )?;
        Ok(found.is_some())
    }

    /// Puts the unsent parts of a message behind what waits for the customer: those from its first unsent one up to one
    /// that ended already. A part that waits there keeps its place. `words` says what is delivered of a part where nothing
    /// but text can go. Gives the parts that stay outside.
    pub async fn park(
        &mut self,
        account: &str,
        openid: &str,
        message: &str,
        words: &(dyn Fn(&Delivery) -> String + Send + Sync),
        told: bool,
        now: Millis,
    ) -> Result<usize, Error> {
        let tail = row!(
            self,
            (Option<i64>,),
            "SELECT MAX(position) FROM mailbox WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        let first = tail.and_then(|(tail,)| tail).unwrap_or(0) + 1;
        let parts = self.deliveries(message).await?;
        let unsent: Vec<_> = parts.iter().filter(|part| part.state != DeliveryState::Sent).collect();
        let open = unsent
            .iter()
            .take_while(|part| matches!(part.state, DeliveryState::Waiting | DeliveryState::Parked));
        let mut taken = 0;
        for (part, position) in open.zip(first..) {
            execute!(
                self,
                "INSERT INTO mailbox (account, openid, position, piece, message, delivery, words, parked_at, told) \
                 VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8) ON CONFLICT (delivery, piece) DO NOTHING",
                account,
                openid,
                position,
                message,
                part.id.as_str(),
                words(part).as_str(),
                now,
                i64::from(told)
            )?;
            execute!(
                self,
                "UPDATE delivery SET state = 'parked', changed_at = $2 WHERE id = $1 AND state <> 'parked'",
                part.id.as_str(),
                now
            )?;
            taken += 1;
        }
        Ok(unsent.len() - taken)
    }

    /// What waits for a customer and is bound to no reply, in order.
    pub async fn parked(&mut self, account: &str, openid: &str, most: i64) -> Result<Vec<Parked>, Error> {
        let found = rows!(
            self,
            Row,
            "SELECT position, piece, message, delivery, words, told FROM mailbox \
             WHERE account = $1 AND openid = $2 AND slot IS NULL ORDER BY position, piece LIMIT $3",
            account,
            openid,
            most
        )?;
        Ok(found.into_iter().map(parked).collect())
    }

    /// What is bound to a reply, in order.
    pub async fn bound(&mut self, slot: &str) -> Result<Vec<Parked>, Error> {
        let found = rows!(
            self,
            Row,
            "SELECT position, piece, message, delivery, words, told FROM mailbox WHERE slot = $1 ORDER BY position, piece",
            slot
        )?;
        Ok(found.into_iter().map(parked).collect())
    }

    /// Lets the lane send the oldest message that waits for a customer; its rows stay until its parts have ended. `None`
    /// if nothing waits.
    pub async fn unpark(
        &mut self,
        account: &str,
        openid: &str,
        now: Millis,
    ) -> Result<Option<String>, Error> {
        self.lock_customer(account, openid).await?;
        let Some(oldest) = self.parked(account, openid, 1).await?.pop() else { return Ok(None) };
        let carried = row!(
            self,
            (String,),
            "SELECT delivery FROM mailbox WHERE message = $1 AND slot IS NOT NULL LIMIT 1",
            oldest.message.as_str()
        )?;
        if carried.is_some() {
            // A reply carries a piece of it, and nobody knows yet whether it arrived.
            return Ok(None);
        }
        execute!(
            self,
            "UPDATE delivery SET state = 'waiting', changed_at = $2 WHERE message = $1 AND state = 'parked'",
            oldest.message.as_str(),
            now
        )?;
        Ok(Some(oldest.message))
    }

    /// What is still to be delivered of a delivery that waited.
    pub async fn parked_words(&mut self, delivery: &str) -> Result<Option<String>, Error> {
        let found = rows!(
            self,
            (String,),
            "SELECT words FROM mailbox WHERE delivery = $1 AND slot IS NULL ORDER BY piece",
            delivery
        )?;
        let words: String = found.into_iter().map(|(words,)| words).collect();
        Ok(Some(words).filter(|words| !words.is_empty()))
    }

    /// Takes out of the mailbox what is bound to no reply and has ended.
    pub async fn clear_parked(&mut self, message: &str) -> Result<(), Error> {
        execute!(
            self,
            "DELETE FROM mailbox WHERE message = $1 AND slot IS NULL AND EXISTS (SELECT 1 FROM delivery d \
             WHERE d.id = mailbox.delivery AND d.state IN ('sent', 'failed', 'unsure'))",
            message
        )?;
        Ok(())
    }

    /// Gives up what waits of a message and is bound to no reply. Tells how many parts; 0 if the lane sends it just now.
    pub async fn fail_parked(&mut self, message: &str, reason: Reason, now: Millis) -> Result<u64, Error> {
        let failed = execute!(
            self,
            "UPDATE delivery SET state = 'failed', reason = $2, changed_at = $3 WHERE message = $1 AND state = 'parked'",
            message,
            reason.as_str(),
            now
        )?;
        self.clear_parked(message).await?;
        Ok(failed)
    }

    /// The agent has heard that what waits of a message does.
    pub async fn told_of_parked(&mut self, message: &str) -> Result<bool, Error> {
        Ok(execute!(
            self,
            "UPDATE mailbox SET told = 1 WHERE message = $1 AND told = 0 AND slot IS NULL",
            message
        )? > 0)
    }

    /// Messages of a customer of which something waits, in order.
    pub async fn parked_messages(
        &mut self,
        account: &str,
        openid: &str,
    ) -> Result<Vec<ParkedMessage>, Error> {
        let found = rows!(
            self,
            MessageRow,
            "SELECT b.account, b.openid, b.message, b.parked_at, b.words FROM mailbox b \
             WHERE b.account = $1 AND b.openid = $2 AND b.slot IS NULL AND NOT EXISTS (SELECT 1 FROM mailbox e \
               WHERE e.message = b.message AND e.slot IS NULL AND (e.position, e.piece) < (b.position, b.piece)) \
             ORDER BY b.position",
            account,
            openid
        )?;
        Ok(found.into_iter().map(parked_message).collect())
    }

    /// A message of which something waits.
    pub async fn parked_message(&mut self, message: &str) -> Result<Option<ParkedMessage>, Error> {
        let found = row!(
            self,
            MessageRow,
            "SELECT account, openid, message, parked_at, words FROM mailbox \
             WHERE message = $1 AND slot IS NULL ORDER BY position, piece LIMIT 1",
            message
        )?;
        Ok(found.map(parked_message))
    }

    /// Keeps that an account may not call `custom/send`. Tells whether that is news.
    pub async fn set_passive(&mut self, account: &str, now: Millis, probe_at: Millis) -> Result<bool, Error> {
        let news = execute!(
            self,
            "INSERT INTO passive (account, since, probe_at) VALUES ($1, $2, $3) ON CONFLICT (account) DO NOTHING",
            account,
            now,
            probe_at
        )?;
        Ok(news == 1)
    }

    /// Forgets it. Tells whether it was known.
    pub async fn unset_passive(&mut self, account: &str) -> Result<bool, Error> {
        Ok(execute!(self, "DELETE FROM passive WHERE account = $1", account)? == 1)
    }

    /// Takes the turn to try `custom/send` again, if it is time; one caller gets it.
    pub async fn take_probe(&mut self, account: &str, now: Millis, next: Millis) -> Result<bool, Error> {
        let taken = execute!(
            self,
            "UPDATE passive SET probe_at = $3 WHERE account = $1 AND probe_at <= $2",
            account,
            now,
            next
        )?;
        Ok(taken == 1)
    }
}

impl Store {
    /// Accounts that turned out not to be allowed to call `custom/send`, and since when.
    pub async fn passive_accounts(&self) -> Result<Vec<(String, Millis)>, Error> {
        self.read(|tx| {
            Box::pin(async move { Ok(rows!(tx, (String, i64), "SELECT account, since FROM passive")?) })
        })
        .await
    }

    /// Messages that began to wait before `before`, the oldest first.
    pub async fn parked_before(
        &self,
        account: &str,
        before: Millis,
        most: i64,
    ) -> Result<Vec<ParkedMessage>, Error> {
        let account = account.to_owned();
        let found: Vec<MessageRow> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        MessageRow,
                        "SELECT account, openid, message, parked_at, words FROM mailbox \
                         WHERE account = $1 AND slot IS NULL AND parked_at < $2 ORDER BY parked_at, position, piece LIMIT $3",
                        account.as_str(),
                        before,
                        most
                    )?)
                })
            })
            .await?;
        Ok(found.into_iter().map(parked_message).collect())
    }

    /// Messages that wait since before `before` without their agent knowing.
    pub async fn untold_parked(&self, before: Millis, most: i64) -> Result<Vec<ParkedMessage>, Error> {
        let found: Vec<MessageRow> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        MessageRow,
                        "SELECT account, openid, message, parked_at, words FROM mailbox \
                         WHERE told = 0 AND slot IS NULL AND parked_at < $1 ORDER BY parked_at, position, piece LIMIT $2",
                        before,
                        most
                    )?)
                })
            })
            .await?;
        Ok(found.into_iter().map(parked_message).collect())
    }

    /// What waits, the oldest first; of all accounts where `account` is empty.
    pub async fn all_parked(&self, account: &str, most: i64) -> Result<Vec<ParkedMessage>, Error> {
        let account = account.to_owned();
        let found: Vec<MessageRow> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        MessageRow,
                        "SELECT b.account, b.openid, b.message, b.parked_at, b.words FROM mailbox b \
                         WHERE ($1 = '' OR b.account = $1) AND NOT EXISTS (SELECT 1 FROM mailbox e \
                           WHERE e.message = b.message AND (e.position, e.piece) < (b.position, b.piece)) \
                         ORDER BY b.parked_at, b.position LIMIT $2",
                        account.as_str(),
                        most
                    )?)
                })
            })
            .await?;
        Ok(found.into_iter().map(parked_message).collect())
    }
}
