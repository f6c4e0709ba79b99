//! A holder whose lane was taken over commits nothing.

use crate::engine::story;
use crate::given::*;
use std::time::Duration;
use store::{Error, Job, Lane, NewMessage, Store, Tx};

/// A lane that was claimed, ran out and was claimed by somebody else: (the old holder's, the new one's).
async fn taken_over(store: &Store) -> (Lane, Lane, Job) {
    enqueue(store, vec![job("oA", "1"), job("oA", "2")]).await;
    let old = claim(store, Duration::from_millis(1)).await.unwrap();
    let job = head(store, &old).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let new = claim(store, LONG).await.unwrap();
    assert_eq!((&new.id, new.epoch), (&old.id, old.epoch + 1));
    (old, new, job)
}

async fn write_message(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.insert_message(NewMessage {
        id: &id(),
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

fn lost<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::LeaseLost)), "{result:?}");
}

story! {
    async fn a_lost_lane_takes_no_result_and_rolls_back_everything_with_it(db: &Db) {
        let store = db.store().await;
        let (old, new, first) = taken_over(&store).await;
        let before = db.texts("SELECT id || holder || epoch || head || tail || ready_at FROM lane").await;

        let (lane, job) = (old.clone(), first.clone());
        lost(store.write(move |tx| Box::pin(async move {
            write_message(tx).await?;
            tx.enqueue(&[super::job("oB", "never")]).await?;
            tx.finish(&lane, &job).await
        })).await);
        let (lane, job) = (old.clone(), first.clone());
        lost(store.write(move |tx| Box::pin(async move {
            write_message(tx).await?;
            tx.put_off(&lane, &job, 0).await
        })).await);
        let (lane, job) = (old.clone(), first.clone());
        lost(store.write(move |tx| Box::pin(async move {
            write_message(tx).await?;
            tx.become_job(&lane, &job, "relay", "m1").await
        })).await);
        let lane = old.clone();
        lost(store.write(move |tx| Box::pin(async move {
            write_message(tx).await?;
            tx.fence(&lane).await
        })).await);
        lost(release(&store, &old, 0).await);
        let mut lane = old.clone();
        lost(store.renew(&mut lane, LONG).await);
        assert_eq!(lane.deadline, old.deadline);

        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 0);
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, 2);
        assert_eq!(db.count("SELECT COUNT(*) FROM job WHERE kind = 'push' AND tries = 0").await, 2);
        assert_eq!(db.texts("SELECT id || holder || epoch || head || tail || ready_at FROM lane").await, before);
        assert!(finish(&store, &new, &first).await.unwrap(), "the new holder is not disturbed");
    }
}

story! {
    async fn a_lane_that_was_given_back_takes_no_result(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let mut lane = claim(&store, LONG).await.unwrap();
        let first = head(&store, &lane).await;
        release(&store, &lane, HOUR).await.unwrap();
        lost(finish(&store, &lane, &first).await);
        lost(release(&store, &lane, 0).await);
        lost(put_off(&store, &lane, &first, 0).await);
        lost(store.renew(&mut lane, LONG).await);
        assert!(!store.anything_ready().await.unwrap(), "its head still waits");
        assert_eq!(db.count("SELECT COUNT(*) FROM job WHERE tries = 0").await, 1);
    }
}

story! {
    async fn a_holder_who_finds_its_fence_locked_waits_and_then_loses(db: &Db) {
        let store = db.store().await;
        let (old, new, first) = taken_over(&store).await;
        // Old and new holder finish the same job at the same moment, again and again: one of them may.
        let results = futures_util::future::join_all((0..10).map(|n| {
            let (store, lane, first) = (store.clone(), if n % 2 == 0 { old.clone() } else { new.clone() }, first.clone());
            tokio::spawn(async move {
                store.write(move |tx| Box::pin(async move {
                    write_message(tx).await?;
                    tx.finish(&lane, &first).await
                })).await
            })
        })).await;
        for (n, result) in results.into_iter().enumerate() {
            match result.unwrap() {
                Ok(more) => assert!(more && n % 2 == 1),
                Err(error) => assert!(matches!(error, Error::LeaseLost) && n % 2 == 0, "{error}"),
            }
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM message").await, 5);
        assert_eq!(head(&store, &new).await.subject, "2");
    }
}
