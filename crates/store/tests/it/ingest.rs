//! Webhooks become durable once, with what follows from them.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use store::{Arrival, Ingested, Novelty, Work, lane_id};

async fn conversation(store: &store::Store, openid: &'static str) -> Option<String> {
    store
        .read(move |tx| Box::pin(async move { tx.customer(SHOP, openid).await }))
        .await
        .unwrap()
        .and_then(|customer| customer.conversation)
}

story! {
    async fn a_message_is_stored_with_its_customer_and_its_job(db: &Db) {
        let store = db.store().await;
        let message = says("oA");
        let first = store.ingest(message.clone()).await.unwrap();
        assert_eq!(first, Ingested { novelty: Novelty::New, reply: Some(WAITING.to_vec()) });

        let id = message.id.clone();
        let row = store.read(move |tx| Box::pin(async move { tx.inbox(id.as_str()).await })).await.unwrap().unwrap();
        assert_eq!((row.account.as_str(), row.kind.as_str(), row.received_at), (SHOP, "push", NOW));
        assert_eq!(row.body, message.body);
        assert_eq!(row.query, None);
        let unknown = store.read(|tx| Box::pin(async move { tx.inbox("no such").await })).await.unwrap();
        assert!(unknown.is_none());

        let customer =
            store.read(|tx| Box::pin(async move { tx.customer(SHOP, "oA").await })).await.unwrap().unwrap();
        assert!(customer.subscribed);
        assert_eq!(customer.generation, 0);

        assert!(store.anything_ready().await.unwrap());
        let lane = claim(&store, LONG).await.unwrap();
        assert!(!store.anything_ready().await.unwrap());
        assert_eq!(lane.id, lane_id(SHOP, "oA", desk::Direction::In));
        assert_eq!((lane.account.as_str(), lane.openid.as_str()), (SHOP, "oA"));
        assert_eq!(lane.direction, desk::Direction::In);
        let job = head(&store, &lane).await;
        assert_eq!((job.kind.as_str(), job.subject.as_str()), ("push", message.id.as_str()));
        assert_eq!((job.position, job.tries, job.since), (0, 0, NOW));
        assert_eq!(job.note, customer.conversation);
        assert!(job.note.is_some());
    }
}

story! {
    async fn an_unreadable_webhook_is_kept_whole_and_asks_for_nothing(db: &Db) {
        let store = db.store().await;
        let body: Vec<u8> = (0..=255).collect();
        let query = Some("signature=x&openid=%00".to_owned());
        let kept = Arrival { kind: "unreadable", query: query.clone(), body: body.clone(), ..event() };
        let id = kept.id.clone();
        assert_eq!(store.ingest(kept).await.unwrap(), Ingested { novelty: Novelty::New, reply: None });
        let row = store.read(move |tx| Box::pin(async move { tx.inbox(id.as_str()).await })).await.unwrap().unwrap();
        assert_eq!((row.kind.as_str(), row.query, row.body), ("unreadable", query, body));
        assert_eq!(db.count("SELECT COUNT(*) FROM lane").await, 0);
    }
}

story! {
    async fn large_and_small_bodies_of_one_batch_are_kept_whole(db: &Db) {
        let store = db.store().await;
        let bodies = [0, 10, 16 * 1024, 16 * 1024 + 1, 1 << 20].map(|size| (0..size).map(|n| n as u8).collect::<Vec<u8>>());
        let arrivals = bodies.iter().map(|body| Arrival { body: body.clone(), ..event() });
        let arrivals: Vec<Arrival> = arrivals.collect();
        let ids: Vec<_> = arrivals.iter().map(|arrival| arrival.id.clone()).collect();
        for stored in join_all(arrivals.into_iter().map(|arrival| store.ingest(arrival))).await {
            assert!(stored.unwrap().is_new());
        }
        for (id, body) in ids.into_iter().zip(bodies) {
            let row = store.read(move |tx| Box::pin(async move { tx.inbox(id.as_str()).await })).await.unwrap();
            assert!(row.unwrap().body == body, "a body of {} bytes is another one", body.len());
        }
    }
}

story! {
    async fn f02_a_repeat_gets_the_bytes_of_the_first_answer_and_does_nothing(db: &Db) {
        let store = db.store().await;
        let opening = says("oA");
        let first = store.ingest(opening.clone()).await.unwrap();
        let second = says("oA");
        assert_eq!(store.ingest(second.clone()).await.unwrap(), Ingested { novelty: Novelty::New, reply: None });
        let follow = follows("oB");
        assert_eq!(store.ingest(follow.clone()).await.unwrap().reply.unwrap(), b"welcome");
        for _ in 0..2 {
            let repeat = store.ingest(again(&opening)).await.unwrap();
            assert_eq!(repeat, Ingested { novelty: Novelty::Repeat, reply: first.reply.clone() });
            assert_eq!(store.ingest(again(&second)).await.unwrap(), Ingested { novelty: Novelty::Repeat, reply: None });
            assert_eq!(store.ingest(again(&follow)).await.unwrap().reply.unwrap(), b"welcome");
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM inbox").await, 3);
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 3);
    }
}

story! {
    async fn f02_repeats_inside_one_batch_are_one_message(db: &Db) {
        let store = db.store().await;
        let message = says("oA");
        let mut batch: Vec<Arrival> = (0..10).map(|_| again(&message)).collect();
        batch.insert(5, says("oB"));
        let answers: Vec<Ingested> =
            in_one_batch(db, &store, batch).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_new()).count(), 2);
        assert!(answers[0].is_new() && answers[5].is_new());
        assert!(answers.iter().all(|answer| answer.reply.as_deref() == Some(WAITING)));
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 2);
    }
}

story! {
    async fn f02_repeats_at_two_nodes_at_once_are_one_message(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        for round in 0..10 {
            let message = says("oA");
            // The first message of a round finds no conversation, so that its answer is made in the transaction.
            nodes[0].ingest(unfollows("oA")).await.unwrap();
            let answers = join_all((0..12).map(|n| nodes[n % 2].ingest(again(&message)))).await;
            let answers: Vec<Ingested> = answers.into_iter().map(Result::unwrap).collect();
            assert_eq!(answers.iter().filter(|answer| answer.is_new()).count(), 1, "round {round}");
            assert!(answers.iter().all(|answer| answer.reply.as_deref() == Some(WAITING)), "round {round}");
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 20);
    }
}

story! {
    async fn f03_a_repeat_is_known_after_a_restart_and_after_hours(db: &Db) {
        let message = says("oA");
        {
            let store = db.store().await;
            store.ingest(message.clone()).await.unwrap();
            store.close().await;
        }
        let store = db.store().await;
        let mut late = again(&message);
        late.received_at += 47 * HOUR;
        let purged = store
            .write(|tx| Box::pin(async move { tx.purge_dedup(NOW + 47 * HOUR - 48 * HOUR, 1000).await }))
            .await
            .unwrap();
        assert_eq!(purged, 0);
        assert_eq!(
            store.ingest(late).await.unwrap(),
            Ingested { novelty: Novelty::Repeat, reply: Some(WAITING.to_vec()) }
        );
    }
}

story! {
    async fn f03_dedup_keys_are_purged_when_their_time_is_over_oldest_first(db: &Db) {
        let store = db.store().await;
        let mut messages = Vec::new();
        for hour in [3, 1, 2, 49] {
            let message = Arrival { received_at: NOW + hour * HOUR, ..event() };
            store.ingest(message.clone()).await.unwrap();
            messages.push(message);
        }
        let before = NOW + 4 * HOUR;
        let purged = store.write(move |tx| Box::pin(async move { tx.purge_dedup(before, 2).await })).await.unwrap();
        assert_eq!(purged, 2);
        assert_eq!(db.count(&format!("SELECT MIN(at) FROM dedup WHERE at > {NOW}")).await, NOW + 3 * HOUR);
        let purged = store.write(move |tx| Box::pin(async move { tx.purge_dedup(before, 9).await })).await.unwrap();
        assert_eq!(purged, 1);
        assert!(!store.ingest(again(&messages[3])).await.unwrap().is_new());
        assert!(store.ingest(again(&messages[0])).await.unwrap().is_new(), "a purged key counts as new");
        assert_eq!(db.count("SELECT COUNT(*) FROM inbox").await, 5, "the inbox itself is not purged");
    }
}

story! {
    async fn f04_two_people_with_one_msg_id_are_two_messages(db: &Db) {
        let store = db.store().await;
        let answers =
            in_one_batch(db, &store, vec![says_as("oA", 24_000_000_000_000_007), says_as("oB", 24_000_000_000_000_007)])
                .await;
        for answer in answers {
            assert_eq!(answer.unwrap(), Ingested { novelty: Novelty::New, reply: Some(WAITING.to_vec()) });
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 2);
    }
}

story! {
    async fn two_quick_messages_open_one_conversation_and_get_one_notice(db: &Db) {
        let store = db.store().await;
        let batch: Vec<Arrival> = (0..4).map(|n| says(if n % 2 == 0 { "oA" } else { "oB" })).collect();
        let answers = in_one_batch(db, &store, batch).await;
        let told: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().reply.is_some()).collect();
        assert_eq!(told, [true, true, false, false]);
        let of_a = db.texts("SELECT DISTINCT note FROM job WHERE lane = 'in/shop/oA'").await;
        assert_eq!(of_a, [conversation(&store, "oA").await.unwrap()]);
    }
}

story! {
    async fn quick_messages_at_two_nodes_open_one_conversation(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        for openid in ["oA", "oB", "oC", "oD"] {
            let answers = join_all((0..8).map(|n| nodes[n % 2].ingest(says(openid)))).await;
            let told = answers.into_iter().filter(|answer| answer.as_ref().unwrap().reply.is_some()).count();
            assert_eq!(told, 1);
        }
        assert_eq!(db.count("SELECT COUNT(DISTINCT note) FROM job").await, 4);
        assert_eq!(db.count("SELECT COUNT(*) FROM job WHERE note IS NULL").await, 0);
    }
}

story! {
    async fn follow_and_unfollow_between_messages_of_one_batch_take_effect_in_order(db: &Db) {
        let store = db.store().await;
        let batch = vec![
            follows("oA"), says("oA"), says("oA"), unfollows("oA"), follows("oA"), says("oA"), says("oB"),
            says("oC"), unfollows("oC"),
        ];
        let ids: Vec<String> = batch.iter().map(|arrival| arrival.id.to_string()).collect();
        let told: Vec<Option<Vec<u8>>> =
            in_one_batch(db, &store, batch).await.into_iter().map(|answer| answer.unwrap().reply).collect();
        let (welcome, waiting) = (Some(b"welcome".to_vec()), Some(WAITING.to_vec()));
        let none = None;
        assert_eq!(
            told,
            [&welcome, &waiting, &none, &none, &welcome, &waiting, &waiting, &waiting, &none].map(Clone::clone)
        );
        // The lane keeps the order of arrival, and each message knows its conversation.
        let of_a = db.texts("SELECT subject FROM job WHERE lane = 'in/shop/oA' ORDER BY position").await;
        assert_eq!(of_a, ids[..6]);
        let notes = db.texts("SELECT COALESCE(note, '') FROM job WHERE lane = 'in/shop/oA' ORDER BY position").await;
        assert_eq!(notes[0], "");
        assert_eq!(notes[1], notes[2]);
        assert_ne!(notes[1], notes[5]);
        assert_eq!((notes[3].as_str(), notes[4].as_str()), ("", ""));
        assert_eq!(conversation(&store, "oA").await.as_ref(), Some(&notes[5]));
        assert_eq!(conversation(&store, "oC").await, None);
        assert_eq!(db.count("SELECT subscribed FROM customer WHERE openid = 'oC'").await, 0);
        assert_eq!(db.count("SELECT subscribed FROM customer WHERE openid = 'oA'").await, 1);
    }
}

story! {
    async fn follow_and_unfollow_over_several_batches_take_effect_in_order(db: &Db) {
        let store = db.store().await;
        store.ingest(follows("oA")).await.unwrap();
        assert_eq!(conversation(&store, "oA").await, None);
        store.ingest(says("oA")).await.unwrap();
        let first = conversation(&store, "oA").await.unwrap();
        store.ingest(follows("oA")).await.unwrap();
        assert_eq!(conversation(&store, "oA").await.as_ref(), Some(&first), "a follow closes nothing");
        store.ingest(unfollows("oA")).await.unwrap();
        assert_eq!(conversation(&store, "oA").await, None);
        assert_eq!(store.ingest(says("oA")).await.unwrap().reply.as_deref(), Some(WAITING));
        assert_ne!(conversation(&store, "oA").await.unwrap(), first);
        assert_eq!(db.count("SELECT COUNT(*) FROM customer").await, 1);
    }
}

story! {
    async fn a_conversation_idle_for_48_hours_is_over(db: &Db) {
        let store = db.store().await;
        let at = |time| Arrival { received_at: time, ..says("oA") };
        store.ingest(at(NOW)).await.unwrap();
        let first = conversation(&store, "oA").await;
        // To the millisecond it is still open; each message starts the time anew.
        assert_eq!(store.ingest(at(NOW + 48 * HOUR)).await.unwrap().reply, None);
        // A message that comes late does not turn the time back.
        store.ingest(at(NOW + HOUR)).await.unwrap();
        assert_eq!(store.ingest(at(NOW + 96 * HOUR)).await.unwrap().reply, None);
        assert_eq!(conversation(&store, "oA").await, first);
        assert_eq!(store.ingest(at(NOW + 144 * HOUR + 1)).await.unwrap().reply.as_deref(), Some(WAITING));
        assert_ne!(conversation(&store, "oA").await, first);
        // What the agent writes counts too.
        store
            .write(|tx| Box::pin(async move { tx.touch_conversation(SHOP, "oA", NOW + 190 * HOUR).await }))
            .await
            .unwrap();
        assert_eq!(store.ingest(at(NOW + 230 * HOUR)).await.unwrap().reply, None);
    }
}

story! {
    async fn a_message_that_opens_without_a_notice_gets_its_own_reply(db: &Db) {
        let store = db.store().await;
        let mut message = says("oA");
        let Work::Customer { effect: store::Effect::Write { waiting, .. }, .. } = &mut message.work else { panic!() };
        *waiting = None;
        message.reply = Some(b"by rule".to_vec());
        assert_eq!(store.ingest(message.clone()).await.unwrap().reply.unwrap(), b"by rule");
        assert_eq!(store.ingest(again(&message)).await.unwrap().reply.unwrap(), b"by rule");
        assert!(conversation(&store, "oA").await.is_some());
    }
}

story! {
    async fn what_goes_to_a_ghost_is_put_on_its_customers_lane(db: &Db) {
        let store = db.store().await;
        store.ingest(follows("oA")).await.unwrap();
        store
            .write(|tx| Box::pin(async move { tx.plan_ghost(SHOP, "oA", 1, &["oA".into()], NOW).await }))
            .await
            .unwrap();
        let words = [agent_says("oA"), agent_says("oA"), agent_says("nobody")];
        for answer in in_one_batch(db, &store, words.to_vec()).await {
            assert_eq!(answer.unwrap(), Ingested { novelty: Novelty::New, reply: None });
        }
        let lanes = db.texts("SELECT lane FROM job WHERE kind = 'webhook' ORDER BY position").await;
        assert_eq!(lanes, ["out/shop/oA", "out/shop/oA"]);
        assert_eq!(db.count("SELECT COUNT(*) FROM inbox WHERE source = 'im'").await, 3);
        assert!(!store.ingest(again(&words[2])).await.unwrap().is_new());
    }
}

story! {
    async fn storing_alone_is_the_same_as_storing_in_a_group(db: &Db) {
        let store = db.store().await;
        let message = says("oA");
        let first = store.ingest_alone(message.clone()).await.unwrap();
        assert_eq!(first, Ingested { novelty: Novelty::New, reply: Some(WAITING.to_vec()) });
        assert!(!store.ingest(again(&message)).await.unwrap().is_new());
        assert_eq!(drain(&store).await.len(), 1);
    }
}
