//! Reconciliation with IM's history: what its webhooks did not bring is taken in all the same.
//!
//! `round.rs` looks at every active conversation now and then; `gate.rs` looks at one before an answer goes out that came
//! after a known gap. Both read with `look.rs` and keep what they found with `take.rs`. A gap is known at every start, and
//! when a webhook of IM could not be stored: IM does not repeat it.

mod gate;
mod look;
mod round;
mod take;

pub use round::Round;

use crate::Bridge;
use desk::Millis;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Error;
use tokio::sync::Notify;

/// The word on the job of a message that was found in the history.
pub(crate) const FOUND: &str = "found";

/// How often the history is read, and how old a message may be that is still sent.
#[derive(Debug, Clone, Copy)]
pub struct Reconciling {
    /// From the end of one round over all active conversations to the next.
    pub every: Duration,
    /// An older message is shown to its agent as found too late.
    pub max_age: Millis,
}

impl Default for Reconciling {
    /// Five minutes, two hours.
    fn default() -> Self {
        Reconciling { every: Duration::from_secs(300), max_age: 7_200_000 }
    }
}

/// Whether a webhook of IM was lost to this process and the store does not know it yet.
#[derive(Debug, Default)]
pub(crate) struct Gap {
    open: AtomicBool,
    /// Rings when a round should begin before its time.
    pub(crate) soon: Notify,
}

impl Bridge {
    /// A webhook of IM could not be stored, and does not come again.
    pub fn lost_a_webhook(&self) {
        self.inner.gap.open.store(true, Ordering::SeqCst);
        metrics::counter!("tsunagi_webhook_gaps_total").increment(1);
    }

    /// To be called before a webhook of IM is stored: what was lost before it is looked for before it goes on.
    ///
    /// # Errors
    /// The gap cannot be kept, and then the webhook is not stored either.
    pub async fn close_gap(&self) -> Result<(), Error> {
        if !self.inner.gap.open.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.store.record_gap(self.inner.clock.now()).await?;
        self.inner.gap.open.store(false, Ordering::SeqCst);
        self.inner.gap.soon.notify_one();
        tracing::warn!(
            "webhooks of IM were lost while the store could not take them; the history is read for them"
        );
        Ok(())
    }
}
