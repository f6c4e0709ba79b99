//! Messages, their parts, and what is known about the attempts at them.

use crate::engine::story;
use crate::given::*;
use desk::{DeliveryState, Direction, Reason};
use store::{AttemptId, Delivery, DeliveryId, Error, Job, Lane, MessageId, NewMessage, Outcome, Store};

async fn message_of_two_parts(store: &Store) -> (MessageId, Vec<DeliveryId>) {
    let (message, parts): (MessageId, Vec<DeliveryId>) = (id(), vec![id(), id()]);
    let (of, ids) = (message.clone(), parts.clone());
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_message(NewMessage {
                    id: &of,
                    account: SHOP,
                    openid: "oA",
                    direction: Direction::Out,
                    kind: "text",
                    conversation: Some("c1"),
                    author: Some("user1"),
                    source_key: Some("1_2_3"),
                    said: None,
                    inbox: Some("i1"),
                    created_at: NOW,
                })
                .await?;
                for (part, (id, body)) in ids.iter().zip(["5月に", "なります"]).enumerate() {
                    tx.insert_delivery(id, &of, part as i64, body, "", "oA", Some(u32::MAX), None, NOW)
                        .await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    (message, parts)
}

async fn parts_of(store: &Store, message: &MessageId) -> Vec<Delivery> {
    let message = message.clone();
    store.read(move |tx| Box::pin(async move { tx.deliveries(message.as_str()).await })).await.unwrap()
}

async fn begin(store: &Store, delivery: &DeliveryId, epoch: i64, at: i64) {
    let (id, delivery): (AttemptId, _) = (id(), delivery.clone());
    store
        .write(move |tx| Box::pin(async move { tx.begin_attempt(&id, delivery.as_str(), epoch, at).await }))
        .await
        .unwrap();
}

async fn end(
    store: &Store,
    delivery: &DeliveryId,
    state: DeliveryState,
    reason: Option<Reason>,
    key: Option<&'static str>,
) {
    let delivery = delivery.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let outcome = Outcome { state, reason, detail: "-1", msg_key: key };
                tx.end_attempt(delivery.as_str(), outcome, NOW + 9).await
            })
        })
        .await
        .unwrap();
}

story! {
    async fn a_message_and_its_parts_are_read_back_in_order(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        let text = message.to_string();
        let (read, missing) = store
            .read(move |tx| Box::pin(async move { Ok((tx.message(&text).await?, tx.message("none").await?)) }))
            .await
            .unwrap();
        let read = read.unwrap();
        assert_eq!((read.kind.as_str(), read.conversation.as_deref(), read.author.as_deref()), ("text", Some("c1"), Some("user1")));
        assert!(missing.is_none());
        let parts = parts_of(&store, &message).await;
        assert_eq!(parts.iter().map(|part| part.body.as_str()).collect::<Vec<_>>(), ["5月に", "なります"]);
        assert_eq!(parts[0].id, ids[0].as_str());
        assert_eq!((parts[1].state, parts[1].tries, parts[1].first_try_at), (DeliveryState::Waiting, 0, None));
        assert_eq!(parts[0].msg_seq, Some(u32::MAX));
        assert_eq!((parts[0].sender.as_str(), parts[0].recipient.as_str()), ("", "oA"));
    }
}

story! {
    async fn an_attempt_begins_and_ends(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        begin(&store, &ids[0], 1, NOW + 1).await;
        let open = parts_of(&store, &message).await.remove(0);
        assert_eq!((open.state, open.tries, open.first_try_at), (DeliveryState::Sending, 1, Some(NOW + 1)));
        end(&store, &ids[0], DeliveryState::Waiting, None, None).await;
        begin(&store, &ids[0], 2, NOW + 5).await;
        let open = parts_of(&store, &message).await.remove(0);
        assert_eq!((open.state, open.tries, open.first_try_at), (DeliveryState::Sending, 2, Some(NOW + 1)));
        end(&store, &ids[0], DeliveryState::Sent, None, Some("key")).await;
        let sent = parts_of(&store, &message).await.remove(0);
        assert_eq!((sent.state, sent.reason), (DeliveryState::Sent, None));
        assert_eq!(db.texts("SELECT msg_key FROM delivery WHERE part = 0").await, ["key"]);
        assert_eq!(db.texts("SELECT outcome || epoch FROM attempt ORDER BY started_at").await, ["waiting1", "sent2"]);
        assert_eq!(db.count("SELECT COUNT(*) FROM attempt WHERE ended_at IS NULL OR detail <> '-1'").await, 0);
        let first = ids[0].clone();
        let ended = store.read(move |tx| Box::pin(async move { tx.attempts_with(first.as_str(), "-1").await }));
        assert_eq!(ended.await.unwrap(), 2);
    }
}

async fn unsent(
    store: &Store,
    lane: &Lane,
    job: &Job,
    part: &DeliveryId,
    state: DeliveryState,
) -> Option<i64> {
    let (lane, job, part) = (lane.clone(), job.clone(), part.clone());
    let open =
        store.read(move |tx| Box::pin(async move { tx.still_open(&lane, &job, part.as_str(), state).await }));
    open.await.unwrap()
}

story! {
    async fn an_attempt_begins_only_for_who_holds_the_lane(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        enqueue(&store, vec![job("oA", message.to_string())]).await;
        let lane = claim(&store, std::time::Duration::from_millis(1)).await.unwrap();
        let job = head(&store, &lane).await;
        assert_eq!(lane.head.as_ref().map(|head| head.subject.as_str()), Some(message.as_str()));
        assert_eq!(unsent(&store, &lane, &job, &ids[0], DeliveryState::Waiting).await, Some(2));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let taken = claim(&store, LONG).await.unwrap();
        let late = store.begin_attempt(&lane, id(), ids[0].as_str(), NOW).await;
        assert!(matches!(late, Err(Error::LeaseLost)), "{late:?}");
        assert_eq!(db.count("SELECT COUNT(*) FROM attempt").await, 0);
        assert_eq!(parts_of(&store, &message).await[0].state, DeliveryState::Waiting);

        store.begin_attempt(&taken, id(), ids[0].as_str(), NOW + 1).await.unwrap();
        let open = parts_of(&store, &message).await.remove(0);
        assert_eq!((open.state, open.tries, open.first_try_at), (DeliveryState::Sending, 1, Some(NOW + 1)));
        assert_eq!(db.texts("SELECT account || epoch FROM attempt").await, [format!("{SHOP}{}", taken.epoch)]);
        assert_eq!(unsent(&store, &taken, &job, &ids[0], DeliveryState::Waiting).await, None);
        end(&store, &ids[0], DeliveryState::Sent, None, None).await;
        assert_eq!(unsent(&store, &taken, &job, &ids[1], DeliveryState::Waiting).await, Some(1));
    }
}

story! {
    async fn f44_who_takes_over_sees_the_open_attempt(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        enqueue(&store, vec![job("oA", message.to_string())]).await;
        let lane = claim(&store, std::time::Duration::from_millis(1)).await.unwrap();
        begin(&store, &ids[0], lane.epoch, NOW + 1).await;
        // The process dies here: nothing is rolled back, the store is opened again.
        drop(store);
        let store = db.store().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let lane = claim(&store, LONG).await.unwrap();
        assert_eq!(head(&store, &lane).await.subject, message.as_str());
        let parts = parts_of(&store, &message).await;
        assert_eq!((parts[0].state, parts[0].tries), (DeliveryState::Sending, 1));
        end(&store, &ids[0], DeliveryState::Unsure, None, None).await;
        assert_eq!(parts_of(&store, &message).await[0].state, DeliveryState::Unsure);
        assert_eq!(db.count("SELECT COUNT(*) FROM attempt WHERE ended_at IS NULL").await, 0);
    }
}

story! {
    async fn after_a_failed_part_the_rest_fails_and_nothing_else(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        let (other, _) = message_of_two_parts(&store).await;
        begin(&store, &ids[0], 1, NOW).await;
        end(&store, &ids[0], DeliveryState::Failed, Some(Reason::WindowClosed), None).await;
        let of = message.to_string();
        store.write(move |tx| Box::pin(async move { tx.fail_rest(&of, NOW).await })).await.unwrap();
        let parts = parts_of(&store, &message).await;
        assert_eq!((parts[0].state, parts[0].reason), (DeliveryState::Failed, Some(Reason::WindowClosed)));
        assert_eq!((parts[1].state, parts[1].reason), (DeliveryState::Failed, Some(Reason::EarlierPart)));
        assert!(parts_of(&store, &other).await.iter().all(|part| part.state == DeliveryState::Waiting));
    }
}

story! {
    async fn only_what_waits_changes_its_sender(db: &Db) {
        let store = db.store().await;
        let (message, ids) = message_of_two_parts(&store).await;
        begin(&store, &ids[0], 1, NOW).await;
        end(&store, &ids[0], DeliveryState::Sent, None, None).await;
        let of = message.to_string();
        store.write(move |tx| Box::pin(async move { tx.change_sender(&of, "oA-2").await })).await.unwrap();
        let senders: Vec<String> = parts_of(&store, &message).await.into_iter().map(|part| part.sender).collect();
        assert_eq!(senders, ["", "oA-2"]);
    }
}

story! {
    async fn a_part_that_cannot_go_has_failed_from_the_start(db: &Db) {
        let store = db.store().await;
        let (message, part): (MessageId, DeliveryId) = (id(), id());
        let of = message.clone();
        store
            .write(move |tx| Box::pin(async move {
                tx.insert_delivery(&part, &of, 0, "", "", "oA", None, Some(Reason::Empty), NOW).await
            }))
            .await
            .unwrap();
        let parts = parts_of(&store, &message).await;
        assert_eq!((parts[0].state, parts[0].reason, parts[0].msg_seq), (DeliveryState::Failed, Some(Reason::Empty), None));
    }
}

story! {
    async fn a_part_is_stored_once(db: &Db) {
        let store = db.store().await;
        let (message, _) = message_of_two_parts(&store).await;
        let of = message.clone();
        let twice = store
            .write(move |tx| Box::pin(async move {
                tx.insert_delivery(&id(), &of, 1, "again", "", "oA", None, None, NOW).await
            }))
            .await;
        assert!(matches!(twice, Err(store::Error::Database(_))));
        assert_eq!(parts_of(&store, &message).await.len(), 2);
    }
}
