//! Transactions beside each other: one that fails costs its neighbours nothing.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use std::time::Duration;
use store::{Error, MessageId, NewMessage, Store, Tx};

async fn put(tx: &mut Tx<'_>, id: &MessageId) -> Result<(), Error> {
    tx.insert_message(NewMessage {
        id,
        account: SHOP,
        openid: "oA",
        direction: desk::Direction::In,
        kind: "text",
        conversation: None,
        author: None,
        source_key: None,
        said: None,
        inbox: None,
        created_at: NOW,
    })
    .await
}

fn writing(store: &Store, ids: Vec<MessageId>, panics: bool) -> tokio::task::JoinHandle<Result<(), Error>> {
    let store = store.clone();
    tokio::spawn(async move {
        store
            .write(move |tx| {
                Box::pin(async move {
                    for id in &ids {
                        put(tx, id).await?;
                    }
                    assert!(!panics, "on purpose");
                    Ok(())
                })
            })
            .await
    })
}

story! {
    async fn a_failing_write_costs_its_neighbours_nothing(db: &Db) {
        let store = db.store().await;
        let taken: MessageId = id();
        writing(&store, vec![taken.clone()], false).await.unwrap().unwrap();
        // Held up together, so that on SQLite they share one commit.
        let stall = db.stall().await;
        let busy = writing(&store, vec![id()], false);
        tokio::time::sleep(Duration::from_millis(30)).await;
        let writes: Vec<_> = (0..30)
            .map(|n| match n % 5 {
                // Fails at its second statement: its first is undone as well.
                1 => writing(&store, vec![id(), taken.clone()], false),
                2 => writing(&store, vec![id(), id()], true),
                _ => writing(&store, vec![id()], false),
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(30)).await;
        stall.release().await;
        busy.await.unwrap().unwrap();
        for (n, write) in join_all(writes).await.into_iter().enumerate() {
            match (n % 5, write) {
                (1, Ok(Err(Error::Database(_)))) => {}
                (2, Err(panic)) => assert!(panic.is_panic()),
                (0 | 3 | 4, Ok(Ok(()))) => {}
                (_, other) => panic!("write {n}: {other:?}"),
            }
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 2 + 18);
    }
}

story! {
    async fn a_write_that_is_alone_may_fail_too(db: &Db) {
        let store = db.store().await;
        let taken: MessageId = id();
        writing(&store, vec![taken.clone()], false).await.unwrap().unwrap();
        for _ in 0..3 {
            assert!(writing(&store, vec![id(), taken.clone()], false).await.unwrap().is_err());
            assert!(writing(&store, vec![id()], true).await.unwrap_err().is_panic());
            writing(&store, vec![id()], false).await.unwrap().unwrap();
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 4);
    }
}

story! {
    async fn who_stops_waiting_harms_nobody(db: &Db) {
        let store = db.store().await;
        let stall = db.stall().await;
        for n in 0..10 {
            let waiting = tokio::time::timeout(Duration::from_millis(5), store.ingest(says("oA"))).await;
            assert!(waiting.is_err(), "request {n} was answered before its commit");
            let write = writing(&store, vec![id()], false);
            tokio::time::sleep(Duration::from_millis(2)).await;
            write.abort();
        }
        stall.release().await;
        store.ingest(says("oA")).await.unwrap();
        let jobs = drain(&store).await;
        assert_eq!(jobs.len() as i64, db.count("SELECT COUNT(*) FROM inbox").await);
    }
}
