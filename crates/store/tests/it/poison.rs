//! One bad row costs the others nothing.

use crate::engine::story;
use crate::given::*;
use store::{Arrival, Ingested, Novelty, Work};

fn good(count: usize) -> Vec<Arrival> {
    (0..count).map(|n| says(["oA", "oB", "oC"][n % 3])).collect()
}

story! {
    async fn f07_odd_bytes_and_characters_are_stored_like_any_other(db: &Db) {
        let store = db.store().await;
        let mut batch = good(50);
        let odd_bodies: [&[u8]; 4] = [b"\0", b"<xml>\xff\xfe\x80</xml>", "\u{fffd}".as_bytes(), b""];
        for (n, body) in odd_bodies.into_iter().enumerate() {
            batch.insert(n * 9, Arrival { body: body.to_vec(), ..says("oD") });
        }
        // NUL is legal in JSON and in a query string, and in no text column of PostgreSQL.
        let nul_openid = says("o\0E");
        let nul_key = Arrival { dedup_key: "h:\0".into(), ..event() };
        let nul_account = Arrival { account: "sh\0op".into(), ..says("oF") };
        let nul_ghost = agent_says("gh\0ost");
        let odd_query = Arrival { query: Some("a=\0&b=\u{fffd}'\"\\".into()), kind: "unreadable", ..event() };
        let odd_texts = says("o\u{1}\u{fffd}'\"\\\u{1f455}\u{feff}\n\t");
        for (n, odd) in [&nul_openid, &nul_key, &nul_account, &nul_ghost, &odd_query, &odd_texts].into_iter().enumerate() {
            batch.insert(n * 7 + 3, odd.clone());
        }
        let expected = batch.clone();
        let answers = in_one_batch(db, &store, batch).await;
        for (answer, arrival) in answers.iter().zip(&expected) {
            assert!(answer.as_ref().unwrap().is_new(), "{arrival:?}");
        }
        for arrival in expected {
            let id = arrival.id.clone();
            let row = store.read(move |tx| Box::pin(async move { tx.inbox(id.as_str()).await })).await.unwrap().unwrap();
            assert_eq!(row.body, arrival.body);
            assert!(!store.ingest(again(&arrival)).await.unwrap().is_new(), "its repeat is known: {arrival:?}");
        }
        let id = odd_query.id.clone();
        let row = store.read(move |tx| Box::pin(async move { tx.inbox(id.as_str()).await })).await.unwrap().unwrap();
        assert_eq!(row.query.unwrap(), "a=\u{fffd}&b=\u{fffd}'\"\\");
        let Work::Customer { openid, .. } = odd_texts.work else { panic!() };
        let found = store
            .read(move |tx| Box::pin(async move { tx.customer(SHOP, &openid).await }))
            .await
            .unwrap();
        assert!(found.is_some());
    }
}

story! {
    async fn a_row_that_the_database_refuses_costs_the_fifty_around_it_nothing(db: &Db) {
        let store = db.store().await;
        let taken = event();
        store.ingest(taken.clone()).await.unwrap();
        for place in [0, 17, 50] {
            let mut batch = good(50);
            // Another webhook under an id that is in the inbox already: its insert fails, and with it the batch.
            let bad = Arrival { id: taken.id.clone(), ..says("oA") };
            batch.insert(place, bad.clone());
            let subjects: Vec<String> = batch
                .iter()
                .filter(|arrival| matches!(&arrival.work, Work::Customer { openid, .. } if openid == "oA"))
                .filter(|arrival| arrival.dedup_key != bad.dedup_key)
                .map(|arrival| arrival.id.to_string())
                .collect();
            let answers = in_one_batch(db, &store, batch).await;
            for (n, answer) in answers.iter().enumerate() {
                assert_eq!(answer.is_err(), n == place, "row {n} with the bad one at {place}");
            }
            let stored = drain(&store).await;
            let stored: Vec<&String> = stored.iter().filter(|(lane, _)| lane == "in/shop/oA").map(|(_, s)| s).collect();
            assert_eq!(stored, subjects.iter().collect::<Vec<_>>(), "in the order of arrival");
            // Nothing of the bad one stayed behind: offered again under an id of its own it is new.
            assert!(store.ingest(again(&bad)).await.unwrap().is_new());
            assert_eq!(drain(&store).await.len(), 1);
        }
    }
}

story! {
    async fn many_bad_rows_cost_the_good_ones_nothing(db: &Db) {
        let store = db.store().await;
        let taken = event();
        store.ingest(taken.clone()).await.unwrap();
        let batch: Vec<Arrival> = good(60)
            .into_iter()
            .enumerate()
            .map(|(n, arrival)| if n % 2 == 0 { arrival } else { Arrival { id: taken.id.clone(), ..arrival } })
            .collect();
        let answers = in_one_batch(db, &store, batch).await;
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(answer.is_ok(), n % 2 == 0);
        }
        assert_eq!(drain(&store).await.len(), 30);
    }
}

story! {
    async fn a_bad_opening_message_leaves_the_notice_to_the_next(db: &Db) {
        let store = db.store().await;
        let taken = event();
        store.ingest(taken.clone()).await.unwrap();
        let batch = vec![Arrival { id: taken.id.clone(), ..says("oA") }, says("oA")];
        let answers = in_one_batch(db, &store, batch).await;
        assert!(answers[0].is_err());
        assert_eq!(answers[1].as_ref().unwrap(), &Ingested { novelty: Novelty::New, reply: Some(WAITING.to_vec()) });
    }
}

story! {
    async fn bodies_too_large_for_one_commit_are_stored_in_several(db: &Db) {
        let store = db.store().await;
        let batch: Vec<Arrival> = (0..12)
            .map(|n| Arrival { body: vec![n; 512 << 10], ..says("oA") })
            .collect();
        let expected = batch.clone();
        let answers = in_one_batch(db, &store, batch).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|stored| stored.is_new())));
        for arrival in expected {
            let row = store
                .read(move |tx| Box::pin(async move { tx.inbox(arrival.id.as_str()).await }))
                .await
                .unwrap()
                .unwrap();
            assert!(row.body == arrival.body);
        }
    }
}

story! {
    async fn a_webhook_held_up_is_refused_in_time_and_its_repeat_has_the_truth(db: &Db) {
        let store = db.store().await;
        let stall = db.stall().await;
        let message = says("oA");
        let begun = std::time::Instant::now();
        let refused = store.ingest(message.clone()).await;
        // PostgreSQL says itself that the row is locked, SQLite's writer does not come to its turn.
        assert!(matches!(refused, Err(store::Error::Overloaded | store::Error::Database(_))), "{refused:?}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(4), "WeChat waits for 5 s");
        stall.release().await;
        // It may have been stored after all; its repeat has the truth, and there is one job.
        let repeat = store.ingest(again(&message)).await.unwrap();
        assert_eq!(repeat.reply.as_deref(), Some(WAITING));
        assert_eq!(drain(&store).await.len(), 1);
    }
}
