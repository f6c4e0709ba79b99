//! The checker of the promise: joins what people sent, what the database holds and what people received.
//!
//! `Observed::of` (in `observe.rs`) gathers a run in which every text is unique and all work is done;
//! [`check`] is pure and lists what breaks the promise. `tests.rs` tampers with a good run, to see that each
//! kind of breach is found.

mod observe;
mod tests;

use desk::words::{Language, Notice, SIGNATURE, excerpt, notice};
use desk::{DeliveryState, Direction, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A breach of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// A customer's message never got a success, and not each of WeChat's attempts met a cut.
    NeverTaken,
    /// Answered with success, and in no row of the inbox.
    NotStored,
    /// Stored or said to be sent, and never received.
    Lost,
    /// Stored, taken in or received more than once.
    Duplicated,
    /// A later message was received before an earlier one.
    Reordered,
    /// Received by somebody else.
    Astray,
    /// No final state, or an attempt without an end.
    Unfinished,
    /// In state failed, and received.
    FailedYetReceived,
    /// Unsure without a kill or a fault that would explain it.
    Unexplained,
    /// The agent was not told exactly once of an answer that failed or is unsure.
    NotToldOnce,
    /// Received, and nobody had said it.
    Invented,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) breach: Breach,
    pub(crate) text: String,
    pub(crate) detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?} {}", self.breach, self.text, self.detail)
    }
}

/// A run, as seen from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    pub(crate) said: Vec<Said>,
    /// Bodies of the inbox.
    pub(crate) inbox: Vec<String>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) received: Vec<Received>,
    /// Spans (ms) in which a gateway was killed or frozen.
    pub(crate) cuts: Vec<(i64, i64)>,
    /// When (ms) a fault left the end of a `custom/send` open.
    pub(crate) faults: Vec<i64>,
}

/// What a person sent.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) way: Direction,
    pub(crate) openid: String,
    pub(crate) text: String,
    /// The first line of the journal that tells of it.
    pub(crate) begun: u64,
    /// The line in which the gateway had answered with success.
    pub(crate) acknowledged: Option<u64>,
    /// WeChat's attempts (ms) that got none; and whether some met a fault of WeChat's own, which are not among them.
    pub(crate) in_vain: Vec<(i64, i64)>,
    pub(crate) faulted: bool,
}

/// A row of `delivery`, with what its message says.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) way: Direction,
    pub(crate) openid: String,
    pub(crate) notice: bool,
    pub(crate) state: DeliveryState,
    pub(crate) reason: Option<Reason>,
    pub(crate) text: String,
    /// Its place among the messages from the ghost.
    pub(crate) seq: Option<i64>,
}

/// A row of `attempt`.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) delivery: String,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) outcome: Option<String>,
}

/// What a person received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) way: Direction,
    /// In whose conversation.
    pub(crate) openid: String,
    pub(crate) text: String,
    pub(crate) at: u64,
}

/// Everything that breaks the promise; nothing: it was kept.
pub(crate) fn check(run: &Observed) -> Vec<Finding> {
    let mut checker = Checker {
        run,
        received: BTreeMap::new(),
        stored: BTreeMap::new(),
        parts: BTreeMap::new(),
        attempts: BTreeMap::new(),
        said: run.said.iter().map(|said| (said.way.as_str(), said.text.as_str())).collect(),
        notices: run.deliveries.iter().filter(|one| one.notice).map(|one| one.text.as_str()).collect(),
        findings: Vec::new(),
    };
    for body in &run.inbox {
        for text in bracketed(body) {
            *checker.stored.entry(text).or_default() += 1;
        }
    }
    for attempt in &run.attempts {
        checker.attempts.entry(&attempt.delivery).or_default().push(attempt);
    }
    for delivery in &run.deliveries {
        *checker.parts.entry((delivery.way.as_str(), &delivery.text)).or_default() += 1;
    }
    for received in &run.received {
        checker.received.entry((received.way.as_str(), &received.text)).or_default().push(received);
    }
    for said in &run.said {
        checker.said(said);
    }
    for delivery in &run.deliveries {
        checker.delivery(delivery);
    }
    checker.order();
    checker.strangers();
    checker.findings
}

/// The texts in brackets in a body, each once.
fn bracketed(body: &str) -> BTreeSet<&str> {
    let starts = body.match_indices('[').map(|(at, _)| &body[at..]);
    starts.filter_map(|rest| Some(&rest[..=rest.find(']')?])).collect()
}

struct Checker<'a> {
    run: &'a Observed,
    received: BTreeMap<(&'static str, &'a str), Vec<&'a Received>>,
    /// In how many bodies each text in brackets is: what people say in a long run is looked up, not searched for.
    stored: BTreeMap<&'a str, usize>,
    parts: BTreeMap<(&'static str, &'a str), usize>,
    attempts: BTreeMap<&'a str, Vec<&'a Attempt>>,
    said: BTreeSet<(&'static str, &'a str)>,
    notices: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn find(&mut self, breach: Breach, text: &str, detail: impl Into<String>) {
        self.findings.push(Finding { breach, text: text.to_owned(), detail: detail.into() });
    }

    fn receipts(&self, way: Direction, text: &str) -> Vec<&'a Received> {
        self.received.get(&(way.as_str(), text)).cloned().unwrap_or_default()
    }

    /// From what a person sent: it is stored once, taken in once, received at most once and by the right one.
    fn said(&mut self, said: &Said) {
        let stored = match said.text.starts_with('[') {
            true => self.stored.get(said.text.as_str()).copied().unwrap_or(0),
            false => self.run.inbox.iter().filter(|body| body.contains(&said.text)).count(),
        };
        let parts = self.parts.get(&(said.way.as_str(), said.text.as_str())).copied().unwrap_or(0);
        let acknowledged = said.acknowledged.is_some();
        let cut_off =
            (said.faulted || !said.in_vain.is_empty()) && said.in_vain.iter().all(|span| self.is_cut(*span));
        if !acknowledged && !cut_off && said.way == Direction::In {
            self.find(Breach::NeverTaken, &said.text, "");
        }
        match stored {
            0 if acknowledged => self.find(Breach::NotStored, &said.text, ""),
            0 | 1 => {}
            n => self.find(Breach::Duplicated, &said.text, format!("{n} times in the inbox")),
        }
        match parts {
            0 if stored > 0 => self.find(Breach::Lost, &said.text, "stored, and no delivery"),
            0 | 1 => {}
            n => self.find(Breach::Duplicated, &said.text, format!("{n} deliveries")),
        }
        let receipts = self.receipts(said.way, &said.text);
        let (times, astray) = (receipts.len(), receipts.iter().any(|r| r.openid != said.openid));
        if times > 1 {
            self.find(Breach::Duplicated, &said.text, format!("received {times} times"));
        }
        if astray {
            self.find(Breach::Astray, &said.text, format!("not in {}", said.openid));
        }
    }

    /// From a row: its state is final and is what happened, and the agent knows.
    fn delivery(&mut self, delivery: &Delivery) {
        let times = self.receipts(delivery.way, &delivery.text).len();
        let text = delivery.text.as_str();
        match (delivery.state, times) {
            (state, _) if !state.is_final() => self.find(Breach::Unfinished, text, state.as_str()),
            (DeliveryState::Sent, 0) => self.find(Breach::Lost, text, "sent, and not received"),
            (DeliveryState::Failed, 1..) => self.find(Breach::FailedYetReceived, text, ""),
            (_, 2..) if delivery.notice => {
                self.find(Breach::Duplicated, text, format!("received {times} times"));
            }
            _ => {}
        }
        let attempts = self.attempts.get(delivery.id.as_str()).cloned().unwrap_or_default();
        if attempts.iter().any(|attempt| attempt.ended_at.is_none()) {
            self.find(Breach::Unfinished, text, "an attempt is open");
        }
        if delivery.state == DeliveryState::Unsure {
            let explained = delivery.way == Direction::Out
                && attempts.iter().any(|a| a.outcome.as_deref() == Some("unsure") && self.cut_open(a));
            if !explained {
                self.find(Breach::Unexplained, text, format!("{attempts:?}"));
            }
        }
        if delivery.way == Direction::Out {
            self.told(delivery);
        }
    }

    /// Whether a kill, a freeze or a fault fell between the beginning and the end of an attempt.
    fn cut_open(&self, attempt: &Attempt) -> bool {
        let (start, end) = (attempt.started_at, attempt.ended_at.unwrap_or(i64::MAX));
        self.is_cut((start, end)) || self.run.faults.iter().any(|at| (start..=end).contains(at))
    }

    fn is_cut(&self, (start, end): (i64, i64)) -> bool {
        self.run.cuts.iter().any(|(from, to)| *from <= end && start <= *to)
    }

    fn told(&mut self, delivery: &Delivery) {
        let text = delivery.text.as_str();
        let excerpt = excerpt(text);
        let unsure = notice(Language::Zh, Notice::Unsure { excerpt: &excerpt });
        let reason = delivery.reason.unwrap_or(Reason::Refused);
        let failed = notice(Language::Zh, Notice::Failed { excerpt: &excerpt, reason });
        let (unsure, failed) =
            (self.receipts(Direction::In, &unsure).len(), self.receipts(Direction::In, &failed).len());
        let wanted = match delivery.state {
            DeliveryState::Unsure => (1, 0),
            DeliveryState::Failed => (0, 1),
            _ => (0, 0),
        };
        if (unsure, failed) != wanted {
            let detail =
                format!("{}: {unsure} notices of unsure, {failed} of failed", delivery.state.as_str());
            self.find(Breach::NotToldOnce, text, detail);
        }
    }

    /// What was sent after an earlier message had been acknowledged is received after it; what left a lane left it in
    /// the lane's order.
    ///
    /// An answer that ended unsure may come late: its request may have been in the hands of a gateway that stood still,
    /// below what can still be called back, and then it leaves when that gateway wakes up.
    fn order(&mut self) {
        let unsure: BTreeSet<&str> = self
            .run
            .deliveries
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Unsure)
            .map(|delivery| delivery.text.as_str())
            .collect();
        let mut conversations: BTreeMap<(&str, &str), Vec<(&Said, u64)>> = BTreeMap::new();
        for said in &self.run.said {
            if let Some(first) = self.receipts(said.way, &said.text).first() {
                conversations.entry((&said.openid, said.way.as_str())).or_default().push((said, first.at));
            }
        }
        for conversation in conversations.values() {
            for (later, later_at) in conversation {
                let overtaken = conversation.iter().find(|(earlier, earlier_at)| {
                    earlier.acknowledged.is_some_and(|ack| ack < later.begun)
                        && earlier_at > later_at
                        && !unsure.contains(earlier.text.as_str())
                });
                if let Some((earlier, _)) = overtaken {
                    self.find(Breach::Reordered, &later.text, format!("before {:?}", earlier.text));
                }
            }
        }
        let mut lanes: BTreeMap<&str, Vec<(i64, u64, &str)>> = BTreeMap::new();
        for delivery in &self.run.deliveries {
            let first = self.receipts(delivery.way, &delivery.text).first().copied();
            // A notice is numbered when its cause is known, before what stands in front of it on the lane.
            if let (Some(seq), Some(first), false) = (delivery.seq, first, delivery.notice) {
                lanes.entry(&delivery.openid).or_default().push((seq, first.at, &delivery.text));
            }
        }
        for lane in lanes.values_mut() {
            lane.sort_unstable();
            for pair in lane.windows(2) {
                if pair[0].1 > pair[1].1 {
                    self.find(Breach::Reordered, pair[1].2, format!("before {:?}", pair[0].2));
                }
            }
        }
    }

    /// Whatever was received, somebody said, or it is a notice of ours that the database knows.
    fn strangers(&mut self) {
        for received in &self.run.received {
            let said = self.said.contains(&(received.way.as_str(), received.text.as_str()));
            let notice =
                received.text.starts_with(SIGNATURE) && self.notices.contains(received.text.as_str());
            if !said && !notice {
                self.find(Breach::Invented, &received.text, format!("in {}", received.openid));
            }
        }
    }
}
