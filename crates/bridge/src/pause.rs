//! When an account's calls to WeChat have to rest: what WeChat says of the account as a whole is not asked again by
//! every customer's lane (F29, F33).
//!
//! When a pause is over one lane may try; the others wait for what becomes of it. Where there may be several nodes the
//! database says so to all of them, read once a second at most.

use desk::{Millis, Reason, Tried};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Error, Pause, Store};

/// The first pause after a fault of the set-up, and the longest, in milliseconds.
const FIRST: Millis = 5_000;
const LONGEST: Millis = 300_000;
/// How long the one who tries after a pause is waited for, and how often the others ask what became of it, in
/// milliseconds.
const PROBE: Millis = 10_000;
const ASK_AGAIN: Millis = 1_000;
const MINUTE: Millis = 60_000;
const DAY: Millis = 86_400_000;
/// China is eight hours ahead of UTC, all year; quotas begin anew at midnight there.
const CHINA: Millis = 8 * 3_600_000;

/// How old may be what is known of other nodes' pauses.
const FRESH: Duration = Duration::from_secs(1);

/// The pauses of all accounts. Owned by the bridge; one entry per account of the configuration at most.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    known: Mutex<HashMap<String, Pause>>,
    /// Where other nodes read them, and when each was read.
    shared: Option<Store>,
    read: Mutex<HashMap<String, Instant>>,
}

impl Pauses {
    /// Shared with the other nodes, where there may be some.
    pub(crate) fn new(store: &Store) -> Pauses {
        let shared = (store.engine() != "sqlite").then(|| store.clone());
        Pauses { shared, ..Pauses::default() }
    }

    /// Reads what other nodes were told.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn refresh(&self, account: &str) -> Result<(), Error> {
        let Some(store) = &self.shared else { return Ok(()) };
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if read.get(account).is_some_and(|at| now.duration_since(*at) < FRESH) {
                return Ok(());
            }
            read.insert(account.to_owned(), now);
        }
        let stored = store.pause(account).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match stored {
            Some(pause) => known.insert(account.to_owned(), pause),
            None => known.remove(account),
        };
        Ok(())
    }

    /// As [`Pauses::left`], over all nodes.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn left_over(
        &self,
        account: &str,
        now: Millis,
    ) -> Result<Option<(Millis, Reason)>, Error> {
        self.refresh(account).await?;
        let why = self.why(account);
        let left = self.left(account, now);
        let (None, Some(why), Some(store)) = (left, why, &self.shared) else { return Ok(left) };
        if store.probe_pause(account, now, now + PROBE).await? {
            return Ok(None);
        }
        // Another node tries, or has ended it: what came of it is read next.
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
        Ok(Some((ASK_AGAIN, why)))
    }

    /// As [`Pauses::learn`], for all nodes. Without the database it is learned here alone.
    pub(crate) async fn learn_for_all(
        &self,
        account: &str,
        tried: Tried,
        now: Millis,
        dice: u32,
    ) -> Option<Reason> {
        let of = || self.known.lock().unwrap_or_else(PoisonError::into_inner).get(account).copied();
        let before = of();
        let begun = self.learn(account, tried, now, dice);
        let after = of();
        let Some(store) = self.shared.as_ref().filter(|_| before != after) else { return begun };
        let told = match after {
            Some(pause) => store.set_pause(account, pause).await,
            None => store.end_pause(account).await,
        };
        if let Err(error) = told {
            tracing::warn!(account, %error, "the other nodes cannot be told of an account's pause");
        }
        begun
    }

    /// How long the account's calls have to rest, and why; `None`: go on. Whoever hears `None` after a pause is the one
    /// who tries.
    pub(crate) fn left(&self, account: &str, now: Millis) -> Option<(Millis, Reason)> {
        let mut pauses = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses.get_mut(account)?;
        if now < pause.until {
            let left = pause.until - now;
            return Some((if pause.probed { left.min(ASK_AGAIN) } else { left }, pause.why));
        }
        *pause = Pause { until: now + PROBE, probed: true, ..*pause };
        None
    }

    /// Why the account's calls rest, or rested until nobody has tried since.
    pub(crate) fn why(&self, account: &str) -> Option<Reason> {
        let pauses = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(account).map(|pause| pause.why)
    }

    /// Learns from how a call ended; `dice` spreads the nodes. Tells the reason if a pause begins that has not been before.
    pub(crate) fn learn(&self, account: &str, tried: Tried, now: Millis, dice: u32) -> Option<Reason> {
        let mut pauses = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pauses.get(account).copied();
        // Calls that were under way together hear the same refusal: it counts once.
        let strikes = match before {
            Some(pause) if !pause.probed && now < pause.until => pause.strikes - 1,
            Some(pause) => pause.strikes,
            None => 0,
        };
        let jitter = |span: Millis| i64::from(dice) * span / i64::from(u32::MAX);
        let (why, until) = match tried {
            Tried::Done => {
                pauses.remove(account);
                return None;
            }
            Tried::TooFast => (Reason::TooFast, now - now.rem_euclid(MINUTE) + MINUTE + jitter(5_000)),
            Tried::Setup(Reason::QuotaUsedUp) => {
                let midnight = now - (now + CHINA).rem_euclid(DAY) + DAY;
                (Reason::QuotaUsedUp, midnight + jitter(MINUTE))
            }
            Tried::Setup(why) if concerns_the_account(why) => {
                let rest = FIRST.saturating_mul(1 << strikes.min(10)).min(LONGEST);
                (why, now + rest + jitter(rest / 5))
            }
            // What concerns one customer, or nobody knows, rests nobody else.
            _ => return None,
        };
        pauses.insert(account.to_owned(), Pause { until, why, strikes: strikes + 1, probed: false });
        before.is_none().then_some(why)
    }
}

/// Whether every call of the account would be refused alike.
fn concerns_the_account(why: Reason) -> bool {
    !matches!(
        why,
        Reason::KindNotPermitted
            | Reason::CustomerRestricted
            | Reason::CustomerRefuses
            | Reason::Blacklisted
            | Reason::UnknownCustomer
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 02:00:10 UTC, ten o'clock in China.
    const NOW: Millis = 1_795_485_610_000;

    #[test]
    fn f33_too_fast_rests_until_the_next_minute_and_the_quota_until_midnight_in_china() {
        let pauses = Pauses::default();
        assert_eq!(pauses.left("shop", NOW), None);
        assert_eq!(pauses.learn("shop", Tried::TooFast, NOW, 0), Some(Reason::TooFast));
        assert_eq!(pauses.left("shop", NOW), Some((50_000, Reason::TooFast)));
        assert_eq!(pauses.left("outlet", NOW), None, "another account has a limit of its own");
        assert_eq!((pauses.why("shop"), pauses.why("outlet")), (Some(Reason::TooFast), None));
        pauses.learn("shop", Tried::Setup(Reason::QuotaUsedUp), NOW, 0);
        let (left, _) = pauses.left("shop", NOW).unwrap();
        assert_eq!(left, 14 * 3_600_000 - 10_000);
        let late = NOW + left - 1;
        pauses.learn("shop", Tried::Setup(Reason::QuotaUsedUp), late, u32::MAX);
        assert_eq!(
            pauses.left("shop", late).unwrap().0,
            1 + MINUTE,
            "a minute before midnight is not tomorrow's"
        );
    }

    #[test]
    fn f29_each_refusal_rests_longer_and_one_tries_after_it() {
        let pauses = Pauses::default();
        let refused = Tried::Setup(Reason::IpNotListed);
        assert_eq!(pauses.learn("shop", refused, NOW, 0), Some(Reason::IpNotListed), "an alarm, once");
        let mut now = NOW;
        for rest in [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000] {
            assert_eq!(pauses.left("shop", now), Some((rest, Reason::IpNotListed)));
            now += rest;
            assert_eq!(pauses.left("shop", now), None, "this one tries");
            let others = pauses.left("shop", now);
            assert_eq!(
                others,
                Some((ASK_AGAIN, Reason::IpNotListed)),
                "the others soon hear what became of it"
            );
            assert_eq!(pauses.learn("shop", refused, now, 0), None);
        }
        pauses.learn("shop", Tried::Done, now, 0);
        assert_eq!(pauses.left("shop", now), None);
    }

    #[test]
    fn f29_calls_that_hear_the_same_refusal_together_count_once() {
        let pauses = Pauses::default();
        let refused = Tried::Setup(Reason::IpNotListed);
        assert_eq!(pauses.learn("shop", refused, NOW, 0), Some(Reason::IpNotListed));
        for late in 0..6 {
            assert_eq!(pauses.learn("shop", refused, NOW + late, 0), None);
        }
        assert_eq!(pauses.left("shop", NOW + 5), Some((FIRST, Reason::IpNotListed)));
        pauses.learn("shop", Tried::Done, NOW + 6, 0);
        assert_eq!(pauses.left("shop", NOW + 6), None, "a token at last");
    }

    #[test]
    fn one_customers_refusal_rests_nobody_else() {
        let pauses = Pauses::default();
        for tried in [Tried::Never(Reason::WindowClosed), Tried::Unclear, Tried::NotSent, Tried::Busy] {
            assert_eq!(pauses.learn("shop", tried, NOW, 0), None);
            assert_eq!(pauses.left("shop", NOW), None);
        }
    }
}
