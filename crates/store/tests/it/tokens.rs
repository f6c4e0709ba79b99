//! One access_token per account, fetched by one at a time.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use std::time::Duration;
use store::{Store, StoredToken};

fn token(text: &str) -> StoredToken {
    StoredToken { token: text.into(), expires_at: NOW + 2 * HOUR }
}

async fn stored(store: &Store) -> Option<StoredToken> {
    store.token(SHOP).await.unwrap()
}

story! {
    async fn f26_of_many_refreshers_one_gets_the_lock(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        for round in 0..5 {
            let locked = join_all((0..10).map(|n| {
                let store = nodes[n % 2].clone();
                tokio::spawn(async move {
                    (n, store.lock_token(SHOP, &format!("node {n}"), 60_000).await.unwrap())
                })
            }))
            .await;
            let holders: Vec<usize> =
                locked.into_iter().map(Result::unwrap).filter(|(_, locked)| *locked).map(|(n, _)| n).collect();
            assert_eq!(holders.len(), 1, "round {round}: {holders:?}");
            let fresh = token(&format!("token {round}"));
            let holder = format!("node {}", holders[0]);
            nodes[0].unlock_token(SHOP, &holder, Some(fresh.clone())).await.unwrap();
            assert_eq!(stored(&nodes[1]).await, Some(fresh));
            // Once is enough: the lock is gone, and with it the right to store.
            nodes[0].unlock_token(SHOP, &holder, Some(token("late"))).await.unwrap();
            assert_ne!(stored(&nodes[1]).await, Some(token("late")));
        }
        assert!(nodes[0].lock_token("other", "node 0", 60_000).await.unwrap(), "each account has its own");
    }
}

story! {
    async fn f26_the_lock_of_one_who_died_runs_out(db: &Db) {
        let store = db.store().await;
        assert!(store.lock_token(SHOP, "dead", 100).await.unwrap());
        assert!(!store.lock_token(SHOP, "next", 60_000).await.unwrap());
        tokio::time::sleep(Duration::from_millis(130)).await;
        assert!(store.lock_token(SHOP, "next", 60_000).await.unwrap());
        // The one that was thought dead comes back: its token is not stored, the lock not given back.
        store.unlock_token(SHOP, "dead", Some(token("old"))).await.unwrap();
        assert_eq!(stored(&store).await, None);
        assert!(!store.lock_token(SHOP, "third", 60_000).await.unwrap());
        store.unlock_token(SHOP, "next", Some(token("new"))).await.unwrap();
        assert_eq!(stored(&store).await, Some(token("new")));
    }
}

story! {
    async fn f28_a_failed_or_empty_answer_leaves_the_good_token(db: &Db) {
        let store = db.store().await;
        assert_eq!(stored(&store).await, None);
        assert!(store.lock_token(SHOP, "node", 60_000).await.unwrap());
        assert_eq!(stored(&store).await, None, "a lock is no token");
        store.unlock_token(SHOP, "node", Some(token(""))).await.unwrap();
        assert_eq!(stored(&store).await, None);
        for fetched in [Some(token("good")), None, Some(StoredToken { token: String::new(), expires_at: 0 })] {
            assert!(store.lock_token(SHOP, "node", 60_000).await.unwrap());
            store.unlock_token(SHOP, "node", fetched).await.unwrap();
            assert_eq!(stored(&store).await, Some(token("good")));
        }
    }
}

#[test]
fn f66_a_token_is_not_printed() {
    let printed = format!("{:?}", token("very-secret"));
    assert!(!printed.contains("very-secret"), "{printed}");
}
