//! The worker: claims lanes that are ready and runs their jobs, one lane's jobs one after another, many
//! lanes at once.
//!
//! A lane is renewed before a call that its lease might not outlast, and given back as soon as it is empty,
//! its head has to wait, or the process is told to stop. If the process dies, its leases run out.

use crate::relay::Ahead;
use crate::{Bridge, breaker, mailbox, trace};
use desk::Direction;
use futures_util::future::BoxFuture;
use opentelemetry::context::FutureExt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};
use store::{Error, Job, Lane, Tx};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How the worker claims.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a lane is held without a sign of life.
    pub lease: Duration,
    /// How often the store is asked for work of which nobody told.
    pub poll: Duration,
    /// Lanes served at once.
    pub lanes: usize,
}

/// Lanes served at once, unless configured otherwise.
pub(crate) const PLACES: usize = 64;

impl Default for Timing {
    fn default() -> Self {
        Timing { lease: Duration::from_secs(30), poll: Duration::from_millis(100), lanes: PLACES }
    }
}

/// Beside the longest that one call may take: room to record its end.
const ROOM: Duration = Duration::from_secs(2);

/// How long the store is left alone at most when it cannot be asked for work.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Agents' answers are claimed first; one claim in so many takes what goes to agents first, so that it never stands still.
const TURNS: u32 = 4;

/// While webhooks come in crowds, or more than this wait for their commit, they go first: a fraction of the lanes is served at
/// once. One lane sends some hundred messages a second, more than IM takes from most shops.
const PRESSED: usize = 32;
const FRACTION: usize = 32;

/// What a job leaves behind.
pub(crate) enum Step {
    /// The lane is still held: look at its head again.
    Again,
    /// The lane is still held, and this has become its head.
    Next(Job),
    /// The lane is released.
    Released,
}

impl Step {
    /// From what `Tx::finish` tells.
    pub(crate) fn after_finish(more: bool) -> Step {
        if more { Step::Again } else { Step::Released }
    }
}

/// Runs jobs until told to stop.
#[derive(Debug)]
pub struct Worker {
    bridge: Bridge,
    timing: Timing,
    holder: String,
    claims: AtomicU32,
}

impl Worker {
    /// A worker for this bridge.
    pub fn new(bridge: Bridge, timing: Timing) -> Worker {
        let holder = format!("{:016x}", u64::from_le_bytes(bridge.inner.entropy.bytes()));
        Worker { bridge, timing, holder, claims: AtomicU32::new(0) }
    }

    /// Runs until `stop` is true, then lets each lane end the step that it is in and gives it back.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        // Who holds a lane, for whoever reads the database beside the logs.
        tracing::info!(holder = self.holder, "work begins");
        let places = Arc::new(Semaphore::new(self.timing.lanes));
        let mut lanes = JoinSet::new();
        let (mut in_vain, mut told) = (0u32, false);
        let waking = tokio::spawn(breaker::wake_lanes(self.bridge.clone(), stop.clone()));
        while !*stop.borrow() {
            let claimed = match self.claim(&places, told).await {
                Ok(claimed) => {
                    if in_vain > 0 {
                        tracing::info!(in_vain, "work can be claimed again");
                    }
                    in_vain = 0;
                    claimed
                }
                Err(error) => {
                    // Said once; the database's absence has an alarm of its own.
                    if in_vain == 0 {
                        tracing::error!(%error, "no work can be claimed");
                    }
                    in_vain += 1;
                    let _ =
                        tokio::time::timeout(LONGEST_REST.min(self.timing.poll * in_vain), stop.changed())
                            .await;
                    continue;
                }
            };
            for lane in claimed {
                let Ok(place) = places.clone().try_acquire_owned() else { break };
                let (bridge, stop, lease) = (self.bridge.clone(), stop.clone(), self.timing.lease);
                lanes.spawn(async move {
                    serve(&bridge, lane, lease, &stop).await;
                    drop(place);
                    // A place is free: there may be more to claim.
                    bridge.wake();
                });
            }
            tokio::select! {
                () = self.bridge.inner.work.notified() => told = true,
                () = self.bridge.inner.store.sorted() => told = true,
                () = tokio::time::sleep(self.timing.poll) => told = false,
                _ = stop.changed() => {}
            }
            while let Some(ended) = lanes.try_join_next() {
                report(ended);
            }
        }
        while let Some(ended) = lanes.join_next().await {
            report(ended);
        }
        report(waking.await);
    }

    /// `told`: somebody said that there is work; otherwise a look comes first, which costs less than a claim.
    async fn claim(&self, places: &Semaphore, told: bool) -> Result<Vec<Lane>, Error> {
        let store = &self.bridge.inner.store;
        let kept_free = match store.is_crowded() || store.webhooks_waiting() > PRESSED {
            true => self.timing.lanes - self.timing.lanes.div_ceil(FRACTION),
            false => 0,
        };
        let free = places.available_permits().saturating_sub(kept_free);
        if free == 0 || !(told || self.bridge.inner.store.anything_ready().await?) {
            return Ok(Vec::new());
        }
        let first = if self.claims.fetch_add(1, Ordering::Relaxed).is_multiple_of(TURNS) {
            Direction::In
        } else {
            Direction::Out
        };
        self.bridge.inner.store.claim(&self.holder, free as i64, self.timing.lease, first).await
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // The lane's lease runs out and the job is tried again.
        tracing::error!(%error, "a job panicked");
        metrics::counter!("tsunagi_job_panics_total").increment(1);
    }
}

/// Runs a lane's jobs until it is released or lost.
async fn serve(bridge: &Bridge, lane: Lane, lease: Duration, stop: &watch::Receiver<bool>) {
    let mut held = Held { lane, lease, ahead: None };
    let mut head = held.lane.head.take();
    loop {
        let stopping = *stop.borrow();
        match step(bridge, &mut held, head.take(), stopping).await {
            Ok(Step::Again) => {}
            Ok(Step::Next(job)) => head = Some(job),
            Ok(Step::Released) => return,
            Err(Error::LeaseLost) => {
                tracing::warn!(
                    account = held.lane.account,
                    epoch = held.lane.epoch,
                    "a lane was taken over by another node"
                );
                return;
            }
            Err(error) => {
                tracing::error!(account = held.lane.account, %error, "a job could not be carried on");
                metrics::counter!("tsunagi_job_errors_total").increment(1);
                // Without the database the lease runs out by itself.
                let _ = stumble(bridge, &held).await;
                return;
            }
        }
    }
}

/// Puts the head off, longer each time, so that a job that can never be carried on does not keep us busy.
async fn stumble(bridge: &Bridge, held: &Held) -> Result<(), Error> {
    if let Some(job) = bridge.inner.store.next_job(&held.lane).await? {
        bridge.put_off(held, &job, bridge.pause(job.tries)).await?;
    }
    Ok(())
}

async fn step(bridge: &Bridge, held: &mut Held, head: Option<Job>, stop: bool) -> Result<Step, Error> {
    let head = match head {
        Some(head) => Some(head),
        None => bridge.inner.store.next_job(&held.lane).await?,
    };
    let job = match head {
        // A call that has begun is made: without it, whoever comes next would have to find out.
        Some(job) if !stop || held.ahead.is_some() => job,
        _ => {
            let lane = held.lane.clone();
            bridge.inner.store.write(move |tx| Box::pin(async move { tx.release(&lane, 0).await })).await?;
            return Ok(Step::Released);
        }
    };
    let hop = trace::Hop::begin(&held.lane, &job, bridge.inner.clock.now());
    let done = run(bridge, held, job).with_context(hop.context()).await;
    hop.end(&done);
    done
}

async fn run(bridge: &Bridge, held: &mut Held, job: Job) -> Result<Step, Error> {
    held.before_call(bridge).await?;
    // In boxes: the state of all of them would be as large as that of the largest, and be copied at every step up to here.
    let done: BoxFuture<'_, Result<Step, Error>> = match job.kind.as_str() {
        "push" => Box::pin(bridge.intake(held, job)),
        "relay" => Box::pin(bridge.relay(held, job)),
        "webhook" => Box::pin(bridge.take_webhook(held, job)),
        "answer" => Box::pin(bridge.answer(held, job)),
        mailbox::UNPARK => Box::pin(bridge.unpark(held, job)),
        "import" => Box::pin(bridge.import_ghost(held, job)),
        "delete" => Box::pin(bridge.delete_ghost(held, job)),
        // The operator gave it up; its row only kept its place.
        store::DROPPED => return bridge.finish(held, &job).await,
        _ => return Err(Error::Unknown("kind of job")),
    };
    done.await
}

/// A lane in our hands.
pub(crate) struct Held {
    pub(crate) lane: Lane,
    lease: Duration,
    /// The call that is to be made next has begun already.
    pub(crate) ahead: Option<Ahead>,
}

impl Held {
    /// Makes sure that the lease outlasts one call.
    pub(crate) async fn before_call(&mut self, bridge: &Bridge) -> Result<(), Error> {
        let left = self.lane.deadline.saturating_duration_since(Instant::now());
        if left < (bridge.inner.patience.call + ROOM).min(self.lease / 2) {
            bridge.inner.store.renew(&mut self.lane, self.lease).await?;
        }
        Ok(())
    }

    /// Carries on work that may be repeated without harm, for as long as it takes: the lease is renewed meanwhile.
    pub(crate) async fn renewing<T>(
        &mut self,
        bridge: &Bridge,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(self.lease / 4, work.as_mut()).await {
                return Ok(done);
            }
            bridge.inner.store.renew(&mut self.lane, self.lease).await?;
        }
    }

    /// Carries on a call that cannot be taken back, for as long as the lane is ours.
    ///
    /// The deadline is looked at before every step of it: a process that stood still while it connected (a paused
    /// machine) must not send late what somebody else has taken over meanwhile.
    pub(crate) async fn while_ours<T>(&self, call: impl Future<Output = T>) -> Result<T, Error> {
        let mut call = pin!(call);
        poll_fn(|context| match Instant::now() < self.lane.deadline {
            true => call.as_mut().poll(context).map(Ok),
            false => Poll::Ready(Err(Error::LeaseLost)),
        })
        .await
    }
}

/// How often the commit that records the end of a call is tried, a quarter of a second apart.
const COMMIT_TRIES: u32 = 20;

impl Bridge {
    /// Commits the end of a call, which cannot be taken back: tries again while the lease holds, for without it
    /// what is known to be sent would become unsure. `work` must see for itself whether an earlier try was kept
    /// although nobody said so.
    pub(crate) async fn keep<C, T>(
        &self,
        held: &Held,
        what: C,
        work: for<'a> fn(&'a mut Tx<'a>, C) -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Error>
    where
        C: Clone + Send + 'static,
        T: Send + 'static,
    {
        let mut tries = 1;
        loop {
            let what = what.clone();
            match self.inner.store.write(move |tx| work(tx, what)).await {
                Err(error @ (Error::Database(_) | Error::Overloaded))
                    if tries < COMMIT_TRIES && Instant::now() < held.lane.deadline =>
                {
                    tracing::warn!(%error, tries, "the end of a call could not be recorded; trying again");
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                done => return done,
            }
        }
    }

    /// Puts the head off and releases the lane.
    pub(crate) async fn put_off(&self, held: &Held, job: &Job, delay: i64) -> Result<Step, Error> {
        let (lane, job) = (held.lane.clone(), job.clone());
        self.inner
            .store
            .write(move |tx| Box::pin(async move { tx.put_off(&lane, &job, delay).await }))
            .await?;
        Ok(Step::Released)
    }

    /// Removes the finished head.
    pub(crate) async fn finish(&self, held: &Held, job: &Job) -> Result<Step, Error> {
        let (lane, job) = (held.lane.clone(), job.clone());
        let more =
            self.inner.store.write(move |tx| Box::pin(async move { tx.finish(&lane, &job).await })).await?;
        Ok(Step::after_finish(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(deadline: Instant) -> Held {
        let lane = Lane {
            id: "out/shop/o".into(),
            account: "shop".into(),
            openid: "o".into(),
            direction: Direction::Out,
            epoch: 1,
            deadline,
            head: None,
        };
        Held { lane, lease: Duration::from_secs(2), ahead: None }
    }

    #[tokio::test]
    async fn a_call_is_not_carried_on_after_the_deadline() {
        let mut sent = false;
        let late = held(Instant::now()).while_ours(async { sent = true }).await;
        assert!(matches!(late, Err(Error::LeaseLost)) && !sent);

        let held = held(Instant::now() + Duration::from_millis(50));
        let stood_still = held.while_ours(async {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(60));
            tokio::task::yield_now().await;
            sent = true;
        });
        assert!(matches!(stood_still.await, Err(Error::LeaseLost)));
        assert!(!sent);
        assert_eq!(held_for_long().while_ours(async { 7 }).await.ok(), Some(7));
    }

    fn held_for_long() -> Held {
        held(Instant::now() + Duration::from_secs(60))
    }
}
