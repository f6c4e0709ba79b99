//! What becomes of calls to a cloud that does not answer: one breaker and one budget of retries per operation.
//!
//! A breaker opens when calls of its operation reach nobody, time out, or are answered with what is no answer; what the
//! cloud refuses in its own words is an answer. While it is open the operation's jobs are put off without a call: nothing
//! of theirs is tried, so nothing fails or becomes unsure by it, and their patience goes on. After a pause one call tries;
//! the first that is answered closes it, and the lanes that were put off are woken in portions.
//!
//! The budget keeps retries in a proportion to first tries, so that a cloud in trouble is not asked for more than usual.
//!
//! Kept per process, on the machine's own clock: what one node cannot reach another may.

use crate::worker::{Held, Step};
use crate::{Bridge, worker};
use desk::{Entropy, Millis};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Error;
use tokio::sync::{Notify, watch};

/// So many calls in a row without an answer open it;
const IN_A_ROW: u32 = 5;
/// or more than half of at least so many within [`SPAN`].
const AT_LEAST: u32 = 20;
/// The first pause before a call tries, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);
/// How soon the others ask what became of the one that tries.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// What the budget and the rate of failures look back on, in seconds.
const SPAN: u64 = 10;
/// Retries within [`SPAN`] that are always allowed, and how many first tries allow one more.
const FLOOR: u32 = 30;
const SHARE: u32 = 5;
/// How long a retry waits that the budget has no room for.
const OVER_BUDGET: Duration = Duration::from_secs(5);
/// So many of the lanes that were put off come back as soon as there is something to learn; the others so many a second,
/// and none later than [`LATEST`].
const VANGUARD: usize = 8;
const LOOKS_A_SECOND: u64 = 50;
const LATEST: Duration = Duration::from_secs(120);
/// Lanes that are remembered per operation; beyond it a lane comes back by itself.
const REMEMBERED: usize = 50_000;
/// Between two portions of lanes that are woken.
const PORTION: Duration = Duration::from_millis(200);

/// Whose operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Operation {
    cloud: &'static str,
    /// Empty for IM, which is one for all accounts.
    account: String,
    name: &'static str,
}

impl Operation {
    pub(crate) fn im(name: &'static str) -> Operation {
        Operation { cloud: "im", account: String::new(), name }
    }

    pub(crate) fn wechat(account: &str, name: &'static str) -> Operation {
        Operation { cloud: "wechat", account: account.to_owned(), name }
    }
}

/// A call that may not be made now.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    operation: Operation,
    left: Duration,
}

/// The breakers of this process; one per operation and account at most.
pub(crate) struct Breakers {
    begun: Instant,
    entropy: Entropy,
    gates: Mutex<HashMap<Operation, Gate>>,
    /// Lanes may be woken.
    bell: Notify,
}

#[derive(Default)]
struct Gate {
    breaker: Breaker,
    budget: Budget,
    lanes: Lanes,
}

impl Breakers {
    pub(crate) fn new(entropy: Entropy) -> Arc<Breakers> {
        let (begun, gates, bell) = (Instant::now(), Mutex::default(), Notify::new());
        Arc::new(Breakers { begun, entropy, gates, bell })
    }

    fn with<T>(&self, operation: &Operation, work: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get_mut(operation) {
            return work(gate);
        }
        show(operation, false);
        work(gates.entry(operation.clone()).or_default())
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs()
    }

    /// Whether a call may be made. It is to be told how it ended; a pass that is dropped has learned nothing.
    pub(crate) fn ask(
        self: &Arc<Self>,
        operation: Operation,
        lane: &str,
        retry: bool,
    ) -> Result<Pass, Refusal> {
        let now = Instant::now();
        let second = self.second(now);
        let asked = self.with(&operation, |gate| {
            let probe = gate.breaker.ask(now)?;
            if retry && !probe && !gate.budget.has_room(second) {
                return Err(OVER_BUDGET);
            }
            gate.budget.count(retry, second);
            gate.lanes.forget(lane);
            Ok(probe)
        });
        match asked {
            Ok(probe) => Ok(self.pass(operation, now, probe, retry)),
            Err(left) => Err(Refusal { operation, left }),
        }
    }

    /// For a call that is made in any case: the last one before somebody's patience ends.
    pub(crate) fn anyway(self: &Arc<Self>, operation: Operation) -> Pass {
        self.pass(operation, Instant::now(), false, false)
    }

    fn pass(self: &Arc<Self>, operation: Operation, began: Instant, probe: bool, retry: bool) -> Pass {
        Pass { breakers: self.clone(), operation, began, probe, retry, ended: false }
    }

    /// Remembers a lane that waits for the operation; gives how long it is to be put off.
    fn put_off(&self, refusal: &Refusal, lane: &str) -> Duration {
        let waiting = self.with(&refusal.operation, |gate| gate.lanes.remember(lane));
        refusal.left + spread(waiting, self.entropy.u32())
    }

    /// Remembers a lane whose call was not sent, so that it need not wait for longer than the others.
    pub(crate) fn remember(&self, operation: &Operation, lane: &str) {
        self.with(operation, |gate| gate.lanes.remember(lane));
    }

    /// Up to `most` lanes that need not wait any more, those of answers first.
    fn released(&self, most: usize) -> Vec<String> {
        let now = Instant::now();
        let second = self.second(now);
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<(&Operation, &mut Gate)> = gates
            .iter_mut()
            .filter(|(_, gate)| gate.breaker.is_answered() && gate.budget.has_room(second))
            .collect();
        open.sort_by_key(|(operation, _)| operation.cloud == "im");
        let mut lanes = Vec::new();
        for (_, gate) in open {
            while lanes.len() < most
                && let Some(lane) = gate.lanes.next()
            {
                lanes.push(lane);
            }
        }
        lanes
    }
}

impl std::fmt::Debug for Breakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Breakers")
    }
}

/// Leave to make one call.
#[must_use]
pub(crate) struct Pass {
    breakers: Arc<Breakers>,
    operation: Operation,
    began: Instant,
    probe: bool,
    retry: bool,
    ended: bool,
}

impl Pass {
    /// Whether the call may still be made, after something else was waited for.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let left = self.breakers.with(&self.operation, |gate| gate.breaker.left(Instant::now()));
        match left {
            Some(left) if !self.probe => Err(Refusal { operation: self.operation.clone(), left }),
            _ => Ok(()),
        }
    }

    /// The operation.
    pub(crate) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// How the call ended: whether the cloud answered it.
    pub(crate) fn end(mut self, answered: bool) {
        self.ended = true;
        let (now, dice) = (Instant::now(), self.breakers.entropy.u32());
        let (began, second) = (self.began, self.breakers.second(self.began));
        let (changed, waiting) = self.breakers.with(&self.operation, |gate| {
            if answered && self.retry {
                gate.budget.give_back(second);
            }
            let ended = Ended { answered, probe: self.probe, began, now, second: self.breakers.second(now) };
            let changed = gate.breaker.learn(ended, dice);
            (changed, answered && !gate.lanes.is_empty())
        });
        let Operation { cloud, account, name } = &self.operation;
        match changed {
            Some(true) => {
                show(&self.operation, true);
                tracing::warn!(
                    cloud,
                    account,
                    operation = name,
                    "the cloud does not answer: these calls rest, and one tries now and then"
                );
            }
            Some(false) => {
                show(&self.operation, false);
                tracing::info!(cloud, account, operation = name, "the cloud answers again");
            }
            None => {}
        }
        if waiting {
            self.breakers.bell.notify_one();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.ended && self.probe {
            self.breakers.with(&self.operation, |gate| gate.breaker.abandon(Instant::now()));
        }
    }
}

fn show(operation: &Operation, open: bool) {
    let Operation { cloud, account, name } = operation;
    metrics::gauge!("tsunagi_breaker_open", "upstream" => *cloud, "account" => account.clone(), "operation" => *name)
        .set(if open { 1.0 } else { 0.0 });
}

/// How much later than the next try a lane comes back, when so many wait.
fn spread(waiting: usize, dice: u32) -> Duration {
    let all = if waiting <= VANGUARD {
        Duration::from_millis(200)
    } else {
        Duration::from_secs(1 + waiting as u64 / LOOKS_A_SECOND).min(LATEST)
    };
    all.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

/// Lanes that wait, in the order in which they were put off.
#[derive(Default)]
struct Lanes {
    order: VecDeque<String>,
    known: HashSet<String>,
}

impl Lanes {
    /// Gives how many wait.
    fn remember(&mut self, lane: &str) -> usize {
        if self.known.len() < REMEMBERED && self.known.insert(lane.to_owned()) {
            self.order.push_back(lane.to_owned());
        }
        self.known.len()
    }

    fn forget(&mut self, lane: &str) {
        if self.known.remove(lane) && self.order.len() > 2 * self.known.len() + VANGUARD {
            self.order.retain(|lane| self.known.contains(lane));
        }
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let lane = self.order.pop_front()?;
            if self.known.remove(&lane) {
                return Some(lane);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Whether an operation's calls may be made.
#[derive(Debug, Default)]
struct Breaker {
    state: State,
    in_a_row: u32,
    calls: Window,
    failures: Window,
    pause: Duration,
    opened: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// One may try from then on.
    Open(Instant),
    Trying,
}

impl Breaker {
    fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether it is closed, and the last call was answered.
    fn is_answered(&self) -> bool {
        self.is_closed() && self.in_a_row == 0
    }

    /// How long until there may be something to learn; `None`: calls go through.
    fn left(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open(until) => Some(until.saturating_duration_since(now)),
            State::Trying => Some(ASK_AGAIN),
        }
    }

    /// Whether a call may be made, and whether it is the one that tries; or how long to wait.
    fn ask(&mut self, now: Instant) -> Result<bool, Duration> {
        match self.left(now) {
            None => Ok(false),
            Some(left) if left.is_zero() => {
                self.state = State::Trying;
                Ok(true)
            }
            Some(left) => Err(left),
        }
    }

    /// The one that tried has nothing to tell.
    fn abandon(&mut self, now: Instant) {
        if self.state == State::Trying {
            self.state = State::Open(now);
        }
    }

    /// Learns from a call; tells whether it opened (true) or closed (false).
    fn learn(&mut self, ended: Ended, dice: u32) -> Option<bool> {
        let Ended { answered, probe, began, now, second } = ended;
        // A call from before it opened says nothing about now.
        let newer = self.opened.is_none_or(|opened| began >= opened);
        if answered {
            if self.is_closed() {
                self.in_a_row = 0;
                self.calls.add(second, 1);
                return None;
            }
            if newer {
                *self = Breaker::default();
            }
            return newer.then_some(false);
        }
        if !self.is_closed() {
            if probe {
                self.pause = (self.pause * 2).min(LONGEST);
                self.state = State::Open(now + jittered(self.pause, dice));
            }
            return None;
        }
        self.in_a_row += 1;
        self.calls.add(second, 1);
        self.failures.add(second, 1);
        let (calls, failures) = (self.calls.sum(second), self.failures.sum(second));
        if self.in_a_row < IN_A_ROW && (calls < AT_LEAST || failures * 2 <= calls) {
            return None;
        }
        self.pause = FIRST;
        self.opened = Some(now);
        self.state = State::Open(now + jittered(self.pause, dice));
        Some(true)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    answered: bool,
    probe: bool,
    began: Instant,
    now: Instant,
    second: u64,
}

/// Give or take a fifth.
fn jittered(pause: Duration, dice: u32) -> Duration {
    pause.mul_f64(0.8 + 0.4 * f64::from(dice) / f64::from(u32::MAX))
}

/// Keeps retries in a proportion to first tries. A retry that is answered costs nothing: it is what retries are for.
#[derive(Debug, Default)]
struct Budget {
    firsts: Window,
    retries: Window,
}

impl Budget {
    fn has_room(&self, second: u64) -> bool {
        self.retries.sum(second) < FLOOR + self.firsts.sum(second) / SHARE
    }

    fn count(&mut self, retry: bool, second: u64) {
        if retry { self.retries.add(second, 1) } else { self.firsts.add(second, 1) }
    }

    fn give_back(&mut self, began: u64) {
        self.retries.take(began);
    }
}

/// Counts of the last [`SPAN`] seconds.
#[derive(Debug, Default)]
struct Window {
    counts: [u32; SPAN as usize],
    newest: u64,
}

impl Window {
    fn add(&mut self, second: u64, count: u32) {
        if second >= self.newest + SPAN {
            self.counts = Default::default();
        } else {
            for passed in self.newest + 1..=second {
                self.counts[(passed % SPAN) as usize] = 0;
            }
        }
        self.newest = self.newest.max(second);
        self.counts[(second % SPAN) as usize] += count;
    }

    /// Takes one back from a second, if that still counts.
    fn take(&mut self, second: u64) {
        if second + SPAN > self.newest && second <= self.newest {
            let count = &mut self.counts[(second % SPAN) as usize];
            *count = count.saturating_sub(1);
        }
    }

    fn sum(&self, now: u64) -> u32 {
        (0..SPAN)
            .filter(|ago| *ago <= self.newest)
            .map(|ago| self.newest - ago)
            .filter(|second| second + SPAN > now)
            .map(|second| self.counts[(second % SPAN) as usize])
            .sum()
    }
}

impl Bridge {
    /// Leave to make a call for the head of a lane. Beyond its patience one call is made in any case, which decides.
    pub(crate) fn may_call(
        &self,
        operation: Operation,
        held: &Held,
        retry: bool,
        patient: bool,
    ) -> Result<Pass, Refusal> {
        match patient {
            true => self.inner.breakers.ask(operation, &held.lane.id, retry),
            false => Ok(self.inner.breakers.anyway(operation)),
        }
    }

    /// Releases a lane whose call may not be made now. It is no try.
    pub(crate) async fn hold_off(&self, held: &Held, refusal: &Refusal) -> Result<Step, Error> {
        let delay = self.inner.breakers.put_off(refusal, &held.lane.id);
        let (lane, delay) = (held.lane.clone(), i64::try_from(delay.as_millis()).unwrap_or(Millis::MAX) + 1);
        self.inner.store.write(move |tx| Box::pin(async move { tx.release(&lane, delay).await })).await?;
        Ok(Step::Released)
    }
}

/// Wakes lanes that were put off because of a cloud that answers again, a portion at a time.
pub(crate) async fn wake_lanes(bridge: Bridge, mut stop: watch::Receiver<bool>) {
    let most = worker::PLACES + bridge.inner.im_calls_per_second as usize / 2;
    while !*stop.borrow() {
        let lanes = bridge.inner.breakers.released(most);
        if lanes.is_empty() {
            tokio::select! {
                () = bridge.inner.breakers.bell.notified() => {}
                told = stop.changed() => if told.is_err() { return },
            }
            continue;
        }
        match bridge.inner.store.write(move |tx| Box::pin(async move { tx.wake_these(&lanes).await })).await {
            Ok(_) => bridge.wake(),
            // They come back by themselves.
            Err(error) => tracing::warn!(%error, "lanes that waited for a cloud could not be woken"),
        }
        tokio::select! {
            () = tokio::time::sleep(PORTION) => {}
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u32 = u32::MAX / 2;

    fn ended(answered: bool, probe: bool, at: Instant, second: u64) -> Ended {
        Ended { answered, probe, began: at, now: at, second }
    }

    #[test]
    fn f55_a_breaker_opens_after_failures_in_a_row_and_closes_with_the_first_answer() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for n in 0..IN_A_ROW - 1 {
            assert_eq!(breaker.learn(ended(false, false, now, 0), HALF), None, "{n}");
        }
        assert_eq!(breaker.learn(ended(true, false, now, 0), HALF), None, "an answer begins anew");
        for _ in 0..IN_A_ROW - 1 {
            assert_eq!(breaker.learn(ended(false, false, now, 0), HALF), None);
        }
        assert_eq!(breaker.ask(now), Ok(false));
        assert_eq!(breaker.learn(ended(false, false, now, 0), HALF), Some(true));
        let mut now = now;
        for pause in [1, 2, 4, 8, 15, 15] {
            let left = breaker.ask(now).unwrap_err();
            let wanted = Duration::from_secs(pause);
            assert!(left > wanted * 9 / 10 && left < wanted * 11 / 10, "{left:?}");
            now += left;
            assert_eq!(breaker.ask(now), Ok(true), "this one tries");
            assert_eq!(breaker.ask(now), Err(ASK_AGAIN), "and no other");
            assert_eq!(breaker.learn(ended(false, true, now, 0), HALF), None);
        }
        now += LONGEST * 2;
        assert_eq!(breaker.ask(now), Ok(true));
        breaker.abandon(now);
        assert_eq!(breaker.ask(now), Ok(true), "the one that tried was lost: another");
        assert_eq!(breaker.learn(ended(true, true, now, 0), HALF), Some(false));
        assert_eq!(breaker.ask(now), Ok(false));
    }

    #[test]
    fn f55_calls_from_before_it_opened_neither_close_it_nor_lengthen_its_pause() {
        let (mut breaker, before) = (Breaker::default(), Instant::now());
        let now = before + Duration::from_millis(10);
        for _ in 0..IN_A_ROW {
            breaker.learn(ended(false, false, now, 0), HALF);
        }
        let left = breaker.left(now);
        for answered in [true, false] {
            let old = Ended { answered, probe: false, began: before, now, second: 0 };
            assert_eq!(breaker.learn(old, HALF), None);
        }
        assert_eq!(breaker.left(now), left);
        let newer = Ended { answered: true, probe: false, began: now, now, second: 0 };
        assert_eq!(breaker.learn(newer, HALF), Some(false), "a call that was made in any case");
    }

    #[test]
    fn f55_every_second_failure_of_many_opens_it_too_and_old_ones_do_not_count() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let mut opened = None;
        for n in 0..60 {
            let answered = n % 3 == 0;
            if breaker.learn(ended(answered, false, now, 0), HALF) == Some(true) {
                opened = Some(n);
                break;
            }
        }
        assert!(opened.is_some_and(|n| n < 30), "{opened:?}");
        let mut breaker = Breaker::default();
        for second in 0..200 {
            let answered = second % 3 == 0;
            assert_eq!(
                breaker.learn(ended(answered, false, now, second), HALF),
                None,
                "few calls prove little"
            );
        }
    }

    #[test]
    fn f55_failed_retries_are_at_most_a_fifth_of_first_tries_and_a_few() {
        let mut budget = Budget::default();
        let mut retries = 0;
        for _ in 0..500 {
            budget.count(false, 7);
            if budget.has_room(7) {
                budget.count(true, 7);
                retries += 1;
            }
        }
        assert_eq!(retries, 100 + FLOOR);
        assert!(!budget.has_room(16), "ten seconds are looked back on");
        assert!(budget.has_room(17));
        budget.count(true, 18);
        for _ in 0..1_000 {
            assert!(budget.has_room(18), "answered ones cost nothing");
            budget.count(true, 18);
            budget.give_back(18);
        }
    }

    #[test]
    fn f55_the_first_lanes_come_back_soon_and_the_many_are_spread() {
        assert!(spread(VANGUARD, u32::MAX) <= Duration::from_millis(200));
        assert_eq!(spread(1_000, u32::MAX), Duration::from_secs(21));
        assert_eq!(spread(20_000, u32::MAX), LATEST);
    }

    #[test]
    fn f55_lanes_wait_until_a_call_is_answered() {
        let breakers = Breakers::new(Entropy::new(|bytes| bytes.fill(7)));
        let token = || Operation::wechat("shop", "token");
        breakers.ask(token(), "", false).unwrap().end(false);
        breakers.remember(&token(), "out/shop/o");
        assert!(breakers.released(10).is_empty(), "what failed once may fail for them, too");
        breakers.ask(token(), "", false).unwrap().end(true);
        assert_eq!(breakers.released(10), ["out/shop/o"]);
        assert!(breakers.released(10).is_empty(), "once");
    }

    #[test]
    fn f55_lanes_are_woken_in_their_order_and_not_after_their_call() {
        let mut lanes = Lanes::default();
        for n in 0..100 {
            lanes.remember(&format!("in/shop/{n}"));
        }
        assert_eq!(lanes.remember("in/shop/5"), 100, "once");
        for n in 0..50 {
            lanes.forget(&format!("in/shop/{n}"));
        }
        lanes.forget("never seen");
        let woken: Vec<String> = std::iter::from_fn(|| lanes.next()).collect();
        assert_eq!(woken, (50..100).map(|n| format!("in/shop/{n}")).collect::<Vec<_>>());
        assert!(lanes.is_empty());
    }

    #[test]
    fn f55_a_pass_that_is_dropped_lets_another_try() {
        let breakers = Breakers::new(Entropy::new(|bytes| bytes.fill(0)));
        let operation = Operation::im("sendmsg");
        for _ in 0..IN_A_ROW {
            breakers.ask(operation.clone(), "in/shop/a", false).ok().unwrap().end(false);
        }
        let refusal = breakers.ask(operation.clone(), "in/shop/a", false).err().unwrap();
        assert!(breakers.put_off(&refusal, "in/shop/a") >= refusal.left);
        assert_eq!(breakers.released(9), Vec::<String>::new(), "still open");
        breakers.with(&operation, |gate| gate.breaker.state = State::Open(Instant::now()));
        drop(breakers.ask(operation.clone(), "in/shop/b", false).ok().unwrap());
        breakers.ask(operation.clone(), "in/shop/b", false).ok().unwrap().end(true);
        assert_eq!(breakers.released(9), ["in/shop/a"]);
        assert!(breakers.ask(Operation::wechat("shop", "custom/send"), "", true).is_ok(), "others go on");
    }
}
