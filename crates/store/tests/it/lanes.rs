//! Claiming: by lane, in order, one holder each; nothing is stranded.

use crate::engine::story;
use crate::given::*;
use desk::Direction;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::{Backlog, NewJob, Store};

const SHORT: Duration = Duration::from_millis(300);

async fn settle() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

story! {
    async fn the_lane_that_waits_longest_is_claimed_first(db: &Db) {
        let store = db.store().await;
        for openid in ["oC", "oA", "oB"] {
            enqueue(&store, vec![job(openid, "1")]).await;
            settle().await;
        }
        // More work does not move a lane back.
        enqueue(&store, vec![job("oC", "2")]).await;
        let first = claim(&store, LONG).await.unwrap();
        assert_eq!(first.openid, "oC");
        let next = store.claim("node", 2, LONG, Direction::Out).await.unwrap();
        let mut next: Vec<&str> = next.iter().map(|lane| lane.openid.as_str()).collect();
        next.sort_unstable();
        assert_eq!(next, ["oA", "oB"]);
        assert!(claim(&store, LONG).await.is_none());
    }
}

story! {
    async fn f55_the_direction_that_goes_first_is_claimed_first_and_the_other_with_what_is_left(db: &Db) {
        let store = db.store().await;
        for (openid, direction) in [("oA", Direction::In), ("oB", Direction::In), ("oA", Direction::Out), ("oC", Direction::Out)] {
            enqueue(&store, vec![NewJob { direction, ..job(openid, "1") }]).await;
            settle().await;
        }
        let claim = async |most, first| {
            let lanes = store.claim("node", most, LONG, first).await.unwrap();
            let mut ids: Vec<String> = lanes.into_iter().map(|lane| lane.id.replace("/shop", "")).collect();
            ids.sort();
            ids
        };
        assert_eq!(claim(1, Direction::Out).await, ["out/oA"]);
        assert_eq!(claim(1, Direction::In).await, ["in/oA"], "which has waited for longer than what is left of the others");
        assert_eq!(claim(9, Direction::Out).await, ["in/oB", "out/oC"]);
        assert!(claim(9, Direction::Out).await.is_empty());
    }
}

story! {
    async fn f39_a_lane_never_has_two_holders(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        for _ in 0..5 {
            enqueue(&nodes[0], (0..30).map(|n| job(&format!("o{n}"), "1")).collect()).await;
            let claims = (0..8).map(|n| {
                let store = nodes[n % 2].clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    loop {
                        let lanes = store.claim(&format!("node {n}"), 3, LONG, Direction::In).await.unwrap();
                        if lanes.is_empty() {
                            // Others may have had the row locks of what is left.
                            if !store.anything_ready().await.unwrap() {
                                return mine;
                            }
                        }
                        mine.extend(lanes);
                    }
                })
            });
            let held: Vec<_> = join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
            let mut ids: Vec<&str> = held.iter().map(|lane| lane.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((held.len(), ids.len()), (30, 30));
            for lane in &held {
                let job = head(&nodes[0], lane).await;
                assert!(!finish(&nodes[1], lane, &job).await.unwrap());
            }
        }
    }
}

story! {
    async fn a_retrying_head_holds_its_lane_and_no_other(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1"), job("oA", "2")]).await;
        settle().await;
        enqueue(&store, vec![job("oB", "3")]).await;
        let lane = claim(&store, LONG).await.unwrap();
        let first = head(&store, &lane).await;
        put_off(&store, &lane, &first, 300).await.unwrap();
        let at = Instant::now();
        assert_eq!(drain(&store).await, [("in/shop/oB".to_owned(), "3".to_owned())]);
        // New work on a lane that waits does not wake it early.
        enqueue(&store, vec![job("oA", "4")]).await;
        assert!(!store.anything_ready().await.unwrap());
        let again = loop {
            if let Some(lane) = claim(&store, LONG).await {
                break lane;
            }
            assert!(at.elapsed() < Duration::from_secs(10));
            settle().await;
        };
        assert!(at.elapsed() >= Duration::from_millis(250), "{:?}", at.elapsed());
        assert_eq!(again.epoch, lane.epoch + 1);
        let same = head(&store, &again).await;
        assert_eq!((same.subject.as_str(), same.position, same.tries), ("1", first.position, 1));
        release(&store, &again, 0).await.unwrap();
        let subjects: Vec<String> = drain(&store).await.into_iter().map(|(_, subject)| subject).collect();
        assert_eq!(subjects, ["1", "2", "4"]);
    }
}

story! {
    async fn new_work_does_not_make_a_held_lane_ready(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let lane = claim(&store, LONG).await.unwrap();
        enqueue(&store, vec![job("oA", "2")]).await;
        store.ingest(says("oA")).await.unwrap();
        assert!(!store.anything_ready().await.unwrap());
        assert!(claim(&store, LONG).await.is_none());
        // The holder is told that there is more, and keeps the lane.
        let first = head(&store, &lane).await;
        assert!(finish(&store, &lane, &first).await.unwrap());
        assert!(claim(&store, LONG).await.is_none());
        let second = head(&store, &lane).await;
        assert_eq!(second.subject, "2");
        // Given back with work on it, it is ready at once.
        release(&store, &lane, 0).await.unwrap();
        assert_eq!(drain(&store).await.len(), 2);
        // Given back empty, it is not.
        assert!(!store.anything_ready().await.unwrap());
        enqueue(&store, vec![job("oA", "3")]).await;
        assert!(store.anything_ready().await.unwrap());
    }
}

story! {
    async fn a_job_becomes_the_next_of_its_chain_at_its_place(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1"), job("oA", "2")]).await;
        let lane = claim(&store, LONG).await.unwrap();
        let first = head(&store, &lane).await;
        put_off(&store, &lane, &first, 0).await.unwrap();
        let lane = claim(&store, LONG).await.unwrap();
        let (held, old) = (lane.clone(), head(&store, &lane).await);
        store
            .write(move |tx| Box::pin(async move { tx.become_job(&held, &old, "relay", "m1").await }))
            .await
            .unwrap();
        let new = head(&store, &lane).await;
        assert_eq!((new.kind.as_str(), new.subject.as_str()), ("relay", "m1"));
        assert_eq!((new.position, new.tries, new.since), (first.position, 0, first.since));
        assert!(finish(&store, &lane, &new).await.unwrap());
        assert_eq!(head(&store, &lane).await.subject, "2");
    }
}

story! {
    async fn the_backlog_counts_what_waits(db: &Db) {
        let store = db.store().await;
        assert_eq!(store.backlog().await.unwrap(), Backlog::default());
        enqueue(&store, vec![job("oA", "1"), job("oA", "2"), job("oB", "3")]).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        let backlog = store.backlog().await.unwrap();
        assert_eq!((backlog.lanes, backlog.jobs), (2, 3));
        assert!((50..60_000).contains(&backlog.overdue), "{}", backlog.overdue);
        drain(&store).await;
        assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    }
}

story! {
    async fn nothing_is_stranded_when_work_arrives_while_lanes_are_given_back(db: &Db) {
        const LANES: usize = 3;
        const JOBS: usize = 240;
        let nodes = [db.store().await, db.store().await];
        let left = Arc::new(AtomicUsize::new(JOBS));
        let workers = (0..4).map(|n| tokio::spawn(work(nodes[n % 2].clone(), left.clone())));
        let workers: Vec<_> = workers.collect();
        let producers = (0..4).map(|producer| {
            let store = nodes[producer % 2].clone();
            tokio::spawn(async move {
                for n in 0..JOBS / 4 {
                    let openid = format!("o{}", n % LANES);
                    if producer == 0 {
                        store.ingest(says(&openid)).await.unwrap();
                    } else {
                        enqueue(&store, vec![job(&openid, format!("{producer}-{n:04}"))]).await;
                    }
                    if n % 16 == 0 {
                        // Let the workers run dry, so that lanes are given back while others add to them.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        });
        for producer in join_all(producers).await {
            producer.unwrap();
        }
        let mut done: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        for worker in join_all(workers).await {
            for (lane, position, subject) in worker.unwrap() {
                done.entry(lane).or_default().push((position, subject));
            }
        }
        assert_eq!(left.load(Ordering::SeqCst), 0, "jobs were stranded: {:?}", nodes[0].backlog().await);
        for jobs in done.values_mut() {
            jobs.sort();
            // Each position once, without a gap; and each producer's jobs in the order in which it committed them.
            assert!(jobs.iter().map(|(position, _)| *position).eq(0..jobs.len() as i64));
            for producer in ["1-", "2-", "3-"] {
                assert!(jobs.iter().filter(|(_, subject)| subject.starts_with(producer)).is_sorted_by_key(|(_, s)| s));
            }
        }
        assert_eq!(done.values().map(Vec::len).sum::<usize>(), JOBS);
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 0);
        assert_eq!(db.count("SELECT COUNT(*) FROM lane WHERE head <> tail OR ready_at IS NOT NULL OR holder IS NOT NULL").await, 0);
    }
}

/// A worker that also gives lanes back half done, and puts heads off.
async fn work(store: Store, left: Arc<AtomicUsize>) -> Vec<(String, i64, String)> {
    let mut done = Vec::new();
    let until = Instant::now() + Duration::from_secs(60);
    let mut turn = 0;
    while left.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        let Some(lane) = claim(&store, LONG).await else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        loop {
            let job = head(&store, &lane).await;
            turn += 1;
            if turn % 7 == 0 {
                release(&store, &lane, 0).await.unwrap();
                break;
            }
            if turn % 11 == 0 {
                put_off(&store, &lane, &job, 1).await.unwrap();
                break;
            }
            let more = finish(&store, &lane, &job).await.unwrap();
            left.fetch_sub(1, Ordering::SeqCst);
            done.push((lane.id.clone(), job.position, job.subject));
            if !more {
                break;
            }
        }
    }
    done
}

story! {
    async fn a_lease_that_ran_out_gives_the_lane_to_the_next(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let begun = Instant::now();
        let old = claim(&store, SHORT).await.unwrap();
        assert!(old.deadline > begun && old.deadline < begun + SHORT, "it ends before the database's");
        assert!(claim(&store, SHORT).await.is_none());
        tokio::time::sleep(SHORT + Duration::from_millis(20)).await;
        let new = store.claim("another", 9, LONG, Direction::Out).await.unwrap();
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].epoch, old.epoch + 1);
        assert_eq!(head(&store, &new[0]).await.tries, 0);
    }
}

story! {
    async fn a_renewed_lease_is_not_taken_over(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let mut lane = claim(&store, SHORT).await.unwrap();
        let before = lane.deadline;
        store.renew(&mut lane, LONG).await.unwrap();
        assert!(lane.deadline > before + Duration::from_secs(300));
        tokio::time::sleep(SHORT + Duration::from_millis(20)).await;
        assert!(claim(&store, LONG).await.is_none());
        let first = head(&store, &lane).await;
        assert!(!finish(&store, &lane, &first).await.unwrap());
    }
}

story! {
    async fn a_lease_that_ran_out_may_be_renewed_while_nobody_took_the_lane(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let mut lane = claim(&store, Duration::from_millis(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.renew(&mut lane, LONG).await.unwrap();
        assert!(claim(&store, LONG).await.is_none());
    }
}
