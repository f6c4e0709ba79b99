//! From what happened to what is left: one pass over the entries in the order of their times.
//!
//! A call is an interval, and an action is one too (WeChat's CreateTime counts whole seconds). Where intervals overlap
//! the order is not known, and then a call is taken from every window that it may have been taken from: each of these
//! keeps one fewer for certain and one more that may be there.

use super::{Action, Closed, Entry, Rule, Rules};
use crate::Millis;
use serde::{Deserialize, Serialize};

/// CreateTime counts whole seconds: the action may have been so much later.
pub(super) const SECOND: Millis = 999;
/// By so much two clocks may differ when a refusal is held against an action.
const SKEW: Millis = 10_000;

/// What is left of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    #[serde(rename = "a")]
    action: Action,
    #[serde(rename = "b")]
    at: Millis,
    /// From when on it is certain to be open.
    #[serde(rename = "o")]
    sure: Millis,
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
        from >= self.sure && to < self.until
    }

    /// Whether it may have been open at some moment of an interval.
    fn touches(&self, from: Millis, to: Millis) -> bool {
        to >= self.at.min(self.sure) && self.may_be_open(from)
    }

    /// Whether it was opened before a time by our clock.
    pub(super) fn is_before(&self, time: Millis) -> bool {
        self.at + SECOND < time
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

/// From when on things are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// What came before it can only be added with doubt: calls that followed it have been counted already.
    pub(super) settled: Millis,
    /// Before it pushes may have been missed: a window from then may have been closed.
    pub(super) gap: Millis,
}

/// What is left after `entries`, which are sorted by their times, in the order in which the windows end.
pub(super) fn replay(rules: &Rules, settled: &[Grant], since: Since, entries: &[Entry]) -> Vec<Grant> {
    let mut grants = settled.to_vec();
    for (place, entry) in entries.iter().enumerate() {
        match *entry {
            Entry::Act(Action::Leave, at, _) => leave(&mut grants, at),
            Entry::Act(action, at, heard) => {
                let in_doubt = at < since.settled || left_at(&entries[..place], at);
                open(rules, &mut grants, action, (at, heard), in_doubt);
            }
            Entry::Sent(from, to, sure) => sent(&mut grants, since.gap, (from, to), sure),
            Entry::Refused(from, to, why) => refused(&mut grants, from, to, why),
        }
    }
    grants
}

/// Whether an unfollow came in the same second.
fn left_at(before: &[Entry], at: Millis) -> bool {
    before.iter().any(|entry| matches!(entry, Entry::Act(Action::Leave, left, _) if *left == at))
}

/// An unfollow. What was done in the same second may have come after it.
fn leave(grants: &mut Vec<Grant>, at: Millis) {
    grants.retain(|grant| grant.at >= at);
    grants.iter_mut().for_each(Grant::doubt_all);
}

fn open(rules: &Rules, grants: &mut Vec<Grant>, action: Action, at: (Millis, Millis), in_doubt: bool) {
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
fn grant(grants: &mut Vec<Grant>, action: Action, (at, heard): (Millis, Millis), rule: Rule, in_doubt: bool) {
    if grants.iter().any(|grant| grant.action == action && grant.at > at) {
        // It came so late that what came after it has settled.
        return;
    }
    grants.retain(|grant| grant.action != action);
    // What we had heard of when a call began had happened before it, whatever the clocks say.
    let sure = heard.min(at + SECOND + 1);
    let mut new = Grant { action, at, sure, until: at + rule.lasts, left: rule.replies, spare: 0 };
    if in_doubt {
        new.doubt_all();
    }
    let place = grants.partition_point(|other| other.until <= new.until);
    grants.insert(place, new);
}

fn sent(grants: &mut [Grant], gap: Millis, (from, to): (Millis, Millis), sure: bool) {
    // Sorted by their ends: the first that was open throughout and has one for certain is the last that may have paid.
    let mut paid = Vec::new();
    for (place, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.touches(from, to)) {
        if grant.all() == 0 {
            continue;
        }
        paid.push(place);
        let may_be_closed = grant.is_before(gap) && from >= gap;
        if grant.holds(from, to) && grant.left > 0 && !may_be_closed {
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
