//! Calls that are drawn from one bucket by many: never more than it holds and gains, and everybody in turn.

use crate::engine::story;
use futures_util::future::join_all;
use std::time::Duration;
use store::{Draw, Drawn};

const SECOND: i64 = 1_000_000;

fn draw(per_second: i64, need: i64) -> Draw {
    Draw { cost: SECOND / per_second, depth: SECOND / 2, reserve: 0, credit: 0, need, want: need }
}

story! {
    async fn f55_many_takers_get_no_more_than_the_burst_and_the_rate(db: &Db) {
        let nodes = [db.store().await, db.store().await, db.store().await];
        let rate = 2_000;
        nodes[0].draw("sendmsg", draw(rate, 1)).await.unwrap();
        let began = db.count("SELECT now FROM clock").await;
        let takers = (0..12).map(|n| {
            let store = nodes[n % 3].clone();
            tokio::spawn(async move {
                let mut calls = 0;
                for _ in 0..40 {
                    calls += store.draw("sendmsg", draw(rate, 7 + n as i64 * 10)).await.unwrap().calls;
                }
                calls
            })
        });
        let taken: i64 = join_all(takers).await.into_iter().map(Result::unwrap).sum();
        let took = db.count("SELECT now FROM clock").await - began;
        let most = rate / 2 + rate * (took + 1) / 1_000;
        assert!(taken > 0 && taken <= most, "{taken} calls in {took} ms, {most} allowed");
        // Whoever is slow leaves nothing behind but what the bucket holds.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let all = nodes[1].draw("sendmsg", draw(rate, 9_999)).await.unwrap();
        assert_eq!(all, Drawn { calls: rate / 2, level: SECOND / 2 });
        assert!(nodes[1].draw("another", draw(rate, 1)).await.unwrap().calls <= 1, "each has its own");
    }
}

story! {
    async fn f55_who_waits_is_given_calls_ahead_of_their_time_in_turn(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        let waits = Draw { credit: 2 * SECOND, ..draw(10, 5) };
        nodes[0].draw("slow", waits).await.unwrap();
        let mut levels = Vec::new();
        for n in 0..8 {
            let drawn = nodes[n % 2].draw("slow", waits).await.unwrap();
            if drawn.calls == 0 {
                break;
            }
            levels.push(drawn.level);
        }
        // A second of calls each, one behind the other, two seconds ahead at most.
        assert!((3..=5).contains(&levels.len()), "{levels:?}");
        assert!(levels.windows(2).all(|two| two[1] < two[0]), "{levels:?}");
        let drawn = nodes[0].draw("slow", Draw { need: 1, want: 1, ..waits }).await.unwrap();
        assert!(drawn.level > -2_100_000 && drawn.level < -1_000_000, "{drawn:?}");
    }
}

story! {
    async fn f55_who_can_wait_leaves_a_reserve(db: &Db) {
        let store = db.store().await;
        store.draw("shared", draw(100, 1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let behind = Draw { reserve: 300_000, ..draw(100, 100) };
        assert_eq!(store.draw("shared", behind).await.unwrap().calls, 20);
        assert_eq!(store.draw("shared", Draw { credit: SECOND, want: 50, ..draw(100, 1) }).await.unwrap().calls / 30, 1);
        assert_eq!(store.draw("shared", behind).await.unwrap().calls, 0);
    }
}
