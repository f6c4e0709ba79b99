//! What an operator may do to work that waits or has ended: `tsunagi jobs retry` and `drop`.
//!
//! The promises hold here too. What may have reached a customer is sent again only by a person who knows it, and
//! whatever is given up ends as failed, or as unsure where a call may have been under way, and its agent is told.

use crate::{Account, Bridge, notice};
use desk::words::{Notice, excerpt};
use desk::{Clock, DeliveryState, Direction, Entropy, Millis, Reason};
use im::Webhook;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use store::{Delivery, Error, OpenJob, Tx};
use wechat::Credentials;

/// What a retry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// A push that could not be read is on its lane.
    Read,
    /// It is a copy of one that could be read.
    Repeat,
    /// So many parts of a message are on their lane again.
    Queued(u64),
    /// The lane is claimed at once, and does not wait for the next try.
    Hurried,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// Nothing has this id, or it is done already.
    #[error("nothing that waits, failed, is unsure or could not be read has this id")]
    NotFound,
    /// Somebody works on the lane.
    #[error("it is being worked on at this moment")]
    AtWork,
    /// It waits for the customer, and for nothing else.
    #[error("it waits for the customer's next message, and goes out then")]
    Parked,
    /// It has ended, and nothing of it waits.
    #[error("it has ended already; there is nothing to drop")]
    Ended,
    /// Its account is not in the configuration.
    #[error("its account {0:?} is not in the configuration")]
    NoAccount(String),
    /// The keys of today do not open it either.
    #[error("it still cannot be read: {}", .0.reason)]
    StillUnreadable(#[source] wechat::Unreadable),
    /// The customer (or the agent) may have it already.
    #[error("it is unsure whether a part of it arrived: sent again, it may arrive twice")]
    Unsure,
    /// It would fail again in the same way.
    #[error("it cannot be delivered: {}", .0.as_str())]
    Never(Reason),
}

/// A name for a job while it waits, whatever it becomes on its way; the lane's own key holds an openid.
pub fn job_id(lane: &str, position: i64) -> String {
    let digest = Sha256::digest(lane);
    format!("{}-{position}", hex::encode(&digest[..6]))
}

/// How long a lane may be worked on before a drop gives up.
const WAIT_FOR_LANE: Duration = Duration::from_secs(10);

/// IM keeps its history so long; beyond it, a message that is not found there may still have arrived.
const HISTORY: Millis = 6 * 86_400_000;

impl Bridge {
    /// Has another try at what waits, failed or could not be read. With `unsure`, also at what may have arrived.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn retry(
        &self,
        id: &str,
        credentials: impl Fn(&str) -> Option<Credentials>,
        unsure: bool,
    ) -> Result<Retried, OperatorError> {
        if let Some(open) = self.find_job(id).await? {
            let hurried = self
                .inner
                .store
                .write(move |tx| Box::pin(async move { tx.hurry_lane(&open.lane).await }))
                .await?;
            return if hurried { Ok(Retried::Hurried) } else { Err(OperatorError::AtWork) };
        }
        let inbox = id.to_owned();
        let row = self.inner.store.read(move |tx| Box::pin(async move { tx.inbox(&inbox).await })).await?;
        if let Some(row) = row.filter(|row| row.kind == "unreadable") {
            let keys = credentials(&row.account).ok_or(OperatorError::NoAccount(row.account))?;
            return self.replay(id, &keys).await;
        }
        self.retry_message(id, unsure).await
    }

    async fn retry_message(&self, id: &str, unsure: bool) -> Result<Retried, OperatorError> {
        let (message, now) = (id.to_owned(), self.inner.clock.now());
        let accounts: Vec<String> = self.inner.accounts.keys().cloned().collect();
        let retried = self
            .inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if tx.parked_message(&message).await?.is_some() {
                        return Ok(Err(OperatorError::Parked));
                    }
                    let Some(ended) = tx.ended_message(&message).await? else {
                        return Ok(Err(OperatorError::NotFound));
                    };
                    if !accounts.contains(&ended.account) {
                        return Ok(Err(OperatorError::NoAccount(ended.account)));
                    }
                    let parts = tx.deliveries(&message).await?;
                    if let Err(error) = may_retry(&parts, ended.direction, unsure, now) {
                        return Ok(Err(error));
                    }
                    let (kind, unsure_state) = match ended.direction {
                        Direction::Out => ("answer", DeliveryState::Waiting),
                        // The history is asked first, so that the agent does not see it twice.
                        Direction::In => ("relay", DeliveryState::Checking),
                    };
                    let reopened = tx.reopen(&message, Some(unsure_state.as_str()), now).await?;
                    tx.enqueue_again(&ended, kind, &message, now).await?;
                    Ok(Ok(Retried::Queued(reopened)))
                })
            })
            .await??;
        self.wake();
        Ok(retried)
    }

    /// Gives up what waits, or a push that cannot be read.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn give_up(&self, id: &str) -> Result<(), OperatorError> {
        let begun = Instant::now();
        loop {
            let Some(open) = self.find_job(id).await? else { break };
            let account = self.inner.accounts.get(&open.account).cloned();
            let drop = Drop {
                open,
                account,
                clock: self.inner.clock.clone(),
                entropy: self.inner.entropy.clone(),
                store: self.inner.store.id().to_owned(),
            };
            match self.inner.store.write(move |tx| Box::pin(drop.commit(tx))).await {
                // Somebody works on the lane, or has just changed the job.
                Err(Error::LeaseLost) if begun.elapsed() < WAIT_FOR_LANE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(Error::LeaseLost) => return Err(OperatorError::AtWork),
                done => return Ok(done?),
            }
        }
        if self.give_up_parked(id, Reason::Dropped).await? {
            return Ok(());
        }
        let inbox = id.to_owned();
        let (dropped, ended) = self
            .inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let dropped = tx.turn_inbox(&inbox, "unreadable", "dropped").await?;
                    Ok((dropped, tx.ended_message(&inbox).await?.is_some()))
                })
            })
            .await?;
        match (dropped, ended) {
            (true, _) => Ok(()),
            (false, true) => Err(OperatorError::Ended),
            (false, false) => Err(OperatorError::NotFound),
        }
    }

    /// The waiting job with this id, or about the row with this id.
    async fn find_job(&self, id: &str) -> Result<Option<OpenJob>, Error> {
        let id = id.to_owned();
        self.inner
            .store
            .read(move |tx| {
                Box::pin(async move {
                    match id.split_once('-').and_then(|(_, position)| position.parse().ok()) {
                        Some(position) => {
                            let there = tx.jobs_at(position).await?;
                            Ok(there.into_iter().find(|open| job_id(&open.lane, position) == id))
                        }
                        None => tx.job_about(&id).await,
                    }
                })
            })
            .await
    }
}

/// Whether the parts of an ended message may be sent again.
fn may_retry(
    parts: &[Delivery],
    direction: Direction,
    unsure: bool,
    now: Millis,
) -> Result<(), OperatorError> {
    for part in parts {
        match (part.state, part.reason) {
            // What stands in the row is not what could be sent.
            (DeliveryState::Failed, Some(reason @ (Reason::UnsupportedKind | Reason::Empty))) => {
                return Err(OperatorError::Never(reason));
            }
            (DeliveryState::Unsure, _) if !unsure => {
                let looked_up = part.first_try_at.is_some_and(|at| now - at < HISTORY);
                if direction == Direction::Out || !looked_up {
                    return Err(OperatorError::Unsure);
                }
            }
            _ => {}
        }
    }
    if parts.iter().all(|part| part.state == DeliveryState::Sent) {
        return Err(OperatorError::NotFound);
    }
    Ok(())
}

/// A job that is given up.
struct Drop {
    open: OpenJob,
    account: Option<Account>,
    clock: Clock,
    entropy: Entropy,
    store: String,
}

/// What an agent wrote that is given up.
struct Said {
    agent: String,
    excerpt: String,
}

impl Drop {
    /// The customer's row and the lane to the agent are locked before the lane that is dropped from: the order that
    /// everybody keeps. An error of the fence's kind rolls all of it back.
    async fn commit(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Drop { open, account, clock, entropy, .. } = &self;
        let job = &open.job;
        let unsure = self.may_have_arrived(tx).await?;
        if let (Some(account), Some(said)) = (account, self.said(tx).await?) {
            let excerpt = said.excerpt.as_str();
            let told = match unsure {
                true => Notice::Unsure { excerpt },
                false => Notice::Failed { excerpt, reason: Reason::Dropped },
            };
            notice::enqueue(tx, clock, entropy, account, &open.openid, &said.agent, told).await?;
        }
        if !tx.seize_lane(&open.lane).await? || !tx.drop_job(open).await? {
            return Err(Error::LeaseLost);
        }
        tx.turn_inbox(&job.subject, &job.kind, store::DROPPED).await?;
        if tx.give_up(&job.subject, Reason::Dropped, clock.now()).await? != unsure {
            return Err(Error::LeaseLost);
        }
        // If it was one that had waited for its customer.
        tx.clear_parked(&job.subject).await?;
        Ok(())
    }

    async fn may_have_arrived(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let parts = tx.deliveries(&self.open.job.subject).await?;
        let open = [DeliveryState::Sending, DeliveryState::Checking];
        Ok(parts.iter().any(|part| open.contains(&part.state)))
    }

    /// The agent's words, if it is an agent's message.
    async fn said(&self, tx: &mut Tx<'_>) -> Result<Option<Said>, Error> {
        let (open, job) = (&self.open, &self.open.job);
        if open.direction != Direction::Out {
            return Ok(None);
        }
        if let Some(message) = tx.message(&job.subject).await? {
            let parts = tx.deliveries(&job.subject).await?;
            let unsent = parts.into_iter().find(|part| part.state != DeliveryState::Sent);
            let excerpt = unsent.map_or_else(String::new, |part| excerpt(&part.body));
            return Ok(message.author.map(|agent| Said { agent, excerpt }));
        }
        let Some(row) = tx.inbox(&job.subject).await? else { return Ok(None) };
        let webhook = Webhook::parse(row.query.as_deref().unwrap_or_default(), &row.body);
        let Webhook::AfterSendMsg(sent) = webhook else { return Ok(None) };
        let message = sent.message;
        let ours = message.cloud_custom_data.as_deref().is_some_and(desk::ghost::is_marked)
            || desk::ghost::is_ours(&self.store, &message.from, message.msg_seq, message.msg_random);
        let by_agent = self.account.as_ref().is_some_and(|account| account.agents.contains(&message.from));
        if ours || !by_agent || sent.send_msg_result != 0 {
            return Ok(None);
        }
        let words = message.body.iter().find_map(|element| match element {
            im::Element::Text { text, .. } => Some(excerpt(text)),
            _ => None,
        });
        Ok(Some(Said { agent: message.from, excerpt: words.unwrap_or_default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_job_says_nothing_about_the_customer() {
        let lane = store::lane_id("shop", "oAbCdEfGhIjKlMnOpQrStUvWxYz0", Direction::Out);
        let id = job_id(&lane, 12);
        assert!(id.ends_with("-12") && id.len() == 15 && !id.contains("oAbC"), "{id}");
        assert_ne!(id, job_id(&store::lane_id("shop", "other", Direction::Out), 12));
    }
}
