//! What stories begin with: webhooks, jobs, a clock that stands still, random bytes that repeat nothing.

use crate::engine::Db;
use desk::{Clock, Direction, Entropy, Id, Millis};
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{Arrival, Effect, Error, Ingested, Job, Lane, NewJob, Source, Store, Work};

pub(crate) const NOW: Millis = 1_795_000_000_000;
pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const SHOP: &str = "shop";
pub(crate) const WAITING: &[u8] = "お繋ぎしています".as_bytes();
/// A lease that no story outlives.
pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) fn clock() -> Clock {
    Clock::new(|| NOW)
}

pub(crate) fn entropy() -> Entropy {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    Entropy::new(|buffer| {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64: every value once.
            let mut x = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..chunk.len()]);
        }
    })
}

pub(crate) fn id<T>() -> Id<T> {
    Id::new(&clock(), &entropy())
}

fn number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(20_000_000_000_000_000);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn arrival(key: String, work: Work) -> Arrival {
    let may_wait = !matches!(work, Work::Ghost { .. });
    Arrival {
        id: id(),
        source: Source::Wechat,
        account: SHOP.into(),
        dedup_key: key,
        kind: "push",
        received_at: NOW,
        query: None,
        body: "<xml>服の新商品</xml>".into(),
        reply: None,
        work,
        trace: None,
        may_wait,
    }
}

/// A customer writes.
pub(crate) fn says(openid: &str) -> Arrival {
    says_as(openid, number())
}

/// A customer writes, and the message has this MsgId.
pub(crate) fn says_as(openid: &str, msg_id: u64) -> Arrival {
    let effect = Effect::Write { conversation: id(), waiting: Some(WAITING.to_vec()) };
    arrival(
        format!("m:{msg_id:020}:{SHOP}:{openid}"),
        Work::Customer { openid: openid.into(), said_at: NOW, effect },
    )
}

/// The same webhook once more: another request, so another id.
pub(crate) fn again(first: &Arrival) -> Arrival {
    let mut repeat = first.clone();
    repeat.id = id();
    if let Work::Customer { effect: Effect::Write { conversation, .. }, .. } = &mut repeat.work {
        *conversation = id();
    }
    repeat
}

pub(crate) fn follows(openid: &str) -> Arrival {
    let work = Work::Customer { openid: openid.into(), said_at: NOW, effect: Effect::Follow };
    Arrival { reply: Some(b"welcome".to_vec()), ..arrival(format!("e:{}", number()), work) }
}

pub(crate) fn unfollows(openid: &str) -> Arrival {
    let work = Work::Customer { openid: openid.into(), said_at: NOW, effect: Effect::Unfollow };
    arrival(format!("e:{}", number()), work)
}

/// Something that is only kept.
pub(crate) fn event() -> Arrival {
    arrival(format!("e:{}", number()), Work::Nothing)
}

/// An agent writes to a ghost.
pub(crate) fn agent_says(ghost: &str) -> Arrival {
    let work = Work::Ghost { user_id: ghost.into() };
    let webhook = arrival(format!("c:{}", number()), work);
    Arrival { source: Source::Im, account: String::new(), kind: "webhook", ..webhook }
}

/// Offers webhooks so that they are stored in one batch, in this order, behind one or two others.
pub(crate) async fn in_one_batch(
    db: &Db,
    store: &Store,
    arrivals: Vec<Arrival>,
) -> Vec<Result<Ingested, Error>> {
    let stall = db.stall().await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let store = store.clone();
        busy.push(tokio::spawn(async move { store.ingest(event()).await }));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut all = Box::pin(join_all(arrivals.into_iter().map(|arrival| store.ingest(arrival))));
    assert!((&mut all).now_or_never().is_none(), "nothing was held up");
    stall.release().await;
    for busy in busy {
        assert!(busy.await.unwrap().unwrap().is_new());
    }
    all.await
}

pub(crate) fn job(openid: &str, subject: impl Into<String>) -> NewJob {
    NewJob {
        account: SHOP.into(),
        openid: openid.into(),
        direction: Direction::In,
        kind: "push",
        subject: subject.into(),
        note: None,
        since: NOW,
        trace: None,
    }
}

pub(crate) async fn enqueue(store: &Store, jobs: Vec<NewJob>) {
    store.write(move |tx| Box::pin(async move { tx.enqueue(&jobs).await })).await.unwrap();
}

/// Claims one lane.
pub(crate) async fn claim(store: &Store, lease: Duration) -> Option<Lane> {
    let mut lanes = store.claim("node", 1, lease, desk::Direction::Out).await.unwrap();
    assert!(lanes.len() <= 1);
    lanes.pop()
}

/// The head of a lane, which is there.
pub(crate) async fn head(store: &Store, lane: &Lane) -> Job {
    store.next_job(lane).await.unwrap().expect("the lane is empty")
}

pub(crate) async fn finish(store: &Store, lane: &Lane, job: &Job) -> Result<bool, Error> {
    let (lane, job) = (lane.clone(), job.clone());
    store.write(move |tx| Box::pin(async move { tx.finish(&lane, &job).await })).await
}

pub(crate) async fn put_off(store: &Store, lane: &Lane, job: &Job, delay: Millis) -> Result<(), Error> {
    let (lane, job) = (lane.clone(), job.clone());
    store.write(move |tx| Box::pin(async move { tx.put_off(&lane, &job, delay).await })).await
}

pub(crate) async fn release(store: &Store, lane: &Lane, delay: Millis) -> Result<(), Error> {
    let lane = lane.clone();
    store.write(move |tx| Box::pin(async move { tx.release(&lane, delay).await })).await
}

/// Claims and finishes all that is ready now, one job at a time; gives (lane, subject) in that order.
pub(crate) async fn drain(store: &Store) -> Vec<(String, String)> {
    let mut done = Vec::new();
    while let Some(lane) = claim(store, LONG).await {
        loop {
            let job = head(store, &lane).await;
            done.push((lane.id.clone(), job.subject.clone()));
            if !finish(store, &lane, &job).await.unwrap() {
                break;
            }
        }
    }
    done
}
