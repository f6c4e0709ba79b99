//! Looks after what waits: replies that nobody heard of any more are settled, agents hear what nobody has told them, and
//! what has waited too long is given up. In small steps, on every node.

use crate::mailbox::SLOT_LIFE;
use crate::{Account, Bridge, notice};
use desk::words::{Notice, excerpt};
use desk::{Clock, DeliveryState, Direction, Entropy, Millis, Reason};
use std::collections::HashSet;
use store::{DueSlot, Error, Outcome, Parked, ParkedMessage, Tx, faults};

/// Rows of each kind in one round.
const STEP: i64 = 100;
/// How long a settled slot is remembered, in milliseconds; WeChat's attempts are over after a quarter of a minute.
const SLOT_MEMORY: Millis = 3_600_000;

impl Bridge {
    /// One round. Tells whether there may be more to do at once.
    ///
    /// # Errors
    /// The store failed; the next round tries again.
    pub async fn tend_mailbox(&self) -> Result<bool, Error> {
        self.learn_passive().await?;
        let store = &self.inner.store;
        let due = store.due_slots(SLOT_LIFE, STEP).await?;
        let mut done = due.len();
        for slot in due {
            self.settle_reply(slot).await?;
        }
        let now = self.inner.clock.now();
        let untold = store.untold_parked(now - SLOT_LIFE, STEP).await?;
        done = done.max(untold.len());
        for parked in untold {
            self.tell_of(parked).await?;
        }
        for account in self.inner.accounts.values() {
            let expired = store.parked_before(&account.id, now - account.park_ttl, STEP).await?;
            done = done.max(expired.len());
            let mut seen = HashSet::new();
            for parked in expired.into_iter().filter(|parked| seen.insert(parked.message.clone())) {
                self.give_up_parked(&parked.message, Reason::NotFetched).await?;
            }
        }
        store.purge_slots(SLOT_MEMORY, STEP).await?;
        if done > 0 {
            self.wake();
        }
        Ok(done as i64 == STEP)
    }

    /// Reads which accounts turned out to be passive, here or on another node.
    ///
    /// # Errors
    /// The store failed.
    pub async fn learn_passive(&self) -> Result<(), Error> {
        let known: HashSet<String> =
            self.inner.store.passive_accounts().await?.into_iter().map(|(account, _)| account).collect();
        self.inner.passive.set(known);
        for account in self.inner.accounts.values() {
            let passive = f64::from(u8::from(self.is_passive(account)));
            metrics::gauge!("tsunagi_passive", "account" => account.id.clone()).set(passive);
        }
        Ok(())
    }

    /// Ends what a reply carried: sent, or unsure.
    async fn settle_reply(&self, due: DueSlot) -> Result<(), Error> {
        let settling = Settling {
            account: self.inner.accounts.get(&due.account).cloned(),
            due,
            clock: self.inner.clock.clone(),
            entropy: self.inner.entropy.clone(),
        };
        self.inner.store.write(move |tx| Box::pin(async move { settling.commit(tx).await })).await?;
        faults::point("settle.after_commit");
        Ok(())
    }

    /// An agent was not told, because WeChat seemed to wait for the answer.
    async fn tell_of(&self, parked: ParkedMessage) -> Result<(), Error> {
        let account = self.inner.accounts.get(&parked.account).cloned();
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&parked.account, &parked.openid).await?;
                if !tx.told_of_parked(&parked.message).await? {
                    return Ok(());
                }
                let excerpt = &excerpt(&parked.words);
                let told = Notice::Parked { excerpt, why: desk::mailbox::Parked::Passive };
                tell(tx, &clock, &entropy, account.as_ref(), &parked.openid, &parked.message, told).await
            })
        });
        work.await
    }

    /// Gives up a message that waits; false if nothing of it does.
    pub(crate) async fn give_up_parked(&self, message: &str, reason: Reason) -> Result<bool, Error> {
        let message = message.to_owned();
        let accounts = self.inner.clone();
        let given_up = self.inner.store.write(move |tx| {
            Box::pin(async move {
                let Some(parked) = tx.parked_message(&message).await? else { return Ok(0) };
                let account = accounts.accounts.get(&parked.account);
                fail_parked(tx, &accounts.clock, &accounts.entropy, account, &parked, reason).await
            })
        });
        let parts = given_up.await?;
        self.wake();
        Ok(parts > 0)
    }
}

/// Fails what waits of a message, and tells its author. Gives how many parts.
pub(crate) async fn fail_parked(
    tx: &mut Tx<'_>,
    clock: &Clock,
    entropy: &Entropy,
    account: Option<&Account>,
    parked: &ParkedMessage,
    reason: Reason,
) -> Result<u64, Error> {
    tx.lock_customer(&parked.account, &parked.openid).await?;
    let parts = tx.fail_parked(&parked.message, reason, clock.now()).await?;
    if parts == 0 {
        return Ok(0);
    }
    ended(&parked.account, DeliveryState::Failed, Some(reason), parts);
    let told = Notice::Failed { excerpt: &excerpt(&parked.words), reason };
    tell(tx, clock, entropy, account, &parked.openid, &parked.message, told).await?;
    Ok(parts)
}

/// Tells the author of a message; nobody where the account is not served.
async fn tell(
    tx: &mut Tx<'_>,
    clock: &Clock,
    entropy: &Entropy,
    account: Option<&Account>,
    openid: &str,
    message: &str,
    told: Notice<'_>,
) -> Result<(), Error> {
    let author = tx.message(message).await?.and_then(|message| message.author);
    let (Some(account), Some(author)) = (account, author) else { return Ok(()) };
    notice::enqueue(tx, clock, entropy, account, openid, &author, told).await
}

fn ended(account: &str, state: DeliveryState, reason: Option<Reason>, parts: u64) {
    let (state, reason) = (state.as_str(), reason.map_or("", Reason::as_str));
    tracing::info!(account, state, reason, parts, "what waited has ended");
    metrics::counter!("tsunagi_deliveries_total", "account" => account.to_owned(),
        "direction" => Direction::Out.as_str(), "state" => state, "reason" => reason)
    .increment(parts);
}

/// A reply of which nobody has heard for a while.
struct Settling {
    account: Option<Account>,
    due: DueSlot,
    clock: Clock,
    entropy: Entropy,
}

impl Settling {
    async fn commit(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        settle(tx, &self.clock, &self.entropy, self.account.as_ref(), &self.due, self.due.is_sent()).await
    }
}

/// Ends what a reply carried, and closes its slot; nothing if somebody did, or an attempt came meanwhile.
pub(crate) async fn settle(
    tx: &mut Tx<'_>,
    clock: &Clock,
    entropy: &Entropy,
    account: Option<&Account>,
    due: &DueSlot,
    sent: bool,
) -> Result<(), Error> {
    tx.lock_customer(&due.account, &due.openid).await?;
    if !tx.settle_slot(due).await? {
        return Ok(());
    }
    let carried = tx.bound(&due.key).await?;
    tx.clear_bound(&due.key).await?;
    let mut told = HashSet::new();
    for parked in &carried {
        let ends = end(tx, clock, parked, sent).await?;
        let Some(state) = ends else { continue };
        ended(&due.account, state, None, 1);
        let notice: Option<fn(&str) -> Notice<'_>> = match state {
            DeliveryState::Unsure => Some(|excerpt| Notice::Unsure { excerpt }),
            // Who never heard that it waits takes it for sent already; of several parts the last one counts.
            _ if parked.told && over(tx, &parked.message).await? => {
                Some(|excerpt| Notice::Delivered { excerpt })
            }
            _ => None,
        };
        if let Some(notice) = notice
            && told.insert(parked.message.as_str())
        {
            let first = tx.deliveries(&parked.message).await?.into_iter().next();
            let begins = excerpt(first.as_ref().map_or("", |first| &first.body));
            tell(tx, clock, entropy, account, &due.openid, &parked.message, notice(&begins)).await?;
        }
    }
    faults::point("settle.before_commit");
    Ok(())
}

/// Whether every part of a message has ended.
async fn over(tx: &mut Tx<'_>, message: &str) -> Result<bool, Error> {
    Ok(tx.deliveries(message).await?.iter().all(|part| part.state.is_final()))
}

/// Where a delivery stands now that a piece of it was carried; `None` if it has not ended by that.
async fn end(
    tx: &mut Tx<'_>,
    clock: &Clock,
    parked: &Parked,
    sent: bool,
) -> Result<Option<DeliveryState>, Error> {
    let now = clock.now();
    let parts = tx.deliveries(&parked.message).await?;
    let open = parts.iter().any(|part| part.id == parked.delivery && part.state == DeliveryState::Sending);
    if !open {
        // Another piece of it is unsure already.
        return Ok(None);
    }
    let state = match (sent, tx.left_of(&parked.delivery).await?) {
        (false, _) => DeliveryState::Unsure,
        (true, (0, 0)) => DeliveryState::Sent,
        (true, (0, _)) => DeliveryState::Parked,
        // The rest is under way in another reply.
        (true, _) => return Ok(None),
    };
    let outcome = Outcome { state, reason: None, detail: "passive reply", msg_key: None };
    tx.end_attempt(&parked.delivery, outcome, now).await?;
    if state == DeliveryState::Unsure {
        tx.fail_parked(&parked.message, Reason::EarlierPart, now).await?;
    }
    Ok(state.is_final().then_some(state))
}
