//! What is old goes: webhooks, messages, closed conversations, the record of calls and files, each account by its own
//! retention. Accounts that are not configured any more go by the default.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bridge::Bridge;
use desk::{Clock, Millis};
use store::{Mark, Old, Store};
use tokio::sync::watch;

use super::housekeeping::wait;
use crate::config::{Config, Retention};

const DAY: Millis = 86_400_000;
/// Between two sweeps, by the gateway's clock, and how often that is looked at.
const PERIOD: Millis = 3_600_000;
const LOOK: Duration = Duration::from_secs(5);

/// What to keep, and how hard to work.
pub(super) struct Purge {
    of: BTreeMap<String, Retention>,
    rows: i64,
    pause: Duration,
}

impl Purge {
    pub(super) fn new(config: &Config) -> Purge {
        let of = config.accounts.iter().map(|account| (account.id.clone(), account.retention)).collect();
        let rows = i64::try_from(config.store.purge_rows).unwrap_or(i64::MAX);
        Purge { of, rows, pause: config.store.purge_pause }
    }

    /// Sweeps every hour until told to stop.
    pub(super) async fn run(self, store: Store, clock: Clock, mut stop: watch::Receiver<bool>) {
        loop {
            for what in Old::ALL {
                match self.sweep(&store, &clock, what, &mut stop).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, kind = what.as_str(), "old rows could not be purged")
                    }
                }
            }
            if until_due(&mut stop, &clock).await {
                return;
            }
        }
    }

    /// The same for files, whose bytes are elsewhere.
    pub(super) async fn run_media(self, bridge: Bridge, clock: Clock, mut stop: watch::Receiver<bool>) {
        loop {
            match self.sweep_media(&bridge, &clock, &mut stop).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, kind = "media", "old files could not be purged"),
            }
            if until_due(&mut stop, &clock).await {
                return;
            }
        }
    }

    async fn sweep_media(
        &self,
        bridge: &Bridge,
        clock: &Clock,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, store::Error> {
        let known = bridge.store().read(|tx| Box::pin(async move { tx.accounts_with_media().await })).await?;
        for account in known {
            let retention = self.of.get(&account).copied().unwrap_or_default();
            let Some(before) = since(clock, retention.media) else { continue };
            loop {
                let removed = bridge.purge_media(&account, before, self.rows).await?;
                if removed == 0 {
                    break;
                }
                metrics::counter!("tsunagi_purged_total", "kind" => "media").increment(removed as u64);
                if wait(stop, self.pause).await {
                    return Ok(true);
                }
            }
        }
        Ok(*stop.borrow())
    }

    /// One sweep over all accounts; true when it is time to stop.
    async fn sweep(
        &self,
        store: &Store,
        clock: &Clock,
        what: Old,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, store::Error> {
        let mut accounts: BTreeSet<String> = store.accounts_with(what).await?.into_iter().collect();
        accounts.extend(self.of.keys().cloned());
        for account in accounts {
            let retention = self.of.get(&account).copied().unwrap_or_default();
            let days = match what {
                Old::Inbox => retention.inbox,
                Old::Messages | Old::Conversations => retention.messages,
                Old::Attempts => retention.attempts,
            };
            let Some(before) = since(clock, days) else { continue };
            let unreadable_before = since(clock, retention.messages).unwrap_or(Millis::MIN);
            let mut mark = Some(Mark::default());
            while let Some(from) = mark {
                let swept = store.purge(what, &account, before, unreadable_before, &from, self.rows).await?;
                if swept.removed > 0 {
                    metrics::counter!("tsunagi_purged_total", "kind" => what.as_str())
                        .increment(swept.removed);
                }
                mark = swept.next;
                if mark.is_some() && wait(stop, self.pause).await {
                    return Ok(true);
                }
            }
        }
        Ok(*stop.borrow())
    }
}

/// Waits until the next sweep; true when it is time to stop. Days count by the gateway's clock, so sweeps follow it too.
async fn until_due(stop: &mut watch::Receiver<bool>, clock: &Clock) -> bool {
    let begun = clock.now();
    // A clock that was set back must not keep old rows for longer.
    while (0..PERIOD).contains(&(clock.now() - begun)) {
        if wait(stop, LOOK).await {
            return true;
        }
    }
    *stop.borrow()
}

/// The time so many days ago; none for ever.
fn since(clock: &Clock, days: u64) -> Option<Millis> {
    (days > 0).then(|| clock.now() - i64::try_from(days).unwrap_or(36_500) * DAY)
}
