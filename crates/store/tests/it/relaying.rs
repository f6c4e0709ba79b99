//! What most messages go through together: taken in, begun, ended.

use crate::engine::story;
use crate::given::*;
use desk::{DeliveryState, Millis};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{AttemptId, Delivered, Due, Error, GhostState, Job, Lane, MessageId, PlainMessage, Store};

const AGENT: &str = "user1";

/// Customers in conversations with AGENT, each with a ghost and a webhook at the head of a lane that is held.
async fn talking(store: &Store, openids: &[&'static str]) -> HashMap<String, (Lane, Job)> {
    for openid in openids {
        store.ingest(says(openid)).await.unwrap();
    }
    let lanes = store.claim("node", 99, LONG, desk::Direction::In).await.unwrap();
    assert_eq!(lanes.len(), openids.len());
    let mut held = HashMap::new();
    for mut lane in lanes {
        let job = lane.head.take().unwrap();
        let (openid, conversation) = (lane.openid.clone(), job.note.clone().unwrap());
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.open_conversation(&conversation, SHOP, &openid, AGENT, NOW).await?;
                    let ghost = tx.plan_ghost(SHOP, &openid, 1, &[format!("g_{openid}")], NOW).await?;
                    tx.set_ghost(&ghost.user_id, GhostState::Living, NOW).await
                })
            })
            .await
            .unwrap();
        held.insert(lane.openid.clone(), (lane, job));
    }
    held
}

fn plain((lane, job): &(Lane, Job), words: &str) -> PlainMessage {
    PlainMessage {
        lane: lane.clone(),
        job: job.clone(),
        message: id(),
        delivery: id(),
        kind: "text",
        conversation: job.note.clone().unwrap(),
        words: words.into(),
        source_key: Some("42".into()),
        received_at: NOW - 5,
        now: NOW,
        serving: vec![AGENT.into()],
        windows: Arc::new(|kept: &str| (format!("{kept}+"), Some(NOW + HOUR))),
        attempt: None,
    }
}

async fn take_in(store: &Store, messages: Vec<PlainMessage>) -> Vec<Result<Option<Due>, Error>> {
    join_all(messages.into_iter().map(|message| store.take_in(message))).await
}

/// A message that was taken in, as its job stands then.
fn relaying(held: &(Lane, Job), message: &MessageId) -> Job {
    Job { kind: "relay".into(), subject: message.to_string(), tries: 0, ..held.1.clone() }
}

async fn begin(store: &Store, lane: &Lane, delivery: &str, at: Millis) -> Result<(), Error> {
    let attempt: AttemptId = id();
    store.begin_attempt(lane, attempt, delivery, at).await
}

fn ended(lane: &Lane, job: &Job, delivery: &str) -> Delivered {
    Delivered {
        lane: lane.clone(),
        job: job.clone(),
        delivery: delivery.into(),
        was: DeliveryState::Sending,
        detail: "0".into(),
        msg_key: Some("key".into()),
        now: NOW + 9,
    }
}

story! {
    async fn plain_messages_go_their_way_together(db: &Db) {
        let store = db.store().await;
        let openids = ["oA", "oB", "oC", "oD", "oE"];
        let held = talking(&store, &openids).await;
        // One has another webhook behind it.
        store.ingest(says("oC")).await.unwrap();
        let messages: Vec<PlainMessage> = openids.iter().map(|openid| plain(&held[*openid], openid)).collect();
        let ids: Vec<MessageId> = messages.iter().map(|message| message.message.clone()).collect();
        let due: Vec<Due> = take_in(&store, messages).await.into_iter().map(|due| due.unwrap().unwrap()).collect();
        for (openid, due) in openids.iter().zip(&due) {
            assert_eq!((due.delivery.body.as_str(), due.delivery.recipient.as_str()), (*openid, AGENT));
            assert_eq!((due.delivery.sender.clone(), due.ghost), (format!("g_{openid}"), Some(GhostState::Living)));
            assert_eq!((due.delivery.msg_seq, due.windows.as_deref()), (Some(1), Some("+")));
        }
        // What is given is what stands there.
        for (id, due) in ids.iter().zip(&due) {
            let id = id.clone();
            let kept = store.read(move |tx| Box::pin(async move { tx.deliveries(id.as_str()).await })).await.unwrap();
            assert_eq!(kept, std::slice::from_ref(&due.delivery));
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM customer WHERE msg_seq = 1 AND windows = '+' AND window_until > 0").await, 5);
        assert_eq!(db.count(&format!("SELECT COUNT(*) FROM conversation WHERE waiting_since = {}", NOW - 5)).await, 5);
        assert_eq!(
            db.count("SELECT COUNT(*) FROM message m JOIN inbox i ON i.id = m.inbox WHERE m.direction = 'in' AND m.source_key = '42' \
                AND m.conversation IS NOT NULL AND m.kind = 'text'").await,
            5
        );
        assert_eq!(db.count("SELECT COUNT(*) FROM job WHERE kind = 'relay' AND position = 0").await, 5);

        let lanes: Vec<&Lane> = openids.iter().map(|openid| &held[*openid].0).collect();
        let begun = join_all(lanes.iter().zip(&due).map(|(lane, due)| begin(&store, lane, &due.delivery.id, NOW + 1))).await;
        assert!(begun.iter().all(Result::is_ok), "{begun:?}");
        assert_eq!(db.count(&format!("SELECT COUNT(*) FROM attempt WHERE account = '{SHOP}' AND ended_at IS NULL")).await, 5);
        assert_eq!(db.count("SELECT COUNT(*) FROM delivery WHERE state = 'sending' AND tries = 1 AND first_try_at > 0").await, 5);

        let all: Vec<Delivered> = openids
            .iter()
            .zip(due.iter().zip(&ids))
            .map(|(openid, (due, id))| ended(&held[*openid].0, &relaying(&held[*openid], id), &due.delivery.id))
            .collect();
        let left = join_all(all.iter().cloned().map(|one| store.delivered(one))).await;
        let left: Vec<Option<i64>> = left.into_iter().map(Result::unwrap).collect();
        assert_eq!(left, [Some(0), Some(0), Some(1), Some(0), Some(0)]);
        assert_eq!(db.texts("SELECT id FROM lane WHERE holder IS NOT NULL").await, ["in/shop/oC"]);
        assert_eq!(db.count("SELECT COUNT(*) FROM lane WHERE head = 1").await, 5);
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 1);
        assert_eq!(db.count("SELECT COUNT(*) FROM delivery WHERE state = 'sent' AND msg_key = 'key'").await, 5);
        assert_eq!(db.count("SELECT COUNT(*) FROM attempt WHERE outcome = 'sent' AND detail = '0' AND ended_at > 0").await, 5);
        // Once more, as after an answer that was lost.
        assert_eq!(store.delivered(all[2].clone()).await.unwrap(), None);
        assert_eq!(db.count("SELECT COUNT(*) FROM lane WHERE head = 1").await, 5);
    }
}

story! {
    async fn a_lost_lane_takes_nothing_of_its_neighbours_with_it(db: &Db) {
        let store = db.store().await;
        let held = talking(&store, &["oA", "oB", "oC"]).await;
        db.execute("UPDATE lane SET epoch = epoch + 1 WHERE openid = 'oB'").await;
        let messages = ["oA", "oB", "oC"].map(|openid| plain(&held[openid], openid));
        let ids = messages.clone().map(|message| message.message);
        let due = take_in(&store, messages.to_vec()).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(due.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(db.texts("SELECT openid FROM message ORDER BY openid").await, ["oA", "oC"]);
        assert_eq!(db.texts("SELECT lane FROM job WHERE kind = 'push'").await, ["in/shop/oB"]);
        assert_eq!(db.texts("SELECT openid FROM customer WHERE msg_seq = 0 AND windows = ''").await, ["oB"]);

        db.execute("UPDATE lane SET epoch = epoch + 1 WHERE openid = 'oA'").await;
        let (a, c) = (due[0].as_ref().unwrap(), due[2].as_ref().unwrap());
        let (begun_a, begun_c) = tokio::join!(
            begin(&store, &held["oA"].0, &a.delivery.id, NOW),
            begin(&store, &held["oC"].0, &c.delivery.id, NOW)
        );
        assert!(matches!(begun_a, Err(Error::LeaseLost)), "{begun_a:?}");
        begun_c.unwrap();
        assert_eq!(db.texts("SELECT delivery FROM attempt").await, std::slice::from_ref(&c.delivery.id));
        assert_eq!(db.texts("SELECT state FROM delivery ORDER BY sender").await, ["waiting", "sending"]);

        let mut late = ended(&held["oA"].0, &relaying(&held["oA"], &ids[0]), &a.delivery.id);
        late.was = DeliveryState::Waiting;
        let good = ended(&held["oC"].0, &relaying(&held["oC"], &ids[2]), &c.delivery.id);
        let (late, good) = tokio::join!(store.delivered(late), store.delivered(good));
        assert_eq!((late.unwrap(), good.unwrap()), (None, Some(0)));
        assert_eq!(db.texts("SELECT state FROM delivery ORDER BY sender").await, ["waiting", "sent"]);
    }
}

story! {
    async fn a_message_that_the_database_refuses_pays_alone(db: &Db) {
        let store = db.store().await;
        let held = talking(&store, &["oA", "oB", "oC"]).await;
        let mut messages = ["oA", "oB", "oC"].map(|openid| plain(&held[openid], openid));
        // An id that is there already.
        let taken = store.take_in(messages[0].clone()).await.unwrap().unwrap();
        messages[1].delivery = messages[0].delivery.clone();
        let ended = take_in(&store, messages[1..].to_vec()).await;
        assert!(matches!(ended[0], Err(Error::Database(_))), "{ended:?}");
        assert!(matches!(ended[1], Ok(Some(_))), "{ended:?}");
        assert_eq!(db.texts("SELECT openid FROM message ORDER BY openid").await, ["oA", "oC"]);
        assert_eq!(db.texts("SELECT lane FROM job WHERE kind = 'push'").await, ["in/shop/oB"]);
        assert_eq!(taken.delivery.id, messages[0].delivery.as_str());
    }
}

story! {
    async fn what_there_is_more_to_is_left_as_it_is(db: &Db) {
        let store = db.store().await;
        let held = talking(&store, &["oA"]).await;
        let untouched = || async {
            assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 0);
            assert_eq!(db.count("SELECT COUNT(*) FROM job WHERE kind = 'push'").await, 1);
            assert_eq!(db.count("SELECT COUNT(*) FROM customer WHERE msg_seq = 0 AND windows = ''").await, 1);
        };
        for (doing, undoing) in [
            ("UPDATE customer SET last_act = 'looked at prices'", "UPDATE customer SET last_act = NULL"),
            ("UPDATE ghost SET state = 'retired'", "UPDATE ghost SET state = 'living'"),
            ("UPDATE conversation SET agent = 'gone'", "UPDATE conversation SET agent = 'user1'"),
            (
                "INSERT INTO mailbox (account, openid, position, message, delivery, piece, words, parked_at, told) \
                 VALUES ('shop', 'oA', 1, 'm', 'd', 0, 'words', 1, 0)",
                "DELETE FROM mailbox",
            ),
        ] {
            db.execute(doing).await;
            assert_eq!(store.take_in(plain(&held["oA"], "hello")).await.unwrap(), None, "{doing}");
            untouched().await;
            db.execute(undoing).await;
        }
        let mut new = plain(&held["oA"], "hello");
        new.conversation = "another".into();
        assert_eq!(store.take_in(new).await.unwrap(), None);
        untouched().await;
        // A ghost that IM does not know yet is no hindrance: its import comes next.
        db.execute("UPDATE ghost SET state = 'planned'").await;
        let due = store.take_in(plain(&held["oA"], "hello")).await.unwrap().unwrap();
        assert_eq!(due.ghost, Some(GhostState::Planned));
        // What was taken in is not taken in twice.
        assert_eq!(store.take_in(plain(&held["oA"], "hello")).await.unwrap(), None);
        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 1);
    }
}

story! {
    async fn a_part_with_others_behind_it_ends_the_long_way(db: &Db) {
        let store = db.store().await;
        let held = talking(&store, &["oA"]).await;
        let message = plain(&held["oA"], "first");
        let id = message.message.clone();
        let due = store.take_in(message).await.unwrap().unwrap();
        let of = id.clone();
        store
            .write(move |tx| Box::pin(async move {
                tx.insert_delivery(&crate::given::id(), &of, 1, "second", "g_oA", AGENT, Some(2), None, NOW).await
            }))
            .await
            .unwrap();
        let (lane, job) = (&held["oA"].0, relaying(&held["oA"], &id));
        begin(&store, lane, &due.delivery.id, NOW).await.unwrap();
        assert_eq!(store.delivered(ended(lane, &job, &due.delivery.id)).await.unwrap(), None);
        assert_eq!(db.texts("SELECT state FROM delivery ORDER BY part").await, ["sending", "waiting"]);
        // Somebody put the job off meanwhile: it is not as it was read.
        db.execute("UPDATE delivery SET state = 'sent' WHERE part = 1").await;
        let other = Job { tries: 1, ..job.clone() };
        assert_eq!(store.delivered(ended(lane, &other, &due.delivery.id)).await.unwrap(), None);
        assert_eq!(store.delivered(ended(lane, &job, &due.delivery.id)).await.unwrap(), Some(0));
    }
}

story! {
    async fn an_attempt_begins_with_the_message_if_its_ghost_can_send_it(db: &Db) {
        let store = db.store().await;
        let held = talking(&store, &["oA", "oB"]).await;
        db.execute("UPDATE ghost SET state = 'planned' WHERE openid = 'oB'").await;
        let messages = ["oA", "oB"].map(|openid| PlainMessage { attempt: Some(id()), ..plain(&held[openid], openid) });
        let due: Vec<Due> = take_in(&store, messages.to_vec()).await.into_iter().map(|due| due.unwrap().unwrap()).collect();
        assert_eq!((due[0].begun, due[1].begun), (true, false));
        assert_eq!((due[0].delivery.state, due[0].delivery.tries), (DeliveryState::Waiting, 0), "as it was before");
        assert_eq!(
            db.texts("SELECT sender || state || tries || COALESCE(first_try_at, 0) FROM delivery ORDER BY sender").await,
            [format!("g_oAsending1{NOW}"), "g_oBwaiting00".into()]
        );
        let begun = format!("{}{}{SHOP}", due[0].delivery.id, held["oA"].0.epoch);
        assert_eq!(db.texts("SELECT delivery || epoch || account FROM attempt WHERE ended_at IS NULL").await, [begun]);
        let job = relaying(&held["oA"], &messages[0].message);
        assert_eq!(store.delivered(ended(&held["oA"].0, &job, &due[0].delivery.id)).await.unwrap(), Some(0));
        assert_eq!(db.count("SELECT COUNT(*) FROM attempt WHERE outcome = 'sent'").await, 1);
    }
}

story! {
    async fn nodes_that_take_in_the_same_customers_wait_for_each_other(db: &Db) {
        let store = db.store().await;
        let openids = ["oA", "oB", "oC", "oD"];
        let held = talking(&store, &openids).await;
        let other = db.store().await;
        let again: Vec<PlainMessage> = openids.iter().rev().map(|openid| plain(&held[*openid], openid)).collect();
        let first: Vec<PlainMessage> = openids.iter().map(|openid| plain(&held[*openid], openid)).collect();
        let (one, two) = tokio::time::timeout(Duration::from_secs(10), async {
            tokio::join!(take_in(&store, first), take_in(&other, again))
        })
        .await
        .unwrap();
        let taken = one.into_iter().chain(two).filter(|due| due.as_ref().unwrap().is_some()).count();
        assert_eq!(taken, 4, "each once");
        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 4);
    }
}
