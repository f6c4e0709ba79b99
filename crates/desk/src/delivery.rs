//! Deliveries: one part of a message on its way to one side, and what follows from one try of it.
//!
//! Towards WeChat a call that may or may not have arrived is never repeated ([`after_answer`]); towards IM
//! it is looked up in the history before it is repeated ([`after_relay`]). Delays are durations: the store
//! adds them to its own clock.

use crate::Reason;
use crate::mailbox::Parked;
use serde::{Deserialize, Serialize};

/// Where a delivery stands. `Sent`, `Failed` and `Unsure` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Not tried, or tried and provably not sent.
    Waiting,
    /// An attempt is open: its call may be under way, or was when its holder died.
    Sending,
    /// A call towards IM had no clear end; the history will tell.
    Checking,
    /// Cannot go out now: it is in the customer's mailbox until the customer writes next.
    Parked,
    /// Taken by the other side.
    Sent,
    /// Provably not sent, and not to be tried again.
    Failed,
    /// May or may not have arrived; a person decides.
    Unsure,
}

impl DeliveryState {
    /// The word used in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sending => "sending",
            DeliveryState::Checking => "checking",
            DeliveryState::Parked => "parked",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
            DeliveryState::Unsure => "unsure",
        }
    }

    /// Reads the word back; `None` for a word that is no state.
    pub fn parse(word: &str) -> Option<DeliveryState> {
        use DeliveryState::*;
        [Waiting, Sending, Checking, Parked, Sent, Failed, Unsure]
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, DeliveryState::Sent | DeliveryState::Failed | DeliveryState::Unsure)
    }
}

/// How one try ended, in words that both protocols share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// Taken.
    Done,
    /// Provably not sent: nothing left this machine.
    NotSent,
    /// May or may not have arrived.
    Unclear,
    /// Refused as busy; the vendor says to try again.
    Busy,
    /// Refused because calls come too fast: not before a minute has passed.
    TooFast,
    /// Refused because an account is missing; it has been repaired where that was possible.
    Missing,
    /// Refused because of the set-up; it may be mended by a person.
    Setup(Reason),
    /// Refused for good.
    Never(Reason),
}

/// What to do after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Final: sent.
    Sent,
    /// Try again after so many milliseconds.
    RetryIn(i64),
    /// Look into the other side's history after so many milliseconds, then decide.
    CheckIn(i64),
    /// Wait in the customer's mailbox for their next message.
    Park(Parked),
    /// Final: provably not sent.
    Failed(Reason),
    /// Final: nobody knows.
    Unsure,
}

/// The past of a delivery, as far as the rules ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Tries up to and including the one that just ended.
    pub tries: u32,
    /// Milliseconds since the first try began.
    pub waited: i64,
    /// Milliseconds that this kind of job may wait in all.
    pub patience: i64,
    /// A random number, for jitter.
    pub dice: u32,
}

/// Tries of `custom/send` that WeChat may answer with -1: the first and two repeats.
pub const BUSY_TRIES: u32 = 3;

/// IM's back-end time-out: before it has passed, the history does not yet tell the truth.
/// <https://www.tencentcloud.com/document/product/1047/34620>
pub const IM_BACKEND_TIMEOUT_MS: i64 = 3_000;

/// The rule for an agent's answer on its way to WeChat.
pub fn after_answer(tried: Tried, past: Past) -> Next {
    match tried {
        Tried::Done => Next::Sent,
        Tried::Unclear => Next::Unsure,
        Tried::Never(reason) => Next::Failed(reason),
        Tried::Busy if past.tries >= BUSY_TRIES => Next::Failed(Reason::Busy),
        Tried::NotSent | Tried::Busy => past.retry(backoff(past, 500, 60_000), Reason::Unreachable),
        Tried::TooFast => past.retry(60_000 + jitter(past.dice, 10_000), Reason::TooFast),
        Tried::Missing => past.retry(backoff(past, 5_000, 300_000), Reason::ImAccountMissing),
        Tried::Setup(reason) => past.retry(backoff(past, 5_000, 300_000), reason),
    }
}

/// The rule for a customer's message (or a notice of ours) on its way to IM.
pub fn after_relay(tried: Tried, past: Past) -> Next {
    match tried {
        Tried::Done => Next::Sent,
        // Internal errors of IM leave open whether the message was stored.
        Tried::Unclear | Tried::Busy => Next::CheckIn(IM_BACKEND_TIMEOUT_MS + backoff(past, 500, 60_000)),
        Tried::NotSent => past.retry(backoff(past, 500, 60_000), Reason::Unreachable),
        Tried::TooFast => past.retry(backoff(past, 1_000, 60_000), Reason::TooFast),
        Tried::Missing if past.tries <= 2 => Next::RetryIn(0),
        Tried::Missing => past.retry(backoff(past, 5_000, 300_000), Reason::ImAccountMissing),
        Tried::Setup(reason) => past.retry(backoff(past, 5_000, 300_000), reason),
        Tried::Never(reason) => Next::Failed(reason),
    }
}

impl Next {
    /// The same, where an answer that came too late may wait for the customer's next message.
    pub fn parking(self) -> Next {
        match self {
            Next::Failed(Reason::WindowClosed) => Next::Park(Parked::WindowClosed),
            Next::Failed(Reason::CountUsedUp) => Next::Park(Parked::CountUsedUp),
            next => next,
        }
    }
}

impl Past {
    fn retry(self, delay: i64, otherwise: Reason) -> Next {
        if self.waited + delay > self.patience { Next::Failed(otherwise) } else { Next::RetryIn(delay) }
    }
}

/// Doubles from `first` up to `most` milliseconds, give or take a fifth.
pub fn backoff(past: Past, first: i64, most: i64) -> i64 {
    let doubled = first.saturating_mul(1 << past.tries.saturating_sub(1).min(20)).min(most);
    doubled - doubled / 5 + jitter(past.dice, doubled * 2 / 5)
}

fn jitter(dice: u32, span: i64) -> i64 {
    i64::from(dice) * span.max(0) / i64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn past(tries: u32, waited: i64) -> Past {
        Past { tries, waited, patience: DAY, dice: u32::MAX / 2 }
    }

    #[test]
    fn f34_an_unclear_answer_is_unsure_and_never_repeated() {
        for tries in 1..50 {
            assert_eq!(after_answer(Tried::Unclear, past(tries, 0)), Next::Unsure);
        }
    }

    #[test]
    fn f33_busy_is_retried_at_most_twice() {
        assert!(matches!(after_answer(Tried::Busy, past(1, 0)), Next::RetryIn(_)));
        assert!(matches!(after_answer(Tried::Busy, past(2, 0)), Next::RetryIn(_)));
        assert_eq!(after_answer(Tried::Busy, past(3, 0)), Next::Failed(Reason::Busy));
        assert!(matches!(after_answer(Tried::TooFast, past(1, 0)), Next::RetryIn(60_000..)));
    }

    #[test]
    fn what_was_not_sent_is_retried_until_patience_ends() {
        assert!(matches!(after_answer(Tried::NotSent, past(9, 1_000)), Next::RetryIn(1..=72_000)));
        assert_eq!(after_answer(Tried::NotSent, past(9, DAY)), Next::Failed(Reason::Unreachable));
        assert_eq!(
            after_answer(Tried::Setup(Reason::IpNotListed), past(9, DAY)),
            Next::Failed(Reason::IpNotListed)
        );
        assert_eq!(after_relay(Tried::NotSent, past(9, DAY)), Next::Failed(Reason::Unreachable));
    }

    #[test]
    fn an_unclear_relay_is_looked_up_after_the_back_end_time_out() {
        assert!(matches!(after_relay(Tried::Unclear, past(1, 0)), Next::CheckIn(IM_BACKEND_TIMEOUT_MS..)));
        assert!(matches!(after_relay(Tried::Busy, past(1, 0)), Next::CheckIn(IM_BACKEND_TIMEOUT_MS..)));
    }

    #[test]
    fn f51_a_missing_account_is_repaired_at_once_and_then_slowly() {
        assert_eq!(after_relay(Tried::Missing, past(1, 0)), Next::RetryIn(0));
        assert!(matches!(after_relay(Tried::Missing, past(3, 0)), Next::RetryIn(4_000..)));
    }

    #[test]
    fn backoff_doubles_is_capped_and_jittered() {
        let at = |tries, dice| backoff(Past { dice, ..past(tries, 0) }, 500, 60_000);
        assert_eq!((at(1, 0), at(1, u32::MAX)), (400, 600));
        assert!(at(4, 0) > at(1, u32::MAX) && at(40, u32::MAX) <= 72_000);
    }

    #[test]
    fn f30_only_what_comes_too_late_is_parked() {
        for reason in Reason::ALL {
            match Next::Failed(*reason).parking() {
                Next::Park(why) => assert_eq!(why.reason(), Some(*reason)),
                next => assert!(
                    next == Next::Failed(*reason)
                        && !matches!(reason, Reason::WindowClosed | Reason::CountUsedUp)
                ),
            }
        }
        assert_eq!(Next::Unsure.parking(), Next::Unsure);
    }

    #[test]
    fn states_read_back() {
        for word in ["waiting", "sending", "checking", "parked", "sent", "failed", "unsure"] {
            assert_eq!(DeliveryState::parse(word).unwrap().as_str(), word);
        }
        assert_eq!(DeliveryState::parse("lost"), None);
    }
}
