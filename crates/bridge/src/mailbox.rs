//! The mailbox on the lanes: an answer that cannot go out now is parked; when the customer writes next, job `unpark`
//! sends the parked ones in order, until none is left or WeChat takes no more.
//!
//! An account that may only reply ([`Bridge::is_passive`]) parks every answer, and `passive.rs` carries them. What waits
//! is looked after in `tend.rs`.

use crate::answer::Conclusion;
use crate::assign::NOT_SERVED;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, notice};
use desk::mailbox::Parked;
use desk::words::{Notice, excerpt};
use desk::{Direction, Millis, Next, Reason};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use store::{Delivery, Error, Job, Lane, NewJob, Tx, faults};

/// The job that sends what waits.
pub(crate) const UNPARK: &str = "unpark";

/// How long after a refusal an account that turned out to be passive tries `custom/send` again. A refusal is provably not
/// sent, so it costs nothing but the call.
const PROBE_EVERY: Millis = 86_400_000;

/// WeChat's code for a call that the account may not make.
const UNAUTHORIZED: &str = "48001";

/// For so many milliseconds after WeChat's last attempt a message may still take an answer along.
pub(crate) const SLOT_LIFE: Millis = 20_000;

/// The accounts that turned out not to be allowed to call `custom/send`, as far as this process knows; the store has
/// them too. Owned by the bridge; at most one entry per account.
#[derive(Debug, Default)]
pub(crate) struct PassiveAccounts(RwLock<HashSet<String>>);

impl PassiveAccounts {
    fn contains(&self, account: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(account)
    }

    pub(crate) fn set(&self, accounts: HashSet<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    fn add(&self, account: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned());
    }

    fn remove(&self, account: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

impl Bridge {
    /// Whether the account may only reply to what its customers write: the operator says so, or WeChat did.
    pub fn is_passive(&self, account: &Account) -> bool {
        account.passive || self.inner.passive.contains(&account.id)
    }

    /// Parks an answer, and what follows it in the same message.
    pub(crate) async fn park(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        why: Parked,
    ) -> Result<Step, Error> {
        if why == Parked::Passive && !self.has_links() && self.has_file(&job).await? {
            // As words it would be no more than its name.
            let next = Next::Failed(Reason::NoPublicUrl);
            return self.conclude(held, job, account, delivery, next, "no public_url").await;
        }
        let step = self.conclude(held, job, account, delivery, Next::Park(why), why.as_str()).await;
        faults::point("park.after_commit");
        // A webhook that is held open takes it along.
        self.inner.mail.notify_waiters();
        step
    }

    /// Whether a part of a message that is still to go out carries a file.
    async fn has_file(&self, job: &Job) -> Result<bool, Error> {
        let parts = self.parts(job).await?;
        let carries = |part: &Delivery| part.content.as_ref().is_some_and(|content| content.file().is_some());
        Ok(parts.iter().any(|part| !part.state.is_final() && carries(part)))
    }

    /// Whether an answer has to wait whatever WeChat would say: the account may only reply, or older answers wait.
    pub(crate) async fn must_wait(
        &self,
        job: &Job,
        account: &Account,
        older: bool,
    ) -> Result<Option<Parked>, Error> {
        let passive = self.is_passive(account);
        let (id, now) = (account.id.clone(), self.inner.clock.now());
        if !passive && job.kind == UNPARK {
            return Ok(None);
        }
        match (passive, older) {
            (false, true) => Ok(Some(Parked::Behind)),
            (false, false) => Ok(None),
            (true, _) if account.passive || older => Ok(Some(Parked::Passive)),
            (true, _) => {
                let probe = self.inner.store.write(move |tx| {
                    Box::pin(async move { tx.take_probe(&id, now, now + PROBE_EVERY).await })
                });
                Ok((!probe.await?).then_some(Parked::Passive))
            }
        }
    }

    /// Learns from the end of a `custom/send` whether the account may call it. Tells whether it may not.
    pub(crate) async fn learn_permission(
        &self,
        account: &Account,
        detail: &str,
        done: bool,
    ) -> Result<bool, Error> {
        let (id, now) = (account.id.clone(), self.inner.clock.now());
        if detail == UNAUTHORIZED {
            let news = self
                .inner
                .store
                .write(move |tx| Box::pin(async move { tx.set_passive(&id, now, now + PROBE_EVERY).await }));
            if news.await? {
                metrics::counter!("tsunagi_alarms_total", "what" => "passive_account").increment(1);
                tracing::error!(
                    account = account.id,
                    "WeChat does not let this account call custom/send (48001): from now on its answers wait for the customer's next message and go out as the reply to it"
                );
            }
            self.inner.passive.add(&account.id);
            return Ok(true);
        }
        if done && self.inner.passive.contains(&account.id) {
            self.inner.store.write(move |tx| Box::pin(async move { tx.unset_passive(&id).await })).await?;
            self.inner.passive.remove(&account.id);
            tracing::warn!(account = account.id, "WeChat lets this account call custom/send again");
        }
        Ok(false)
    }

    /// Sends what waits for the customer of this lane, the oldest first.
    pub(crate) async fn unpark(&self, held: &mut Held, job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        if is_sending(&job) && self.next_part(&job, self.parts(&job).await?).await?.is_some() {
            return self.answer(held, job).await;
        }
        if self.is_passive(&account) {
            // Its replies carry them.
            return self.finish(held, &job).await;
        }
        let (lane, now) = (held.lane.clone(), self.inner.clock.now());
        let step = self
            .inner
            .store
            .write(move |tx| Box::pin(async move { next_parked(tx, &lane, &job, now).await }))
            .await?;
        faults::point("unpark.after_commit");
        Ok(step)
    }
}

/// The note of an `unpark` job whose subject is the message that is being sent.
const SENDING: &str = "sending";

fn is_sending(job: &Job) -> bool {
    job.note.is_some()
}

/// Turns the job to the oldest message that waits, or ends it.
async fn next_parked(tx: &mut Tx<'_>, lane: &Lane, job: &Job, now: Millis) -> Result<Step, Error> {
    if is_sending(job) {
        tx.clear_parked(&job.subject).await?;
    }
    match tx.unpark(&lane.account, &lane.openid, now).await? {
        Some(message) => {
            tx.become_job(lane, job, UNPARK, &message).await?;
            tx.note_job(lane, job, SENDING).await?;
            Ok(Step::Again)
        }
        None => Ok(Step::after_finish(tx.finish(lane, job).await?)),
    }
}

/// The job that sends what waits for a customer who has just written, if anything waits.
pub(crate) async fn enqueue_unpark(
    tx: &mut Tx<'_>,
    account: &str,
    openid: &str,
    inbox: &str,
    now: Millis,
) -> Result<(), Error> {
    if !tx.has_parked(account, openid).await? {
        return Ok(());
    }
    tx.enqueue(&[NewJob {
        account: account.to_owned(),
        openid: openid.to_owned(),
        direction: Direction::Out,
        kind: UNPARK,
        subject: inbox.to_owned(),
        note: None,
        since: now,
        trace: None,
    }])
    .await
}

impl Conclusion {
    /// Puts the rest of the message into the mailbox, in the transaction that ends the try, and tells its author, unless
    /// WeChat waits for an answer at this moment. The customer's row is locked.
    pub(crate) async fn park(&self, tx: &mut Tx<'_>, why: Parked) -> Result<Step, Error> {
        let Conclusion { lane, job, .. } = self;
        let now = self.clock.now();
        let taken_along =
            why == Parked::Passive && tx.slot_is_open(&lane.account, &lane.openid, SLOT_LIFE).await?;
        let words = |part: &Delivery| self.library.as_words(part);
        let left = tx.park(&lane.account, &lane.openid, &job.subject, &words, !taken_along, now).await?;
        if !taken_along {
            tell(tx, self, |excerpt| Notice::Parked { excerpt, why }).await?;
        }
        tx.fence(lane).await?;
        faults::point("park.before_commit");
        // What follows had ended before it could be sent, and it is its turn to be told of.
        if left > 0 && job.kind != UNPARK { Ok(Step::Again) } else { finish(tx, lane, job).await }
    }

    /// The message has ended: the next one that waits takes its job over, if this one waited.
    pub(crate) async fn done(&self, tx: &mut Tx<'_>, sent: bool) -> Result<Step, Error> {
        let Conclusion { lane, job, .. } = self;
        if job.kind != UNPARK {
            return finish(tx, lane, job).await;
        }
        if sent {
            tell(tx, self, |excerpt| Notice::Delivered { excerpt }).await?;
        }
        next_parked(tx, lane, job, self.clock.now()).await
    }
}

async fn finish(tx: &mut Tx<'_>, lane: &Lane, job: &Job) -> Result<Step, Error> {
    Ok(Step::after_finish(tx.finish(lane, job).await?))
}

/// Tells the author of the message, which is named by its beginning.
async fn tell(
    tx: &mut Tx<'_>,
    of: &Conclusion,
    notice: impl FnOnce(&str) -> Notice<'_>,
) -> Result<(), Error> {
    let Conclusion { lane, job, account, clock, entropy, .. } = of;
    let Some(author) = tx.message(&job.subject).await?.and_then(|message| message.author) else {
        return Ok(());
    };
    let first = tx.deliveries(&job.subject).await?.into_iter().next();
    let begins = excerpt(first.as_ref().map_or("", |first| &first.body));
    notice::enqueue(tx, clock, entropy, account, &lane.openid, &author, notice(&begins)).await
}
