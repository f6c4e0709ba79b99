//! The reply windows of a customer, where the rule ([`desk::window`]) meets the database.
//!
//! What the customer does is kept in the intake's transaction, what a call did in that of its conclusion. The customer's
//! row is locked by whoever calls this.

use crate::worker::Held;
use crate::{Account, Bridge};
use desk::Millis;
use desk::window::{Action, Closed, Estimate, Open, Rules, Verdict, Windows};
use desk::words::Notice;
use std::sync::atomic::Ordering;
use store::{Error, Lane, Tx};

/// What every look at a customer's windows needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    rules: Rules,
    /// Before this moment pushes may have been missed.
    gap: Millis,
}

/// When a customer did something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    /// By WeChat's clock (CreateTime).
    pub(crate) said: Millis,
    /// By ours, when the push came.
    pub(crate) heard: Millis,
}

impl Known {
    fn read(self, kept: Option<String>) -> Windows {
        let mut windows = Windows::read(&kept.unwrap_or_default());
        windows.missed(self.gap);
        windows
    }

    /// What may be sent at `now`, from what is kept.
    pub(crate) fn estimate(self, kept: Option<String>, now: Millis) -> Estimate {
        self.read(kept).estimate(&self.rules, now)
    }

    /// The customer did something.
    pub(crate) async fn act(
        self,
        tx: &mut Tx<'_>,
        lane: &Lane,
        action: Action,
        when: When,
    ) -> Result<(), Error> {
        let kept = tx.windows(&lane.account, &lane.openid).await?;
        self.act_after(tx, lane, kept, action, when).await
    }

    /// What is to be kept after the customer did something, and when the last window ends.
    pub(crate) fn after(self, kept: &str, action: Action, when: When) -> (String, Option<Millis>) {
        let mut windows = self.read(Some(kept.to_owned()));
        windows.act(&self.rules, action, when.said, when.heard);
        (windows.write(), windows.ends(&self.rules))
    }

    /// The windows that are open at `now`.
    pub(crate) fn open(self, kept: Option<String>, now: Millis) -> Vec<Open> {
        self.read(kept).open(&self.rules, now)
    }

    /// As [`Known::act`], where it is known what the windows are.
    pub(crate) async fn act_after(
        self,
        tx: &mut Tx<'_>,
        lane: &Lane,
        kept: Option<String>,
        action: Action,
        when: When,
    ) -> Result<(), Error> {
        let act = |windows: &mut Windows| windows.act(&self.rules, action, when.said, when.heard);
        self.change(tx, lane, kept, act).await
    }

    /// Keeps what a call between these times did to the windows. Gives what is left before and after it.
    pub(crate) async fn learn(
        self,
        tx: &mut Tx<'_>,
        lane: &Lane,
        (from, to): (Millis, Millis),
        learned: Learned,
    ) -> Result<(Estimate, Estimate), Error> {
        let rules = &self.rules;
        let kept = tx.windows(&lane.account, &lane.openid).await?;
        self.change(tx, lane, kept, |windows| {
            let before = windows.estimate(rules, to);
            match learned {
                Learned::Sent => windows.sent(rules, from, to),
                Learned::Unsure => windows.unsure(rules, from, to),
                Learned::Refused(why) => windows.refused(rules, from, to, why),
            }
            (before, windows.estimate(rules, to))
        })
        .await
    }

    async fn change<T>(
        self,
        tx: &mut Tx<'_>,
        lane: &Lane,
        kept: Option<String>,
        change: impl FnOnce(&mut Windows) -> T,
    ) -> Result<T, Error> {
        let mut windows = self.read(kept);
        let told = change(&mut windows);
        tx.set_windows(&lane.account, &lane.openid, &windows.write(), windows.ends(&self.rules)).await?;
        Ok(told)
    }
}

/// What a call of `custom/send` says of the windows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Learned {
    Sent,
    Unsure,
    Refused(Closed),
}

impl Learned {
    /// From the code that WeChat gave, or how the call ended without one.
    pub(crate) fn from_call(state: desk::DeliveryState, detail: &str) -> Option<Learned> {
        match (state, detail) {
            (desk::DeliveryState::Sent, _) => Some(Learned::Sent),
            (desk::DeliveryState::Unsure, _) => Some(Learned::Unsure),
            (_, "45015") => Some(Learned::Refused(Closed::Time)),
            (_, "45047") => Some(Learned::Refused(Closed::Count)),
            _ => None,
        }
    }
}

/// What the agent is told after an answer that left one reply, or none.
pub(crate) fn last_ones((before, after): (Estimate, Estimate), now: Millis) -> Option<Notice<'static>> {
    let lasts = after.until.or(before.until)? - now;
    (after.likely <= 1 && after.likely < before.likely)
        .then_some(Notice::RepliesLeft { left: after.likely, lasts })
}

impl Bridge {
    /// Whether a first part could go out, and not all of them: then none does.
    pub(crate) async fn is_too_much(&self, held: &Held, account: &Account, cost: u32) -> Result<bool, Error> {
        // What WeChat would refuse as a whole it is asked all the same: a push that never reached us may have opened a
        // window, and its refusal costs nothing.
        let one = Verdict::Refused(Closed::Count);
        let estimate = match cost {
            0 | 1 => return Ok(false),
            _ => self.estimate(&account.id, &held.lane.openid).await?,
        };
        Ok(estimate.verdict(cost) == one && estimate.verdict(1) != one)
    }

    /// What may be sent to a customer now.
    pub(crate) async fn estimate(&self, account: &str, openid: &str) -> Result<Estimate, Error> {
        let kept = self.kept_windows(account, openid).await?;
        Ok(self.known().estimate(kept, self.inner.clock.now()))
    }

    async fn kept_windows(&self, account: &str, openid: &str) -> Result<Option<String>, Error> {
        let (account, openid) = (account.to_owned(), openid.to_owned());
        self.inner.store.look_up(move |tx| Box::pin(async move { tx.windows(&account, &openid).await })).await
    }

    /// The rules, and since when no push was missed.
    pub(crate) fn known(&self) -> Known {
        Known { rules: self.inner.rules, gap: self.inner.pushes_missed.load(Ordering::Relaxed) }
    }

    /// A push was not taken, and may never come again: what windows are open is not known any more.
    pub fn missed_a_push(&self) {
        self.inner.pushes_missed.fetch_max(self.inner.clock.now(), Ordering::Relaxed);
    }
}
