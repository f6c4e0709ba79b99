//! Conversations and their agents; the numbers of a customer's messages.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use store::{Error, LOAD_COUNTED, Store};

async fn open(store: &Store, id: &'static str, openid: &'static str, agent: &'static str) {
    store
        .write(move |tx| Box::pin(async move { tx.open_conversation(id, SHOP, openid, agent, NOW).await }))
        .await
        .unwrap();
}

async fn load(store: &Store, agent: &'static str) -> i64 {
    let agents = vec![agent.to_owned(), "another".to_owned()];
    let loads = store.read(move |tx| Box::pin(async move { tx.loads(SHOP, &agents).await })).await.unwrap();
    loads.into_iter().find(|(who, _)| who == agent).unwrap().1
}

async fn latest(store: &Store, openid: &'static str) -> Option<String> {
    store.read(move |tx| Box::pin(async move { tx.latest_agent(SHOP, openid).await })).await.unwrap()
}

story! {
    async fn who_has_very_many_is_not_counted_to_the_end(db: &Db) {
        let store = db.store().await;
        store
            .write(|tx| {
                Box::pin(async move {
                    for n in 0..LOAD_COUNTED + 5 {
                        tx.open_conversation(&format!("c{n}"), SHOP, &format!("o{n}"), "user1", NOW).await?;
                    }
                    tx.open_conversation("another", "another shop", "o1", "user2", NOW).await
                })
            })
            .await
            .unwrap();
        assert_eq!((load(&store, "user1").await, load(&store, "user2").await), (LOAD_COUNTED, 0));
    }
}

story! {
    async fn a_customer_has_one_open_conversation(db: &Db) {
        let store = db.store().await;
        open(&store, "c1", "oA", "user1").await;
        open(&store, "c2", "oB", "user1").await;
        assert_eq!((load(&store, "user1").await, load(&store, "user2").await), (2, 0));
        open(&store, "c3", "oA", "user2").await;
        assert_eq!((load(&store, "user1").await, load(&store, "user2").await), (1, 1));
        assert_eq!(latest(&store, "oA").await.as_deref(), Some("user2"));
        assert_eq!(db.texts("SELECT closed_by FROM conversation WHERE id = 'c1'").await, ["idle"]);
        let agent = store.read(|tx| Box::pin(async move { tx.conversation_agent("c3").await })).await.unwrap();
        assert_eq!(agent.as_deref(), Some("user2"));
        let agent = store.read(|tx| Box::pin(async move { tx.conversation_agent("c9").await })).await.unwrap();
        assert_eq!(agent, None);
        store
            .write(|tx| Box::pin(async move { tx.close_conversations(SHOP, "oA", "unfollow", NOW).await }))
            .await
            .unwrap();
        assert_eq!(load(&store, "user2").await, 0);
        assert_eq!(latest(&store, "oA").await, None);
        assert_eq!(latest(&store, "oB").await.as_deref(), Some("user1"));
    }
}

story! {
    async fn message_numbers_are_given_out_once(db: &Db) {
        let store = db.store().await;
        store.ingest(follows("oA")).await.unwrap();
        let taken = join_all((1..=12).map(|count| {
            let store = store.clone();
            tokio::spawn(async move {
                let first = store
                    .write(move |tx| Box::pin(async move { tx.take_seqs(SHOP, "oA", count).await }))
                    .await
                    .unwrap();
                (first..).take(count as usize)
            })
        }))
        .await;
        let mut numbers: Vec<u32> = taken.into_iter().flat_map(Result::unwrap).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=78).collect::<Vec<u32>>());
        let nobody = store.write(|tx| Box::pin(async move { tx.take_seqs(SHOP, "oX", 1).await })).await;
        assert!(matches!(nobody, Err(Error::Unknown("customer"))));
    }
}

story! {
    async fn two_at_once_do_not_take_the_same_turn(db: &Db) {
        let store = db.store().await;
        let turns = join_all((0..20).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let turn = tx.take_turn(SHOP).await?;
                            // Whoever has the turn sees what those before have given away.
                            let given = tx.turns(SHOP).await?.len() as i64;
                            tx.give_turn(SHOP, &format!("user{n}"), turn).await?;
                            Ok((turn, given))
                        })
                    })
                    .await
                    .unwrap()
            })
        }))
        .await;
        let mut turns: Vec<(i64, i64)> = turns.into_iter().map(Result::unwrap).collect();
        turns.sort_unstable();
        assert_eq!(turns, (0..20).map(|n| (n + 1, n)).collect::<Vec<_>>());
    }
}

story! {
    async fn a_conversation_changes_hands_once(db: &Db) {
        let store = db.store().await;
        open(&store, "c1", "oA", "user1").await;
        let (first, second) = tokio::join!(
            store.write(|tx| Box::pin(async move { tx.reassign("c1", "user1", "user2").await })),
            store.write(|tx| Box::pin(async move { tx.reassign("c1", "user1", "user3").await })),
        );
        assert_eq!(usize::from(first.unwrap()) + usize::from(second.unwrap()), 1);
        let once = || store.write(|tx| Box::pin(async move { tx.tell_once("c1", "a_b").await }));
        assert!(once().await.unwrap() && !once().await.unwrap());
        let other = store.write(|tx| Box::pin(async move { tx.tell_once("c1", "aXb").await })).await.unwrap();
        assert!(other, "an underscore is no wildcard");
    }
}

story! {
    async fn a_waiting_customer_is_found_until_somebody_answers(db: &Db) {
        let store = db.store().await;
        open(&store, "c1", "oA", "user1").await;
        let alone = |before| {
            let store = store.clone();
            async move {
                let found = store
                    .read(move |tx| Box::pin(async move { tx.left_alone(SHOP, "user1", before, 9).await }))
                    .await
                    .unwrap();
                found.len()
            }
        };
        for at in [NOW, NOW + 5] {
            store.write(move |tx| Box::pin(async move { tx.wait_for_answer("c1", at).await })).await.unwrap();
        }
        assert_eq!((alone(NOW - 1).await, alone(NOW).await), (0, 1), "since the first message");
        store.write(|tx| Box::pin(async move { tx.answered("c1").await })).await.unwrap();
        assert_eq!(alone(NOW + HOUR).await, 0);
    }
}

story! {
    async fn silence_closes_a_conversation_unless_somebody_just_wrote(db: &Db) {
        let store = db.store().await;
        store.ingest(says("oA")).await.unwrap();
        let id = db.texts("SELECT conversation FROM customer").await.remove(0);
        let (opened, agent) = (id.clone(), "user1");
        store
            .write(move |tx| Box::pin(async move { tx.open_conversation(&opened, SHOP, "oA", agent, NOW).await }))
            .await
            .unwrap();
        let open = store.read(|tx| Box::pin(async move { tx.open_after("", 9).await })).await.unwrap();
        assert_eq!(open, [(id.clone(), SHOP.to_owned(), "oA".to_owned(), NOW)]);
        let close = |before| {
            let (store, id) = (store.clone(), id.clone());
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move { tx.close_idle(&id, SHOP, "oA", before, NOW + HOUR).await })
                    })
                    .await
                    .unwrap()
            }
        };
        assert!(!close(NOW).await, "somebody wrote at that moment");
        assert!(close(NOW + 1).await && !close(NOW + 1).await);
        assert_eq!(db.texts("SELECT closed_by FROM conversation").await, ["idle"]);
        // The next message opens another one, with the words for it.
        let next = store.ingest(says("oA")).await.unwrap();
        assert_eq!(next.reply.as_deref(), Some(WAITING));
        let by_command =
            || store.write(|tx| Box::pin(async move { tx.close_by_command(SHOP, "oA", NOW).await }));
        assert!(by_command().await.unwrap() && !by_command().await.unwrap());
    }
}

// What follows from the order of CreateTime, whatever the order of arrival.
story! {
    async fn what_was_said_before_an_unfollow_makes_no_follower(db: &Db) {
        let store = db.store().await;
        let at = |mut arrival: store::Arrival, when| {
            if let store::Work::Customer { said_at, .. } = &mut arrival.work {
                *said_at = when;
            }
            arrival
        };
        let subscribed = || db.count("SELECT subscribed FROM customer");
        store.ingest(at(follows("oA"), NOW)).await.unwrap();
        store.ingest(at(unfollows("oA"), NOW + 2000)).await.unwrap();
        assert_eq!(subscribed().await, 0);
        store.ingest(at(says("oA"), NOW + 1000)).await.unwrap();
        assert_eq!(subscribed().await, 0, "a late message");
        store.ingest(at(follows("oA"), NOW)).await.unwrap();
        assert_eq!(subscribed().await, 0, "a late repeat of the follow, under another key");
        store.ingest(at(says("oA"), NOW + 3000)).await.unwrap();
        assert_eq!(subscribed().await, 1, "whoever writes later follows, whether we heard of it or not");
        store.ingest(at(follows("oA"), NOW + 4000)).await.unwrap();
        store.ingest(at(unfollows("oA"), NOW + 3500)).await.unwrap();
        assert_eq!(subscribed().await, 1, "a late unfollow");
        let open = db.texts("SELECT conversation FROM customer WHERE conversation IS NOT NULL").await;
        assert_eq!(open.len(), 1, "and it closes nothing");
        let jobs = "SELECT kind FROM job WHERE note = 'overtaken' ORDER BY position";
        assert_eq!(db.texts(jobs).await.len(), 2, "the late follow and the late unfollow, for whoever does the jobs");
    }
}
