//! The reply windows of a customer, where the rule ([`desk::window`]) meets the database.
//!
//! What the customer does is kept in the intake's transaction, what a call did in that of its conclusion. The customer's
//! row is locked by whoever calls this.

use crate::worker::Held;
use crate::{Account, Bridge};
use desk::Millis;
use desk::window::{Action, Closed, Estimate, Rules, Verdict, Windows};
use desk::words::Notice;
use store::{Error, Lane, Tx};

/// The customer did something at `at`, by WeChat's clock.
pub(crate) async fn act(
    tx: &mut Tx<'_>,
    rules: &Rules,
    lane: &Lane,
    action: Action,
    at: Millis,
    now: Millis,
) -> Result<(), Error> {
    change(tx, rules, lane, |windows| windows.act(rules, action, at, now)).await.map(|_| ())
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

/// Keeps what a call between these times did to the windows. Gives what is left before and after it.
pub(crate) async fn learn(
    tx: &mut Tx<'_>,
    rules: &Rules,
    lane: &Lane,
    (from, to): (Millis, Millis),
    learned: Learned,
) -> Result<(Estimate, Estimate), Error> {
    change(tx, rules, lane, |windows| {
        let before = windows.estimate(rules, to, Millis::MIN);
        match learned {
            Learned::Sent => windows.sent(rules, from, to),
            Learned::Unsure => windows.unsure(rules, from, to),
            Learned::Refused(why) => windows.refused(rules, from, to, why),
        }
        (before, windows.estimate(rules, to, Millis::MIN))
    })
    .await
}

async fn change<T>(
    tx: &mut Tx<'_>,
    rules: &Rules,
    lane: &Lane,
    change: impl FnOnce(&mut Windows) -> T,
) -> Result<T, Error> {
    let kept = tx.windows(&lane.account, &lane.openid).await?;
    let mut windows = Windows::read(&kept.unwrap_or_default());
    let told = change(&mut windows);
    tx.set_windows(&lane.account, &lane.openid, &windows.write(), windows.ends(rules)).await?;
    Ok(told)
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
        let (account, openid) = (account.to_owned(), openid.to_owned());
        let kept = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { tx.windows(&account, &openid).await }))
            .await?;
        let windows = Windows::read(&kept.unwrap_or_default());
        Ok(windows.estimate(&self.inner.rules, self.inner.clock.now(), self.inner.started_at))
    }
}
