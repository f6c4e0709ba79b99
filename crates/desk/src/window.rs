//! Reply windows: how many messages an account may still send to a customer, and until when.
//!
//! WeChat opens a window with each thing that a customer does and tells nobody what is left of it
//! (<https://developers.weixin.qq.com/doc/subscription/guide/product/kf/intro>). Start at [`Windows`]: it keeps what the
//! customer did, what was sent and what WeChat refused, and [`Windows::estimate`] replays it. What is not known
//! for certain (a call whose end is unknown, a push that came late, two things within one second) widens the
//! estimate into a least and a most: the least is never above the truth, the most never below it.
//!
//! Two points are not documented, and taken as field reports have them: a new message replaces the allowance of the
//! one before, and where windows overlap the one that ends first is used first.

mod replay;
mod rules;

pub use rules::{Action, Rule, Rules};

use crate::Millis;
use replay::{Grant, SECOND, Since};
use serde::{Deserialize, Serialize};

/// How long an entry can still be reordered by one that comes late, in milliseconds: WeChat repeats a push for 15 s, and
/// `jobs retry` may bring one much later.
const SETTLES: Millis = 600_000;
/// Entries that are kept unsettled at most.
const MOST_ENTRIES: usize = 64;

/// What happened in one customer's windows, in the form in which it is kept. All times are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// What is left of what has settled.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    settled: Vec<Grant>,
    /// Up to when everything has settled.
    #[serde(rename = "t", default)]
    settled_to: Millis,
    /// What may still be reordered.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
    /// When the customer last wrote.
    #[serde(rename = "w", default)]
    wrote_at: Millis,
    /// When all windows were last known to be closed or used up: an unfollow, or a refusal.
    #[serde(rename = "c", default)]
    closed_at: Millis,
    /// Before it pushes may have been missed; 0: never.
    #[serde(rename = "m", default)]
    gap: Millis,
    /// WeChat has taken a message for which no window was known, or something came too late to be put in its place.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    surprised: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Entry {
    /// The customer did something at this time by WeChat's clock, which counts whole seconds, and we heard of it at that
    /// time by ours.
    #[serde(rename = "a")]
    Act(Action, Millis, Millis),
    /// A call between these times; whether it counted is certain or not.
    #[serde(rename = "s")]
    Sent(Millis, Millis, bool),
    /// A call between these times was refused.
    #[serde(rename = "r")]
    Refused(Millis, Millis, Closed),
}

impl Entry {
    /// The moment by which it is sorted: an act's earliest, a call's latest.
    fn at(self) -> Millis {
        match self {
            Entry::Act(_, at, heard) => at.min(heard),
            Entry::Sent(_, to, _) | Entry::Refused(_, to, _) => to,
        }
    }
}

/// Why no message may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closed {
    /// No window is open (45015).
    #[serde(rename = "t")]
    Time,
    /// One is open, and used up (45047).
    #[serde(rename = "c")]
    Count,
}

/// What may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// So many messages for certain.
    pub least: u32,
    /// So many at most; `None`: nobody knows.
    pub most: Option<u32>,
    /// So many if nothing was missed: what a person is told.
    pub likely: u32,
    /// When the last window ends in which something is left; of several, the one that ends last.
    pub until: Option<Millis>,
    /// Whether a window is open, be it used up.
    pub open: bool,
}

/// An open window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Replies that are left in it.
    pub left: u32,
    /// When it ends.
    pub until: Millis,
}

/// Whether an answer may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Goes,
    /// It may or may not; only WeChat can tell.
    Doubtful,
    /// WeChat would refuse it, or a part of it.
    Refused(Closed),
}

impl Estimate {
    /// Whether an answer of `cost` messages may go out as a whole.
    pub fn verdict(&self, cost: u32) -> Verdict {
        if cost <= self.least {
            Verdict::Goes
        } else if self.most.is_none_or(|most| cost <= most) {
            Verdict::Doubtful
        } else if self.open {
            Verdict::Refused(Closed::Count)
        } else {
            Verdict::Refused(Closed::Time)
        }
    }
}

impl Windows {
    /// Reads what [`Windows::write`] wrote. A text that cannot be read counts as nothing known.
    pub fn read(text: &str) -> Windows {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The form in which it is kept: a few hundred bytes of JSON.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The customer did something at `at`, by WeChat's clock (CreateTime), and we `heard` of it by ours.
    pub fn act(&mut self, rules: &Rules, action: Action, at: Millis, heard: Millis) {
        match action {
            Action::Write => self.wrote_at = self.wrote_at.max(at),
            Action::Leave => self.closed_at = self.closed_at.max(at),
            _ => {}
        }
        self.surprised &= !matches!(action, Action::Write | Action::Leave);
        // So late that calls after it have settled: it may have paid for them.
        self.surprised |= at < self.settled_to;
        self.add(rules, Entry::Act(action, at, heard), heard);
    }

    /// Before this time pushes may have been missed: what was opened before it may have been closed, and something may be
    /// open of which nobody told.
    pub fn missed(&mut self, before: Millis) {
        self.gap = self.gap.max(before);
    }

    /// WeChat took a message in a call between these times.
    pub fn sent(&mut self, rules: &Rules, from: Millis, to: Millis) {
        if self.estimate(rules, to).most == Some(0) {
            self.surprised = true;
        }
        // While something may be open of which nobody told, that may have paid.
        let sure = self.has_recovered(rules, from);
        self.add(rules, Entry::Sent(from, to, sure), to);
    }

    /// A call between these times may or may not have been taken.
    pub fn unsure(&mut self, rules: &Rules, from: Millis, to: Millis) {
        self.add(rules, Entry::Sent(from, to, false), to);
    }

    /// WeChat refused a call between these times for this reason.
    pub fn refused(&mut self, rules: &Rules, from: Millis, to: Millis, why: Closed) {
        self.surprised = false;
        self.closed_at = self.closed_at.max(from);
        self.add(rules, Entry::Refused(from, to, why), to);
    }

    /// What may be sent at `now`.
    pub fn estimate(&self, rules: &Rules, now: Millis) -> Estimate {
        let grants = self.replay(rules);
        let sum = |counts: &dyn Fn(&Grant) -> bool, of: fn(&Grant) -> u32| {
            grants.iter().filter(|grant| counts(grant)).map(of).fold(0u32, u32::saturating_add)
        };
        let likely = sum(&|grant| grant.is_open(now), |grant| grant.left);
        let most = sum(&|grant| grant.may_be_open(now), Grant::all);
        let known = !self.surprised && self.has_recovered(rules, now);
        let with_some = grants.iter().filter(|grant| grant.is_open(now) && grant.left > 0);
        Estimate {
            least: sum(&|grant| grant.is_open(now) && !grant.is_before(self.gap), |grant| grant.left),
            most: known.then_some(most),
            likely,
            until: with_some.map(|grant| grant.until).max(),
            open: grants.iter().any(|grant| grant.may_be_open(now)),
        }
    }

    /// The windows that are open at `now` and have replies left, the one that ends first first: it is used up first.
    pub fn open(&self, rules: &Rules, now: Millis) -> Vec<Open> {
        let grants = self.replay(rules).into_iter().filter(|grant| grant.is_open(now) && grant.left > 0);
        let mut open: Vec<Open> = grants.map(|grant| Open { left: grant.left, until: grant.until }).collect();
        open.sort_by_key(|window| window.until);
        open
    }

    /// When the last of the windows ends; `None` if there is none. For the sweep that looks for windows about to close.
    pub fn ends(&self, rules: &Rules) -> Option<Millis> {
        let grants = self.replay(rules);
        grants.iter().filter(|grant| grant.left > 0).map(|grant| grant.until).max()
    }

    /// Whether whatever was opened in the gap, unheard of, has been replaced, closed or is over.
    fn has_recovered(&self, rules: &Rules, now: Millis) -> bool {
        let gap = self.gap;
        let over = |lasts: Millis| now > gap.saturating_add(lasts).saturating_add(1000);
        let others = [rules.menu, rules.follow, rules.scan].map(|rule| rule.lasts);
        let others_over = others.into_iter().all(over);
        self.closed_at >= gap || (others_over && (self.wrote_at + SECOND >= gap || over(rules.write.lasts)))
    }

    fn replay(&self, rules: &Rules) -> Vec<Grant> {
        replay::replay(rules, &self.settled, self.since(), &self.entries)
    }

    fn since(&self) -> Since {
        Since { settled: self.settled_to, gap: self.gap }
    }

    fn add(&mut self, rules: &Rules, entry: Entry, now: Millis) {
        let place = self.entries.partition_point(|other| other.at() <= entry.at());
        self.entries.insert(place, entry);
        let old = self.entries.partition_point(|entry| entry.at() < now - SETTLES);
        let settle = old.max(self.entries.len().saturating_sub(MOST_ENTRIES));
        if settle > 0 {
            let settling: Vec<Entry> = self.entries.drain(..settle).collect();
            self.settled = replay::replay(rules, &self.settled, self.since(), &settling);
            self.settled_to = settling.last().map_or(self.settled_to, |last| self.settled_to.max(last.at()));
        }
        // Whatever ended long ago says nothing any more.
        self.settled.retain(|grant| grant.until > now - SETTLES);
    }
}

#[cfg(test)]
mod tests;
