//! How fast IM may be called: a bucket of calls per API, one for all nodes where there may be several.
//!
//! On SQLite one process serves, and its buckets are in memory. On PostgreSQL they stand in the database: who calls draws a
//! slice of calls there, as many as are waited for and at most a tenth of a second's, and spends it here. A slice that is
//! ahead of its time is spent call by call as its time comes, so all nodes together keep to the one bucket, and each is
//! served in its turn. Without the database there is no slice, and nothing is called.
//!
//! What can wait draws only from what is left above a reserve: messages never wait for an import or a courtesy.

use desk::Entropy;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Draw, Drawn, Error, Store};

const SECOND: i64 = 1_000_000;
/// A call that was drawn and that nobody took lapses so long after it could have been made. In microseconds, as all here.
const LATE: i64 = 200_000;
/// Whose turn it was, and who has not called since, waits for another.
const STALE: Duration = Duration::from_millis(200);
/// What a bucket holds: with what may come late before and after its turn, and on its way, less than one second of calls.
const DEPTH: i64 = SECOND - 3 * LATE;
/// What those leave in it who can wait.
const RESERVE: i64 = 300_000;
/// How far ahead calls are given away that are waited for.
const CREDIT: i64 = 2 * SECOND;
/// Whoever finds nothing looks again when there should be something, or so much later.
const JITTER: i64 = 25_000;
/// A slice that was spent sooner was too small, if there is more.
const QUICK: Duration = Duration::from_millis(200);

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rank {
    /// A message is on its way.
    Message,
    /// It can wait: imports, reconciliation, courtesies.
    Behind,
}

/// Leave to make one call, soon.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Turn(Instant);

impl Turn {
    /// Whether too much was done since: calls that are made long after their turn come all at once.
    pub(crate) fn is_over(self) -> bool {
        self.0.elapsed() > STALE
    }
}

/// Calls per second and API.
pub(crate) struct Limiter {
    /// What its buckets' names begin with.
    name: &'static str,
    per_second: i64,
    buckets: Buckets,
    lines: Mutex<HashMap<(&'static str, Rank), Arc<Line>>>,
    entropy: Entropy,
}

enum Buckets {
    Own { begun: Instant, buckets: Mutex<HashMap<&'static str, Bucket>> },
    Shared(Store),
}

/// Those of this process who want to make the same call, one behind the other.
#[derive(Default)]
struct Line {
    waiting: AtomicI64,
    slice: tokio::sync::Mutex<Slice>,
}

impl Limiter {
    /// Takes part in the buckets of all nodes, where there may be several.
    pub(crate) fn new(name: &'static str, per_second: u32, store: &Store, entropy: &Entropy) -> Limiter {
        let buckets = match store.engine() {
            "sqlite" => Buckets::own(),
            _ => Buckets::Shared(store.clone()),
        };
        Limiter::with(name, per_second, buckets, entropy)
    }

    /// Of this process alone.
    pub(crate) fn own(per_second: u32, entropy: &Entropy) -> Limiter {
        Limiter::with("", per_second, Buckets::own(), entropy)
    }

    fn with(name: &'static str, per_second: u32, buckets: Buckets, entropy: &Entropy) -> Limiter {
        let per_second = i64::from(per_second.max(1));
        Limiter { name, per_second, buckets, lines: Mutex::default(), entropy: entropy.clone() }
    }

    /// Waits until a call of `api` may be made for a message.
    ///
    /// # Errors
    /// The store failed: the call must not be made.
    pub(crate) async fn wait(&self, api: &'static str) -> Result<Turn, Error> {
        self.wait_as(api, Rank::Message).await
    }

    /// Waits until a call of `api` may be made that messages need not wait for.
    ///
    /// # Errors
    /// The store failed: the call must not be made.
    pub(crate) async fn wait_behind(&self, api: &'static str) -> Result<Turn, Error> {
        self.wait_as(api, Rank::Behind).await
    }

    /// Whether nobody waits to call `api` for a message.
    pub(crate) fn is_idle(&self, api: &'static str) -> bool {
        self.line(api, Rank::Message).waiting.load(Ordering::Relaxed) == 0
    }

    fn line(&self, api: &'static str, rank: Rank) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry((api, rank)).or_default().clone()
    }

    async fn wait_as(&self, api: &'static str, rank: Rank) -> Result<Turn, Error> {
        let begun = Instant::now();
        let line = self.line(api, rank);
        let _waiting = Waiting::join(&line.waiting);
        let mut slice = line.slice.lock().await;
        let at = loop {
            if let Some(at) = slice.next(Instant::now()) {
                break at;
            }
            let draw = self.draw_of(rank, line.waiting.load(Ordering::Relaxed), &slice, Instant::now());
            let drawn = self.draw(api, draw).await?;
            if drawn.calls == 0 {
                // Whoever else waits for this bucket looks at another moment.
                let most = if matches!(self.buckets, Buckets::Own { .. }) { 0 } else { JITTER };
                let dice = i64::from(self.entropy.u32()) * most / i64::from(u32::MAX);
                tokio::time::sleep(micros(missing(draw, drawn.level).max(1_000) + dice)).await;
                continue;
            }
            *slice = Slice { drawn_at: Some(Instant::now()), drawn, cost: draw.cost, spent: 0 };
        };
        // The others wait in line meanwhile, so that they are counted when the next slice is drawn. With the last call of
        // this one that is done while its time comes: the way to the database costs no time.
        if slice.is_spent() {
            drop(slice);
            sleep_until(at).await;
        } else {
            sleep_until(at).await;
            drop(slice);
        }
        metrics::histogram!("tsunagi_rate_wait_seconds", "api" => api).record(begun.elapsed().as_secs_f64());
        Ok(Turn(Instant::now()))
    }

    /// What to ask for when so many wait, after a slice.
    fn draw_of(&self, rank: Rank, waiting: i64, before: &Slice, now: Instant) -> Draw {
        let cost = (SECOND + self.per_second - 1) / self.per_second;
        let depth = DEPTH.max(cost);
        let most = match self.buckets {
            Buckets::Own { .. } => 1,
            Buckets::Shared(_) => (self.per_second / 10).max(1),
        };
        let need = waiting.clamp(1, most);
        let want = if before.was_too_small(now) { 2 * before.drawn.calls } else { need };
        let (reserve, credit) = match rank {
            Rank::Message => (0, CREDIT),
            // Also of a bucket that holds one call something may be had.
            Rank::Behind => (RESERVE.min(depth - cost), 0),
        };
        Draw { cost, depth, reserve, credit, need, want: want.clamp(need, most) }
    }

    async fn draw(&self, api: &'static str, draw: Draw) -> Result<Drawn, Error> {
        match &self.buckets {
            Buckets::Own { begun, buckets } => {
                let now = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
                let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(buckets.entry(api).or_insert(Bucket { paid_until: now - draw.depth }).draw(now, draw))
            }
            Buckets::Shared(store) => {
                metrics::counter!("tsunagi_rate_draws_total", "api" => api).increment(1);
                store.draw(&format!("{}/{api}", self.name), draw).await
            }
        }
    }
}

impl Buckets {
    fn own() -> Buckets {
        Buckets::Own { begun: Instant::now(), buckets: Mutex::default() }
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("per_second", &self.per_second).finish_non_exhaustive()
    }
}

/// One who waits; counted until the wait is over, however it ends.
struct Waiting<'a>(&'a AtomicI64);

impl<'a> Waiting<'a> {
    fn join(waiting: &'a AtomicI64) -> Waiting<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls that were drawn, and how many of them are spent or have lapsed.
#[derive(Debug)]
struct Slice {
    drawn_at: Option<Instant>,
    drawn: Drawn,
    cost: i64,
    spent: i64,
}

impl Default for Slice {
    fn default() -> Slice {
        Slice { drawn_at: None, drawn: Drawn { calls: 0, level: 0 }, cost: 0, spent: 0 }
    }
}

impl Slice {
    /// Spends its next call; gives when it may be made.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        let drawn_at = self.drawn_at?;
        while self.spent < self.drawn.calls {
            self.spent += 1;
            let at = drawn_at + micros(self.spent * self.cost - self.drawn.level);
            if now <= at + micros(LATE) {
                return Some(at);
            }
        }
        None
    }

    fn is_spent(&self) -> bool {
        self.spent == self.drawn.calls
    }

    /// Whether it did not last for long, so that more would have been spent, too.
    fn was_too_small(&self, now: Instant) -> bool {
        self.drawn_at.is_some_and(|at| now - at < QUICK)
    }
}

/// A bucket in memory, with the arithmetic of the one in the database.
#[derive(Debug)]
struct Bucket {
    paid_until: i64,
}

impl Bucket {
    fn draw(&mut self, now: i64, draw: Draw) -> Drawn {
        let paid_until = self.paid_until.max(now - draw.depth);
        let level = now - paid_until;
        let on_credit = draw.need.min((level - draw.reserve + draw.credit) / draw.cost);
        let left_over = draw.want.min((level - draw.reserve) / draw.cost);
        let calls = on_credit.max(left_over).max(0);
        self.paid_until = paid_until + calls * draw.cost;
        Drawn { calls, level }
    }
}

/// What is due is not waited for: a timer would take up to a millisecond for it.
async fn sleep_until(at: Instant) {
    if at > Instant::now() {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// How long until a bucket at this level has what is needed; all of it where nothing is given on credit, so that few looks
/// bring much.
fn missing(draw: Draw, level: i64) -> i64 {
    let calls = if draw.credit > 0 { 1 } else { draw.need };
    (calls * draw.cost + draw.reserve - draw.credit - level).min(SECOND)
}

/// A span; none for what is over.
fn micros(span: i64) -> Duration {
    Duration::from_micros(u64::try_from(span).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(per_second: i64, need: i64) -> Draw {
        Draw { cost: SECOND / per_second, depth: SECOND, reserve: 0, credit: CREDIT, need, want: need }
    }

    #[test]
    fn f55_a_burst_is_one_second_of_calls_and_then_the_rate_holds() {
        let mut bucket = Bucket { paid_until: -SECOND };
        let mut slices = Vec::new();
        let now = Instant::now();
        let mut delays = Vec::new();
        for _ in 0..300 {
            let drawn = bucket.draw(0, draw(100, 1));
            assert_eq!(drawn.calls, 1);
            slices.push(Slice { drawn_at: Some(now), drawn, cost: SECOND / 100, spent: 0 });
            delays.extend(slices.last_mut().and_then(|slice| slice.next(now)).map(|at| at - now));
        }
        assert!(delays[..100].iter().all(Duration::is_zero));
        assert_eq!(delays[299].as_millis(), 2_000);
        assert_eq!(bucket.draw(0, draw(100, 1)).calls, 0, "nobody is told to wait for longer");
        assert_eq!(bucket.draw(10_000, draw(100, 5)).calls, 1);
    }

    #[test]
    fn f55_a_slice_is_spent_in_its_time_and_lapses_after_it() {
        let now = Instant::now();
        let drawn = Drawn { calls: 4, level: 20_000 };
        let mut slice = Slice { drawn_at: Some(now), drawn, cost: 10_000, spent: 0 };
        assert_eq!(slice.next(now), Some(now));
        assert_eq!(slice.next(now), Some(now));
        assert_eq!(slice.next(now), Some(now + micros(10_000)), "on credit");
        assert_eq!(slice.next(now + micros(20_000 + LATE + 1)), None, "too late");
        assert_eq!(Slice::default().next(now), None);
    }

    #[test]
    fn f55_what_can_wait_leaves_the_reserve_to_messages() {
        let behind = Draw { reserve: RESERVE, credit: 0, ..draw(100, 100) };
        let mut bucket = Bucket { paid_until: -SECOND };
        assert_eq!(bucket.draw(0, behind).calls, 70);
        assert_eq!(bucket.draw(0, behind).calls, 0);
        assert!(missing(behind, 300_000) > 0);
        let message = draw(100, 30);
        assert_eq!(bucket.draw(0, message), Drawn { calls: 30, level: 300_000 }, "at once");
        // While messages take all there is, nothing else is called.
        assert_eq!(bucket.draw(100_000, draw(100, 10)).calls, 10);
        assert_eq!(bucket.draw(100_000, Draw { need: 1, want: 1, ..behind }).calls, 0);
    }

    #[test]
    fn f55_what_nobody_waits_for_is_not_given_on_credit() {
        let mut bucket = Bucket { paid_until: -50_000 };
        assert_eq!(bucket.draw(0, Draw { want: 10, ..draw(100, 2) }).calls, 5, "what is left over");
        assert_eq!(bucket.draw(0, Draw { want: 10, ..draw(100, 2) }).calls, 2, "what is waited for");
    }

    #[tokio::test]
    async fn f55_one_process_alone_reaches_the_rate_and_each_api_has_its_own() {
        let limiter = Limiter::own(200, &Entropy::new(|bytes| bytes.fill(7)));
        let begun = Instant::now();
        // The burst, then 1.6 seconds' worth.
        futures_util::future::join_all((0..400).map(|_| limiter.wait("sendmsg"))).await;
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(1_590) && took < Duration::from_millis(3_000), "{took:?}");
        let begun = Instant::now();
        assert!(!limiter.wait("account_import").await.unwrap().is_over());
        assert!(begun.elapsed() < Duration::from_millis(100));
    }
}
