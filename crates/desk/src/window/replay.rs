//! From what happened to what is left: one pass over the entries in the order of their times.
//!
//! A call is an interval, and an action is one too (WeChat's CreateTime counts whole seconds). Where intervals overlap
//! the order is not known, and then a call is taken from every window that it may have been taken from: each of these
//! keeps one fewer for certain and one more that may be there.

use super::{Action, Closed, Entry, Rule, Rules};
use crate::Millis;
use serde::{Deserialize, Serialize};

/// CreateTime counts whole seconds: the action may have been so much later.
const SECOND: Millis = 999;
/// By so much two clocks may differ when a refusal is held against an action.
const SKEW: Millis = 10_000;

/// What is left of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    #[serde(rename = "a")]
    action: Action,
    #[serde(rename = "b")]
    at: Millis,
    #[serde(rename = "u")]
    pub(super) until: Millis,
    /// Messages that are left for certain.
    #[serde(rename = "l")]
    pub(super) left: u32,
    /// Messages that may be left beside them.
    #[serde(rename = "s")]
    pub(super) spare: u32,
}

impl Grant {
    /// Whether it is open for certain.
    pub(super) fn is_open(&self, now: Millis) -> bool {
        now < self.until
    }

    /// Whether it may be open.
    pub(super) fn may_be_open(&self, now: Millis) -> bool {
        now < self.until + SECOND
    }

    /// Whether it was open during the whole of an interval.
    fn holds(&self, from: Millis, to: Millis) -> bool {
        from > self.at + SECOND && to < self.until
    }

    /// Whether it may have been open at some moment of an interval.
    fn touches(&self, from: Millis, to: Millis) -> bool {
        to >= self.at && self.may_be_open(from)
    }

    /// As many as it may have at most.
    pub(super) fn all(&self) -> u32 {
        self.left.saturating_add(self.spare)
    }

    /// None is certain any more.
    fn doubt_all(&mut self) {
        self.spare = self.all();
        self.left = 0;
    }

    /// One may have gone, and may not.
    fn doubt_one(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            self.spare = self.spare.saturating_add(1);
        }
    }
}

/// What is left after `entries`, which are sorted by their times, in the order in which the windows end. What came before
/// `settled_to` can only be added with doubt: calls that followed it have been counted already.
pub(super) fn replay(rules: &Rules, settled: &[Grant], settled_to: Millis, entries: &[Entry]) -> Vec<Grant> {
    let mut grants = settled.to_vec();
    for (place, entry) in entries.iter().enumerate() {
        match *entry {
            Entry::Act(Action::Leave, at) => leave(&mut grants, at),
            Entry::Act(action, at) => {
                let in_doubt = at < settled_to || entries[..place].contains(&Entry::Act(Action::Leave, at));
                open(rules, &mut grants, action, at, in_doubt);
            }
            Entry::Sent(from, to, sure) => sent(&mut grants, from, to, sure),
            Entry::Refused(from, to, why) => refused(&mut grants, from, to, why),
        }
    }
    grants
}

/// An unfollow. What was done in the same second may have come after it.
fn leave(grants: &mut Vec<Grant>, at: Millis) {
    grants.retain(|grant| grant.at >= at);
    grants.iter_mut().for_each(Grant::doubt_all);
}

fn open(rules: &Rules, grants: &mut Vec<Grant>, action: Action, at: Millis, in_doubt: bool) {
    if action == Action::Tap {
        open(rules, grants, Action::Menu, at, in_doubt);
        // If WeChat counts it as a message after all, it allows what a message does.
        if let Some(rule) = rules.of(Action::Write) {
            grant(grants, action, at, rule, true);
        }
    } else if let Some(rule) = rules.of(action) {
        grant(grants, action, at, rule, in_doubt);
    }
}

/// A new allowance in place of the one that the same action opened before.
fn grant(grants: &mut Vec<Grant>, action: Action, at: Millis, rule: Rule, in_doubt: bool) {
    if grants.iter().any(|grant| grant.action == action && grant.at > at) {
        // It came so late that what came after it has settled.
        return;
    }
    grants.retain(|grant| grant.action != action);
    let mut new = Grant { action, at, until: at + rule.lasts, left: rule.replies, spare: 0 };
    if in_doubt {
        new.doubt_all();
    }
    let place = grants.partition_point(|other| other.until <= new.until);
    grants.insert(place, new);
}

fn sent(grants: &mut [Grant], from: Millis, to: Millis, sure: bool) {
    // Sorted by their ends: the first that was open throughout and has one for certain is the last that may have paid.
    let mut paid = Vec::new();
    for (place, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.touches(from, to)) {
        if grant.all() == 0 {
            continue;
        }
        paid.push(place);
        if grant.holds(from, to) && grant.left > 0 {
            break;
        }
    }
    match paid.as_slice() {
        [only] if sure && grants[*only].holds(from, to) => {
            let grant = &mut grants[*only];
            if grant.left > 0 { grant.left -= 1 } else { grant.spare -= 1 }
        }
        _ => paid.iter().for_each(|place| grants[*place].doubt_one()),
    }
}

fn refused(grants: &mut Vec<Grant>, from: Millis, to: Millis, why: Closed) {
    for grant in grants.iter_mut().filter(|grant| grant.at <= to) {
        if grant.at + SECOND < from - SKEW {
            (grant.left, grant.spare) = (0, 0);
        } else {
            // The action and the call were so near that only the next call can tell.
            grant.doubt_all();
        }
    }
    if why == Closed::Time {
        grants.retain(|grant| grant.all() > 0);
    }
}
