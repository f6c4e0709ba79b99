//! A job's position is the place of its commit, and transactions on the same rows do not block each other
//! for good.

use crate::engine::story;
use crate::given::*;
use futures_util::future::join_all;
use std::time::Duration;
use store::{Error, NewJob};
use tokio::sync::oneshot;

story! {
    async fn who_commits_first_stands_first(db: &Db) {
        let store = db.store().await;
        let (placed, is_placed) = oneshot::channel();
        let (go, may_go) = oneshot::channel::<()>();
        let early = tokio::spawn({
            let store = store.clone();
            async move {
                store
                    .write(move |tx| Box::pin(async move {
                        tx.enqueue(&[job("oA", "early")]).await?;
                        let _ = placed.send(());
                        let _ = may_go.await;
                        Ok(())
                    }))
                    .await
            }
        });
        is_placed.await.unwrap();
        let late = tokio::spawn({
            let store = store.clone();
            async move { enqueue(&store, vec![job("oA", "late")]).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!late.is_finished(), "the later one waits for the commit before it");
        assert!(!store.anything_ready().await.unwrap());
        go.send(()).unwrap();
        early.await.unwrap().unwrap();
        late.await.unwrap();
        let order: Vec<String> = drain(&store).await.into_iter().map(|(_, subject)| subject).collect();
        assert_eq!(order, ["early", "late"]);
    }
}

story! {
    async fn what_is_rolled_back_leaves_no_gap(db: &Db) {
        let store = db.store().await;
        enqueue(&store, vec![job("oA", "1")]).await;
        let failed: Result<(), Error> = store
            .write(|tx| Box::pin(async move {
                tx.enqueue(&[job("oA", "never"), job("oB", "never")]).await?;
                Err(Error::Unknown("reason"))
            }))
            .await;
        assert!(matches!(failed, Err(Error::Unknown("reason"))));
        enqueue(&store, vec![job("oA", "2")]).await;
        assert_eq!(db.texts("SELECT subject FROM job ORDER BY position").await, ["1", "2"]);
        assert_eq!(db.count("SELECT MAX(position) FROM job").await, 1);
        assert_eq!(db.count("SELECT COUNT(*) FROM lane").await, 1);
    }
}

story! {
    async fn one_enqueue_may_fill_many_lanes_and_keeps_the_order_on_each(db: &Db) {
        let store = db.store().await;
        let jobs: Vec<NewJob> = (0..60)
            .map(|n| {
                let direction = if n % 5 == 0 { desk::Direction::Out } else { desk::Direction::In };
                NewJob { direction, note: Some(format!("n{n}")), ..job(&format!("o{}", n % 3), format!("{n:02}")) }
            })
            .collect();
        enqueue(&store, jobs).await;
        enqueue(&store, Vec::new()).await;
        assert_eq!(db.count("SELECT COUNT(*) FROM lane").await, 6);
        let done = drain(&store).await;
        assert_eq!(done.len(), 60);
        for lane in ["in/shop/o0", "out/shop/o0", "in/shop/o2"] {
            let of_lane: Vec<&String> = done.iter().filter(|(id, _)| id == lane).map(|(_, s)| s).collect();
            assert!(of_lane.is_sorted(), "{lane}: {of_lane:?}");
        }
    }
}

story! {
    /// Customer first, then lanes in order: webhooks and jobs on the same customers never wait in a circle.
    async fn webhooks_and_jobs_on_the_same_customers_do_not_block_each_other(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        let people: Vec<String> = (0..4).map(|n| format!("o{n}")).collect();
        for openid in &people {
            nodes[0].ingest(follows(openid)).await.unwrap();
            let (name, openid) = (openid.clone(), openid.clone());
            nodes[0]
                .write(move |tx| Box::pin(async move { tx.plan_ghost(SHOP, &openid, 1, &[name], NOW).await }))
                .await
                .unwrap();
        }
        drain(&nodes[0]).await;
        let webhooks = (0..8).map(|n| {
            let (store, people) = (nodes[n % 2].clone(), people.clone());
            tokio::spawn(async move {
                for turn in 0..20 {
                    let batch = people.iter().rev().flat_map(|openid| {
                        if turn % 5 == n % 5 {
                            [unfollows(openid), agent_says(openid)]
                        } else {
                            [agent_says(openid), says(openid)]
                        }
                    });
                    for answer in join_all(batch.map(|arrival| store.ingest(arrival))).await {
                        answer.unwrap();
                    }
                }
            })
        });
        let jobs = (0..4).map(|n| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move {
                let mut done = 0;
                let mut idle = 0;
                while idle < 50 {
                    let Some(lane) = claim(&store, LONG).await else {
                        idle += 1;
                        tokio::time::sleep(Duration::from_millis(4)).await;
                        continue;
                    };
                    idle = 0;
                    while let Some(job) = store.next_job(&lane).await.unwrap() {
                        let lane = lane.clone();
                        let more = store
                            .write(move |tx| Box::pin(async move {
                                tx.take_seqs(&lane.account, &lane.openid, 1).await?;
                                if job.kind == "webhook" {
                                    // A word to the agent: work for the customer's other lane.
                                    tx.enqueue(&[NewJob { kind: "relay", ..super::job(&lane.openid, "notice") }]).await?;
                                }
                                tx.fence(&lane).await?;
                                tx.finish(&lane, &job).await
                            }))
                            .await
                            .unwrap();
                        done += 1;
                        if !more {
                            break;
                        }
                    }
                }
                done
            })
        });
        let jobs: Vec<_> = jobs.collect();
        for webhook in join_all(webhooks).await {
            webhook.unwrap();
        }
        let done: usize = join_all(jobs).await.into_iter().map(Result::unwrap).sum();
        let webhooks = db.count("SELECT COUNT(*) FROM inbox").await as usize - people.len();
        let notices = db.count("SELECT COUNT(*) FROM inbox WHERE source = 'im'").await as usize;
        assert_eq!(done, webhooks + notices);
        if !db.is_sqlite() {
            let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
            assert_eq!(db.count(deadlocks).await, 0);
        }
    }
}
