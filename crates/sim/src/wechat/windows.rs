//! How many customer-service messages an account may still send to a customer (§7.2).
//!
//! Each action of the customer is a grant of its own. Where several overlap, the one that ends first is used first
//! (what the real cloud does there is not known); a new message replaces the allowance of the one before, or adds to it,
//! as [`WindowRule`] says.

use serde::Serialize;
use serde_json::{Value, json};

use super::rules::WindowRule;

/// What the customer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Any message: 5 in 48 h.
    Message,
    /// A menu item that opens a window (`click`, `scancode_push`, `scancode_waitmsg`): 3 in a minute.
    Menu,
    /// 3 in a minute.
    Follow,
    /// A parametric QR code: 3 in a minute.
    Scan,
    /// A payment (service accounts only): as many as wanted in 48 h.
    Payment,
}

const MINUTE: i64 = 60_000;
const HOURS_48: i64 = 48 * 60 * MINUTE;

#[derive(Debug)]
struct Grant {
    action: Action,
    /// `None` after a payment.
    left: Option<u32>,
    until_ms: i64,
}

/// Why nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// 45015: no window is open.
    Time,
    /// 45047: one is open, and used up.
    Count,
}

/// One customer's grants. Public so that whoever estimates them can be held against them.
#[derive(Debug, Default)]
pub struct Windows(Vec<Grant>);

impl Windows {
    /// The customer does something.
    pub fn grant(&mut self, action: Action, rule: WindowRule, now_ms: i64) {
        let (left, length) = match action {
            Action::Message => (Some(5), HOURS_48),
            Action::Menu | Action::Follow | Action::Scan => (Some(3), MINUTE),
            Action::Payment => (None, HOURS_48),
        };
        let stays = |grant: &Grant| rule == WindowRule::Cumulative || grant.action != action;
        self.0.retain(|grant| grant.until_ms > now_ms && stays(grant));
        self.0.push(Grant { action, left, until_ms: now_ms + length });
        self.0.sort_by_key(|grant| grant.until_ms);
    }

    /// Whether one more message may be sent; does not count it.
    pub fn check(&self, now_ms: i64) -> Result<(), Closed> {
        let mut open = self.0.iter().filter(|grant| grant.until_ms > now_ms).peekable();
        if open.peek().is_none() {
            return Err(Closed::Time);
        }
        if open.any(|grant| grant.left != Some(0)) { Ok(()) } else { Err(Closed::Count) }
    }

    /// Counts one message.
    pub fn consume(&mut self, now_ms: i64) {
        // What a payment allows has no count to spare: it goes first, whenever it ends.
        let unlimited = self.0.iter().any(|grant| grant.until_ms > now_ms && grant.left.is_none());
        let mut open = self.0.iter_mut().filter(|grant| grant.until_ms > now_ms && grant.left != Some(0));
        if let (false, Some(left)) = (unlimited, open.next().and_then(|grant| grant.left.as_mut())) {
            *left -= 1;
        }
    }

    /// How many messages may still be sent; `None`: any number.
    pub fn left(&self, now_ms: i64) -> Option<u32> {
        let open = self.0.iter().filter(|grant| grant.until_ms > now_ms);
        open.map(|grant| grant.left).sum()
    }

    /// The open ones; `left` is null where there is no count.
    pub(crate) fn told(&self, now_ms: i64) -> Value {
        let open = self.0.iter().filter(|grant| grant.until_ms > now_ms);
        open.map(|g| json!({"action": g.action, "left": g.left, "until_ms": g.until_ms})).collect()
    }

    /// After an unfollow.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat::rules::WindowRule::{Cumulative, Reset};

    fn send(windows: &mut Windows, now: i64) -> Result<(), Closed> {
        windows.check(now)?;
        windows.consume(now);
        Ok(())
    }

    #[test]
    fn a_message_allows_five_in_48_hours_and_a_new_one_starts_afresh() {
        let mut windows = Windows::default();
        assert_eq!(send(&mut windows, 0), Err(Closed::Time));
        windows.grant(Action::Message, Reset, 0);
        for _ in 0..5 {
            assert_eq!(send(&mut windows, 1), Ok(()));
        }
        assert_eq!(send(&mut windows, 1), Err(Closed::Count));
        windows.grant(Action::Message, Reset, 2);
        assert_eq!(send(&mut windows, HOURS_48 + 1), Ok(()));
        assert_eq!(send(&mut windows, HOURS_48 + 2), Err(Closed::Time));
    }

    #[test]
    fn a_follow_allows_three_in_a_minute_and_is_used_first() {
        let mut windows = Windows::default();
        windows.grant(Action::Message, Reset, 0);
        windows.grant(Action::Follow, Reset, 0);
        for _ in 0..3 {
            assert_eq!(send(&mut windows, 10), Ok(()));
        }
        // The five of the message are untouched, and outlive the minute.
        for _ in 0..5 {
            assert_eq!(send(&mut windows, MINUTE), Ok(()));
        }
        assert_eq!(send(&mut windows, MINUTE), Err(Closed::Count));
        windows.clear();
        assert_eq!(send(&mut windows, MINUTE), Err(Closed::Time));
    }

    fn sent(windows: &mut Windows, now: i64) -> usize {
        (0..50).take_while(|_| send(windows, now).is_ok()).count()
    }

    #[test]
    fn allowances_of_different_actions_stand_beside_each_other() {
        let mut windows = Windows::default();
        for action in [Action::Message, Action::Menu, Action::Scan, Action::Follow, Action::Menu] {
            windows.grant(action, Reset, 0);
        }
        assert_eq!(sent(&mut windows, 1), 5 + 3 + 3 + 3);
        windows.grant(Action::Menu, Reset, 2);
        assert_eq!(send(&mut windows, MINUTE + 2), Err(Closed::Count), "the message's is open, and used up");
    }

    #[test]
    fn cumulative_allowances_add_up_and_end_one_by_one() {
        let mut windows = Windows::default();
        windows.grant(Action::Message, Cumulative, 0);
        windows.grant(Action::Message, Cumulative, 1000);
        assert_eq!(send(&mut windows, 1000), Ok(()));
        assert_eq!(sent(&mut windows, HOURS_48 + 999), 5, "the first one's last four are gone");
        assert_eq!(send(&mut windows, HOURS_48 + 999), Err(Closed::Count));
        assert_eq!(send(&mut windows, HOURS_48 + 1000), Err(Closed::Time));
    }

    #[test]
    fn a_payment_allows_any_number_and_uses_nothing_else_up() {
        let mut windows = Windows::default();
        windows.grant(Action::Payment, Reset, 0);
        windows.grant(Action::Message, Reset, 1000);
        assert_eq!(sent(&mut windows, 1000), 50);
        assert_eq!(sent(&mut windows, HOURS_48), 5, "the payment's time is over, the message's is not");
    }
}
