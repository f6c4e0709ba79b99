//! Conversations and their agents; the numbers of a customer's messages.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use store::{Error, Store};

async fn open(store: &Store, id: &'static str, openid: &'static str, agent: &'static str) {
    store
        .write(move |tx| Box::pin(async move { tx.open_conversation(id, SHOP, openid, agent, NOW).await }))
        .await
        .unwrap();
}

async fn load(store: &Store, agent: &'static str) -> i64 {
    store.read(move |tx| Box::pin(async move { tx.open_conversations(SHOP, agent).await })).await.unwrap()
}

async fn latest(store: &Store, openid: &'static str) -> Option<String> {
    store.read(move |tx| Box::pin(async move { tx.latest_agent(SHOP, openid).await })).await.unwrap()
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
