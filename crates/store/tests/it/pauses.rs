//! An account's calls rest on all nodes, and one of them tries after it.

use crate::engine::story;
use crate::given::*;
use desk::Reason;
use futures_util::future::join_all;
use store::Pause;

story! {
    async fn f29_a_pause_is_known_to_all_and_one_of_them_tries_after_it(db: &Db) {
        let nodes = [db.store().await, db.store().await];
        assert_eq!(nodes[1].pause(SHOP).await.unwrap(), None);
        let pause = Pause { until: NOW + 5_000, why: Reason::IpNotListed, strikes: 1, probed: false };
        nodes[0].set_pause(SHOP, pause).await.unwrap();
        assert_eq!(nodes[1].pause(SHOP).await.unwrap(), Some(pause));
        assert_eq!(nodes[1].pause("outlet").await.unwrap(), None);
        assert!(!nodes[1].probe_pause(SHOP, NOW + 4_999, NOW + 15_000).await.unwrap(), "not yet");
        let tries = (0..8).map(|n| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move { store.probe_pause(SHOP, NOW + 5_000, NOW + 15_000).await.unwrap() })
        });
        let tried = join_all(tries).await.into_iter().filter(|mine| *mine.as_ref().unwrap()).count();
        assert_eq!(tried, 1);
        let probed = nodes[0].pause(SHOP).await.unwrap().unwrap();
        assert!(probed.probed && probed.until == NOW + 15_000 && probed.strikes == 1);
        // It died: after its time another tries. It is refused again: all rest for longer.
        assert!(nodes[1].probe_pause(SHOP, NOW + 15_000, NOW + 25_000).await.unwrap());
        let longer = Pause { until: NOW + 25_000, strikes: 2, ..pause };
        nodes[1].set_pause(SHOP, longer).await.unwrap();
        assert_eq!(nodes[0].pause(SHOP).await.unwrap(), Some(longer));
        nodes[0].end_pause(SHOP).await.unwrap();
        assert_eq!(nodes[1].pause(SHOP).await.unwrap(), None);
        assert!(!nodes[1].probe_pause(SHOP, NOW + 99_000, NOW + 99_999).await.unwrap());
    }
}
