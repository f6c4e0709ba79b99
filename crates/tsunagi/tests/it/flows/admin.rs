//! `/healthz`, `/readyz`, `/metrics` (DESIGN §5): what an operator's tools ask.

use super::on_every_engine;
use super::wire::get;
use crate::support::{OPENID, Setup, http};

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_answer_on_the_admin_listener_alone() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).start().await;
        let health = get(format!("{}/healthz", world.admin)).await;
        assert_eq!((health.status, health.text().as_str()), (200, "ok"));
        let ready = get(format!("{}/readyz", world.admin)).await;
        assert_eq!((ready.status, ready.text().as_str()), (200, r#"{"ready":true,"reasons":{}}"#));
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(
                get(format!("{}{path}", world.webhooks)).await.status,
                404,
                "{path} is not for the world"
            );
        }
        assert_eq!(get(format!("{}/wechat/shop", world.admin)).await.status, 404);

        let ghost = world.opened(OPENID, "hello").await;
        world.agent_says(&ghost, "hi").await;
        world.customer_sees("hi").await;
        world.drained().await;
        let metrics = get(format!("{}/metrics", world.admin)).await;
        assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
        for line in metrics.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.starts_with("tsunagi_"), "{line}");
        }
        assert_eq!(world.metric("tsunagi_deliveries_total").await, 2.0);
        assert_eq!(world.metric("tsunagi_webhooks_total").await, 2.0);
        assert_eq!(world.metric("tsunagi_token_fetches_total").await, 1.0);
        assert_eq!(world.metric("tsunagi_build_info").await, 1.0);
        assert!(world.metric("tsunagi_call_seconds_count").await >= 4.0);
        assert!(world.metric("tsunagi_ingest_batch_size_count").await >= 2.0);
        let ended = world.stop().unwrap();
        assert!(ended.success());
        assert!(http().get(format!("{}/healthz", world.admin)).send().await.is_err());
    })
    .await;
}
