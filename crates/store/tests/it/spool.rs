//! A crowd of webhooks is answered when it is stored as it came, and sorted afterwards.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Arrival, Ingested, Novelty, Options, Store};

/// Every commit counts as a crowd from so many on.
fn from(spool_from: usize) -> Options {
    Options { spool_from, ..Options::default() }
}

/// A row of the spool as the first version wrote it, with two messages of oA.
const KEPT: &str = r#"[{"id":"0199aaaaaaaa7aaaaaaaaaaaaaaaaaa1","source":"Wechat","account":"shop",
"dedup_key":"m:1:shop:oA","kind":"push","received_at":1794999999000,"query":null,"body":"<xml>一</xml>","reply":"<xml>please wait</xml>",
"work":{"Customer":{"openid":"oA","said_at":1794999999000,"effect":{"Write":{"conversation":"0199aaaaaaaa7aaaaaaaaaaaaaaaaaa2","waiting":null}}}},
"trace":null},{"id":"0199aaaaaaaa7aaaaaaaaaaaaaaaaaa3","source":"Wechat","account":"shop",
"dedup_key":"m:2:shop:oA","kind":"push","received_at":1794999999001,"query":null,"body":[60,255,62],"reply":null,
"work":{"Customer":{"openid":"oA","said_at":1794999999000,"effect":{"Write":{"conversation":"0199aaaaaaaa7aaaaaaaaaaaaaaaaaa4","waiting":null}}}},
"trace":null}]"#;

async fn keep(db: &crate::engine::Db) {
    let row = KEPT.replace('\n', "");
    db.execute(&format!("INSERT INTO spool (webhooks, size, arrivals) VALUES (2, {}, '{row}')", row.len()))
        .await;
}

/// What is on the lanes of these, in its order.
async fn on_lanes(store: &Store) -> BTreeMap<String, Vec<String>> {
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (lane, subject) in drain(store).await {
        lanes.entry(lane).or_default().push(subject);
    }
    lanes
}

/// Everything is on its customer's lane, in the order of these parts: inside one, whose webhooks were offered at the same
/// moment, nothing says what was first.
async fn assert_in_order(store: &Store, parts: &[Vec<Arrival>]) {
    let place: BTreeMap<String, usize> = (0..)
        .zip(parts)
        .flat_map(|(place, part)| part.iter().map(move |arrival| (arrival.id.to_string(), place)))
        .collect();
    let lanes = on_lanes(store).await;
    assert_eq!(lanes.values().map(Vec::len).sum::<usize>(), place.len());
    for (lane, subjects) in lanes {
        assert!(subjects.iter().is_sorted_by_key(|subject| place[subject]), "{lane}: {subjects:?}");
    }
}

story! {
    async fn a_crowd_is_answered_at_once_and_kept_in_order(db: &Db) {
        let store = db.open(from(1)).await.unwrap();
        let crowd = |_| (0..20).map(|n| says(&format!("o{}", n % 7))).collect();
        let crowd: Vec<Vec<Arrival>> = (0..10).map(crowd).collect();
        let mut offered = Vec::new();
        for part in &crowd {
            // Each one is offered again, before or after it is sorted.
            for copy in [part.clone(), part.iter().map(again).collect()] {
                offered.extend(join_all(copy.into_iter().map(|arrival| store.ingest(arrival))).await);
            }
        }
        let answers: Vec<Ingested> = offered.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| answer.novelty == Novelty::Unknown));
        let greeted = answers.iter().filter(|answer| answer.reply.as_deref() == Some(WAITING)).count();
        assert_eq!(greeted, 7, "the first message of each customer, and no other");
        assert!(answers.iter().all(|answer| answer.reply.is_none() || answer.reply.as_deref() == Some(WAITING)));
        store.sort_all().await.unwrap();
        assert_eq!(db.count("SELECT COUNT(*) FROM spool").await, 0);
        assert_eq!(db.count("SELECT COUNT(*) FROM inbox").await, 200, "each once");
        assert_eq!(db.count("SELECT COUNT(*) FROM customer WHERE conversation IS NOT NULL").await, 7);
        assert_in_order(&store, &crowd).await;
        // Once it is sorted, a repeat gets the answer of its first copy, on either way.
        for store in [store, db.store().await] {
            let repeat = store.ingest(again(&crowd[0][0])).await.unwrap();
            store.sort_all().await.unwrap();
            assert!(repeat.reply.is_none() || repeat.reply.as_deref() == Some(WAITING));
            assert_eq!(db.count("SELECT COUNT(*) FROM inbox").await, 200);
        }
    }
}

story! {
    async fn what_comes_alone_goes_behind_a_crowd_that_is_not_sorted(db: &Db) {
        let (crowded, quiet) = (db.open(from(3)).await.unwrap(), db.store().await);
        let mut said: Vec<Vec<Arrival>> = Vec::new();
        let mut rounds = 0;
        while rounds < 30 {
            let crowd: Vec<Arrival> = (0..12).map(|n| says(&format!("o{}", n % 3))).collect();
            let answers = join_all(crowd.iter().map(|arrival| crowded.ingest(arrival.clone()))).await;
            let spooled = answers.iter().filter(|answer| answer.as_ref().unwrap().novelty == Novelty::Unknown).count();
            said.push(crowd);
            // SQLite has one process; with PostgreSQL the next one comes to another node.
            let node = if db.is_sqlite() { &crowded } else { &quiet };
            for alone in ["o0", "o1", "o2"].map(says) {
                node.ingest(alone.clone()).await.unwrap();
                said.push(vec![alone]);
            }
            rounds += usize::from(spooled > 0);
        }
        crowded.sort_all().await.unwrap();
        assert_in_order(&crowded, &said).await;
    }
}

story! {
    async fn what_an_ended_process_left_is_sorted_by_the_next(db: &Db) {
        db.store().await.close().await;
        keep(db).await;
        let store = db.open(from(100)).await.unwrap();
        // It comes while the others are not sorted, or a moment later.
        let third = says("oA");
        let answer = store.ingest(third.clone()).await.unwrap();
        assert_eq!(answer.reply.as_deref().unwrap_or(WAITING), WAITING);
        tokio::time::timeout(Duration::from_secs(10), async {
            while db.count("SELECT COUNT(*) FROM spool").await > 0 {
                store.sorted().await;
            }
        })
        .await
        .expect("nobody sorts");
        let kept = ["0199aaaaaaaa7aaaaaaaaaaaaaaaaaa1", "0199aaaaaaaa7aaaaaaaaaaaaaaaaaa3", third.id.as_str()];
        assert_eq!(on_lanes(&store).await["in/shop/oA"], kept);
        let body = |id: &'static str| store.read(move |tx| Box::pin(async move { tx.inbox(id).await }));
        assert_eq!(body("0199aaaaaaaa7aaaaaaaaaaaaaaaaaa1").await.unwrap().unwrap().body, "<xml>一</xml>".as_bytes());
        assert_eq!(body("0199aaaaaaaa7aaaaaaaaaaaaaaaaaa3").await.unwrap().unwrap().body, b"<\xff>");
        // The answer that was given before it was sorted is what its repeats get.
        let repeat = db.store().await.ingest(Arrival { dedup_key: "m:1:shop:oA".into(), ..says("oA") }).await.unwrap();
        assert_eq!(repeat, Ingested { novelty: Novelty::Repeat, reply: Some(b"<xml>please wait</xml>".to_vec()) });
    }
}

story! {
    async fn an_answer_that_depends_on_more_is_never_given_early(db: &Db) {
        let store = db.open(from(1)).await.unwrap();
        let passive: Vec<Arrival> = (0..40).map(|n| Arrival { may_wait: false, ..says(&format!("p{n}")) }).collect();
        let agents: Vec<Arrival> = (0..40).map(|_| agent_says("nobody")).collect();
        let others: Vec<Arrival> = (0..40).map(|n| says(&format!("o{n}"))).collect();
        let all = passive.iter().chain(&agents).chain(&others);
        let answers = join_all(all.map(|arrival| store.ingest(arrival.clone()))).await;
        let novelty: Vec<Novelty> = answers.into_iter().map(|answer| answer.unwrap().novelty).collect();
        assert_eq!(novelty[..80], [Novelty::New; 80]);
        assert_eq!(novelty[80..], [Novelty::Unknown; 40]);
        store.sort_all().await.unwrap();
        assert_eq!(on_lanes(&store).await.len(), 80);
    }
}

story! {
    async fn one_that_is_refused_is_set_aside_and_holds_up_nobody(db: &Db) {
        let store = db.open(from(1)).await.unwrap();
        let taken = event();
        store.ingest(taken.clone()).await.unwrap();
        store.sort_all().await.unwrap();
        let mut crowd: Vec<Arrival> = (0..30).map(|n| says(&format!("o{}", n % 3))).collect();
        // Another webhook under an id that is in the inbox already: its insert fails.
        crowd.insert(11, Arrival { id: taken.id.clone(), ..says("o1") });
        let answers = join_all(crowd.iter().map(|arrival| store.ingest(arrival.clone()))).await;
        assert!(answers.iter().all(Result::is_ok));
        db.execute("INSERT INTO spool (id, webhooks, size, arrivals) VALUES (999999, 1, 4, '[{}]')").await;
        store.sort_all().await.unwrap();
        crowd.remove(11);
        assert_eq!(on_lanes(&store).await.values().map(Vec::len).sum::<usize>(), 30);
        let aside = db.texts("SELECT arrivals FROM spool WHERE aside IS NOT NULL ORDER BY size").await;
        assert_eq!(aside.len(), 2, "{aside:?}");
        assert_eq!(aside[0], "[{}]");
        assert!(aside[1].contains(taken.id.as_str()));
        // A version that can sort it does so at its start.
        db.execute("DELETE FROM inbox").await;
        store.close().await;
        let next = db.open(Options { exclusive: true, ..from(1) }).await.unwrap();
        next.sort_all().await.unwrap();
        assert_eq!(db.count("SELECT COUNT(*) FROM spool").await, 1);
        assert_eq!(on_lanes(&next).await["in/shop/o1"], [taken.id.to_string()]);
    }
}

story! {
    async fn somebody_who_is_to_be_erased_is_found_in_a_crowd(db: &Db) {
        let store = db.store().await;
        keep(db).await;
        let traces = store.traces_of("shop", "oA").await.unwrap();
        assert!(traces.known);
        assert_eq!(db.count("SELECT COUNT(*) FROM spool").await, 0);
    }
}

story! {
    async fn a_follow_and_a_message_of_a_crowd_are_kept_apart(db: &Db) {
        let store = db.open(from(1)).await.unwrap();
        let crowd = vec![follows("oA"), says("oA"), unfollows("oA"), event()];
        let mut answers = Vec::new();
        for arrival in &crowd {
            answers.push(store.ingest(arrival.clone()).await.unwrap().reply);
        }
        assert_eq!(answers, [Some(b"welcome".to_vec()), Some(WAITING.to_vec()), None, None]);
        store.sort_all().await.unwrap();
        assert_eq!(db.count("SELECT subscribed FROM customer").await, 0);
        assert_eq!(db.count("SELECT COUNT(*) FROM customer WHERE conversation IS NULL").await, 1);
        let said = crowd[..3].iter().map(|arrival| arrival.id.to_string()).collect::<Vec<_>>();
        assert_eq!(on_lanes(&store).await["in/shop/oA"], said);
    }
}
