//! Ghosts: names that nobody else has, generation after generation.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use store::{Error, Ghost, GhostState, Store};

async fn plan(
    store: &Store,
    account: &'static str,
    openid: &'static str,
    generation: i64,
    names: &[&str],
) -> Result<Ghost, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    store
        .write(move |tx| {
            Box::pin(async move { tx.plan_ghost(account, openid, generation, &names, NOW).await })
        })
        .await
}

async fn ghost_of(store: &Store, openid: &'static str) -> Option<Ghost> {
    store.read(move |tx| Box::pin(async move { tx.ghost_of(SHOP, openid).await })).await.unwrap()
}

async fn set(store: &Store, user_id: &'static str, state: GhostState) {
    store.write(move |tx| Box::pin(async move { tx.set_ghost(user_id, state, NOW).await })).await.unwrap();
}

story! {
    async fn a_ghost_lives_retires_and_has_a_successor(db: &Db) {
        let store = db.store().await;
        store.ingest(follows("oA")).await.unwrap();
        assert_eq!(ghost_of(&store, "oA").await, None);
        let planned = plan(&store, SHOP, "oA", 1, &["oA"]).await.unwrap();
        assert_eq!((planned.user_id.as_str(), planned.generation, planned.state), ("oA", 1, GhostState::Planned));
        assert_eq!(ghost_of(&store, "oA").await, Some(planned));
        set(&store, "oA", GhostState::Living).await;
        assert_eq!(ghost_of(&store, "oA").await.unwrap().state, GhostState::Living);
        set(&store, "oA", GhostState::Retired).await;
        assert_eq!(ghost_of(&store, "oA").await, None);
        let customer = store.read(|tx| Box::pin(async move { tx.customer(SHOP, "oA").await })).await.unwrap();
        assert_eq!(customer.unwrap().generation, 1);
        let next = plan(&store, SHOP, "oA", 2, &["oA-2"]).await.unwrap();
        assert_eq!(ghost_of(&store, "oA").await, Some(next));
        let old = store.read(|tx| Box::pin(async move { tx.ghost("oA").await })).await.unwrap().unwrap();
        assert_eq!((old.state, old.openid.as_str()), (GhostState::Retired, "oA"));
        assert_eq!(store.read(|tx| Box::pin(async move { tx.ghost("oa").await })).await.unwrap(), None);
    }
}

story! {
    async fn f52_a_name_that_somebody_has_in_any_case_is_passed_over(db: &Db) {
        let store = db.store().await;
        for openid in ["oABC", "oabc", "OABC"] {
            store.ingest(follows(openid)).await.unwrap();
        }
        let first = plan(&store, SHOP, "oABC", 1, &["oABC", "wx-1"]).await.unwrap();
        assert_eq!(first.user_id, "oABC");
        let second = plan(&store, SHOP, "oabc", 1, &["oabc", "wx-2"]).await.unwrap();
        assert_eq!(second.user_id, "wx-2");
        // The same openid under another account, too.
        let third = plan(&store, "other", "oABC", 1, &["oABC", "wx-3"]).await.unwrap();
        assert_eq!(third.user_id, "wx-3");
        let none = plan(&store, SHOP, "OABC", 1, &["OABC", "WX-3"]).await;
        assert!(matches!(none, Err(Error::Unknown(_))), "{none:?}");
        // A retired name stays taken.
        set(&store, "oABC", GhostState::Retired).await;
        assert_eq!(plan(&store, SHOP, "OABC", 1, &["OABC", "wx-4"]).await.unwrap().user_id, "wx-4");
    }
}

story! {
    async fn two_who_plan_the_same_generation_get_the_same_ghost(db: &Db) {
        let store = db.store().await;
        store.ingest(follows("oA")).await.unwrap();
        let planned = join_all((0..6).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { plan(&store, SHOP, "oA", 1, &["oA", "wx-1"]).await })
        }))
        .await;
        for ghost in planned {
            assert_eq!(ghost.unwrap().unwrap().user_id, "oA");
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM ghost").await, 1);
    }
}
