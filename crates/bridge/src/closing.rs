//! The sweep that warns agents: a customer still waits for an answer, and the reply window is about to close.

use crate::Bridge;
use crate::notice;
use desk::words::Notice;
use store::Error;

/// Customers looked at in one step, for each account.
const STEP: i64 = 100;

impl Bridge {
    /// Warns the agents of customers who wait and whose last window closes soon, once a window. Gives how many were warned.
    ///
    /// # Errors
    /// The store failed; who was warned before is not warned again.
    pub async fn warn_of_closing(&self) -> Result<u64, Error> {
        let (now, soon) = (self.inner.clock.now(), self.inner.warn_before);
        let mut warned = 0;
        if soon == 0 {
            return Ok(0);
        }
        // Where answers go out as replies alone, no window means anything.
        for account in self.inner.accounts.values().filter(|account| !self.is_passive(account)) {
            let id = account.id.clone();
            let closing = self.inner.store.read(move |tx| {
                Box::pin(async move { tx.closing_windows(&id, now, now + soon, STEP).await })
            });
            for (openid, until) in closing.await? {
                let (account, known) = (account.clone(), self.known());
                let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
                let work = self.inner.store.write(move |tx| {
                    Box::pin(async move {
                        if !tx.warned_of_window(&account.id, &openid, until).await? {
                            return Ok(false);
                        }
                        let estimate = known.estimate(tx.windows(&account.id, &openid).await?, now);
                        let agent = tx.waiting_agent(&account.id, &openid).await?;
                        let (Some(agent), Some(until)) = (agent, estimate.until) else { return Ok(false) };
                        let told = Notice::ClosesSoon { lasts: until - now };
                        notice::enqueue(tx, &clock, &entropy, &account, &openid, &agent, told).await?;
                        Ok(true)
                    })
                });
                warned += u64::from(work.await?);
            }
        }
        if warned > 0 {
            self.wake();
        }
        Ok(warned)
    }

    /// How many customers of each account may be written to now, as far as is known; at most a hundred thousand are counted.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open_windows(&self) -> Result<Vec<(String, i64)>, Error> {
        let (now, ids) = (self.inner.clock.now(), self.inner.accounts.keys().cloned().collect::<Vec<_>>());
        self.inner
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let mut open = Vec::with_capacity(ids.len());
                    for id in ids {
                        let count = tx.open_windows(&id, now).await?;
                        open.push((id, count));
                    }
                    Ok(open)
                })
            })
            .await
    }
}
