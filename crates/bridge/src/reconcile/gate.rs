//! After a known gap a customer's chats are read before an answer goes out that came after it: what was said in the gap
//! goes first. Bounded in time, so that an IM that is away holds no answer for long.

use super::look::Blind;
use super::take::Gated;
use crate::worker::{Held, Step};
use crate::{Account, Bridge};
use desk::Millis;
use store::{Error, Job};

/// How often an answer tries to have the history read, and how long it waits between two tries, in milliseconds: half a
/// minute where IM does not answer at all. How long it had waited before it was its turn does not count.
const TRIES: i64 = 5;
const AGAIN: Millis = 2_000;

impl Bridge {
    /// Looks for what was missed before the webhook at the head of this lane, if nobody did since the last gap. Gives the
    /// step to take instead of going on.
    pub(crate) async fn gate(
        &self,
        held: &mut Held,
        job: &Job,
        account: &Account,
        said_s: i64,
    ) -> Result<Option<Step>, Error> {
        let (id, openid, at) = (account.id.clone(), held.lane.openid.clone(), job.since);
        let missed = self.inner.store.look_up(move |tx| {
            Box::pin(async move {
                if tx.is_looked_at(&id, &openid, at).await? {
                    return Ok(None);
                }
                let since = tx.since().await?;
                Ok(tx.chat(&id, &openid).await?.map(|chat| (since, chat)))
            })
        });
        let Some((since, chat)) = missed.await? else { return Ok(None) };
        if job.tries >= TRIES {
            metrics::counter!("tsunagi_reconcile_skipped_total", "account" => account.id.clone())
                .increment(1);
            tracing::warn!(
                account = account.id,
                "IM's history cannot be read: an answer goes out, and what was missed before it goes out later"
            );
            return Ok(None);
        }
        held.before_call(self).await?;
        let openid = held.lane.openid.clone();
        let looked = self.look(&account.id, &openid, &chat, since, &account.agents, false);
        // Shorter than the lease, whatever is read.
        let look = match tokio::time::timeout(self.inner.patience.call, looked).await {
            Ok(Ok(look)) => look,
            Ok(Err(Blind::Store(error))) => return Err(error),
            Ok(Err(Blind::Im(detail))) => return self.wait_for_history(held, job, account, &detail).await,
            Err(_) => return self.wait_for_history(held, job, account, "time-out").await,
        };
        if look.went_back {
            self.went_back(&account.id, &openid, &chat.ghost).await?;
            return Ok(Some(Step::Again));
        }
        let take = self.take_of(account, &openid, &chat.ghost, look, true);
        let gated = Gated { lane: held.lane.clone(), job: job.clone(), said_s };
        let taken = self
            .inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let taken = take.keep(tx, Some(&gated)).await?;
                    tx.fence(&gated.lane).await?;
                    Ok(taken)
                })
            })
            .await?;
        self.report(account, taken);
        Ok((taken.answers > 0).then_some(Step::Again))
    }

    async fn wait_for_history(
        &self,
        held: &Held,
        job: &Job,
        account: &Account,
        detail: &str,
    ) -> Result<Option<Step>, Error> {
        tracing::debug!(
            account = account.id,
            detail,
            "IM's history cannot be read now; an answer waits for it"
        );
        self.put_off(held, job, AGAIN).await.map(Some)
    }
}
