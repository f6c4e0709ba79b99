//! Old rows go in bounded steps, and nothing goes that a lane still needs.

use crate::engine::{Db, story};
use crate::given::{HOUR, NOW, SHOP, claim, enqueue, head, job, says};
use std::time::{Duration, Instant};
use store::{Mark, Old, Store};

const DAY: i64 = 24 * HOUR;

/// Sweeps to the end; gives what each step removed.
async fn sweep(store: &Store, what: Old, account: &str, before: i64, most: i64) -> Vec<u64> {
    let (mut mark, mut steps) = (Mark::default(), Vec::new());
    loop {
        let swept = store.purge(what, account, before, before - 100 * DAY, &mark, most).await.unwrap();
        steps.push(swept.removed);
        match swept.next {
            Some(next) => mark = next,
            None => return steps,
        }
        assert!(steps.len() < 10_000, "a sweep ends");
    }
}

/// `count` messages a minute apart from `from` on, each with one delivery in `state` and one ended attempt.
async fn messages(db: &Db, name: &str, account: &str, from: i64, count: i64, state: &str) {
    let numbers =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    for insert in [
        format!(
            "INSERT INTO message (id, account, openid, direction, kind, created_at) {numbers} \
             SELECT '{name}m' || i, '{account}', 'o', 'in', 'text', {from} + i * 60000 FROM n"
        ),
        format!(
            "INSERT INTO delivery (id, message, part, state, body, sender, recipient, tries, changed_at) {numbers} \
             SELECT '{name}d' || i, '{name}m' || i, 0, '{state}', 'x', 's', 'r', 1, {from} FROM n"
        ),
        format!(
            "INSERT INTO attempt (id, delivery, epoch, started_at, ended_at, account) {numbers} \
             SELECT '{name}a' || i, '{name}d' || i, 1, {from} + i * 60000, {from}, '{account}' FROM n"
        ),
    ] {
        // SQLite takes the table expression in front of the statement alone.
        let (head, tail) = insert.split_once(" WITH ").unwrap();
        let (with, select) = tail.split_once(" SELECT '").unwrap();
        db.execute(&format!("WITH {with} {head} SELECT '{select}")).await;
    }
}

story! {
async fn what_is_old_goes_by_account_and_what_is_young_stays(db: &Db) {
    let store = db.store().await;
    messages(db, "old", SHOP, NOW - 10 * DAY, 25, "sent").await;
    messages(db, "young", SHOP, NOW - DAY, 5, "failed").await;
    messages(db, "other", "second", NOW - 10 * DAY, 5, "sent").await;
    let steps = sweep(&store, Old::Messages, SHOP, NOW - 5 * DAY, 10).await;
    // Ten attempts are a step of their own, so that a message with a thousand of them is no larger one.
    assert!(steps.iter().all(|removed| *removed <= 30), "{steps:?}");
    assert_eq!(steps.iter().sum::<u64>(), 75);
    for (table, left) in [("message", 10), ("delivery", 10), ("attempt", 10)] {
        assert_eq!(db.count(&format!("SELECT COUNT(*) FROM {table}")).await, left, "{table}");
    }
    let steps = sweep(&store, Old::Attempts, "second", NOW, 3).await;
    assert_eq!(steps, [3, 2]);
    assert_eq!(db.count("SELECT COUNT(*) FROM attempt").await, 5);
    assert_eq!(store.accounts_with(Old::Messages).await.unwrap(), ["", "second", SHOP]);
    assert_eq!(store.accounts_with(Old::Attempts).await.unwrap(), ["", SHOP]);
}
}

story! {
async fn nothing_goes_that_a_lane_still_needs(db: &Db) {
    let store = db.store().await;
    for (n, state) in ["waiting", "sending", "checking", "unsure"].into_iter().enumerate() {
        messages(db, &format!("x{n}"), SHOP, NOW - 10 * DAY, 3, state).await;
    }
    // Everything about the last one has ended, but somebody wants it tried again.
    enqueue(&store, vec![job("oAgain", "x3m2")]).await;
    assert_eq!(sweep(&store, Old::Attempts, SHOP, NOW, 2).await.iter().sum::<u64>(), 3);
    assert_eq!(sweep(&store, Old::Messages, SHOP, NOW, 2).await.iter().sum::<u64>(), 4);
    assert_eq!(db.count("SELECT COUNT(*) FROM message WHERE id LIKE 'x3%'").await, 1);
    assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 10);
    assert_eq!(db.count("SELECT COUNT(*) FROM attempt").await, 9);
}
}

story! {
async fn a_webhook_goes_when_its_job_is_done_and_an_unreadable_one_later(db: &Db) {
    let store = db.store().await;
    store.ingest(says("oA")).await.unwrap();
    store
        .ingest(store::Arrival { kind: "unreadable", work: store::Work::Nothing, ..says("oB") })
        .await
        .unwrap();
    let later = NOW + 30 * DAY;
    assert_eq!(sweep(&store, Old::Inbox, SHOP, later, 10).await, [0]);
    let lane = claim(&store, Duration::from_secs(60)).await.unwrap();
    let done = head(&store, &lane).await;
    assert!(!crate::given::finish(&store, &lane, &done).await.unwrap());
    assert_eq!(sweep(&store, Old::Inbox, SHOP, later, 10).await, [1]);
    assert_eq!(db.texts("SELECT kind FROM inbox").await, ["unreadable"]);
    assert_eq!(sweep(&store, Old::Inbox, SHOP, NOW + 101 * DAY, 10).await, [1]);
}
}

story! {
async fn a_big_purge_does_not_hold_up_ingest(db: &Db) {
    let store = db.store().await;
    messages(db, "old", SHOP, NOW - 1_000 * DAY, 5_000, "sent").await;
    let purging = tokio::spawn({
        let store = store.clone();
        async move { sweep(&store, Old::Messages, SHOP, NOW, 200).await }
    });
    let mut slowest = Duration::ZERO;
    let mut stored = 0;
    while !purging.is_finished() {
        let begun = Instant::now();
        store.ingest(says(&format!("o{stored}"))).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        stored += 1;
    }
    let steps = purging.await.unwrap();
    assert_eq!(steps.iter().sum::<u64>(), 15_000);
    assert!(steps.iter().all(|removed| *removed <= 600), "a step is bounded: {steps:?}");
    assert!(stored > 5, "webhooks were stored between the steps: {stored}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
}
