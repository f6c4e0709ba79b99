//! Answers that wait, the replies that carry them, and what becomes of both.

use crate::engine::story;
use crate::given::*;
use desk::{DeliveryState, Direction, Reason};
use store::{DeliveryId, DueSlot, MessageId, NewMessage, Parked, Store};

/// A customer who wrote; gives the dedup key of the message.
async fn customer(store: &Store, openid: &str) -> String {
    let arrival = says(openid);
    let key = arrival.dedup_key.clone();
    store.ingest(arrival).await.unwrap();
    key
}

/// An answer in these parts; `Err` is one that failed from the start.
async fn answer(store: &Store, openid: &'static str, parts: &[Result<&'static str, Reason>]) -> MessageId {
    let (message, parts): (MessageId, Vec<_>) = (id(), parts.to_vec());
    let of = message.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_message(NewMessage {
                    id: &of,
                    account: SHOP,
                    openid,
                    direction: Direction::Out,
                    kind: "text",
                    conversation: None,
                    author: Some("user1"),
                    source_key: None,
                    said: None,
                    inbox: None,
                    created_at: NOW,
                })
                .await?;
                for (at, part) in parts.iter().enumerate() {
                    let delivery: DeliveryId = id();
                    let failed = part.err();
                    tx.insert_delivery(
                        &delivery,
                        &of,
                        at as i64,
                        part.unwrap_or("?"),
                        "",
                        openid,
                        None,
                        failed,
                        NOW,
                    )
                    .await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    message
}

async fn park(store: &Store, openid: &'static str, message: &MessageId) -> usize {
    let message = message.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(SHOP, openid).await?;
                tx.park(SHOP, openid, message.as_str(), &|part| part.body.clone(), true, NOW).await
            })
        })
        .await
        .unwrap()
}

async fn waiting(store: &Store, openid: &'static str) -> Vec<Parked> {
    store.read(move |tx| Box::pin(async move { tx.parked(SHOP, openid, 100).await })).await.unwrap()
}

fn words(parked: &[Parked]) -> Vec<&str> {
    parked.iter().map(|parked| parked.words.as_str()).collect()
}

async fn states(store: &Store, message: &MessageId) -> Vec<DeliveryState> {
    let message = message.clone();
    let parts =
        store.read(move |tx| Box::pin(async move { tx.deliveries(message.as_str()).await })).await.unwrap();
    parts.into_iter().map(|part| part.state).collect()
}

/// An attempt of WeChat's, whose reply carries the first of what waits; gives how often it came, and whether that had
/// been decided.
async fn attempt(store: &Store, key: &str, openid: &'static str, reply: &'static [u8]) -> (i64, bool) {
    let key = key.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(SHOP, openid).await?;
                let slot = tx.enter_slot(&key, SHOP, openid).await?;
                if !slot.decided {
                    let parked = tx.parked(SHOP, openid, 1).await?;
                    for parked in &parked {
                        tx.bind(&key, SHOP, openid, parked, &id(), NOW).await?;
                    }
                    tx.decide_slot(&key, Some(reply), parked.len() as i64).await?;
                }
                Ok((slot.copies, slot.decided))
            })
        })
        .await
        .unwrap()
}

async fn kept(store: &Store, key: &str) -> Option<Vec<u8>> {
    let key = key.to_owned();
    store.read(move |tx| Box::pin(async move { tx.kept_reply(&key).await })).await.unwrap().unwrap().1
}

async fn written(store: &Store, key: &str, copy: i64) {
    let key = key.to_owned();
    store.write(move |tx| Box::pin(async move { tx.slot_written(&key, copy).await })).await.unwrap();
}

async fn due(store: &Store) -> Vec<DueSlot> {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    store.due_slots(0, 10).await.unwrap()
}

story! {
    async fn f30_what_waits_keeps_its_order_and_what_had_failed_stays_outside(db: &Db) {
        let store = db.store().await;
        customer(&store, "oA").await;
        let first = answer(&store, "oA", &[Ok("1"), Ok("2"), Err(Reason::UnsupportedKind), Ok("3")]).await;
        let second = answer(&store, "oA", &[Ok("4")]).await;
        assert_eq!(park(&store, "oA", &first).await, 2, "the part that failed, and the one behind it");
        assert_eq!(park(&store, "oA", &second).await, 0);
        assert_eq!(words(&waiting(&store, "oA").await), ["1", "2", "4"]);
        // Parked again it keeps its place.
        assert_eq!(park(&store, "oA", &first).await, 2);
        assert_eq!(words(&waiting(&store, "oA").await), ["1", "2", "4"]);
        use DeliveryState::{Failed, Parked, Waiting};
        assert_eq!(states(&store, &first).await, [Parked, Parked, Failed, Waiting]);
        let counts = store.counts(SHOP).await.unwrap();
        assert_eq!((counts.parked, counts.failed), (3, 1));
        let all = store.all_parked("", 10).await.unwrap();
        assert_eq!(all.iter().map(|parked| parked.words.as_str()).collect::<Vec<_>>(), ["1", "4"]);
        assert_eq!(store.vitals().await.unwrap().parked, [(SHOP.to_owned(), 2)]);

        // The lane takes the oldest; its rows go when its parts have ended.
        let taken = store.write(|tx| Box::pin(async move { tx.unpark(SHOP, "oA", NOW).await })).await.unwrap();
        assert_eq!(taken.as_deref(), Some(first.as_str()));
        assert_eq!(states(&store, &first).await, [Waiting, Waiting, Failed, Waiting]);
        assert_eq!(words(&waiting(&store, "oA").await), ["1", "2", "4"]);
        let of = first.clone();
        let failed = store
            .write(move |tx| Box::pin(async move { tx.fail_parked(of.as_str(), Reason::Dropped, NOW).await }))
            .await
            .unwrap();
        assert_eq!(failed, 0, "the lane has it");
        let of = second.clone();
        let failed = store
            .write(move |tx| Box::pin(async move { tx.fail_parked(of.as_str(), Reason::NotFetched, NOW).await }))
            .await
            .unwrap();
        assert_eq!((failed, states(&store, &second).await), (1, vec![Failed]));
        assert_eq!(words(&waiting(&store, "oA").await), ["1", "2"]);
    }
}

story! {
    async fn f40_an_answer_is_bound_to_one_message_and_its_repeats_get_the_same(db: &Db) {
        let store = db.store().await;
        let key = customer(&store, "oA").await;
        let message = answer(&store, "oA", &[Ok("one")]).await;
        park(&store, "oA", &message).await;
        assert_eq!(attempt(&store, &key, "oA", b"reply").await, (1, false));
        let other = customer(&store, "oA").await;
        assert_eq!(attempt(&store, &other, "oA", b"nothing").await, (1, false));
        // From another node, after a restart.
        let again = db.store().await;
        assert_eq!(attempt(&again, &key, "oA", b"never").await, (2, true));
        assert_eq!(kept(&again, &key).await.as_deref(), Some(&b"reply"[..]));
        assert_eq!(kept(&again, &other).await.as_deref(), Some(&b"nothing"[..]));
        assert_eq!(states(&store, &message).await, [DeliveryState::Sending]);
        let taken = store.write(|tx| Box::pin(async move { tx.unpark(SHOP, "oA", NOW).await })).await.unwrap();
        assert_eq!(taken, None, "the lane does not send what a reply carries");
        assert_eq!(store.due_slots(60_000, 10).await.unwrap(), [], "WeChat may still come again");
        let due = due(&store).await;
        assert_eq!(due.len(), 1, "what carries nothing has nothing to be settled");
        assert!(due[0].bound && !due[0].is_sent(), "nobody wrote it out");
    }
}

story! {
    async fn f40_a_reply_counts_by_when_it_was_written_and_how_often_it_was_asked_for(db: &Db) {
        let store = db.store().await;
        // What happened to it: a number is an attempt of WeChat's that was answered in time, 0 one that was not.
        for (n, (story, sent)) in [
            (&[1][..], true),
            (&[0][..], false),
            (&[1, 0], false),
            (&[0, 1], true),
            (&[1, 1], true),
            (&[0, 0, 1], true),
            (&[1, 1, 1], false),
            (&[0, 0, 1, 1], false),
        ]
        .into_iter()
        .enumerate()
        {
            let openid: &'static str = ["o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7"][n];
            let key = customer(&store, openid).await;
            let message = answer(&store, openid, &[Ok("one")]).await;
            park(&store, openid, &message).await;
            for in_time in story {
                let (copy, _) = attempt(&store, &key, openid, b"reply").await;
                if *in_time == 1 {
                    written(&store, &key, copy).await;
                }
            }
            let due = due(&store).await.pop().unwrap();
            assert_eq!(due.is_sent(), sent, "{story:?}");
            // An attempt that comes in between stops it.
            let stale = DueSlot { copies: due.copies - 1, ..due.clone() };
            for (slot, settled) in [(stale, false), (due.clone(), true), (due, false)] {
                let done = store
                    .write(move |tx| Box::pin(async move { tx.settle_slot(&slot).await }))
                    .await
                    .unwrap();
                assert_eq!(done, settled);
            }
        }
    }
}

story! {
    async fn f32_a_long_answer_is_cut_and_its_rest_stays_first(db: &Db) {
        let store = db.store().await;
        let key = customer(&store, "oA").await;
        let message = answer(&store, "oA", &[Ok("春の新作です")]).await;
        let behind = answer(&store, "oA", &[Ok("behind")]).await;
        park(&store, "oA", &message).await;
        park(&store, "oA", &behind).await;
        let long = waiting(&store, "oA").await.remove(0);
        let at = "春の".len();
        store
            .write(move |tx| Box::pin(async move {
                tx.lock_customer(SHOP, "oA").await?;
                tx.cut_parked(SHOP, "oA", &long, at).await
            }))
            .await
            .unwrap();
        assert_eq!(words(&waiting(&store, "oA").await), ["春の", "新作です", "behind"]);
        attempt(&store, &key, "oA", b"reply").await;
        assert_eq!(words(&waiting(&store, "oA").await), ["新作です", "behind"]);
        let delivery = waiting(&store, "oA").await.remove(0).delivery;
        let left = store
            .read(move |tx| Box::pin(async move {
                Ok((tx.left_of(&delivery).await?, tx.parked_words(&delivery).await?))
            }))
            .await
            .unwrap();
        assert_eq!(left, ((1, 1), Some("新作です".to_owned())));
    }
}

story! {
    async fn f32_that_an_account_is_passive_outlives_a_restart_and_is_tried_again_by_one(db: &Db) {
        let store = db.store().await;
        let set = || store.write(|tx| Box::pin(async move { tx.set_passive(SHOP, NOW, NOW + HOUR).await }));
        assert!(set().await.unwrap());
        assert!(!set().await.unwrap(), "no news");
        let again = db.store().await;
        assert_eq!(again.passive_accounts().await.unwrap(), [(SHOP.to_owned(), NOW)]);
        let probe = |at| store.write(move |tx| Box::pin(async move { tx.take_probe(SHOP, at, at + HOUR).await }));
        assert!(!probe(NOW).await.unwrap());
        assert!(probe(NOW + HOUR).await.unwrap());
        assert!(!probe(NOW + HOUR).await.unwrap(), "somebody else tries");
        assert!(store.write(|tx| Box::pin(async move { tx.unset_passive(SHOP).await })).await.unwrap());
        assert_eq!(again.passive_accounts().await.unwrap(), []);
    }
}

story! {
    async fn f30_what_waits_is_found_by_age_and_by_who_was_not_told(db: &Db) {
        let store = db.store().await;
        customer(&store, "oA").await;
        let message = answer(&store, "oA", &[Ok("one"), Ok("two")]).await;
        let of = message.clone();
        store
            .write(move |tx| Box::pin(async move {
                tx.lock_customer(SHOP, "oA").await?;
                tx.park(SHOP, "oA", of.as_str(), &|part| part.body.clone(), false, NOW).await
            }))
            .await
            .unwrap();
        assert_eq!(store.parked_before(SHOP, NOW, 10).await.unwrap().len(), 0);
        assert_eq!(store.parked_before(SHOP, NOW + 1, 10).await.unwrap().len(), 2);
        assert_eq!(store.parked_before("outlet", NOW + 1, 10).await.unwrap().len(), 0);
        assert_eq!(store.untold_parked(NOW + 1, 10).await.unwrap().len(), 2);
        let tell = || {
            let of = message.clone();
            store.write(move |tx| Box::pin(async move { tx.told_of_parked(of.as_str()).await }))
        };
        assert!(tell().await.unwrap() && !tell().await.unwrap());
        assert_eq!(store.untold_parked(NOW + 1, 10).await.unwrap().len(), 0);
    }
}
