//! F68: told to stop under load, the gateway answers what it took and loses nothing of it.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{AGENT, PATIENCE, Setup};
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn f68_sigterm_under_load_loses_nothing_that_was_acknowledged() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).start().await;
        let mut ghosts = Vec::new();
        for n in 0..4 {
            ghosts.push(world.opened(&customer(n), &format!("hello {n}")).await);
        }
        let load = {
            let (control, app_id, ghosts) = (world.control.clone(), world.app_id(), ghosts.clone());
            tokio::spawn(async move {
                for n in 0..120 {
                    control.say_only(&app_id, &customer(n % 30), &format!("load {n}")).await.unwrap();
                    if n % 10 == 0 {
                        let path = format!("/sim/im/agents/{AGENT}/say");
                        let said =
                            serde_json::json!({"to": ghosts[n / 10 % 4], "text": format!("reply {n}")});
                        control.post(&path, said).await.unwrap();
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        };
        world.line("the load runs", |line| line["text"] == "load 40").await;
        let begun = Instant::now();
        let ended = world.stop().unwrap();
        assert_eq!(ended.code(), Some(0), "{}", world.log());
        assert!(begun.elapsed() < Duration::from_secs(15));
        load.await.unwrap();
        world.spawn(&[]);
        world.ready().await;
        // WeChat has offered again, or given up, what was not answered.
        let begun = Instant::now();
        while world.lines(|line| line["kind"] == "push_end").await.len() < 124 {
            assert!(begun.elapsed() < PATIENCE, "the cloud is still pushing");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        world.drained().await;
        let lines = world.control.journal(0).await.unwrap();
        let is = |line: &serde_json::Value, kind: &str| line["kind"] == kind;
        let acknowledged: HashSet<&str> = lines
            .iter()
            .filter(|line| is(line, "push") && (line["outcome"] == "ack" || line["outcome"] == "reply"))
            .map(|line| line["msg_id"].as_str().unwrap())
            .collect();
        let mut taken = 0;
        for said in lines.iter().filter(|line| is(line, "said") && line["cloud"] == "wechat") {
            let shown = lines
                .iter()
                .filter(|line| is(line, "delivered") && line["cloud"] == "im" && line["text"] == said["text"])
                .count();
            if acknowledged.contains(said["msg_id"].as_str().unwrap()) {
                taken += 1;
                assert_eq!(shown, 1, "{said}");
            } else {
                assert!(shown <= 1, "{said}");
            }
        }
        assert!(taken >= 40, "{taken} were acknowledged");
        let answered: HashSet<&str> = lines
            .iter()
            .filter(|line| is(line, "callback") && line["outcome"] == "answered")
            .map(|line| line["msg_key"].as_str().unwrap())
            .collect();
        for said in lines.iter().filter(|line| {
            is(line, "said") && line["cloud"] == "im" && answered.contains(line["msg_key"].as_str().unwrap())
        }) {
            let sent = lines
                .iter()
                .filter(|line| {
                    is(line, "delivered") && line["cloud"] == "wechat" && line["text"] == said["text"]
                })
                .count();
            assert_eq!(sent, 1, "{said}");
        }
        assert!(!answered.is_empty());
        let open = "SELECT COUNT(*) FROM delivery WHERE state NOT IN ('sent', 'failed')";
        assert_eq!(world.database.count(open).await, 0, "a graceful end leaves nothing unsure");
    })
    .await;
}
